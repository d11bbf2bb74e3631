--- An nginx of its own, in which the library runs as a guest: for specs of the nginx host.
---
---     local nginx = nginx_host.start {
---       init = [[ crm = require("zohocrm").new { … } ]],
---       locations = { ["/lead"] = [[ ngx.say(assert(crm.Leads:get(ngx.var.arg_id)).Last_Name) ]] },
---     }
---     local status, body = nginx:get("/lead?id=1")
---     nginx:stop()
---
--- It ends when this process does. Needs what the sandbox server needs.
local nginx_conf = require("zohocrm.sandbox.server.nginx_conf")
local ports = require("zohocrm.sandbox.server.ports")
local shell = require("zohocrm.sandbox.server.shell")
local socket = require("socket")

local M = {}

local Nginx = {}
Nginx.__index = Nginx

local START_SECONDS = 20

local TEMPLATE = [[
$load_modules
$user
daemon off;
worker_processes $workers;
pid $folder/nginx.pid;
error_log $folder/error.log info;
env MATON_API_KEY;
$main
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  default_type text/plain;
  lua_package_path "$root/?.lua;$root/lua/?.lua;$root/lua/?/init.lua;$lua_path;";
  lua_package_cpath "$build/?.so;$lua_cpath;";
  $http
  init_by_lua_block { $init }
  init_worker_by_lua_block { $init_worker }
  server {
    listen 127.0.0.1:$port $listen;
    lingering_timeout 100ms;
    $server
    location = /__ready { return 200 ready; }
    $locations
  }
}
]]

local function write_file(name, text)
  local file = assert(io.open(name, "w"))
  file:write(text)
  file:close()
end

local function read_file(name)
  local file = io.open(name)
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

