-- Zoho CRM in a controller of cqueues: coroutines that call the client wait, the others go on.
--
-- Runs against the account of MATON_API_KEY, and only reads; or against the sandbox:
--   lua5.4 -e 'os.exit(require("zohocrm.sandbox.server").with("lua5.4 examples/cqueues.lua"))'

local cqueues = require "cqueues"
local zohocrm = require "zohocrm"

local crm = zohocrm.new { host = "cqueues" }
local loop = cqueues.new()

local ticks, running = 0, 0

local function go(f)
  running = running + 1
  loop:wrap(function()
    f()
    running = running - 1
  end)
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

-- What else the loop has to do.
loop:wrap(function()
  while running > 0 do
    cqueues.sleep(0.001)
    ticks = ticks + 1
  end
end)

assert(loop:loop()) -- returns when all coroutines have
print(("the clock ticked %s meanwhile"):format(ticks > 0 and "on" or "not"))
