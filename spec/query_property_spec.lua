--- Conditions that `zohocrm.criteria` builds, read by the sandbox and compared with what they mean, written out naively in
--- `spec.support.random_conditions`. ZOHOCRM_SEED=n repeats the run whose failure names n; ZOHOCRM_ROUNDS=0.1 makes it short.
local conditions = require("spec.support.random_conditions")
local coql_parser = require("zohocrm.sandbox.coql.parser")
local criteria_parser = require("zohocrm.sandbox.criteria")
local doors = require("spec.support.doors")
local expression = require("zohocrm.expression")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

local coql = zohocrm.coql

local RECORDS = 60

local unpack_values = table.unpack or unpack -- luacheck: ignore 113 143

local http
for _, door in ipairs(doors) do
  if door.name == "http" then http = door end
end

-- A tree in one line, for failures.
local function shown(tree)
  local parts = {}
  for i, value in ipairs(tree.all or tree.any or tree.values) do
    parts[i] = tree.field and (type(value) == "table" and tostring(value.date or value.time) or ("%q"):format(tostring(value)))
      or shown(value)
  end
  return ("%s(%s)"):format(tree.field and tree.field .. " " .. tree.operator or tree.all and "all" or "any", table.concat(parts, ", "))
end

local function fail(round, what, tree, text)
  error(("ZOHOCRM_SEED=%d, round %d, %s: %s\nsent: %s"):format(conditions.seed, round, what, shown(tree), tostring(text)), 0)
end

-- The ids of rows, in order, as one text.
local function ids(rows)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row.id end
  table.sort(list)
  return table.concat(list, " ")
end

