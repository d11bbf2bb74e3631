--- `zohocrm.coql`: queries as values, their text, what they find in the sandbox, and what is refused where it is written.
local environment = require("spec.support.environment")
local doors = require("spec.support.doors")
local parser = require("zohocrm.sandbox.coql.parser")
local raises = require("spec.support.raises")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

local c, coql = zohocrm.criteria, zohocrm.coql

local ACCOUNTS = {
  { Account_Name = "Top", Industry = "Real Estate" }, { Account_Name = "Sub", Industry = "Manufacturing" },
}
local LEADS = {
  { Last_Name = "Smith", City = "Oslo", Annual_Revenue = 10, Email_Opt_Out = true, Lead_Source = "Chat" },
  { Last_Name = "Smithson", City = "Rome", Annual_Revenue = 20.5, Lead_Source = "Cold Call", No_of_Employees = 5 },
  { Last_Name = "O'Neil", City = "Oslo", Annual_Revenue = -3, Company = 'say "hi"', First_Contact_Date = "2026-02-06" },
  { Last_Name = "100% Öl", Company = "back\\slash", Next_Call_Time = "2026-02-06T10:00:00+02:00", Lead_Source = "Chat" },
}

local function numbered(count, make)
  local list = {}
  for i = 1, count do list[i] = make(i) end
  return list
end

local function name(i)
  return "Field_" .. i
end

-- What is built, what it reads; the sandbox's parser must read it too.
local function reads(cases)
  for _, case in ipairs(cases) do
    assert.equal(case[2], tostring(case[1]))
    assert.is_table(parser.parse(case[2]))
  end
end

-- Each at the line where its function begins.
local function refuses(cases)
  for _, case in ipairs(cases) do
    local message = raises(case[1], "^[^\n]*coql_builder_spec%.lua:%d+: ")
    assert.equal(case[2], message:match("coql_builder_spec%.lua:%d+: (.*)$"))
    assert.equal(debug.getinfo(case[1], "S").linedefined, tonumber(message:match("coql_builder_spec%.lua:(%d+): ")), message)
  end
end

