--- What is tried again, when, and how often: on a virtual clock, so that the waits are exact, and by what the server saw.
local core = require("zohocrm.core")
local fault_server = require("spec.support.fault_server")
local socket = require("socket")
local zohocrm = require("zohocrm")

local reply = fault_server.reply
local ID = "7243485000000597000"
local PAGE = '{"data":[{"id":"' .. ID .. '"}],"info":{"more_records":false,"count":1,"page":1,"per_page":200}}'
local DONE = '{"data":[{"code":"SUCCESS","status":"success","message":"done","details":{"id":"' .. ID .. '"}}]}'
local GONE = '{"data":[{"code":"INVALID_DATA","status":"error","message":"the id given seems to be invalid",'
  .. '"details":{"api_name":"id"}}]}'
local RESET = { { reset = true } }
local HANG = { { hang = true } }

local function refusal(retry_after, date)
  return reply { status = 429, headers = { ["Retry-After"] = retry_after, Date = date } }
end

local function times(n, exchange)
  local list = {}
  for i = 1, n do
    list[i] = exchange
  end
  return list
end

describe("trying again:", function()
  local faults

  setup(function()
    faults = fault_server.start()
  end)

  teardown(function()
    faults:stop()
  end)

  local function options(extra)
    local all = { api_key = "k", gateway_url = faults.url, control_url = faults.url, rate = 0 }
    for name, value in pairs(extra or {}) do
      all[name] = value
    end
    return all
  end

  local function list(crm, o)
    o = o or {}
    o.fields = "id"
    return crm.Leads:list(o)
  end

  -- The waits of a list that meets this script.
  local function waits(script, extra, random, date)
    local clock = core.clock { random = random, date = date }
    local all = options(extra)
    all.clock = clock
    faults:script(script)
    local page, err = list(zohocrm.new(all))
    return clock:waits(), page, err
  end

  describe("the waits", function()
    it("double from half a second, times a random number", function()
      assert.same({ 0.25, 0.5, 1, 2 }, (waits(times(5, reply { status = 503 }), { retries = 4 }, { 0.5 })))
      -- a wait of nothing is none
      assert.same({ 0.75, 0.5, 3 }, (waits(times(5, reply { status = 503 }), { retries = 4 }, { 0, 0.75, 0.25, 0.75 })))
    end)

    it("go up to 30 seconds", function()
      assert.same({ 0.25, 0.5, 1, 2, 4, 8, 15, 15, 15 }, (waits(times(10, reply { status = 503 }), { retries = 9 }, { 0.5 })))
    end)

    it("are no longer than max_retry_wait", function()
      assert.same({ 0.25, 0.5, 0.5 }, (waits(times(4, reply { status = 503 }), { retries = 3, max_retry_wait = 1 }, { 0.5 })))
      assert.same({}, (waits({ RESET, RESET, reply { body = PAGE } }, { max_retry_wait = 0 }, { 0.5 })))
    end)

    it("are the same after a lost connection, a refused one and a 429 that says nothing", function()
      local script = { RESET, reply { status = 429 }, reply { status = 504 }, reply { body = PAGE } }
      local got, page = waits(script, {}, { 0.5 })
      assert.same({ 0.25, 0.5, 1 }, got)
      assert.equal(ID, page[1].id)
      local clock = core.clock { random = { 0.5 } }
      local _, err = list(zohocrm.new { api_key = "k", gateway_url = fault_server.refusing_url(), clock = clock })
      assert.same({ 0.25, 0.5, 1 }, clock:waits())
      assert.same({ "network", 4, true }, { err.kind, err.attempts, err.retryable })
    end)

    it("are at least what Retry-After asks for", function()
      assert.same({ 7, 0.5 }, (waits({ refusal(7), reply { status = 502 }, reply { body = PAGE } }, {}, { 0.5 })))
      assert.same({ 0.25, 0.5, 1, 2, 4 },
        (waits({ refusal(0), refusal(0), refusal(1), refusal(2), refusal(3), reply { body = PAGE } }, { retries = 5 }, { 0.5 })))
    end)

    it("obey it with a 503, too", function()
      local busy = reply { status = 503, headers = { ["Retry-After"] = "3" } }
      assert.same({ 3 }, (waits({ busy, reply { body = PAGE } }, {}, { 0.5 })))
    end)

    it("last until a date, by the server's clock", function()
      local later = refusal("Fri, 06 Feb 2026 01:11:06 GMT", "Fri, 06 Feb 2026 01:10:56 GMT")
      assert.same({ 10 }, (waits({ later, reply { body = PAGE } }, {}, { 0.5 })))
    end)

    it("last until a date, by ours where the server's is not known", function()
      local at = 1770340256 -- Fri, 06 Feb 2026 01:10:56 GMT
      assert.same({ 11 }, (waits({ refusal("Fri, 06 Feb 2026 01:11:07 GMT"), reply { body = PAGE } }, {}, { 0.5 }, at)))
      assert.same({ 0.25 }, (waits({ refusal("Fri, 06 Feb 2026 01:10:00 GMT"), reply { body = PAGE } }, {}, { 0.5 }, at)))
    end)

    for _, nonsense in ipairs { "soon", "-1", "1.5", "1 2", "Fri" } do
      it("know nothing of a Retry-After of " .. nonsense, function()
        local got, _, err = waits({ refusal(nonsense), refusal(nonsense) }, { retries = 1 }, { 0.5 })
        assert.same({ 0.25 }, got)
        assert.is_nil(err.retry_after)
      end)
    end

    it("are not begun when the server asks for more than max_retry_wait", function()
      local got, _, err = waits({ refusal(61) }, {}, { 0.5 })
      assert.same({}, got)
      assert.same({ "rate_limited", 61, 1 }, { err.kind, err.retry_after, err.attempts })
      assert.same({ 60 }, (waits({ refusal(60), reply { body = PAGE } }, {}, { 0.5 })))
    end)

    it("are not begun when the deadline would pass meanwhile", function()
      local clock = core.clock { random = { 0.5 } }
      faults:script { reply { status = 503 }, reply { status = 503 }, reply { body = PAGE } }
      local _, err = list(zohocrm.new(options { clock = clock, retries = 20 }), { deadline = 0.7 })
      assert.same({ 0.25 }, clock:waits())
      assert.same({ "server", 503, 2 }, { err.kind, err.status, err.attempts })
    end)

    it("are those of the server in this process, too", function()
      local clock = core.clock { random = { 0.5 } }
      local sandbox = require("zohocrm.sandbox").new { records = 1 }
      local crm = zohocrm.new { sandbox = sandbox, clock = clock }
      sandbox:fail_next { status = 503 }
      sandbox:fail_next { status = 429, headers = { ["Retry-After"] = "4" } }
      assert.equal(1, #assert(list(crm)))
      assert.same({ 0.25, 4 }, clock:waits())
    end)
  end)

  describe("who is sent again", function()
    -- Each call meets something bad and then a good answer: how many requests the server sees after a 429, a 503, and a
    -- connection that is lost after the request.
    local CALLS = {
      { "a list", { 2, 2, 2 }, PAGE, function(crm) return list(crm) end },
      { "a record", { 2, 2, 2 }, PAGE, function(crm) return crm.Leads:get(ID) end },
      { "a create", { 2, 1, 1 }, DONE, function(crm) return crm.Leads:create { Last_Name = "Ek" } end },
      { "an upsert", { 2, 1, 1 }, DONE, function(crm) return crm.Leads:upsert { Last_Name = "Ek" } end },
      { "an upsert that may be repeated", { 2, 2, 2 }, DONE,
        function(crm) return crm.Leads:upsert({ Last_Name = "Ek" }, { repeatable = true }) end },
      { "an update", { 2, 1, 1 }, DONE, function(crm) return crm.Leads:update { id = ID } end },
      { "an update that may be repeated", { 2, 2, 2 }, DONE,
        function(crm) return crm.Leads:update({ id = ID }, { repeatable = true }) end },
      { "a delete", { 2, 2, 2 }, DONE, function(crm) return crm.Leads:delete(ID) end },
      { "a delete that must not be repeated", { 2, 1, 1 }, DONE,
        function(crm) return crm.Leads:delete(ID, { repeatable = false }) end },
      { "a new connection", { 2, 1, 1 }, '{"connection":{"connection_id":"c"}}', function(crm) return crm.connections:create() end },
      { "the end of a connection", { 2, 2, 2 }, "{}", function(crm) return crm.connections:delete("c") end },
      { "any GET", { 2, 2, 2 }, "{}", function(crm) return crm:request { path = "/x" } end },
      { "any POST", { 2, 1, 1 }, "{}", function(crm) return crm:request { method = "POST", path = "/x", body = {} } end },
      { "any DELETE", { 2, 1, 1 }, "{}", function(crm) return crm:request { method = "DELETE", path = "/x" } end },
      { "a POST that may be repeated", { 2, 2, 2 }, "{}",
        function(crm) return crm:request { method = "POST", path = "/x", body = {}, repeatable = true } end },
    }
    local WEATHER = { { "a 429", reply { status = 429 } }, { "a 503", reply { status = 503 } }, { "a lost answer", RESET } }

    for _, call in ipairs(CALLS) do
      for i, weather in ipairs(WEATHER) do
        local expected = call[2][i]
        it(("%s, after %s: %s"):format(call[1], weather[1], expected == 2 and "yes" or "no"), function()
          faults:script { weather[2], reply { body = call[3] } }
          local result, err = call[4](zohocrm.new(options { clock = core.clock() }))
          assert.equal(expected, #faults:received())
          if expected == 2 then
            assert.is_nil(err and err.kind)
            assert.is_truthy(result)
            assert.equal(faults:received()[1].raw, faults:received()[2].raw)
          else
            assert.is_nil(result)
            assert.same({ true, false, 1 }, { err.may_have_happened, err.retryable, err.attempts })
          end
        end)
      end
    end

    it("no read after a 500, nor after an answer that breaks the protocol", function()
      for _, bad in ipairs { reply { status = 500 }, reply { body = "{" }, { "SSH-2.0\r\n", { close = true } } } do
        faults:script { bad, reply { body = PAGE } }
        assert.is_nil((list(zohocrm.new(options { clock = core.clock() }))))
        assert.equal(1, #faults:received())
      end
    end)

    it("no write that ran out of time once it had left, but a read", function()
      for _, limit in ipairs { "timeout", "stall_timeout" } do
        faults:script(times(3, HANG))
        local crm = zohocrm.new(options { retries = 1, [limit] = 0.2 })
        local _, err = crm.Leads:create { Last_Name = "Ek" }
        assert.same({ "timeout", true, false, 1 }, { err.kind, err.may_have_happened, err.retryable, err.attempts })
        assert.equal(1, #faults:received())
        faults:script { HANG, reply { body = PAGE } }
        assert.equal(1, #assert(list(crm)))
      end
    end)

    it("no create, whatever its caller wishes", function()
      local crm = zohocrm.new(options())
      assert.has_error(function()
        crm.Leads:create({ Last_Name = "Ek" }, { repeatable = true })
      end)
    end)

    it("only as often as retries says, per client and per call", function()
      local crm = zohocrm.new(options { retries = 1, clock = core.clock() })
      faults:script(times(9, reply { status = 503 }))
      local _, err = list(crm)
      assert.equal(2, err.attempts)
      _, err = list(crm, { retries = 3 })
      assert.equal(4, err.attempts)
      _, err = list(crm, { retries = 0 })
      assert.equal(1, err.attempts)
      assert.equal(7, #faults:received())
    end)
  end)

  describe("a write that was committed before its answer was lost", function()
    it("appears once", function()
      -- a server that stores what it has read, whatever becomes of the connection then
      local stored = 0
      faults:script { RESET, reply { status = 201, body = DONE }, reply { status = 201, body = DONE } }
      local crm = zohocrm.new(options { clock = core.clock() })
      local _, err = crm.Leads:create { Last_Name = "Ek" }
      for _, request in ipairs(faults:received()) do
        stored = stored + (request.complete and request.method == "POST" and 1 or 0)
      end
      assert.equal(1, stored)
      assert.same({ "network", true }, { err.kind, err.may_have_happened })
    end)

    it("as a delete is found gone the second time, which is said", function()
      faults:script { RESET, reply { status = 400, body = GONE } }
      local result, err = zohocrm.new(options { clock = core.clock() }).Leads:delete(ID)
      assert.is_nil(result)
      assert.same({ "not_found", true, 2 }, { err.kind, err.may_have_happened, err.attempts })
      assert.matches("an earlier attempt of this call may have deleted it", tostring(err))
      faults:script { reply { status = 400, body = GONE } }
      local _
      _, err = zohocrm.new(options()).Leads:delete(ID)
      assert.same({ "not_found" }, { err.kind, err.may_have_happened })
    end)
  end)

  describe("the error after several attempts", function()
    it("knows that an earlier one may have been acted upon", function()
      local crm = zohocrm.new(options { clock = core.clock(), retries = 1 })
      faults:script { RESET, reply { status = 429 } }
      local _, err = crm.Leads:update({ id = ID }, { repeatable = true })
      assert.same({ "rate_limited", true, true, 2 }, { err.kind, err.may_have_happened, err.retryable, err.attempts })
      assert.matches("may have acted on it, and repeating it does no harm", tostring(err))
      faults:script { reply { status = 429 }, reply { status = 429 } }
      _, err = crm.Leads:update({ id = ID }, { repeatable = true })
      assert.same({ "rate_limited" }, { err.kind, err.may_have_happened })
    end)

    it("knows that a create which was only ever refused did not happen", function()
      faults:script { refusal(1), refusal(90) }
      local _, err = zohocrm.new(options { clock = core.clock() }).Leads:create { Last_Name = "Ek" }
      assert.same({ "rate_limited", 2, true }, { err.kind, err.attempts, err.retryable })
      assert.is_nil(err.may_have_happened)
    end)

    it("and the observer have them all", function()
      local seen = {}
      local crm = zohocrm.new(options {
        clock = core.clock(), timeout = 0.1,
        on_request = function(info)
          seen[#seen + 1] = { info.attempt, info.status or info.failure, info.timeout }
        end,
      })
      faults:script { RESET, reply { status = 503 }, reply { status = 429 }, reply { status = 400, body = "{}" } }
      local _, err = list(crm)
      assert.equal(4, err.attempts)
      assert.same({ { 1, "network" }, { 2, 503 }, { 3, 429 }, { 4, 400 } }, seen)
    end)
  end)

  -- Calls of the core, so that a spec can look at them while they are under way.
  local function start(client, path, extra)
    local description = { path = { path } }
    for name, value in pairs(extra or {}) do
      description[name] = value
    end
    return client:start(description)
  end

  -- With `seconds` of 0 the virtual clock stands, also where the client would sleep.
  local function poll_until(client, condition, seconds)
    local give_up = socket.gettime() + 20
    while not condition() do
      assert(socket.gettime() < give_up, "it never came true")
      client:poll(seconds or 0.01)
    end
  end

  local function targets()
    local list_of = {}
    for i, request in ipairs(faults:received()) do
      list_of[i] = request.target
    end
    return list_of
  end

  describe("an attempt that takes too long", function()
    -- Starts a call that hangs, and moves the clock on to just before the limit, then past it.
    local function take_after(seconds, extra, call_extra, script)
      local clock = core.clock()
      local all = options { clock = clock, retries = 0 }
      for name, value in pairs(extra) do
        all[name] = value
      end
      faults:script(script or { HANG })
      local client = core.client(all)
      local call = start(client, "slow", call_extra)
      poll_until(client, function()
        return script and faults:connections() == 1 or not script and #faults:received() == 1
      end)
      clock:advance(seconds - 0.001)
      client:poll(0)
      assert.is_false(call:ready())
      clock:advance(0.001)
      client:poll(0)
      assert.is_true(call:ready())
      return call:take()
    end

    it("without a byte is a stall: 30 seconds, or stall_timeout", function()
      local answer = take_after(30, {})
      assert.same({ "timeout", "stall", true }, { answer.failure, answer.timeout, answer.sent })
      assert.equal("no byte came or went within stall_timeout (30 s)", answer.message)
      assert.equal("stall", take_after(0.25, { stall_timeout = 0.25 }).timeout)
      assert.equal("no byte came or went within stall_timeout (125 ms)", take_after(0.125, {}, { stall_timeout = 0.125 }).message)
    end)

    it("as a whole is an attempt: 60 seconds, or timeout", function()
      assert.equal("attempt", take_after(60, { stall_timeout = 100 }).timeout)
      local answer = take_after(2, {}, { timeout = 2 })
      assert.same({ "timeout", "attempt", true }, { answer.failure, answer.timeout, answer.sent })
      assert.equal("no whole answer within timeout (2 s)", answer.message)
    end)

    it("before the connection stands is a connect: 10 seconds, or connect_timeout; nothing was sent", function()
      local https = faults.url:gsub("^http", "https")
      local hang = { on = "connect", { hang = true } }
      local answer = take_after(10, { gateway_url = https }, nil, { hang })
      assert.same({ "timeout", "connect", false }, { answer.failure, answer.timeout, answer.sent })
      assert.equal("no connection within connect_timeout (10 s)", answer.message)
      assert.equal("connect", take_after(1, { gateway_url = https, connect_timeout = 1 }, nil, { hang }).timeout)
    end)

    it("is bounded by what is left of the deadline", function()
      local answer = take_after(5, {}, { deadline = 5 })
      assert.same({ "timeout", "deadline", true }, { answer.failure, answer.timeout, answer.sent })
      assert.equal("no whole answer before the deadline", answer.message)
    end)

    it("may be repeated within the deadline, whichever attempt it is", function()
      local clock = core.clock { random = { 0.5 } }
      local client = core.client(options { clock = clock, retries = 9 })
      faults:script { HANG, HANG, HANG, HANG }
      local call = start(client, "slow", { timeout = 2, deadline = 5 })
      for attempt = 1, 3 do
        poll_until(client, function()
          return #faults:received() == attempt
        end)
        clock:advance(2)
        client:poll(0)
      end
      assert.is_true(call:ready())
      local answer = call:take()
      assert.same({ 0.25, 0.5 }, clock:waits())
      local log = {}
      for i, attempt in ipairs(answer.log) do
        log[i] = { attempt.timeout, attempt.seconds }
      end
      -- 2 + 0.25 + 2 + 0.5 leave a quarter of a second, and the clock came by later
      assert.same({ { "attempt", 2 }, { "attempt", 2 }, { "deadline", 2 } }, log)
      assert.equal("deadline", answer.timeout)
    end)

    it("is no stall while bytes come", function()
      faults:script { { { drip = reply { body = PAGE }, size = 8, every = 0.05 } } }
      assert.equal(1, #assert(list(zohocrm.new(options { stall_timeout = 1, retries = 0 }))))
    end)

    it("is none when the bytes were there before we came to look", function()
      local clock = core.clock()
      local client = core.client(options { clock = clock, retries = 0 })
      faults:script { reply { body = PAGE } }
      local call = start(client, "quick")
      poll_until(client, function()
        return #faults:received() == 1
      end)
      socket.sleep(0.1)
      clock:advance(3600)
      client:poll(0)
      assert.equal(200, call:take().status)
    end)

    it("has its limit in the error of the public API", function()
      local crm = zohocrm.new(options { retries = 1, stall_timeout = 0.05, max_retry_wait = 0 })
      faults:script { HANG, HANG, HANG, HANG }
      local _, err = list(crm)
      assert.same({ "timeout", "stall", 2, true }, { err.kind, err.timeout, err.attempts, err.retryable })
      assert.equal("list Leads: no byte came or went within stall_timeout (50 ms) (after 2 attempts)", tostring(err))
      _, err = list(crm, { stall_timeout = 5, timeout = 0.05, retries = 0 })
      assert.equal("attempt", err.timeout)
      _, err = list(crm, { stall_timeout = 5, deadline = 0.05, retries = 20 })
      assert.equal("deadline", err.timeout)
    end)
  end)

  describe("a 429", function()
    it("holds the whole client back, and nothing overtakes", function()
      local clock = core.clock { random = { 0.5 } }
      local client = core.client(options { clock = clock })
      faults:script { refusal(5), reply { body = "{}" }, reply { body = "{}" }, reply { body = "{}" } }
      local first = start(client, "1")
      poll_until(client, function()
        return client:limits().waiting == 1
      end, 0)
      local second, third = start(client, "2"), start(client, "3")
      client:poll(0)
      assert.same({ 0, 3, 5 }, { client:limits().in_flight, client:limits().waiting, client:limits().paused_for })
      poll_until(client, function()
        return first:ready() and second:ready() and third:ready()
      end)
      assert.same({ 5 }, clock:waits())
      assert.same({ "/1", "/1", "/2", "/3" }, targets())
      assert.same({ 200, 200, 200 }, { first:take().status, second:take().status, third:take().status })
    end)

    -- A client with a call that was refused, and seven more that wait with it.
    local function refused_client(script)
      local client = core.client(options { clock = core.clock(), concurrency = 4 })
      table.insert(script, 1, refusal(1))
      faults:script(script)
      local calls = { start(client, "1") }
      poll_until(client, function()
        return client:limits().waiting == 1
      end, 0)
      for i = 2, 8 do
        calls[i] = start(client, tostring(i))
      end
      return client, calls
    end

    it("lets one call go alone after the pause", function()
      local client, calls = refused_client { HANG, HANG }
      poll_until(client, function()
        return #faults:received() == 2
      end)
      client:poll(0.01)
      local limits = client:limits()
      assert.same({ 1, 4, 1, 7, 0 },
        { limits.allowed, limits.concurrency, limits.in_flight, limits.waiting, limits.paused_for })
      assert.same({ "/1", "/1" }, targets())
      assert.is_false(calls[1]:ready())
    end)

    it("lets one more go with each good answer", function()
      local good = reply { body = "{}" }
      local client, calls = refused_client { good, good, good, HANG, HANG, HANG, HANG, HANG }
      poll_until(client, function()
        return #faults:received() == 8
      end)
      client:poll(0.01)
      local limits = client:limits()
      assert.same({ 4, 4, 1 }, { limits.allowed, limits.in_flight, limits.waiting })
      assert.is_false(calls[8]:ready())
    end)

    it("is not made up for by answers to what had left before", function()
      local clock = core.clock { random = { 0.5 } }
      local client = core.client(options { clock = clock, concurrency = 4 })
      local late = { { wait = 0.2 }, reply { body = "{}" } }
      faults:script { late, late, refusal(5), HANG }
      local early = { start(client, "1"), start(client, "2") }
      poll_until(client, function()
        return #faults:received() == 2
      end)
      local refused = start(client, "3")
      poll_until(client, function()
        return early[1]:ready() and early[2]:ready() and client:limits().waiting == 1
      end, 0)
      assert.is_false(refused:ready())
      assert.equal(1, client:limits().allowed)
    end)

    it("pauses the client also when it is not repeated itself", function()
      local clock = core.clock { random = { 0.5 } }
      local crm = zohocrm.new(options { clock = clock, retries = 0 })
      faults:script { refusal(5), reply { body = PAGE }, refusal(61), reply { body = PAGE } }
      assert.is_nil((list(crm)))
      assert(list(crm))
      assert.same({ 5 }, clock:waits())
      -- longer than anyone would wait: each call hears of it for itself
      assert.is_nil((list(crm)))
      assert(list(crm))
      assert.same({ 5 }, clock:waits())
    end)
  end)

  describe("a burst of 503", function()
    it("is overcome by every read that met it", function()
      local clock = core.clock { random = { 0.5, 0.25, 0.75 } }
      local client = core.client(options { clock = clock, concurrency = 5 })
      local script = times(12, reply { status = 503 })
      for i = 13, 25 do
        script[i] = reply { body = "{}" }
      end
      faults:script(script)
      local calls = {}
      for i = 1, 10 do
        calls[i] = start(client, tostring(i), { retries = 20 })
      end
      local attempts = 0
      for _, call in ipairs(calls) do
        poll_until(client, function()
          return call:ready()
        end)
        local answer = call:take()
        assert.equal(200, answer.status)
        attempts = attempts + answer.attempts
      end
      assert.equal(22, attempts)
      assert.equal(22, #faults:received())
    end)
  end)

  describe("answers in another order than the requests", function()
    it("reach the calls they belong to", function()
      local client = core.client(options())
      faults:script { { { wait = 0.3 }, reply { body = '{"n":1}' } }, reply { body = '{"n":2}' } }
      local first = start(client, "1")
      poll_until(client, function()
        return #faults:received() == 1
      end)
      local second = start(client, "2")
      poll_until(client, function()
        return second:ready()
      end)
      assert.is_false(first:ready())
      poll_until(client, function()
        return first:ready()
      end)
      assert.same({ 1, 2 }, { first:take().body.n, second:take().body.n })
    end)
  end)

  describe("the virtual clock", function()
    it("stands, goes on when told to, and never back", function()
      local clock = core.clock()
      assert.equal(0, clock:now())
      clock:advance(1.5)
      assert.equal(1.5, clock:now())
      assert.same({}, clock:waits())
      assert.has_error(function()
        clock:advance(-1)
      end)
      assert.matches("^zohocrm.clock %(1%.5", tostring(clock))
    end)

    it("takes random numbers in [0, 1) only", function()
      for _, number in ipairs { -0.1, 1, 0 / 0 } do
        assert.has_error(function()
          core.clock { random = { number } }
        end)
      end
    end)

    it("is one of the core's, or none", function()
      for _, wrong in ipairs { {}, 1, "clock", io.stdout } do
        assert.has_error(function()
          zohocrm.new { api_key = "k", clock = wrong }
        end)
      end
    end)

    it("lives as long as the client does", function()
      local client = core.client(options { clock = core.clock() })
      collectgarbage()
      collectgarbage()
      faults:script { reply { status = 503 }, reply { body = "{}" } }
      local call = start(client, "x")
      poll_until(client, function()
        return call:ready()
      end)
      assert.equal(2, call:take().attempts)
    end)
  end)
end)
