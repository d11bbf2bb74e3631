--- No value changes the structure of a query: what people try against SQL, and random text, tried against searches and COQL.
--- ZOHOCRM_SEED=n repeats the random run whose failure names n.
local coql_parser = require("zohocrm.sandbox.coql.parser")
local criteria_parser = require("zohocrm.sandbox.criteria")
local doors = require("spec.support.doors")
local expression = require("zohocrm.expression")
local random_json = require("spec.support.random_json")
local raises = require("spec.support.raises")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

local c, coql = zohocrm.criteria, zohocrm.coql

-- Texts that would mean something else if they were not kept in their place.
local ATTACKS = {
  -- out of quotes
  "' or '1'='1", "' or 1=1 --", "'; drop table Leads; --", "x' or id is not null or City = 'x", "''", "'''", "' '", "'||'", "x'--", "x'#", "x'/*",
  '" or ""="', '" or id is not null or City = "', [[' or "' or ']], "') or (id is not null", "x') or ('x' = 'x", "x' and City like '%",
  -- more clauses, more statements
  "x' limit 2000 --", "x' order by id desc", "x' union select id from Contacts where id is not null", "x; select id from Users", "x' group by City",
  "(select id from Users where id is not null)", "1 or 1=1", "null", "is null", "is not null", "true", "%", "%%", "_", "*",
  -- backslashes before what ends a value, and at the end
  "\\", "\\\\", "\\\\\\", "\\'", "\\\\'", "\\' or id is not null --", '\\"', "x\\", "\\)", "\\,", "\\(", "\\\\)", "x\\)or(id:not_equal:0",
  "\\%", "\\n",
  -- out of parentheses
  ")", "(", "()", ")(", "))", "((", "x)or(id:not_equal:0", "x))or((id:not_equal:0", "x)and(City:equals:y", "x) or (id:not_equal:0", ")or(", ")and(",
  "x,y", ",", ",,", "x,", ",x", "x:y", ":", "::", "equals:x", "City:equals:x", "(City:equals:x)", "x\n)or(id:not_equal:0", "x),(y", "in:(x)",
  -- placeholders
  "${EMPTY}", "${TODAY}", " ${EMPTY}", "${EMPTY} ", "${EMPTY", "$${EMPTY}", "x${EMPTY}", "NULL", "null ", "undefined", "[object Object]",
  -- out of the address
  "x&page=2", "x&criteria=(id:not_equal:0)", "x&fields=id", "&", "?", "#", "x#y", "x;y", "=", "+", "%", "%26", "%27 or %271%27=%271", "%28", "%29", "%2C",
  "%5C", "%5c%27", "%00", "%0d%0aHost: example.com", "%2527", "%u0027", "%c0%a7", "..%2f..%2forg", "../../org", "/Users", "\r\nHost: example.com\r\n\r\n",
  -- what some decoders take for a quote or a separator
  "’ or ’1’=’1", "ʼ or ʼ1ʼ=ʼ1", "＇ or ＇1＇=＇1", "‘x’", "“x”", "′", "´", "`x`", "（x）or（y）", "，", "：", "＼", "；", "\239\184\144", "\226\128\168", "\194\160",
  -- control characters
  "\0", "x\0' or 1=1", "\0)", "x\0", "\1", "\8", "\t", "\n", "\r", "\r\n", "\26", "\27[2J", "\127", "x\ny", "\239\187\191x", "\239\191\191", "\226\128\174x",
  -- blanks
  " ", "  ", " x", "x ", " x ", "\t x", "\n",
  -- other languages
  "{{7*7}}", "${7*7}", "<script>alert(1)</script>", "$(id)", "`id`", "|id", "%s%n", "%d", "%1", "*)(uid=*))(|(uid=*", "[$ne]", '{"$gt":""}', "O'Neil",
}

-- Bytes that are no UTF-8: each has hidden a quote from some decoder.
local NO_TEXT = {
  "\192\167", "\224\128\167", "\240\128\128\167", "\192\128", "\255", "\254\255", "\191'", "\195", "x\195'", "\237\160\128", "\244\144\128\128",
  "\248\136\128\128\128",
  "\195\40", "\226\40\161", "\226\130\40",
}

-- What must have been read: one condition with these values. Not by luassert, which takes its time.
local function one(tree, field, operator, ...)
  local wanted, same = { ... }, tree.field == field and tree.operator == operator
  for i = 1, math.max(#wanted, #(tree.values or {})) do same = same and tree.values[i] == wanted[i] end
  if not same then
    error(("%s %s %q was read as %s %s %q"):format(field, operator, table.concat(wanted, "|"), tostring(tree.field), tostring(tree.operator),
      table.concat(tree.values or {}, "|")), 0)
  end
end

local function search_tree(condition)
  local fine, text = pcall(expression.to_criteria, condition, "search")
  if not fine then return nil, text end
  local tree, reason = criteria_parser.parse(text)
  return assert(tree, reason and reason .. ": " .. text)
end

local function coql_tree(condition)
  local fine, text = pcall(expression.to_coql, condition)
  if not fine then return nil, text end
  local query = coql_parser.parse("select id from Leads where " .. text .. " order by id desc limit 7 offset 3")
  local whole = query.limit == 7 and query.offset == 3 and #query.columns == 1 and #query.order_by == 1 and query.module == "Leads"
  if not whole then error("other clauses have changed: " .. text, 0) end
  return query.where
end

-- Refusals are for these reasons only, each of which has its own spec.
local function check_refusal(message, text)
  assert.truthy(message:find("has a backslash before a quote or at its end", 1, true) or message:find("is a placeholder to the search", 1, true)
    or message:find("the search may take", 1, true) or message:find("which COQL's like takes for any text", 1, true), message .. ": " .. text)
end

-- A text in every place that takes a value, in both languages: one value each time.
local function check_everywhere(text)
  local read = 0
  local function check(condition, language, look)
    local tree, refusal = language(condition)
    if tree then
      look(tree)
      read = read + 1
    else
      check_refusal(refusal, text)
    end
  end
  local function both(condition, look)
    check(condition, search_tree, look)
    check(condition, coql_tree, look)
  end
  both(c.City:equals(text), function(tree) one(tree, "City", "equals", text) end)
  both(c.City:not_equal(text), function(tree) one(tree, "City", "not_equal", text) end)
  both(c.City:in_ { "first", text, "last" }, function(tree) one(tree, "City", "in", "first", text, "last") end)
  both(c.City:in_ { text, text }, function(tree) one(tree, "City", "in", text, text) end)
  both(c.City:between(text, text), function(tree) one(tree, "City", "between", text, text) end)
  both(c.First_Contact_Date:greater_than(text), function(tree) one(tree, "First_Contact_Date", "greater_than", text) end)
  both(c.Owner:equals { id = text, name = text }, function(tree) one(tree, "Owner", "equals", text) end)
  check(c.City:starts_with(text), search_tree, function(tree) one(tree, "City", "starts_with", text) end)
  check(c.City:starts_with(text), coql_tree, function(tree) one(tree, "City", "like", text .. "%") end)
  check(c.City:ends_with(text), coql_tree, function(tree) one(tree, "City", "like", "%" .. text) end)
  check(c.City:not_contains(text), coql_tree, function(tree) one(tree, "City", "not_like", "%" .. text .. "%") end)
  check(c.City:like(text), coql_tree, function(tree) one(tree, "City", "like", text) end)
  check(c.City:not_in { text }, coql_tree, function(tree) one(tree, "City", "not_in", text) end)
  both(c.all(c.City:equals(text), c.any(c.Company:equals(text), c.Last_Name:equals "last")), function(tree)
    if #tree.all ~= 2 or #tree.all[2].any ~= 2 then error("other groups", 0) end
    one(tree.all[1], "City", "equals", text)
    one(tree.all[2].any[1], "Company", "equals", text)
    one(tree.all[2].any[2], "Last_Name", "equals", "last")
  end)
  return read
end

describe("values", function()
  for _, attack in ipairs(ATTACKS) do
    it(("stay values: %q"):format(attack):gsub("[%c\127]", "."), function()
      assert.is_true(check_everywhere(attack) >= 6)
    end)
  end

  it("stay values when they are random", function()
    math.randomseed(random_json.seed)
    local letters = { "'", '"', "\\", "(", ")", ",", ":", "%", "$", "{", "}", " ", "\n", "\0", "-", ";", "=", "o", "r", "a", "n", "d", "1", "é", "’", "😀" }
    for round = 1, random_json.rounds(1000) do
      local text = {}
      for i = 1, math.random(12) do text[i] = math.random(8) == 1 and string.char(math.random(0, 127)) or letters[math.random(#letters)] end
      text = table.concat(text)
      local fine, message = pcall(check_everywhere, text)
      if not fine then error(("ZOHOCRM_SEED=%d, round %d: %q: %s"):format(random_json.seed, round, text, tostring(message)), 0) end
    end
  end)

  it("that are no UTF-8 are refused everywhere", function()
    for _, bytes in ipairs(NO_TEXT) do
      for _, build in ipairs {
        function() c.City:equals(bytes) end, function() c.City:in_ { "x", bytes } end, function() c.City:starts_with(bytes) end,
        function() c.City:like(bytes) end, function() c.City:between("x", bytes) end, function() c.Owner:equals { id = bytes } end,
      } do
        raises(build, "injection_spec%.lua:%d+: .* is not UTF%-8; convert the text before asking for it$")
      end
    end
  end)

  it("cannot be objects that become something else later", function()
    local answers = 0
    local two_faced = setmetatable({}, { __index = function(_, key)
      answers = answers + 1
      return key == "id" and (answers == 1 and "1" or "2) or (id:not_equal:0") or nil
    end, __tostring = function() return "x' or '1'='1" end, __concat = function() return "x" end })
    local condition = c.Owner:equals(two_faced)
    assert.equal(1, answers)
    assert.equal("(Owner:equals:1)", tostring(condition))
    assert.equal("(Owner:equals:1)", tostring(condition))
    local upvalue = { id = "1" }
    condition = c.Owner:equals(upvalue)
    upvalue.id = "2"
    assert.equal("(Owner:equals:1)", tostring(condition))
  end)
end)

describe("names", function()
  local names = {}
  for _, attack in ipairs(ATTACKS) do
    if not attack:find("^[%a_$][%w_$]*$") then names[#names + 1] = attack end
  end
  for _, bytes in ipairs(NO_TEXT) do names[#names + 1] = bytes end
  for _, name in ipairs {
    "City = 'x' or City", "City:equals:x)or(City", "City)or(id", "id, Email", "id from Users where id is not null --", "City as x", "COUNT(id)", "City desc",
    "City\0", "City\n", "City.", ".City", "A..B", "A->B->C.D", "Größe", "City'", "'City'", '"City"', "`City`", "[City]", "1City", "City--", "City/**/", "City;",
    "Leads where id is not null", "Leads#1 or", "Leads#x", "Leads, Contacts", "#1", "!Leads.City",
  } do
    names[#names + 1] = name
  end

  local leads = coql.select "id":from "Leads"

  it("of fields, columns, aliases, modules and orders take nothing else", function()
    for _, name in ipairs(names) do
      for what, use in pairs {
        field = function() return c.field(name) end, lookup = function() return c.field("Account_Name." .. name) end,
        column = function() return coql.select { name } end, other_column = function() return coql.column(name) end,
        aggregate = function() return coql.sum(name) end, alias = function() return coql.count "id":as(name) end,
        module = function() return coql.select "id":from(name) end, group = function() return leads:group_by { name } end,
        order = function() return leads:order_by(name) end, direction = function() return leads:order_by("City", name) end,
        limit = function() return leads:limit(name) end, offset = function() return leads:offset(name) end,
      } do
        local fine, message = pcall(use)
        assert.is_false(fine, what .. ": " .. name)
        assert.matches("^[^\n]*injection_spec%.lua:%d+: ", message, nil, what .. ": " .. name)
      end
    end
  end)

  it("of fields, taken from the object itself, take nothing else", function()
    for _, name in ipairs(names) do
      local fine, message = pcall(function() return c[name]:equals "x" end)
      assert.is_false(fine, name)
      assert.matches("injection_spec%.lua:%d+: ", message)
      assert.is_false((pcall(function() return c.Account_Name[name]:equals "x" end)), name)
    end
  end)

  it("that are words of COQL stand in quotes", function()
    for _, word in ipairs { "Select", "From", "Where", "Limit", "Offset", "Order", "Group", "By", "And", "Or", "Not", "In", "Is", "Null", "Like", "Between",
      "As", "Asc", "Desc", "True", "False", "External" } do
      local query = coql.select { word, "Owner." .. word, coql.sum(word):as "total" }:from "Leads":where(c.field(word):equals "x")
      query = query:group_by(word):order_by(word)
      local parsed = coql_parser.parse(tostring(query))
      assert.same({ word, "Owner." .. word, word }, { parsed.columns[1].name, parsed.columns[2].name, parsed.columns[3].name })
      assert.same({ word }, parsed.group_by)
      assert.equal(word, parsed.order_by[1].name)
      one(parsed.where, word, "equals", "x")
      assert.has_error(function() coql.column "City":as(word) end)
    end
  end)
end)

for _, door in ipairs(doors) do
  if door.name ~= "https" then
    describe("attacks, " .. door.name, function()
      local sandbox, crm, expected

      setup(function()
        sandbox = door.start { records = { Leads = 0 } }
        crm = wire.client(sandbox)
        local leads, seen = {}, {}
        expected = {}
        for _, attack in ipairs(ATTACKS) do
          if not seen[attack] then
            seen[attack] = true
            leads[#leads + 1] = { Last_Name = "Lead", City = attack }
          end
        end
        for i, result in ipairs(crm.Leads:create(leads)) do expected[leads[i].City] = assert(result.ok, result.error) and result.id end
      end)

      teardown(function()
        sandbox.stop()
      end)

      local function ids(rows)
        local found = {}
        for i, row in ipairs(rows) do found[i] = row.id end
        table.sort(found)
        return table.concat(found, " ")
      end

      -- The search finds a text inside of others, in any case.
      local function having(part)
        local found = {}
        for city, id in pairs(expected) do
          if city:lower():find(part:lower(), 1, true) then found[#found + 1] = { id = id } end
        end
        return ids(found)
      end

      it("find by COQL the one record that has the text, or are refused before the wire", function()
        local found = 0
        for attack, id in pairs(expected) do
          local condition = c.City:equals(attack)
          if pcall(expression.to_coql, condition) then
            local rows = assert(crm:query(coql.select "City":from "Leads":where(condition)))
            for _, row in ipairs(rows) do assert.equal(attack:lower(), row.City:lower()) end
            assert.truthy((" " .. ids(rows) .. " "):find(" " .. id .. " ", 1, true), attack)
            found = found + 1
          end
        end
        assert.is_true(found > 130, found .. " attacks")
      end)

      it("find by search the records that have the text in them, and add no parameter", function()
        local found = 0
        for attack in pairs(expected) do
          local condition = c.City:equals(attack)
          if pcall(expression.to_criteria, condition, "search") then
            sandbox.clear()
            assert.equal(having(attack), ids(assert(crm.Leads:search { criteria = condition, per_page = 200 })), attack)
            assert.same({ criteria = expression.to_criteria(condition, "search"), per_page = "200" }, sandbox.requests()[1].query)
            found = found + 1
          end
        end
        assert.is_true(found > 130, found .. " attacks")
      end)

      it("stay in their parameter also as a word", function()
        for attack in pairs(expected) do
          if #attack >= 4 then
            sandbox.clear()
            assert(crm.Leads:search { word = attack, per_page = 200 })
            assert.same({ word = attack, per_page = "200" }, sandbox.requests()[1].query)
          end
        end
      end)

      it("select nothing else in scans", function()
        for _, attack in ipairs { "' or '1'='1", "') or (id is not null", "x') or ('x' = 'x", '" or ""="', "x' limit 2000 --" } do
          local found = {}
          for lead in crm.Leads:scan { fields = { "City" }, where = c.City:equals(attack) } do found[#found + 1] = lead.City end
          assert.same({ attack }, found)
        end
      end)
    end)
  end
end
