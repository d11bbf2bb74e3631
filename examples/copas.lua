-- Zoho CRM in copas: a small server that answers each line with the leads of that last name. Its threads wait for the
-- CRM, copas does not.
--
-- Runs against the account of MATON_API_KEY, and only reads; or against the sandbox (Debian has copas for LuaJIT only):
--   luajit -e 'os.exit(require("zohocrm.sandbox.server").with("luajit examples/copas.lua"))'

local copas = require "copas" -- before what brings socket.http
local socket = require "socket"
local zohocrm = require "zohocrm"

local crm = zohocrm.new { host = "copas" }

local server = assert(socket.bind("127.0.0.1", 0))
local _, port = server:getsockname()

copas.addserver(server, function(connection)
  local wrapped = copas.wrap(connection)
  local name = wrapped:receive "*l"
  while name do
    local page, err = crm.Leads:search { criteria = zohocrm.criteria.Last_Name:equals(name), fields = { "Company" } }
    wrapped:send(page and ("%d lead(s) named %s\n"):format(#page, name) or tostring(err) .. "\n")
    name = wrapped:receive "*l"
  end
  connection:close() -- copas closes what a thread waited for last, which need not be this
end)

-- Three visitors at once, so that the example ends by itself.
local names, visitors = {}, 3
for lead in crm.Leads:each { fields = { "Last_Name" }, limit = visitors } do -- no thread yet: this blocks
  names[#names + 1] = lead.Last_Name
end
visitors = #names
for i, name in ipairs(names) do
  copas.addthread(function()
    local visitor = copas.wrap(socket.tcp())
    assert(copas.connect(visitor.socket, "127.0.0.1", port))
    visitor:send(name .. "\n")
    print("visitor " .. i, (visitor:receive "*l"))
    visitor.socket:close()
    visitors = visitors - 1
  end)
end

while visitors > 0 do -- a server has copas.loop() here
  copas.step()
end
