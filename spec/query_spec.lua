-- COQL queries: one page of rows, all rows, and how a walk ends, fails and goes on.
local cjson = require("cjson")
local doors = require("spec.support.doors")
local fault_server = require("spec.support.fault_server")
local query = require("zohocrm.query")
local random_json = require("spec.support.random_json")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

local c, coql = zohocrm.criteria, zohocrm.coql
local COUNT = 4100
local SEED = tonumber(os.getenv("SPEC_SEED") or "") or os.time()
local ALL = "select Last_Name from Leads where id is not null"

local function ids_of(walk)
  local ids = {}
  for row in walk do ids[#ids + 1] = row.id end
  return ids
end

local function until_error(walk)
  local ids = {}
  local fine, err = pcall(function()
    for row in walk do ids[#ids + 1] = row.id end
  end)
  return ids, not fine and err or nil
end

local function slice(list, from, to)
  local part = {}
  for i = from, to do part[#part + 1] = list[i] end
  return part
end

-- What was asked, oldest first.
local function asked(log)
  local texts = {}
  for i, request in ipairs(log) do texts[i] = wire.decoded(request.body).select_query end
  return texts
end

for _, door in ipairs(doors) do
  if door.name ~= "https" then
    describe("a query, " .. door.name .. ",", function()
      local sandbox, crm, all

      setup(function()
        sandbox = door.start { records = { Leads = COUNT, Contacts = 5, Accounts = 3, Deals = 0 }, time = wire.NOW }
        crm = wire.client(sandbox)
        all = {}
        for lead in crm.Leads:each { fields = "id", sort_order = "asc" } do all[#all + 1] = lead.id end
        assert.equal(COUNT, #all)
      end)
      teardown(function()
        crm:close()
        sandbox.stop()
      end)
      before_each(function() sandbox.reset() end)

      it("gives a page of rows", function()
        local page = assert(crm:query(coql.select { "Last_Name", "City" }:from "Leads":where(c.id:equals(all[3])):limit(7)))
        assert.equal(1, #page)
        assert.equal(all[3], page[1].id)
        assert.equal(assert(crm.Leads:get(all[3])).Last_Name, page[1].Last_Name)
        assert.same({ 1, false }, { page.info.count, page.info.more_records })
        wire.check(sandbox.requests()[1], { "POST", "/coql",
          body = { select_query = ("select Last_Name, City from Leads where id = '%s' limit 7"):format(all[3]) } })
      end)

      it("takes a text as it stands", function()
        local text = "  SELECT Last_Name\nFROM Leads WHERE id is not null LIMIT 3 "
        assert.equal(3, #assert(crm:query(text)))
        assert.same({ text }, asked(sandbox.requests()))
      end)

      it("gives an empty page where nothing is found", function()
        for _, text in ipairs { "select id from Deals where id is not null", "select id from Leads where City = 'Nowhere'" } do
          local page = assert(crm:query(text))
          assert.same({ 0, false }, { #page, page.info.more_records })
          assert.same({}, ids_of(crm:query_each(text)))
        end
      end)

      it("gives dotted columns, aliases and aggregates under their names", function()
        local row = assert(crm:query(coql.select { "Last_Name", "Account_Name.Account_Name" }:from "Contacts"
          :where(c.Account_Name:is_not_empty()):limit(1)))[1]
        assert.equal("string", type(row["Account_Name.Account_Name"]))
        row = assert(crm:query(coql.select { coql.count "id", coql.max "Annual_Revenue":as "most" }:from "Leads"))[1]
        assert.equal(COUNT, tonumber(row["COUNT(id)"]))
        assert.is_not_nil(row.most)
      end)

      it("row by row comes in calls of 2,000", function()
        assert.same(all, ids_of(crm:query_each(ALL)))
        assert.same({ ALL .. " limit 2000 offset 0", ALL .. " limit 2000 offset 2000", ALL .. " limit 2000 offset 4000" },
          slice(asked(sandbox.requests()), 1, 3))
      end)

      it("row by row keeps to the limit and the offset of its own", function()
        for _, row in ipairs {
          { " limit 10", 1, 10, 1 }, { " LIMIT 10 offset 5", 6, 15, 1 }, { " limit 5, 10", 6, 15, 1 }, { " offset 4095", 4096, COUNT, 1 },
          { " offset 7 limit 3", 8, 10, 1 }, { " limit 2001", 1, 2001, 2 }, { " limit 0", 1, 0, 0 }, { " limit 1000 offset 9000", 1, 0, 1 },
          { "\nlimit\t3\n", 1, 3, 1 },
        } do
          sandbox.clear()
          assert.same(slice(all, row[2], row[3]), ids_of(crm:query_each(ALL .. row[1])), row[1])
          assert.equal(row[4], #sandbox.requests(), row[1])
        end
      end)

      it("row by row takes the smaller of two limits", function()
        assert.equal(3, #ids_of(crm:query_each(ALL .. " limit 10", { limit = 3 })))
        assert.equal(10, #ids_of(crm:query_each(ALL .. " limit 10", { limit = 30 })))
        assert.equal(0, #ids_of(crm:query_each(ALL, { limit = 0 })))
        assert.same(slice(all, 4, 2503), ids_of(crm:query_each(coql.select "id":from "Leads":offset(3):limit(2500))))
        local log = asked(sandbox.requests())
        assert.equal("select id from Leads where id is not null limit 500 offset 2003", log[#log])
      end)

      it("row by row asks ahead as far as it is told to", function()
        local walk = crm:query_each(ALL, { prefetch = 0 })
        walk()
        assert.equal(1, #sandbox.requests())
        walk:close()
        sandbox.clear()
        walk = crm:query_each(ALL, { prefetch = 2 })
        walk()
        walk:close()
        local log = #sandbox.requests()
        assert.is_true(log >= 2 and log <= 3, log)
        assert.same(all, ids_of(crm:query_each(ALL, { prefetch = 5 })))
      end)

      it("left in the middle is over", function()
        local walk = crm:query_each(ALL)
        for row in walk do
          if row.id == all[2] then break end
        end
        walk:close()
        assert.is_nil(walk())
        assert.equal(0, crm:limits().in_flight + crm:limits().waiting)
      end)

      it("goes on where it failed, without a row twice or missed", function()
        for _, prefetch in ipairs { 0, 3 } do
          local seen = {}
          local walk = crm:query_each(ALL, { prefetch = prefetch })
          for _ = 1, 2000 do seen[#seen + 1] = walk().id end
          sandbox.fail_next { status = 500, times = 5, body = '{"code":"INTERNAL_ERROR","message":"no","status":"error"}' }
          local more, err = until_error(walk)
          sandbox.reset()
          for _, id in ipairs(more) do seen[#seen + 1] = id end
          if err then -- what was asked ahead may have come already
            assert.same({ "server", true, "POST", #seen }, { err.kind, err.retryable, err.method, err.delivered })
            assert.matches("records were delivered before; the option resume = err.resume goes on from there", tostring(err))
            for row in crm:query_each(ALL, { resume = err.resume }) do seen[#seen + 1] = row.id end
          else
            assert.is_true(prefetch > 0)
          end
          assert.same(all, seen)
        end
      end)

      it("in tasks takes turns", function()
        local one = crm:spawn(function() return ids_of(crm:query_each(ALL)) end)
        local other = crm:spawn(function() return assert(crm:query(ALL .. " limit 3")) end)
        crm:run()
        assert.same(all, (one:result()))
        assert.equal(3, #other:result())
      end)

      it("hands on what the server says of it", function()
        local err = wire.fails({ kind = "invalid", status = 400, method = "POST" }, crm:query "select Lastname from Leads where id is not null")
        assert.equal("INVALID_QUERY", err.code)
        assert.is_nil(err.may_have_happened)
        assert.matches("^query: INVALID_QUERY", tostring(err))
        local _, walked = until_error(crm:query_each "select Last_Name from")
        assert.equal("invalid", walked.kind)
      end)

      it("raises at the caller's line what is no query", function()
        wire.raises(function() crm:query() end, "query takes a query, a string or one that zohocrm.coql built, not nil")
        wire.raises(function() crm:query "" end, "not an empty string")
        wire.raises(function() crm:query { select = "id" } end, "not a table")
        wire.raises(function() crm:query(coql.select "id") end, "does not say from which module")
        wire.raises(function() crm:query_each(7) end, "query_each takes a query", "not a number")
        wire.raises(function() crm:query(ALL, { limit = 3 }) end, "unknown option 'limit'")
        wire.raises(function() crm:query_each(ALL, { limit = -1 }) end, "limit must be a whole number")
        wire.raises(function() crm:query_each(ALL, { resume = { page = 2 } }) end, "unknown option 'page'")
        wire.raises(function() crm.query(ALL) end, "with a colon")
        wire.raises(function() crm:query_each(ALL .. " limit 10 rows") end, "cannot tell what 'limit 10 rows' limits", "{ limit = n }")
        assert.same({}, sandbox.requests())
      end)
    end)
  end
end

describe("the limit and the offset of a text", function()
  -- text; what is left of it, limit, offset
  local cases = {
    { "select id from Leads where a = 1", nil, nil, 0 },
    { "select id from Leads where a = 'limit 5'", nil, nil, 0 },
    { "select id from Leads where a = 'it''s limit 5' limit 7", "select id from Leads where a = 'it''s limit 5'", 7, 0 },
    { "select id from Leads where a = \"O'Neil\" and b = 'limit 5 '", nil, nil, 0 },
    { "select id from Leads where a = \"O'Neil limit 3 \" limit 5", "select id from Leads where a = \"O'Neil limit 3 \"", 5, 0 },
    { "select id from Leads where a = '\"' and b = ' limit 5 offset 3 '", nil, nil, 0 },
    { "select id from Leads where a in (select id from Deals where b = 1 limit 5)", nil, nil, 0 },
    { "select id from Leads where a in (select id from X limit 5) limit 9 offset 2",
      "select id from Leads where a in (select id from X limit 5)", 9, 2 },
    { "select Credit_limit, offset_days from Leads where limits = 1", nil, nil, 0 },
    { "select 'limit' from Leads where Account.limit = 3 Limit 4", "select 'limit' from Leads where Account.limit = 3", 4, 0 },
    { "select id from Leads where a = 'Øystein' LIMIT\n4 , 5", "select id from Leads where a = 'Øystein'", 5, 4 },
    { "select id from Leads where a = ')' limit 5", "select id from Leads where a = ')'", 5, 0 },
    { "select id from Leads where a = 1 offset 6", "select id from Leads where a = 1", nil, 6 },
  }

  it("are told from what stands in quotes and in parentheses", function()
    for _, case in ipairs(cases) do
      local rest, limit, offset = query.split(case[1])
      assert.same({ case[2] or case[1], case[3] or "none", case[4] }, { rest, limit or "none", offset })
    end
  end)

  it("of what random texts hold in quotes never count", function()
    local seed = tonumber(os.getenv("SPEC_SEED") or "") or os.time()
    math.randomseed(seed)
    local words = { "limit 5", " ", "''", "\"\"", "offset 3", "(", ")", "x", "limit", "\n" }
    for round = 1, 500 do
      local quote = math.random(1, 2) == 1 and "'" or '"'
      local parts = {}
      for i = 1, math.random(0, 8) do
        parts[i] = words[math.random(1, #words)]
        if parts[i] == "''" or parts[i] == '""' then parts[i] = quote .. quote end
      end
      local text = ("select id from Leads where a = %s%s%s"):format(quote, table.concat(parts), quote)
      local rest, limit, offset = query.split(text .. " limit 8 offset 9")
      assert.same({ text, 8, 9 }, { rest, limit, offset }, ("SPEC_SEED=%d, round %d"):format(seed, round))
    end
  end)
end)

describe("the reach of a query (SPEC_SEED=" .. SEED .. ")", function()
  local crm, log

  -- A server with so many rows.
  local function serve(total)
    log = {}
    crm = zohocrm.new { rate = 0, retries = 0, sandbox = { api_key = "sandbox", handle = function(_, request)
      local text = cjson.decode(request.body).select_query
      log[#log + 1] = text
      local limit, offset = text:match("limit (%d+) offset (%d+)$")
      limit, offset = tonumber(limit), tonumber(offset)
      local rows, count = {}, math.min(limit, total - offset)
      for i = 1, count do rows[i] = ('{"id":"%d"}'):format(10 ^ 15 + offset + i) end
      return { status = 200, body = ('{"data":[%s],"info":{"count":%d,"more_records":%s}}'):format(table.concat(rows, ","), count,
        tostring(offset + count < total)) }
    end } }
  end

  after_each(function() crm:close() end)

  it("is 100,000 rows; past them it says what to do instead", function()
    serve(200000)
    local rows, err = until_error(crm:query_each("select id from Leads where a = 1 offset 97500"))
    assert.equal(2500, #rows)
    assert.same({ "invalid", 2500 }, { err.kind, err.delivered })
    assert.matches("^query: limit and offset reach the first 100,000 rows of a query only; .*crm.Leads:scan", tostring(err))
    assert.same({ "select id from Leads where a = 1 limit 2000 offset 97500", "select id from Leads where a = 1 limit 500 offset 99500" }, log)
    assert.is_nil(err.resume)
  end)

  it("is enough for exactly so many, and where the limit ends before", function()
    serve(100000)
    assert.equal(2500, #ids_of(crm:query_each("select id from Leads where a = 1 offset 97500")))
    serve(200000)
    assert.equal(2500, #ids_of(crm:query_each("select id from Leads where a = 1 limit 2500 offset 97500")))
    assert.equal(10, #ids_of(crm:query_each("select id from Leads where a = 1 offset 99000", { limit = 10 })))
  end)

  it("says so at once of an offset past it", function()
    serve(200000)
    local rows, err = until_error(crm:query_each("select id from Leads where a = 1 offset 100000"))
    assert.same({ 0, "invalid", 0 }, { #rows, err.kind, #log })
  end)

  -- A client whose rows are numbered, newest first, of which no more than `most` come at a time. `shift` have come on top;
  -- the call whose offset is `failing` fails, and 5 come then.
  local function numbered(count, most, failing)
    local state, calls = { shift = 0, failing = failing }, {}
    local made = zohocrm.new { rate = 0, retries = 0, sandbox = { api_key = "sandbox", handle = function(_, request)
      local limit, offset = request.body:match("limit (%-?%d+) offset (%d+)")
      limit, offset = tonumber(limit), tonumber(offset)
      calls[#calls + 1] = limit .. "@" .. offset
      if offset == state.failing or limit < 1 then
        state.shift, state.failing = 5, nil
        return { status = 500, body = "{}" }
      end
      local rows, all = {}, count + state.shift
      for i = offset + 1, math.min(offset + limit, offset + most, all) do rows[#rows + 1] = ('{"id":"%d"}'):format(i - state.shift) end
      return { status = 200, body = ('{"data":[%s],"info":{"more_records":%s}}'):format(table.concat(rows, ","),
        tostring(offset + #rows < all)) }
    end } }
    return made, calls
  end

  local ORDERED = "select id from Leads where id is not null order by Modified_Time desc"

  it("rows that are passed over when a walk goes on do not count for its limit", function()
    for _, limit in ipairs { 2001, 3000, 4000, 5000 } do
      crm = numbered(10000, 2000, 2000)
      local o = { limit = limit, prefetch = 0 }
      local seen, err = until_error(crm:query_each(ORDERED, o))
      assert.same({ 2000, 2000, 2000 }, { #seen, err.delivered, err.resume.offset })
      o.resume = err.resume
      local rest = ids_of(crm:query_each(ORDERED, o))
      for _, id in ipairs(rest) do seen[#seen + 1] = id end
      assert.equal(limit, #seen)
      for i, id in ipairs(seen) do assert.equal(("%d"):format(i), id) end
      crm:close()
    end
  end)

  it("rows are passed over however often a walk fails, and however short its pages are", function()
    for round = 1, random_json.rounds(300) do
      math.randomseed(SEED * 1000 + round)
      local total, cap, shift, calls = math.random(1, 40), math.random(1, 12), 0, 0
      local limit = math.random(2) == 1 and math.random(1, 45) or nil
      crm = zohocrm.new { rate = 0, retries = 0, sandbox = { api_key = "sandbox", handle = function(_, request)
        local count, offset = request.body:match("limit (%d+) offset (%d+)")
        count, offset, calls = tonumber(count), tonumber(offset), calls + 1
        assert(count and count > 0, request.body)
        if calls < 30 and math.random(3) == 1 then return { status = 500, body = "{}" } end
        local rows, all = {}, total + shift
        count = math.random(4) == 1 and math.random(1, cap) or cap < count and cap or count
        for i = offset + 1, math.min(offset + count, all) do rows[#rows + 1] = ('{"id":"%d"}'):format(1000 + i - shift) end
        if not rows[1] then return { status = 204, body = "" } end
        return { status = 200, body = ('{"data":[%s],"info":{"more_records":%s}}'):format(table.concat(rows, ","),
          tostring(offset + #rows < all)) }
      end } }
      local o, seen, done = { limit = limit }, {}
      repeat
        o.prefetch = math.random(2) == 1 and math.random(0, 3) or nil
        local fine, err = pcall(function()
          for row in crm:query_each(ORDERED, o) do seen[#seen + 1] = tonumber(row.id) - 1000 end
        end)
        assert(fine or type(err) == "table" and err.resume, tostring(err))
        o.resume = not fine and err.resume or nil
        if not fine and seen[1] and calls < 30 then
          -- by so many that what came is no more than a page behind, and that they stand before what is asked next
          local at = err.resume.offset
          local room = math.min((limit or query.ROWS) - (shift + #seen - at), at - shift)
          shift = shift + math.random(0, math.max(room, 0))
        end
        done = fine
      until done
      local wanted = math.min(limit or total, total)
      for i = 1, math.max(wanted, #seen) do
        assert(seen[i] == (i <= wanted and i or nil), ("round %d: row %d of %d is %s"):format(round, i, wanted, tostring(seen[i])))
      end
      crm:close()
    end
  end)

  it("pages that are shorter than was asked for leave nothing out", function()
    for _, o in ipairs { { limit = 30 }, { limit = 4500 }, {}, { prefetch = 3 }, { prefetch = 0 } } do
      local calls
      crm, calls = numbered(4700, 29)
      local rows = ids_of(crm:query_each(ORDERED, o))
      assert.equal(o.limit or 4700, #rows)
      for i, id in ipairs(rows) do assert.equal(("%d"):format(i), id) end
      -- once it is known that pages are short, none is asked ahead
      assert.is_true(#calls <= math.ceil(#rows / 29) + (o.prefetch or 1), #calls .. " calls")
      crm:close()
    end
  end)

  it("a row that comes again, as the rows moved, is an error that a walk can go on from", function()
    local pages = { { "1", "2" }, { "2", "3" } }
    crm = zohocrm.new { rate = 0, retries = 0, sandbox = { api_key = "sandbox", handle = function()
      local page = table.remove(pages, 1)
      if not page then return { status = 204, body = "" } end -- what is asked ahead
      return { status = 200, body = ('{"data":[{"id":"%s"},{"id":"%s"}],"info":{"more_records":%s}}'):format(page[1], page[2],
        tostring(pages[1] ~= nil)) }
    end } }
    local rows, err = until_error(crm:query_each("select id from Leads where a = 1", { prefetch = 0 }))
    assert.same({ "1", "2" }, rows)
    assert.matches("record 2 came twice", tostring(err))
    assert.same({ "conflict", "POST", { offset = 2, delivered = 2, skip = { "1", "2" } } }, { err.kind, err.method, err.resume })
    pages = { { "2", "3" } }
    assert.same({ "3" }, ids_of(crm:query_each("select id from Leads where a = 1", { resume = err.resume })))
  end)
end)

describe("a query on a bad line", function()
  local faults, crm

  setup(function() faults = fault_server.start() end)
  teardown(function() faults:stop() end)
  after_each(function() crm:close() end)

  local function page(ids, more)
    local rows = {}
    for i, id in ipairs(ids) do rows[i] = ('{"id":"%s"}'):format(id) end
    return fault_server.reply { body = ('{"data":[%s],"info":{"count":%d,"more_records":%s}}'):format(table.concat(rows, ","), #ids,
      tostring(more)) }
  end

  local function client(retries)
    local clock = require("zohocrm.core").clock { random = { 0.5 } }
    crm = zohocrm.new { api_key = "k", gateway_url = faults.url .. "/zoho-crm", rate = 0, retries = retries, clock = clock }
  end

  it("is asked again when its answer was lost: it only reads", function()
    for _, loss in ipairs { { { reset = true } }, { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", { close = true } },
      fault_server.reply { status = 502, body = "<html>" } } do
      client(2)
      faults:script { loss, page({ "1" }, false) }
      assert.same({ "1" }, wire.column(assert(crm:query(ALL)), "id"))
      local log = faults:received()
      assert.equal(2, #log)
      assert.equal("POST", log[1].method)
      assert.equal(log[1].body, log[2].body)
      crm:close()
    end
    client(0)
  end)

  it("that fails in the end may be repeated, and nothing has happened", function()
    client(1)
    faults:script { { { reset = true } }, { { reset = true } } }
    local err = wire.fails({ kind = "network", retryable = true, attempts = 2 }, crm:query(ALL))
    assert.is_nil(err.may_have_happened)
  end)

  it("walked, fails in the middle and goes on", function()
    client(0)
    -- twice: libcurl itself tries again where a connection that was used before breaks
    faults:script { page({ "1", "2" }, true), { { reset = true } }, { { reset = true } } }
    local seen, err = until_error(crm:query_each(ALL, { prefetch = 0 }))
    assert.same({ "1", "2" }, seen)
    assert.same({ "network", { offset = 2, delivered = 2, skip = { "1", "2" } } }, { err.kind, err.resume })
    faults:script { page({ "3" }, false) }
    assert.same({ "3" }, ids_of(crm:query_each(ALL, { resume = err.resume })))
    assert.is_truthy(faults:received()[1].body:find("offset 2\"", 1, true))
  end)

  it("walked, takes no answer for the end that does not say it is", function()
    client(0)
    for _, body in ipairs { '{"data":[{"id":"1"}]}', "{}", '{"data":7}', '{"data":[{"id":"1"}', "" } do
      faults:script { fault_server.reply { body = body } }
      local _, err = until_error(crm:query_each(ALL))
      assert.equal("protocol", err and err.kind, body)
    end
  end)
end)
