--- Random conditions for property specs, as plain trees, and what they mean, written out naively: the other side of what
--- `zohocrm.criteria` builds and the sandbox reads. Shares code with neither.
---
--- A tree is `{ all = { tree, … } }`, `{ any = { tree, … } }` or `{ field =, operator =, values = { … } }`. Values are
--- strings, numbers, booleans, `{ date = "2026-02-06" }` or `{ time = epoch, offset = seconds }`; records hold the same by
--- field, without offsets.
local zohocrm = require("zohocrm")

local M = {}

local c = zohocrm.criteria
local random = math.random

--- The seed of a run and how often a property is tried: see `spec.support.random_json`.
M.seed, M.rounds = require("spec.support.random_json").seed, require("spec.support.random_json").rounds

-- Strings -------------------------------------------------------------------------------------------------------------

-- What people have called themselves, and what separates, ends, escapes or comments in one notation or another.
local PIECES = {
  "(", ")", ",", ":", "\\", "'", '"', "%", " ", "  ", ";", "--", "/*", "*/", "#", "${EMPTY}", "null", "and", "or", ")and(", ")or(", "&", "+",
  "=", "?", "%27", "%2C", "%28", "%00", "é", "Ö", "ß", "€", "😀", "\n", "\t", "\r", "\0", "\1", "\127", "’", "ʼ", "＇", "（", "\226\128\168", "{", "}",
  "[", "]", "<", ">", "|", "~", "`", "$", "*", "_", ".", "^", "!", "@", "/", "a", "B", "Smith", "smith", "O'Neil", "7", "0", "-1", "true", "false",
  "is null", "in", "like", "between", "limit 1", "select", "from Leads", "where", "union", "equals", "City", "((", "))", "''", "\\'", "\\\\", "\\)",
  "\\,", "' or '1'='1", "(City:equals:x)", "1e5", "2026-02-06", "T00:00:00Z", "\239\187\191",
}

