--- Runs examples/openresty against the sandbox, for specs. It ends when this process does.
local cjson = require("cjson")
local http = require("socket.http")
local ports = require("zohocrm.sandbox.server.ports")
local shell = require("zohocrm.sandbox.server.shell")
local socket = require("socket")

local M = {}

local LeadForm = {}
LeadForm.__index = LeadForm

local START_SECONDS = 30

-- Its own group of processes, as Ctrl-C in a terminal would reach. FORM_SECRET is unset: it makes its own.
local RUN = [[
unset LD_PRELOAD MATON_API_KEY FORM_SECRET
LUA_PATH=%s LUA_CPATH=%s setsid luajit examples/openresty/run.lua %d >%s 2>&1 </dev/null &
pid=$!
read _
kill -INT -$pid
wait $pid
]]

--- Starts it.
---@return table form with `url` and `gateway_url` (the sandbox's)
function M.start()
  local port = ports.choose(1, shell.own_pid())[1]
  local self = setmetatable({ url = "http://127.0.0.1:" .. port, log_name = os.tmpname() }, LeadForm)
  self.pipe = assert(io.popen(RUN:format(shell.quote(package.path), shell.quote(package.cpath), port,
    shell.quote(self.log_name)), "w"))
  local till = socket.gettime() + START_SECONDS
  repeat
    socket.sleep(0.02)
    self.gateway_url = self:log():match("the sandbox, (%S+/zoho%-crm)%.")
  until (self.gateway_url and http.request(self.url .. "/thanks")) or socket.gettime() > till
  if not self.gateway_url then
    local log = self:log()
    self:stop()
    error("the lead form did not start: " .. log, 0)
  end
  return self
end

--- What it has printed, nginx's log with it.
function LeadForm:log()
  local file = assert(io.open(self.log_name))
  local text = file:read("*a")
  file:close()
  return text
end

--- What the sandbox was asked for.
---@return table[]
function LeadForm:requests()
  return cjson.decode((assert(http.request(self.gateway_url:gsub("/zoho%-crm$", "/__sandbox/requests")))))
end

--- Ends it. Again, it does nothing.
function LeadForm:stop()
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
    os.remove(self.log_name)
  end
end

return M
