-- Scans: whole modules by id, one call after the other or in ranges at once, and how they go on after an error.
local doors = require("spec.support.doors")
local fault_server = require("spec.support.fault_server")
local id_server = require("spec.support.id_server")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

local c = zohocrm.criteria
local COUNT = 4300

local function ids_of(walk)
  local ids = {}
  for record in walk do ids[#ids + 1] = record.id end
  return ids
end

local function sorted(list)
  local copy = {}
  for i, id in ipairs(list) do copy[i] = id end
  table.sort(copy, function(a, b) return #a ~= #b and #a < #b or #a == #b and a < b end)
  return copy
end

-- What a walk gives until it fails, and the error.
local function until_error(walk)
  local ids = {}
  local fine, err = pcall(function()
    for record in walk do ids[#ids + 1] = record.id end
  end)
  return ids, not fine and err or nil
end

local function texts(log)
  local list = {}
  for i, request in ipairs(log) do list[i] = wire.decoded(request.body).select_query end
  return list
end

for _, door in ipairs(doors) do
  if door.name ~= "https" then
    describe("a scan, " .. door.name .. ",", function()
      local sandbox, crm, all

      setup(function()
        sandbox = door.start({ records = { Leads = COUNT, Contacts = 0, Deals = 1, Accounts = 5 }, time = wire.NOW })
        crm = wire.client(sandbox)
        all = sorted(wire.column(assert(crm.Leads:all { fields = "id" }), "id"))
        assert.equal(COUNT, #all)
      end)
      teardown(function()
        crm:close()
        sandbox.stop()
      end)
      before_each(function() sandbox.reset() end)

      it("gives every record once, in the order of ids, 2,000 a call", function()
        assert.same(all, ids_of(crm.Leads:scan { fields = { "Last_Name", "id", "Owner.last_name" } }))
        local head = "select id, Last_Name, Owner.last_name from Leads where "
        assert.same({
          head .. "id is not null order by id asc limit 2000",
          head .. ("id > '%s' order by id asc limit 2000"):format(all[2000]),
          head .. ("id > '%s' order by id asc limit 2000"):format(all[4000]),
        }, texts(sandbox.requests()))
        wire.check(sandbox.requests()[1], { "POST", "/coql", body = { select_query = texts(sandbox.requests())[1] } })
      end)

      it("gives records with the fields that were asked for", function()
        local lead = crm.Leads:scan { fields = "Last_Name, Email" }()
        assert.equal(all[1], lead.id)
        assert.same(assert(crm.Leads:get(lead.id)).Last_Name, lead.Last_Name)
        assert.same(assert(crm.Leads:get(lead.id)).Email, lead.Email)
      end)

      it("in ranges at once gives the same records, whatever their number", function()
        for parallel = 1, 10 do
          sandbox.clear()
          assert.same(all, sorted(ids_of(crm.Leads:scan { fields = "id", parallel = parallel })))
          -- the first page, the highest id, and what is left of the module
          local most = parallel == 1 and 3 or 2 + 2 + parallel
          assert.is_true(#sandbox.requests() <= most, ("%d calls with %d ranges"):format(#sandbox.requests(), parallel))
        end
      end)

      it("of no records, and of one", function()
        assert.same({}, ids_of(crm.Contacts:scan { fields = "id" }))
        assert.equal(1, #sandbox.requests())
        assert.same({}, ids_of(crm.Contacts:scan { fields = "id", parallel = 4 }))
        assert.equal(1, #ids_of(crm.Deals:scan { fields = "id" }))
        assert.equal(1, #ids_of(crm.Deals:scan { fields = "id", parallel = 4 }))
      end)

      it("gives what a condition selects", function()
        local wanted = {}
        for lead in crm.Leads:each { fields = "City,No_of_Employees" } do
          if lead.City == "Oslo" or lead.City == "Rome" then wanted[#wanted + 1] = lead.id end
        end
        assert.is_true(#wanted > 0 and #wanted < COUNT)
        wanted = sorted(wanted)
        for _, parallel in ipairs { 1, 3 } do
          local where = c.any(c.City:equals "Oslo", c.City:equals "Rome")
          assert.same(wanted, sorted(ids_of(crm.Leads:scan { fields = "id", where = where, parallel = parallel })))
          assert.same(wanted, sorted(ids_of(crm.Leads:scan {
            fields = "id", where = "City = 'Oslo' or City = 'Rome'", parallel = parallel,
          })))
        end
      end)

      it("keeps a condition of several parts, built or as text, apart from its own", function()
        local found = 0
        for _ in crm.Leads:scan { fields = "id", where = "City = 'Oslo' or id is not null" } do found = found + 1 end
        assert.equal(COUNT, found)
        local log = texts(sandbox.requests())
        assert.equal(3, #log)
        assert.matches("where %(id > '%d+' and %(City = 'Oslo' or id is not null%)%) order by", log[2])
      end)

      it("with a limit asks for no more than that", function()
        for _, row in ipairs { { 0, 0 }, { 1, 1 }, { 2000, 1 }, { 2001, 2 }, { 4300, 3 }, { 10 ^ 6, 3 } } do
          sandbox.clear()
          local wanted = {}
          for i = 1, math.min(row[1], COUNT) do wanted[i] = all[i] end
          assert.same(wanted, ids_of(crm.Leads:scan { fields = "id", limit = row[1] }))
          assert.equal(row[2], #sandbox.requests())
        end
        sandbox.clear()
        ids_of(crm.Leads:scan { fields = "id", limit = 7 })
        assert.matches("limit 7$", texts(sandbox.requests())[1])
        for _, limit in ipairs { 0, 1, 2000, 2001, 4299 } do
          local seen = ids_of(crm.Leads:scan { fields = "id", limit = limit, parallel = 3 })
          assert.equal(limit, #seen)
          local count = {}
          for _, id in ipairs(seen) do
            assert.is_nil(count[id])
            count[id] = true
          end
        end
      end)

      it("misses no record and gives none twice while others come and go", function()
        for _, parallel in ipairs { 1, 4 } do
          sandbox.reset()
          local seen, deleted, created, position = {}, {}, {}, 0
          for lead in crm.Leads:scan { fields = "id", parallel = parallel } do
            assert.is_nil(seen[lead.id], "twice")
            seen[lead.id], position = true, position + 1
            if position % 500 == 1 then
              -- some that were given, some that are to come
              local gone = { all[position], all[COUNT - position + 1] }
              assert.equal(2, assert(crm.Leads:delete(gone)).succeeded)
              for _, id in ipairs(gone) do deleted[id] = true end
              created[#created + 1] = assert(crm.Leads:create { Last_Name = "New", Company = "Acme" }).id
            end
          end
          for _, id in ipairs(all) do assert.is_true(seen[id] or deleted[id] or false, "missed: " .. id) end
          local others = 0
          for id in pairs(seen) do others = others + (deleted[id] and 0 or 1) end
          assert.is_true(others <= COUNT + #created)
        end
      end)

      it("left in the middle is over", function()
        for _, parallel in ipairs { 1, 3 } do
          local walk = crm.Leads:scan { fields = "id", parallel = parallel }
          assert.equal(all[1], walk().id)
          walk:close()
          walk:close()
          assert.is_nil(walk())
          assert.matches("zohocrm.Walk", tostring(walk))
          assert.equal(0, crm:limits().in_flight + crm:limits().waiting)
        end
      end)

      it("in tasks, several at once", function()
        local tasks = {}
        for i, parallel in ipairs { 1, 4, 2 } do
          tasks[i] = crm:spawn(function() return ids_of(crm.Leads:scan { fields = "id", parallel = parallel }) end)
        end
        crm:run()
        for _, task in ipairs(tasks) do assert.same(all, sorted(task:result())) end
      end)

      it("cancelled with its task leaves no call behind", function()
        local task = crm:spawn(function() return ids_of(crm.Leads:scan { fields = "id", parallel = 4 }) end)
        crm:step()
        task:cancel()
        assert.equal(0, crm:limits().in_flight + crm:limits().waiting)
        assert.same(all, ids_of(crm.Leads:scan { fields = "id" }))
      end)

      it("keeps to the client's concurrency", function()
        for _, concurrency in ipairs { 1, 2 } do
          local most = 0
          local careful = wire.client(sandbox, { concurrency = concurrency })
          for _ in careful.Leads:scan { fields = "id", parallel = 10 } do
            local limits = careful:limits()
            most = math.max(most, limits.in_flight + limits.waiting)
          end
          assert.is_true(most <= concurrency, ("%d calls at once"):format(most))
          assert.same(all, sorted(ids_of(careful.Leads:scan { fields = "id", parallel = 10 })))
          careful:close()
        end
      end)

      it("says what is wrong with a condition before it asks, where it is to check", function()
        local function scan(o)
          o.check = true
          return select(2, until_error(crm.Leads:scan(o)))
        end
        local err = scan { fields = "Lastname" }
        assert.equal("invalid", err.kind)
        assert.equal("scan Leads: no field 'Lastname' in Leads; did you mean 'Last_Name'?", tostring(err))
        for _, parallel in ipairs { 1, 4 } do
          err = scan { fields = "id", where = c.Citty:equals "Oslo", parallel = parallel }
          assert.matches("no field 'Citty' in Leads; did you mean 'City'", tostring(err))
          assert.is_nil(err.resume)
        end
        assert.is_nil(scan { fields = "id", where = c.City:equals "Oslo", limit = 1 })
        local asked = {}
        for _, request in ipairs(sandbox.requests()) do asked[#asked + 1] = request.path:match("[^/]+$") end
        assert.same({ "fields", "coql" }, asked)
      end)

      it("hands on what the server says of a query", function()
        local ids, err = until_error(crm.Leads:scan { fields = "Lastname" })
        assert.same({}, ids)
        assert.equal("INVALID_QUERY", err.code)
        assert.equal("POST", err.method)
        assert.is_nil(err.may_have_happened)
        assert.matches("^scan Leads: ", tostring(err))
      end)
    end)
  end
end

describe("a scan", function()
  local server, crm

  local function start(ids, page, options)
    server = id_server.new { ids = ids, page = page }
    crm = zohocrm.new(wire.merged({ sandbox = server, rate = 0, retries = 0 }, options))
  end

  after_each(function()
    crm:close()
    server = nil
  end)

  -- Ids with gaps: dense here, far apart there.
  local function uneven(count, base)
    local ids, high = {}, 0
    for i = 1, count do
      high = high + (i % 40 == 0 and 10 ^ 7 or i > count / 2 and 1 or 3)
      ids[i] = ("%s%010d"):format(base or "724348500", high)
    end
    return ids
  end

  local function scan(o)
    return crm.Leads:scan(wire.merged({ fields = "id" }, o))
  end

  it("of ids that lie unevenly, in ranges", function()
    local ids = uneven(200)
    for parallel = 1, 10 do
      start(ids, 7)
      assert.same(ids, sorted(ids_of(scan { parallel = parallel })))
      assert.is_true(#server.queries <= 29 * 1.25 + 2 + 3 * parallel, ("%d calls with %d ranges"):format(#server.queries, parallel))
    end
  end)

  it("splits so that ranges share the calls", function()
    local ids = {}
    for i = 1, 500 do ids[i] = ("%d"):format(10 ^ 15 + i) end
    start(ids, 10)
    ids_of(scan { parallel = 5 })
    local by_end = {}
    for _, query in ipairs(server.queries) do
      local to = query:match("id <= '(%d+)'") or "none"
      by_end[to] = (by_end[to] or 0) + 1
    end
    local ranges = 0
    for _, count in pairs(by_end) do
      ranges = ranges + 1
      assert.is_true(count <= 13, "one range made " .. count .. " calls")
    end
    assert.is_true(ranges >= 5)
  end)

  it("of ids past what a double can tell apart", function()
    for _, base in ipairs { "900719925", "922337203", "1844674407" } do
      local ids = uneven(60, base)
      for _, parallel in ipairs { 1, 2, 5 } do
        start(ids, 4)
        assert.same(ids, sorted(ids_of(scan { parallel = parallel })))
      end
    end
  end)

  it("of ids of different lengths", function()
    local ids = { "1", "2", "9", "10", "11", "99", "100", "12345678901", "12345678901234567890" }
    for _, parallel in ipairs { 1, 2, 10 } do
      start(ids, 2)
      assert.same(ids, sorted(ids_of(scan { parallel = parallel })))
    end
  end)

  it("sees what is created before it comes to its end", function()
    for _, parallel in ipairs { 1, 2, 4 } do
      local ids = uneven(100)
      start(ids, 5)
      server.before = function(n) if n == 9 then ids[#ids + 1] = ids[#ids]:gsub("%d%d$", "99") end end
      local seen = ids_of(scan { parallel = parallel })
      assert.equal(101, #seen)
      assert.same(ids, sorted(seen))
    end
  end)

  it("ends where the records that were promised are gone", function()
    for _, parallel in ipairs { 1, 3 } do
      local ids = uneven(20)
      start(ids, 5)
      server.before = function(n)
        if n == (parallel == 1 and 4 or 3) then
          for i = #server.ids, 11, -1 do server.ids[i] = nil end
        end
      end
      local seen = ids_of(scan { parallel = parallel })
      assert.is_true(#seen >= 10)
    end
  end)

  it("refuses to go on where the server breaks the order", function()
    -- number of the answer, its ids, whether more are promised, what the message says
    local cases = {
      { 1, { "5", "4" }, true, "record 4 came after 5, out of the order of ids" },
      { 1, { "5", "5" }, true, "record 5 came after 5" },
      { 2, { "1", "2" }, true, "record 1 came after %d+" },
      { 1, { "a", "b" }, true, "whole number of at most 20 digits: a" },
      { 1, { ("9"):rep(21) }, true, "whole number of at most 20 digits" },
      { 1, {}, true, "there are more records, but gave none" },
      { 2, {}, true, "there are more records, but gave none" },
    }
    for i, case in ipairs(cases) do
      for _, parallel in ipairs { 1, 3 } do
        start(uneven(100), 5)
        server.before = function(n, query)
          local asks_highest = query:find("desc", 1, true)
          if not asks_highest and (n == case[1] or case[1] == 2 and n > 2) then
            return { status = 200, body = id_server.page(case[2], case[3]) }
          end
        end
        local _, err = until_error(scan { parallel = parallel })
        assert.equal("protocol", err and err.kind, "case " .. i)
        assert.matches(case[4], tostring(err))
      end
    end
  end)

  it("refuses records without an id, and answers that do not say whether there are more", function()
    for _, body in ipairs { '{"data":[{"Last_Name":"x"}],"info":{"more_records":true}}', '{"data":[{"id":"1"}]}',
      '{"data":[{"id":1}],"info":{"more_records":true}}', '{"data":1}', "[]" } do
      for _, parallel in ipairs { 1, 3 } do
        start({ "1" })
        server.before = function() return { status = 200, body = body } end
        local _, err = until_error(scan { parallel = parallel })
        assert.equal("protocol", err and err.kind, body)
      end
    end
  end)

  it("goes on exactly where it failed, whichever call it was", function()
    local ids = uneven(90)
    for _, parallel in ipairs { 1, 2, 5 } do
      start(ids, 7)
      ids_of(scan { parallel = parallel })
      assert.is_true(#server.queries >= 13)
      for at = 1, #server.queries do
        crm:close()
        start(ids, 7)
        server.before = function(n)
          if n == at then return { status = 500, body = '{"code":"INTERNAL_ERROR","message":"no","status":"error"}' } end
        end
        local seen, err = until_error(scan { parallel = parallel })
        if err then
          assert.equal("server", err.kind)
          assert.is_true(err.retryable)
          assert.equal(#seen, err.delivered)
          assert.matches(("%d records were delivered before%s"):format(#seen, seen[1] and "; the option resume" or "$"),
            tostring(err))
          server.before = nil
          for id in scan { parallel = parallel, resume = err.resume } do seen[#seen + 1] = id.id end
        else
          assert.is_true(parallel > 1) -- what was asked ahead and not needed may fail
        end
        assert.same(ids, sorted(seen), ("call %d failed, %d ranges"):format(at, parallel))
      end
    end
  end)

  it("can be resumed with another number of ranges, and with a limit that counts from the beginning", function()
    local ids = uneven(90)
    start(ids, 7)
    server.before = function(n) if n == 9 then return { status = 503, body = "" } end end
    local seen, err = until_error(scan { parallel = 5 })
    server.before = nil
    for _, parallel in ipairs { 1, 2, 10 } do
      local rest = {}
      for i, id in ipairs(seen) do rest[i] = id end
      for record in scan { parallel = parallel, resume = err.resume } do rest[#rest + 1] = record.id end
      assert.same(ids, sorted(rest))
    end
    assert.equal(3, #ids_of(scan { parallel = 5, resume = err.resume, limit = #seen + 3 }))
    assert.equal(0, #ids_of(scan { parallel = 5, resume = err.resume, limit = #seen }))
  end)

  it("stays failed once it has failed", function()
    for _, parallel in ipairs { 1, 3 } do
      start(uneven(50), 5)
      server.before = function(n) if n >= 4 then return { status = 500, body = "" } end end
      local walk = scan { parallel = parallel }
      local _, first = until_error(walk)
      local more, second = until_error(walk)
      assert.same({}, more)
      assert.equal(first, second)
    end
  end)

  it("repeats a call whose answer was lost, as it only reads", function()
    for _, parallel in ipairs { 1, 3 } do
      local ids = uneven(50)
      start(ids, 5, { retries = 2, clock = require("zohocrm.core").clock { random = { 0.5 } } })
      server.before = function(n) if n % 3 == 0 then return { status = 502, body = "" } end end
      assert.same(ids, sorted(ids_of(scan { parallel = parallel })))
    end
  end)

  it("holds no more pages than there are ranges for a caller who is slow", function()
    local ids = {}
    for i = 1, 1000 do ids[i] = ("%d"):format(10 ^ 15 + i) end
    start(ids, 10)
    local walk, seen = scan { parallel = 4 }, 0
    for _ in walk do
      seen = seen + 1
      local pages = math.ceil(seen / 10)
      assert.is_true(#server.queries <= pages + 3 * 4 + 2, ("%d calls for %d pages"):format(#server.queries, pages))
    end
    assert.equal(1000, seen)
  end)

  it("asks for nothing and gives nothing once another task has closed it", function()
    for _, how in ipairs { "in turns", "in ranges", "by pages" } do
      local sandbox, requests, count = require("zohocrm.sandbox").new { records = { Leads = 6500 } }, 0, 0
      crm = zohocrm.new { sandbox = {
        api_key = sandbox.api_key,
        handle = function(_, request)
          requests = requests + 1
          return sandbox:handle(request)
        end,
      } }
      for stop_at = 1, 4 do
        local records = how == "by pages" and crm.Leads:each { fields = "Last_Name" }
          or crm.Leads:scan { fields = "Last_Name", parallel = how == "in ranges" and 2 or 1 }
        requests, count = 0, 0
        local task = crm:spawn(function()
          for _ in records do count = count + 1 end
        end)
        for _ = 1, stop_at do crm:step { budget = 0 } end
        records:close()
        local asked, given = requests, count
        crm:run()
        assert.is_true(task:done())
        assert.is_true(requests <= asked, ("%s, closed after %d steps: %d requests more"):format(how, stop_at, requests - asked))
        assert.is_true(count <= given + 1, ("%s, closed after %d steps: %d records more"):format(how, stop_at, count - given))
      end
      crm:close()
    end
  end)

  it("asks for nothing more once the loop is left", function()
    for _, parallel in ipairs { 1, 4 } do
      start(uneven(400), 5)
      local walk = scan { parallel = parallel }
      for record in walk do
        if record then break end
      end
      walk:close()
      local asked = #server.queries
      crm:step()
      assert.equal(asked, #server.queries)
    end
  end)

  it("takes nothing for a condition that could get out of its place", function()
    start({ "1" })
    for _, where in ipairs { "City = 'Oslo') or (City = 'Rome'", "(City = 'Oslo'", "City = 'Oslo", "City = \"Oslo", "a = ')' )" } do
      wire.raises(function() scan { where = where } end, "scan: where has a ", "without its counterpart")
    end
    for _, where in ipairs { "City = 'Os)lo'", "City = \"O'Neil\"", "City = 'O''Neil'", "((a = 1) or (b = 'x(' ))", "a = '\"'" } do
      ids_of(scan { where = where })
      assert.is_truthy(server.queries[#server.queries]:find("where (" .. where .. ") order by id", 1, true))
    end
  end)

  it("raises at the caller's line what can never be right", function()
    start({ "1" })
    wire.raises(function() crm.Leads:scan {} end, "scan needs fields")
    wire.raises(function() crm.Leads:scan "Last_Name" end, "scan takes a table of options")
    wire.raises(function() crm.Leads.scan { fields = "id" } end, "with a colon")
    wire.raises(function() scan { where = "" } end, "scan: where takes a condition", "not an empty string")
    wire.raises(function() scan { where = "  " } end, "not blanks")
    wire.raises(function() scan { where = 7 } end, "not a number")
    wire.raises(function() scan { where = c.City } end, "scan: where is a field, not a condition")
    wire.raises(function() scan { where = c.City:equals "back\\" } end, "backslash")
    wire.raises(function() scan { fields = "a b" } end, "a b")
    wire.raises(function() scan { fields = { "x, id from Leads" } } end, "comma")
    wire.raises(function() scan { fields = "*" } end, "no *")
    wire.raises(function() scan { parallel = 0 } end, "parallel must be a whole number from 1 to 10")
    wire.raises(function() scan { parallel = 11 } end, "parallel must be a whole number from 1 to 10")
    wire.raises(function() scan { limit = -1 } end, "limit must be a whole number")
    wire.raises(function() scan { paralel = 2 } end, "did you mean 'parallel'?")
    wire.raises(function() scan { resume = { after = "1' or 'a'='a" } } end, "resume: after is no record id")
    wire.raises(function() scan { resume = { ranges = { { after = "x" } } } } end, "ranges[1].after is no record id")
    wire.raises(function() scan { resume = { ranges = { { from = "1" } } } } end, "unknown option 'from'")
    assert.same({}, server.queries)
  end)

  it("has a closed client refuse it", function()
    start({ "1", "2", "3" }, 1)
    local walk = scan { parallel = 2 }
    assert.equal("1", walk().id)
    crm:close()
    local _, err = until_error(walk)
    assert.is_not_nil(err)
  end)
end)

describe("a scan over HTTP", function()
  it("asks for nothing by the id of a record before it knows that for one", function()
    local faults = fault_server.start()
    local crm = faults:client()
    finally(function()
      crm:close()
      faults:stop()
    end)
    for id, message in pairs {
      ["7\255"] = "it is not UTF%-8", ["7' or id > '0"] = "the id of a record is no whole number of at most 20 digits: 7' or id > '0",
      ["7\\n"] = "the id of a record is no whole number",
    } do
      for parallel = 1, 3, 2 do
        faults:script { fault_server.reply { body = ('{"data":[{"id":"5"},{"id":"%s"}],"info":{"more_records":true}}'):format(id) } }
        local list, err = until_error(crm.Leads:scan { fields = "id", parallel = parallel })
        assert.same({}, list)
        assert.equal("protocol", err.kind)
        assert.matches(message, tostring(err))
        for _, request in ipairs(faults:received()) do assert.is_nil(request.body:find("id > ", 1, true)) end
      end
    end
  end)

  it("keeps to the rate, whatever its ranges", function()
    local sandbox = doors[2].start { records = { Leads = 2100 }, rate = 10 }
    local crm = wire.client(sandbox, { rate = 10 })
    finally(function()
      crm:close()
      sandbox.stop()
    end)
    for _ = 1, 5 do assert.equal(2100, #ids_of(crm.Leads:scan { fields = "id", parallel = 10 })) end
    assert.is_true(#sandbox.requests() >= 15) -- one call past ten within a second would have been refused
  end)
end)
