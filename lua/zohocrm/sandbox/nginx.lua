--- The sandbox inside nginx: reads a request off nginx's Lua module, has the engine answer it, sends the answer.
--- It also answers the control door under `/__sandbox/`, which the engine never sees:
---
--- * `GET /__sandbox/requests`: the engine's request log; each entry also has `scheme`, `http_version` (1.1, 2),
---   `connection` (a number) and `connection_requests` (1 for the first request on its connection)
--- * `DELETE /__sandbox/requests`: empties the log
--- * `GET /__sandbox/clock`, `PUT` with `{"time": epoch seconds}` to freeze it, with `{"advance": seconds}` to move it
--- * `GET /__sandbox/latency`, `PUT` with `{"seconds": 0.5}`: how long each answer is held back
--- * `POST /__sandbox/reset`: back to the seeded state, the request log emptied
--- * `POST /__sandbox/fail` with `{"status": 503, "body": "…", "headers": {…}, "times": 1}`: what the next requests
---   are answered with
-- @module zohocrm.sandbox.nginx

local ffi = require("ffi") -- nginx's Lua is LuaJIT
local shell = require("zohocrm.sandbox.server.shell")

local ngx = ngx

local M = {}

ffi.cdef("int kill(int, int); int getppid(void); int getpid(void); int close(int);")

local CONTROL_PREFIX = "/__sandbox/"
local LOG_LIMIT = 1000 -- as many as the engine remembers
local WATCH_SECONDS = 0.2
local SIGQUIT = 3

local settings, engine, cjson
local latency = 0
local transports = {} -- what only nginx knows of each request, aligned with the engine's log by its end

local function close_inherited()
  local name = settings.folder .. "/inherited"
  local file = io.open(name)
  if not file then return end
  local text = file:read("*a")
  file:close()
  os.remove(name) -- a reload runs this again, and the numbers are nginx's by then
  for descriptor in text:gmatch("%d+") do
    if tonumber(descriptor) > 2 then ffi.C.close(tonumber(descriptor)) end
  end
end

--- Called in nginx's master, before any worker runs.
---@param given { folder: string, parent: integer, engine: table, latency: number }
function M.configure(given)
  settings = given
  latency = given.latency
  close_inherited()
end

local function write_file(name, text)
  local file = assert(io.open(settings.folder .. "/" .. name .. ".new", "w"))
  file:write(text)
  file:close()
  assert(os.rename(settings.folder .. "/" .. name .. ".new", settings.folder .. "/" .. name))
end

-- Nobody is left to remove the folder once the process that started us has gone, so a shell that outlives us does.
local function stop_as_orphan()
  local master = ffi.C.getppid()
  local to_stop = master == settings.master and master or ffi.C.getpid()
  local folder = shell.quote(settings.folder)
  os.execute(shell.ALIVE .. ("(while alive %d; do sleep 0.05; done; rm -rf %s) >/dev/null 2>&1 </dev/null &")
    :format(to_stop, folder))
  ffi.C.kill(to_stop, SIGQUIT)
end