describe("random conditions", function()
  before_each(function()
    math.randomseed(conditions.seed)
  end)

  describe("over HTTP", function()
    local sandbox, crm, records

    setup(function()
      math.randomseed(conditions.seed)
      sandbox = http.start { records = { Leads = 0 } }
      crm = wire.client(sandbox, { concurrency = 4 })
      records = {}
      local written = {}
      for i = 1, RECORDS do
        records[i] = conditions.record()
        written[i] = conditions.written(records[i])
      end
      for i, result in ipairs(crm.Leads:create(written)) do
        records[i].id = assert(result.ok, result.error) and result.id
      end
    end)

    teardown(function()
      sandbox.stop()
    end)

    local function expected(tree, as_coql)
      local found = {}
      for _, record in ipairs(records) do
        if conditions.holds(tree, record, as_coql) then found[#found + 1] = record end
      end
      return ids(found), #found
    end

    -- How each language is asked, and when it must refuse.
    local languages = {
      search = {
        refuses = conditions.search_refuses, text = function(built) return expression.to_criteria(built, "search") end,
        ask = function(built) return crm.Leads:search { criteria = built, fields = { "id" }, per_page = 200 } end,
      },
      coql = {
        exact = true, refuses = conditions.coql_refuses, text = function(built) return expression.to_coql(built) end,
        ask = function(built) return crm:query(coql.select("id"):from("Leads"):where(built)) end,
      },
    }

    -- One tree in one language; gives how many records it found, nil where it was refused, as it must be.
    local function try(name, tree, built, round)
      local language = languages[name]
      local fine, text = pcall(language.text, built)
      if fine == language.refuses(tree) then fail(round, name .. (fine and " should refuse" or " should not refuse"), tree, text) end
      if not fine then return nil end
      local wanted, count = expected(tree, language.exact)
      local rows, err = language.ask(built)
      if not rows then fail(round, name .. ": " .. tostring(err), tree, text) end
      if ids(rows) ~= wanted then fail(round, ("%s finds '%s' instead of '%s'"):format(name, ids(rows), wanted), tree, text) end
      return count
    end

    -- Rounds side by side, so that neither end waits for the other.
    local function spread(count, run)
      local made, tasks, next_round = {}, {}, 0
      for i = 1, count do made[i] = run.make() end
      for i = 1, 4 do
        tasks[i] = function()
          while next_round < count do
            next_round = next_round + 1
            run.try(made[next_round], next_round)
          end
        end
      end
      assert(zohocrm.gather(unpack_values(tasks)))
    end

    it("find the same records by search and by COQL as the naive evaluation", function()
      local tried, useful, refused = 0, 0, 0
      spread(conditions.rounds(1200), {
        make = function()
          local tree = conditions.tree(records)
          return { tree = tree, built = conditions.build(tree) }
        end,
        try = function(one, round)
          for _, name in ipairs { "search", "coql" } do
            local count = try(name, one.tree, one.built, round)
            tried = tried + 1
            refused = refused + (count and 0 or 1)
            useful = useful + (count and count > 0 and count < RECORDS and 1 or 0)
          end
        end,
      })
      assert.is_true(useful > tried * 0.4, ("only %d of %d find some and not all"):format(useful, tried))
      assert.is_true(refused < tried * 0.4, ("%d of %d are refused"):format(refused, tried))
    end)

    it("find the same records by COQL with the operators that only COQL has", function()
      local useful = 0
      spread(conditions.rounds(1000), {
        make = function()
          local tree = conditions.tree(records, true)
          return { tree = tree, built = conditions.build(tree) }
        end,
        try = function(one, round)
          local count = try("coql", one.tree, one.built, round)
          useful = useful + (count and count > 0 and count < RECORDS and 1 or 0)
        end,
      })
      assert.is_true(useful > conditions.rounds(1000) * 0.3, useful .. " find some and not all")
    end)
  end)

  -- What the parsers must read: groups of one are their member, and groups inside groups of the same kind are one.
  local function plain(tree)
    local kind = tree.all and "all" or tree.any and "any"
    if not kind then return tree end
    local members = {}
    for _, member in ipairs(tree[kind]) do
      member = plain(member)
      for _, inner in ipairs(member[kind] or { member }) do members[#members + 1] = inner end
    end
    return #members == 1 and members[1] or { [kind] = members }
  end

  -- The value of a condition as a parser gives it.
  local function value_text(value)
    if type(value) ~= "table" then
      return type(value) == "number" and ("%.14g"):format(value) or tostring(value)
    end
    return value.date or tostring(zohocrm.datetime(value.time, value.offset))
  end

  local names = { coql = { is_empty = "is_null", is_not_empty = "is_not_null", contains = "like", starts_with = "like",
    ends_with = "like", not_contains = "not_like" } }
  local patterns = { contains = "%%%s%%", starts_with = "%s%%", ends_with = "%%%s", not_contains = "%%%s%%" }

  -- A tree as the parser of a language gives it, as one text without ambiguity.
  local function canonical(tree, language)
    local parts = {}
    for i, member in ipairs(tree.all or tree.any or {}) do parts[i] = canonical(member, language) end
    if #parts > 0 then return (tree.all and "all" or "any") .. "[" .. table.concat(parts) .. "]" end
    local operator, values = tree.operator, {}
    for i, value in ipairs(tree.values) do
      values[i] = value_text(value)
      if language == "coql" and patterns[operator] then values[i] = patterns[operator]:format((values[i])) end
    end
    if language == "search" and operator:find("empty$") then
      operator, values = operator == "is_empty" and "equals" or "not_equal", { "${EMPTY}" }
    end
    operator = language and names[language] and names[language][operator] or operator
    for i, value in ipairs(values) do values[i] = #value .. ":" .. value end
    return ("<%s %s %s>"):format(tree.field, operator, table.concat(values, " "))
  end

  it("are read by the sandbox's parsers as the conditions that they were", function()
    local records, read = {}, 0
    for i = 1, RECORDS do records[i] = conditions.record() end
    for round = 1, conditions.rounds(8000) do
      local tree = conditions.tree(records, round % 2 == 0)
      local built = conditions.build(tree)
      local fine, text = pcall(expression.to_criteria, built, "search")
      if fine then
        local parsed, reason = criteria_parser.parse(text)
        if not parsed or canonical(plain(parsed)) ~= canonical(plain(tree), "search") then fail(round, reason or "search", tree, text) end
        read = read + 1
      end
      fine, text = pcall(expression.to_coql, built)
      if fine then
        local parsed = coql_parser.parse("select id from Leads where " .. text .. " limit 1").where
        if canonical(plain(parsed)) ~= canonical(plain(tree), "coql") then fail(round, "coql", tree, text) end
        read = read + 1
      end
    end
    assert.is_true(read > conditions.rounds(8000) * 0.9, read .. " texts")
  end)

  it("are equal when they are built again, in whatever way", function()
    local records = {}
    for i = 1, RECORDS do records[i] = conditions.record() end
    local different = 0
    for round = 1, conditions.rounds(2000) do
      local tree, other = conditions.tree(records, true), conditions.tree(records, true)
      local built, again = conditions.build(tree), conditions.build(tree)
      local without_dates = shown(tree):find("_Date", 1, true) == nil -- a day may be built as a string or as a date
      if without_dates and built ~= again then fail(round, "not equal", tree, built) end
      if tostring(built) ~= tostring(again) then fail(round, "other text", tree, again) end
      local same = canonical(plain(tree), "") == canonical(plain(other), "")
      if without_dates and not same and built == conditions.build(other) then fail(round, "equal to " .. shown(other), tree, built) end
      different = different + (same and 0 or 1)
    end
    assert.is_true(different > conditions.rounds(2000) * 0.9, different .. " pairs differ")
  end)
end)

describe("the sandbox's parsers", function()
  -- Loads modules afresh; gives the names of all modules of the library that were loaded on the way.
  local function loads(...)
    local before, loaded = {}, {}
    for name, module in pairs(package.loaded) do
      if name:find("^zohocrm") then before[name] = module end
    end
    for name in pairs(before) do package.loaded[name] = nil end
    for _, name in ipairs { ... } do require(name) end
    for name in pairs(package.loaded) do
      if name:find("^zohocrm") then loaded[#loaded + 1] = name end
    end
    for _, name in ipairs(loaded) do package.loaded[name] = nil end
    for name, module in pairs(before) do package.loaded[name] = module end
    table.sort(loaded)
    return loaded
  end

  it("share no code with the builders", function()
    local parsers = loads("zohocrm.sandbox.criteria", "zohocrm.sandbox.coql.parser", "zohocrm.sandbox.conditions", "zohocrm.sandbox.coql.plan")
    assert.is_true(#parsers > 8)
    for _, name in ipairs(parsers) do assert.matches("^zohocrm%.sandbox%.", name) end
    local builders = loads("zohocrm.criteria", "zohocrm.coql_builder")
    assert.is_true(#builders > 8)
    for _, name in ipairs(builders) do assert.is_nil(name:find("sandbox", 1, true), name) end
  end)
end)
