--- The sandbox over real HTTP: starts an nginx of its own on free loopback ports, with the engine inside.
--- Plain HTTP/1.1, and TLS with HTTP/2; keep-alive and gzip. Needs nginx with its Lua module and the openssl command.
---
---     local server = require("zohocrm.sandbox.server").start { records = 100 }
---     local crm = require("zohocrm").new {
---       api_key = "sandbox", gateway_url = server.gateway_url, control_url = server.control_url,
---     }
---     …
---     server:stop()
---
--- From a shell: `lua5.4 -e 'require("zohocrm.sandbox.server").run()'`.
-- @module zohocrm.sandbox.server

local raise = require("zohocrm.raise")
local engine_options = require("zohocrm.sandbox.options")
local certificate = require("zohocrm.sandbox.server.certificate")
local nginx_conf = require("zohocrm.sandbox.server.nginx_conf")
local ports = require("zohocrm.sandbox.server.ports")
local shell = require("zohocrm.sandbox.server.shell")

local M = {}

local quote = shell.quote

local START_ATTEMPTS = 5
local START_SECONDS = 120 -- making 100,000 records under a slow interpreter takes its time

--- A running server.
---@class zohocrm.sandbox.Server
---@field url string           `http://127.0.0.1:PORT`
---@field gateway_url string   what `gateway_url` of a client is set to
---@field control_url string   what `control_url` of a client is set to (the endpoint of connections)
---@field tls_url string       `https://127.0.0.1:PORT`
---@field tls_gateway_url string
---@field tls_control_url string
---@field ca_file string       the certificate authority of `tls_url`, to be given as `ca_file`
---@field api_key string       the key that the sandbox accepts
---@field folder string        its temporary folder
local Server = {}
Server.__index = Server

-- ---------------------------------------------------------------------------------------------------------------
-- Options

local function is_port(value) return type(value) == "number" and value % 1 == 0 and value > 0 and value < 65536 end
local function is_seconds(value) return type(value) == "number" and value >= 0 and value < 86400 end
local function is_boolean(value) return type(value) == "boolean" end

-- The server's own options; every other one is the engine's, which says itself what it accepts.
local OPTIONS = {
  port = { is_port, "a port number (1 to 65535)" },
  tls_port = { is_port, "a port number (1 to 65535)" },
  latency = { is_seconds, "seconds (a number, 0 or more)", 0 },
  keepalive_timeout = { is_seconds, "seconds (a number, 0 or more)", 75 },
  gzip = { is_boolean, "true or false", true },
}

local function unknown_option(name)
  local known = {}
  for _, options in ipairs { OPTIONS, engine_options.engine } do
    for known_name in pairs(options) do known[known_name] = true end
  end
  return "the sandbox server: " .. engine_options.unknown(name, known)
end

-- Splits the options into the server's (defaults filled in) and the engine's; or gives nil and what is wrong.
local function split_options(options)
  if options ~= nil and type(options) ~= "table" then
    return nil, "the sandbox server takes a table of options, not a " .. type(options)
  end
  local own, engine = {}, {}
  for name, option in pairs(OPTIONS) do own[name] = option[3] end
  for name, value in pairs(options or {}) do
    local option = OPTIONS[name]
    if not option and not engine_options.engine[name] then
      return nil, unknown_option(name)
    elseif not option then
      engine[name] = value
    elseif not option[1](value) then
      local shown = type(value) == "string" and ("the string %q"):format(value) or tostring(value)
      return nil, ("%s must be %s, not %s"):format(name, option[2], shown)
    else
      own[name] = value
    end
  end
  -- Made only to be checked, while there is a caller to tell; nginx makes its own.
  local ok, message = pcall(require("zohocrm.sandbox").new, engine)
  if not ok then return nil, (tostring(message):gsub("^[^\n:]+:%d+: ", ""):gsub("^zohocrm%.sandbox%.new: ", "")) end
  return own, engine
end

-- ---------------------------------------------------------------------------------------------------------------
-- What nginx is given

