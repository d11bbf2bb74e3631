-- The HTTP door of the sandbox: what nginx does around the engine. What the engine answers is specified elsewhere.
local cjson = require("cjson")
local server = require("zohocrm.sandbox.server")
local shell = require("zohocrm.sandbox.server.shell")
local socket = require("socket")

local ORG = "/zoho-crm/crm/v8/org"

local function port_of(url) return tonumber(url:match(":(%d+)$")) end

local function connect(handle)
  local connection = assert(socket.connect("127.0.0.1", port_of(handle.url)))
  connection:settimeout(10)
  return connection
end

-- One response off the connection: status, headers (lower-case names), body; nil where it was closed.
local function read_response(connection)
  local line = connection:receive("*l")
  if not line then return nil end
  local response = { status = tonumber(line:match("^HTTP/1%.1 (%d+)")), headers = {}, body = "" }
  for header in function() return connection:receive("*l") end do
    if header == "" then break end
    local name, value = header:match("^([^:]+):%s*(.*)$")
    response.headers[name:lower()] = value
  end
  local length = tonumber(response.headers["content-length"])
  if length and length > 0 then -- luasocket waits for more even where none is asked for
    response.body = assert(connection:receive(length))
  elseif response.headers["transfer-encoding"] == "chunked" then
    repeat
      local size = tonumber(connection:receive("*l"), 16)
      response.body = response.body .. assert(connection:receive(size))
      connection:receive("*l")
    until size == 0
  end
  return response
end

-- `headers` is the raw header lines; the key of the sandbox is sent along.
local function send_request(connection, method, target, headers, body)
  local lines = {
    method .. " " .. target .. " HTTP/1.1", "Host: sandbox", "Authorization: Bearer sandbox",
    "Content-Length: " .. #(body or ""),
  }
  for _, header in ipairs(headers or {}) do lines[#lines + 1] = header end
  assert(connection:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "")))
end

local function request(handle, method, target, headers, body)
  local connection = connect(handle)
  send_request(connection, method, target, headers, body)
  local response = read_response(connection)
  connection:close()
  return response
end

local function control(handle, method, name, input)
  return request(handle, method, "/__sandbox/" .. name, nil, input and cjson.encode(input))
end

local function log_of(handle) return cjson.decode(control(handle, "GET", "requests").body) end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function eventually(condition, seconds)
  local deadline = socket.gettime() + seconds
  while not condition() do
    if socket.gettime() > deadline then return false end
    socket.sleep(0.02)
  end
  return true
end

