--- The doors of the sandbox, so that one suite can run against all of them:
---
---     for _, door in ipairs(require("spec.support.doors")) do
---       describe("leads, " .. door.name, function()
---         local sandbox, crm
---         setup(function() sandbox = door.start { records = 10 } crm = zohocrm.new(sandbox.client_options) end)
---         teardown(function() sandbox.stop() end)
---         before_each(function() sandbox.reset() end)
---
--- `door.start(options)` takes what `zohocrm.sandbox.new` does (over HTTP also what `server.start` does) and returns
---
--- | field | is |
--- |---|---|
--- | `client_options` | a new table for `zohocrm.new` |
--- | `requests()` | what the sandbox received, oldest first (see the engine; over HTTP also what nginx.lua adds) |
--- | `clear()`, `reset()` | forget the requests; back to the seeded state |
--- | `time()`, `set_time(t)`, `advance(seconds)` | the sandbox's clock |
--- | `fail_next { status =, body =, headers =, times = }` | what the next requests are answered with |
--- | `set_latency(seconds)` | how long each answer is held back (nil in process) |
--- | `server` | the handle of `server.start` (nil in process) |
--- | `stop()` | ends it |
local cjson = require("cjson")
local http = require("socket.http")
local ltn12 = require("ltn12")
local sandbox = require("zohocrm.sandbox")
local server = require("zohocrm.sandbox.server")

local function in_process(options)
  local engine = sandbox.new(options)
  return {
    client_options = { sandbox = engine },
    requests = function() return engine:requests() end,
    clear = function() engine:clear_requests() end,
    reset = function() engine:reset() end,
    time = function() return engine:time() end,
    set_time = function(time) engine:set_time(time) end,
    advance = function(seconds) engine:advance(seconds) end,
    fail_next = function(answer) engine:fail_next(answer) end,
    stop = function() end,
  }
end

-- One request to the control door; raises what it complains about.
local function control(handle, method, name, input)
  local body = input and cjson.encode(input)
  local chunks = {}
  local _, status = assert(http.request {
    method = method, url = handle.url .. "/__sandbox/" .. name, sink = ltn12.sink.table(chunks),
    source = body and ltn12.source.string(body),
    headers = body and { ["content-type"] = "application/json", ["content-length"] = #body },
  })
  local text = table.concat(chunks)
  if status ~= 200 and status ~= 204 then
    error(("%s %s: %s %s"):format(method, name, tostring(status), text), 3)
  end
  return text ~= "" and cjson.decode(text) or nil
end

local function over_http(client_options)
  return function(options)
    local handle = server.start(options)
    return {
      client_options = client_options(handle),
      server = handle,
      requests = function() return control(handle, "GET", "requests") end,
      clear = function() control(handle, "DELETE", "requests") end,
      reset = function() control(handle, "POST", "reset") end,
      time = function() return control(handle, "GET", "clock").time end,
      set_time = function(time) control(handle, "PUT", "clock", { time = time }) end,
      advance = function(seconds) control(handle, "PUT", "clock", { advance = seconds }) end,
      fail_next = function(answer) control(handle, "POST", "fail", answer) end,
      set_latency = function(seconds) control(handle, "PUT", "latency", { seconds = seconds }) end,
      stop = function() handle:stop() end,
    }
  end
end

local function plain(handle)
  return { api_key = handle.api_key, gateway_url = handle.gateway_url, control_url = handle.control_url }
end

local function tls(handle)
  return {
    api_key = handle.api_key, gateway_url = handle.tls_gateway_url, control_url = handle.tls_control_url,
    ca_file = handle.ca_file,
  }
end

return {
  { name = "in process", start = in_process },
  { name = "http", start = over_http(plain) },
  { name = "https", start = over_http(tls) },
}
