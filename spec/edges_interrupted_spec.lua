--- Interruptions, as by Ctrl-C: an error out of a debug hook, at any instruction. What was under way is lost; nothing else
--- is, and the client goes on (run by make asan and make valgrind, too).
local core = require("zohocrm.core")
local doors = require("spec.support.doors")
local random_json = require("spec.support.random_json")
local zohocrm = require("zohocrm")

local LEADS = 450
local has_jit = rawget(_G, "jit")

describe("interrupted,", function()
  local sandbox, crm, ids

  setup(function()
    sandbox = doors[2].start { records = { Leads = LEADS } }
    local given = sandbox.client_options
    given.rate, given.retries = 0, 0
    crm, ids = zohocrm.new(given), {}
    for i, lead in ipairs(assert(crm.Leads:all { fields = "id" })) do ids[i] = lead.id end
  end)
  teardown(function()
    crm:close()
    sandbox.stop()
  end)

  local function count(walk)
    local seen = 0
    for _ in walk do seen = seen + 1 end
    return seen
  end

  describe("wherever that is,", function()
    before_each(function() if has_jit then has_jit.off() end end) -- compiled code calls no hooks
    after_each(function()
      debug.sethook()
      if has_jit then has_jit.on() end
    end)

    -- Calls f, and interrupts it after so many instructions. Whether it came to that.
    local function interrupted(after, f)
      local came, ready = false, false
      debug.sethook(function()
        if ready and not came then
          came = true
          error("interrupted!", 0)
        end
      end, "", after)
      local fine, err = pcall(function()
        ready = true
        f()
        ready = false
      end)
      debug.sethook()
      assert.is_true(fine or came, err)
      return came
    end

    local work = {
      { "a call", 29, function() assert(crm.Leads:get(ids[1])) end },
      { "a bulk write", 1499, function()
        local list = {}
        for i = 1, 250 do list[i] = { id = ids[i], City = "Oslo" } end
        assert(crm.Leads:update(list).total == 250)
      end },
      { "a walk", 199, function() assert(count(crm.Leads:each { fields = "id" }) == LEADS) end },
      { "a scan", 397, function() assert(count(crm.Leads:scan { fields = "id", parallel = 3 }) == LEADS) end },
      { "a gather", 23, function()
        local one, other = zohocrm.gather(function() return crm.Leads:get(ids[1]) end, function() return crm.Leads:get(ids[2]) end)
        assert(one.id == ids[1] and other.id == ids[2])
      end },
      { "run", 11, function()
        local tasks = {}
        for i = 1, 3 do
          tasks[i] = crm:spawn(function(given)
            assert(given == i, "its argument is lost")
            assert(crm.Leads:get(ids[1]))
            coroutine.yield()
          end, i)
        end
        crm:run()
        for i = 1, 3 do
          local fine, err = tasks[i]:result()
          assert(fine == nil and (err == nil or tostring(err):find("interrupt", 1, true)), err)
        end
      end },
      { "step", 151, function()
        for _ = 1, 2 do crm:spawn(function() assert(crm.Leads:list { fields = "id" }) end) end
        while crm:step { budget = 0.001 } > 0 do end
      end },
    }
    for _, one in ipairs(work) do
      it(one[1] .. " leaves all well behind", function()
        local stride = math.ceil(one[2] * one[2] / random_json.rounds(one[2]))
        local after, came = 1, true
        while came do
          came = interrupted(after, one[3])
          local till = core.now() + 20
          repeat assert.is_true(core.now() < till, "tasks are left over") until crm:step() == 0
          crm:run()
          one[3]()
          after = after + stride
        end
        assert.is_true(after > stride)
        collectgarbage()
        collectgarbage()
        crm:step()
        assert.equal(0, crm:limits().in_flight)
      end)
    end

    local walks = {
      { "a walk", function() return crm.Leads:each { fields = "id" } end },
      { "a parallel scan", function() return crm.Leads:scan { fields = "id", parallel = 3 } end },
    }
    for _, one in ipairs(walks) do it(one[1] .. " loses no record unseen", function()
      local lost, after, came = 0, 1, true
      while came do
        local walk, seen = one[2](), 0
        came = interrupted(after, function()
          for _ in walk do seen = seen + 1 end
        end)
        local fine, err = true, nil
        while came and fine do -- who catches it reads on
          local record
          fine, record = pcall(walk)
          err = not fine and record or nil
          if record == nil then break end
          seen = seen + 1
        end
        if came and fine then
          assert.is_true(seen == LEADS or seen == LEADS - 1) -- a record that the loop had got, and did not count
        elseif came then
          assert.equal("cancelled", err.kind)
          lost = lost + 1
        end
        after = after + math.ceil(149 * 149 / random_json.rounds(149))
      end
      assert.is_true(lost > 0)
    end) end
  end)

  it("two tasks cannot read one walk at once: the second is told", function()
    local walk = crm.Leads:each { fields = "id" }
    local first = crm:spawn(function() return count(walk) end)
    local second = crm:spawn(function() return count(walk) end)
    crm:run()
    assert.equal(LEADS, first:result())
    local _, err = second:result()
    assert.matches("is being read by another task", tostring(err))
  end)
end)
