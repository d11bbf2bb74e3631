--- How much a client asks for at once and in a second, and what it knows of what it may still ask for.
local core = require("zohocrm.core")
local doors = require("spec.support.doors")
local fault_server = require("spec.support.fault_server")
local socket = require("socket")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

local reply = fault_server.reply
local EMPTY = reply { body = "{}" }

describe("limits:", function()
  local faults

  setup(function()
    faults = fault_server.start()
  end)

  teardown(function()
    faults:stop()
  end)

  local function options(extra)
    return wire.merged({ api_key = "k", gateway_url = faults.url, control_url = faults.url, rate = 0 }, extra)
  end

  local function serve(count, exchange)
    local script = {}
    for i = 1, count do
      script[i] = exchange
    end
    faults:script(script)
  end

  local function start(client, count)
    local calls = {}
    for i = 1, count do
      calls[i] = client:start { path = { tostring(i) } }
    end
    return calls
  end

  local function poll_until(client, condition)
    local give_up = socket.gettime() + 20
    while not condition() do
      assert(socket.gettime() < give_up, "it never came true")
      client:poll(0.01)
    end
  end

  local function finish(client, calls)
    for _, call in ipairs(calls) do
      poll_until(client, function()
        return call:ready()
      end)
    end
  end

  -- A server to which no connection is ever made: those that nobody accepts fill its queue. Gives its address, and what
  -- has to be kept meanwhile.
  local function deaf_server()
    local listener = assert(socket.bind("127.0.0.1", 0, 0))
    local _, port = listener:getsockname()
    local kept = { listener }
    for i = 2, 4 do
      kept[i] = assert(socket.tcp())
      kept[i]:settimeout(0)
      kept[i]:connect("127.0.0.1", port)
    end
    return "http://127.0.0.1:" .. port, kept
  end

  local function close_all(sockets)
    for _, one in ipairs(sockets) do one:close() end
  end

  describe("the rate", function()
    -- The waits of so many requests, one after the other, all answered at once.
    local function waits(rate, count)
      local clock = core.clock()
      local client = core.client(options { clock = clock, rate = rate })
      serve(count, EMPTY)
      for _ = 1, count do
        finish(client, start(client, 1))
      end
      assert.equal(count, #faults:received())
      return clock:waits()
    end

    it("lets a second's worth go, then waits for the second to end, and a little more", function()
      assert.same({}, waits(4, 4))
      assert.same({ 1.05, 1.05 }, waits(4, 9))
      assert.same({ 1.05 }, waits(10, 20))
    end)

    it("may be a fraction", function()
      assert.same({ 2.05, 2.05 }, waits(0.5, 3))
      assert.same({ 2 / 2.5 + 0.05, 2 / 2.5 + 0.05 }, waits(2.5, 5))
    end)

    it("is 10 where nothing else is said, and none for 0 and false", function()
      assert.equal(10, zohocrm.new({ api_key = "k" }):limits().rate)
      assert.is_nil(zohocrm.new({ api_key = "k", rate = 0 }):limits().rate)
      assert.is_nil(zohocrm.new({ api_key = "k", rate = false }):limits().rate)
      assert.same({}, waits(0, 30))
    end)

    it("counts every window of a second, not only those that begin with a burst", function()
      local clock = core.clock()
      local client = core.client(options { clock = clock, rate = 3 })
      serve(8, EMPTY)
      local left = {}
      for i = 1, 8 do
        finish(client, start(client, 1))
        left[i] = clock:now()
        clock:advance(0.25)
      end
      for i = 4, 8 do
        assert.is_true(left[i] - left[i - 3] > 1, ("requests %d to %d"):format(i - 3, i))
      end
    end)

    it("counts from when the request leaves, not from when its connection is begun", function()
      -- the first request is long in connecting; those after it must still not come with it
      local clock = core.clock()
      local client = core.client(options { gateway_url = faults.url:gsub("^http", "https"), clock = clock, rate = 1, retries = 0 })
      faults:script { { on = "connect", { hang = true } }, { on = "connect", { close = true } } }
      local calls = start(client, 2)
      poll_until(client, function()
        return faults:connections() == 1
      end)
      clock:advance(5)
      client:poll(0)
      assert.same({ 1, 1 }, { client:limits().in_flight, client:limits().waiting })
      clock:advance(5) -- connect_timeout: it never left, so the next one may at once
      finish(client, calls)
      assert.same({}, clock:waits())
      assert.same({ "connect", "network" }, { calls[1]:take().timeout, calls[2]:take().failure })
    end)

    it("is not loosened by an answer that comes while the next request is making its connection", function()
      serve(2, { { wait = 1.3 }, EMPTY })
      local deaf, kept = deaf_server()
      local client = core.client(options { rate = 1, control_url = deaf })
      local first = client:start { path = { "1" } }
      local others = {
        client:start { path = { "2" }, target = "control" }, -- tries to connect after a second
        client:start { path = { "3" } },
      }
      poll_until(client, function()
        return first:ready()
      end)
      local till = socket.gettime() + 0.2
      poll_until(client, function()
        return socket.gettime() > till
      end)
      assert.equal(1, #faults:received())
      assert.same({ 1, 1 }, { client:limits().in_flight, client:limits().waiting })
      assert.same({ false, false }, { others[1]:ready(), others[2]:ready() })
      client:close()
      close_all(kept)
    end)

    it("is not loosened by a request that never leaves, where libcurl has sent another one twice", function()
      faults:script { EMPTY, { { wait = 1.5 }, { close = true } }, { { wait = 3 }, EMPTY }, EMPTY }
      local deaf, kept = deaf_server()
      local client = core.client(options { rate = 1, retries = 0, connect_timeout = 1, control_url = deaf })
      finish(client, start(client, 1))
      local calls = {
        client:start { path = { "2" } }, -- on the kept connection, which dies after 1.5 s: libcurl sends it again
        client:start { path = { "3" }, target = "control" }, -- tries to connect a second later; fails a second after that
        client:start { path = { "4" } },
      }
      local came = {}
      poll_until(client, function()
        local count = #faults:received()
        came[count] = came[count] or socket.gettime()
        return count == 4
      end)
      assert.is_true(came[4] - came[3] > 0.9, came[4] - came[3])
      finish(client, { calls[3] })
      client:close()
      close_all(kept)
    end)

    it("counts what is sent again, too", function()
      local clock = core.clock { random = { 0 } }
      local client = core.client(options { clock = clock, rate = 2 })
      faults:script { reply { status = 503 }, reply { status = 503 }, reply { status = 503 }, EMPTY }
      finish(client, start(client, 1))
      assert.same({ 1.05 }, clock:waits())
    end)

    it("keeps a server that is strict from refusing anything", function()
      local sandbox = doors[2].start { rate = 4, records = 1 }
      finally(function()
        sandbox.stop()
      end)
      local seen = {}
      local crm = zohocrm.new(wire.merged(sandbox.client_options, {
        rate = 4, on_request = function(info)
          seen[#seen + 1] = info.status
        end,
      }))
      for _ = 1, 10 do
        assert(crm:org())
      end
      assert.same({ 200, 200, 200, 200, 200, 200, 200, 200, 200, 200 }, seen)
    end)
  end)

  describe("the concurrency", function()
    it("is how many are under way at once; the others wait their turn", function()
      local client = core.client(options { concurrency = 3 })
      serve(5, { { hang = true } })
      local calls = start(client, 5)
      poll_until(client, function()
        return #faults:received() == 3
      end)
      client:poll(0.05)
      local limits = client:limits()
      assert.same({ 3, 3, 3, 2 }, { limits.concurrency, limits.allowed, limits.in_flight, limits.waiting })
      calls[1]:cancel()
      poll_until(client, function()
        return #faults:received() == 4
      end)
      assert.same({ 3, 1 }, { client:limits().in_flight, client:limits().waiting })
      assert.equal("/4", faults:received()[4].target)
    end)

    it("gives turns in the order of starting", function()
      local client = core.client(options { concurrency = 1 })
      serve(20, EMPTY)
      finish(client, start(client, 20))
      local seen, expected = {}, {}
      for i, request in ipairs(faults:received()) do
        seen[i], expected[i] = request.target, "/" .. i
      end
      assert.equal(20, #seen)
      assert.same(expected, seen)
    end)

    it("lets a call that backs off go first when its time has come", function()
      local clock = core.clock { random = { 0.5 } }
      local client = core.client(options { concurrency = 1, clock = clock })
      faults:script { reply { status = 503 }, EMPTY, EMPTY, EMPTY }
      local calls = start(client, 2) -- the second goes while the first backs off
      finish(client, { calls[2] })
      calls[3] = client:start { path = { "3" } }
      clock:advance(0.25)
      finish(client, calls)
      local seen = {}
      for i, request in ipairs(faults:received()) do
        seen[i] = request.target
      end
      assert.same({ "/1", "/2" }, { seen[1], seen[2] })
      assert.equal(4, #seen)
    end)

    it("never lets a deadline pass unnoticed in the queue", function()
      local clock = core.clock()
      local client = core.client(options { concurrency = 1, clock = clock, retries = 0 })
      serve(1, { { hang = true } })
      local first = client:start { path = { "1" } }
      local second = client:start { path = { "2" }, deadline = 3 }
      clock:advance(2.875)
      client:poll(0)
      assert.is_false(second:ready())
      clock:advance(0.125)
      client:poll(0)
      local answer = second:take()
      assert.same({ "timeout", "deadline", false, true, 0 },
        { answer.failure, answer.timeout, answer.sent, answer.transient, answer.attempts })
      assert.is_false(first:ready())
    end)

    it("sends nothing in the last millisecond of a deadline", function()
      local clock = core.clock { random = { 0.5 } }
      local client = core.client { offline = true, rate = 0, clock = clock }
      local short = client:start { path = "/", deadline = 0.0009765625 } -- a fraction that doubles have exactly: 2^-10
      assert.is_false(short:parked())
      assert.is_false(short:ready()) -- it has not passed yet
      client:poll(1)
      local answer = short:take()
      assert.same({ "timeout", "deadline", false, 0 }, { answer.failure, answer.timeout, answer.sent, answer.attempts })
      assert.same({ 0.0009765625 }, clock:waits())

      local enough = client:start { path = "/", deadline = 0.0625 }
      assert.is_true(enough:parked())
      enough:cancel()
    end)

    it("waits for no attempt that would begin in the last millisecond of a deadline", function()
      for deadline, repeated in pairs { [0.25048828125] = false, [0.251953125] = true } do -- the wait is 0.25
        local client = core.client { offline = true, rate = 0, clock = core.clock { random = { 0.5 } } }
        local call = client:start { path = "/", deadline = deadline }
        call:answer(503, "", "")
        assert.equal(repeated, not call:ready())
        if not repeated then
          assert.equal(503, call:take().status)
        end
      end
    end)
  end)

  describe("crm:limits()", function()
    it("of a new client has its own settings only", function()
      local crm = zohocrm.new { api_key = "k", rate = 2.5, concurrency = 7 }
      assert.same({ rate = 2.5, concurrency = 7, allowed = 7, in_flight = 0, waiting = 0, paused_for = 0 }, crm:limits())
    end)

    it("says how long a pause lasts", function()
      local clock = core.clock()
      local crm = zohocrm.new(options { clock = clock, retries = 0 })
      faults:script { reply { status = 429, headers = { ["Retry-After"] = "20" } } }
      crm:org()
      clock:advance(5)
      assert.same({ 15, 1 }, { crm:limits().paused_for, crm:limits().allowed })
      clock:advance(60)
      assert.equal(0, crm:limits().paused_for)
    end)

    it("has the headers of the last answer that had them", function()
      local clock = core.clock()
      local crm = zohocrm.new(options { clock = clock })
      faults:script {
        reply { body = '{"org":[{}]}', headers = { ["X-API-CREDITS-REMAINING"] = "2468", ["X-RATELIMIT-LIMIT"] = "100",
          ["X-RateLimit-Remaining"] = "99", ["X-RATELIMIT-RESET"] = "59000" } },
        reply { body = '{"org":[{}]}' },
        reply { body = '{"org":[{}]}', headers = { ["X-API-CREDITS-REMAINING"] = "many" } },
        reply { status = 400, body = "{}", headers = { ["X-API-CREDITS-REMAINING"] = "0" } },
      }
      local function signals()
        local limits = crm:limits()
        return { limits.credits_remaining, limits.credits_age, limits.ratelimit_limit, limits.ratelimit_remaining,
          limits.ratelimit_reset }
      end
      assert(crm:org())
      clock:advance(3)
      assert.same({ 2468, 3, 100, 99, 59000 }, signals())
      assert.is_true(wire.is_integer(crm:limits().credits_remaining))
      assert(crm:org())
      assert(crm:org())
      assert.same({ 2468, 3, 100, 99, 59000 }, signals())
      assert.is_nil((crm:org()))
      assert.same({ 0, 0, 100, 99, 59000 }, signals())
    end)

    for _, door in ipairs(doors) do
      it("counts credits down from the half on, " .. door.name, function()
        local sandbox = door.start { credits = 20, records = 1 }
        finally(function()
          sandbox.stop()
        end)
        local crm = wire.client(sandbox)
        assert(crm:org())
        assert.is_nil(crm:limits().credits_remaining)
        local records = {}
        for i = 1, 91 do
          records[i] = { Last_Name = "L" .. i }
        end
        assert.equal(91, crm.Leads:create(records).succeeded)
        assert.equal(9, crm:limits().credits_remaining)
        assert.is_true(crm:limits().credits_age >= 0)
        for _ = 1, 9 do
          assert(crm:org())
        end
        assert.equal(0, crm:limits().credits_remaining)
        local _, err = crm:org()
        assert.same({ "rate_limited", "TOO_MANY_REQUESTS" }, { err.kind, err.code })
        assert.equal(0, crm:limits().in_flight)
      end)
    end

    it("is called with a colon, and not of a closed client", function()
      local crm = zohocrm.new { api_key = "k" }
      wire.raises(function()
        crm.limits()
      end, "call it as crm:limits(…), with a colon")
      crm:close()
      assert.has_error(function()
        crm:limits()
      end)
    end)
  end)
end)
