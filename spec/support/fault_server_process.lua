-- The process behind fault_server.lua (which says what the script can do): one thread, one coroutine per connection.
-- It prints "ports DATA CONTROL", takes one control connection, and ends when that is closed.
local socket = require("socket")

local CONTROL_SECONDS = 10
local GATHER_SECONDS = 20
local EXHAUSTED = "HTTP/1.1 599 Script exhausted\r\nContent-Length: 0\r\n\r\n"

local state = { script = {}, used = 0, received = {}, accepted = 0, generation = 0 }
local connections = {} -- by socket

local function serialise(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do parts[#parts + 1] = ("[%s]=%s"):format(serialise(key), serialise(item)) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- ---------------------------------------------------------------------------------------------------------------
-- A connection. Its coroutine yields what it waits for: { read = true }, { write = true } or { until_time = t }.

local function close(connection)
  connections[connection.socket] = nil
  connection.socket:close()
end

local function closed() error("connection closed", 0) end

-- More bytes into connection.buffer; ends the coroutine when the client has gone.
local function read_some(connection)
  while true do
    local data, message, partial = connection.socket:receive(65536)
    data = data or partial
    if data and data ~= "" then
      connection.buffer = connection.buffer .. data
      return
    end
    if message == "closed" then closed() end
    coroutine.yield { read = true }
  end
end

local function send(connection, bytes)
  local position = 1
  while position <= #bytes do
    local last, message, partial = connection.socket:send(bytes, position)
    position = (last or partial) + 1
    if message == "closed" then closed() end
    if not last then coroutine.yield { write = true } end
  end
end

local function wait(seconds) coroutine.yield { until_time = socket.gettime() + seconds } end

local ACTIONS = {
  send = function(connection, action)
    for _ = 1, action.times or 1 do send(connection, action.send) end
  end,
  drip = function(connection, action)
    local size = action.size or 1
    for first = 1, #action.drip, size do
      send(connection, action.drip:sub(first, first + size - 1))
      wait(action.every or 0.05)
    end
  end,
  wait = function(_, action) wait(action.wait) end,
  gather = function(_, action)
    local latest = socket.gettime() + GATHER_SECONDS
    while #state.received < action.gather and socket.gettime() < latest do wait(0.005) end
  end,
  close = closed,
  reset = function(connection)
    connection.socket:setoption("linger", { on = true, timeout = 0 })
    closed()
  end,
  hang = function(connection)
    while true do read_some(connection) end
  end,
}

local function perform(connection, exchange)
  if type(exchange) == "string" then exchange = { exchange } end
  for _, action in ipairs(exchange) do
    if type(action) == "string" then action = { send = action } end
    for name, run in pairs(ACTIONS) do
      if action[name] ~= nil then run(connection, action) end
    end
  end
end

-- ---------------------------------------------------------------------------------------------------------------
-- Requests

-- How many bytes of a complete body are in `text`, or nil where more must come.
local function body_size(head, text)
  local lower = head:lower()
  if lower:find("\r\ntransfer%-encoding:[^\r]*chunked") then
    local _, last = text:find("^0\r\n\r\n")
    if not last then _, last = text:find("\r\n0\r\n\r\n", 1, true) end
    return last
  end
  local length = tonumber(lower:match("\r\ncontent%-length:%s*(%d+)") or 0)
  return #text >= length and length or nil
end

local function next_exchange(when)
  local exchange = state.script[state.used + 1]
  local on = type(exchange) == "table" and exchange.on or "request"
  if not exchange or on ~= when then return nil end
  state.used = state.used + 1
  return exchange
end

local function read_head(connection)
  while true do
    local _, last = connection.buffer:find("\r\n\r\n", 1, true)
    if last then return connection.buffer:sub(1, last) end
    read_some(connection)
  end
end

local function record(connection, head)
  local request = {
    connection = connection.number, head = head, body = "", raw = head, complete = false,
    method = head:match("^(%S+)"), target = head:match("^%S+ (%S+)"),
  }
  if connection.generation == state.generation then state.received[#state.received + 1] = request end
  return request
end

local function serve_request(connection)
  local head = read_head(connection)
  local request = record(connection, head)
  local exchange = next_exchange("headers")
  if exchange then
    perform(connection, exchange)
    exchange = {}
  elseif head:lower():find("\r\nexpect:%s*100%-continue") then
    send(connection, "HTTP/1.1 100 Continue\r\n\r\n")
  end
  local size
  repeat
    local text = connection.buffer:sub(#head + 1)
    size = body_size(head, text)
    request.body = text:sub(1, size or #text)
    request.raw = head .. request.body
    if not size then read_some(connection) end
  until size
  request.complete = true
  connection.buffer = connection.buffer:sub(#head + size + 1)
  perform(connection, exchange or next_exchange("request") or EXHAUSTED)
end

local function serve(connection)
  local first = next_exchange("connect")
  if first then perform(connection, first) end
  while true do serve_request(connection) end
end

local function accept(listener)
  local accepted = listener:accept()
  if not accepted then return end
  accepted:settimeout(0)
  accepted:setoption("tcp-nodelay", true)
  state.accepted = state.accepted + 1
  connections[accepted] = {
    socket = accepted, buffer = "", number = state.accepted, generation = state.generation,
    thread = coroutine.create(serve), waits_for = { until_time = 0 },
  }
end

local function resume(connection)
  local ok, waits_for = coroutine.resume(connection.thread, connection)
  if ok and waits_for then
    connection.waits_for = waits_for
    return
  end
  if not tostring(waits_for):find("connection closed", 1, true) then
    io.stderr:write("fault server: ", debug.traceback(connection.thread, tostring(waits_for)), "\n")
  end
  close(connection)
end

-- ---------------------------------------------------------------------------------------------------------------
-- Control

local function count_open()
  local count = 0
  for _ in pairs(connections) do count = count + 1 end
  return count
end

local COMMANDS = {
  script = function(exchanges)
    state.script, state.used, state.received, state.accepted = exchanges, 0, {}, 0
    state.generation = state.generation + 1
    local old = {}
    for _, connection in pairs(connections) do old[#old + 1] = connection end
    for _, connection in ipairs(old) do close(connection) end
    return true
  end,
  received = function() return state.received end,
  connections = function() return { accepted = state.accepted, open = count_open() } end,
  remaining = function() return #state.script - state.used end,
}

local function answer_control(control)
  local size = control:receive("*l")
  local text = size and control:receive(tonumber(size))
  if not text then return false end
  local message = assert((loadstring or load)("return " .. text))() -- luacheck: ignore 113
  local answer = serialise(COMMANDS[message.name](message.argument))
  return control:send(#answer .. "\n" .. answer)
end

-- ---------------------------------------------------------------------------------------------------------------
-- The loop

local function due(connection, now, readable, writable)
  local waits_for = connection.waits_for
  return (waits_for.until_time and waits_for.until_time <= now)
    or (waits_for.read and readable[connection.socket])
    or (waits_for.write and writable[connection.socket])
end

local function turn(listener, control)
  local readers, writers, timeout, now = { listener, control }, {}, 3600, socket.gettime()
  for _, connection in pairs(connections) do
    local waits_for = connection.waits_for
    if waits_for.read then readers[#readers + 1] = connection.socket end
    if waits_for.write then writers[#writers + 1] = connection.socket end
    if waits_for.until_time then timeout = math.max(0, math.min(timeout, waits_for.until_time - now)) end
  end
  local readable, writable = socket.select(readers, writers, timeout)
  if readable[listener] then accept(listener) end
  now = socket.gettime()
  local ready = {}
  for _, connection in pairs(connections) do
    if due(connection, now, readable, writable) then ready[#ready + 1] = connection end
  end
  for _, connection in ipairs(ready) do resume(connection) end
  return not readable[control] or answer_control(control)
end

local listener = assert(socket.bind("127.0.0.1", 0, 64))
local control_listener = assert(socket.bind("127.0.0.1", 0))
local _, port = listener:getsockname()
local _, control_port = control_listener:getsockname()
print(("ports %d %d"):format(port, control_port))
io.stdout:flush()

control_listener:settimeout(CONTROL_SECONDS)
local control = control_listener:accept()
control_listener:close()
if control then
  control:setoption("tcp-nodelay", true)
  listener:settimeout(0)
  while turn(listener, control) do end -- luacheck: ignore 542
end
