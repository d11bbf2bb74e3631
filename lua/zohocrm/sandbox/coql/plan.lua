--- From a query as it was read to what must be done: modules, columns, types and limits are checked here.
-- @module zohocrm.sandbox.coql.plan

local bounds = require("zohocrm.sandbox.coql.bounds")
local columns = require("zohocrm.sandbox.coql.columns")
local conditions = require("zohocrm.sandbox.conditions")
local faults = require("zohocrm.sandbox.coql.faults")
local parameters = require("zohocrm.sandbox.parameters")
local schema = require("zohocrm.sandbox.schema")

local M = {}

--- Rows of a call that does not say how many, most rows of a call, and rows that `limit` and `offset` reach (reference,
--- section 6.2).
M.LIMIT_DEFAULT, M.LIMIT_MAX, M.REACH = 200, 2000, 100000

--- Most columns, aggregates, and columns to order and to group by.
M.COLUMNS_MAX, M.AGGREGATES_MAX, M.ORDER_MAX, M.GROUP_MAX = 500, 5, 10, 4

local numeric = parameters.set({ "integer", "double", "currency", "percent", "bigint" })
local measurable = parameters.set({ "integer", "double", "currency", "percent", "bigint", "date", "datetime" })
local aggregated = { SUM = numeric, AVG = numeric, MIN = measurable, MAX = measurable }

local Plan = {}
Plan.__index = Plan

-- Columns -------------------------------------------------------------------------------------------------------------

function Plan:column(name)
  local column = self.found[name]
  if not column then
    local reason
    column, reason = columns.find(self.module, name)
    if not column then
      faults.column("column", { column_name = name, reason = reason })
    end
    column.get = columns.reader(self.state, self.store, column)
    self.found[name] = column
  end
  return column
end

local function is_id(column)
  return columns.is_own(column) and column.field.api_name == "id"
end

local function check_aggregate(asked, column)
  local types = aggregated[asked.aggregate]
  if types and (not types[column.field.data_type] or column.field.api_name == "id") then
    faults.column("type", { column_name = asked.name, data_type = column.field.data_type })
  end
end

function Plan:check_alias(asked, taken)
  local alias = asked.alias
  if asked.reserved or not alias:find("^%a[%w_]*$") then
    faults.alias("INVALID_ALIAS", alias)
  elseif taken[alias] or (alias == "id" and not self.grouped) then
    faults.alias("DUPLICATE_ALIAS", alias)
  end
end

local function key_of(asked)
  return asked.alias or (asked.aggregate and ("%s(%s)"):format(asked.aggregate, asked.name)) or asked.name
end

