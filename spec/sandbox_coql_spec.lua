-- The sandbox engine: COQL, raw text in and records out.

local cjson = require("cjson")
local coql = require("spec.support.coql")
local engine = require("spec.support.sandbox_engine")
local http = require("socket.http")
local like = require("zohocrm.sandbox.like")
local ltn12 = require("ltn12")
local server = require("zohocrm.sandbox.server")

local create, crm = engine.create, engine.crm
local ask, column, rows = coql.ask, coql.column, coql.rows
local refused, refused_with = coql.refused, coql.refused_with

describe("sandbox engine, COQL", function()
  local accounts, owner

  before_each(function()
    accounts = coql.start()
    owner = rows("select Owner from Leads where id is not null")[1].Owner
  end)

  local function names(where)
    return column("Last_Name", "select Last_Name from Leads where " .. where)
  end

  local S, SS, ON, OE, NU = "Smith", "Smithson", "O'Neil", "Öberg", "null"

  describe("conditions", function()
    local cases = {
      { "id is not null", { S, SS, ON, OE, NU } }, { "id is null", {} },
      -- texts: as a whole, case aside; an empty field fulfils what is negated
      { "Last_Name = 'smith'", { S } }, { "Last_Name != 'Smith'", { SS, ON, OE, NU } }, { "City = 'Osl'", {} },
      { "City != 'Oslo'", { SS, OE, NU } }, { "City in ('oslo', 'ROME')", { S, SS, ON } }, { "City not in ('Oslo')", { SS, OE, NU } },
      { "City is null", { OE, NU } }, { "City is not null", { S, SS, ON } }, { "Last_Name = 'öBERG'", { OE } },
      -- values are never anything but values
      { "Last_Name = 'null'", { NU } }, { "City = '${EMPTY}'", {} }, { "City = 'null'", {} }, { "Last_Name = 'is null'", {} },
      -- wildcards
      { "Last_Name like 'smith%'", { S, SS } }, { "Last_Name like '%SON'", { SS } }, { "Last_Name like '%mit%'", { S, SS } },
      { "Last_Name like 'Smith'", { S } }, { "Last_Name like 'S%h'", { S } }, { "Last_Name like '%%'", { S, SS, ON, OE, NU } },
      { "City like '%'", { S, SS, ON } }, { "Last_Name not like '%mit%'", { ON, OE, NU } }, { "City not like '%o%'", { OE, NU } },
      { "Last_Name like 'S_ith'", {} }, { "Lead_Source like 'cold%'", { SS } },
      -- quotes
      { "Last_Name = 'O''Neil'", { ON } }, { [[Last_Name = "O'Neil"]], { ON } }, { [[Company = "say ""hi"""]], { ON } },
      { [[Company = 'say "hi"']], { ON } }, { [[Company = '100% back\slash']], { OE } }, { [[Last_Name = 'O\'Neil']], false },
      { "'Last_Name' = 'Smith'", { S } }, { [["Last_Name" = "Smith"]], { S } }, { "!Leads.Last_Name = 'Smith'", { S } },
      -- numbers, in quotes or not
      { "Annual_Revenue > 10", { SS } }, { "Annual_Revenue >= 10", { S, SS } }, { "Annual_Revenue < 10", { ON } },
      { "Annual_Revenue <= '10'", { S, ON } }, { "Annual_Revenue = 20.5", { SS } }, { "Annual_Revenue = -3", { ON } },
      { "Annual_Revenue != 10", { SS, ON, OE, NU } }, { "Annual_Revenue between -3 and 10", { S, ON } }, { "Annual_Revenue = .5", {} },
      { "Annual_Revenue not between -3 and 10", { SS, OE, NU } }, { "Annual_Revenue in (10, '20.5')", { S, SS } },
      { "No_of_Employees = 7", { OE } },
      -- dates and times: instants
      { "First_Contact_Date = '2026-02-06'", { NU } }, { "First_Contact_Date < '2026-02-06'", {} },
      { "First_Contact_Date between '2026-02-01' and '2026-02-28'", { NU } }, { "Next_Call_Time = '2026-02-06T08:00:00Z'", { NU } },
      { "Next_Call_Time > '2026-02-06T09:59:59+02:00'", { NU } }, { "Next_Call_Time is null", { S, SS, ON, OE } },
      -- booleans, pick lists
      { "Email_Opt_Out = true", { SS } }, { "Email_Opt_Out = 'true'", { SS } }, { "Email_Opt_Out = FALSE", { S, ON, OE, NU } },
      { "Lead_Source = 'Cold Call'", { SS } }, { "Lead_Source = 'Cold'", {} }, { "Lead_Source in ('Chat', 'Cold Call')", { S, SS } },
      { "Interests = 'Hardware;Training'", { ON } }, { "Interests = 'Training'", { OE } }, { "Interests is null", { S, SS, NU } },
      { "Interests in ('Training', 'Training;Hardware')", { ON, OE } },
      -- and, or, parentheses, keywords in any case
      { "City = 'Oslo' and Annual_Revenue > 0", { S } }, { "City = 'Rome' or Last_Name = 'null'", { SS, NU } },
      { "((City = 'Oslo' and Annual_Revenue > 0) or Last_Name = 'null')", { S, NU } },
      { "(City = 'Oslo' AND (Annual_Revenue > 0 Or Last_Name LIKE 'O%'))", { S, ON } }, { "(((City = 'Oslo')))", { S, ON } },
      { "City IN ('Oslo') aNd City Is Not Null", { S, ON } }, { "(City is null or City NOT LIKE 'O%') and Last_Name != 'null'", { SS, OE } },
      { "Last_Name='Smith'or\tLast_Name\n=\r\n'null'", { S, NU } },
    }

    for _, case in ipairs(cases) do
      it("evaluates " .. case[1], function()
        if case[2] then
          assert.same(case[2], names(case[1]))
        else
          refused_with("SYNTAX_ERROR", {}, "select Last_Name from Leads where " .. case[1])
        end
      end)
    end

    it("compares lookups and owners by id", function()
      local function contacts(where)
        return column("Last_Name", "select Last_Name from Contacts where " .. where)
      end
      assert.same({ "Low" }, contacts("Account_Name = '" .. accounts.sub .. "'"))
      assert.same({ "Low" }, contacts("Account_Name = " .. accounts.sub))
      assert.same({ "Low", "Free" }, contacts("Account_Name != '" .. accounts.top .. "'"))
      assert.same({ "Low", "High" }, contacts(("Account_Name in ('%s', '%s')"):format(accounts.top, accounts.sub)))
      assert.same({ "Free" }, contacts("Account_Name is null"))
      assert.same({ "Low", "High", "Free" }, contacts("Owner = '" .. owner.id .. "'"))
    end)

    it("matches patterns piece by piece", function()
      local cases_of_like = {
        { "a%b%c", { "abc", "aXbYc", "abbcc" }, { "acb", "ab", "bc", "xabc" } }, { "%ab%ab", { "abab", "xab-ab" }, { "ab", "aba" } },
        { "ab%ba", { "abba", "abxba" }, { "aba" } }, { "%a%", { "a", "ba" }, { "", "b" } }, { "a", { "a" }, { "aa", "" } },
      }
      for _, case in ipairs(cases_of_like) do
        local matches = like.matcher(case[1])
        for _, text in ipairs(case[2]) do assert.is_true(matches(text:lower()), case[1] .. " " .. text) end
        for _, text in ipairs(case[3]) do assert.is_false(matches(text), case[1] .. " " .. text) end
      end
    end)

    it("does not search converted and unapproved leads", function()
      engine.start({ time = engine.NOW, records = 5 })
      assert.equal(5, #rows("select id from Leads where id is not null"))
    end)
  end)

  describe("columns", function()
    it("are shown with the id, under the text of the query", function()
      local found = rows("select Last_Name, City, !Leads.Email, 'Company', Last_Name from Leads where Last_Name = 'Smith'")
      assert.equal(1, #found)
      local id = found[1].id
      assert.matches("^%d+$", id)
      assert.same({ id = id, Last_Name = "Smith", City = "Oslo", ["!Leads.Email"] = "smith@example.com",
        Company = cjson.null }, found[1])
    end)

    it("are renamed by as", function()
      local found = rows("select Last_Name as n, City AS 'town' from Leads where City = 'Rome' order by n")
      assert.equal("Smithson", found[1].n)
      assert.equal("Rome", found[1].town)
      assert.is_nil(found[1].Last_Name)
    end)

    it("follow lookups, in every clause", function()
      local found = rows("select Last_Name, Account_Name, Account_Name.Account_Name, Account_Name.Parent_Account.Account_Name"
        .. " from Contacts where Account_Name.Account_Name is not null order by Account_Name.Account_Name")
      assert.same({ "Low", "High" }, { found[1].Last_Name, found[2].Last_Name })
      assert.same({ id = accounts.sub, name = "Sub" }, found[1].Account_Name)
      assert.equal("Top", found[1]["Account_Name.Parent_Account.Account_Name"])
      assert.equal(cjson.null, found[2]["Account_Name.Parent_Account.Account_Name"])
      local function contacts(where)
        return column("Last_Name", "select Last_Name from Contacts where " .. where)
      end
      assert.same({ "Low" }, contacts("Account_Name.Parent_Account.Industry = 'Real Estate'"))
      assert.same({ "Low" }, contacts("Account_Name.Annual_Revenue > 4"))
      assert.same({ "High" }, contacts("Account_Name.id = '" .. accounts.top .. "'"))
      assert.same({ "High", "Free" }, contacts("Account_Name.Parent_Account is null"))
    end)

    it("of a lookup whose record is gone are empty", function()
      crm("DELETE", "Accounts/" .. accounts.sub)
      assert.same({ "Low", "Free" }, column("Last_Name", "select Last_Name from Contacts where Account_Name.Account_Name is null"))
    end)

    it("lead to the owner and its role", function()
      local found = rows("select Owner, Owner.email, Owner.role.name from Leads where Owner.last_name = 'Doe' limit 1")
      assert.equal("john.doe@example.com", found[1]["Owner.email"])
      assert.equal("CEO", found[1]["Owner.role.name"])
      assert.equal("John Doe", found[1].Owner.name)
    end)

    it("lead through a lookup into several modules, one of them named", function()
      crm("POST", "Tasks", nil, { data = {
        { Subject = "call", What_Id = { id = accounts.top }, ["$se_module"] = "Accounts" }, { Subject = "write" } } })
      assert.same({ "Top" }, column("What_Id->Accounts.Account_Name",
        "select 'What_Id->Accounts.Account_Name' from Tasks where 'What_Id->Accounts.Industry' = 'Real Estate'"))
      assert.same({}, rows("select Subject from Tasks where 'What_Id->Deals.Deal_Name' is not null"))
    end)

    it("are described where include_meta asks for it", function()
      local status, body = ask("select Last_Name as n from Leads where id is not null", { "fields" })
      assert.equal(200, status)
      assert.equal("Last_Name", body.fields.n.api_name)
      assert.equal("text", body.fields.n.data_type)
      assert.is_nil(select(2, ask("select Last_Name from Leads where id is not null")).fields)
      for _, wrong in ipairs({ { "views" }, "fields", 1 }) do
        status, body = ask("select Last_Name from Leads where id is not null", wrong)
        assert.equal(400, status)
        assert.equal("INVALID_DATA", body.code)
        assert.equal("include_meta", body.details.api_name)
      end
    end)
  end)

  describe("order", function()
    it("is by id without being told, and by several columns where told", function()
      local function order(by)
        return column("Last_Name", "select Last_Name from Leads where id is not null " .. by)
      end
      assert.same({ S, SS, ON, OE, NU }, order(""))
      assert.same({ NU, OE, ON, SS, S }, order("order by id desc"))
      assert.same({ S, SS, ON, OE, NU }, order("ORDER BY id ASC"))
      assert.same({ NU, ON, S, SS, OE }, order("order by Last_Name"))
      assert.same({ ON, S, SS, OE, NU }, order("order by Annual_Revenue")) -- empty ones last
      assert.same({ SS, S, ON, OE, NU }, order("order by Annual_Revenue desc"))
      assert.same({ SS, ON, S, NU, OE }, order("order by City desc, Last_Name asc"))
      assert.same({ ON, S, SS, NU, OE }, order("order by City, id desc"))
      assert.same({ SS, S, ON, OE, NU }, order("order by Email_Opt_Out desc"))
    end)
  end)

  describe("limits", function()
    before_each(function()
      engine.start({ time = engine.NOW, records = { Leads = 2300 } })
    end)

    local function count(rest)
      local found, info = rows("select id from Leads where id is not null " .. rest)
      return #found, info and info.more_records, found[1] and found[1].id
    end

    local function id_of(position) -- seeded leads, from 0
      return ("7243485%012d"):format(597000 + 16 * position)
    end

    it("are 200 rows by default and 2,000 at most, with an offset in three notations", function()
      assert.same({ 200, true, id_of(0) }, { count("") })
      assert.same({ 2000, true, id_of(0) }, { count("limit 2000") })
      assert.same({ 300, false, id_of(2000) }, { count("limit 2000 offset 2000") })
      assert.same({ 10, true, id_of(5) }, { count("limit 5, 10") })
      assert.same({ 10, true, id_of(5) }, { count("LIMIT 10 OFFSET 5") })
      assert.same({ 100, false, id_of(2200) }, { count("offset 2200") })
      assert.same({ 200, false, id_of(2100) }, { count("limit 200 offset 2100") })
      assert.same({ 10, true, id_of(2294) }, { count("order by id desc limit 5, 10") })
      local by_city = column("id", "select id from Leads where id is not null order by City limit 2000")
      assert.same({ 10, true, by_city[1991] }, { count("order by City limit 10 offset 1990") })
      local last_rows, more = count("order by City limit 10 offset 2295")
      assert.same({ 5, false }, { last_rows, more })
      assert.equal(0, (count("limit 1 offset 2300")))
    end)

    it("refuse what is out of range", function()
      local base = "select id from Leads where id is not null "
      assert.equal("limit should be greater than 0", refused("INVALID_DATA", { limit = 0 }, base .. "limit 0"))
      refused("INVALID_DATA", { limit = -1 }, base .. "limit -1")
      assert.equal("offset should be greater than or equal to 0", refused("INVALID_DATA", { offset = -1 }, base .. "offset -1"))
      refused_with("INVALID_QUERY", { limit = 2000 }, base .. "limit 2001")
      refused_with("INVALID_QUERY", { offset = 100000 }, base .. "limit 200 offset 99801")
      refused_with("INVALID_QUERY", { limit = 2000 }, base .. "limit 99999999999999999999999")
      assert.equal(0, (count("limit 200 offset 99800")))
    end)

    it("narrow the walk by what is said about ids", function()
      local function ids(where)
        return column("id", "select id from Leads where " .. where .. " limit 3")
      end
      local a, b, c = id_of(1000), id_of(1001), id_of(1002)
      assert.same({ b, c, id_of(1003) }, ids("id > '" .. a .. "'"))
      assert.same({ a, b, c }, ids("id >= " .. a))
      assert.same({ a, b }, ids(("(id >= '%s' and id < '%s')"):format(a, c)))
      assert.same({ a, b, c }, ids(("((id > '%s' and id <= '%s') and id != '1')"):format(id_of(999), c)))
      assert.same({ a, b }, ids(("id between '%s' and '%s'"):format(a, b)))
      assert.same({ id_of(0), id_of(1), id_of(2) }, ids(("id not between '%s' and '%s'"):format(a, b)))
      assert.same({ a, c }, ids(("id in ('%s', '%s', '12')"):format(c, a)))
      assert.same({ b }, ids("id = '" .. b .. "'"))
      assert.same({ b }, ids("id = '00" .. b .. "'"))
      assert.same({ a, c }, ids(("(id = '%s' or id = '%s')"):format(c, a)))
      assert.same({}, ids(("(id > '%s' and id < '%s')"):format(c, a)))
      assert.same({ id_of(0), id_of(1), id_of(2) }, ids("id > '1'"))
      assert.same({ id_of(0), id_of(1), id_of(2) }, ids("id > '-7243485000000597000'"))
      assert.same({}, ids("id < '1'"))
      for _, high in ipairs({ "9999999999999999999", "72434850000005970000", "7243485999999999999" }) do
        assert.same({}, ids("id > '" .. high .. "'"))
        assert.same({}, ids("id = '" .. high .. "'"))
        assert.same({ id_of(0), id_of(1), id_of(2) }, ids("id < '" .. high .. "'"))
        assert.same({ id_of(2299), id_of(2298), id_of(2297) },
          column("id", "select id from Leads where id <= '" .. high .. "' order by id desc limit 3"))
      end
      assert.same({ b, a, id_of(999) }, column("id", ("select id from Leads where id < '%s' order by id desc limit 3"):format(c)))
    end)

    it("scan all of a module, each record once, while others come and go", function()
      local last, seen, calls = "0", {}, 0
      local found
      repeat
        found = column("id", ("select id from Leads where id > '%s' order by id limit 500"):format(last))
        for _, id in ipairs(found) do
          assert.is_nil(seen[id])
          seen[id], last = true, id
        end
        calls = calls + 1
        if calls == 2 then
          crm("DELETE", "Leads/" .. id_of(3)) -- seen already
          crm("DELETE", "Leads/" .. id_of(1999)) -- not yet
          create("Leads", { Last_Name = "New" })
        end
      until #found < 500
      local total = 0
      for _ in pairs(seen) do total = total + 1 end
      assert.equal(2300, total) -- one fewer, one more
      assert.is_nil(seen[id_of(1999)])
      assert.is_true(seen[last] and last > id_of(2299))
    end)

    it("cost credits by what was asked for", function()
      local sb = engine.start({ time = engine.NOW, records = 3, credits = 20 })
      local function left(query)
        local _, _, response = ask("select id from Leads where id is not null" .. query)
        return response.headers["x-api-credits-remaining"]
      end
      assert.is_nil(left(" limit 2000")) -- 17
      assert.is_nil(left(" limit 2000")) -- 14
      assert.is_nil(left(" limit 1000")) -- 12
      assert.equal("9", left(" limit 1001"))
      assert.equal("7", left(" limit 201"))
      assert.equal("6", left(" limit 200"))
      assert.equal("5", left(""))
      assert.equal("4", left(" limit 0")) -- refused, and counted as any call
      sb:advance(24 * 3600)
      assert.is_nil(left(""))
    end)
  end)

  describe("aggregates", function()
    before_each(function()
      engine.start({ time = engine.NOW, records = 0 })
      for _, row in ipairs({ { "a", "Qualification", 10, "2026-03-01" }, { "b", "Closed Won", 5, "2026-01-01" },
        { "c", "Qualification", 2.5, nil }, { "d", "Closed Won", nil, "2026-02-01" }, { "e", "Closed Lost", 100, nil } }) do
        create("Deals", { Deal_Name = row[1], Stage = row[2], Amount = row[3], Closing_Date = row[4] })
      end
    end)

    it("are computed over everything, empty values aside", function()
      assert.same({ { ["COUNT(id)"] = 5, ["COUNT(Amount)"] = 4, ["SUM(Amount)"] = 117.5, ["AVG(Amount)"] = 29.375,
        ["MIN(Closing_Date)"] = "2026-01-01" } },
        rows("select COUNT(id), COUNT(Amount), SUM(Amount), AVG(Amount), MIN(Closing_Date) from Deals where id is not null"))
      assert.same({ { most = 10, last = "2026-03-01" } },
        rows("select MAX(Amount) as most, MAX(Closing_Date) as last from Deals where Stage = 'Qualification'"))
    end)

    it("give one row over nothing", function()
      assert.same({ { ["COUNT(id)"] = 0, ["SUM(Amount)"] = cjson.null } },
        rows("select COUNT(id), SUM(Amount) from Deals where Stage = 'nothing'"))
      assert.same({}, rows("select COUNT(id), Stage from Deals where Stage = 'nothing' group by Stage"))
    end)

    it("are computed by group, sorted, and cut to the limit", function()
      local q = "select Stage, COUNT(id) as n, SUM(Amount) from Deals where id is not null group by Stage"
      assert.same({
        { Stage = "Qualification", n = 2, ["SUM(Amount)"] = 12.5 }, { Stage = "Closed Won", n = 2, ["SUM(Amount)"] = 5 },
        { Stage = "Closed Lost", n = 1, ["SUM(Amount)"] = 100 } }, rows(q))
      assert.same({ "Closed Lost", "Closed Won", "Qualification" }, column("Stage", q .. " order by n, Stage"))
      assert.same({ "Closed Lost", "Qualification", "Closed Won" }, column("Stage", q .. " order by SUM(Amount) desc"))
      local found, info = rows(q .. " order by Stage limit 1 offset 1")
      assert.same({ "Closed Won", 1, true }, { found[1].Stage, info.count, info.more_records })
      assert.same({ "Closed Lost", "Closed Won", "Qualification" },
        column("Stage", "select Stage from Deals where id is not null group by Stage order by Stage"))
      assert.equal(4, #rows("select Stage, Closing_Date from Deals where Stage != 'Closed Lost' group by Stage, Closing_Date"))
    end)

    it("must fit the type of the column, and the groups the columns", function()
      local base = " from Deals where id is not null"
      assert.equal("data type not supported",
        refused("INVALID_QUERY", { column_name = "Stage", data_type = "picklist" }, "select SUM(Stage)" .. base))
      refused("INVALID_QUERY", { column_name = "Closing_Date", data_type = "date" }, "select AVG(Closing_Date)" .. base)
      refused("INVALID_QUERY", { column_name = "id", data_type = "bigint" }, "select SUM(id)" .. base)
      refused_with("INVALID_QUERY", { column_name = "Stage" }, "select COUNT(id), Stage" .. base)
      refused_with("INVALID_QUERY", { column_name = "Deal_Name" }, "select Deal_Name" .. base .. " group by Stage")
      refused_with("INVALID_QUERY", { column_name = "Deal_Name" }, "select Stage" .. base .. " group by Stage order by Deal_Name")
      refused_with("INVALID_QUERY", { column_name = "SUM(Amount)" }, "select Stage" .. base .. " group by Stage order by SUM(Amount)")
      refused("INVALID_QUERY", { column_name = "Description", data_type = "textarea" },
        "select Description" .. base .. " group by Description")
    end)
  end)

  it("sees writes at once, search_delay or not", function()
    engine.start({ time = engine.NOW, records = 0, search_delay = 60 })
    local id = create("Leads", { Last_Name = "Fresh" })
    assert.equal(204, (crm("GET", "Leads/search", { criteria = "(Last_Name:equals:Fresh)" })))
    assert.same({ id }, column("id", "select id from Leads where Last_Name = 'Fresh'"))
    crm("PUT", "Leads/" .. id, nil, { data = { { Last_Name = "Stale" } } })
    assert.same({}, rows("select id from Leads where Last_Name = 'Fresh'"))
    crm("DELETE", "Leads/" .. id)
    assert.same({}, rows("select id from Leads where id is not null"))
  end)
end)

describe("sandbox, COQL over HTTP", function()
  local handle

  setup(function()
    handle = server.start({ records = 2500 })
  end)

  teardown(function()
    handle:stop()
  end)

  local function post(query)
    local text, chunks = cjson.encode({ select_query = query }), {}
    local _, status = assert(http.request({
      method = "POST", url = handle.gateway_url .. "/crm/v8/coql", sink = ltn12.sink.table(chunks), source = ltn12.source.string(text),
      headers = { authorization = "Bearer " .. handle.api_key, ["content-type"] = "application/json", ["content-length"] = #text },
    }))
    local body = table.concat(chunks)
    return status, body ~= "" and cjson.decode(body) or nil
  end

  it("answers", function()
    local status, body = post("select Last_Name, Owner.email from Leads where id is not null order by id desc limit 2000")
    assert.equal(200, status)
    assert.equal(2000, #body.data)
    assert.same({ count = 2000, more_records = true }, body.info)
    assert.is_true(body.data[1].id > body.data[2000].id)
    assert.is_string(body.data[1]["Owner.email"])
  end)

  it("answers 204 and errors", function()
    assert.same({ 204 }, { post("select id from Leads where Last_Name = 'nobody''s name'") })
    local status, body = post("select id from Leads where City = 'a' and City = 'b' and City = 'c'")
    assert.equal(400, status)
    assert.equal("SYNTAX_ERROR", body.code)
    assert.equal("and", body.details.near)
  end)

  it("reads queries longer than a buffer", function()
    local status, body = post("select id from Leads where (id is not null and Last_Name != '" .. ("x"):rep(200000) .. "') limit 1")
    assert.equal(200, status)
    assert.equal(1, #body.data)
  end)
end)
