--- The rows of a query with aggregates: one for every group of records, or one for all of them.
-- @module zohocrm.sandbox.coql.groups

local conditions = require("zohocrm.sandbox.conditions")
local json = require("zohocrm.sandbox.json")
local rows = require("zohocrm.sandbox.coql.rows")

local M = {}

-- Each takes the total so far and one more value that is not empty; the field is that of the column.
local adders = {}

function adders.COUNT(total)
  total.value = (total.value or 0) + 1
end

-- Long whole numbers are stored as digits.
function adders.SUM(total, value)
  total.value = (total.value or 0) + tonumber(value)
end

function adders.AVG(total, value)
  total.sum, total.count = (total.sum or 0) + tonumber(value), (total.count or 0) + 1
  total.value = total.sum / total.count
end

local function keep_if(better)
  return function(total, value, field)
    local rank = conditions.comparable(field, value)
    if total.rank == nil or better(rank, total.rank) then
      total.rank, total.value = rank, value
    end
  end
end

adders.MIN = keep_if(function(a, b)
  return a < b
end)

adders.MAX = keep_if(function(a, b)
  return a > b
end)

local function text_of(value)
  if type(value) == "number" then
    return ("%.17g"):format(value) -- 10 and 10.0 are one
  end
  return value == nil and "" or "=" .. tostring(value)
end

-- What tells one group from another. The length before each part keeps ("a", "bc") apart from ("ab", "c").
local function signature(groups, key)
  local parts = {}
  for i = 1, #groups do
    local text = text_of(groups[i].get(key))
    parts[i] = #text .. ":" .. text
  end
  return table.concat(parts, "|")
end

local function aggregates_of(plan)
  local list = {}
  for _, output in ipairs(plan.outputs) do
    if output.aggregate then
      list[#list + 1] = output
    end
  end
  return list
end

local function new_group(plan, place, key)
  local group = { place = place, values = {}, totals = {} }
  for _, column in ipairs(plan.groups) do
    group.values[column.path] = column.get(key)
  end
  return group
end

local function add(group, aggregates, key)
  for _, output in ipairs(aggregates) do
    local value = output.column.get(key)
    local total = group.totals[output.key] or {}
    group.totals[output.key] = total
    if value ~= nil and not (type(value) == "table" and #value == 0) then
      adders[output.aggregate](total, value, output.column.field)
    end
  end
end

-- The groups in the order in which their first records come.
local function collect(plan)
  local groups, by_signature, aggregates = {}, {}, aggregates_of(plan)
  if #plan.groups == 0 then -- all in one, even where there is nothing to count
    by_signature[""] = new_group(plan, 1, nil)
    groups[1] = by_signature[""]
  end
  for key in rows.walk(plan) do
    local known = signature(plan.groups, key)
    local group = by_signature[known]
    if not group then
      group = new_group(plan, #groups + 1, key)
      groups[#groups + 1], by_signature[known] = group, group
    end
    add(group, aggregates, key)
  end
  return groups
end

local function total_of(group, output)
  local total = group.totals[output.key]
  local value = total and total.value
  if output.aggregate == "COUNT" then
    return value or 0
  end
  return value
end

local computed = { COUNT = true, SUM = true, AVG = true }

local function value_of(group, order)
  local by = order.by
  local value
  if by.aggregate then
    value = total_of(group, by)
    if computed[by.aggregate] then
      return value
    end
  else
    value = group.values[by.column.path]
  end
  if value ~= nil then
    return conditions.comparable(by.column.field, value)
  end
end

local function place_of(group)
  return group.place
end

local function show(plan, group, shape)
  local row = {}
  for _, output in ipairs(plan.outputs) do
    if not output.aggregate then
      row[output.key] = rows.show(plan, output.column, group.values[output.column.path])
    elseif computed[output.aggregate] then
      local total = total_of(group, output)
      row[output.key] = total == nil and json.null or total
    else
      row[output.key] = rows.show(plan, output.column, total_of(group, output))
    end
  end
  return setmetatable(row, shape)
end

--- The rows of a query with aggregates or `group by`.
---@param plan table
---@return table[] rows
---@return boolean more
function M.records(plan)
  local groups = collect(plan)
  if #plan.orders > 0 then
    rows.sort(groups, plan.orders, value_of, place_of)
  end
  local shape, shown = rows.shape(plan), json.array()
  for i = plan.offset + 1, math.min(plan.offset + plan.limit, #groups) do
    shown[#shown + 1] = show(plan, groups[i], shape)
  end
  return shown, #groups > plan.offset + plan.limit
end

return M