-- A column that is asked for twice is shown once, as in a list; an aggregate must not be.
function Plan:read_columns(asked_for)
  local taken, count, computed = {}, 0, {}
  for _, asked in ipairs(asked_for) do
    local column, key = self:column(asked.name), key_of(asked)
    if asked.alias then
      self:check_alias(asked, taken)
    end
    if asked.aggregate then
      check_aggregate(asked, column)
      local same = asked.aggregate .. " " .. column.path
      if computed[same] then
        faults.duplicate("aggregate", asked.name)
      end
      computed[same], count = true, count + 1
    end
    if not taken[key] then
      taken[key] = { key = key, column = column, aggregate = asked.aggregate, name = asked.name }
      self.outputs[#self.outputs + 1] = taken[key]
    end
  end
  if count > M.AGGREGATES_MAX then
    faults.limit("aggregate", M.AGGREGATES_MAX)
  end
  self.by_key = taken
end

-- Where ---------------------------------------------------------------------------------------------------------------

local quoted = { string = true }
local digits = { string = true, number = true }

-- Which tokens are values of a type: dates and texts stand in quotes, the rest may (reference, section 6.1).
local value_kinds = {
  boolean = { string = true, boolean = true }, integer = digits, double = digits, currency = digits, percent = digits,
  bigint = digits, lookup = digits, ownerlookup = digits, multi_module_lookup = digits,
}

local symbols = {
  equals = "=", not_equal = "!=", greater_than = ">", greater_equal = ">=", less_than = "<", less_equal = "<=",
}

local function notation(operator)
  return symbols[operator] or (operator:gsub("_", " "))
end

-- Also finds the columns, before anything is said about operators and values.
function Plan:check_kinds(tree)
  for _, part in ipairs(tree.all or tree.any or {}) do
    self:check_kinds(part)
  end
  if not tree.field then
    return
  end
  local data_type = self:column(tree.field).field.data_type
  for _, kind in ipairs(tree.kinds) do
    if not (value_kinds[data_type] or quoted)[kind] then
      faults.column("value", {
        column_name = tree.field, operator = notation(tree.operator), expected_data_type = data_type,
        reason = "the value does not fit the data type",
      })
    end
  end
end

function Plan:compile(tree)
  local scope = { by_name = setmetatable({}, { __index = function(_, name)
    return self:column(name).field
  end }) }
  local holds, details, what = conditions.compile(tree, scope, true)
  if not holds then
    local data_type = self:column(details.api_name).field.data_type
    -- Every column was found before: one that is wrong all the same is of a type that cannot be asked for.
    faults.column(what == "column" and "type" or what, {
      column_name = details.api_name, operator = notation(details.operator), reason = details.reason,
      expected_data_type = what == "value" and data_type or nil, data_type = what ~= "value" and data_type or nil,
    })
  end
  return holds
end

function Plan:read_where(tree)
  self:check_kinds(tree)
  self:compile(tree) -- all of it, for what may be wrong with it
  local rest
  self.range, rest = bounds.of(tree, function(name)
    return is_id(self:column(name))
  end)
  if not rest then
    return
  end
  local holds = self:compile(rest)
  local found, key = self.found, nil
  local function get(name)
    return found[name].get(key)
  end
  self.holds = function(candidate)
    key = candidate
    return holds(get)
  end
end

-- Group by and order by -----------------------------------------------------------------------------------------------

function Plan:read_groups(names)
  if #names > M.GROUP_MAX then
    faults.limit("group by", M.GROUP_MAX)
  end
  local grouped = {}
  for i, name in ipairs(names) do
    local column = self:column(name)
    if grouped[column.path] then
      faults.duplicate("group by", name)
    elseif not column.field.sortable then
      faults.column("type", { column_name = name, data_type = column.field.data_type })
    end
    grouped[column.path], self.groups[i] = true, column
  end
  for _, output in ipairs(self.grouped and self.outputs or {}) do
    if not output.aggregate and not grouped[output.column.path] then
      faults.column("column", { column_name = output.name, reason = "the column is not in the group by clause" })
    end
  end
end

-- What an order goes by: a column that is shown, known by its alias or its text, or any other one.
function Plan:ordered(asked)
  local output = self.by_key[key_of(asked)]
  if output and (output.aggregate or output.key ~= output.name) then
    return output
  elseif asked.aggregate then
    faults.column("column", { column_name = key_of(asked), reason = "the aggregate is not in the select clause" })
  end
  local column = self:column(asked.name)
  for _, group in ipairs(self.groups) do
    if group.path == column.path then
      return { column = column }
    end
  end
  if self.grouped then
    faults.column("column", { column_name = asked.name, reason = "the column is not in the group by clause" })
  end
  return { column = column }
end

function Plan:read_order(orders)
  if #orders > M.ORDER_MAX then
    faults.limit("order by", M.ORDER_MAX)
  end
  local seen = {}
  for i, asked in ipairs(orders) do
    local by = self:ordered(asked)
    local same = (by.aggregate or "") .. " " .. by.column.path
    if seen[same] then
      faults.duplicate("order by", asked.name)
    elseif not by.aggregate and not by.column.field.sortable then
      faults.column("type", { column_name = asked.name, data_type = by.column.field.data_type })
    end
    seen[same], self.orders[i] = true, { by = by, descending = asked.descending }
  end
  local first = self.orders[1]
  if not self.grouped and (not first or is_id(first.by.column)) then
    self.by_id = true -- no two records share one, so the columns after it have no say
    self.descending = first ~= nil and first.descending
  end
end

-- The rest ------------------------------------------------------------------------------------------------------------

function Plan:read_limits(limit, offset)
  limit, offset = limit or M.LIMIT_DEFAULT, offset or 0
  if limit < 1 then
    faults.data({ limit = limit }, "limit should be greater than 0")
  elseif offset < 0 then
    faults.data({ offset = offset }, "offset should be greater than or equal to 0")
  elseif limit > M.LIMIT_MAX then
    faults.query({ limit = M.LIMIT_MAX, reason = "more rows than one call gives" })
  elseif offset + limit > M.REACH then
    faults.query({ offset = M.REACH, reason = "more rows than limit and offset reach; go on by id > 'last'" })
  end
  self.limit, self.offset = limit, offset
end

local function view_of(module, id)
  for _, view in ipairs(id and module.views or {}) do
    if view.id == id then
      return view
    end
  end
  if id then
    faults.query({ cvid = id })
  end
end

--- Makes the plan of a query; whatever is wrong with it ends the request.
---@param state table of the sandbox
---@param query table see `zohocrm.sandbox.coql.parser`
---@return table plan
--- - `module`, `store`; `mine`: only records of the current user
--- - `outputs`: what is shown, each `{key, column, aggregate?, name}`; columns have `get`, see `columns.reader`
--- - `grouped`, `groups` (columns)
--- - `orders`: each `{by = {column, aggregate?, key?}, descending}`; `by_id`, `descending` where the order is by id
--- - `range` of the keys and `holds(key)`, nil where the range says all
--- - `limit`, `offset`
function M.make(state, query)
  local module = schema.with_records(query.module)
  if not module then
    faults.module(query.module)
  end
  local self = setmetatable({
    state = state, module = module, store = state.stores[module.api_name], found = {}, outputs = {}, groups = {},
    orders = {}, grouped = #query.group_by > 0,
  }, Plan)
  local view = view_of(module, query.view)
  self.mine = view and view.mine
  if #query.columns > M.COLUMNS_MAX then
    faults.limit("select", M.COLUMNS_MAX)
  end
  for _, asked in ipairs(query.columns) do
    self.grouped = self.grouped or asked.aggregate ~= nil
  end
  self:read_columns(query.columns)
  self:read_where(query.where)
  self:read_groups(query.group_by)
  self:read_order(query.order_by)
  self:read_limits(query.limit, query.offset)
  return self
end

return M
