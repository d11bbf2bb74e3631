--- A field that a condition is about: `c.Last_Name`, `c.Account_Name.Industry`, and what can be asked of it.

local core = require "zohocrm.core"
local expression = require "zohocrm.expression"
local literals = require "zohocrm.literals"
local raise = require "zohocrm.raise"
local suggest = require "zohocrm.suggest"
local values = require "zohocrm.values"

local M = {}

-- Most values of one list (search and COQL alike), and most names of a dotted field: two lookups (reference 5.2, 6.1).
local LIST_MAX, STEPS_MAX = 100, 3

-- The key of a field's name. Kept in the object: fields are made wherever a condition is written.
local NAME = {}

local Field = {}
local meta = { __name = "zohocrm.Field" }

local STEP = "^[%a_$][%w_$]*$"

local function check_step(name, whole)
  if not name:find(STEP) then
    raise(("'%s' is no API name of a field: letters, digits, _ and $, with dots between lookups"):format(whole))
  end
end

--- Checks the API name of a field, such as Account_Name.Industry or What_Id->Leads.Last_Name: nothing in it can end the
--- name and begin something else.
---@param name any
---@return string name
function M.check_name(name)
  if type(name) ~= "string" or name == "" then
    raise(('c.field takes the API name of a field, c.field "Last_Name", not %s'):format(name == "" and "an empty string"
      or name == nil and "nil" or "a " .. type(name)))
  end
  local steps, path = 0, name:gsub("^([^.]*)%->([^.]*%.)", "%1.%2", 1)
  for step in (path .. "."):gmatch("([^.]*)%.") do
    check_step(step, name)
    steps = steps + 1
  end
  if steps > STEPS_MAX + (path ~= name and 1 or 0) then
    raise(("'%s' goes through %d lookups; the API follows two at most"):format(name, steps - 1))
  end
  return name
end

--- Makes a field.
---@param name string
---@return zohocrm.Field
function M.new(name)
  return setmetatable({ [NAME] = M.check_name(name) }, meta)
end

--- The name of a field object; nil for anything else.
---@param value any
---@return string|nil
function M.name_of(value)
  return getmetatable(value) == meta and rawget(value, NAME) or nil
end

local function name_of(self, method)
  local name = M.name_of(self)
  if not name then
    raise(("call it as c.Last_Name:%s(…), with a colon"):format(method))
  end
  return name
end

local function condition(self, method, operator, list)
  return expression.condition(name_of(self, method), operator, list)
end

local function one(self, method, value)
  local name = name_of(self, method)
  return expression.condition(name, method, { literals.read(value, ("%s:%s: the value"):format(name, method)) })
end

-- Comparisons of size. Of two booleans none is the greater.
local function ordered(self, method, value)
  if type(value) == "boolean" then
    raise(("%s:%s: true and false have no order; :equals(%s) asks for one of them"):format(name_of(self, method),
      method, tostring(value)))
  end
  return one(self, method, value)
end

-- Patterns are of text.
local function textual(self, method, value)
  if type(value) ~= "string" then
    raise(("%s:%s takes a string, not %s"):format(name_of(self, method), method,
      value == nil and "nil" or "a " .. type(value)))
  end
  return one(self, method, value)
end

--- Is this. In a search, `equals` on text also finds it as a part of the text, in any case (reference 5.3); in COQL it
--- is the whole text.
---@param value string|number|boolean|zohocrm.Date|zohocrm.DateTime|table a record or lookup stands for its id;
--- `zohocrm.null` is `is_empty`
---@return zohocrm.Expression
function Field:equals(value)
  if value == core.null then
    return condition(self, "equals", "is_empty", {})
  end
  return one(self, "equals", value)
end

--- Is anything else. Fields without a value are among these in the sandbox; Zoho does not say.
---@param value any see `equals`; `zohocrm.null` is `is_not_empty`
---@return zohocrm.Expression
function Field:not_equal(value)
  if value == core.null then
    return condition(self, "not_equal", "is_not_empty", {})
  end
  return one(self, "not_equal", value)
