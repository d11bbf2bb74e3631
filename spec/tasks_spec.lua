--- Tasks: what they give, how they end, and that they neither block nor disturb each other.
local doors = require("spec.support.doors")
local fault_server = require("spec.support.fault_server")
local raises = require("spec.support.raises")
local zohocrm = require("zohocrm")

local reply = fault_server.reply
local has_close = coroutine.close ~= nil -- luacheck: ignore 143

local function record(id) return reply { body = ('{"data":[{"id":"%s"}]}'):format(id) } end

-- Steps until a task is done. That they never wait is for other specs to show.
local function finish(crm, task)
  local clock = require("zohocrm.core").now
  local patience = clock() + 20
  while not task:done() do
    crm:step()
    assert(clock() < patience, "the task does not come to its end")
  end
  return task:result()
end

for _, door in ipairs(doors) do
  if door.name ~= "https" then
    describe("in a task, " .. door.name .. ",", function()
      local sandbox, crm

      setup(function() sandbox = door.start { records = { Leads = 450, Deals = 30 } } end)
      teardown(function() sandbox.stop() end)

      before_each(function()
        sandbox.reset()
        local given = sandbox.client_options
        given.rate = 0
        crm = zohocrm.new(given)
      end)

      after_each(function() crm:close() end)

      local function ids(list)
        local found = {}
        for i, item in ipairs(list) do found[i] = item.id end
        return found
      end

      it("every call reads as ever", function()
        local all = ids(assert(crm.Leads:all { fields = "id" }))
        local task = crm:spawn(function()
          local seen = { each = {}, pages = 0 }
          for lead in crm.Leads:each { fields = "id" } do seen.each[#seen.each + 1] = lead.id end
          for page in crm.Leads:pages { fields = "id" } do seen.pages = seen.pages + #page end
          seen.all = ids(assert(crm.Leads:all { fields = "id" }))
          seen.one = assert(crm.Leads:get(all[3])).id
          local made = assert(crm.Leads:create { Last_Name = "Smith", Company = "Acme" })
          seen.updated = crm.Leads:update { { id = made.id, City = "Oslo" }, { id = all[1], City = "Rome" } }
          seen.city = assert(crm.Leads:get(made.id)).City
          seen.gone = assert(crm.Leads:delete(made.id)).id == made.id
          seen.missing = select(2, crm.Leads:get(made.id)).kind
          seen.org = assert(crm:org()).id ~= nil
          return seen
        end)
        local seen = finish(crm, task)
        assert.same(all, seen.each)
        assert.same(all, seen.all)
        assert.equal(#all, seen.pages)
        assert.equal(all[3], seen.one)
        assert.equal(2, seen.updated.succeeded)
        assert.equal("Oslo", seen.city)
        assert.is_true(seen.gone)
        assert.equal("not_found", seen.missing)
        assert.is_true(seen.org)
      end)

      it("many records are written, with the caller's functions", function()
        local total, told = 0, {}
        local source = coroutine.wrap(function()
          for i = 1, 350 do coroutine.yield { Last_Name = "L" .. i, Company = "Acme" } end
        end)
        local outcome = finish(crm, crm:spawn(function()
          return crm.Leads:create(source, {
            progress = function(done) told[#told + 1] = done end,
            on_result = function() total = total + 1 end,
          })
        end))
        assert.equal(350, outcome.succeeded)
        assert.equal(350, total)
        assert.equal(350, told[#told])
      end)

      it("several walks take turns and each is whole", function()
        local order, tasks = {}, {}
        for i = 1, 3 do
          tasks[i] = crm:spawn(function()
            local count = 0
            for page in crm.Leads:pages { fields = "id", per_page = 50, prefetch = 0 } do
              order[#order + 1] = i
              count = count + #page
            end
            return count
          end)
        end
        assert.is_true(crm:run())
        for i = 1, 3 do assert.equal(450, (tasks[i]:result())) end
        local begun = {}
        for i = 1, 9 do begun[order[i]] = true end
        assert.same({ true, true, true }, begun)
      end)

      it("gather gives what each function gives", function()
        local leads, deals, org = assert(zohocrm.gather(function() return crm.Leads:all { fields = "id" } end,
          function() return crm.Deals:all { fields = "id" } end, function() return crm:org() end))
        assert.equal(450, #leads)
        assert.equal(30, #deals)
        assert.is_string(org.id)
        local again = finish(crm, crm:spawn(function()
          local a, b = assert(zohocrm.gather(function() return crm.Leads:all { fields = "id" } end,
            function() return crm.Deals:all { fields = "id" } end))
          return { a, b }
        end))
        assert.same(ids(leads), ids(again[1]))
        assert.same(ids(deals), ids(again[2]))
      end)

      it("a producer of one's own may call the client", function()
        local expected = ids(assert(crm.Leads:all { fields = "id" }))
        for _, library in ipairs { coroutine, zohocrm.coroutine } do
          local function produce()
            for lead in crm.Leads:each { fields = "id", per_page = 100 } do library.yield(lead.id) end
          end
          local others = 0
          local other = crm:spawn(function()
            for _ in crm.Deals:each { fields = "id", per_page = 10 } do others = others + 1 end
          end)
          local got = finish(crm, crm:spawn(function()
            local list = {}
            for id in library.wrap(produce) do list[#list + 1] = id end
            return list
          end))
          finish(crm, other)
          assert.same(expected, got)
          assert.equal(30, others)
        end
      end)
    end)
  end
end

describe("a task", function()
  local crm

  before_each(function() crm = zohocrm.new { sandbox = { records = 5 } } end)
  after_each(function() crm:close() end)

  it("starts with the next step, gets its arguments and gives all its results", function()
    local got
    local task = crm:spawn(function(...)
      got = { n = select("#", ...), ... }
      return nil, false, nil
    end, 1, nil, "x", nil)
    assert.is_nil(got)
    assert.is_false(task:done())
    assert.equal("zohocrm task (not started)", tostring(task))
    assert.equal(0, crm:step())
    assert.same({ n = 4, 1, nil, "x" }, got)
    assert.is_true(task:done())
    assert.equal(3, select("#", task:result()))
    assert.same({ nil, false }, { task:result() })
    assert.equal("zohocrm task (done)", tostring(task))
  end)

  it("may be any function, also one of the library or a callable table", function()
    local page = crm:spawn(crm.Leads.list, crm.Leads, { fields = "id" })
    local called = crm:spawn(setmetatable({}, { __call = function(_, a) return a end }), 7)
    assert.is_true(crm:run())
    assert.equal(5, #page:result())
    assert.equal(7, (called:result()))
  end)

  it("counts as alive until it is done; those that it spawns, too", function()
    crm:spawn(function()
      crm:spawn(function() coroutine.yield() end)
      coroutine.yield("dropped")
    end)
    assert.equal(2, crm:step())
    assert.equal(1, crm:step())
    assert.equal(0, crm:step())
    assert.equal(0, crm:step())
  end)

  it("gives way with coroutine.yield, once a step, also with a budget; run goes on with it", function()
    local rounds = 0
    local task = crm:spawn(function()
      for _ = 1, 5 do
        rounds = rounds + 1
        coroutine.yield()
      end
    end)
    for i = 1, 3 do
      crm:step { budget = 1 }
      assert.equal(i, rounds)
    end
    assert.is_true(crm:run())
    assert.equal(5, rounds)
    assert.is_true(task:done())
  end)

  it("knows what it does", function()
    local task, inside
    task = crm:spawn(function()
      inside = tostring(task)
      coroutine.yield()
    end)
    crm:step()
    assert.equal("zohocrm task (running)", inside)
    assert.equal("zohocrm task (waiting)", tostring(task))
    task:cancel()
    assert.equal("zohocrm task (cancelled)", tostring(task))
    local failing = crm:spawn(error, "x")
    crm:step()
    assert.equal("zohocrm task (failed)", tostring(failing))
  end)

  it("may wait where it cannot yield, by blocking", function()
    local leads = assert(crm.Leads:list { fields = "id" })
    local sorted = crm:spawn(function()
      local keys = {}
      for i, lead in ipairs(leads) do keys[i] = lead.id end
      table.sort(keys, function(a, b) return assert(crm.Leads:get(a)).id < assert(crm.Leads:get(b)).id end)
      return keys
    end)
    assert.is_true(crm:run())
    local keys = sorted:result()
    for i = 2, #keys do assert.is_true(keys[i - 1] < keys[i]) end
  end)

  it("is strict about its names and how it is called", function()
    local task = crm:spawn(function() end)
    raises(function() return task.rusult end, "tasks_spec.lua:%d+: a task has no 'rusult'; did you mean 'result'")
    raises(function() task.x = 1 end, "tasks_spec.lua:%d+: a task takes no assignments")
    raises(function() task.done() end, "tasks_spec.lua:%d+: call it as task:done%(%), with a colon")
    raises(function() crm:spawn() end, "tasks_spec.lua:%d+: spawn takes a function and its arguments, not nil")
    raises(function() crm:spawn {} end, "spawn takes a function and its arguments, not a table")
    raises(function() crm.spawn(print) end, "call it as crm:spawn%(…%), with a colon")
    raises(function() task:result() end, "tasks_spec.lua:%d+: result: the task is not done yet")
    raises(function() crm:step(0.1) end, "tasks_spec.lua:%d+: step takes a table of options, such as { budget = 0.001 }, not a number")
    raises(function() crm:step { bugdet = 1 } end, "tasks_spec.lua:%d+: step: unknown option 'bugdet'; did you mean 'budget'")
    for _, wrong in ipairs { -1, 0 / 0, "1" } do
      raises(function() crm:step { budget = wrong } end, "step: budget must be a number of seconds")
    end
    raises(function() zohocrm.gather(print, 3) end, "tasks_spec.lua:%d+: gather takes functions and tasks; argument 2 is a number")
    crm:close()
    raises(function() crm:spawn(print) end, "tasks_spec.lua:%d+: the client is closed")
  end)
end)

describe("a step with a budget", function()
  local crm

  before_each(function() crm = zohocrm.new { sandbox = { records = 400 } } end)
  after_each(function() crm:close() end)

  -- Steps without any time: each does the one piece that is always done. Gives how many, and the most records that the
  -- task got in one.
  local function step_by_step(task, count)
    local steps, most = 0, 0
    while not task:done() do
      local before = count()
      crm:step { budget = 0 }
      steps, most = steps + 1, math.max(most, count() - before)
      assert(steps < 10000, "the task does not come to its end")
    end
    return steps, most
  end

  it("does not take a whole page for one piece: neither its decoding, nor what the task does with each record", function()
    local count = 0
    local task = crm:spawn(function()
      for _ in crm.Leads:each { fields = "id", per_page = 200 } do count = count + 1 end
    end)
    local steps, most = step_by_step(task, function() return count end)
    assert.equal(400, count)
    assert.is_true(most <= 16, most .. " records in a step")
    assert.is_true(steps >= 400 / 4, "only " .. steps .. " steps")
  end)

  it("does not take a whole page of a scan for one piece, either", function()
    for _, parallel in ipairs { 1, 3 } do
      local large = zohocrm.new { sandbox = { records = { Leads = 4500 } } }
      local count = 0
      local task = large:spawn(function()
        for _ in large.Leads:scan { fields = "Last_Name", parallel = parallel } do count = count + 1 end
      end)
      local most = 0
      while not task:done() do
        local before = count
        large:step { budget = 0 }
        most = math.max(most, count - before)
      end
      assert.equal(4500, count)
      assert.is_true(most <= 16, ("%d records in a step of %d ranges"):format(most, parallel))
      large:close()
    end
  end)

  it("is left by a walk also from a coroutine of the task", function()
    local count = 0
    local task = crm:spawn(function()
      local producer = zohocrm.coroutine.wrap(function()
        for lead in crm.Leads:each { fields = "id" } do zohocrm.coroutine.yield(lead.id) end
      end)
      for _ in producer do count = count + 1 end
    end)
    local _, most = step_by_step(task, function() return count end)
    assert.equal(400, count)
    assert.is_true(most <= 16, most .. " records in a step")
  end)

  it("may be followed by steps without one, and by run", function()
    local count = 0
    crm:spawn(function()
      for _ in crm.Leads:each { fields = "id" } do count = count + 1 end
    end)
    crm:step { budget = 0 }
    crm:step()
    crm:step { budget = 0 }
    assert.is_true(crm:run())
    assert.equal(400, count)
  end)

  it("leaves the collector's setting as it was", function()
    local own = collectgarbage("setstepmul", 160)
    local inside
    crm:spawn(function() inside = collectgarbage("setstepmul", 80) end)
    crm:step { budget = 1 }
    assert.equal(160, collectgarbage("setstepmul", own))
    assert.is_true(inside < 160)
    local pause = collectgarbage("setpause", 184)
    crm:spawn(function() return crm:org() end)
    crm:step { budget = 1 }
    assert.equal(184, collectgarbage("setpause", pause))
  end)

  it("does not wake a collector that the host has stopped", function()
    local collected = false
    local proxy = rawget(_G, "newproxy") -- 5.1 finalizes no tables
    if proxy then
      getmetatable(proxy(true)).__gc = function() collected = true end
    else
      setmetatable({}, { __gc = function() collected = true end })
    end
    collectgarbage("stop")
    local task = crm:spawn(function()
      for _ = 1, 3 do assert(crm.Leads:all { fields = "Last_Name,Company,Email,City" }) end
    end)
    while not task:done() do crm:step { budget = 0.001 } end
    local woken = collected
    collectgarbage("restart")
    assert.is_nil(task:result())
    assert.is_false(woken)
  end)

  it("lets the collector keep up", function()
    local fields = "Last_Name,First_Name,Company,Email,Phone,City,Country,Lead_Source,Lead_Status,Description"
    local task = crm:spawn(function()
      for _ = 1, 60 do
        for _ in crm.Leads:each { fields = fields } do end -- luacheck: ignore 542
      end
    end)
    collectgarbage()
    local base, most = collectgarbage("count"), 0
    while not task:done() do
      crm:step { budget = 0.001 }
      most = math.max(most, collectgarbage("count") - base)
    end
    -- of what the specs before have left in use, a round of the collector lets as much come again
    assert.is_true(most < 32 * 1024 + 2 * base, ("%.0f KiB above %.0f"):format(most, base))
  end)

  it("leaves the collector and later walks as they were where an error comes out of it", function()
    local refusing = zohocrm.new { rate = 0, sandbox = { handle = function() error("my mistake", 0) end } }
    refusing:spawn(function() return refusing:org() end)
    refusing:step()
    local own = collectgarbage("setstepmul", 160)
    local fine, err = pcall(refusing.step, refusing, { budget = 1 })
    local kept = collectgarbage("setstepmul", own)
    assert.is_false(fine)
    assert.equal("my mistake", err)
    assert.equal(160, kept)
    assert.is_false(require("zohocrm.host").paced())
    refusing:close()
  end)

  it("with time left does several calls at once where their answers are there", function()
    local task = crm:spawn(function()
      for _ = 1, 5 do crm:org() end
    end)
    crm:step { budget = 10 }
    assert.is_true(task:done())
  end)
end)

describe("the error of a task", function()
  local crm

  before_each(function() crm = zohocrm.new { sandbox = { records = 5 } } end)
  after_each(function() crm:close() end)

  local function breaks() error("it broke") end

  it("comes with the task's traceback where it is a string, else as it is", function()
    local object = setmetatable({}, { __tostring = function() return "odd" end })
    local text, odd, ours = crm:spawn(function() breaks() end), crm:spawn(error, object), crm:spawn(function()
      error(select(2, crm.Leads:get("7243485000000000001")))
    end)
    crm:run()
    local none, err, traceback = text:result()
    assert.is_nil(none)
    assert.matches("^%./?.*tasks_spec%.lua:%d+: it broke\nstack traceback:\n.*tasks_spec%.lua:%d+: in .*breaks", "./" .. err:gsub("^%./", ""))
    assert.matches("^stack traceback:\n.*breaks", traceback)
    err, traceback = select(2, odd:result())
    assert.equal(object, err)
    assert.matches("^stack traceback:", traceback)
    err, traceback = select(2, ours:result())
    assert.equal("not_found", err.kind)
    assert.matches("tasks_spec%.lua", traceback)
  end)

  it("is never nil", function()
    local task = crm:spawn(function() error() end)
    crm:run()
    assert.matches("^nil was raised\nstack traceback", (select(2, task:result())))
  end)

  it("disturbs no other, and is told once: by step or by run", function()
    local count = 0
    local good = crm:spawn(function()
      for _ in crm.Leads:each { fields = "id", per_page = 1 } do count = count + 1 end
    end)
    local one, two = crm:spawn(breaks), crm:spawn(breaks)
    local failed = {}
    for _ = 1, 30 do
      local _, task = crm:step()
      failed[#failed + 1] = task
    end
    assert.equal(2, #failed)
    assert.equal(one, failed[1])
    assert.equal(two, failed[2])
    assert.is_true(good:done())
    assert.equal(5, count)
    assert.is_true(crm:run())
    crm:spawn(breaks)
    crm:spawn(error, "another")
    local none, err, number = crm:run()
    assert.is_nil(none)
    assert.matches("it broke", err)
    assert.equal(2, number)
    assert.is_true(crm:run())
  end)

  it("is not told where somebody has seen it already", function()
    local task = crm:spawn(breaks)
    crm:spawn(function()
      coroutine.yield()
      task:result()
    end)
    crm:spawn(function() pcall(zohocrm.gather, breaks) end)
    assert.equal(task, select(2, crm:step()))
    assert.is_true(crm:run())
    task = crm:spawn(breaks)
    assert.is_nil((task:wait()))
    assert.is_true(crm:run())
  end)

  if has_close then
    it("closes its variables, and is theirs if one raises", function()
      local closed = 0
      local program = [[
        local crm, count = ...
        local first <close> = setmetatable({}, { __close = count })
        error("it broke")]]
      local task = crm:spawn(assert(load(program)), crm, function() closed = closed + 1 end)
      local other = crm:spawn(assert(load(program)), crm, function() error("closing broke", 0) end)
      crm:run()
      assert.equal(1, closed)
      assert.matches("it broke\nstack", (select(2, task:result())))
      assert.matches("^closing broke\nstack", (select(2, other:result())))
    end)
  end
end)

describe("with a server that keeps one waiting,", function()
  local faults, crm

  setup(function() faults = fault_server.start() end)
  teardown(function() faults:stop() end)

  before_each(function()
    crm = zohocrm.new { api_key = "k", gateway_url = faults.url .. "/zoho-crm", control_url = faults.url, retries = 0, rate = 0 }
  end)
  after_each(function() crm:close() end)

  local HANG = { { hang = true } }

  local function wait_for(condition)
    local socket = require("socket")
    for _ = 1, 400 do
      if condition() then return end
      crm:step()
      socket.sleep(0.005)
    end
    error("it did not come about", 2)
  end

  -- Requests come on different connections, so which gets which answer is not sure: the first is awaited.
  local function spawn_stuck(f)
    faults:script { HANG, record("1"), record("2"), record("3") }
    local task = crm:spawn(f or function() return crm.Leads:get("9") end)
    wait_for(function() return #faults:received() == 1 end)
    return task
  end

  it("step comes back, and others go on", function()
    local stuck = spawn_stuck()
    local other = crm:spawn(function() return crm.Leads:get("1").id, crm.Leads:get("2").id end)
    assert.same({ "1", "2" }, { finish(crm, other) })
    assert.is_false(stuck:done())
    assert.equal(1, crm:step())
  end)

  it("a blocking call beside it gets its answer", function()
    local stuck = spawn_stuck()
    assert.equal("1", assert(crm.Leads:get("1")).id)
    assert.is_false(stuck:done())
  end)

  it("cancel ends the request, and the task with an error of the kind cancelled", function()
    local after = false
    local task = spawn_stuck(function()
      pcall(function() crm.Leads:get("9") end) -- cannot keep it alive
      after = true
      crm.Leads:get("10")
    end)
    assert.is_true(task:cancel())
    assert.is_true(task:done())
    local none, err, traceback = task:result()
    assert.is_nil(none)
    assert.equal("cancelled", err.kind)
    assert.equal("task: the task was cancelled", tostring(err))
    assert.matches("tasks_spec%.lua", traceback)
    assert.is_false(task:cancel())
    assert.equal(0, crm:limits().in_flight)
    assert.equal(0, crm:step())
    assert.is_false(after)
    assert.is_true(crm:run())
    wait_for(function() return select(2, faults:connections()) == 0 end)
  end)

  it("cancel reaches what the task asked for ahead, and what it gathers", function()
    faults:script { HANG, HANG, HANG, HANG }
    local task = crm:spawn(function()
      zohocrm.gather(function() crm.Leads:get("1") end, function() crm.Leads:get("2") end,
        function() zohocrm.gather(function() crm.Leads:get("3") end) end)
    end)
    wait_for(function() return #faults:received() == 3 end)
    assert.equal(5, crm:step())
    task:cancel()
    assert.equal(0, crm:step())
    assert.equal(0, crm:limits().in_flight)
    assert.is_true(crm:run())
  end)

  it("a task may be cancelled before it starts, by another, and by itself", function()
    local ran
    local task = crm:spawn(function() ran = true end)
    assert.is_true(task:cancel())
    crm:run()
    assert.is_nil(ran)
    assert.equal("cancelled", select(2, task:result()).kind)

    local stuck = spawn_stuck()
    crm:spawn(function() stuck:cancel() end)
    assert.is_true(crm:run())
    assert.equal("cancelled", select(2, stuck:result()).kind)

    local own, swallowed
    own = crm:spawn(function()
      swallowed = select(2, pcall(own.cancel, own))
      crm.Leads:get("1")
      error("not reached")
    end)
    assert.is_true(crm:run())
    assert.equal("cancelled", swallowed.kind)
    assert.equal("cancelled", select(2, own:result()).kind)
    assert.equal(0, crm:limits().in_flight)
  end)

  it("the result of what was done stands", function()
    faults:script { record("1") }
    local task = crm:spawn(function() return crm.Leads:get("1").id end)
    crm:run()
    assert.is_false(task:cancel())
    assert.equal("1", (task:result()))
  end)

  if has_close then
    it("cancel closes variables, which may even call the client, and says what they raise", function()
      local program = [[
        local crm, close = ...
        local held <close> = setmetatable({}, { __close = close })
        crm.Leads:get("9")]]
      local seen
      local task = spawn_stuck(function() return assert(load(program))(crm, function() seen = crm.Leads:get("1").id end) end)
      task:cancel()
      assert.equal("1", seen)
      task = spawn_stuck(function() return assert(load(program))(crm, function() error("closing broke", 0) end) end)
      task:cancel()
      assert.equal("task: the task was cancelled; closing its variables raised an error: closing broke", tostring(select(2, task:result())))
    end)

    it("a task held in a to-be-closed variable ends with its scope", function()
      local stuck = spawn_stuck()
      assert(load("local task <close> = ..."))(stuck)
      assert.equal("cancelled", select(2, stuck:result()).kind)
    end)
  end

  it("zohocrm.coroutine waits for the client without blocking, at any depth", function()
    local library = zohocrm.coroutine
    faults:script { HANG }
    local log = {}
    local function note(what) log[#log + 1] = what end
    local task = crm:spawn(function()
      local outer = library.wrap(function()
        local inner = library.create(function(first)
          note(first)
          note(library.yield("from inside"))
          note(crm.Leads:get("9") == nil and "cancelled")
          return "inner is done"
        end)
        library.yield(select(2, library.resume(inner, "started")))
        library.yield(select(2, library.resume(inner, "resumed")))
        return library.status(inner)
      end)
      note(outer())
      note(outer())
      note(outer())
    end)
    wait_for(function() return #faults:received() == 1 end) -- which steps; they would hang if it blocked
    assert.is_false(task:done())
    assert.same({ "started", "from inside", "resumed" }, log)
    crm:close()
    assert.equal(0, crm:step())
    assert.same({ "started", "from inside", "resumed", "cancelled", "inner is done", "dead" }, log)
  end)
end)

describe("zohocrm.coroutine", function()
  it("is Lua's own outside of tasks, and raises like it", function()
    local library = zohocrm.coroutine
    for name, value in pairs(coroutine) do
      if name ~= "resume" and name ~= "wrap" then assert.equal(value, library[name]) end
    end
    local co = library.create(function(a) return a, library.yield(a + 1) end)
    assert.same({ true, 2 }, { library.resume(co, 1) })
    assert.same({ true, 1, 5 }, { library.resume(co, 5) })
    assert.is_false((library.resume(co)))
    assert.is_false(pcall(library.resume, 5))
    for _, wrap in ipairs { library.wrap, coroutine.wrap } do
      local fails = wrap(function() error("deep", 0) end)
      raises(function() fails() end, "^%.?/?spec/tasks_spec%.lua:%d+: deep$")
      local object = {}
      local raising = wrap(function() error(object) end)
      assert.equal(object, select(2, pcall(raising)))
    end
  end)
end)

describe("gather", function()
  local crm

  before_each(function() crm = zohocrm.new { sandbox = { records = 5 } } end)
  after_each(function() crm:close() end)

  local ABSENT = "7243485000000000001"

  -- From a script, from a task, and from a coroutine of a task.
  local function everywhere(f)
    f()
    for _, library in ipairs { false, coroutine, zohocrm.coroutine } do
      local task = crm:spawn(library and function()
        local fine, err = library.resume(library.create(f))
        if not fine then error(err, 0) end
      end or f)
      assert(crm:run())
      assert.is_true(task:done())
    end
  end

  it("gives the first result of each, in order, and true for nothing", function()
    everywhere(function()
      assert.equal(0, select("#", zohocrm.gather()))
      assert.same({ 1, true, false, "x", n = 5 }, (function(...) return { n = select("#", ...), ... } end)(zohocrm.gather(
        function() return 1, 2 end, function() end, function() return false end, function() return "x" end, function() return nil end)))
    end)
  end)

  it("gives nil and the first error, once all are done, and what became of each", function()
    everywhere(function()
      local late = false
      local none, err, outcomes = zohocrm.gather(
        function()
          for _ in crm.Leads:each { fields = "id", per_page = 1 } do late = late end -- luacheck: ignore
          late = true
          return 5
        end,
        function() return crm.Leads:get(ABSENT) end,
        function() error(select(2, crm.Deals:get(ABSENT)), 0) end)
      assert.is_nil(none)
      assert.equal("not_found", err.kind)
      assert.equal("get Leads " .. ABSENT, err.action)
      assert.is_true(late)
      assert.same({ true, false, false }, { outcomes[1].ok, outcomes[2].ok, outcomes[3].ok })
      assert.equal(5, outcomes[1].value)
      assert.equal(err, outcomes[2].error)
      assert.equal("get Deals " .. ABSENT, outcomes[3].error.action)
    end)
  end)

  it("raises what is a function's own mistake, once all are done", function()
    everywhere(function()
      local late = false
      local fine, err = pcall(zohocrm.gather, function() error("a mistake") end, function()
        crm.Leads:list { fields = "id" }
        late = true
      end)
      assert.is_false(fine)
      assert.is_true(late)
      assert.matches("tasks_spec%.lua:%d+: a mistake\nstack traceback:", err)
    end)
  end)

  it("takes tasks, too, and nests", function()
    everywhere(function()
      local task = crm:spawn(function()
        coroutine.yield()
        return crm.Leads:list { fields = "id" }
      end)
      local page, one, two = zohocrm.gather(task, function()
        return (select(2, zohocrm.gather(function() return 1 end, function() return crm:org().id and 2 end)))
      end, task)
      assert.equal(5, #page)
      assert.equal(2, one)
      assert.equal(page, two)
    end)
  end)

  it("waits, in a task, with the task's own client's steps", function()
    local task = crm:spawn(function() return zohocrm.gather(function() coroutine.yield() end, function() end) end)
    assert.equal(3, crm:step())
    for _ = 1, 4 do crm:step() end
    assert.same({ true, true }, { task:result() })
  end)
end)

describe("a task that waits for another", function()
  local crm, other

  before_each(function()
    crm, other = zohocrm.new { sandbox = { records = 5 } }, zohocrm.new { sandbox = { records = 7 } }
  end)
  after_each(function()
    crm:close()
    other:close()
  end)

  it("gets its result", function()
    local first = crm:spawn(function() return crm:org().id, "second" end)
    local waits = crm:spawn(function() return first:wait() end)
    assert.is_true(crm:run())
    assert.same({ first:result() }, { waits:result() })
    assert.equal("second", (select(2, first:wait())))
  end)

  it("may wait for one of another client: the steps of its own move both on", function()
    local first = other:spawn(function() return #other.Leads:list { fields = "id" } end)
    local waits = crm:spawn(function() return first:wait() end)
    assert.equal(7, (finish(crm, waits)))
    first = other:spawn(function() return #other.Leads:list { fields = "id" } end)
    waits = crm:spawn(function() return first:wait() end)
    assert.is_true(crm:run())
    assert.equal(7, (waits:result()))
  end)

  it("may call another client", function()
    local task = crm:spawn(function() return #other.Leads:list { fields = "id" } + #crm.Leads:list { fields = "id" } end)
    assert.equal(12, (finish(crm, task)))
  end)

  it("cannot wait for itself, by whatever way", function()
    local own
    own = crm:spawn(function() own:wait() end)
    local _, err = crm:run()
    assert.matches("tasks_spec%.lua:%d+: a task cannot wait for itself, nor for one that waits for it", err)
    local one, two
    one = crm:spawn(function() return two:wait() end)
    two = crm:spawn(function() zohocrm.gather(function() return one:wait() end) end)
    crm:run() -- tells nothing: each error goes to the one that waits
    _, err = two:result()
    assert.matches("nor for one that waits for it", err)
    local outer
    outer = crm:spawn(function()
      local inner = crm:spawn(function() outer:wait() end)
      coroutine.wrap(function() inner:wait() end)()
    end)
    crm:run()
    _, err = outer:result()
    assert.matches("the tasks wait for each other, and would for ever", err)
  end)

  it("cannot step or run, which would move itself on", function()
    for _, method in ipairs { "step", "run" } do
      for _, wrap in ipairs { function(f) return f end, coroutine.wrap, zohocrm.coroutine.wrap } do
        for _, client in ipairs { crm, other } do
          local task = crm:spawn(function() wrap(function() client[method](client) end)() end)
          crm:run()
          assert.matches("tasks_spec%.lua:%d+: " .. method .. " cannot be called from inside a task: ", (select(2, task:result())))
        end
      end
    end
    assert.equal(0, crm:step())
  end)
end)
