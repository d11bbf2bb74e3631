-- Lists of any length: what goes out in requests of 100, and the one outcome that comes back, in input order.
local doors = require("spec.support.doors")
local wire = require("spec.support.wire")

-- 250 leads named Lead 1 … Lead 250; those at `bad` lack their mandatory field.
local function leads(bad)
  local list = {}
  for i = 1, 250 do list[i] = { Last_Name = "Lead " .. i, Company = "Acme" } end
  for _, i in ipairs(bad or {}) do list[i].Last_Name = nil end
  return list
end

local function slice(list, first, last)
  local part = {}
  for i = first, last do part[#part + 1] = list[i] end
  return part
end

-- A view of a sandbox whose requests are in the order of the list: several are under way at once, and which one
-- arrives first is chance.
local function in_input_order(sandbox, list)
  local position = {}
  for i, item in ipairs(list) do position[type(item) == "table" and (item.id or item.Last_Name) or item] = i end
  local function first(request)
    if request.query.ids then return position[request.query.ids:match("^[^,]*")] end
    local record = wire.decoded(request.body).data[1]
    return position[record.id or record.Last_Name]
  end
  return {
    requests = function()
      local log = sandbox.requests()
      table.sort(log, function(a, b) return first(a) < first(b) end)
      return log
    end,
  }
end

-- Asserts the three requests of a list of 250.
local function received_in_hundreds(sandbox, method, path, list, extra)
  local expected = {}
  for i, range in ipairs({ { 1, 100 }, { 101, 200 }, { 201, 250 } }) do
    local body = { data = slice(list, range[1], range[2]) }
    for name, value in pairs(extra or {}) do body[name] = value end
    expected[i] = { method, path, body = body }
  end
  wire.received(in_input_order(sandbox, list), expected[1], expected[2], expected[3])
end

-- Where each failed record's own path must point: into the list that was passed, counted from 0.
local function assert_failed_at(outcome, positions, field)
  local failed = {}
  for i, result in ipairs(outcome) do
    if not result.ok then
      failed[#failed + 1] = i
      assert.equal(i, result.error.record)
      assert.equal(("$.data[%d].%s"):format(i - 1, field), result.error.details.json_path)
      assert.matches("record " .. i .. ": ", tostring(result.error), 1, true)
    end
  end
  assert.same(positions, failed)
end

for _, door in ipairs(doors) do
  describe("a list of 250 (" .. door.name .. ")", function()
    local sandbox, crm, one_by_one

    setup(function()
      sandbox = door.start({ records = 260, time = wire.NOW })
      crm, one_by_one = wire.client(sandbox), wire.client(sandbox, { concurrency = 1 })
    end)
    teardown(function()
      crm:close()
      one_by_one:close()
      sandbox.stop()
    end)
    before_each(function() sandbox.reset() end)

    local function ids_of_leads(count)
      local ids = wire.column(assert(crm.Leads:all({ fields = "Last_Name", limit = count })), "id")
      assert.equal(count, #ids)
      sandbox.clear()
      return ids
    end

    -- A client with one request under way at a time, in whose second request something goes wrong.
    local function with_second_request(answer)
      local sent = 0
      return wire.client(sandbox, {
        concurrency = 1,
        on_request = function()
          sent = sent + 1
          if sent == 1 then sandbox.fail_next(answer) end
        end,
      })
    end

    it("is created in requests of 100, 100 and 50", function()
      local list = leads()
      local outcome = crm.Leads:create(list, { trigger = { "workflow" } })
      received_in_hundreds(sandbox, "POST", "/Leads", list, { trigger = { "workflow" } })
      assert.same({ 250, 250, 0 }, { #outcome, outcome.succeeded, outcome.failed })
      local seen = {}
      for i, result in ipairs(outcome) do
        assert.is_true(result.ok)
        assert.equal(result.id, result.details.id)
        assert.is_nil(seen[result.id])
        assert.is_true(i % 100 == 1 or result.id > outcome[i - 1].id, "in the order of the input within a request")
        seen[result.id] = true
      end
      for _, i in ipairs({ 1, 100, 101, 200, 201, 250 }) do
        assert.equal("Lead " .. i, assert(crm.Leads:get(outcome[i].id)).Last_Name)
      end
    end)

    it("is created in part where some records are wrong", function()
      local bad = { 1, 2, 100, 101, 150, 250 }
      local outcome = crm.Leads:create(leads(bad))
      assert.same({ 250, 244, 6 }, { #outcome, outcome.succeeded, outcome.failed })
      assert_failed_at(outcome, bad, "Last_Name")
      for _, i in ipairs(bad) do
        assert.same({ "MANDATORY_NOT_FOUND", "invalid", "POST" },
          { outcome[i].error.code, outcome[i].error.kind, outcome[i].error.method })
      end
      assert.equal("Lead 102", assert(crm.Leads:get(outcome[102].id)).Last_Name)
      assert.equal("create Leads: record 150: MANDATORY_NOT_FOUND, required field not found: Last_Name",
        tostring(outcome[150].error))
      assert.matches("^244 succeeded, 6 failed\ncreate Leads: record 1: ", tostring(outcome))
    end)

    it("has every json_path counted from its own start, also inside several faults of one record", function()
      local list = leads()
      list[203].Email, list[203].Salutation = "nobody", "Sir"
      local err = crm.Leads:create(list)[203].error
      assert.equal("MULTIPLE_OR_MULTI_ERRORS", err.code)
      local paths = {}
      for i, fault in ipairs(err.details.errors) do paths[i] = fault.details.json_path end
      table.sort(paths)
      assert.same({ "$.data[202].Email", "$.data[202].Salutation" }, paths)
    end)

    it("is created around a record that another of the same list duplicates", function()
      local list = leads()
      list[10].External_Id, list[220].External_Id = "same", "same"
      local outcome = one_by_one.Leads:create(list)
      assert_failed_at(outcome, { 220 }, "External_Id")
      assert.same({ "duplicate", "DUPLICATE_DATA" }, { outcome[220].error.kind, outcome[220].error.code })
      assert.equal(outcome[10].id, outcome[220].error.details.id)
    end)

    it("is updated in requests of 100, 100 and 50, with failures at their places", function()
      local list = {}
      for i, id in ipairs(ids_of_leads(250)) do list[i] = { id = id, City = "City " .. i } end
      list[7].id, list[120].id, list[250].id = wire.UNKNOWN_ID, "x", wire.UNKNOWN_ID
      local outcome = crm.Leads:update(list)
      received_in_hundreds(sandbox, "PUT", "/Leads", list)
      assert.same({ 247, 3 }, { outcome.succeeded, outcome.failed })
      assert_failed_at(outcome, { 7, 120, 250 }, "id")
      for _, i in ipairs({ 7, 120, 250 }) do assert.equal("not_found", outcome[i].error.kind) end
      for _, i in ipairs({ 1, 8, 101, 249 }) do
        assert.equal(list[i].id, outcome[i].id)
        assert.equal("City " .. i, assert(crm.Leads:get(list[i].id)).City)
      end
    end)

    it("is upserted in requests of 100, 100 and 50", function()
      local list = leads({ 130 })
      for i, lead in ipairs(list) do lead.Email = ("lead%d@example.com"):format(i) end
      assert(crm.Leads:create({ Last_Name = "There", Email = "lead205@example.com" }))
      sandbox.clear()
      local outcome = crm.Leads:upsert(list, { duplicate_check_fields = { "Email" } })
      received_in_hundreds(sandbox, "POST", "/Leads/upsert", list, { duplicate_check_fields = { "Email" } })
      assert.same({ 249, 1 }, { outcome.succeeded, outcome.failed })
      assert_failed_at(outcome, { 130 }, "Last_Name")
      assert.same({ "insert", "update", "insert" }, { outcome[204].action, outcome[205].action, outcome[206].action })
    end)

    it("is deleted in requests of 100, 100 and 50", function()
      local ids = ids_of_leads(250)
      ids[3], ids[180] = wire.UNKNOWN_ID, "../org"
      local outcome = crm.Leads:delete(ids, { wf_trigger = false })
      local expected = {}
      for i, range in ipairs({ { 1, 100 }, { 101, 200 }, { 201, 250 } }) do
        local part = table.concat(ids, ",", range[1], range[2])
        expected[i] = { "DELETE", "/Leads", query = { ids = part, wf_trigger = "false" } }
      end
      wire.received(in_input_order(sandbox, ids), expected[1], expected[2], expected[3])
      assert.same({ 250, 248, 2 }, { #outcome, outcome.succeeded, outcome.failed })
      for i, result in ipairs(outcome) do
        assert.equal(i ~= 3 and i ~= 180, result.ok)
        assert.equal(result.ok and ids[i] or nil, result.id)
      end
      assert.same({ 3, "not_found" }, { outcome[3].error.record, outcome[3].error.kind })
      assert.equal(12, #assert(crm.Leads:list({ fields = "Last_Name" })))
    end)

    it("goes out in as few requests as can be: 100 in one, 101 in two", function()
      local list = leads()
      assert.equal(100, crm.Leads:create(slice(list, 1, 100)).succeeded)
      assert.equal(1, #sandbox.requests())
      sandbox.clear()
      assert.equal(101, crm.Leads:create(slice(list, 1, 101)).succeeded)
      wire.received(in_input_order(sandbox, list), { "POST", "/Leads", body = { data = slice(list, 1, 100) } },
        { "POST", "/Leads", body = { data = slice(list, 101, 101) } })
    end)

    it("goes out in the order of the input where one request at a time is allowed", function()
      local list, expected = leads(), {}
      for i, range in ipairs({ { 1, 100 }, { 101, 200 }, { 201, 250 } }) do
        expected[i] = { "POST", "/Leads", body = { data = slice(list, range[1], range[2]) } }
      end
      assert.equal(250, one_by_one.Leads:create(list).succeeded)
      wire.received(sandbox, expected[1], expected[2], expected[3])
    end)

    it("is not touched: what was passed stays as it was", function()
      local list = leads()
      crm.Leads:create(list)
      assert.same(leads(), list)
    end)

    it("is sent to its end where a request in the middle is refused, each record with that error", function()
      local other = with_second_request({
        status = 400,
        body = '{"code":"INVALID_DATA","details":{"expected_data_type":"jsonarray","api_name":"data"},'
          .. '"message":"body","status":"error"}',
      })
      local outcome = other.Leads:create(leads())
      assert.equal(3, #sandbox.requests())
      assert.same({ 250, 150, 100 }, { #outcome, outcome.succeeded, outcome.failed })
      for i, result in ipairs(outcome) do
        assert.equal(i <= 100 or i > 200, result.ok)
        if not result.ok then
          assert.same({ i, "INVALID_DATA", 400 }, { result.error.record, result.error.code, result.error.status })
          assert.is_nil(result.error.may_have_happened)
        end
      end
      other:close()
    end)

    it("says what may have happened where the server breaks down in the middle", function()
      local other = with_second_request({ status = 500, body = '{"message":"boom"}' })
      local outcome = other.Leads:create(leads())
      assert.equal(3, #sandbox.requests()) -- a create is not repeated
      assert.equal(100, outcome.failed)
      for i = 101, 200 do
        assert.same({ i, "server", true, false }, {
          outcome[i].error.record, outcome[i].error.kind, outcome[i].error.may_have_happened,
          outcome[i].error.retryable,
        })
      end
      other:close()
    end)

    it("takes an error wrapped as the only item for every record of its request", function()
      local other = with_second_request({
        status = 400,
        body = '{"data":[{"code":"LICENSE_LIMIT_EXCEEDED","details":{},"message":"full","status":"error"}]}',
      })
      local outcome = other.Leads:create(leads())
      assert.same({ 150, 100 }, { outcome.succeeded, outcome.failed })
      for i = 101, 200 do
        assert.same({ i, "LICENSE_LIMIT_EXCEEDED" }, { outcome[i].error.record, outcome[i].error.code })
      end
      other:close()
    end)

    it("does not count on the status: a 200 with errors inside is read record by record", function()
      sandbox.fail_next({
        status = 200,
        body = '{"data":[{"code":"SUCCESS","details":{"id":"1"},"message":"record added","status":"success"},'
          .. '{"code":"RECORD_LOCKED","details":{"id":"2"},"message":"locked","status":"error"}]}',
      })
      local outcome = crm.Leads:update({ { id = "1" }, { id = "2" } })
      assert.same({ 1, 1 }, { outcome.succeeded, outcome.failed })
      assert.same({ "RECORD_LOCKED", "conflict" }, { outcome[2].error.code, outcome[2].error.kind })
    end)

    it("says so where the answer has nothing about a record", function()
      sandbox.fail_next({
        status = 201,
        body = '{"data":[{"code":"SUCCESS","details":{"id":"1"},"message":"record added","status":"success"}]}',
      })
      local outcome = crm.Leads:create({ { Last_Name = "a" }, { Last_Name = "b" } })
      assert.same({ 1, 1 }, { outcome.succeeded, outcome.failed })
      assert.same({ "protocol", true, 2 }, {
        outcome[2].error.kind, outcome[2].error.may_have_happened, outcome[2].error.record,
      })
    end)

    it("raises before anything is sent where a record cannot be written as JSON", function()
      local list = leads()
      list[201].City = print
      wire.raises(function() crm.Leads:create(list) end, "create Leads: record 201: City")
      list[201].City = nil
      list[250] = "Smith"
      wire.raises(function() crm.Leads:create(list) end, "create: record 250 is a string")
      wire.received(sandbox)
    end)
  end)
end
