--- Evaluating conditions on records: which operators a data type has and what they mean.
--
-- Knows nothing of the notation a condition came in; `zohocrm.sandbox.criteria` reads the search's notation,
-- `zohocrm.sandbox.coql.parser` that of COQL, and both produce the same tree:
--
--   { all = { tree, … } }   { any = { tree, … } }   { field =, operator =, values = { string, … } }
--
-- An empty field fulfils the negated operators (`not_equal`, `not_in`, …) and no other. In a search, `${EMPTY}` as the
-- value of `equals` or `not_equal` asks for emptiness itself; so does `null` for every type but texts, where it may be
-- a name. COQL (`exact`) has operators for that, and its values are never anything but values.
--
-- @module zohocrm.sandbox.conditions

local like = require("zohocrm.sandbox.like")
local text = require("zohocrm.sandbox.text")
local time = require("zohocrm.sandbox.time")

local M = {}

--- Most values of one `in`.
M.VALUES_MAX = 100

local ordered = {
  equals = true, not_equal = true, greater_equal = true, greater_than = true, less_equal = true, less_than = true,
  between = true, ["in"] = true,
}
local textual = { equals = true, not_equal = true, starts_with = true, ["in"] = true }
local long_text = { equals = true, not_equal = true, starts_with = true }
local plain = { equals = true, not_equal = true, ["in"] = true }
local two_valued = { equals = true, not_equal = true }

--- The operators that a search has for each data type (reference, section 5.2).
---@type table<string, table<string, boolean>>
M.operators = {
  date = ordered, datetime = ordered, integer = ordered, bigint = ordered, double = ordered, currency = ordered,
  percent = ordered, text = textual, email = textual, phone = textual, website = textual, textarea = long_text,
  multiselectpicklist = textual, picklist = plain, autonumber = plain, lookup = plain, multi_module_lookup = plain,
  ownerlookup = plain, boolean = two_valued,
}

local function with(base, ...)
  local all = {}
  for name in pairs(base) do
    all[name] = true
  end
  for _, name in ipairs({ ... }) do
    all[name] = true
  end
  return all
end

local nullable = { is_null = true, is_not_null = true }
local exact_plain = with(nullable, "equals", "not_equal", "in", "not_in")
local exact_textual = with(exact_plain, "like", "not_like")
local exact_ordered = with(exact_plain, "greater_equal", "greater_than", "less_equal", "less_than", "between",
  "not_between")

--- The operators that COQL has for each data type (reference, section 6.1). Multi-line texts are not in its table; an
-- older edition of the page says that they cannot be used in criteria. That emptiness can be asked of a multi-select
-- pick list is an inference.
---@type table<string, table<string, boolean>>
M.exact_operators = {
  text = exact_textual, email = exact_textual, phone = exact_textual, website = exact_textual,
  autonumber = exact_textual, picklist = exact_textual,
  lookup = exact_plain, multi_module_lookup = exact_plain, ownerlookup = exact_plain,
  date = exact_ordered, datetime = exact_ordered, integer = exact_ordered, bigint = exact_ordered,
  double = exact_ordered, currency = exact_ordered, percent = exact_ordered,
  boolean = { equals = true }, multiselectpicklist = with(nullable, "equals", "in"),
}

-- Reading a condition's values: a comparable value, nil where it is none of the type ------------------------------

local function trimmed(value)
  return value:match("^%s*(.*%S)") or "" -- from the end: blanks in the middle are passed only once
end

local NUMBER_MAX = 100 -- characters

local function read_number(value)
  value = trimmed(value)
  return #value <= NUMBER_MAX and (value:find("^%-?%d+%.?%d*$") or value:find("^%-?%.%d+$")) and tonumber(value) or nil
end