describe("the sandbox server", function()
  local handle

  setup(function() handle = server.start { records = 5 } end)
  teardown(function() handle:stop() end)
  before_each(function() control(handle, "POST", "reset") end)

  describe("a request", function()
    it("reaches the engine with its target as it was sent", function()
      request(handle, "GET", "/zoho-crm/crm/v8/Leads/..%2Forg?word=a%20b&x=%2B")
      local entry = log_of(handle)[1]
      assert.equal("/zoho-crm/crm/v8/Leads/..%2Forg", entry.path)
      assert.equal("word=a%20b&x=%2B", entry.raw_query)
    end)

    it("keeps dots and double slashes in its path", function()
      request(handle, "GET", "/zoho-crm//crm/v8/Leads/../org")
      assert.equal("/zoho-crm//crm/v8/Leads/../org", log_of(handle)[1].path)
    end)

    it("reaches the engine with every header, names in lower case, repeated ones joined", function()
      request(handle, "GET", ORG, { "X-Twice: one", "X-Twice: two", "under_score: kept" })
      local headers = log_of(handle)[1].headers
      assert.equal("one, two", headers["x-twice"])
      assert.equal("kept", headers.under_score)
      assert.equal("Bearer sandbox", headers.authorization)
    end)

    it("reaches the engine with a body that nginx keeps in a file", function()
      local body = ("0123456789abcdef"):rep(200000)
      request(handle, "POST", "/zoho-crm/crm/v8/Leads", nil, body)
      assert.is_true(log_of(handle)[1].body == body) -- `equal` would print 3 MB
    end)

    for name, value in pairs {
      ["If-Unmodified-Since"] = "Fri, 06 Feb 2026 01:10:00 GMT", ["If-Match"] = '"x"', ["If-None-Match"] = "*",
      ["If-Modified-Since"] = "Fri, 06 Feb 2026 01:10:00 GMT",
    } do
      it("may have the condition " .. name .. ", which only the engine judges", function()
        control(handle, "POST", "fail", {
          status = 200, body = "{}", headers = { ["last-modified"] = "Fri, 06 Feb 2026 01:10:00 GMT", etag = '"y"' },
        })
        local response = request(handle, "GET", ORG, { name .. ": " .. value })
        assert.same({ 200, "{}" }, { response.status, response.body })
        assert.equal(value, log_of(handle)[1].headers[name:lower()])
      end)
    end

    it("may have a query of 16 KB", function()
      local query = "ids=" .. ("1234567890,"):rep(1500)
      request(handle, "GET", "/zoho-crm/crm/v8/users?" .. query)
      assert.equal(query, log_of(handle)[1].raw_query)
    end)

    for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE" } do
      it("may be a " .. method, function()
        control(handle, "POST", "fail", { status = 200, body = "{}" })
        assert.equal(200, request(handle, method, ORG).status)
        assert.equal(method, log_of(handle)[1].method)
      end)
    end
  end)

  describe("an answer", function()
    it("is the engine's: status, headers and body", function()
      control(handle, "POST", "fail", { status = 418, body = '{"short":true}', headers = { ["x-made-up"] = "yes" } })
      local response = request(handle, "GET", ORG)
      assert.equal(418, response.status)
      assert.equal("yes", response.headers["x-made-up"])
      assert.equal('{"short":true}', response.body)
    end)

    for _, status in ipairs { 204, 304 } do
      it("of status " .. status .. " has no body, and its connection goes on", function()
        local connection = connect(handle)
        control(handle, "POST", "fail", { status = status })
        send_request(connection, "GET", ORG)
        local response = read_response(connection)
        assert.equal(status, response.status)
        assert.is_nil(response.headers["content-length"])
        assert.is_nil(response.headers["transfer-encoding"])
        send_request(connection, "GET", ORG)
        assert.equal(200, read_response(connection).status)
        connection:close()
      end)
    end

    it("with an error status and an empty body is sent as it is, not as nginx's error page", function()
      control(handle, "POST", "fail", { status = 502 })
      local response = request(handle, "GET", ORG)
      assert.equal(502, response.status)
      assert.equal("", response.body)
    end)

    it("is compressed for a client that accepts it", function()
      control(handle, "POST", "fail", {
        status = 200, body = ("x"):rep(256), headers = { ["content-type"] = "application/json;charset=UTF-8" },
      })
      local response = request(handle, "GET", ORG, { "Accept-Encoding: gzip" })
      assert.equal("gzip", response.headers["content-encoding"])
      assert.equal("\31\139", response.body:sub(1, 2))
    end)

    it("is not compressed for a client that does not say so, nor where it is small", function()
      assert.is_nil(request(handle, "GET", ORG).headers["content-encoding"])
      control(handle, "POST", "fail", {
        status = 200, body = ("x"):rep(255), headers = { ["content-type"] = "application/json" },
      })
      assert.is_nil(request(handle, "GET", ORG, { "Accept-Encoding: gzip" }).headers["content-encoding"])
    end)
  end)

  describe("the request log", function()
    it("tells requests on one connection from those on several", function()
      local connection = connect(handle)
      for _ = 1, 2 do
        send_request(connection, "GET", ORG)
        read_response(connection)
      end
      connection:close()
      request(handle, "GET", ORG)
      local log = log_of(handle)
      assert.equal(log[1].connection, log[2].connection)
      assert.not_equal(log[1].connection, log[3].connection)
      assert.same({ 1, 2, 1 }, { log[1].connection_requests, log[2].connection_requests, log[3].connection_requests })
      assert.equal("http", log[1].scheme)
      assert.equal(1.1, log[1].http_version)
    end)

    it("keeps a slow request apart from one that overtakes it", function()
      local slow = connect(handle)
      assert(slow:send("POST " .. ORG .. " HTTP/1.1\r\nHost: slow\r\nX-Who: slow\r\nContent-Length: 4\r\n\r\nab"))
      socket.sleep(0.05)
      local fast = connect(handle)
      send_request(fast, "GET", ORG, { "X-Who: fast" })
      read_response(fast)
      send_request(fast, "GET", ORG, { "X-Who: fast again" })
      read_response(fast)
      assert(slow:send("cd"))
      read_response(slow)
      slow:close()
      fast:close()
      local log = log_of(handle)
      assert.same({ "fast", "fast again", "slow" },
        { log[1].headers["x-who"], log[2].headers["x-who"], log[3].headers["x-who"] })
      assert.same({ 1, 2, 1 }, { log[1].connection_requests, log[2].connection_requests, log[3].connection_requests })
    end)

    it("remembers the last 1,000 with what belongs to each", function()
      local connection = connect(handle)
      for _ = 1, 1003 do
        send_request(connection, "GET", ORG)
        read_response(connection)
      end
      connection:close()
      local log = log_of(handle)
      assert.equal(1000, #log)
      assert.equal(4, log[1].connection_requests)
      assert.equal(1003, log[1000].connection_requests)
    end)

    it("can be emptied, and does not list the control door", function()
      request(handle, "GET", ORG)
      assert.equal(204, control(handle, "DELETE", "requests").status)
      assert.equal("[]", control(handle, "GET", "requests").body)
    end)
  end)

  describe("the control door", function()
    it("freezes the clock and moves it", function()
      assert.equal(1770340256, cjson.decode(control(handle, "PUT", "clock", { time = 1770340256 }).body).time)
      assert.equal(1770340316, cjson.decode(control(handle, "PUT", "clock", { advance = 60 }).body).time)
      assert.equal(1770340316, cjson.decode(control(handle, "GET", "clock").body).time)
    end)

    it("holds answers back", function()
      control(handle, "PUT", "latency", { seconds = 0.3 })
      local started = socket.gettime()
      request(handle, "GET", ORG)
      local took = socket.gettime() - started
      control(handle, "PUT", "latency", { seconds = 0 })
      assert.is_true(took > 0.29 and took < 3, -- the two clocks need not agree to the millisecond
         "took " .. took)
    end)

    it("says what is wrong with its input", function()
      for _, case in ipairs {
        { "PUT", "clock", {}, "advance" }, { "PUT", "latency", { seconds = -1 }, "0 or more" },
        { "PUT", "latency", { seconds = "1" }, "number" }, { "POST", "fail", { bogus = 1 }, "%S" },
      } do
        local response = control(handle, case[1], case[2], case[3])
        assert.equal(400, response.status, case[2])
        assert.matches(case[4], cjson.decode(response.body).message)
      end
      assert.equal(400, request(handle, "PUT", "/__sandbox/clock", nil, "{").status)
    end)

    it("answers 404 for what it does not have", function()
      assert.equal(404, control(handle, "GET", "nonsense").status)
      assert.equal(404, control(handle, "POST", "clock").status)
    end)
  end)

  it("offers HTTP/2 over TLS, with a certificate that its own authority signed", function()
    local _, output = shell.capture(
      ("openssl s_client -connect 127.0.0.1:%d -CAfile %s -verify_ip 127.0.0.1 -alpn h2,http/1.1 </dev/null")
      :format(port_of(handle.tls_url), shell.quote(handle.ca_file)))
    assert.matches("ALPN protocol: h2", output, 1, true)
    assert.matches("Verify return code: 0 (ok)", output, 1, true)
  end)

  it("keeps the authority's key from everybody", function()
    assert.is_true(exists(handle.ca_file))
    assert.is_false(exists(handle.folder .. "/ca.key"))
  end)

  it("leaves nothing but notices in its error log", function()
    assert.is_nil(handle:error_log():match("%[error%][^\n]*") or handle:error_log():match("%[crit%][^\n]*"))
  end)
end)

describe("starting a sandbox server", function()
  local started = {}

  local function start(options)
    local handle = server.start(options)
    started[#started + 1] = handle
    return handle
  end

  after_each(function()
    for _, handle in ipairs(started) do handle:stop() end
    started = {}
  end)

  local function raises(options)
    local ok, message = pcall(start, options)
    assert.is_false(ok)
    return message
  end

  it("gives every server ports of its own", function()
    local one, two = start(), start()
    local ports = { [one.url] = true, [two.url] = true, [one.tls_url] = true, [two.tls_url] = true }
    local count = 0
    for _ in pairs(ports) do count = count + 1 end
    assert.equal(4, count)
    assert.equal(one.url .. "/zoho-crm", one.gateway_url)
    assert.equal(one.tls_url, one.tls_control_url)
  end)

  it("takes the port it is told", function()
    local free = start()
    local port = port_of(free.url)
    free:stop()
    assert.equal("http://127.0.0.1:" .. port, start({ port = port }).url)
  end)

  it("refuses a port that is taken", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local message = raises { port = tonumber(port) }
    listener:close()
    assert.matches("port " .. port .. " is already in use", message, 1, true)
  end)

  it("names a wrong option, its own or the engine's", function()
    assert.matches("latency must be seconds", raises { latency = -1 }, 1, true)
    assert.matches("gzip must be true or false", raises { gzip = 1 }, 1, true)
    assert.matches("port must be a port number", raises { port = 0 }, 1, true)
    assert.matches("recordz", raises { recordz = 1 }, 1, true)
    assert.matches("must differ", raises { port = 20001, tls_port = 20001 }, 1, true)
  end)

  it("blames the caller's line", function()
    local mistakes = {
      { function() server.start { latency = "soon" } end, 'latency must be seconds (a number, 0 or more), not the string "soon"' },
      { function() server.start { prot = 8080 } end, "unknown option 'prot'; did you mean 'port'? (it takes api_key, " },
      { function() server.start { seed = 1.5 } end, "option 'seed' must be a whole number" },
      { function() server.with("true", { lead = 5 }) end, "the sandbox server: unknown option 'lead' (it takes " },
      { function() server:start { port = 8080 } end, "call it as server.start{…}, with a dot" },
    }
    for _, mistake in ipairs(mistakes) do
      local line = debug.getinfo(mistake[1], "S").linedefined
      local ok, message = pcall(mistake[1])
      assert.is_false(ok)
      assert.matches("^[^:]*sandbox_server_spec%.lua:" .. line .. ": ", message)
      assert.matches(mistake[2], message, 1, true)
    end
  end)

  it("passes options on to the engine and to nginx", function()
    local handle = start { gzip = false, api_key = "it's \"secret\"\n", latency = 0.2 }
    assert.equal("it's \"secret\"\n", handle.api_key)
    assert.is_nil(request(handle, "GET", ORG, { "Accept-Encoding: gzip" }).headers["content-encoding"])
    assert.equal(0.2, cjson.decode(control(handle, "GET", "latency").body).seconds)
  end)

  it("closes idle connections after keepalive_timeout", function()
    local handle = start { keepalive_timeout = 0.1 }
    local connection = connect(handle)
    send_request(connection, "GET", ORG)
    assert.equal(200, read_response(connection).status)
    local _, message = connection:receive("*l")
    assert.equal("closed", message)
    connection:close()
  end)

  it("leaves the caller's random numbers alone", function()
    math.randomseed(42)
    local expected = math.random(1, 1000000)
    math.randomseed(42)
    start()
    assert.equal(expected, math.random(1, 1000000))
  end)
end)

describe("a running sandbox server", function()
  it("does not keep the caller's sockets open", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local ours = assert(socket.connect("127.0.0.1", port))
    local theirs = assert(listener:accept())
    local handle = server.start()
    ours:close()
    theirs:settimeout(5)
    local _, message = theirs:receive(1)
    listener:close()
    theirs:close()
    handle:stop()
    assert.equal("closed", message)
  end)
end)

describe("stopping a sandbox server", function()
  it("ends the process, frees the port and removes the folder; again does nothing", function()
    local handle = server.start()
    local port, pid = port_of(handle.url), handle:pid()
    assert.is_true(exists(handle.ca_file))
    handle:stop()
    assert.is_nil(socket.connect("127.0.0.1", port))
    assert.is_false(exists(handle.folder))
    assert.not_equal(0, (shell.capture(shell.ALIVE .. "alive " .. pid)))
    handle:stop()
    assert.matches("stopped", tostring(handle), 1, true)
  end)

  it("lets an answer that has begun come to its end", function()
    local handle = server.start { latency = 0.5 }
    local connection = connect(handle)
    send_request(connection, "GET", ORG)
    socket.sleep(0.1)
    handle:stop()
    assert.equal(200, read_response(connection).status)
    connection:close()
  end)

  it("happens when the handle is collected", function()
    local folder = server.start().folder
    assert.is_true(exists(folder))
    collectgarbage()
    collectgarbage()
    assert.is_false(exists(folder))
  end)

  it("happens when the process that started it is killed", function()
    local program = ([[package.path = %q
      local handle = require("zohocrm.sandbox.server").start()
      print(handle.folder, handle:pid())
      io.stdout:flush()
      os.execute("kill -9 $PPID")]]):format(package.path)
    local interpreter = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d+%.%d+")
    local _, output = shell.capture(interpreter .. " -e " .. shell.quote(program))
    local folder, pid = output:match("(%S+)\t(%d+)")
    assert.is_string(folder, output)
    assert.is_true(eventually(function() return not exists(folder) end, 10), folder .. " is still there")
    assert.not_equal(0, (shell.capture(shell.ALIVE .. "alive " .. pid)))
  end)
end)

describe("the command line of the sandbox server", function()
  -- Exit status and output, both streams, of a process of its own.
  local function run(arguments)
    local interpreter = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d+%.%d+")
    local program = ("os.exit(require('zohocrm.sandbox.server').run(%q))"):format(arguments)
    return shell.capture(("LUA_PATH=%s %s -e %s"):format(shell.quote(package.path), interpreter, shell.quote(program)))
  end

  it("says in one line what is wrong, and ends with status 2", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local cases = {
      ["--lead 5"] = "unknown argument '--lead'; did you mean '--leads'? (--help lists them)",
      ["5"] = "unknown argument '5' (--help lists them)",
      ["--port abc"] = "--port takes a whole number, not 'abc'",
      ["--port 80.5"] = "--port takes a whole number, not '80.5'",
      ["--latency=soon"] = "--latency takes a number of seconds, not 'soon'",
      ["--rate many"] = "--rate takes a number, not 'many'",
      ["--api-key="] = "--api-key takes a text, not ''",
      ["--records"] = "--records needs a whole number",
      ["--seed 1 --rate -1"] = "option 'rate' must be a number of requests per second above 0",
      ["--port " .. port] = "port " .. port .. " is already in use; leave it out to have a free one chosen",
    }
    for arguments, message in pairs(cases) do
      local status, output = run(arguments)
      assert.equal("zohocrm sandbox: " .. message .. "\n", output)
      assert.equal(2, status, arguments)
    end
    listener:close()
  end)

  it("prints a request that can be tried at once, and leaves nothing behind", function()
    local output = os.tmpname()
    local interpreter = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d+%.%d+")
    local program = "os.exit(require('zohocrm.sandbox.server').run('--records 7'))"
    local _, pid = shell.capture(("LUA_PATH=%s %s -e %s >%s 2>&1 </dev/null & echo $!"):format(shell.quote(package.path),
      interpreter, shell.quote(program), shell.quote(output)))
    local text
    assert.is_true(eventually(function()
      local file = assert(io.open(output))
      text = file:read("*a")
      file:close()
      return text:find("Ctrl-C stops it.", 1, true) ~= nil
    end, 30), text)
    local base, target = text:match("\n  curl %-H 'Authorization: Bearer sandbox' '(http://127%.0%.0%.1:%d+)(/[^']*)'\n")
    assert.equal(3, #cjson.decode(request({ url = base }, "GET", target).body).data)
    local folder = text:match("ca_file (.-)/ca%.pem")
    shell.capture("kill " .. pid)
    assert.is_true(eventually(function() return not exists(folder) end, 10), folder .. " is still there")
    os.remove(output)
  end)

  it("lists its arguments", function()
    local status, output = run("--port 8080 --help")
    assert.equal(0, status)
    for _, name in ipairs { "--leads N", "--port N", "--latency SECONDS", "--api-key KEY", "--rate NUMBER" } do
      assert.matches(name, output, 1, true)
    end
  end)
end)

describe("running a command with a sandbox server", function()
  it("gives it the environment and returns its status", function()
    local script = [[test "$MATON_API_KEY" = sandbox && test "$ZOHOCRM_GATEWAY_URL" = "$ZOHOCRM_CONTROL_URL/zoho-crm" &&
      exit 7]]
    assert.equal(7, server.with(script))
  end)

  it("stops the server that ended with it", function()
    local name = os.tmpname()
    server.with(("echo $ZOHOCRM_CONTROL_URL > %s"):format(shell.quote(name)))
    local file = assert(io.open(name))
    local url = file:read("*l")
    file:close()
    os.remove(name)
    assert.is_nil(socket.connect("127.0.0.1", port_of(url)))
  end)
end)
