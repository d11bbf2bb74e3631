-- Walks over any number of records: pages, each and all, from page to page_token, and how they end.
local doors = require("spec.support.doors")
local wire = require("spec.support.wire")

local COUNT = 2300
local TOKEN = {} -- stands for whatever token the answer before gave

-- Calls that cannot be had, and why: name of the call, options, message.
local MISTAKES = {
  { "pages", {}, "pages needs fields" },
  { "each", {}, "each needs fields" },
  { "all", {}, "all needs fields" },
  { "each", { fields = "a", limit = -1 }, "limit must be a whole number from 0" },
  { "each", { fields = "a", limit = 1.5 }, "limit must be a whole number" },
  { "all", { fields = "a", per_page = 201 }, "per_page must be a whole number from 1 to 200" },
  { "pages", { fields = "a", page = 2, page_token = "x" }, "page and page_token exclude each other" },
  { "each", { fields = "a", limt = 1 }, "unknown option 'limt'; did you mean 'limit'?" },
}

-- limit, per_page given -> what is asked for: per_page, and the number of requests.
local LIMITS = {
  { 0, nil, nil, 0 },
  { 1, nil, "1", 1 },
  { 199, nil, "199", 1 },
  { 200, nil, false, 1 },
  { 201, nil, false, 2 },
  { 7, 5, "5", 2 },
  { 10, 5, "5", 2 },
  { 2000, nil, false, 10 },
  { 2001, nil, false, 11 },
  { 2300, nil, false, 12 },
  { 100000, nil, false, 12 },
}

-- Tokens that the server refuses: what happens to the walk, and the error.
local REFUSED_TOKENS = {
  { "garbage", { page_token = "garbage" }, "INVALID_DATA" },
  { "altered fields", { fields = "Email" }, "TOKEN_BOUND_DATA_MISMATCH" },
  { "altered sorting", { sort_order = "asc" }, "TOKEN_BOUND_DATA_MISMATCH" },
  { "an altered size of the page", { per_page = 50 }, "TOKEN_BOUND_DATA_MISMATCH" },
}

-- The queries of a walk: `pages` by number, then `tokens` by token.
local function queries(pages, tokens, more)
  local list = {}
  for i = 1, pages + tokens do
    list[i] = { fields = "Last_Name" }
    for name, value in pairs(more or {}) do list[i][name] = value end
    if i <= pages then list[i].page = ("%d"):format(i) else list[i].page_token = TOKEN end
  end
  return list
end