-- "^" before a path: the text is the location's own directives, not a handler.
local function locations_text(locations)
  local parts = {}
  for path, text in pairs(locations or {}) do
    parts[#parts + 1] = path:sub(1, 1) == "^" and ("location = %s { %s }"):format(path:sub(2), text)
      or ("location = %s { content_by_lua_block { %s } }"):format(path, text)
  end
  return table.concat(parts, "\n")
end

-- The last release of LuaJIT's C modules wherever this interpreter finds its own: nginx runs LuaJIT, as we must.
local function conf(self, options)
  local found = assert(nginx_conf.find())
  local modules = {}
  for i, file in ipairs(found.modules) do modules[i] = ('load_module "%s";'):format(file) end
  local _, root = shell.capture("pwd")
  root = root:match("[^\n]+")
  local build = os.getenv("ZOHOCRM_BUILD")
  build = build and build ~= "" and build or "build/5.1"
  local values = {
    load_modules = table.concat(modules, "\n"), folder = self.folder, port = self.port, root = root,
    build = build:sub(1, 1) == "/" and build or root .. "/" .. build,
    user = select(2, shell.capture("id -u")):match("^0") and "user root root;" or "",
    workers = options.workers or 1, init = options.init or "", init_worker = options.init_worker or "",
    lua_path = package.path, lua_cpath = package.cpath, main = options.main or "", http = options.http or "",
    server = options.server or "", locations = locations_text(options.locations),
    listen = (options.workers or 1) > 1 and "reuseport" or "",
  }
  -- what is not ours is nginx's: $arg_id and the like
  return found, (TEMPLATE:gsub("%$([%w_]+)", values))
end

local RUN = [[

cd %s || exit
%s -p "$PWD/" -c "$PWD/nginx.conf" >start.log 2>&1 </dev/null &
pid=$!
read _
kill -%s $pid 2>/dev/null
wait $pid
]]

local function await(self)
  local till = socket.gettime() + START_SECONDS
  repeat
    local fine, status = pcall(self.get, self, "/__ready")
    if fine and status == 200 then return end
    socket.sleep(0.01)
  until socket.gettime() > till or read_file(self.folder .. "/error.log"):find("%[emerg%]")
  local log = read_file(self.folder .. "/start.log") .. self:error_log()
  self:stop()
  error("nginx did not start: " .. log, 0)
end

--- Starts one.
---@param options table texts of nginx.conf: `main`, `http`, `server`; Lua: `init`, `init_worker`, `locations` (path ->
--- handler; with "^" before the path, directives); `workers` (1); `environment`: pairs of name and value
---@return table nginx
function M.start(options)
  local _, folder = assert(shell.capture('umask 077; mktemp -d "${TMPDIR:-/tmp}/zohocrm-nginx.XXXXXX"'))
  local self = setmetatable({ folder = folder:match("[^\n]+"), port = ports.choose(1, shell.own_pid())[1] }, Nginx)
  self.url = "http://127.0.0.1:" .. self.port
  local found, text = conf(self, options)
  write_file(self.folder .. "/nginx.conf", text)
  local exports = { "unset LD_PRELOAD" }
  for _, pair in ipairs(options.environment or {}) do
    exports[#exports + 1] = ("export %s=%s"):format(pair[1], shell.quote(pair[2]))
  end
  self.pipe = assert(io.popen(table.concat(exports, "\n") .. RUN:format(shell.quote(self.folder), shell.quote(found.binary),
    options.stop_signal or "QUIT"), "w"))
  await(self)
  return self
end

--- Opens a connection and sends a request on it.
---@param method? string
---@return table connection for `receive`
function Nginx:send(path, method, body, headers)
  local connection = assert(socket.tcp())
  connection:settimeout(START_SECONDS)
  assert(connection:connect("127.0.0.1", self.port))
  local lines = { ("%s %s HTTP/1.0"):format(method or "GET", path), "Host: localhost" }
  for name, value in pairs(headers or {}) do lines[#lines + 1] = name .. ": " .. value end
  if body then lines[#lines + 1] = "Content-Length: " .. #body end
  assert(connection:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")))
  return connection
end

--- What came back on a connection.
---@return integer status, string body, string head
function Nginx.receive(_, connection)
  local answer, why, partial = connection:receive("*a")
  connection:close()
  answer = answer or partial
  local head, body = answer:match("^(.-\r\n)\r\n(.*)$")
  assert(head, why or "no answer")
  return tonumber(head:match("^HTTP/%d%.%d (%d+)")), body, head
end

--- Sends a request and waits for the answer.
function Nginx:get(path, method, body, headers)
  return self:receive(self:send(path, method, body, headers))
end

--- nginx's process ids: the master's, or its workers'.
---@return integer
function Nginx:master() return tonumber(read_file(self.folder .. "/nginx.pid"):match("%d+")) end

---@return integer[]
function Nginx:workers()
  local pids = {}
  for pid in read_file(("/proc/%d/task/%d/children"):format(self:master(), self:master())):gmatch("%d+") do
    pids[#pids + 1] = tonumber(pid)
  end
  return pids
end

--- Sends the master a signal.
---@param name string "HUP", "QUIT", …
function Nginx:signal(name) shell.capture(("kill -%s %d"):format(name, self:master())) end

--- What it has logged.
function Nginx:error_log() return self.log or read_file(self.folder .. "/error.log") end

--- The lines of the log that are of a grave level, of nginx's own or ours.
---@return string
function Nginx:complaints()
  local lines = {}
  for line in self:error_log():gmatch("[^\n]+") do
    if line:find("%[error%]") or line:find("%[crit%]") or line:find("%[alert%]") or line:find("%[emerg%]")
      or line:find("open socket") then
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n")
end

--- Ends it (QUIT, or `stop_signal`), waits until it has gone, and keeps its log. Again, it does nothing.
function Nginx:stop()
  if self.pipe then
    self.pipe:close()
    self.pipe, self.log = nil, read_file(self.folder .. "/error.log")
    shell.capture("rm -rf " .. shell.quote(self.folder))
  end
end

return M
