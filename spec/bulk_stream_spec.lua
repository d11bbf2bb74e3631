-- Writes from iterators, and outcomes handed out one by one: any length, flat memory, and nothing lost where the caller's
-- own functions raise.
local doors = require("spec.support.doors")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

-- Gives `count` leads, one at a time; `change(i, lead)` may give something else.
local function leads(count, change)
  local i = 0
  return function()
    i = i + 1
    if i > count then return nil end
    local lead = { Last_Name = "Lead " .. i }
    return change and change(i, lead) or lead
  end
end

local function pack(...) return { n = select("#", ...), ... } end

for _, door in ipairs(doors) do
  describe("an iterator (" .. door.name .. ")", function()
    local sandbox, crm, one_by_one

    setup(function()
      sandbox = door.start({ records = 120, time = wire.NOW })
      crm, one_by_one = wire.client(sandbox), wire.client(sandbox, { concurrency = 1 })
    end)
    teardown(function()
      crm:close()
      one_by_one:close()
      sandbox.stop()
    end)
    before_each(function() sandbox.reset() end)

    it("of 1,050 records is created in 11 requests, with an outcome for each in order", function()
      local outcome = crm.Leads:create(leads(1050), { trigger = {} })
      assert.same({ 1050, 1050, 0, 1050 }, { #outcome, outcome.succeeded, outcome.failed, outcome.total })
      assert.equal("1050 succeeded, 0 failed", tostring(outcome))
      local log, sizes = sandbox.requests(), {}
      for i, request in ipairs(log) do
        local body = wire.decoded(request.body)
        assert.same({}, body.trigger)
        sizes[i] = #body.data
      end
      table.sort(sizes)
      assert.same({ 50, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100 }, sizes)
      for _, i in ipairs({ 1, 100, 101, 999, 1050 }) do
        assert.equal("Lead " .. i, assert(crm.Leads:get(outcome[i].id)).Last_Name)
      end
    end)

    it("serves update, upsert and delete as well", function()
      local made = crm.Leads:create(leads(150))
      local function each(field)
        local i = 0
        return function()
          i = i + 1
          local result = made[i]
          return result and (field and { id = result.id, [field] = "X " .. i } or result.id)
        end
      end
      assert.equal(150, crm.Leads:update(each("City")).succeeded)
      assert.equal("X 150", crm.Leads:get(made[150].id).City)
      local upserted = crm.Leads:upsert(each("Company"))
      assert.same({ 150, "update" }, { upserted.succeeded, upserted[150].action })
      local deleted = crm.Leads:delete(each())
      assert.same({ 150, made[150].id }, { deleted.succeeded, deleted[150].id })
      assert.equal(4 * 2 + 1, #sandbox.requests())
    end)

    it("may be a table that can be called", function()
      local next_lead = leads(3)
      local calls = 0
      local outcome = crm.Leads:create(setmetatable({}, { __call = function(_, ...)
        assert.equal(0, select("#", ...))
        calls = calls + 1
        return next_lead()
      end }))
      assert.same({ 3, 4 }, { outcome.succeeded, calls })
    end)

    it("that gives nothing makes an empty outcome, and no request", function()
      local outcome = crm.Leads:create(function() return nil end)
      assert.same({ 0, 0, 0, 0 }, { #outcome, outcome.total, outcome.succeeded, outcome.failed })
      wire.received(sandbox)
    end)

    it("of one record makes an outcome, not details", function()
      local outcome = crm.Leads:create(leads(1))
      assert.same({ 1, true }, { #outcome, outcome[1].ok })
    end)

    it("is not asked again once it has ended", function()
      local ended = false
      crm.Leads:create(function()
        assert.is_false(ended)
        ended = true
        return nil
      end)
      assert.is_true(ended)
    end)

    it("may give the same table again and again", function()
      local lead, i = {}, 0
      local outcome = crm.Leads:create(function()
        i = i + 1
        lead.Last_Name = "Again " .. i
        return i <= 120 and lead or nil
      end)
      for _, k in ipairs({ 1, 2, 100, 120 }) do
        assert.equal("Again " .. k, crm.Leads:get(outcome[k].id).Last_Name)
      end
    end)

    it("loses only the records that cannot be sent", function()
      local bad = { [3] = "Smith", [100] = { City = print }, [101] = { Last_Name = 0 / 0 }, [205] = false, [207] = {} }
      local outcome = crm.Leads:create(leads(210, function(i, lead)
        if bad[i] == false then lead.Last_Name = "\255" end
        return bad[i] or lead
      end))
      assert.same({ 210, 205, 5 }, { outcome.total, outcome.succeeded, outcome.failed })
      local expected = {
        [3] = "the record is a string, not a table of fields",
        [100] = "City is a function, which JSON does not have",
        [101] = "Last_Name is not a number that JSON has (nan or infinity)",
        [205] = "Last_Name is not UTF-8; convert the text before sending it",
      }
      for i, result in ipairs(outcome) do
        assert.equal(bad[i] == nil, result.ok, i)
        if expected[i] then
          assert.same({ "invalid", i, expected[i], 0 }, {
            result.error.kind, result.error.record, result.error.message, result.error.attempts,
          })
          assert.equal("create Leads: record " .. i .. ": " .. expected[i], tostring(result.error))
        end
      end
      -- the server counts what it got, the caller what was given
      assert.same({ "MANDATORY_NOT_FOUND", "$.data[206].Last_Name" }, {
        outcome[207].error.code, outcome[207].error.details.json_path,
      })
      assert.equal(3, #sandbox.requests())
      assert.equal("Lead 210", crm.Leads:get(outcome[210].id).Last_Name)
    end)

    it("loses only the ids that are none", function()
      local ids = { "7243485000000000001", 1.5, {}, "1,2", "7243485000000000002" }
      local i = 0
      local outcome = crm.Leads:delete(function()
        i = i + 1
        return ids[i]
      end)
      local kinds = {}
      for k, result in ipairs(outcome) do kinds[k] = result.error.kind end
      assert.same({ "not_found", "invalid", "invalid", "invalid", "not_found" }, kinds)
      assert.matches("^delete Leads: record 4: the id contains a comma", tostring(outcome[4].error))
      wire.received(sandbox, { "DELETE", "/Leads", query = { ids = ids[1] .. "," .. ids[5] } })
      assert.equal("invalid", crm.Leads:update(function()
        i = i + 1
        return i == 7 and { City = "no id" } or nil
      end)[1].error.kind)
    end)

    it("is asked no further once it has raised; what was sent is reported, then its own error comes", function()
      local mine, results = { "my own error" }, {}
      local fine, value = pcall(one_by_one.Leads.create, one_by_one.Leads, leads(500, function(i)
        if i == 151 then error(mine) end
      end), { on_result = function(i, result, record) results[i] = { result, record } end })
      assert.is_false(fine)
      assert.equal(mine, value)
      assert.equal(150, #results)
      for i = 1, 150 do
        assert.equal("Lead " .. i, results[i][2].Last_Name)
        assert.equal(i <= 100, results[i][1].ok)
      end
      assert.same({ "cancelled", "not sent, because the iterator raised an error" }, {
        results[150][1].error.kind, results[150][1].error.message,
      })
      assert.is_nil(results[150][1].error.may_have_happened)
      assert.equal(1, #sandbox.requests())
    end)

    it('is asked no further once a record has failed, with on_error = "stop"', function()
      local given = 0
      local outcome = one_by_one.Leads:create(leads(1000, function(i)
        given = i
        return i == 150 and {} or nil
      end), { on_error = "stop" })
      assert.same({ 200, 199, 1 }, { outcome.total, outcome.succeeded, outcome.failed })
      assert.same({ 200, 2 }, { given, #sandbox.requests() })
      sandbox.clear()
      outcome = one_by_one.Leads:create(leads(1000, function(i) return i == 150 and { print } or nil end), { on_error = "stop" })
      assert.same({ 200, 100, 100 }, { outcome.total, outcome.succeeded, outcome.failed })
      assert.same({ "cancelled", "invalid", "cancelled" }, {
        outcome[149].error.kind, outcome[150].error.kind, outcome[151].error.kind,
      })
      assert.equal(1, #sandbox.requests())
    end)

    it("has no total in its progress", function()
      local told = {}
      one_by_one.Leads:create(leads(250, function(i) return i == 120 and {} or nil end), {
        progress = function(...) told[#told + 1] = pack(...) end,
      })
      assert.same({ { n = 3, 100, nil, 0 }, { n = 3, 200, nil, 1 }, { n = 3, 250, nil, 1 } }, told)
    end)

    it("may use the client itself", function()
      local ids = wire.column(assert(crm.Leads:list({ fields = "id", per_page = 120 })), "id")
      local i, seen = 0, 0
      local outcome = crm.Contacts:create(function()
        i = i + 1
        local lead = ids[i] and assert(crm.Leads:get(ids[i]))
        return lead and { Last_Name = lead.Last_Name, Description = lead.id }
      end, { on_result = function(position, result)
        assert.equal(ids[position], crm.Contacts:get(result.id).Description)
        seen = seen + 1
      end })
      assert.same({ 120, 120 }, { outcome.succeeded, seen })
    end)
  end)

  describe("on_result (" .. door.name .. ")", function()
    local sandbox, crm

    setup(function()
      sandbox = door.start({ records = 10, time = wire.NOW })
      crm = wire.client(sandbox)
    end)
    teardown(function()
      crm:close()
      sandbox.stop()
    end)
    before_each(function() sandbox.reset() end)

    it("gets every result in the order of the input, with its record; the outcome has the counts", function()
      local list = {}
      for i = 1, 350 do list[i] = { Last_Name = i ~= 222 and "Lead " .. i or nil, Company = "Acme" } end
      local seen = 0
      local outcome = crm.Leads:create(list, { on_result = function(i, result, record)
        seen = seen + 1
        assert.equal(seen, i)
        assert.equal(list[i], record)
        assert.equal(i ~= 222, result.ok)
        if not result.ok then assert.equal(222, result.error.record) end
      end })
      assert.equal(350, seen)
      assert.same({ 0, 350, 349, 1 }, { #outcome, outcome.total, outcome.succeeded, outcome.failed })
      assert.equal("349 succeeded, 1 failed", tostring(outcome))
    end)

    it("gets the id as the record of a delete", function()
      local got = {}
      crm.Leads:delete({ "41", 42 }, { on_result = function(i, result, id) got[i] = { result.ok, id } end })
      assert.same({ { false, "41" }, { false, 42 } }, got)
    end)

    it("is called for one record, too, whose details are given all the same", function()
      local got
      local made = assert(crm.Leads:create({ Last_Name = "One" }, { on_result = function(i, result) got = { i, result.id } end }))
      assert.same({ 1, made.id }, got)
    end)

    for _, name in ipairs({ "on_result", "progress" }) do
      it("raises: " .. name .. " stops what was not sent, loses nothing, and its own error comes out", function()
        local single = wire.client(sandbox, { concurrency = 1 })
        local mine, results, calls = setmetatable({}, { __tostring = function() return "mine" end }), {}, 0
        local o = { on_result = function(i, result) results[i] = result end }
        local own = o[name] or function() end
        o[name] = function(...)
          own(...)
          calls = calls + 1
          if calls == 1 then error(mine) end
        end
        local list = {}
        for i = 1, 250 do list[i] = { Last_Name = "L" .. i } end
        local fine, value = pcall(single.Leads.create, single.Leads, list, o)
        assert.is_false(fine)
        assert.equal(mine, value)
        assert.equal(250, #results)
        assert.same({ true, true, false }, { results[1].ok, results[100].ok, results[101].ok })
        assert.same({ "cancelled", "not sent, because " .. name .. " raised an error" }, {
          results[250].error.kind, results[250].error.message,
        })
        assert.equal(1, #sandbox.requests())
        single:close()
      end)
    end

    it("may raise nothing at all: error(nil) comes out, too", function()
      local result = pack(pcall(crm.Leads.create, crm.Leads, leads(1), { on_result = function() error(nil) end }))
      assert.is_false(result[1])
    end)

    it("finds in a printed outcome no more failures than a screen holds", function()
      local list = {}
      for i = 1, 150 do list[i] = { Company = "c" } end
      local _, lines = tostring(crm.Leads:create(list)):gsub("\n", "")
      assert.equal(21, lines)
      assert.matches("\n… and 130 more$", tostring(crm.Leads:create(list)))
    end)
  end)
end

describe("memory", function()
  it("stays flat over 50,000 records, however they end", function()
    local engine = require("zohocrm.sandbox").new({ records = { Leads = 100 }, time = wire.NOW })
    local crm = zohocrm.new({ sandbox = engine })
    local ids = wire.column(assert(crm.Leads:list({ fields = "id", per_page = 100 })), "id")
    local most, base = 0, nil
    local i, failed = 0, 0
    local outcome = crm.Leads:update(function()
      i = i + 1
      local id = i % 1000 == 7 and "7243485000000000001" or ids[(i - 1) % 100 + 1]
      return i <= 50000 and { id = id, City = "City " .. i } or nil
    end, { on_result = function(position, result)
      failed = failed + (result.ok and 0 or 1)
      if position % 5000 == 0 then
        engine:clear_requests() -- its log is not what is measured
        collectgarbage()
        collectgarbage()
        base = base or collectgarbage("count")
        most = math.max(most, collectgarbage("count") - base)
      end
    end })
    assert.same({ 50000, 49950, 50, 50 }, { outcome.total, outcome.succeeded, outcome.failed, failed })
    assert.is_true(most < 512, ("grew by %.0f kB"):format(most))
    crm:close()
  end)
end)

describe("what cannot be right raises", function()
  local crm = zohocrm.new({ sandbox = { records = 0 } })

  for text, o in pairs({
    ["create: on_error cannot be 'abort'; choose one of 'continue', 'stop'"] = { on_error = "abort" },
    ["create: on_result must be a function, not a table"] = { on_result = {} },
    ["create: progress must be a function, not a boolean"] = { progress = true },
    ["create: unknown option 'onresult'; did you mean 'on_result'?"] = { onresult = print },
  }) do
    it(text, function()
      wire.raises(function() crm.Leads:create(leads(1), o) end, text)
    end)
  end

  it("where nothing of an iterator was sent yet and the options are wrong", function()
    local asked = false
    wire.raises(function()
      crm.Leads:create(function() asked = true end, { trigger = { print } })
    end, "create: trigger[1] is a function")
    assert.is_false(asked)
  end)

  it("where the client is closed", function()
    local closed = zohocrm.new({ sandbox = true })
    closed:close()
    wire.raises(function() closed.Leads:create(leads(1)) end, "the client is closed")
    wire.raises(function() closed.Leads:delete({}) end, "the client is closed")
  end)
end)
