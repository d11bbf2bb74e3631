--- Event loops: calls in coroutines of luv, cqueues and copas wait without the loop having to.
local doors = require("spec.support.doors")
local fault_server = require("spec.support.fault_server")
local loops = require("spec.support.loops")
local raises = require("spec.support.raises")

local is_luajit = rawget(_G, "jit") ~= nil
for _, loop in ipairs(loops) do loop.load() end -- copas before anything that brings socket.http
local zohocrm = require("zohocrm")
local now = require("zohocrm.core").now
local reply = fault_server.reply

local function open_files()
  local stat = assert(io.open("/proc/self/stat"))
  local pipe = assert(io.popen("ls /proc/" .. stat:read("*n") .. "/fd | wc -l"))
  stat:close()
  local count = pipe:read("*n")
  pipe:close()
  return count
end

-- Runs f in a coroutine of the loop; gives what it gave.
local function inside(loop, f)
  local results
  loop.start(function() results = { f() } end)
  loop.run()
  assert(results, "the coroutine has not come to its end")
  return (table.unpack or unpack)(results) -- luacheck: ignore 113 143
end

-- Counts how often a loop is woken for a client.
local function count_wakes(name)
  local own = require("zohocrm.hosts.loop").open(name)
  local tick, count = own.tick, 0
  function own:tick(client) -- luacheck: ignore 432
    count = count + 1
    return tick(self, client)
  end
  return function()
    own.tick = nil
    return count
  end
end