-- Lua source of plain data.
local function serialise(value)
  if type(value) ~= "table" then
    if type(value) == "number" then return ("%.17g"):format(value) end
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do parts[#parts + 1] = ("[%s]=%s"):format(serialise(key), serialise(item)) end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function absolute(template, here)
  return template:sub(1, 1) == "/" and template or here .. "/" .. template:gsub("^%./", "")
end

-- The caller's search path for nginx's LuaJIT: folders of another release replaced by those of 5.1, for a C module
-- such as lua-cjson fits only one.
local function search_path(path, here)
  local templates = {}
  for template in path:gmatch("[^;]+") do
    templates[#templates + 1] = absolute(template, here):gsub("5%.[234]", "5.1")
  end
  return table.concat(templates, ";")
end

-- The folder that holds zohocrm/sandbox/server.lua, which need not be on the path that nginx's Lua has.
local function own_folder()
  local source = debug.getinfo(1, "S").source
  return source:match("^@(.*)zohocrm/sandbox/server%.lua$")
end

local function boot_source(settings)
  local _, here = shell.capture("pwd")
  here = here:match("^[^\n]*")
  local path = search_path(package.path, here)
  local folder = own_folder()
  if folder then
    folder = absolute(folder, here)
    path = ("%s?.lua;%s?/init.lua;%s"):format(folder, folder, path)
  end
  return ("package.path = %q .. package.path\npackage.cpath = %q .. package.cpath\n%s(%s)\n"):format(
    path .. ";", search_path(package.cpath, here) .. ";",
    'require("zohocrm.sandbox.nginx").configure', serialise(settings))
end

local function write_file(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read_file(path)
  local file = io.open(path)
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

-- ---------------------------------------------------------------------------------------------------------------
-- Starting and stopping

local function make_folder()
  local status, output = shell.capture('umask 077; mktemp -d "${TMPDIR:-/tmp}/zohocrm-sandbox.XXXXXX"')
  if status ~= 0 then return nil, "cannot make a temporary folder: " .. output end
  return output:match("^[^\n]*")
end

local function remove_folder(folder)
  shell.capture("rm -rf " .. quote(folder))
end

-- The line of nginx's that says why it gave up.
local function reason(text)
  return text:match("%[emerg%] ([^\n]*)") or text:match("[^\n]*%S[^\n]*") or "no reason given"
end

-- nginx has no use for what it inherits, and a socket that the caller closes would stay open in it. A POSIX shell
-- can name descriptors up to 9 only, so the list goes to nginx.lua, which closes them.
local LAUNCH = [[
cd %s || exit
ls /proc/$$/fd >inherited 2>/dev/null
exec %s -p "$PWD/" -c "$PWD/nginx.conf" >start.log 2>&1 </dev/null
]]

-- Runs nginx, which goes into the background once it listens. Returns true, or nil and the reason.
local function launch(binary, folder)
  local status, output = shell.capture(LAUNCH:format(quote(folder), quote(binary)))
  if status == 0 then return true end
  return nil, reason((read_file(folder .. "/start.log") or "") .. output)
end

local AWAIT = shell.ALIVE .. [[
cd %s || exit
tries=0
while [ $tries -lt %d ]; do
  [ -e failed ] && exit 1
  [ -e ready ] && exit 0
  [ -s nginx.pid ] && pid=$(cat nginx.pid)
  [ -z "$pid" ] || alive "$pid" || exit 2
  tries=$((tries + 1))
  sleep 0.02
done
exit 3
]]

-- Waits until the worker answers. Returns the master's process id, or nil and the reason.
local function await_ready(folder)
  local status = shell.capture(AWAIT:format(quote(folder), START_SECONDS * 50))
  if status == 0 then return tonumber(read_file(folder .. "/ready")) end
  if status == 1 then return nil, read_file(folder .. "/failed") end
  return nil, reason(read_file(folder .. "/error.log") or "")
end

-- Asks politely first: what is being answered is answered to its end.
local STOP = shell.ALIVE .. [[
pid=%d
for signal in QUIT TERM KILL; do
  alive $pid || break
  kill -$signal $pid 2>/dev/null
  tries=0
  while [ $tries -lt 160 ] && alive $pid; do tries=$((tries + 1)); sleep 0.05; done
done
rm -rf %s
]]

local function stop_process(state)
  if state.stopped then return end
  state.stopped = true
  shell.capture(STOP:format(state.pid, quote(state.folder)))
end

-- Lua 5.1 knows no __gc of tables.
local function on_collection(handle, state)
  local newproxy = rawget(_G, "newproxy")
  if not newproxy then return end
  local proxy = newproxy(true)
  getmetatable(proxy).__gc = function() stop_process(state) end
  rawset(handle, "_guard", proxy)
end

local function make_handle(folder, pid, port, tls_port, api_key)
  local url, tls_url = "http://127.0.0.1:" .. port, "https://127.0.0.1:" .. tls_port
  local state = { folder = folder, pid = pid, stopped = false }
  local handle = {
    url = url, gateway_url = url .. "/zoho-crm", control_url = url,
    tls_url = tls_url, tls_gateway_url = tls_url .. "/zoho-crm", tls_control_url = tls_url,
    ca_file = folder .. "/ca.pem", folder = folder, api_key = api_key or "sandbox", _state = state,
  }
  on_collection(handle, state)
  return setmetatable(handle, Server)
end

-- One try on one pair of ports. Returns a handle, or nil, the reason, and whether other ports may do.
local function try(nginx, folder, own, engine, parent)
  local free = ports.choose(2, parent)
  local port, tls_port = own.port or free[1], own.tls_port or free[2]
  write_file(folder .. "/nginx.conf", nginx_conf.text(nginx, {
    folder = folder, port = port, tls_port = tls_port, gzip = own.gzip, keepalive_timeout = own.keepalive_timeout,
    root = select(2, shell.capture("id -u")):match("^0") ~= nil,
  }))
  write_file(folder .. "/boot.lua",
    boot_source { folder = folder, parent = parent, engine = engine, latency = own.latency })
  local ok, message = launch(nginx.binary, folder)
  if not ok then
    return nil, message, message:find("Address already in use", 1, true) ~= nil
  end
  local pid
  pid, message = await_ready(folder)
  if not pid then
    local started = tonumber(read_file(folder .. "/nginx.pid") or "")
    if started then shell.capture(STOP:format(started, quote(folder .. "/nginx.pid"))) end
    return nil, message, false
  end
  return make_handle(folder, pid, port, tls_port, engine.api_key)
end

-- What is wrong with the ports that were asked for, or nil.
local function port_fault(own)
  if own.port and own.port == own.tls_port then return "port and tls_port must differ" end
  for _, name in ipairs { "port", "tls_port" } do
    if own[name] and ports.is_taken(own[name]) then
      return ("%s %d is already in use; leave it out to have a free one chosen"):format(name, own[name])
    end
  end
end

-- Starts a server: a handle, or nil and why there is none.
local function open(options)
  local own, engine = split_options(options)
  if not own then return nil, engine end
  local fault = port_fault(own)
  if fault then return nil, fault end
  local nginx, missing = nginx_conf.find()
  if not nginx then return nil, missing end
  local folder, no_folder = make_folder()
  if not folder then return nil, no_folder end
  local parent = shell.own_pid()
  local ok, handle, message = pcall(function()
    assert(certificate.make(folder))
    local made, why, other_ports
    for _ = 1, START_ATTEMPTS do
      made, why, other_ports = try(nginx, folder, own, engine, parent)
      if made or not other_ports or (own.port and own.tls_port) then break end
    end
    return made, why
  end)
  if ok and handle then return handle end
  remove_folder(folder)
  return nil, "the sandbox server did not start: " .. tostring(ok and message or handle)
end

--- Starts a server and waits until it answers. It stops by `handle:stop()`, when the handle is collected or goes out
--- of a `local handle <close>`, and at the latest when this process ends, however it ends.
---@param options? table engine options of `zohocrm.sandbox.new`, and:
--- `port`, `tls_port` (default: free ones); `latency`: seconds that each answer is held back (default 0);
--- `gzip`: compress for clients that accept it (default true); `keepalive_timeout` in seconds (default 75).
---@return zohocrm.sandbox.Server handle
--- Raises, at the caller's line, where an option is wrong, a port is taken, a program is missing (and which package has
--- it), or nginx does not start (with the reason it gave).
function M.start(options)
  if options == M then raise("call it as server.start{…}, with a dot") end
  local handle, message = open(options)
  return handle or raise(message)
end

--- Stops the server, waits until it has gone, and removes its temporary folder. Answers that have begun are sent.
--- Calling it again does nothing.
function Server:stop()
  stop_process(self._state)
end

Server.__gc = Server.stop
Server.__close = Server.stop

function Server:__tostring()
  return ("zohocrm sandbox server: %s (%s)"):format(self.url, self._state.stopped and "stopped" or "running")
end

--- The process id of nginx's master.
---@return integer
function Server:pid() return self._state.pid end

--- What nginx has logged so far; "" once the server has stopped.
---@return string
function Server:error_log() return read_file(self.folder .. "/error.log") or "" end

--- The environment that makes a program use this server.
---@return { [1]: string, [2]: string }[] pairs of name and value
function Server:environment()
  return {
    { "MATON_API_KEY", self.api_key },
    { "ZOHOCRM_GATEWAY_URL", self.gateway_url },
    { "ZOHOCRM_CONTROL_URL", self.control_url },
  }
end

--- Starts a server, runs a shell command with the environment that leads to it, and stops the server.
---@param command string
---@param options? table as for `start`
---@return integer status the command's exit status
function M.with(command, options)
  local handle = M.start(options)
  local words = {}
  for i, pair in ipairs(handle:environment()) do words[i] = pair[1] .. "=" .. quote(pair[2]) end
  local status = shell.execute(("env %s sh -c %s"):format(table.concat(words, " "), quote(command)))
  handle:stop()
  return status
end

--- Serves in the foreground until Ctrl-C, after printing the addresses and the environment to use them.
---@param arguments? string|string[] such as `"--leads 100000 --port 8080"`; `--help` prints them all
---@return integer status 0; 2 where an argument is wrong or the server cannot start, 1 where nginx ends by itself: the
--- error output then says why
function M.run(arguments)
  return require("zohocrm.sandbox.server.command").run(open, arguments)
end

return M
