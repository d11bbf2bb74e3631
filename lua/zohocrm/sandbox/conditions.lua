--- Evaluating conditions on records: which operators a data type has and what they mean.
--
-- Knows nothing of the notation a condition came in; `zohocrm.sandbox.criteria` reads the search's notation, another
-- reader (COQL) can produce the same tree:
--
--   { all = { tree, … } }   { any = { tree, … } }   { field =, operator =, values = { string, … } }
--
-- An empty field fulfils `not_equal` and no other operator. `${EMPTY}` as the value of `equals` or `not_equal` asks for
-- emptiness itself; so does `null` for every type but texts, where it may be a name.
--
-- @module zohocrm.sandbox.conditions

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

--- The operators of each data type (reference, section 5.2).
---@type table<string, table<string, boolean>>
M.operators = {
  date = ordered, datetime = ordered, integer = ordered, bigint = ordered, double = ordered, currency = ordered,
  percent = ordered, text = textual, email = textual, phone = textual, website = textual, textarea = long_text,
  multiselectpicklist = textual, picklist = plain, autonumber = plain, lookup = plain, multi_module_lookup = plain,
  ownerlookup = plain, boolean = two_valued,
}

-- Reading a condition's values: a comparable value, nil where it is none of the type ------------------------------

local function trimmed(value)
  return value:match("^%s*(.-)%s*$")
end

local function read_number(value)
  value = trimmed(value)
  return (value:find("^%-?%d+%.?%d*$") or value:find("^%-?%.%d+$")) and tonumber(value) or nil
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
  return #value <= 100 and sortable_digits(value) or nil
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
tests.not_equal = tests.equals -- the result is turned round where it is used

local value_counts = { ["in"] = { 1, M.VALUES_MAX }, between = { 2, 2 } }

local function read_values(field, operator, values)
  local counts = value_counts[operator] or { 1, 1 }
  if #values < counts[1] or #values > counts[2] then
    return nil, counts[2] == 1 and "one value is expected; a comma inside a value needs a backslash"
      or ("%d to %d values are expected"):format(counts[1], counts[2])
  end
  local read, wanted = readers[field.data_type], {}
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

--- Makes the test of one condition.
---@param field table of the schema
---@param operator string
---@param values string[] as written in the condition, without their escapes
---@param exact? boolean texts are compared as a whole instead of searched through; default false
---@return (fun(value: any): boolean)? test of a stored value; nil where the condition is wrong
---@return string? reason
function M.test(field, operator, values, exact)
  local allowed = M.operators[field.data_type]
  if not field.searchable or not allowed then
    return nil, "the field cannot be searched"
  end
  if not allowed[operator] then
    return nil, "the operator is not supported for the data type of the field"
  end
  local negated = operator == "not_equal"
  if asks_for_emptiness(field, operator, values) then
    return function(value)
      return (value == nil or (type(value) == "table" and #value == 0)) ~= negated
    end
  end
  local wanted, reason = read_values(field, operator, values)
  if not wanted then
    return nil, reason
  end
  local convert, compare = converters[field.data_type], tests[operator]
  local equal = (convert == text.fold and not exact) and contains or same
  local function holds(value)
    return compare(convert and convert(value) or value, wanted, equal)
  end
  return function(value)
    local found = false
    if type(value) == "table" then -- one of several values is enough
      for _, item in ipairs(value) do
        found = found or holds(item)
      end
    elseif value ~= nil then
      found = holds(value)
    end
    return found ~= negated
  end
end

local compile -- forward: trees contain trees

local function compile_list(list, module, exact, stop_at)
  local parts = {}
  for i, tree in ipairs(list) do
    local part, details = compile(tree, module, exact)
    if not part then
      return nil, details
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
  if not field then
    return nil, { reason = "the field is not available in the module", api_name = name, operator = tree.operator }
  end
  local test, reason = M.test(field, tree.operator, tree.values, exact)
  if not test then
    return nil, { reason = reason, api_name = name, operator = tree.operator }
  end
  return function(get)
    return test(get(name))
  end
end

--- Makes the test of a whole tree of conditions.
---@param tree table
---@param module table of the schema
---@param exact? boolean see `test`
---@return (fun(get: fun(name: string): any): boolean)? holds takes a function that gives stored values by field name;
--- nil where a condition is wrong
---@return table? details `{reason, api_name, operator}` of the first wrong one
function M.compile(tree, module, exact)
  return compile(tree, module, exact)
end

return M
