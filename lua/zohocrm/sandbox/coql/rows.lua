--- The rows of a query: walking, filtering, sorting, showing.
-- @module zohocrm.sandbox.coql.rows

local conditions = require("zohocrm.sandbox.conditions")
local cursor = require("zohocrm.sandbox.cursor")
local json = require("zohocrm.sandbox.json")
local present = require("zohocrm.sandbox.present")
local schema = require("zohocrm.sandbox.schema")
local users = require("zohocrm.sandbox.users")

local M = {}

--- Walks through the records that a plan selects, by id: only through the range of ids that its conditions leave.
---@param plan table
---@param descending boolean?
---@return fun(): integer? next key, nil at the end
function M.walk(plan, descending)
  local low, high, store, holds = plan.range.low, plan.range.high, plan.store, plan.holds
  if low > high or low == math.huge then
    return function() end
  end
  local after -- behind which the walk begins
  if descending and high < math.huge then
    after = { rank = 0, key = high + 1 }
  elseif not descending and low > 0 then
    after = { rank = 0, key = low - 1 }
  end
  local step = cursor.walk(store, { descending = descending, after = after })
  return function()
    while true do
      local key = step()
      if not key or key < low or key > high then
        return nil
      end
      if (not plan.mine or store:value(key, "Owner") == users.current.id) and (not holds or holds(key)) then
        return key
      end
    end
  end
end

--- Sorts by several values. Empty ones stand last in either order; rows that are equal in all of them keep theirs.
---@param rows any[] sorted in place
---@param orders {descending: boolean}[]
---@param value_of fun(row: any, order: table): any the comparable value of a row
---@param place_of fun(row: any): number where a row stood before
function M.sort(rows, orders, value_of, place_of)
  local values = {}
  for i, order in ipairs(orders) do
    local column = {}
    for _, row in ipairs(rows) do
      column[row] = value_of(row, order)
    end
    values[i] = column
  end
  table.sort(rows, function(a, b)
    for i = 1, #orders do
      local left, right = values[i][a], values[i][b]
      if left ~= right then
        if left == nil or right == nil then
          return right == nil
        elseif orders[i].descending then
          return left > right
        end
        return left < right
      end
    end
    return place_of(a) < place_of(b)
  end)
end

local function stored_order(key, order)
  local column = order.by.column
  local value = column.get(key)
  if value ~= nil then
    return conditions.comparable(column.field, value)
  end
end

local function itself(key)
  return key
end

-- The keys of the wanted rows and whether there are more. In the order of ids, the walk ends with the last one needed.
local function collect(plan)
  local keys, skip, more = {}, plan.offset, false
  if plan.by_id then
    for key in M.walk(plan, plan.descending) do
      if skip > 0 then
        skip = skip - 1
      elseif #keys == plan.limit then
        more = true
        break
      else
        keys[#keys + 1] = key
      end
    end
    return keys, more
  end
  local all = {}
  for key in M.walk(plan) do
    all[#all + 1] = key
  end
  M.sort(all, plan.orders, stored_order, itself)
  for i = skip + 1, math.min(skip + plan.limit, #all) do
    keys[#keys + 1] = all[i]
  end
  return keys, #all > skip + plan.limit
end

--- Shows the value of a column.
---@param plan table
---@param column table
---@param value any stored form
---@return any JSON value
function M.show(plan, column, value)
  return present.value(plan.state, column.field, value, false)
end

--- The metatable of the objects that a plan shows.
---@param plan table
---@param first string? a key that all of them have besides
---@return table
function M.shape(plan, first)
  local keys = { first }
  for _, output in ipairs(plan.outputs) do
    if output.key ~= first then
      keys[#keys + 1] = output.key
    end
  end
  return json.shape(keys)
end

--- The rows of a query without groups; every one has its `id`.
---@param plan table
---@return table[] rows
---@return boolean more
function M.records(plan)
  local keys, more = collect(plan)
  local outputs, shape, rows = plan.outputs, M.shape(plan, "id"), json.array()
  for i = 1, #keys do
    local key = keys[i]
    local row = { id = schema.id(key) }
    for n = 1, #outputs do
      local output = outputs[n]
      row[output.key] = M.show(plan, output.column, output.column.get(key))
    end
    rows[i] = setmetatable(row, shape)
  end
  return rows, more
end

return M
