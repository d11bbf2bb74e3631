--- Errors and collections at the worst moment: in the caller's functions, in finalizers. Nothing crashes, hangs or is
--- lost (run by make asan and make valgrind, too).
local child = require("spec.support.child")
local core = require("zohocrm.core")
local doors = require("spec.support.doors")
local fault_server = require("spec.support.fault_server")
local socket = require("socket")
local zohocrm = require("zohocrm")

local LEADS = 450
local is_54 = coroutine.close ~= nil -- luacheck: ignore 143
local has_jit = rawget(_G, "jit")

-- Something whose finalizer is f.
local function finalized(f)
  if newproxy then -- luacheck: ignore 113
    local proxy = newproxy(true) -- luacheck: ignore 113
    getmetatable(proxy).__gc = f
    return proxy
  end
  return setmetatable({}, { __gc = f })
end

-- Calls f again and again by the collector, until `stop` is called.
local function trap(f)
  local armed = true
  local function spring()
    if armed then
      finalized(spring)
      f()
    end
  end
  finalized(spring)
  return function() armed = false end
end

local function leads(count)
  local list = {}
  for i = 1, count do list[i] = { Last_Name = "Smith " .. i } end
  return list
end

describe("at the edges,", function()
  local sandbox, crm, ids

  local function new(options)
    local given = sandbox.client_options
    given.rate, given.retries = 0, 0
    for name, value in pairs(options or {}) do given[name] = value end
    return zohocrm.new(given)
  end

  setup(function()
    sandbox = doors[2].start { records = { Leads = LEADS } }
    ids = {}
    for i, lead in ipairs(assert(new():module("Leads"):all { fields = "id" })) do ids[i] = lead.id end
  end)
  teardown(function() sandbox.stop() end)
  before_each(function()
    sandbox.reset()
    crm = new()
  end)
  after_each(function()
    crm:close()
    collectgarbage()
    collectgarbage()
  end)

  local function count(walk)
    local seen = 0
    for _ in walk do seen = seen + 1 end
    return seen
  end

  -- ---- the caller's functions --------------------------------------------------------------------------------------

  local unspeakable = setmetatable({}, { __tostring = function() error("no name") end })

  describe("an error", function()
    for name, thrown in pairs { ["a string"] = "oh", ["an object"] = {}, ["an object without a name"] = unspeakable } do
      local function throw() error(thrown, 0) end

      it(("that is %s, in on_request, costs no answer"):format(name), function()
        crm = new { on_request = throw }
        assert.equal(ids[1], assert(crm.Leads:get(ids[1])).id)
        assert.equal(LEADS, count(crm.Leads:each { fields = "id" }))
        assert.equal(150, crm.Leads:create(leads(150)).succeeded)
      end)

      it(("that is %s, in a function of a bulk write, is raised, and the client goes on"):format(name), function()
        local function all_but(position)
          local i = 0
          return function()
            i = i + 1
            if i == position then throw() end
            return { Last_Name = "Smith" }
          end
        end
        for _, call in ipairs {
          function() crm.Leads:create(leads(250), { on_result = throw }) end,
          function() crm.Leads:create(leads(250), { progress = throw }) end,
          function() crm.Leads:create(all_but(250)) end,
        } do
          local fine, raised = pcall(call)
          assert.is_true(not fine and rawequal(thrown, raised))
          local task = crm:spawn(call)
          crm:run()
          local result, err = task:result()
          assert.is_nil(result)
          assert.is_true(rawequal(thrown, err) or err:find("oh", 1, true) == 1)
          assert.equal(0, crm:limits().in_flight)
          assert.equal(ids[1], assert(crm.Leads:get(ids[1])).id)
        end
      end)

      it(("that is %s, in a task or a loop, ends no other"):format(name), function()
        crm:spawn(throw)
        crm:spawn(function() for _ in crm.Leads:each { fields = "id" } do throw() end end)
        local other = crm:spawn(function() return count(crm.Leads:each { fields = "id" }) end)
        local fine, first, failed = crm:run()
        assert.is_nil(fine)
        assert.is_not_nil(first)
        assert.equal(2, failed)
        assert.equal(LEADS, other:result())
      end)
    end

    it("in finalizers, in the midst of everything, does no harm", function()
      if has_jit then has_jit.off() end -- this LuaJIT may crash by itself where one is raised in compiled code
      local warn = rawget(_G, "warn")
      if warn then warn("@off") end
      local runs = 0
      local stop = trap(function()
        runs = runs + 1
        error(unspeakable)
      end)
      for _ = 1, 5 do -- Lua 5.4 warns; LuaJIT raises it wherever it is just then
        pcall(count, crm.Leads:each { fields = "id" })
        pcall(crm.Leads.create, crm.Leads, leads(150))
        crm:spawn(function() crm.Leads:list { fields = "id" } end)
        pcall(crm.run, crm)
        pcall(collectgarbage)
      end
      stop()
      for _ = 1, 3 do pcall(collectgarbage) end
      assert.is_true(runs > 0)
      while crm:step() > 0 do end
      assert.equal(0, crm:limits().in_flight)
      assert.equal(ids[1], assert(crm.Leads:get(ids[1])).id)
      if has_jit then has_jit.on() end
    end)
  end)

  describe("in a function of the caller's,", function()
    -- Does `act` in each of them; what follows must come to an end, in whatever way.
    local function everywhere(act)
      for _, place in ipairs { "on_request", "on_result", "progress", "iterator", "walk", "scan", "task" } do
        local own
        local function here() act(own) end
        own = new { on_request = place == "on_request" and here or nil }
        local beside = own:spawn(function() return count(own.Leads:each { fields = "id" }) end)
        local i = 0
        local function source()
          i = i + 1
          if i == 150 then here() end
          return i <= 250 and { Last_Name = "Smith" } or nil
        end
        local calls = {
          on_request = function() return own.Leads:list { fields = "id" } end,
          on_result = function() return own.Leads:create(leads(250), { on_result = here }) end,
          progress = function() return own.Leads:create(leads(250), { progress = here }) end,
          iterator = function() return own.Leads:create(source) end,
          walk = function() for _ in own.Leads:each { fields = "id" } do here() end end,
          scan = function() for _ in own.Leads:scan { fields = "id", parallel = 2 } do here() end end,
          task = function() return assert(own:spawn(here)) and own:run() end,
        }
        pcall(calls[place])
        own:run()
        assert.is_true(beside:done(), place)
        own:close()
      end
    end

    it("step and run move the others on", function()
      everywhere(function(own) own:step() end)
      everywhere(function(own) own:step { budget = 0.0001 } end)
      everywhere(function(own) own:run() end)
    end)

    it("calls and gather work", function()
      local made = 0
      everywhere(function(own)
        if made < 100 then -- not once for each of hundreds of records
          made = made + 1
          assert(zohocrm.gather(function() return own.Leads:get(ids[1]) end, function() return own.Leads:get(ids[2]) end))
        end
      end)
      assert.is_true(made > 6)
    end)

    it("close ends everything in order", function()
      everywhere(function(own) own:close() end)
    end)

    it("close tells a bulk write's records apart: what was done, and what was not", function()
      local outcome = crm.Leads:create(leads(350), { on_result = function() crm:close() end })
      assert.equal(350, outcome.total)
      assert.is_true(outcome.succeeded >= 100)
      for i, result in ipairs(outcome) do
        assert.is_true(result.ok or result.error.kind == "cancelled", i)
      end
    end)

    it("close makes a walk fail, rather than end early", function()
      local seen = 0
      local fine, err = pcall(function()
        for _ in crm.Leads:each { fields = "id" } do
          seen = seen + 1
          crm:close()
        end
      end)
      assert.is_false(fine)
      assert.matches("closed", tostring(err), 1, true)
      assert.is_true(seen >= 200 and seen < LEADS)
    end)
  end)

  -- ---- the collector -----------------------------------------------------------------------------------------------

  describe("a client that is forgotten", function()
    it("is collected with tasks, walks, writes and calls that wait, and its connections end", function()
      local faults = fault_server.start()
      local script = {}
      for i = 1, 20 do script[i] = { { hang = true } } end
      faults:script(script)
      local weak = setmetatable({}, { __mode = "v" })
      do
        local own = zohocrm.new { api_key = "k", gateway_url = faults.url .. "/zoho-crm", rate = 0 }
        own:spawn(function() for _ in own.Leads:each { fields = "id" } do coroutine.yield() end end)
        own:spawn(function() own.Leads:create(leads(250)) end)
        own:spawn(function() zohocrm.gather(function() own:org() end, function() own.Leads:get "1" end) end)
        own:spawn(function() for _ in own.Leads:scan { fields = "id", parallel = 3 } do coroutine.yield() end end)
        local till = socket.gettime() + 20
        repeat own:step() until #faults:received() >= 8 or socket.gettime() > till
        assert.is_true(#faults:received() >= 8)
        weak[1] = own
      end
      for _ = 1, 4 do collectgarbage() end
      assert.is_nil(weak[1])
      local till = socket.gettime() + 20
      while select(2, faults:connections()) > 0 and socket.gettime() < till do socket.sleep(0.01) end
      assert.equal(0, (select(2, faults:connections())))
      faults:stop()
    end)
  end)

  describe("the collector may run", function()
    local function everything()
      local tasks = {}
      for i = 1, 3 do
        tasks[i] = crm:spawn(function() return count(crm.Leads:each { fields = "id" }) end)
      end
      local write = crm:spawn(function() return crm.Leads:update({ { id = ids[1], City = "Oslo" }, { id = ids[2], City = "Bern" } }) end)
      while crm:step { budget = 0.0005 } > 0 do end
      for i = 1, 3 do assert.equal(LEADS, (tasks[i]:result())) end
      assert.equal(2, (write:result()).succeeded)
      assert.equal(LEADS, count(crm.Leads:scan { fields = "id", parallel = 3 }))
    end

    after_each(function()
      debug.sethook()
      collectgarbage("restart")
      if is_54 then collectgarbage("incremental", 200, 100) end
      if has_jit then has_jit.on() end
    end)

    for _, every in ipairs { 997, 5003 } do
      it(("every %d instructions"):format(every), function()
        if has_jit then has_jit.off() end -- compiled code calls no hooks
        local runs = 0
        debug.sethook(function()
          runs = runs + 1
          collectgarbage(runs % 10 == 0 and "collect" or "step")
        end, "", every)
        everything()
        debug.sethook()
        assert.is_true(runs > 0)
      end)
    end

    it("all the time, by generations or step by step", function()
      if is_54 then
        collectgarbage("generational", 1, 1) -- luacheck: ignore 143
        everything()
        collectgarbage("incremental", 1, 1000) -- luacheck: ignore 143
      else
        collectgarbage("setpause", 1)
        collectgarbage("setstepmul", 1000)
      end
      everything()
      if not is_54 then
        collectgarbage("setpause", 200)
        collectgarbage("setstepmul", 200)
      end
    end)
  end)

  -- ---- finalizers that are hostile ---------------------------------------------------------------------------------

  describe("a finalizer", function()
    local offline

    before_each(function() offline = core.client { offline = true, api_key = "k" } end)
    after_each(function()
      collectgarbage("setpause", 200)
      collectgarbage("setstepmul", 200)
    end)

    -- Collects as often as it can.
    local function hurry()
      collectgarbage("setpause", 100)
      collectgarbage("setstepmul", 1000)
    end

    local close_it = is_54 and load("local call = ... do local closing <close> = call end") or function() end -- luacheck: ignore 113
    -- In an interpreter of its own: where there is little else to collect, the collector comes by more often.
    it("cannot close or take a call that is being taken", function()
      local status, output = child.run [[
        local core = require "zohocrm.core"
        local offline = core.client { offline = true, api_key = "k" }
        local close_it = coroutine.close and load "local call = ... do local c <close> = call end" or function() end
        local rows = {}
        for i = 1, 1500 do rows[i] = ('{"id":"%d","Name":"%d","List":[1,2,3],"Other":"x%d"}'):format(i, i, i) end
        local body = '{"data":[' .. table.concat(rows, ",") .. "]}"
        local call, begun, tries = nil, false, 0
        local function spring()
          if newproxy then getmetatable(newproxy(true)).__gc = spring else setmetatable({}, { __gc = spring }) end
          if begun then
            tries = tries + 1
            for _, f in ipairs { close_it, call.take, call.cancel, call.request } do pcall(f, call) end
            pcall(call.decode, call, 1)
            pcall(offline.poll, offline, 0)
          end
        end
        spring()
        collectgarbage("setpause", 50)
        collectgarbage("setstepmul", 1000)
        for _ = 1, 10 do
          call = offline:start { path = { "a" } }
          call:answer(200, "X-A: 1\r\n", body)
          begun = true
          local fine, answer = pcall(call.take, call)
          begun = false
          assert(fine, answer)
          assert(#answer.body.data == 1500)
        end
        assert(tries > 0)]]
      assert.equal(0, status, output)
    end)

    it("cannot answer and take a call whose request is being read", function()
      local headers = {}
      for i = 1, 200 do headers["X-Header-" .. i] = ("v"):rep(100) .. i end
      for _ = 1, 20 do
        local call = offline:start { path = { ("a"):rep(1000) }, headers = headers, body = { text = ("b"):rep(1000) } }
        local stop = trap(function()
          pcall(call.answer, call, 200, "", "{}")
          pcall(call.take, call)
          pcall(close_it, call)
        end)
        hurry()
        local fine, request = pcall(call.request, call)
        stop()
        assert.is_true(not fine or #request.url > 1000)
      end
    end)

    it("may close a client while its address is asked for", function()
      for _ = 1, 10 do
        local own = core.client { offline = true, api_key = "k", gateway_url = "http://127.0.0.1/" .. ("a"):rep(2000) }
        local stop = trap(function() own:close() end)
        hurry()
        for _ = 1, 5 do
          local fine, text = pcall(own.base, own, "gateway")
          assert.is_true(not fine or #text > 2000)
          assert.matches("^zohocrm.client %(", tostring(own))
        end
        stop()
      end
    end)

    it("may use what was collected before it", function()
      for _ = 1, 20 do
        local clock = core.clock { date = 1, random = { 0.5 } }
        local own = core.client { offline = true, api_key = "k", clock = clock }
        local pager = core.pager("list", 200)
        local call = own:start { path = { "a" } }
        finalized(function()
          pcall(call.take, call)
          pcall(own.poll, own, 1)
          pcall(clock.waits, clock)
          pcall(clock.advance, clock, 1)
          pcall(pager.feed, pager, true, ("t"):rep(100))
          pcall(own.start, own, { path = { "b" } })
        end)
      end
      collectgarbage()
      collectgarbage()
    end)

    it("may move the tasks on", function()
      local stop = trap(function() pcall(crm.step, crm) end)
      local task = crm:spawn(function() return count(crm.Leads:each { fields = "id" }) end)
      hurry()
      crm:run()
      stop()
      assert.is_true(task:done())
    end)
  end)
end)