describe("zohocrm.coql", function()
  local leads = coql.select "id":from "Leads"

  it("builds every clause", function()
    reads {
      { coql.select { "Last_Name" }:from "Leads", "select Last_Name from Leads where id is not null" },
      { coql.select "Last_Name, Email":from "Leads", "select Last_Name, Email from Leads where id is not null" },
      { coql.select { c.Last_Name, c.Account_Name.Industry }:from "Contacts", "select Last_Name, Account_Name.Industry from Contacts where id is not null" },
      { coql.select(c.Last_Name):from "Leads", "select Last_Name from Leads where id is not null" },
      { coql.select "id":from "Leads#7243485000000091501", "select id from Leads#7243485000000091501 where id is not null" },
      { coql.select "Account_Name.Parent_Account.Account_Name":from "Contacts",
        "select Account_Name.Parent_Account.Account_Name from Contacts where id is not null" },
      { coql.select "What_Id->Leads.Last_Name":from "Tasks", "select 'What_Id->Leads.Last_Name' from Tasks where id is not null" },
      { coql.select { "External", "Owner.limit" }:from "Leads", "select 'External', 'Owner.limit' from Leads where id is not null" },
      { coql.select { coql.column "City":as "town", coql.column(c.field "Owner.email"):as "who" }:from "Leads",
        "select City as town, Owner.email as who from Leads where id is not null" },
      { leads:where(c.City:equals "Oslo"), "select id from Leads where City = 'Oslo'" },
      { leads:where "City = 'Oslo'", "select id from Leads where City = 'Oslo'" }, { leads:where(nil), "select id from Leads where id is not null" },
      { leads:where(c.A:equals(1)):where(c.any(c.B:equals(2), c.C:equals(3))), "select id from Leads where (A = 1 and (B = 2 or C = 3))" },
      { leads:where(c.A:equals(1)):where(c.B:equals(2)):where(c.C:equals(3)), "select id from Leads where ((A = 1 and B = 2) and C = 3)" },
      { coql.select { "Stage", coql.count "id":as "deals", coql.sum "Amount", coql.avg "Amount", coql.min "Closing_Date", coql.max(c.Amount) }
        :from "Deals":group_by "Stage",
        "select Stage, COUNT(id) as deals, SUM(Amount), AVG(Amount), MIN(Closing_Date), MAX(Amount) from Deals where id is not null group by Stage" },
      { coql.select { "City", "Country" }:from "Leads":group_by { "City", c.Country },
        "select City, Country from Leads where id is not null group by City, Country" },
      { leads:order_by "City":order_by("id", "desc"), "select id from Leads where id is not null order by City asc, id desc" },
      { leads:order_by(c.field "Owner.email"), "select id from Leads where id is not null order by Owner.email asc" },
      { coql.select { "City", coql.count "id" }:from "Leads":group_by "City":order_by(coql.count "id", "desc"),
        "select City, COUNT(id) from Leads where id is not null group by City order by COUNT(id) desc" },
      { leads:limit(10), "select id from Leads where id is not null limit 10" },
      { leads:limit(10):offset(20), "select id from Leads where id is not null limit 10 offset 20" },
      { leads:offset(20), "select id from Leads where id is not null limit 200 offset 20" },
      { leads:limit(1):limit(2), "select id from Leads where id is not null limit 2" },
      { coql.select { "City" }:limit(5):order_by "City":where(c.City:is_not_empty()):from "Leads",
        "select City from Leads where City is not null order by City asc limit 5" },
    }
    assert.equal("select id from … where id is not null", tostring(coql.select "id"))
  end)

  it("translates every condition", function()
    local function where(condition)
      return tostring(leads:where(condition)):match("where (.*)$")
    end
    for text, condition in pairs {
      ["City = 'Oslo'"] = c.City:equals "Oslo", ["City != 'Oslo'"] = c.City:not_equal "Oslo", ["A > 1"] = c.A:greater_than(1),
      ["A >= 1"] = c.A:greater_equal(1), ["A < 1"] = c.A:less_than(1), ["A <= 1.5"] = c.A:less_equal(1.5),
      ["City in ('Oslo', 'Rome')"] = c.City:in_ { "Oslo", "Rome" }, ["A not in (1, 2)"] = c.A:not_in { 1, 2 },
      ["(A between 1 and 2)"] = c.A:between(1, 2), ["(A not between 1 and 2)"] = c.A:not_between(1, 2),
      ["City is null"] = c.City:is_empty(), ["City is not null"] = c.City:not_equal(zohocrm.null),
      ["City like 'Os%'"] = c.City:starts_with "Os", ["City like '%lo'"] = c.City:ends_with "lo", ["City like '%sl%'"] = c.City:contains "sl",
      ["City not like '%sl%'"] = c.City:not_contains "sl", ["City like 'O%o'"] = c.City:like "O%o",
      ["City not like '%s%'"] = c.City:not_like "%s%", ["Flag = 'true'"] = c.Flag:equals(true), ["Flag = 'false'"] = c.Flag:equals(false),
      ["City = 'O''Neil''s'"] = c.City:equals "O'Neil's", ["City = 'say \"hi\"'"] = c.City:equals 'say "hi"',
      ["City = 'a\\b'"] = c.City:equals "a\\b", ["City = 'a\\\\'"] = c.City:equals "a\\\\", ["City = '50%'"] = c.City:equals "50%",
      ["City like 'a_b%'"] = c.City:starts_with "a_b", ["City = '${EMPTY}'"] = c.City:equals "${EMPTY}", ["City = 'null'"] = c.City:equals "null",
      ["D = '2026-02-06'"] = c.D:equals(zohocrm.date { year = 2026, month = 2, day = 6 }),
      ["D > '2026-02-06T01:10:56-08:00'"] = c.D:greater_than(zohocrm.datetime(1770369056, "-08:00")),
      ["Owner = '5'"] = c.Owner:equals { id = "5" }, ["Owner.email = 'x'"] = c.field "Owner.email":equals "x",
      ["'What_Id->Leads.City' = 'x'"] = c.field "What_Id->Leads.City":equals "x", ["'External' = 'x'"] = c.External:equals "x",
      ["(A = 1 and B = 2)"] = c.all(c.A:equals(1), c.B:equals(2)), ["((A = 1 or B = 2) or C = 3)"] = c.any(c.A:equals(1), c.B:equals(2), c.C:equals(3)),
      ["((A = 1 and B = 2) and (C = 3 and D = 4))"] = c.all(c.A:equals(1), c.B:equals(2), c.C:equals(3), c.D:equals(4)),
      ["(A = 1 and (B = 2 or C = 3))"] = c.all(c.A:equals(1), c.any(c.B:equals(2), c.C:equals(3))),
    } do
      assert.equal(text, where(condition))
      assert.is_table(parser.parse("select id from Leads where " .. text))
    end
  end)

  it("gives values that do not change", function()
    local base = coql.select { "City" }:from "Leads"
    local text = tostring(base)
    local derived = { base:where(c.A:equals(1)), base:order_by "City", base:limit(1), base:offset(1), base:group_by "City", base:from "Deals" }
    assert.equal(text, tostring(base))
    local ordered = base:order_by "City"
    local both = ordered:order_by "id"
    assert.equal(text .. " order by City asc", tostring(ordered))
    assert.equal(text .. " order by City asc, id asc", tostring(both))
    for _, query in ipairs(derived) do assert.is_false(query == base, tostring(query)) end
    assert.is_true(base == coql.select "City":from "Leads")
    assert.is_false(base == text)
    local names = { "City" }
    local selected = coql.select(names)
    names[1] = "Other"
    assert.equal("select City from … where id is not null", tostring(selected))
    assert.equal("City as town", tostring(coql.column "City":as "town"))
    assert.equal("COUNT(id)", tostring(coql.count "id"))
  end)

  it("writes numbers alike in a locale with decimal commas", function()
    assert.equal("select id from Leads where ((A = 0.5 and B = 0.0000001) and C != -1234.25) limit 2000 offset 98000", environment.run_with_commas([[
      local zohocrm = require "zohocrm"
      local c, coql = zohocrm.criteria, zohocrm.coql
      print(coql.select "id":from "Leads":where(c.all(c.A:equals(0.5), c.B:equals(1e-7), c.C:not_equal(-1234.25))):limit(2000):offset(98000))]]))
  end)

  it("keeps to the API's limits", function()
    assert.truthy(coql.select(numbered(500, name)))
    assert.truthy(leads:group_by(numbered(4, name)))
    local ten = leads
    for i = 1, 10 do ten = ten:order_by(name(i)) end
    local function field(i)
      return c[name(i)]:equals(i)
    end
    assert.truthy(parser.parse(tostring(leads:where(c.all(numbered(25, field))))))
    refuses {
      { function() coql.select(numbered(501, name)) end, "coql.select has 501 columns; the API takes at most 500" },
      { function() coql.select { coql.sum "A", coql.sum "B", coql.sum "C", coql.sum "D", coql.sum "E", coql.sum "F" } end,
        "coql.select has 6 aggregates; the API takes at most 5" },
      { function() leads:group_by(numbered(5, name)) end, "group_by has 5 fields; the API takes at most 4" },
      { function() ten:order_by "Eleven" end, "order_by has 11 fields; the API takes at most 10" },
      { function() leads:where(c.all(numbered(26, field))) end, "where: 26 conditions; COQL takes at most 25: put the values of one field into one "
        .. ":in_{…}, or ask in parts" },
      { function() leads:where(c.any(numbered(25, field))):where(c.A:equals(1)) end, "where: 26 conditions; COQL takes at most 25: put the values of "
        .. "one field into one :in_{…}, or ask in parts" },
      { function() leads:limit(0) end, "limit must be a whole number from 1 to 100000, not 0" },
      { function() leads:limit(100001) end, "limit must be a whole number from 1 to 100000, not 100001" },
      { function() leads:limit(1.5) end, "limit must be a whole number from 1 to 100000, not 1.5" },
      { function() leads:limit() end, "limit must be a whole number from 1 to 100000, not nil" },
      { function() leads:limit "1 union select" end, "limit must be a whole number from 1 to 100000, not the string \"1 union select\"" },
      { function() leads:offset(-1) end, "offset must be a whole number from 0 to 100000, not -1" },
      { function() leads:offset(1e300) end, "offset must be a whole number from 0 to 100000, not 1e+300" },
    }
  end)

  it("tells mistakes where they are made", function()
    refuses {
      { function() coql.select() end, 'coql.select takes an array of names, coql.select{ "Last_Name", … }, not nil' },
      { function() coql.select {} end, "coql.select has no values; at least one is needed" },
      { function() coql.select { "A", nil, "B" } end, "coql.select has a nil among its values" },
      { function() coql.select { Last_Name = true } end, "coql.select takes an array; 'Last_Name' is no position" },
      { function() coql.select "*" end, "coql.select: column 1: COQL has no *; name the fields" },
      { function() coql.select { "A", 5 } end, "coql.select: column 2 must be the API name of a field, not a number" },
      { function() coql.select { "A", "A" } end, "coql.select has A twice, which the API refuses" },
      { function() coql.select { coql.count "id":as "n", coql.sum "A":as "n" } end, "coql.select has n twice, which the API refuses" },
      { function() coql.select { coql.sum "A":as "a", coql.sum "A":as "b" } end, "coql.select has SUM(A) twice, which the API refuses" },
      { function() coql.select { "City", coql.column "Town":as "City" } end, "coql.select has City twice, which the API refuses" },
      { function() coql.select "Last Name" end, "'Last Name' is no API name of a field: letters, digits, _ and $, with dots between lookups" },
      { function() coql.select "A.B.C.D" end, "'A.B.C.D' goes through 3 lookups; the API follows two at most" },
      { function() coql.count() end, "coql.count: the field must be the API name of a field, not nil" },
      { function() coql.count "*" end, "coql.count: the field: COQL has no *; name the fields" },
      { function() coql.column "A":as "limit" end, "as takes a name of letters, digits and _ that is no reserved word, not 'limit'" },
      { function() coql.column "A":as "my name" end, "as takes a name of letters, digits and _ that is no reserved word, not 'my name'" },
      { function() coql.column "A":as() end, "as takes a name of letters, digits and _ that is no reserved word, not nil" },
      { function() coql.column "A".as "x" end, 'call it as coql.count("id"):as "total", with a colon' },
      { function() return coql.column "A".alias end, "a column has no 'alias'; it has as: coql.count(\"id\"):as \"total\"" },
      { function() coql.column "A".alias = "x" end, "columns take no assignments: 'alias' belongs into a variable of your own" },
      { function() leads:from "My Module" end, "from takes the API name of a module, such as \"Leads\", not 'My Module'" },
      { function() leads:from() end, 'from takes the API name of a module, such as "Leads", not nil' },
      { function() leads:from {} end, 'from takes the API name of a module, such as "Leads", not a table' },
      { function() leads.from "Leads" end, "call it as query:from(…), with a colon" },
      { function() leads.limit(5) end, "call it as query:limit(…), with a colon" },
      { function() leads:where "" end, "where has an empty string; leave it out to have all records" },
      { function() leads:where {} end, 'where takes a condition, such as c.City:equals "Oslo", or a string, not a table' },
      { function() leads:where(c.City) end, 'where is a field, not a condition: say what holds for it, such as c.City:equals "Oslo"' },
      { function() leads:where(true) end, "where is true instead of a condition; Lua's own == gives these: write c.City:equals \"Oslo\"" },
      { function() leads:where "A = 1":where(c.B:equals(1)) end, "the query has a where clause already, and one that is a string cannot be combined; "
        .. "write all of it there" },
      { function() leads:where(c.B:equals(1)):where "A = 1" end, "the query has a where clause already, and one that is a string cannot be combined; "
        .. "write all of it there" },
      { function() leads:group_by() end, 'group_by takes an array of names, group_by{ "Last_Name", … }, not nil' },
      { function() leads:group_by { "A", "A" } end, "group_by has A twice, which the API refuses" },
      { function() leads:order_by() end, "order_by: the field must be the API name of a field, not nil" },
      { function() leads:order_by "A":order_by("A", "desc") end, "order_by has A twice, which the API refuses" },
      { function() leads:order_by("A", "DESC") end, "order_by: the direction is \"asc\" or \"desc\", not 'DESC'; did you mean 'desc'?" },
      { function() leads:order_by("A", true) end, 'order_by: the direction is "asc" or "desc", not a boolean' },
      { function() leads:order_by "A desc" end, "'A desc' is no API name of a field: letters, digits, _ and $, with dots between lookups" },
      { function() return leads:orderby "A" end, "a query has no 'orderby'; did you mean 'order_by'? (it has from, group_by, limit, offset, order_by, where)" },
      { function() leads.limit = 5 end, "queries do not change: 'limit' belongs into a variable of your own" },
    }
  end)

  it("tells what COQL cannot say where the condition is given", function()
    local function where(condition, sentence)
      return { function() leads:where(condition) end, "where: " .. sentence }
    end
    local cases = {
      where(c.Flag:not_equal(true), "COQL asks booleans with = alone, not with 'not_equal'; write c.Flag:equals(false)"),
      where(c.Flag:not_equal(false), "COQL asks booleans with = alone, not with 'not_equal'; write c.Flag:equals(true)"),
      where(c.Flag:in_ { false }, "COQL asks booleans with = alone, not with 'in'; write c.Flag:equals(false)"),
      where(c.Flag:not_in { true }, "COQL asks booleans with = alone, not with 'not_in'; write c.Flag:equals(false)"),
      where(c.City:starts_with "50%", "'50%' contains %, which COQL's like takes for any text, and it has no escape: c.City:like(…) if that is meant; "
        .. "else use :equals or :in_ for the whole text"),
      where(c.City:not_like "50%", "COQL's not like works with % at both ends only: c.City:not_contains(…)"),
      where(c.City:equals "back\\", '"back\\\\" has a backslash before a quote or at its end, and COQL does not say how to write that; ask for a part '
        .. "without it, such as c.City:contains(…), and compare the records found"),
    }
    for _, case in ipairs(cases) do
      local message = raises(case[1], "^[^\n]*coql_builder_spec%.lua:%d+: ")
      assert.equal(case[2], message:match("coql_builder_spec%.lua:%d+: (.*)$"))
    end
    for _, text in ipairs { "a\\'b", 'a\\"b', "\\", "a\\\\\\", "\\''" } do
      raises(function() leads:where(c.City:equals(text)) end, "has a backslash before a quote or at its end")
      raises(function() leads:where(c.City:in_ { "x", text }) end, "has a backslash before a quote or at its end")
      raises(function() leads:where(c.City:ends_with(text)) end, "has a backslash before a quote or at its end")
    end
  end)
end)

