--- Bad weather: what a caller gets, and what the server saw, when connections break, answers lie, and servers are slow.
local socket = require("socket")
local fault_server = require("spec.support.fault_server")

local reply = fault_server.reply
local ID = "7243485000000597000"
local PAGE = '{"data":[{"id":"' .. ID .. '"}],"info":{"more_records":false,"count":1,"page":1,"per_page":200}}'
local MADE = '{"data":[{"code":"SUCCESS","status":"success","message":"record added","details":{"id":"' .. ID .. '"}}]}'

describe("in bad weather", function()
  local faults

  setup(function()
    faults = fault_server.start()
  end)

  teardown(function()
    faults:stop()
  end)

  local function client(options) return faults:client(options) end

  local function list(crm, o)
    o = o or {}
    o.fields = "id"
    return crm.Leads:list(o)
  end

  local function create(crm)
    return crm.Leads:create { Last_Name = "Ek" }
  end

  describe("what is sent", function()
    it("is exact: path, query, headers and body", function()
      faults:script { reply { status = 201, body = MADE } }
      local made = assert(client { connection = "c-1" }.Leads:create({ Last_Name = "Åse & Co" }, { trigger = {} }))
      assert.equal(ID, made.id)
      local got = faults:received()[1]
      assert.equal("POST", got.method)
      assert.equal("/zoho-crm/crm/v8/Leads", got.target)
      local head = got.head:lower()
      for _, line in ipairs { "authorization: bearer k-5ec7e7", "content-type: application/json",
        "accept: application/json", "maton-connection: c-1", "accept-encoding: ", "user-agent: zohocrm-lua/" } do
        assert.truthy(head:find("\r\n" .. line, 1, true), line)
      end
      assert.matches("accept%-encoding: [^\r]*gzip", head)
      assert.is_nil(head:find("expect:", 1, true))
      assert.equal('"trigger":[]', got.body:match('"trigger":%[%]'))
      assert.truthy(got.body:find('"data":[{"Last_Name":"Åse & Co"}]', 1, true))
    end)

    it("encodes every byte outside the unreserved set, in values and in pieces of the path", function()
      local all, encoded = {}, {}
      for byte = 1, 255 do
        local c = string.char(byte)
        all[#all + 1] = c
        encoded[#encoded + 1] = c:match("[%w%-._~]") and c or ("%%%02X"):format(byte)
      end
      faults:script { reply { body = "{}" }, reply { status = 204 } }
      local crm = client()
      assert(crm:request { path = "/x", query = { q = table.concat(all) } })
      crm.Leads:get(table.concat(all))
      assert.equal("/zoho-crm/x?q=" .. table.concat(encoded), faults:received()[1].target)
      assert.equal("/zoho-crm/crm/v8/Leads/" .. table.concat(encoded), faults:received()[2].target)
    end)

    it("keeps an id such as ../org in its place", function()
      faults:script { reply { status = 204 } }
      local _, err = client().Leads:get("../org")
      assert.equal("not_found", err.kind)
      assert.equal("/zoho-crm/crm/v8/Leads/..%2Forg", faults:received()[1].target)
    end)

    it("goes over one connection, call after call", function()
      faults:script { reply { body = PAGE }, reply { body = PAGE }, reply { body = PAGE } }
      local crm = client()
      for _ = 1, 3 do
        assert(list(crm))
      end
      assert.equal(1, (faults:connections()))
    end)

    it("goes over a new connection when the server has closed the old one meanwhile", function()
      faults:script { { reply { body = PAGE }, { close = true } }, reply { status = 201, body = MADE } }
      local crm = client()
      assert(list(crm))
      socket.sleep(0.1) -- until the end of the connection has come: a write that crosses it on its way is another case
      assert(create(crm))
      assert.equal(2, #faults:received())
    end)
  end)

  it("goes to this machine past the proxies of the environment", function()
    faults:script { reply { body = PAGE } }
    local i = 0
    while arg and arg[i - 1] do
      i = i - 1
    end
    local script = ('local crm = require("zohocrm").new{ api_key = "k", gateway_url = %q, rate = 0, retries = 0 } '
      .. 'print(#assert(crm.Leads:list{ fields = "id" }))'):format(faults.url)
    -- nobody listens at port 1
    local pipe = assert(io.popen(("http_proxy=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1 no_proxy= %s -e '%s' 2>&1")
      :format(arg and arg[i] or "lua5.4", script)))
    local output = pipe:read("*a")
    pipe:close()
    assert.equal("1\n", output)
  end)

  describe("a connection that breaks", function()
    it("before anything was sent is kind network, and nothing may have happened", function()
      local crm = client { gateway_url = fault_server.refusing_url() }
      local made, err = create(crm)
      assert.is_nil(made)
      assert.equal("network", err.kind)
      assert.is_true(err.retryable)
      assert.is_nil(err.may_have_happened)
      assert.matches("^create Leads: Failed to connect to 127%.0%.0%.1", tostring(err))
    end)

    for name, exchange in pairs {
      ["closed without an answer"] = { { close = true } },
      ["reset without an answer"] = { { reset = true } },
      ["reset in the header"] = { "HTTP/1.1 201 Created\r\nConte", { reset = true } },
      ["closed in the body"] = { reply { body = MADE:sub(1, 20), length = #MADE }, { close = true } },
      ["reset in the body"] = { reply { body = MADE:sub(1, 20), length = #MADE }, { wait = 0.05 }, { reset = true } },
    } do
      it(name .. " is kind network; a write may have happened and is not sent again", function()
        faults:script { exchange, reply { status = 201, body = MADE } }
        local made, err = create(client { retries = 3 })
        assert.is_nil(made)
        assert.equal("network", err.kind)
        assert.is_true(err.may_have_happened)
        assert.is_false(err.retryable)
        assert.equal(1, #faults:received())
        assert.matches("may have acted on it", tostring(err))
      end)

      it(name .. " is overcome by a read that may try again", function()
        faults:script { exchange, reply { body = PAGE } }
        local page = assert(list(client { retries = 3 }))
        assert.equal(1, #page)
        assert.equal(2, #faults:received())
      end)
    end

    it("on reused connections, time and again, costs a read nothing", function()
      local script = {}
      for i = 1, 10 do script[2 * i - 1], script[2 * i] = reply { body = PAGE }, { { close = true } } end
      faults:script(script)
      local crm = client { retries = 0 }
      for _ = 1, 10 do assert(list(crm)) end
      assert.equal(19, #faults:received())
      crm:close()
    end)

    it("on a reused connection does not make libcurl send a write twice by itself", function()
      faults:script { reply { body = PAGE }, { { close = true } }, reply { status = 201, body = MADE } }
      local crm = client()
      assert(list(crm))
      local made, err = create(crm)
      assert.is_nil(made)
      assert.is_true(err.may_have_happened)
      assert.equal(2, #faults:received())
      assert.equal(1, faults:remaining())
    end)

    it("gives every record of its request the error, and the other requests go on", function()
      local records = {}
      for i = 1, 150 do
        records[i] = { Last_Name = "L" .. i }
      end
      local items = {}
      for i = 1, 50 do
        items[i] = '{"code":"SUCCESS","status":"success","details":{"id":"' .. i .. '"}}'
      end
      faults:script { { { reset = true } }, reply { status = 201, body = '{"data":[' .. table.concat(items, ",") .. "]}" } }
      local outcome = client { concurrency = 1 }.Leads:create(records)
      assert.equal(150, #outcome)
      assert.equal(50, outcome.succeeded)
      for i = 1, 100 do
        assert.is_true(outcome[i].error.may_have_happened)
        assert.equal(i, outcome[i].error.record)
      end
      assert.equal("1", outcome[101].id)
      assert.equal("50", outcome[150].id)
    end)
  end)

  describe("an attempt that is repeated", function()
    for _, status in ipairs { 502, 503, 504 } do
      it("is a read that met a " .. status, function()
        faults:script { reply { status = status }, reply { body = PAGE } }
        local seen = {}
        local crm = client { retries = 1, on_request = function(info)
          seen[#seen + 1] = info
        end }
        assert(list(crm))
        assert.same({ status, 200 }, { seen[1].status, seen[2].status })
        assert.same({ 1, 2 }, { seen[1].attempt, seen[2].attempt })
      end)
    end

    it("is any call that met a 429, after the time the server asks for", function()
      faults:script { reply { status = 429, headers = { ["Retry-After"] = "0" } }, reply { status = 201, body = MADE } }
      assert(create(client { retries = 1 }))
      assert.equal(2, #faults:received())
    end)

    it("is not made when the server asks for a longer wait than allowed; the error says how long", function()
      faults:script { reply { status = 429, headers = { ["Retry-After"] = "3600" } } }
      local _, err = list(client { retries = 3 })
      assert.equal("rate_limited", err.kind)
      assert.equal(3600, err.retry_after)
      assert.matches("the server asks to wait 3600 s", tostring(err))
      assert.equal(1, #faults:received())
    end)

    it("is not made past the deadline", function()
      faults:script { reply { status = 429, headers = { ["Retry-After"] = "30" } } }
      local _, err = list(client { retries = 3 }, { deadline = 5 })
      assert.equal("rate_limited", err.kind)
      assert.equal(30, err.retry_after)
    end)

    it("is never a write that met a 500 or a 503", function()
      faults:script { reply { status = 503 }, reply { status = 201, body = MADE } }
      local _, err = create(client { retries = 3 })
      assert.equal("server", err.kind)
      assert.is_true(err.may_have_happened)
      assert.equal(1, #faults:received())
    end)

    it("is counted in the error", function()
      faults:script { reply { status = 503 }, reply { status = 503 } }
      local _, err = list(client { retries = 1 })
      assert.equal(2, err.attempts)
      assert.matches("%(after 2 attempts%)", tostring(err))
    end)
  end)

  describe("a server that is slow", function()
    it("is kind timeout, for a read retryable", function()
      faults:script { { { hang = true } } }
      local _, err = list(client(), { timeout = 0.2 })
      assert.equal("timeout", err.kind)
      assert.is_true(err.retryable)
    end)

    it("is kind timeout, and a write may have happened", function()
      faults:script { { { hang = true } } }
      local _, err = client { timeout = 0.2 }.Leads:create { Last_Name = "Ek" }
      assert.equal("timeout", err.kind)
      assert.is_true(err.may_have_happened)
    end)

    it("is bounded by the deadline of a call with all its attempts", function()
      faults:script { { { hang = true } }, { { hang = true } }, { { hang = true } } }
      local _, err = list(client { retries = 20 }, { deadline = 0.3 })
      assert.equal("timeout", err.kind)
    end)

    it("is waited for while it drips", function()
      faults:script { { { drip = reply { body = PAGE }, size = 40, every = 0.01 } } }
      assert.equal(1, #assert(list(client())))
    end)
  end)

  describe("an answer that is", function()
    it("larger than max_response_bytes is kind too_large", function()
      faults:script { reply { body = '{"data":"' .. ("x"):rep(5000) .. '"}' } }
      local _, err = list(client { max_response_bytes = 2000 })
      assert.equal("too_large", err.kind)
      assert.matches("larger than max_response_bytes %(2000%)", tostring(err))
    end)

    it("without end is kind too_large, too", function()
      faults:script { { "HTTP/1.1 200 OK\r\n\r\n", { send = ("x"):rep(1000), times = 10000 }, { close = true } } }
      local _, err = list(client { max_response_bytes = 100000 })
      assert.equal("too_large", err.kind)
    end)

    it("all header is kind protocol", function()
      faults:script { { "HTTP/1.1 200 OK\r\n", { send = "X-A: " .. ("x"):rep(1000) .. "\r\n", times = 400 }, "\r\n", { close = true } } }
      local _, err = list(client())
      assert.equal("protocol", err.kind)
    end)

    it("no HTTP at all is kind protocol", function()
      faults:script { { "SSH-2.0-OpenSSH_9.2\r\n", { close = true } } }
      local _, err = list(client())
      assert.equal("protocol", err.kind)
    end)

    it("said to be gzip and is not, is kind protocol", function()
      faults:script { reply { body = "not gzip", headers = { ["Content-Encoding"] = "gzip" } } }
      local _, err = list(client())
      assert.equal("protocol", err.kind)
    end)

    it("a redirect is not followed, so the key goes nowhere else", function()
      faults:script { reply { status = 307, headers = { Location = faults.url .. "/elsewhere" } }, reply { body = PAGE } }
      local _, err = list(client())
      assert.equal("protocol", err.kind)
      assert.equal(1, #faults:received())
    end)

    it("preceded by an interim answer is read", function()
      faults:script { { "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", reply { body = PAGE, headers = { ["X-Mine"] = "1" } } } }
      local _, response = client():request { path = "/crm/v8/Leads" }
      assert.equal("1", response.headers["x-mine"])
      assert.is_nil(response.headers.link)
    end)

    it("chunked is read", function()
      faults:script { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. ("%x\r\n%s\r\n0\r\n\r\n"):format(#PAGE, PAGE) }
      assert.equal(1, #assert(list(client())))
    end)

    it("304 is an empty page", function()
      faults:script { "HTTP/1.1 304 Not Modified\r\n\r\n" }
      local page = assert(list(client(), { if_modified_since = "2026-02-06T01:10:56-08:00" }))
      assert.equal(0, #page)
      assert.is_true(page.info.not_modified)
      assert.matches("\r\nIf%-Modified%-Since: 2026%-02%-06T01:10:56%-08:00\r\n", faults:received()[1].head)
    end)
  end)

  describe("rate and concurrency", function()
    it("let no more than rate requests go in a second", function()
      local script = {}
      for i = 1, 7 do
        script[i] = reply { body = PAGE }
      end
      faults:script(script)
      local crm = client { rate = 3 }
      local started = {}
      for i = 1, 7 do
        assert(list(crm))
        started[i] = socket.gettime()
      end
      for i = 4, 7 do
        assert.is_true(started[i] - started[i - 3] >= 0.9, "calls " .. i - 3 .. " to " .. i)
      end
    end)

    it("hold a call back until its deadline, and say so", function()
      faults:script { reply { body = PAGE } }
      local crm = client { rate = 0.01 }
      assert(list(crm))
      local _, err = list(crm, { deadline = 0.1 })
      assert.equal("timeout", err.kind)
      assert.matches("deadline passed before the request could be sent", tostring(err))
      assert.equal(1, #faults:received())
    end)
  end)

  describe("an interrupted wait", function()
    it("takes its write with it: it does not go out later", function()
      faults:script { reply { status = 429, headers = { ["Retry-After"] = "1" } }, reply { body = PAGE }, reply { body = PAGE } }
      local crm = client { retries = 3 }
      local count = 0
      local host = require("zohocrm.host")
      local wait = host.wait
      host.wait = function(inside, call)
        local poll = inside.poll
        inside.poll = function(seconds)
          count = count + 1
          if count > 3 and #faults:received() == 1 then
            inside.poll = poll
            error("interrupted!", 0) -- as Ctrl-C does, from a hook
          end
          return poll(seconds)
        end
        return wait(inside, call)
      end
      local fine, message = pcall(create, crm)
      host.wait = wait
      assert.same({ false, "interrupted!" }, { fine, message })
      socket.sleep(1.1)
      assert(list(crm))
      assert.equal(2, #faults:received())
      assert.equal("GET", faults:received()[2].method)
    end)
  end)

  describe("what goes out without a body", function()
    for _, method in ipairs { "POST", "PUT", "PATCH" } do
      it("has a length of 0 and is no form: " .. method, function()
        faults:script { reply { status = 204 } }
        assert(client():request { method = method, path = "/crm/v8/x" })
        local head = faults:received()[1].head:lower()
        assert.equal(method, faults:received()[1].method)
        assert.truthy(head:find("\r\ncontent-length: 0\r\n", 1, true))
        assert.is_nil(head:find("content-type", 1, true))
      end)
    end
  end)

  describe("a client that goes away", function()
    if _VERSION == "Lua 5.4" then
      it("with its scope is closed, where it is a to-be-closed variable", function()
        local crm = client()
        load("local crm <close> = ...")(crm)
        assert.equal("zohocrm client (closed)", tostring(crm))
      end)
    end

    it("with a call under way cancels it", function()
      faults:script { { { hang = true } } }
      local core = require("zohocrm.core")
      local c = core.client { api_key = "k", gateway_url = faults.url, retries = 0 }
      local call = c:start { path = { "a" } }
      for _ = 1, 20 do
        c:poll(0.01)
      end
      assert.is_false(call:ready())
      c:close()
      assert.is_true(call:ready())
      local answer = call:take()
      assert.equal("cancelled", answer.failure)
      assert.is_true(answer.sent)
      assert.has_error(function()
        call:take()
      end, "the call was taken already")
    end)

    it("is collected with calls that nobody took", function()
      faults:script { { { hang = true } }, { { hang = true } } }
      local core = require("zohocrm.core")
      for _ = 1, 2 do
        local c = core.client { api_key = "k", gateway_url = faults.url, retries = 0 }
        c:start { path = { "a" } }
        c:poll(0.01)
      end
      collectgarbage()
      collectgarbage()
    end)
  end)
end)