for _, door in ipairs(doors) do
  describe("walks (" .. door.name .. ")", function()
    local sandbox, crm, newest_first

    setup(function()
      sandbox = door.start({ records = { Leads = COUNT, Contacts = 2000, Deals = 0, Tasks = 7 }, time = wire.NOW })
      crm = wire.client(sandbox)
      -- by other means than a walk: ten pages from either end
      local seen = {}
      newest_first = {}
      for _, order in ipairs({ "desc", "asc" }) do
        for page = 1, 10 do
          local records = assert(crm.Leads:list({ fields = "Last_Name", page = page, sort_order = order }))
          for _, lead in ipairs(records) do
            if not seen[lead.id] then
              newest_first[#newest_first + 1], seen[lead.id] = lead.id, true
            end
          end
        end
      end
      table.sort(newest_first, function(a, b) return a > b end)
      assert.equal(COUNT, #newest_first)
    end)
    teardown(function()
      crm:close()
      sandbox.stop()
    end)
    before_each(function() sandbox.reset() end)

    -- Asserts the queries of the log; each token must be the one that the page before gave.
    local function asked(expected, tokens)
      local log = sandbox.requests()
      assert.equal(#expected, #log)
      for i, query in ipairs(expected) do
        if query.page_token == TOKEN then query.page_token = tokens[i - 1] end
        wire.check(log[i], { "GET", "/Leads", query = query }, i)
      end
    end

    it("page by page: 2,000 by page, the rest by page_token, in order, nothing twice, nothing missing", function()
      local ids, tokens, sizes = {}, {}, {}
      for page in crm.Leads:pages({ fields = "Last_Name", prefetch = 0 }) do
        sizes[#sizes + 1], tokens[#tokens + 1] = #page, page.info.next_page_token
        for _, lead in ipairs(page) do ids[#ids + 1] = lead.id end
      end
      assert.same({ 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 100 }, sizes)
      assert.same(newest_first, ids)
      asked(queries(10, 2), tokens)
    end)

    it("record by record", function()
      local ids = {}
      for lead in crm.Leads:each({ fields = { "Last_Name" } }) do
        ids[#ids + 1] = lead.id
        assert.equal("string", type(lead.Last_Name))
      end
      assert.same(newest_first, ids)
      assert.equal(12, #sandbox.requests())
    end)

    it("lazily, without prefetch: a page is asked for when its first record is", function()
      local position = 0
      for _ in crm.Leads:each({ fields = "Last_Name", per_page = 100, limit = 250, prefetch = 0 }) do
        position = position + 1
        if position == 1 or position == 100 then assert.equal(1, #sandbox.requests()) end
        if position == 101 then assert.equal(2, #sandbox.requests()) end
      end
      assert.equal(250, position)
      assert.equal(3, #sandbox.requests())
    end)

    it("all at once", function()
      local all = assert(crm.Leads:all({ fields = "Last_Name" }))
      assert.same(newest_first, wire.column(all, "id"))
      assert.equal(COUNT, all.info.count)
      assert.is_false(all.info.more_records)
      assert.equal(12, #sandbox.requests())
    end)

    it("with any size of page: the last page by number ends at or before record 2,000", function()
      for _, row in ipairs({ { 150, 13, 3 }, { 199, 10, 2 }, { 200, 10, 2 } }) do
        sandbox.clear()
        local tokens, ids = {}, {}
        for page in crm.Leads:pages({ fields = "Last_Name", per_page = row[1], prefetch = 0 }) do
          tokens[#tokens + 1] = page.info.next_page_token
          for _, lead in ipairs(page) do ids[#ids + 1] = lead.id end
        end
        assert.same(newest_first, ids)
        asked(queries(row[2], row[3], { per_page = ("%d"):format(row[1]) }), tokens)
      end
    end)

    it("with every option repeated on every page, also by token", function()
      local id = assert(crm.connections:list({ status = "ACTIVE" }))[1].connection_id
      sandbox.clear()
      local count = 0
      for _ in crm.Leads:each({ prefetch = 0,
        fields = "Last_Name", sort_by = "Created_Time", sort_order = "asc", converted = "false", connection = id,
        if_modified_since = "2001-01-01T00:00:00Z",
      }) do count = count + 1 end
      assert.equal(COUNT, count)
      local log = sandbox.requests()
      assert.equal(12, #log)
      for i, request in ipairs(log) do
        local token = request.query.page_token
        assert.equal(i > 10, token ~= nil)
        wire.check(request, {
          "GET", "/Leads",
          query = {
            fields = "Last_Name", sort_by = "Created_Time", sort_order = "asc", converted = "false",
            page = i <= 10 and ("%d"):format(i) or nil, page_token = token,
          },
          headers = { ["maton-connection"] = id, ["if-modified-since"] = "2001-01-01T00:00:00Z" },
        }, i)
      end
    end)

    it("with the options that they began with, which stay as they were", function()
      local o = { fields = { "Last_Name" }, per_page = 10, limit = 25 }
      local walk = crm.Leads:pages(o)
      assert.same({ fields = { "Last_Name" }, per_page = 10, limit = 25 }, o)
      o.fields[1], o.per_page, o.limit = "Email", 3, 1
      local count = 0
      for page in walk do count = count + #page end
      assert.equal(25, count)
      local function page(number)
        return { "GET", "/Leads", query = { fields = "Last_Name", per_page = "10", page = number } }
      end
      wire.received(sandbox, page("1"), page("2"), page("3"))
    end)

    it("from a page on, and from a token on", function()
      local from_page = assert(crm.Leads:all({ fields = "Last_Name", page = 10 }))
      assert.equal(COUNT - 1800, #from_page)
      assert.equal(newest_first[1801], from_page[1].id)
      assert.equal(newest_first[COUNT], from_page[#from_page].id)
      local token = assert(crm.Leads:list({ fields = "Last_Name", page = 3 })).info.next_page_token
      sandbox.clear()
      local from_token = assert(crm.Leads:all({ fields = "Last_Name", page_token = token }))
      assert.equal(COUNT - 600, #from_token)
      assert.equal(newest_first[601], from_token[1].id)
      for _, request in ipairs(sandbox.requests()) do
        assert.is_nil(request.query.page)
        assert.is_string(request.query.page_token)
      end
    end)

    it("over exactly 2,000 records, without a token", function()
      assert.equal(2000, #assert(crm.Contacts:all({ fields = "Last_Name" })))
      local log = sandbox.requests()
      assert.equal(10, #log)
      for _, request in ipairs(log) do assert.is_nil(request.query.page_token) end
    end)

    it("over few records, and over none", function()
      assert.equal(7, #assert(crm.Tasks:all({ fields = "Subject" })))
      for _ in crm.Deals:each({ fields = "Deal_Name" }) do error("there is no deal") end
      for _ in crm.Deals:pages({ fields = "Deal_Name" }) do error("there is no page of deals") end
      local none = assert(crm.Deals:all({ fields = "Deal_Name" }))
      assert.same({ 0, 0 }, { #none, none.info.count })
      assert.equal(4, #sandbox.requests())
    end)

    for _, row in ipairs(LIMITS) do
      local limit, per_page, asked_for, requests = row[1], row[2], row[3], row[4]
      it(("with a limit of %d%s"):format(limit, per_page and " in pages of " .. per_page or ""), function()
        local expected = {}
        for i = 1, math.min(limit, COUNT) do expected[i] = newest_first[i] end
        local all = assert(crm.Leads:all({ fields = "Last_Name", limit = limit, per_page = per_page }))
        assert.same(expected, wire.column(all, "id"))
        local log = sandbox.requests()
        assert.equal(requests, #log)
        for _, request in ipairs(log) do assert.equal(asked_for or nil, request.query.per_page) end
        for _, request in ipairs(log) do assert.is_nil(request.query.limit) end
      end)
    end

    it("left in the middle: nothing more is asked for", function()
      local count = 0
      for _ in crm.Leads:each({ fields = "Last_Name", per_page = 10, prefetch = 0 }) do
        count = count + 1
        if count == 15 then break end
      end
      for page in crm.Leads:pages({ fields = "Last_Name", per_page = 10, prefetch = 0 }) do
        if #page == 10 then break end
      end
      collectgarbage()
      assert.equal(3, #sandbox.requests())
    end)

    it("closed early: they give nothing more", function()
      local walk = crm.Leads:each({ fields = "Last_Name", per_page = 10, prefetch = 0 })
      assert.is_string(walk().Last_Name)
      walk:close()
      walk:close()
      assert.is_nil(walk())
      assert.equal(1, #sandbox.requests())
    end)

    it("at the end: they go on giving nothing, and ask no more", function()
      local walk = crm.Tasks:each({ fields = "Subject" })
      for _ = 1, 7 do assert.is_table(walk()) end
      assert.is_nil(walk())
      assert.is_nil(walk())
      assert.equal(1, #sandbox.requests())
    end)

    it("two at a time, each at its own place", function()
      local a = crm.Leads:each({ fields = "Last_Name", per_page = 2 })
      local b = crm.Leads:each({ fields = "Last_Name", per_page = 3 })
      for i = 1, 8 do
        assert.equal(newest_first[i], a().id)
        assert.equal(newest_first[i], b().id)
      end
    end)

    describe("that fail midway", function()
      local function fail_next()
        sandbox.fail_next({ status = 500, body = '{"message":"boom"}' })
      end

      it("raise the error object, after the records before it", function()
        local count = 0
        local fine, err = pcall(function()
          for _ in crm.Leads:each({ fields = "Last_Name", per_page = 10, prefetch = 0 }) do
            count = count + 1
            if count == 20 then fail_next() end
          end
        end)
        assert.is_false(fine)
        assert.equal(20, count)
        wire.fails({ kind = "server", status = 500, method = "GET", path = "/crm/v8/Leads" }, nil, err)
        assert.matches("^list Leads: HTTP 500, boom", tostring(err))
      end)

      it("speak of going on only where there is something to go on from", function()
        fail_next()
        local _, err = pcall(crm.Leads:each({ fields = "Last_Name", per_page = 10 }))
        assert.same({ 0, 1 }, { err.delivered, err.resume.page })
        assert.matches("; 0 records were delivered before$", tostring(err))
      end)

      it("raise it page by page too, and again when they are called again", function()
        local walk = crm.Leads:pages({ fields = "Last_Name", per_page = 10, prefetch = 0 })
        assert.equal(10, #walk())
        fail_next()
        local fine, err = pcall(walk)
        assert.same({ false, "server" }, { fine, err.kind })
        local again, same = pcall(walk)
        assert.same({ false, err }, { again, same })
        assert.equal(2, #sandbox.requests())
      end)

      it("are nil and the error for all", function()
        fail_next()
        wire.fails({ kind = "server", status = 500 }, crm.Leads:all({ fields = "Last_Name" }))
        assert.equal(1, #sandbox.requests())
      end)

      it("raise for a module that there is not", function()
        local fine, err = pcall(crm:module("leads"):each({ fields = "Last_Name" }))
        assert.same({ false, "INVALID_MODULE" }, { fine, err.code })
      end)
    end)

    describe("by token", function()
      local function token_of(o)
        local token = assert(crm.Leads:list(o)).info.next_page_token
        sandbox.clear()
        return token
      end

      it("live for 24 hours by the sandbox's clock", function()
        sandbox.set_time(wire.NOW)
        local page = assert(crm.Leads:list({ fields = "Last_Name" }))
        assert.equal("2026-02-06T17:10:56-08:00", page.info.page_token_expiry)
        local token = page.info.next_page_token
        sandbox.advance(24 * 3600 - 1)
        assert.equal(newest_first[201], assert(crm.Leads:list({ fields = "Last_Name", page_token = token }))[1].id)
        sandbox.advance(1)
        local err = wire.fails({ kind = "invalid", code = "EXPIRED_VALUE", status = 400, retryable = false },
          crm.Leads:list({ fields = "Last_Name", page_token = token }))
        assert.matches("EXPIRED_VALUE, Page token expired.*; page tokens live for 24 hours; begin", tostring(err))
      end)

      it("end with the error when the token expires under way", function()
        sandbox.set_time(wire.NOW)
        local pages = 0
        local fine, err = pcall(function()
          for _ in crm.Leads:pages({ fields = "Last_Name", prefetch = 0 }) do
            pages = pages + 1
            if pages == 10 then sandbox.advance(24 * 3600) end
          end
        end)
        assert.same({ false, 10, "EXPIRED_VALUE" }, { fine, pages, err.code })
      end)

      for _, row in ipairs(REFUSED_TOKENS) do
        it("are refused with " .. row[1], function()
          local o = { fields = "Last_Name", per_page = 10 }
          o.page_token = token_of(o)
          for name, value in pairs(row[2]) do o[name] = value end
          wire.fails({ kind = "invalid", code = row[3], status = 400 }, crm.Leads:list(o))
          assert.equal(o.page_token, sandbox.requests()[1].query.page_token)
        end)
      end

      it("neither repeat nor miss a record where others are made and deleted meanwhile", function()
        local ids, made = {}, {}
        for page in crm.Leads:pages({ fields = "Last_Name", page_token = token_of({ fields = "Last_Name" }) }) do
          for _, lead in ipairs(page) do ids[#ids + 1] = lead.id end
          made[#made + 1] = assert(crm.Leads:create({ Last_Name = "Between" })).id
          assert(crm.Leads:delete(page[1].id))
        end
        assert.equal(COUNT - 200, #ids)
        for i, id in ipairs(ids) do assert.equal(newest_first[200 + i], id) end
        assert.is_true(#made > 2)
      end)
    end)

    it("are told by the server that page reaches 2,000 records, whatever its size", function()
      for _, row in ipairs({ { 200, 10 }, { 100, 20 }, { 50, 40 } }) do
        local last = assert(crm.Leads:list({ fields = "Last_Name", per_page = row[1], page = row[2] }))
        assert.equal(newest_first[2000], last[#last].id)
        local err = wire.fails(
          { kind = "invalid", code = "DISCRETE_PAGINATION_LIMIT_EXCEEDED", status = 400, details = { limit = 2000 } },
          crm.Leads:list({ fields = "Last_Name", per_page = row[1], page = row[2] + 1 }))
        assert.matches("go on with page_token = info.next_page_token, or let each%(%) do it", tostring(err))
      end
    end)

    it("end with an error where the server promises more but gives no token", function()
      local fine, err = pcall(function()
        for page in crm.Leads:pages({ fields = "Last_Name", page = 10, prefetch = 0 }) do
          if page.info.next_page_token then
            sandbox.fail_next({
              status = 200, headers = { ["content-type"] = "application/json" },
              body = '{"data":[{"id":"1"}],"info":{"per_page":200,"count":1,"more_records":true}}',
            })
          end
        end
      end)
      assert.same({ false, "protocol" }, { fine, err.kind })
      assert.matches("gave no page_token", tostring(err))
    end)

    for _, row in ipairs(MISTAKES) do
      it(("never begin with %s: %s"):format(row[1], row[3]), function()
        wire.raises(function() crm.Leads[row[1]](crm.Leads, row[2]) end, row[3])
        wire.received(sandbox)
      end)
    end
  end)
end

describe("a walk by token", function()
  it("reaches 100,000 records and no more", function()
    local sandbox = doors[1].start({ records = { Leads = 100001 }, time = wire.NOW })
    local crm = wire.client(sandbox)
    local count, last = 0, nil
    local fine, err = pcall(function()
      for page in crm.Leads:pages({ fields = "id" }) do
        count = count + #page
        assert(last == nil or page[1].id < last)
        last = page[#page].id
      end
    end)
    assert.is_false(fine)
    assert.same({ 100000, "PAGINATION_LIMIT_EXCEEDED", "invalid" }, { count, err.code, err.kind })
    crm:close()
    sandbox.stop()
  end)
end)
