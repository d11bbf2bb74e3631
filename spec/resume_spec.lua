--- Walks that broke off and are taken up again by err.resume: nothing is given twice or left out. With chance:
--- resume_property_spec.lua.
local fault_server = require("spec.support.fault_server")
local numbered = require("spec.support.numbered")

local reply, page_of, ids, numbers = fault_server.reply, numbered.page, numbered.ids, numbered.from_to

describe("pages", function()
  local faults

  setup(function()
    faults = fault_server.start()
  end)

  teardown(function()
    faults:stop()
  end)

  local function client(options) return faults:client(options) end

  it("that fail say how many records came, and the walk goes on from there", function()
    faults:script {
      reply { body = page_of(1, 10, 30) }, reply { body = page_of(2, 10, 30) },
      reply { status = 500, body = '{"message":"boom"}' },
    }
    local crm = client()
    local list, err = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0 })
    assert.same(numbers(1, 20), list)
    assert.equal("server", err.kind)
    assert.equal(20, err.delivered)
    assert.same({ page = 3, delivered = 20, after = "99980" }, err.resume)
    assert.matches("20 records were delivered before; the option resume = err%.resume goes on from there", tostring(err))
    faults:script { reply { body = page_of(3, 10, 30) } }
    list, err = ids(crm.Leads:each { fields = "id", per_page = 10, resume = err.resume })
    assert.is_nil(err)
    assert.same(numbers(21, 30), list)
    assert.matches("[?&]page=3", faults:received()[1].target)
  end)

  it("by token that fail are taken up by that token", function()
    faults:script {
      reply { body = page_of(10, 200, 2600, "T11") }, reply { body = page_of(11, 200, 2600, "T12") },
      reply { status = 500, body = '{"message":"boom"}' },
    }
    local crm = client()
    local list, err = ids(crm.Leads:each { fields = "id", page = 10 })
    assert.equal(400, #list)
    assert.same({ page_token = "T12", delivered = 400, after = "97800" }, err.resume)
    faults:script { reply { body = page_of(12, 200, 2600, "T13") }, reply { body = page_of(13, 200, 2600) } }
    list, err = ids(crm.Leads:each { fields = "id", resume = err.resume, limit = 500 })
    assert.is_nil(err)
    assert.equal(100, #list) -- the limit counts what came before
    assert.matches("page_token=T12", faults:received()[1].target)
  end)

  it("by a token that expired begin anew, passing over what was delivered", function()
    faults:script {
      reply { body = page_of(10, 200, 2300, "T11") },
      reply { status = 400, body = '{"code":"EXPIRED_VALUE","details":{"param_name":"page_token"},'
        .. '"message":"Page token expired","status":"error"}' },
    }
    local crm = client()
    local list, err = ids(crm.Leads:each { fields = "id", page = 10 })
    assert.equal(200, #list)
    assert.equal("EXPIRED_VALUE", err.code)
    assert.same({ after = "98000", delivered = 200 }, err.resume)
    faults:script { reply { body = page_of(1, 200, 400) }, reply { body = page_of(2, 200, 400) } }
    list = ids(crm.Leads:each { fields = "id", resume = { after = "99700" } })
    assert.same(numbers(301, 400), list)
  end)

  it("of a walk that fails again before anything new came are passed over all the same", function()
    local crm, boom = client(), reply { status = 500, body = '{"message":"boom"}' }
    local moved = page_of(2, 10, 30):gsub('"99989"', '"99990"', 1)
    faults:script { reply { body = page_of(1, 10, 30) }, reply { body = moved } }
    local _, err = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0 })
    for _ = 1, 2 do
      assert.same({ page = 2, delivered = 10, after = "99990" }, err.resume)
      faults:script { boom }
      _, err = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0, resume = err.resume })
      assert.equal("server", err.kind)
    end
    faults:script { reply { body = moved }, boom }
    local list, last = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0, resume = err.resume })
    assert.equal(9, #list)
    assert.same({ page = 3, delivered = 19, after = "99980" }, last.resume)
  end)

  -- A list that had `grown` by so many on top.
  local function grown(number, size, total, by)
    return (page_of(number, size, total + by):gsub('"id":"(%d+)"', function(id) return ('"id":"%d"'):format(id + by) end))
  end

  it("of a list that grew before the walk goes on are not given twice", function()
    local crm, boom = client(), reply { status = 500, body = '{"message":"boom"}' }
    for _, order in ipairs { false, "Modified_Time" } do
      local o = { fields = "id", per_page = 10, prefetch = 0, sort_by = order or nil }
      faults:script { reply { body = page_of(1, 10, 30) }, boom }
      local seen, err = ids(crm.Leads:each(o))
      assert.same(numbers(1, 10), seen)
      faults:script { boom }
      o.resume = err.resume
      seen, err = ids(crm.Leads:each(o))
      assert.same({ 0, 10 }, { #seen, err.delivered })
      faults:script { reply { body = grown(2, 10, 30, 3) }, boom }
      o.resume = err.resume
      seen, err = ids(crm.Leads:each(o))
      assert.same(numbers(11, 17), seen)
      faults:script { reply { body = grown(3, 10, 30, 6) }, reply { body = grown(4, 10, 30, 6) } }
      o.resume = err.resume
      seen, err = ids(crm.Leads:each(o))
      assert.is_nil(err)
      assert.same(numbers(18, 30), seen)
    end
  end)

  it("of a list that grew by pages are not given twice, where ids tell", function()
    local crm = client()
    faults:script { reply { body = page_of(1, 10, 30) }, reply { status = 500, body = "{}" } }
    local _, err = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0 })
    faults:script {
      reply { body = grown(2, 10, 30, 25) }, reply { body = grown(3, 10, 30, 25) }, reply { body = grown(4, 10, 30, 25) },
      reply { body = grown(5, 10, 30, 25) }, reply { body = grown(6, 10, 30, 25) },
    }
    local seen
    seen, err = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0, resume = err.resume })
    assert.is_nil(err)
    assert.same(numbers(11, 30), seen)
  end)

  it("that are not in the order of ids are never passed over by it", function()
    local crm, boom = client(), reply { status = 500, body = "{}" }
    local odd = '{"data":[{"id":"5"},{"id":"9"},{"id":"3"}],"info":{"more_records":%s}}'
    local even = '{"data":[{"id":"8"},{"id":"4"},{"id":"9"}],"info":{"more_records":false}}'
    faults:script { reply { body = odd:format("true") }, boom }
    local seen, err = ids(crm.Leads:each { fields = "id", prefetch = 0 })
    assert.same({ 5, 9, 3 }, seen)
    assert.same({ page = 2, delivered = 3, skip = { "5", "9", "3" } }, err.resume)
    faults:script { reply { body = even } }
    seen, err = ids(crm.Leads:each { fields = "id", resume = err.resume })
    assert.same({ 8, 4 }, seen)
    assert.is_nil(err)
    faults:script { reply { body = even } }
    seen, err = ids(crm.Leads:each { fields = "id", resume = { page = 2, after = "9", delivered = 1 } })
    assert.same({}, seen)
    assert.equal("conflict", err.kind)
    assert.matches("the list changed during the walk: it is not in the order of ids, in which it was to be resumed", tostring(err))
    assert.same({ page = 2, after = "9", delivered = 1 }, err.resume)
  end)

  it("of a search, whose order is its own, are never passed over by the order of ids", function()
    local crm = client()
    local function page(list, more)
      local items = {}
      for i, id in ipairs(list) do items[i] = ('{"id":"%d"}'):format(id) end
      return reply { body = ('{"data":[%s],"info":{"more_records":%s}}'):format(table.concat(items, ","), tostring(more)) }
    end
    for _, case in ipairs { { { 5 }, { 9 } }, { { 9, 5 }, { 8, 3 } }, { { 9, 5, 1 }, { 8, 6, 2 } } } do
      local wanted = {}
      for _, list in ipairs(case) do
        for _, id in ipairs(list) do wanted[#wanted + 1] = id end
      end
      local o = { word = "abc", per_page = #case[1], prefetch = 0 }
      faults:script { page(case[1], true), page(case[2], false) }
      assert.same({ wanted }, { ids(crm.Leads:each(o)) })
      faults:script { page(case[1], true), reply { status = 500, body = "{}" } }
      local seen, err = ids(crm.Leads:each(o))
      faults:script { page(case[2], false) }
      o.resume = err.resume
      for _, id in ipairs((ids(crm.Leads:each(o)))) do seen[#seen + 1] = id end
      assert.same(wanted, seen)
    end
  end)

  it("of a list whose server says that its order is another are not, either", function()
    local crm = client()
    faults:script {
      reply { body = '{"data":[{"id":"9"},{"id":"5"}],"info":{"more_records":true,"sort_by":"Modified_Time"}}' },
      reply { body = '{"data":[{"id":"8"},{"id":"3"}],"info":{"more_records":true,"sort_by":"Modified_Time"}}' },
      reply { status = 500, body = "{}" },
    }
    local seen, err = ids(crm.Leads:each { fields = "id", per_page = 2, prefetch = 0 })
    assert.same({ 9, 5, 8, 3 }, seen)
    assert.same({ page = 3, delivered = 4, skip = { "8", "3" } }, err.resume)
  end)

  it("keep the size that a limit gave them", function()
    local crm, boom = client(), reply { status = 500, body = "{}" }
    local function asked() return faults:received()[1].target:match("per_page=(%d+)") end
    faults:script { boom }
    local _, err = ids(crm.Leads:each { fields = "id", limit = 50 })
    assert.same({ "50", { page = 1, per_page = 50, delivered = 0 } }, { asked(), err.resume })
    for _, limit in ipairs { 50, 70, 500 } do
      faults:script { boom }
      _, err = ids(crm.Leads:each { fields = "id", limit = limit, resume = err.resume })
      assert.same({ "50", { page = 1, per_page = 50, delivered = 0 } }, { asked(), err.resume })
    end
    faults:script { boom }
    _, err = ids(crm.Leads:each { fields = "id", limit = 50, page = 3 })
    assert.same({ { page = 3, delivered = 0 } }, { err.resume, (asked()) })
    faults:script { boom }
    _, err = ids(crm.Leads:each { fields = "id", limit = 50, resume = err.resume })
    assert.same({ { page = 3, delivered = 0 } }, { err.resume, (asked()) })
  end)

  it("of a walk that began anew are passed over however often it fails", function()
    local crm, boom = client(), reply { status = 500, body = '{"message":"boom"}' }
    faults:script { boom }
    local resume = { after = "99985", delivered = 15 }
    local list, err = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0, resume = resume })
    assert.same({}, list)
    assert.same({ page = 1, after = "99985", delivered = 15 }, err.resume)
    faults:script { reply { body = page_of(1, 10, 40) }, boom }
    list, err = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0, resume = err.resume })
    assert.same({}, list)
    assert.same({ page = 2, after = "99985", delivered = 15 }, err.resume)
    faults:script { reply { body = page_of(2, 10, 40) }, boom }
    list, err = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0, resume = err.resume })
    assert.same(numbers(16, 20), list)
    assert.same({ page = 3, after = "99980", delivered = 20 }, err.resume)
    faults:script { reply { body = page_of(3, 10, 40) }, reply { body = page_of(4, 10, 40) } }
    assert.same(numbers(21, 40), (ids(crm.Leads:each { fields = "id", per_page = 10, resume = err.resume })))
  end)

  it("by a token that is dead when the walk is taken up begin anew", function()
    local expired = reply { status = 400, body = '{"code":"EXPIRED_VALUE","details":{},"message":"Page token expired","status":"error"}' }
    local crm = client()
    faults:script { expired }
    local list, err = ids(crm.Leads:each { fields = "id", resume = { page_token = "T12", delivered = 400, after = "99600" } })
    assert.same({}, list)
    assert.same({ after = "99600", delivered = 400 }, err.resume)
    assert.matches("400 records were delivered before; the option resume = err%.resume goes on from there", tostring(err))
    faults:script { reply { body = page_of(1, 200, 600) }, reply { body = page_of(2, 200, 600) }, reply { body = page_of(3, 200, 600) } }
    assert.same(numbers(401, 600), (ids(crm.Leads:each { fields = "id", resume = err.resume })))
  end)

  it("by a token that expires again, before anything new came, begin where the first one did", function()
    faults:script { reply { body = page_of(1, 200, 2300, "T2") },
      reply { status = 400, body = '{"code":"EXPIRED_VALUE","details":{},"message":"Page token expired","status":"error"}' } }
    local list, err = ids(client { concurrency = 1 }.Leads:each { fields = "id", resume = { after = "99700", delivered = 300 } })
    assert.same({}, list)
    assert.same({ after = "99700", delivered = 300 }, err.resume)
    assert.is_nil(tostring(err):find("anew", 1, true))
    assert.matches("300 records were delivered before; the option resume", tostring(err))
  end)

  it("of a list that moved underneath are refused, and the walk can go on without doubles", function()
    -- somebody put a record on top: what ended page 1 begins page 2
    local moved = page_of(2, 10, 30):gsub('"99989"', '"99990"', 1)
    faults:script { reply { body = page_of(1, 10, 30) }, reply { body = moved } }
    local crm = client()
    local list, err = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0 })
    assert.same(numbers(1, 10), list)
    assert.equal("conflict", err.kind)
    assert.matches("the list changed during the walk: record 99990 came twice", tostring(err))
    assert.same({ page = 2, delivered = 10, after = "99990" }, err.resume)
    faults:script { reply { body = moved }, reply { body = page_of(3, 10, 30) } }
    list, err = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0, resume = err.resume })
    assert.is_nil(err)
    assert.equal(19, #list)
    assert.equal(99988, list[1])
  end)

  it("that are empty where the page before promised more are no silent end", function()
    faults:script { reply { body = page_of(1, 10, 30) }, reply { status = 204 } }
    local crm = client()
    local list, err = ids(crm.Leads:each { fields = "id", per_page = 10, prefetch = 0 })
    assert.same(numbers(1, 10), list)
    assert.equal("conflict", err.kind)
    assert.matches("no more records where more were promised", tostring(err))
    faults:script { reply { status = 204 } }
    list, err = ids(crm.Leads:each { fields = "id", per_page = 10, resume = err.resume })
    assert.same({}, list)
    assert.is_nil(err)
  end)

  it("that do not say whether there are more are no silent end", function()
    faults:script { reply { body = page_of(1, 10, 30) }, reply { body = '{"data":[{"id":"5"}]}' } }
    local list, err = ids(client().Leads:each { fields = "id", per_page = 10, prefetch = 0 })
    assert.same(numbers(1, 10), list)
    assert.equal("protocol", err.kind)
    assert.same({ page = 2, delivered = 10, after = "99990" }, err.resume)
  end)
end)