end

--- Has no value. In COQL `is null`; in a search `equals:${EMPTY}`, as the CRM's other filters have it: the page on
--- searches does not speak of it.
---@return zohocrm.Expression
function Field:is_empty()
  return condition(self, "is_empty", "is_empty", {})
end

--- Has a value. See `is_empty`.
---@return zohocrm.Expression
function Field:is_not_empty()
  return condition(self, "is_not_empty", "is_not_empty", {})
end

--- Text that begins so.
---@param text string
---@return zohocrm.Expression
function Field:starts_with(text)
  return textual(self, "starts_with", text)
end

--- Text that ends so. COQL only.
---@param text string
---@return zohocrm.Expression
function Field:ends_with(text)
  return textual(self, "ends_with", text)
end

--- Text with this in it. COQL only; in a search, `equals` on text does it.
---@param text string
---@return zohocrm.Expression
function Field:contains(text)
  return textual(self, "contains", text)
end

--- Text without this in it. COQL only.
---@param text string
---@return zohocrm.Expression
function Field:not_contains(text)
  return textual(self, "not_contains", text)
end

--- Text of this pattern, in which `%` stands for any text. COQL only.
---@param pattern string such as "Sm%th"; the API documents `%` at the beginning, at the end, and at both
---@return zohocrm.Expression
function Field:like(pattern)
  return textual(self, "like", pattern)
end

--- Text not of this pattern. COQL only, with `%` at both ends.
---@param pattern string
---@return zohocrm.Expression
function Field:not_like(pattern)
  return textual(self, "not_like", pattern)
end

---@param value number|string|zohocrm.Date|zohocrm.DateTime
---@return zohocrm.Expression
function Field:greater_than(value)
  return ordered(self, "greater_than", value)
end

---@param value number|string|zohocrm.Date|zohocrm.DateTime
---@return zohocrm.Expression
function Field:greater_equal(value)
  return ordered(self, "greater_equal", value)
end

---@param value number|string|zohocrm.Date|zohocrm.DateTime
---@return zohocrm.Expression
function Field:less_than(value)
  return ordered(self, "less_than", value)
end

---@param value number|string|zohocrm.Date|zohocrm.DateTime
---@return zohocrm.Expression
function Field:less_equal(value)
  return ordered(self, "less_equal", value)
end

local function is_date(value)
  return type(value) == "string" and value:find("^%d%d%d%d%-%d%d%-%d%d$") ~= nil
end

-- Bounds in the wrong order find nothing, without a word.
local function range(self, method, operator, low, high)
  local name = name_of(self, method)
  local what = ("%s:%s: the "):format(name, method)
  local list = { literals.read(low, what .. "lower value"), literals.read(high, what .. "upper value") }
  local comparable = type(low) == "number" and type(high) == "number" or is_date(low) and is_date(high)
    or values.kind(low) and values.kind(low) == values.kind(high)
  if list[1].kind == "boolean" or list[2].kind == "boolean" then
    raise(("%s:%s: true and false have no order"):format(name, method))
  elseif comparable and high < low then
    raise(("%s:%s: %s is above %s; the lower value comes first"):format(name, method, list[1].text, list[2].text))
  end
  return expression.condition(name, operator, list)
end

--- From the lower to the upper value, both included.
---@param low number|string|zohocrm.Date|zohocrm.DateTime
---@param high number|string|zohocrm.Date|zohocrm.DateTime
---@return zohocrm.Expression
function Field:between(low, high)
  return range(self, "between", "between", low, high)
end

--- Below the lower value or above the upper one. COQL only.
---@param low number|string|zohocrm.Date|zohocrm.DateTime
---@param high number|string|zohocrm.Date|zohocrm.DateTime
---@return zohocrm.Expression
function Field:not_between(low, high)
  return range(self, "not_between", "not_between", low, high)