for _, loop in ipairs(loops) do
  for _, door in ipairs(doors) do
    describe("in a coroutine of " .. loop.name .. ", " .. door.name .. ",", function()
      local sandbox, crm

      setup(function() sandbox = door.start { records = { Leads = 450, Deals = 30 } } end)
      teardown(function() sandbox.stop() end)

      local function client(more)
        local given = sandbox.client_options
        given.rate, given.host = 0, loop.name
        for name, value in pairs(more or {}) do given[name] = value end
        return zohocrm.new(given)
      end

      before_each(function()
        sandbox.reset()
        if sandbox.set_latency then sandbox.set_latency(0) end
        crm = client()
      end)
      after_each(function() crm:close() end)

      it("every call reads as ever", function()
        local seen = inside(loop, function()
          local all = assert(crm.Leads:all { fields = "id" })
          local each, told = 0, 0
          for lead in crm.Leads:each { fields = "id" } do each = each + (lead.id and 1 or 0) end
          local made = assert(crm.Leads:create { Last_Name = "Smith", Company = "Acme" })
          local left = 350
          local function source()
            left = left - 1
            return left >= 0 and { Last_Name = "L" .. left, Company = "Acme" } or nil
          end
          local outcome = crm.Leads:create(source, { progress = function(done) told = done end })
          local leads, deals = assert(zohocrm.gather(function() return crm.Leads:list { fields = "id" } end,
            function() return crm.Deals:all { fields = "id" } end))
          assert(crm.Leads:delete(made.id))
          local missing = select(2, crm.Leads:get(made.id))
          return { all = #all, each = each, succeeded = outcome.succeeded, told = told, leads = #leads, deals = #deals,
            missing = missing.kind }
        end)
        assert.same({ all = 450, each = 450, succeeded = 350, told = 350, leads = 200, deals = 30, missing = "not_found" },
          seen)
      end)

      it("a call outside of coroutines has its answer, too", function()
        assert.is_string(assert(crm:org()).id)
        assert.equal(450, #assert(crm.Leads:all { fields = "id" }))
        local leads, deals = assert(zohocrm.gather(function() return crm.Leads:list { fields = "id" } end,
          function() return crm.Deals:all { fields = "id" } end))
        assert.equal(200, #leads)
        assert.equal(30, #deals)
      end)

      it("tasks are moved on by the loop", function()
        local count, task = 0, nil
        inside(loop, function()
          task = crm:spawn(function()
            for _ in crm.Leads:each { fields = "id" } do count = count + 1 end
            coroutine.yield()
            return "whole"
          end)
          assert(crm:org()) -- cqueues: its controller has to know the client
          return task:wait()
        end)
        assert.equal(450, count)
        assert.equal("whole", (task:result()))
      end)

      it("run waits for tasks, in a coroutine and outside", function()
        local order = {}
        local function work(i)
          assert(crm:org())
          order[#order + 1] = i
        end
        inside(loop, function()
          crm:spawn(work, 1)
          crm:spawn(function() error("a mistake", 0) end)
          local fine, err, failed = crm:run()
          assert.is_nil(fine)
          assert.matches("^a mistake", err)
          assert.equal(1, failed)
        end)
        assert.same({ 1 }, order)
        crm:spawn(work, 2)
        crm:spawn(work, 3)
        assert.is_true(crm:run())
        assert.equal(3, #order)
      end)

      it("a producer of one's own may call the client", function()
        local coroutine = zohocrm.coroutine -- luacheck: ignore 431
        local ids = inside(loop, function()
          local list = {}
          local produce = coroutine.wrap(function()
            for lead in crm.Leads:each { fields = "id", per_page = 100 } do coroutine.yield(lead.id) end
          end)
          for id in produce do list[#list + 1] = id end
          return list
        end)
        assert.equal(450, #ids)
      end)

      if door.name ~= "in process" then
        it("other work of the loop goes on, and other calls", function()
          sandbox.set_latency(0.4)
          local beats, most = 0, 0
          loop.beat(function()
            beats = beats + 1
            most = math.max(most, crm:limits().in_flight)
          end)
          for _ = 1, 4 do loop.start(function() assert(crm:org()) end) end
          loop.run()
          assert.is_true(beats >= 5, beats .. " beats")
          assert.equal(4, most)
        end)

        it("a wait costs a handful of wake-ups", function()
          inside(loop, function() assert(crm:org()) end) -- the connection is there
          sandbox.set_latency(0.3)
          local count = count_wakes(loop.name)
          inside(loop, function() assert(crm:org()) end)
          local wakes = count()
          assert.is_true(wakes >= 1 and wakes <= 30, wakes .. " wake-ups")
        end)

        it("a gather in it, and tasks, let others go on", function()
          sandbox.set_latency(0.3)
          local beats, during = 0, {}
          loop.beat(function() beats = beats + 1 end)
          loop.start(function()
            local before = beats
            assert(zohocrm.gather(function() return crm:org() end, function() return crm:roles() end))
            during[1], before = beats - before, beats
            crm:spawn(function() return crm:org() end)
            assert(crm:run())
            during[2] = beats - before
          end)
          loop.run()
          assert.is_true(during[1] >= 2 and during[2] >= 2, during[1] .. " and " .. during[2] .. " beats")
        end)
      end

      it("closing the client ends the waits", function()
        if sandbox.set_latency then sandbox.set_latency(2) end
        local kinds, begun = {}, 0
        loop.beat(function()
          if begun == 3 then crm:close() end
        end)
        for i = 1, 3 do
          loop.start(function()
            begun = begun + 1
            local answer, err = crm:org()
            kinds[i] = answer and "answer" or err.kind
          end)
        end
        loop.run()
        local expected = sandbox.set_latency and "cancelled" or "answer"
        assert.equal(3, #kinds)
        for i = 1, 3 do assert.is_true(kinds[i] == expected or kinds[i] == "cancelled", kinds[i]) end
      end)

      it("a client that is not used any more goes, with its descriptors", function()
        local weak = setmetatable({}, { __mode = "k" })
        local function use()
          local other = client()
          weak[other] = true
          inside(loop, function() assert(other:org()) end)
        end
        local function rest()
          loop.run() -- loops remember what they did last
          for _ = 1, 3 do collectgarbage() end
        end
        use()
        rest()
        local before = open_files()
        for _ = 1, 8 do use() end
        rest()
        assert.is_nil(next(weak))
        local after = open_files() -- the last one may still stand on a stack: two each
        assert.is_true(after < before + 8, ("%d descriptors were open, now %d"):format(before, after))
      end)
    end)
  end

  describe("with " .. loop.name .. " and a server that misbehaves,", function()
    local faults, crm

    setup(function() faults = fault_server.start() end)
    teardown(function() faults:stop() end)

    local function client(more)
      local given = { api_key = "key", gateway_url = faults.url, control_url = faults.url, host = loop.name, rate = 0 }
      for name, value in pairs(more or {}) do given[name] = value end
      return zohocrm.new(given)
    end

    after_each(function() crm:close() end)

    local EMPTY = reply { body = '{"org":[{"id":"1"}]}' }

    it("a call is repeated after its back-off", function()
      crm = client()
      faults:script { reply { status = 503, headers = { ["Retry-After"] = "1" } }, { { close = true } }, EMPTY }
      local beats = 0
      loop.beat(function() beats = beats + 1 end)
      local org, err = inside(loop, function() return crm:org() end)
      assert.equal("1", org and org.id, tostring(err))
      assert.equal(3, #faults:received())
      assert.is_true(beats >= 5, beats .. " beats")
    end)

    it("limits end calls, and the rate is kept", function()
      crm = client { rate = 4, retries = 0 }
      faults:script { { { hang = true } }, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY }
      local count = count_wakes(loop.name)
      local began, kinds = now(), {}
      for i = 1, 6 do
        loop.start(function()
          local org, err = crm:org { timeout = 0.5 }
          kinds[#kinds + 1] = org and "fine" or err.kind
          assert.is_true(i > 0)
        end)
      end
      loop.run()
      table.sort(kinds)
      assert.same({ "fine", "fine", "fine", "fine", "fine", "timeout" }, kinds)
      assert.is_true(now() - began >= 0.9)
      local wakes = count()
      assert.is_true(wakes <= 100, wakes .. " wake-ups")
    end)

    it("connections come and go, and so do other files of the process", function()
      crm = client()
      local script = {}
      for i = 1, 40 do script[i] = { reply { headers = { Connection = "close" }, body = '{"org":[{"id":"1"}]}' }, { close = true } } end
      faults:script(script)
      local files = {}
      for _ = 1, 4 do
        loop.start(function()
          for _ = 1, 10 do
            assert(crm:org())
            files[#files % 7 + 1] = io.open("/dev/null") -- takes the number of a socket that was closed
          end
        end)
      end
      loop.run()
      assert.equal(40, #faults:received())
    end)

    it("a call that was cancelled makes room for the next", function()
      crm = client { concurrency = 1, retries = 0 }
      faults:script { { { hang = true } }, EMPTY }
      inside(loop, function()
        local task = crm:spawn(function() return crm:org() end)
        repeat -- or the next one would meet what hangs
          crm:step()
          require("socket").sleep(0.005)
        until #faults:received() == 1
        local other = crm:spawn(function() return crm:org() end)
        crm:step()
        assert.is_true(task:cancel())
        assert.equal("1", assert(other:wait()).id)
      end)
    end)

    it("a gather goes on with a client that knows no loop while one that does takes long", function()
      crm = client()
      local others = fault_server.start()
      local plain = zohocrm.new { api_key = "key", gateway_url = others.url, control_url = others.url, rate = 0 }
      faults:script { { { wait = 1 }, EMPTY } }
      others:script { { { wait = 0.05 }, EMPTY }, { { wait = 0.05 }, EMPTY } }
      local order = {}
      inside(loop, function()
        zohocrm.gather(function()
          assert(crm:org())
          order[#order + 1] = "slow"
        end, function()
          assert(plain:org())
          assert(plain:org())
          order[#order + 1] = "quick"
        end)
      end)
      plain:close()
      others:stop()
      assert.same({ "quick", "slow" }, order)
    end)

    it("after an error of the sandbox's own, calls and tasks go on", function()
      local sandbox, raised = require("zohocrm.sandbox").new(), false
      crm = zohocrm.new { host = loop.name, sandbox = {
        api_key = sandbox.api_key,
        handle = function(_, request)
          if not raised then
            raised = true
            error("a mistake", 0)
          end
          return sandbox:handle(request)
        end,
      } }
      local err, org, task = inside(loop, function()
        local _, mistake = pcall(crm.org, crm)
        return mistake, crm:org(), crm:spawn(function() return crm:org() end)
      end)
      assert.equal("a mistake", err)
      assert.is_string(org.id)
      assert.equal(org.id, task:done() and task:result().id)
    end)

    it("a task waits for another client, which knows no loop", function()
      crm = client()
      local plain = client()
      plain:close()
      plain = zohocrm.new { api_key = "key", gateway_url = faults.url, control_url = faults.url, rate = 0 }
      faults:script { { { wait = 0.1 }, EMPTY }, { { wait = 0.1 }, EMPTY } }
      local ids = inside(loop, function()
        local list = {}
        local task = crm:spawn(function()
          list[1] = assert(plain:org()).id
          list[2] = assert(crm:org()).id
        end)
        task:wait()
        return list
      end)
      plain:close()
      assert.same({ "1", "1" }, ids)
    end)
  end)
end

describe("the option host", function()
  it("takes the names that there are", function()
    raises(function() zohocrm.new { sandbox = true, host = "node" } end,
      "^spec/loops_spec.lua:%d+: zohocrm.new: host cannot be 'node'; choose one of 'luv', 'cqueues', 'copas'")
  end)

  it("refuses a clock of one's own", function()
    raises(function() zohocrm.new { sandbox = true, host = "luv", clock = require("zohocrm.core").clock() } end,
      "^spec/loops_spec.lua:%d+: zohocrm.new: clock cannot be used with host")
  end)

  if not is_luajit then
    it("says what is missing", function()
      raises(function() zohocrm.new { sandbox = true, host = "copas" } end,
        '^spec/loops_spec.lua:%d+: zohocrm.new: host = "copas" needs the library copas, which Lua 5.4 does not find '
        .. "%(Debian: apt install lua%-copas, for LuaJIT only; LuaRocks: luarocks install copas%)")
    end)
  end
end)

describe("luv", function()
  it("tells of an error in a coroutine as of any in its callbacks", function()
    local i = 0
    while arg and arg[i - 1] do i = i - 1 end
    local pipe = assert(io.popen((arg and arg[i] or "lua5.4") .. [[ -e '
      local crm = require("zohocrm").new { sandbox = true, host = "luv" }
      coroutine.wrap(function()
        assert(crm:org())
        error("my mistake")
      end)()
      require("luv").run()' 2>&1]]))
    local output = pipe:read("*a")
    pipe:close()
    assert.matches("my mistake\nstack traceback:", output)
  end)

  if coroutine.close then -- luacheck: ignore 143 (5.4 only)
    it("does without a coroutine that was closed while it waited", function()
      local crm = zohocrm.new { sandbox = true, host = "luv" }
      local waiting = coroutine.create(function() return crm:org() end)
      local id
      assert(coroutine.resume(waiting))
      coroutine.close(waiting) -- luacheck: ignore 143
      coroutine.wrap(function() id = assert(crm:org()).id end)()
      require("luv").run()
      assert.is_string(id)
      crm:close()
    end)
  end
end)

describe("luv's callbacks", function()
  local uv = require("luv")

  it("cannot wait, and say so", function()
    local crm = zohocrm.new { sandbox = true, host = "luv" }
    local message
    local timer = uv.new_timer()
    timer:start(0, 0, function()
      message = raises(function() crm:org() end, "^spec/loops_spec.lua:%d+: a callback of the loop cannot wait: make the call in a coroutine")
      timer:close()
    end)
    uv.run()
    assert.is_string(message)
    local answer
    timer = uv.new_timer()
    timer:start(0, 0, function()
      crm:spawn(function() answer = crm:org() end)
      timer:close()
    end)
    uv.run()
    assert.is_string(answer.id)
    crm:close()
  end)
end)

describe("cqueues' controllers", function()
  it("may be several, one in the other", function()
    local cqueues = require("cqueues")
    local crm = zohocrm.new { sandbox = true, host = "cqueues" }
    local outer, inner = cqueues.new(), cqueues.new()
    local seen = 0
    local function call()
      for _ = 1, 3 do
        assert(crm:org())
        seen = seen + 1
      end
    end
    outer:wrap(call)
    inner:wrap(call)
    outer:wrap(function() assert(inner:loop()) end)
    assert(outer:loop())
    assert.equal(6, seen)
    crm:close()
  end)
end)
