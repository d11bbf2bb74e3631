-- Zoho CRM in a loop of one's own, here around luasocket's select: crm:fds() says what to watch, crm:timeout() for how
-- long, and crm:poll(0) does what there is to do. The work is in tasks, which never block.
--
-- Runs against the account of MATON_API_KEY, and only reads; or against the sandbox:
--   lua5.4 -e 'os.exit(require("zohocrm.sandbox.server").with("lua5.4 examples/own_loop.lua"))'

local socket = require "socket"
local zohocrm = require "zohocrm"

local crm = zohocrm.new()

crm:spawn(function()
  for lead in crm.Leads:each { fields = { "Last_Name", "Company" }, limit = 3 } do
    print("lead", lead.Last_Name, lead.Company)
  end
end)

crm:spawn(function()
  local org = assert(crm:org())
  print("org", org.company_name)
end)

-- What select takes for sockets: anything with a descriptor.
local function selectable(list)
  local readers, writers = {}, {}
  for _, entry in ipairs(list) do
    local one = { getfd = function() return entry.fd end }
    readers[#readers + 1] = entry.read and one or nil
    writers[#writers + 1] = entry.write and one or nil
  end
  return readers, writers
end

-- What else the loop watches: here, a socket that nobody writes to, and a clock.
local other = assert(socket.bind("127.0.0.1", 0))
local ticks, next_tick = 0, socket.gettime()

local live = crm:poll(0)
while live > 0 do
  local readers, writers = selectable(crm:fds())
  readers[#readers + 1] = other
  local wait = math.max(math.min(next_tick - socket.gettime(), crm:timeout() or math.huge), 0)
  socket.select(readers, writers, wait)
  if socket.gettime() >= next_tick then
    ticks, next_tick = ticks + 1, socket.gettime() + 0.001
  end
  local failed -- a task whose error nobody has asked for
  live, failed = crm:poll(0)
  if failed then
    error(select(2, failed:result()))
  end
end
print(("the clock ticked %s meanwhile"):format(ticks > 0 and "on" or "not"))
