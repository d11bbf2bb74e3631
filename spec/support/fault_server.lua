--- A loopback server that misbehaves on demand: real bytes on a real socket, in a process of its own
--- (fault_server_process.lua), steered over a second loopback connection. It ends when this process does.
---
---     local faults = fault_server.start()
---     faults:script {
---       { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", { close = true } },        -- truncated
---       { { wait = 0.2 }, fault_server.reply { status = 503, headers = { ["Retry-After"] = "1" } } },
---       fault_server.reply { body = '{"data":[]}' },
---     }
---     … requests to faults.url …
---     assert.equal(3, #faults:received())
---
--- The script is a list of exchanges; each new request, on whatever connection, gets the next one. An exchange is a
--- string (sent as it is) or a list of actions, done in order:
---
--- | action | does |
--- |---|---|
--- | `"bytes"` or `{ send = "bytes", times = 1 }` | sends exactly these bytes, `times` times over |
--- | `{ drip = "bytes", size = 1, every = 0.05 }` | sends `size` bytes at a time, `every` so many seconds |
--- | `{ wait = seconds }` | does nothing for so long |
--- | `{ gather = n }` | waits until n requests have come in all, so that these are under way together; 20 s at most |
--- | `{ close = true }` | closes the connection (FIN) |
--- | `{ reset = true }` | drops the connection (RST) |
--- | `{ hang = true }` | never does anything more; ends when the client goes away |
---
--- `exchange.on` says when it begins: `"request"` (default: the whole request has come), `"headers"` (its header block
--- has come, the body may still be on its way) or `"connect"` (at once, nothing is read). A connection that is not
--- closed serves further requests. A reset on `"connect"` may reach the client before it knows that it is connected;
--- put a `{ wait = 0.05 }` before it where that matters. When the script is used up, every request is answered with
--- status 599.
local socket = require("socket")

local M = {}

local FaultServer = {}
FaultServer.__index = FaultServer

local START_SECONDS = 10

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function own_folder()
  return debug.getinfo(1, "S").source:match("^@(.*)fault_server%.lua$")
end

-- Any Lua that has luasocket will do. Not the one we run in: that may be under valgrind or a sanitizer.
local function command()
  local candidates = (os.getenv("LUA") or "") .. " lua5.4 luajit lua5.3 lua5.1 lua"
  return ([[unset LD_PRELOAD
    for lua in %s; do
      "$lua" -e 'require "socket"' 2>/dev/null && exec "$lua" %s
    done
    echo "no Lua with luasocket among: %s"]]):format(candidates, quote(own_folder() .. "fault_server_process.lua"),
    candidates)
end

--- Lua source of plain data.
local function serialise(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do parts[#parts + 1] = ("[%s]=%s"):format(serialise(key), serialise(item)) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- A message is its length in decimal, a newline, and that many bytes of Lua source.
local function call(self, name, argument)
  local text = serialise { name = name, argument = argument }
  assert(self._control:send(#text .. "\n" .. text))
  local size = assert(self._control:receive("*l"))
  local answer = assert(self._control:receive(tonumber(size)))
  return assert((loadstring or load)("return " .. answer))() -- luacheck: ignore 113
end

--- Starts a server.
---@return table server with `url` (`http://127.0.0.1:PORT`) and `port`
function M.start()
  local pipe = assert(io.popen(command(), "r"))
  local line = pipe:read("*l") or "it printed nothing"
  local port, control_port = line:match("^ports (%d+) (%d+)$")
  if not port then error("the fault server did not start: " .. line) end
  local control = assert(socket.tcp())
  control:settimeout(START_SECONDS)
  assert(control:connect("127.0.0.1", tonumber(control_port)))
  control:setoption("tcp-nodelay", true)
  return setmetatable({
    url = "http://127.0.0.1:" .. port, port = tonumber(port), _pipe = pipe, _control = control,
  }, FaultServer)
end

--- Replaces the script and forgets what was received.
---@param exchanges table
function FaultServer:script(exchanges) call(self, "script", exchanges) end

--- What has come so far, oldest first: each request with `raw` (all its bytes), `head` (up to the empty line), `body`
--- (as on the wire, chunks and all), `complete`, `connection` (1 for the first since `script`), `method` and `target`.
---@return table[]
function FaultServer:received() return call(self, "received") end

--- How many connections have been accepted since `script`, and how many are open now.
---@return integer accepted, integer open
function FaultServer:connections()
  local counts = call(self, "connections")
  return counts.accepted, counts.open
end

--- How many exchanges of the script have not been used.
---@return integer
function FaultServer:remaining() return call(self, "remaining") end

--- A client of this server, which neither waits between its requests nor tries again.
---@param options? table of `zohocrm.new`, besides and before those
---@return zohocrm.Client
function FaultServer:client(options)
  local given = {
    api_key = "k-5ec7e7", gateway_url = self.url .. "/zoho-crm", control_url = self.url, rate = 0, retries = 0,
  }
  for name, value in pairs(options or {}) do given[name] = value end
  return require("zohocrm").new(given)
end

--- Ends the process. Calling it again does nothing.
function FaultServer:stop()
  if not self._control then return end
  self._control:shutdown("both") -- closing alone is not seen where a child process has inherited the socket
  self._control:close()
  self._control = nil
  self._pipe:close() -- waits for the process
end

--- The bytes of a well-formed reply.
---@param reply table `status` (default 200), `reason`, `headers` (by name), `body`, and `length`: what Content-Length
--- says where that is not the truth; `false` leaves it out
---@return string
function M.reply(reply)
  local status, body = reply.status or 200, reply.body or ""
  local lines = { ("HTTP/1.1 %d %s"):format(status, reply.reason or "Reason") }
  local names = {}
  for name in pairs(reply.headers or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do lines[#lines + 1] = name .. ": " .. reply.headers[name] end
  if not (reply.headers or {})["Content-Type"] then lines[#lines + 1] = "Content-Type: application/json" end
  if reply.length ~= false and status ~= 204 and status ~= 304 then
    lines[#lines + 1] = "Content-Length: " .. (reply.length or #body)
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

--- A URL on which nobody listens: connections to it are refused.
---@return string
function M.refusing_url()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  return "http://127.0.0.1:" .. port
end

return M