for _, door in ipairs(doors) do
  if door.name ~= "https" then
    describe("COQL queries, " .. door.name, function()
      local sandbox, crm
      local names = coql.select { "Last_Name" }:from "Leads"

      setup(function()
        sandbox = door.start { records = 0 }
        crm = wire.client(sandbox)
        assert.equal(#LEADS, assert(crm.Leads:create(LEADS)).succeeded)
        local top = assert(crm.Accounts:create(ACCOUNTS[1]))
        local sub = { Account_Name = ACCOUNTS[2].Account_Name, Industry = ACCOUNTS[2].Industry, Parent_Account = { id = top.id } }
        sub = assert(crm.Accounts:create(sub))
        assert.equal(2, assert(crm.Contacts:create {
          { Last_Name = "Low", Account_Name = { id = sub.id } }, { Last_Name = "High", Account_Name = { id = top.id } },
        }).succeeded)
      end)

      teardown(function()
        sandbox.stop()
      end)

      before_each(function()
        sandbox.clear()
      end)

      local function column(query, key)
        local values = {}
        for i, row in ipairs(assert(crm:query(query))) do values[i] = row[key] or "-" end
        return table.concat(values, " | ")
      end

      it("give the rows that they ask for", function()
        for _, case in ipairs {
          { names, "Smith | Smithson | O'Neil | 100% Öl" }, { names:where(c.City:equals "Oslo"), "Smith | O'Neil" },
          { names:where(c.Last_Name:equals "O'Neil"), "O'Neil" }, { names:where(c.Company:equals 'say "hi"'), "O'Neil" },
          { names:where(c.Company:equals "back\\slash"), "100% Öl" }, { names:where(c.Last_Name:equals "100% Öl"), "100% Öl" },
          { names:where(c.Last_Name:in_ { "O'Neil", "Smith" }), "Smith | O'Neil" },
          { names:where(c.Last_Name:not_in { "O'Neil", "Smith" }), "Smithson | 100% Öl" },
          { names:where(c.Last_Name:starts_with "Smith"), "Smith | Smithson" }, { names:where(c.Last_Name:ends_with "son"), "Smithson" },
          { names:where(c.Last_Name:contains "'"), "O'Neil" }, { names:where(c.Last_Name:not_contains "mit"), "O'Neil | 100% Öl" },
          { names:where(c.Last_Name:like "S%h"), "Smith" }, { names:where(c.Last_Name:not_like "%mit%"), "O'Neil | 100% Öl" },
          { names:where(c.Annual_Revenue:greater_than(10)), "Smithson" }, { names:where(c.Annual_Revenue:greater_equal(10)), "Smith | Smithson" },
          { names:where(c.Annual_Revenue:less_than(10)), "O'Neil" }, { names:where(c.Annual_Revenue:less_equal(10)), "Smith | O'Neil" },
          { names:where(c.Annual_Revenue:between(-3, 10)), "Smith | O'Neil" }, { names:where(c.Annual_Revenue:not_between(-3, 10)), "Smithson | 100% Öl" },
          { names:where(c.Annual_Revenue:equals(20.5)), "Smithson" }, { names:where(c.Annual_Revenue:not_equal(20.5)), "Smith | O'Neil | 100% Öl" },
          { names:where(c.Email_Opt_Out:equals(true)), "Smith" }, { names:where(c.Email_Opt_Out:equals(false)), "Smithson | O'Neil | 100% Öl" },
          { names:where(c.City:is_empty()), "100% Öl" }, { names:where(c.City:is_not_empty()), "Smith | Smithson | O'Neil" },
          { names:where(c.First_Contact_Date:equals(zohocrm.date { year = 2026, month = 2, day = 6 })), "O'Neil" },
          { names:where(c.Next_Call_Time:equals(zohocrm.datetime({ year = 2026, month = 2, day = 6, hour = 3 }, "-05:00"))), "100% Öl" },
          { names:where(c.all(c.City:equals "Oslo", c.any(c.Annual_Revenue:less_than(0), c.Lead_Source:equals "Cold Call"))), "O'Neil" },
          { names:where(c.any(c.City:equals "Rome", c.City:is_empty(), c.Annual_Revenue:less_than(0))), "Smithson | O'Neil | 100% Öl" },
          { names:where(c.City:equals "Oslo"):where(c.Annual_Revenue:greater_than(0)), "Smith" },
          { names:where "City = 'Oslo' and Annual_Revenue > 0", "Smith" }, { "select Last_Name from Leads where City = 'Rome'", "Smithson" },
          { names:order_by("Last_Name", "desc"), "Smithson | Smith | O'Neil | 100% Öl" },
          { names:order_by "City":order_by("Last_Name", "desc"), "Smith | O'Neil | Smithson | 100% Öl" },
          { names:limit(2), "Smith | Smithson" }, { names:limit(2):offset(1), "Smithson | O'Neil" }, { names:offset(3), "100% Öl" },
        } do
          assert.equal(case[2], column(case[1], "Last_Name"), tostring(case[1]))
        end
        assert.equal(tostring(names), wire.decoded(sandbox.requests()[1].body).select_query)
      end)

      it("join by dotted lookups", function()
        local contacts = coql.select { "Last_Name", "Account_Name.Account_Name", coql.column "Account_Name.Parent_Account.Account_Name":as "parent" }
          :from(crm.Contacts)
        assert.equal("Sub | Top", column(contacts, "Account_Name.Account_Name"))
        assert.equal("Top | -", column(contacts, "parent"))
        assert.equal("Low", column(contacts:where(c.Account_Name.Parent_Account.Account_Name:equals "Top"), "Last_Name"))
        assert.equal("High", column(contacts:where(c.Account_Name.Industry:equals "Real Estate"), "Last_Name"))
        assert.equal("Low | High", column(contacts:order_by "Account_Name.Account_Name", "Last_Name"))
      end)

      it("count and add up", function()
        local query = coql.select { "City", coql.count "id":as "total", coql.sum "Annual_Revenue", coql.max "Annual_Revenue":as "most" }
          :from "Leads":where(c.City:is_not_empty()):group_by "City":order_by("total", "desc")
        local rows = assert(crm:query(query))
        assert.equal("Oslo Rome", rows[1].City .. " " .. rows[2].City)
        assert.same({ 2, 7, 10 }, { rows[1].total, rows[1]["SUM(Annual_Revenue)"], rows[1].most })
        assert.same({ 1, 20.5, 20.5 }, { rows[2].total, rows[2]["SUM(Annual_Revenue)"], rows[2].most })
        assert.equal(4, assert(crm:query(coql.select(coql.count "id"):from "Leads"))[1]["COUNT(id)"])
        assert.equal("Oslo | Rome", column(coql.select { "City" }:from "Leads":where(c.City:is_not_empty()):group_by "City":order_by "City", "City"))
        assert.equal("2 | 1", column(coql.select { "City", coql.count(c.id) }:from "Leads":where(c.City:is_not_empty()):group_by(c.City)
          :order_by(coql.count "id", "desc"), "COUNT(id)"))
      end)

      it("walk all rows with their own limit and offset", function()
        local function walked(query, o)
          local found = {}
          for row in crm:query_each(query, o) do found[#found + 1] = row.Last_Name end
          return table.concat(found, " | ")
        end
        assert.equal("Smith | Smithson | O'Neil | 100% Öl", walked(names))
        assert.equal("Smithson | O'Neil", walked(names:limit(2):offset(1)))
        assert.equal("Smith | O'Neil", walked(names:where(c.City:equals "Oslo"), { limit = 5 }))
        assert.equal("O'Neil", walked(names:where(c.Last_Name:equals "O'Neil"):limit(20000)))
      end)

      it("are not misled by words and quotes in values and texts", function()
        local function walked(query)
          local found = 0
          for _ in crm:query_each(query) do found = found + 1 end
          return found, wire.decoded(sandbox.requests()[#sandbox.requests()].body).select_query
        end
        for _, text in ipairs { "x limit 1", "' limit 1", '" limit 1 "', "it's (a limit 1", '") limit 1 ("' } do
          local query = names:where(c.Last_Name:not_equal(text))
          local count, sent = walked(query)
          assert.equal(4, count, text)
          assert.equal(tostring(query) .. " limit 2000 offset 0", sent)
        end
        local count, sent = walked [[select id from Leads where City != "it's" and Last_Name != 'limit 1' limit 3]]
        assert.equal(3, count)
        assert.equal([[select id from Leads where City != "it's" and Last_Name != 'limit 1' limit 3 offset 0]], sent)
      end)

      it("say before the wire what is missing or goes too far", function()
        for _, case in ipairs {
          { coql.select "id", 'query: the query does not say from which module; :from "Leads"' },
          { names:limit(2001), "query: limit is 2001, and a call gives at most 2000 rows; crm:query_each makes as many calls as are needed" },
          { names:limit(2000):offset(98001), "query: offset 98001 and limit 2000 go past the 100000 rows that COQL reaches; crm.Leads:scan goes on by id" },
          { names:offset(100000), "query: offset 100000 and limit 200 go past the 100000 rows that COQL reaches; crm.Leads:scan goes on by id" },
          { coql.select { "City", coql.count "id" }:from "Leads", "query: City has no single value in a group: name it in group_by, or an aggregate of "
            .. 'it, such as coql.count "City"' },
          { coql.select { "City", coql.column "Company":as "firm" }:from "Leads":group_by "City", "query: Company has no single value in a group: name it "
            .. 'in group_by, or an aggregate of it, such as coql.count "Company"' },
          { coql.select { "City", coql.count "id":as "total" }:from "Leads":group_by "City":order_by "Last_Name", "query: order_by has Last_Name, which "
            .. "the groups do not have; name it in select or in group_by" },
          { coql.select(coql.count "id"):from "Leads":order_by(coql.sum "Annual_Revenue"), "query: order_by has SUM(Annual_Revenue), which the groups do "
            .. "not have; name it in select or in group_by" },
          { "", "query takes a query, a string or one that zohocrm.coql built, not an empty string" },
          { " ", "query takes a query, a string or one that zohocrm.coql built, not blanks" },
          { nil, "query takes a query, a string or one that zohocrm.coql built, not nil" },
          { c.City:equals "Oslo", "query takes a query, a string or one that zohocrm.coql built, not a table" },
        } do
          local message = raises(function() crm:query(case[1]) end, "^[^\n]*coql_builder_spec%.lua:%d+: ")
          assert.equal(case[2], message:match("coql_builder_spec%.lua:%d+: (.*)$"))
        end
        raises(function() crm:query_each(coql.select "id") end, "coql_builder_spec%.lua:%d+: query_each: the query does not say from which module")
        assert.truthy(crm:query(names:limit(2000):offset(98000)))
        assert.equal(1, #sandbox.requests())
      end)

      it("leave room in scans for the ids to go on by", function()
        local function scanned(where)
          local found = 0
          for _ in crm.Leads:scan { fields = "id", where = where } do found = found + 1 end
          return found
        end
        local few = { c.Last_Name:equals "Smith" }
        for i = 2, 23 do few[i] = c.City:equals("City " .. i) end
        assert.equal(1, scanned(c.any(few)))
        few[24] = c.City:equals "Bonn"
        raises(function() scanned(c.any(few)) end, "coql_builder_spec%.lua:%d+: scan: where: 24 conditions; COQL takes at most 23 here: put the values")
      end)

      it("report what the API refuses", function()
        local rows, err = crm:query "select Nothing from Leads where id is not null"
        assert.is_nil(rows)
        assert.equal("INVALID_QUERY", err.code)
        rows, err = crm:query "select Last_Name from Leads"
        assert.is_nil(rows)
        assert.equal("SYNTAX_ERROR", err.code)
        rows, err = crm:query(coql.select "id":from "No_Such_Module")
        assert.is_nil(rows)
        assert.equal("INVALID_MODULE", err.code)
      end)
    end)
  end
end
