-- Zoho CRM in luv's loop (libuv): coroutines that call the client wait, the loop does not.
--
-- Runs against the account of MATON_API_KEY, and only reads; or against the sandbox:
--   lua5.4 -e 'os.exit(require("zohocrm.sandbox.server").with("lua5.4 examples/luv.lua"))'

local uv = require "luv"
local zohocrm = require "zohocrm"

local crm = zohocrm.new { host = "luv" }

-- What else the loop has to do. It goes on whoever waits.
local ticks = 0
local clock = uv.new_timer()
clock:start(0, 1, function() ticks = ticks + 1 end)

local running = 0

-- Runs f in a coroutine of its own; the clock ends with the last one.
local function go(f)
  running = running + 1
  coroutine.wrap(function()
    f()
    running = running - 1
    if running == 0 then
      clock:close()
    end
  end)()
end

go(function()
  for lead in crm.Leads:each { fields = { "Last_Name", "Company" }, limit = 3 } do
    print("lead", lead.Last_Name, lead.Company)
  end
end)

go(function()
  for deal in crm.Deals:each { fields = { "Deal_Name", "Stage" }, limit = 3 } do
    print("deal", deal.Deal_Name, deal.Stage)
  end
end)

go(function()
  local org = assert(crm:org())
  print("org", org.company_name)
end)

uv.run() -- returns by itself: a client that waits for nothing does not hold it
print(("the clock ticked %s meanwhile"):format(ticks > 0 and "on" or "not"))