end

--- The number of elements of an array, at least one. A hole would drop what stands behind it, and raises.
---@param list table
---@param what string begins the message
---@return integer
function M.length(list, what)
  local count, highest = 0, 0
  for key in pairs(list) do
    if type(key) ~= "number" or key % 1 ~= 0 or key < 1 then
      raise(("%s takes an array; '%s' is no position"):format(what, tostring(key)))
    end
    count, highest = count + 1, math.max(highest, key)
  end
  if count == 0 then
    raise(what .. " has no values; at least one is needed")
  elseif highest > count then
    raise(what .. " has a nil among its values")
  end
  return count
end

local function member(self, method, operator, list)
  local name = name_of(self, method)
  local what = ("%s:%s"):format(name, method)
  if type(list) ~= "table" or M.name_of(list) or expression.is(list) or values.kind(list) then
    raise(("%s takes an array, :%s{ … }, not %s"):format(what, method, list == nil and "nil" or "a " .. type(list)))
  end
  local count = M.length(list, what)
  if count > LIST_MAX then
    raise(("%s has %d values; the API takes at most %d: ask in parts"):format(what, count, LIST_MAX))
  end
  local read = {}
  for i = 1, count do
    read[i] = literals.read(list[i], ("%s: value %d"):format(what, i))
  end
  return expression.condition(name, operator, read)
end

--- Is one of these, 100 at the most. (`in` is a word of Lua's own.)
---@param list any[] see `equals` for the values
---@return zohocrm.Expression
function Field:in_(list)
  return member(self, "in_", "in", list)
end

--- Is none of these, 100 at the most. COQL only.
---@param list any[] see `equals` for the values
---@return zohocrm.Expression
function Field:not_in(list)
  return member(self, "not_in", "not_in", list)
end

-- What people try that is near in meaning, not in letters.
local synonyms = {
  eq = "equals", equal = "equals", is = "equals", ne = "not_equal", neq = "not_equal", is_not = "not_equal",
  gt = "greater_than", ge = "greater_equal", gte = "greater_equal", lt = "less_than", le = "less_equal",
  lte = "less_equal", is_null = "is_empty", is_not_null = "is_not_empty", empty = "is_empty", one_of = "in_",
  includes = "contains", ["in"] = "in_", ilike = "like",
}

local methods = {}
for name in pairs(Field) do
  methods[#methods + 1] = name
end
table.sort(methods)

function meta.__index(self, name)
  if Field[name] then
    return Field[name]
  elseif type(name) ~= "string" then
    return nil
  elseif name:find("^%u") or name == "id" then
    return M.new(rawget(self, NAME) .. "." .. name)
  end
  local own = rawget(self, NAME)
  local hint = synonyms[name] and ("; did you mean '%s'?"):format(synonyms[name]) or suggest.hint(name, methods)
  raise(("a field has no '%s'%s (it has %s; a field behind the lookup: c.field \"%s.%s\")"):format(name, hint,
    table.concat(methods, ", "), own, name))
end

function meta.__newindex(_, name)
  raise(("fields take no assignments: '%s' belongs into a variable of your own"):format(tostring(name)))
end

function meta.__tostring(self)
  return "zohocrm field " .. rawget(self, NAME)
end

function meta.__call(self)
  local name = rawget(self, NAME)
  local combines = name:lower()
  if combines == "all" or combines == "any" or combines == "field" then
    raise(("'%s' is a field, which cannot be called; did you mean c.%s?"):format(name, combines))
  end
  raise(("'%s' is a field, which cannot be called; say what holds for it, such as c.%s:equals \"Oslo\""):format(name,
    name))
end

-- Lua compares right away and gives true or false, which is not a condition.
local function no_comparison()
  raise("Lua's own comparisons give no conditions; write c.Amount:greater_than(5), :less_equal(5), :equals(5), …")
end
meta.__lt, meta.__le = no_comparison, no_comparison

return M
