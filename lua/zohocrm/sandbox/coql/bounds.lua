--- What a condition says about ids, as a range: so that a walk by id begins and ends where it must.
-- @module zohocrm.sandbox.coql.bounds

local schema = require("zohocrm.sandbox.schema")

local huge = math.huge

local M = {}

local FIRST_ID, LAST_ID = schema.id(0), schema.id(10 ^ 12 - 1)

-- Where an id of any length stands among the keys of the organisation: its key, below them all (-1), or above (huge).
local function place_of(text)
  local sign, digits = text:match("^%s*(%-?)0*(%d+)%s*$")
  if sign == "-" or #digits < #FIRST_ID then
    return -1
  elseif #digits > #FIRST_ID then
    return huge
  elseif digits < FIRST_ID then
    return -1
  end
  return digits > LAST_ID and huge or schema.number(digits)
end

-- What each operator leaves of the range; true where nothing remains to be tested.
local narrowing = {}

function narrowing.greater_than(range, values)
  range.low = math.max(range.low, place_of(values[1]) + 1)
  return true
end

function narrowing.greater_equal(range, values)
  range.low = math.max(range.low, place_of(values[1]))
  return true
end

function narrowing.less_than(range, values)
  range.high = math.min(range.high, place_of(values[1]) - 1)
  return true
end

function narrowing.less_equal(range, values)
  range.high = math.min(range.high, place_of(values[1]))
  return true
end

function narrowing.equals(range, values)
  local place = place_of(values[1])
  range.low, range.high = math.max(range.low, place), math.min(range.high, place)
  return true
end

function narrowing.between(range, values)
  narrowing.greater_equal(range, { values[1] })
  return narrowing.less_equal(range, { values[2] })
end

narrowing["in"] = function(range, values)
  local low, high = huge, -huge
  for _, value in ipairs(values) do
    local place = place_of(value)
    low, high = math.min(low, place), math.max(high, place)
  end
  range.low, range.high = math.max(range.low, low), math.min(range.high, high)
  return false
end

function narrowing.is_not_null()
  return true
end

local function narrow(tree, range, is_id, rest)
  if tree.all then
    for _, part in ipairs(tree.all) do
      narrow(part, range, is_id, rest)
    end
    return
  end
  local apply = tree.field and is_id(tree.field) and narrowing[tree.operator]
  if not apply or not apply(range, tree.values) then
    rest[#rest + 1] = tree
  end
end

--- Takes out of a tree what it says about ids.
---@param tree table of conditions that were found good
---@param is_id fun(name: string): boolean whether a column is the id of the record itself
---@return {low: number, high: number} range of keys, both ends within
---@return table? rest the conditions that remain to be tested; nil where none do
function M.of(tree, is_id)
  local range, rest = { low = -1, high = huge }, {}
  narrow(tree, range, is_id, rest)
  return range, #rest > 0 and { all = rest } or nil
end

return M