local function any(list)
  return list[random(#list)]
end

--- A random text of 1 to 5 pieces.
function M.text()
  local pieces = {}
  for i = 1, random(5) do pieces[i] = any(PIECES) end
  return table.concat(pieces)
end

-- A beginning of a text, without cutting a character in two.
local function beginning(text)
  local ends = {}
  for stop in text:gmatch("()[^\128-\191]") do ends[#ends + 1] = stop - 1 end
  ends[#ends + 1] = #text
  return text:sub(1, ends[random(2, #ends)])
end

-- Records -------------------------------------------------------------------------------------------------------------

local CHOICES = { "Chat", "Cold Call", "Partner", "Trade Show" }
local TEXTS = { "Last_Name", "Company", "City" }

local function date()
  return { date = ("2026-%02d-%02d"):format(random(12), random(28)) }
end

local function time()
  return { time = 1770340256 + random(-5, 5) * 86400 + random(0, 3) * 3600, offset = random(-28, 28) * 1800 }
end

local function number()
  return random(-20, 20) / any { 1, 1, 2, 4 }
end

local makers = {
  No_of_Employees = function() return random(-20, 20) end, Annual_Revenue = number, Lead_Source = function() return any(CHOICES) end,
  First_Contact_Date = date, Next_Call_Time = time, Company = M.text, City = M.text,
}

--- A record; most fields are empty now and then.
function M.record()
  local record = { Last_Name = M.text(), Email_Opt_Out = random(2) == 1 }
  for field, make in pairs(makers) do
    if random(4) > 1 then record[field] = make() end
  end
  return record
end

--- A record as `create` takes it.
function M.written(record)
  local copy = {}
  for field, value in pairs(record) do
    if type(value) == "table" then value = value.date or zohocrm.datetime(value.time, value.offset) end
    copy[field] = value
  end
  return copy
end

-- Trees ---------------------------------------------------------------------------------------------------------------

local comparisons = { "equals", "not_equal", "greater_than", "greater_equal", "less_than", "less_equal", "in", "between" }
local emptiness = { "is_empty", "is_not_empty" }

-- By kind of field: operators of both languages, and those of COQL alone (reference, sections 5.2 and 6.1).
local operators = {
  text = { { "equals", "not_equal", "starts_with", "in" }, { "ends_with", "contains", "not_contains", "like", "not_like", "not_in" } },
  choice = { { "equals", "not_equal", "in" }, { "not_in", "starts_with", "contains" } },
  ordered = { comparisons, { "not_in", "not_between" } }, boolean = { { "equals" }, { "equals" } },
}
local kinds = {
  Last_Name = "text", Company = "text", City = "text", Lead_Source = "choice", No_of_Employees = "ordered",
  Annual_Revenue = "ordered", First_Contact_Date = "ordered", Next_Call_Time = "ordered", Email_Opt_Out = "boolean",
}
local fields = { "Last_Name", "Company", "City", "Last_Name", "Company", "City", "Lead_Source", "No_of_Employees", "Annual_Revenue",
  "First_Contact_Date", "Next_Call_Time", "Email_Opt_Out" }

-- A value to ask a field for: one that a record has, a part of one, or another.
local function wanted(field, operator, records)
  if field == "Email_Opt_Out" then return random(2) == 1 end
  local held = any(records)[kinds[field] == "text" and any(TEXTS) or field]
  local value = held ~= nil and random(5) > 1 and held or makers[field] and makers[field]() or M.text()
  if kinds[field] == "text" and random(3) == 1 then value = beginning(value) end
  if operator == "like" or operator == "not_like" then
    local negative = operator == "not_like"
    value = any { "%", negative and "%" or "" } .. value:gsub("%%", "x") .. any { "%", negative and "%" or "" }
  end
  return type(value) == "table" and value.time and { time = value.time, offset = random(-28, 28) * 1800 } or value
end

local function rank(value)
  return type(value) == "table" and (value.date or value.time) or value
end

local function condition(records, coql)
  local field = any(fields)
  local of_kind = operators[kinds[field]]
  local operator = any(of_kind[coql and random(2) or 1])
  if random(12) == 1 and field ~= "Email_Opt_Out" then return { field = field, operator = any(emptiness), values = {} } end
  local count = (operator == "in" or operator == "not_in") and random(4) or operator:find("between") and 2 or 1
  local values = {}
  for i = 1, count do values[i] = wanted(field, operator, records) end
  if operator:find("between") and rank(values[2]) < rank(values[1]) then values[1], values[2] = values[2], values[1] end
  return { field = field, operator = operator, values = values }
end

--- A tree of at most 8 conditions.
---@param records table[] what the values are taken from
---@param coql boolean? with the operators that a search does not have
---@param depth integer? of groups inside one another
function M.tree(records, coql, depth)
  depth = depth or 3
  if depth == 0 or random(3) == 1 then return condition(records, coql) end
  local members = {}
  for i = 1, random(2) do members[i] = M.tree(records, coql, depth - 1) end
  return { [any { "all", "any" }] = members }
end

--- Calls a function with every condition of a tree.
function M.each_condition(tree, visit)
  for _, member in ipairs(tree.all or tree.any or {}) do M.each_condition(member, visit) end
  if tree.field then visit(tree) end
end

-- Building ------------------------------------------------------------------------------------------------------------

local load_text = loadstring or load -- luacheck: ignore 113
local symbols = {}
for name, symbol in pairs { all = "&", any = "|" } do
  local chunk = load_text("return function(a, b) return a " .. symbol .. " b end")
  symbols[name] = chunk and chunk() -- Lua 5.3 and later
end

local function value_of(value)
  if type(value) ~= "table" then return value end
  if value.time then return zohocrm.datetime(value.time, value.offset) end
  local year, month, day = value.date:match("(%d+)-(%d+)-(%d+)")
  return random(2) == 1 and value.date or zohocrm.date { year = tonumber(year), month = tonumber(month), day = tonumber(day) }
end

local unpack_values = table.unpack or unpack -- luacheck: ignore 113 143

--- What `zohocrm.criteria` builds of a tree, in one of the ways to say it.
function M.build(tree)
  local kind = tree.all and "all" or tree.any and "any"
  if kind then
    local members = {}
    for i, member in ipairs(tree[kind]) do members[i] = M.build(member) end
    if #members == 2 and symbols[kind] and random(2) == 1 then return symbols[kind](members[1], members[2]) end
    if random(2) == 1 then return c[kind](members) end
    return c[kind](unpack_values(members))
  end
  local field = random(2) == 1 and c[tree.field] or c.field(tree.field)
  local values = {}
  for i, value in ipairs(tree.values) do values[i] = value_of(value) end
  if tree.operator == "in" then return field:in_(values) end
  if tree.operator == "not_in" then return field:not_in(values) end
  return field[tree.operator](field, unpack_values(values))
end

-- What may not be said ------------------------------------------------------------------------------------------------

--- Whether a search must refuse a tree: a text that it would take for emptiness.
function M.search_refuses(tree)
  local refused = false
  M.each_condition(tree, function(one)
    for _, value in ipairs(one.values) do
      local word = type(value) == "string" and value:match("^%s*(.-)%s*$")
      refused = refused or word and (word:sub(1, 2) == "${" and word:sub(-1) == "}" or word == "null" and one.operator ~= "starts_with")
    end
  end)
  return refused and true or false
end

-- Whether an odd number of backslashes ends the text or precedes a quote.
local function has_loose_backslash(text)
  local run = 0
  for byte in (text .. "'"):gmatch(".") do
    if (byte == "'" or byte == '"') and run % 2 == 1 then return true end
    run = byte == "\\" and run + 1 or 0
  end
  return false
end

local partial = { starts_with = true, ends_with = true, contains = true, not_contains = true }

--- Whether COQL must refuse a tree: a backslash that might hide a quote, a `%` that would be a wildcard.
function M.coql_refuses(tree)
  local refused = false
  M.each_condition(tree, function(one)
    for _, value in ipairs(one.values) do
      if type(value) == "string" then
        refused = refused or has_loose_backslash(value) or partial[one.operator] and value:find("%", 1, true) ~= nil
      end
    end
  end)
  return refused
end

-- Meaning -------------------------------------------------------------------------------------------------------------

-- Capital letters that occur in PIECES.
local function folded(value)
  return type(value) == "string" and value:gsub("[A-Z]", string.lower):gsub("Ö", "ö") or value
end

local function has(text, part)
  return text:find(part, 1, true) ~= nil
end

local function begins(text, part)
  return text:sub(1, #part) == part
end

local function ends(text, part)
  return #text >= #part and text:sub(#text - #part + 1) == part
end

local function like(text, pattern)
  local open_left, middle, open_right = pattern:match("^(%%?)(.-)(%%?)$")
  if pattern == "%" then return true end
  if open_left ~= "" then return (open_right ~= "" and has or ends)(text, middle) end
  return open_right ~= "" and begins(text, middle) or text == middle
end

local negated = { not_equal = "equals", not_in = "in", not_contains = "contains", not_like = "like", not_between = "between" }

local function among(held, values, same)
  for _, value in ipairs(values) do
    if same(held, value) then return true end
  end
  return false
end

local meanings = {
  equals = function(held, values, same) return same(held, values[1]) end,
  ["in"] = among,
  starts_with = function(held, values) return begins(held, values[1]) end,
  ends_with = function(held, values) return ends(held, values[1]) end,
  contains = function(held, values) return has(held, values[1]) end,
  like = function(held, values) return like(held, values[1]) end,
  greater_than = function(held, values) return held > values[1] end,
  greater_equal = function(held, values) return held >= values[1] end,
  less_than = function(held, values) return held < values[1] end,
  less_equal = function(held, values) return held <= values[1] end,
  between = function(held, values) return values[1] <= held and held <= values[2] end,
}

-- A search finds a text in any case as a part, COQL in any case as a whole; a choice is found as it is. Patterns know no case.
local function compared(tree, held, coql)
  local fold = kinds[tree.field] == "text" or tree.operator ~= "equals" and tree.operator ~= "not_equal" and not tree.operator:find("in$")
  local values = {}
  for i, value in ipairs(tree.values) do values[i] = fold and folded(rank(value)) or rank(value) end
  local within = kinds[tree.field] == "text" and not coql
  return fold and folded(rank(held)) or rank(held), values, within and has or rawequal
end

--- Whether a tree holds for a record.
---@param coql boolean? as COQL compares, instead of as a search does
function M.holds(tree, record, coql)
  if tree.all or tree.any then
    for _, member in ipairs(tree.all or tree.any) do
      if M.holds(member, record, coql) == (tree.any ~= nil) then return tree.any ~= nil end
    end
    return tree.all ~= nil
  end
  local held, operator = record[tree.field], tree.operator
  if operator == "is_empty" or operator == "is_not_empty" then return (held == nil) == (operator == "is_empty") end
  local positive = negated[operator] or operator
  return (held ~= nil and meanings[positive](compared(tree, held, coql))) ~= (positive ~= operator)
end

return M