-- The start time tells a process from a later one with the same id.
local function process_birth(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return nil end
  local fields = (file:read("*a") or ""):match("%) (.*)$") or ""
  file:close()
  local state, count = fields:match("^%S"), 0
  for field in fields:gmatch("%S+") do
    count = count + 1
    if count == 20 then return state ~= "Z" and field or nil end
  end
end

local function watch_parent()
  settings.master = ffi.C.getppid()
  local has_proc = process_birth("self") ~= nil
  local birth = process_birth(settings.parent)
  return ngx.timer.every(WATCH_SECONDS, function(premature)
    if premature then return end
    local parent_lives
    if has_proc then
      parent_lives = birth ~= nil and process_birth(settings.parent) == birth
    else
      parent_lives = ffi.C.kill(settings.parent, 0) == 0
    end
    if not parent_lives or ffi.C.getppid() ~= settings.master then stop_as_orphan() end
  end)
end

--- Called once in the worker: makes the engine, whose state lives in this worker's Lua state.
--- Writes `ready` (with the master's process id) into the folder once requests are answered, or `failed` with why.
function M.start_worker()
  local ok, message = pcall(function()
    cjson = require("cjson").new()
    engine = require("zohocrm.sandbox").new(settings.engine)
    assert(watch_parent())
    assert(ngx.timer.at(0, function() write_file("ready", tostring(settings.master)) end))
  end)
  if not ok then write_file("failed", tostring(message)) end
end

local function read_body()
  ngx.req.read_body()
  local name = ngx.req.get_body_file()
  if not name then return ngx.req.get_body_data() end
  local file = assert(io.open(name, "rb"))
  local body = file:read("*a")
  file:close()
  return body
end

local function read_headers()
  local headers = {}
  for name, value in pairs(ngx.req.get_headers(0)) do
    headers[name:lower()] = type(value) == "table" and table.concat(value, ", ") or value
  end
  return headers
end

-- nginx answers these by itself, after the engine has done its work, with a 304 or 412 of its own.
local CONDITIONAL = { "If-Modified-Since", "If-Unmodified-Since", "If-Match", "If-None-Match", "If-Range" }

local function hide_conditions()
  for _, name in ipairs(CONDITIONAL) do ngx.req.clear_header(name) end
end

local function send(response)
  local body = response.body or ""
  local status = response.status
  ngx.status = status
  for name, value in pairs(response.headers or {}) do ngx.header[name] = value end
  if status == 204 or status == 304 then
    ngx.header["Content-Length"] = nil
    ngx.header["Content-Type"] = nil
    ngx.send_headers()
    return
  end
  -- a length that we set goes out also where nginx would send chunks, unless it compresses
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

local function json_error(status, code, message)
  return {
    status = status,
    headers = { ["content-type"] = "application/json" },
    body = cjson.encode { code = code, message = message, status = "error" },
  }
end

local function remember_transport()
  if #transports >= LOG_LIMIT then table.remove(transports, 1) end
  transports[#transports + 1] = {
    scheme = ngx.var.scheme,
    http_version = ngx.req.http_version(),
    connection = tonumber(ngx.var.connection),
    connection_requests = tonumber(ngx.var.connection_requests),
  }
end

-- lua-cjson releases differ in how they write an empty array, so the outer brackets are ours.
local function encode_log()
  local log = engine:requests()
  local items = {}
  for i, entry in ipairs(log) do
    local item = {}
    for key, value in pairs(entry) do item[key] = value end
    for key, value in pairs(transports[#transports - #log + i] or {}) do item[key] = value end
    items[i] = cjson.encode(item)
  end
  return "[" .. table.concat(items, ",") .. "]"
end

local function clear_log()
  engine:clear_requests()
  transports = {}
end

local function is_number(value)
  return type(value) == "number" and value == value and math.abs(value) < 1e15
end

local function show_clock() return cjson.encode { time = engine:time() } end
local function show_latency() return cjson.encode { seconds = latency } end

-- Each returns the body of a 200 answer, nothing for 204, or raises what is wrong with the input.
local CONTROL = {
  ["GET requests"] = encode_log,
  ["DELETE requests"] = clear_log,
  ["GET clock"] = show_clock,
  ["PUT clock"] = function(input)
    if is_number(input.time) then
      engine:set_time(input.time)
    elseif is_number(input.advance) then
      engine:advance(input.advance)
    else
      error('the clock takes {"time": epoch seconds} or {"advance": seconds}', 0)
    end
    return show_clock()
  end,
  ["GET latency"] = show_latency,
  ["PUT latency"] = function(input)
    if not is_number(input.seconds) or input.seconds < 0 then
      error('latency takes {"seconds": a number, 0 or more}', 0)
    end
    latency = input.seconds
    return show_latency()
  end,
  ["POST reset"] = function()
    engine:reset()
    clear_log()
  end,
  ["POST fail"] = function(input) engine:fail_next(input) end,
}

local function control(method, path)
  local action = CONTROL[method .. " " .. path:sub(#CONTROL_PREFIX + 1)]
  if not action then
    return json_error(404, "NOT_FOUND", "the sandbox's control door has no " .. method .. " " .. path)
  end
  local body, input = read_body(), {}
  if body and body ~= "" then
    local ok, decoded = pcall(cjson.decode, body)
    if not ok or type(decoded) ~= "table" then
      return json_error(400, "INVALID_INPUT", "the body must be a JSON object")
    end
    input = decoded
  end
  local ok, answer = pcall(action, input)
  if not ok then return json_error(400, "INVALID_INPUT", tostring(answer)) end
  if not answer then return { status = 204 } end
  return { status = 200, headers = { ["content-type"] = "application/json" }, body = answer }
end

local function engine_answer(method, path, query)
  local request = { method = method, path = path, query = query, headers = read_headers(), body = read_body() }
  hide_conditions()
  remember_transport() -- only now: reading a body lets other requests run, and the engine logs in its own order
  local ok, response = xpcall(function() return engine:handle(request) end, debug.traceback)
  if not ok then
    ngx.log(ngx.ERR, "the sandbox failed on ", method, " ", path, ": ", response)
    return json_error(500, "INTERNAL_ERROR", "the sandbox itself failed: " .. response)
  end
  -- After the work, as on a slow way back: a client that gives up too early has still written.
  if latency > 0 then ngx.sleep(latency) end
  return response
end

--- Answers one request.
function M.serve()
  local method = ngx.req.get_method()
  -- The request target as it was sent: ngx.var.uri is decoded, and "..%2Forg" in it already resolved.
  local path, query = ngx.var.request_uri:match("^([^?]*)%??(.*)$")
  if path:sub(1, #CONTROL_PREFIX) == CONTROL_PREFIX then
    send(control(method, path))
  else
    send(engine_answer(method, path, query))
  end
end

return M