-- Whole numbers of any length as a text that compares like the number: sign, number of digits, digits. A negative one
-- counts down, so its digits are complemented.
local function sortable_digits(value)
  local sign, digits = value:match("^(%-?)0*(%d+)$")
  if not digits then
    return nil
  end
  if sign == "" or digits == "0" then
    return ("p%03d%s"):format(#digits, digits)
  end
  local complement = digits:gsub("%d", function(digit)
    return tostring(9 - tonumber(digit, 10))
  end)
  return ("n%03d%s"):format(999 - #digits, complement)
end

local function read_bigint(value)
  value = trimmed(value)
  return #value <= NUMBER_MAX and sortable_digits(value) or nil
end

local function read_date(value)
  return (time.parse_date(trimmed(value)))
end

local function read_time(value)
  return time.parse(trimmed(value))
end

local booleans = { ["true"] = true, ["false"] = false }

local function read_boolean(value)
  return booleans[trimmed(value):lower()]
end

local function read_id(value)
  return trimmed(value):match("^%d+$")
end

local function read_exact(value)
  return value
end

local readers = {
  integer = read_number, double = read_number, currency = read_number, percent = read_number, bigint = read_bigint,
  date = read_date, datetime = read_time, boolean = read_boolean, lookup = read_id, ownerlookup = read_id,
  multi_module_lookup = read_id, picklist = read_exact, multiselectpicklist = read_exact, autonumber = read_exact,
  text = text.fold, textarea = text.fold, email = text.fold, phone = text.fold, website = text.fold,
}

-- Stored values that must be converted before they can be compared.
local converters = {
  bigint = sortable_digits, text = text.fold, textarea = text.fold, email = text.fold, phone = text.fold,
  website = text.fold,
}

--- A stored value of a field in a form that `<` and `==` compare rightly with others of the same field.
---@param field table of the schema
---@param value any stored form, not empty
---@return any
function M.comparable(field, value)
  local convert = converters[field.data_type]
  if convert then
    return convert(value)
  elseif type(value) == "boolean" then
    return value and 1 or 0
  end
  return value
end

-- COQL writes several choices as 'A;B': the same choices, in whatever order.
local function choices(list)
  local sorted = {}
  for i, item in ipairs(list) do
    sorted[i] = item
  end
  table.sort(sorted)
  return table.concat(sorted, ";")
end

local function read_choices(value)
  local list = {}
  for item in value:gmatch("[^;]+") do
    item = trimmed(item)
    list[#list + 1] = item ~= "" and item or nil
  end
  return #list > 0 and choices(list) or nil
end

-- Comparing -----------------------------------------------------------------------------------------------------------

local function same(a, b)
  return a == b
end

-- The search's `equals` on a text finds it anywhere inside (reference, section 5.3).
local function contains(a, b)
  return a:find(b, 1, true) ~= nil
end

local function starts(a, b)
  return a:sub(1, #b) == b
end

local function any_of(compare, a, wanted)
  for _, b in ipairs(wanted) do
    if compare(a, b) then
      return true
    end
  end
  return false
end

local tests = {
  equals = function(a, wanted, equal)
    return equal(a, wanted[1])
  end,
  ["in"] = function(a, wanted, equal)
    return any_of(equal, a, wanted)
  end,
  starts_with = function(a, wanted)
    return starts(a, wanted[1])
  end,
  greater_than = function(a, wanted)
    return a > wanted[1]
  end,
  greater_equal = function(a, wanted)
    return a >= wanted[1]
  end,
  less_than = function(a, wanted)
    return a < wanted[1]
  end,
  less_equal = function(a, wanted)
    return a <= wanted[1]
  end,
  between = function(a, wanted)
    return a >= wanted[1] and a <= wanted[2]
  end,
}
function tests.like(a, wanted)
  return wanted[1](a)
end

-- The result of these is turned round.
local negations = { not_equal = "equals", not_in = "in", not_like = "like", not_between = "between" }

local value_counts = { ["in"] = { 1, M.VALUES_MAX }, between = { 2, 2 } }

-- How the values of a condition are read, and how the stored one is converted to compare with them.
local function conversion(field, operator, exact)
  if operator == "like" then
    return like.matcher, text.fold
  elseif exact and field.data_type == "multiselectpicklist" then
    return read_choices, nil
  end
  return readers[field.data_type], converters[field.data_type]
end

local function read_values(operator, values, read)
  local counts = value_counts[operator] or { 1, 1 }
  if #values < counts[1] or #values > counts[2] then
    return nil, counts[2] == 1 and "one value is expected; a comma inside a value needs a backslash"
      or ("%d to %d values are expected"):format(counts[1], counts[2])
  end
  local wanted = {}
  for i, value in ipairs(values) do
    wanted[i] = read(value)
    if wanted[i] == nil or value == "" then
      return nil, "the value does not fit the data type"
    end
  end
  return wanted
end

local function asks_for_emptiness(field, operator, values)
  if #values ~= 1 or not two_valued[operator] then
    return false
  end
  return values[1] == "${EMPTY}" or (values[1] == "null" and converters[field.data_type] ~= text.fold)
end

local function is_empty(value)
  return value == nil or (type(value) == "table" and #value == 0)
end

local function emptiness_test(wanted)
  return function(value)
    return is_empty(value) == wanted
  end
end

-- Of several values in a field one is enough for a search; COQL compares them all together.
local function test_of(holds, together, negated)
  return function(value)
    local found = false
    if type(value) == "table" then
      if together then
        found = #value > 0 and holds(choices(value))
      else
        for _, item in ipairs(value) do
          found = found or holds(item)
        end
      end
    elseif value ~= nil then
      found = holds(value)
    end
    return found ~= negated
  end
end

--- Makes the test of one condition.
---@param field table of the schema
---@param operator string
---@param values string[] as written in the condition, without their escapes
---@param exact? boolean COQL's operators, and texts are compared as a whole instead of searched through; default false
---@return (fun(value: any): boolean)? test of a stored value; nil where the condition is wrong
---@return string? reason
---@return "column"|"operator"|"value"|nil what is wrong
function M.test(field, operator, values, exact)
  local allowed = (exact and M.exact_operators or M.operators)[field.data_type]
  if not field.searchable or not allowed then
    return nil, "the field cannot be searched", "column"
  end
  if not allowed[operator] then
    return nil, "the operator is not supported for the data type of the field", "operator"
  end
  if nullable[operator] then
    return emptiness_test(operator == "is_null")
  elseif not exact and asks_for_emptiness(field, operator, values) then
    return emptiness_test(operator == "equals")
  end
  local positive = negations[operator] or operator
  local read, convert = conversion(field, positive, exact)
  local wanted, reason = read_values(positive, values, read)
  if not wanted then
    return nil, reason, "value"
  end
  local compare = tests[positive]
  local equal = (convert == text.fold and not exact) and contains or same
  local function holds(value)
    return compare(convert and convert(value) or value, wanted, equal)
  end
  return test_of(holds, read == read_choices, positive ~= operator)
end

local compile -- forward: trees contain trees

local function compile_list(list, module, exact, stop_at)
  local parts = {}
  for i, tree in ipairs(list) do
    local part, details, what = compile(tree, module, exact)
    if not part then
      return nil, details, what
    end
    parts[i] = part
  end
  return function(get)
    for i = 1, #parts do
      if parts[i](get) == stop_at then
        return stop_at
      end
    end
    return not stop_at
  end
end

function compile(tree, module, exact)
  if tree.all then
    return compile_list(tree.all, module, exact, false)
  elseif tree.any then
    return compile_list(tree.any, module, exact, true)
  end
  local name = tree.field
  local field = module.by_name[name]
  local test, reason, what
  if field then
    test, reason, what = M.test(field, tree.operator, tree.values, exact)
  else
    reason, what = "the field is not available in the module", "column"
  end
  if not test then
    return nil, { reason = reason, api_name = name, operator = tree.operator }, what
  end
  return function(get)
    return test(get(name))
  end
end

--- Makes the test of a whole tree of conditions.
---@param tree table
---@param module table of the schema, or anything else whose `by_name` gives fields
---@param exact? boolean see `test`
---@return (fun(get: fun(name: string): any): boolean)? holds takes a function that gives stored values by field name;
--- nil where a condition is wrong
---@return table? details `{reason, api_name, operator}` of the first wrong one
---@return "column"|"operator"|"value"|nil what of it is wrong
function M.compile(tree, module, exact)
  return compile(tree, module, exact)
end

return M
