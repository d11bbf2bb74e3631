--- Queries of COQL and their columns: what `zohocrm.coql` makes, and what `crm:query` reads of it.

local coql = require "zohocrm.coql"
local expression = require "zohocrm.expression"
local field = require "zohocrm.field"
local notation = require "zohocrm.expression_coql"
local options = require "zohocrm.options"
local raise = require "zohocrm.raise"
local suggest = require "zohocrm.suggest"

-- Zoho's COQL-Limitations (v7), and the rows that limit and offset reach together.
local COLUMNS_MAX, AGGREGATES_MAX, GROUP_MAX, ORDER_MAX, REACH = 500, 5, 4, 10, 100000

local M = {}

--- Rows of a call whose query has no limit.
M.ROWS_DEFAULT = 200

-- The keys of the private parts.
local COLUMN, PARTS = {}, {}

local function described(value)
  return value == nil and "nil" or value == "" and "an empty string" or "a " .. type(value)
end

-- Columns -----------------------------------------------------------------------------------------------------------

--- A column of a select: a field or an aggregate of one.
---@class zohocrm.Column
local Column = {}
local column_meta = { __name = "zohocrm.Column", __newindex = function(_, name)
  raise(("columns take no assignments: '%s' belongs into a variable of your own"):format(tostring(name)))
end }

function column_meta.__index(_, name)
  if Column[name] or type(name) ~= "string" then
    return Column[name]
  end
  raise(("a column has no '%s'; it has as: coql.count(\"id\"):as \"total\""):format(name))
end

function column_meta.__tostring(self)
  local column = rawget(self, COLUMN)
  return column.alias and column.text .. " as " .. column.alias or column.text
end

local function column_of(value)
  return getmetatable(value) == column_meta and rawget(value, COLUMN) or nil
end

local function new_column(column)
  return setmetatable({ [COLUMN] = column }, column_meta)
end

--- The column under another name, which is that of its value in the answer.
---@param alias string letters, digits and _, no reserved word
---@return zohocrm.Column a new one
function Column:as(alias)
  local column = column_of(self)
  if not column then
    raise('call it as coql.count("id"):as "total", with a colon')
  elseif type(alias) ~= "string" or not alias:find("^%a[%w_]*$") or notation.is_reserved(alias) then
    raise(("as takes a name of letters, digits and _ that is no reserved word, not %s"):format(
      type(alias) == "string" and "'" .. alias .. "'" or described(alias)))
  end
  return new_column { text = column.text, aggregate = column.aggregate, alias = alias }
end

-- The name of a field, as it stands in a query.
local function name_text(value, what)
  local name = field.name_of(value) or value
  if type(name) ~= "string" then
    raise(("%s must be the API name of a field, not %s"):format(what, described(name)))
  elseif name == "*" then
    raise(("%s: COQL has no *; name the fields"):format(what))
  end
  return notation.name(field.check_name(name))
end

local function column_text(value, what)
  local column = column_of(value)
  return column and column.text or name_text(value, what)
end

--- See `zohocrm.coql`.
---@param name string|zohocrm.Field
---@return zohocrm.Column
function M.column(name)
  return new_column { text = name_text(name, "coql.column: the field") }
end

-- A function that `zohocrm.coql` has under this name.
local function aggregate(name)
  return function(of)
    if of == coql then
      raise(("call it as coql.%s(…), with a dot"):format(name))
    end
    return new_column { text = ("%s(%s)"):format(name:upper(), name_text(of, ("coql.%s: the field"):format(name))),
      aggregate = true }
  end
end

for _, name in ipairs { "count", "sum", "avg", "min", "max" } do
  M[name] = aggregate(name)
end

-- Queries -----------------------------------------------------------------------------------------------------------

--- A query.
---@class zohocrm.Query
local Query = {}
local query_meta = { __name = "zohocrm.Query", __newindex = function(_, name)
  raise(("queries do not change: '%s' belongs into a variable of your own"):format(tostring(name)))
end }

--- Whether a value is a query that was built here.
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == query_meta
end

--- What a query consists of. Only to be read.
---@param query zohocrm.Query
---@return table parts `{ select = {text, …}, single = {text, …}, shown = {[text] = true, …}, from =,
--- where = node|string|nil, group_by = {text, …}|nil, order_by = {{ text =, direction = "asc"|"desc" }, …}|nil,
--- limit =, offset = }`; single: the columns that are no aggregates, without aliases; shown: all columns, and the
--- aliases; node: see `zohocrm.expression`
function M.parts(query)
  return rawget(query, PARTS)
end

local function new(parts)
  return setmetatable({ [PARTS] = parts }, query_meta)
end

local function parts_of(query, method)
  if not M.is(query) then
    raise(("call it as query:%s(…), with a colon"):format(method))
  end
  return M.parts(query)
end

local function with(parts, name, value)
  local copy = {}
  for key, part in pairs(parts) do
    copy[key] = part
  end
  copy[name] = value
  return new(copy)
end

-- Names given as an array, as a comma separated string or as one column.
local function names_of(list, what)
  local names = {}
  if type(list) == "string" then
    for name in (list .. ","):gmatch("([^,]*),") do
      names[#names + 1] = name:match("^%s*(.-)%s*$")
    end
  elseif column_of(list) or field.name_of(list) then
    names[1] = list
  elseif type(list) == "table" then
    for i = 1, field.length(list, what) do
      names[i] = list[i]
    end
  else
    raise(("%s takes an array of names, %s{ \"Last_Name\", … }, not %s"):format(what, what, described(list)))
  end
  return names
end

local function refuse_double(seen, text, what)
  if seen[text] then
    raise(("%s has %s twice, which the API refuses"):format(what, text))
  end
  seen[text] = true
end

local function refuse_many(count, most, what, noun)
  if count > most then
    raise(("%s has %d %s; the API takes at most %d"):format(what, count, noun, most))
  end
end

--- Begins a query, see `zohocrm.coql`.
---@param columns string|zohocrm.Column|(string|zohocrm.Column|zohocrm.Field)[]
---@param ... nil nothing: many columns are an array
---@return zohocrm.Query
function M.select(columns, ...)
  local what, texts, seen, single = "coql.select", {}, {}, {}
  if columns == coql then
    raise("call it as coql.select{…}, with a dot")
  elseif select("#", ...) > 0 then
    raise("coql.select takes one argument; many columns go into an array, coql.select{ \"Last_Name\", … }")
  end
  for i, value in ipairs(names_of(columns, what)) do
    local column = column_of(value)
    texts[i] = column and tostring(value) or name_text(value, ("%s: column %d"):format(what, i))
    if not (column and column.aggregate) then
      single[#single + 1] = column_text(value)
    end
    refuse_double(seen, column and column.aggregate and column.text or texts[i], what)
    if column and column.alias then
      refuse_double(seen, column.alias, what)
    end
  end
  refuse_many(#texts, COLUMNS_MAX, what, "columns")
  refuse_many(#texts - #single, AGGREGATES_MAX, what, "aggregates")
  return new { select = texts, single = single, shown = seen }
end

--- The module.
---@param module string|zohocrm.Module API name; `Leads#7243485000000091501` for a custom view of it
---@return zohocrm.Query a new one
function Query:from(module)
  local parts = parts_of(self, "from")
  local name = type(module) == "table" and module.name or module
  if type(name) ~= "string" or not (name:find("^%a[%w_]*$") or name:find("^%a[%w_]*#%d+$")) then
    raise(("from takes the API name of a module, such as \"Leads\", not %s"):format(
      type(name) == "string" and "'" .. name .. "'" or described(name)))
  end
  return with(parts, "from", name)
end

--- What holds for the records. A second condition narrows the first.
---@param condition zohocrm.Expression|string|nil built by `zohocrm.criteria`, or the text of a where clause, which
--- passes as it stands; nil changes nothing
---@return zohocrm.Query a new one
function Query:where(condition)
  local parts = parts_of(self, "where")
  if condition == nil then
    return self
  elseif parts.where ~= nil and (type(parts.where) == "string" or type(condition) == "string") then
    raise("the query has a where clause already, and one that is a string cannot be combined; write all of it there")
  elseif type(condition) == "string" then
    if not condition:find("%S") then
      raise("where has an empty string; leave it out to have all records")
    end
    return with(parts, "where", condition)
  elseif not expression.is(condition) then
    expression.refuse_half(condition, "where")
    raise(("where takes a condition, such as c.City:equals \"Oslo\", or a string, not %s"):format(described(condition)))
  end
  if parts.where then
    condition = expression.combine("all", { parts.both, condition }, 2, "where: condition %d")
  end
  expression.to_coql(condition, "where") -- what COQL cannot say is said at this line
  return with(M.parts(with(parts, "both", condition)), "where", expression.node(condition))
end

--- What a row of aggregates is for.
---@param fields string|(string|zohocrm.Field)[] at most 4
---@return zohocrm.Query a new one
function Query:group_by(fields)
  local parts = parts_of(self, "group_by")
  local texts, seen = {}, {}
  for i, name in ipairs(names_of(fields, "group_by")) do
    texts[i] = name_text(name, ("group_by: field %d"):format(i))
    refuse_double(seen, texts[i], "group_by")
  end
  refuse_many(#texts, GROUP_MAX, "group_by", "fields")
  return with(parts, "group_by", texts)
end

local directions = { "asc", "desc" }

--- The order. A second call orders what the first leaves equal; without any the API orders by id.
---@param by string|zohocrm.Field|zohocrm.Column a field, an alias of the select or an aggregate
---@param direction? "asc"|"desc" default "asc"
---@return zohocrm.Query a new one
function Query:order_by(by, direction)
  local parts = parts_of(self, "order_by")
  direction = direction == nil and "asc" or direction
  if direction ~= "asc" and direction ~= "desc" then
    raise(("order_by: the direction is \"asc\" or \"desc\", not %s%s"):format(
      type(direction) == "string" and "'" .. direction .. "'" or described(direction),
      type(direction) == "string" and suggest.hint(direction, directions) or ""))
  end
  local list, seen = {}, {}
  for i, earlier in ipairs(parts.order_by or {}) do
    list[i] = earlier
    seen[earlier.text] = true
  end
  local text = column_text(by, "order_by: the field")
  refuse_double(seen, text, "order_by")
  list[#list + 1] = { text = text, direction = direction }
  refuse_many(#list, ORDER_MAX, "order_by", "fields")
  return with(parts, "order_by", list)
end

local function whole(value, least, method)
  return tonumber(options.value(value, { kind = "integer", least = least, most = REACH }, method))
end

--- Rows at the most.
---@param count integer 1 to 100,000; a call gives at most 2,000, `crm:query_each` makes as many as are needed
---@return zohocrm.Query a new one
function Query:limit(count)
  return with(parts_of(self, "limit"), "limit", whole(count, 1, "limit"))
end

--- Rows to leave out at the beginning.
---@param count integer 0 to 100,000
---@return zohocrm.Query a new one
function Query:offset(count)
  return with(parts_of(self, "offset"), "offset", whole(count, 0, "offset"))
end

function query_meta.__index(_, name)
  if Query[name] or type(name) ~= "string" then
    return Query[name]
  end
  local known = { "from", "group_by", "limit", "offset", "order_by", "where" }
  raise(("a query has no '%s'%s (it has %s)"):format(name, suggest.hint(name, known), table.concat(known, ", ")))
end

--- Equal are queries with the same text.
function query_meta.__eq(a, b)
  return M.is(a) and M.is(b) and tostring(a) == tostring(b)
end

local function order_text(list)
  local texts = {}
  for i, order in ipairs(list) do
    texts[i] = order.text .. " " .. order.direction
  end
  return table.concat(texts, ", ")
end

local function text_of(parts)
  local clauses = { "select " .. table.concat(parts.select, ", ") }
  local function add(clause, text)
    clauses[#clauses + 1] = text and clause .. " " .. text
  end
  add("from", parts.from or "…")
  -- the clause is mandatory, and every record has an id
  add("where", parts.both and expression.to_coql(parts.both, "where") or parts.where or "id is not null")
  add("group by", parts.group_by and table.concat(parts.group_by, ", "))
  add("order by", parts.order_by and order_text(parts.order_by))
  -- pages show an offset beside a limit only
  local limit = parts.limit or parts.offset and M.ROWS_DEFAULT
  add("limit", limit and ("%d"):format(limit))
  add("offset", parts.offset and ("%d"):format(parts.offset))
  return table.concat(clauses, " ")
end

function query_meta.__tostring(self)
  return text_of(M.parts(self))
end

-- Of a group of records only what it was grouped by has one value.
local function check_groups(parts, call)
  if #parts.single == #parts.select and not parts.group_by then
    return
  end
  local grouped = {}
  for _, name in ipairs(parts.group_by or {}) do
    grouped[name] = true
  end
  for _, name in ipairs(parts.single) do
    if not grouped[name] then
      raise(("%s: %s has no single value in a group: name it in group_by, or an aggregate of it, such as "
        .. "coql.count \"%s\""):format(call, name, name))
    end
  end
  for _, order in ipairs(parts.order_by or {}) do
    if not (grouped[order.text] or parts.shown[order.text]) then
      raise(("%s: order_by has %s, which the groups do not have; name it in select or in group_by"):format(call,
        order.text))
    end
  end
end

--- The text to send. Raises at the caller's line where something is missing or goes too far.
---@param query zohocrm.Query
---@param call string begins the message
---@return string
function M.text(query, call)
  local parts = M.parts(query)
  if not parts.from then
    raise(("%s: the query does not say from which module; :from \"Leads\""):format(call))
  end
  check_groups(parts, call)
  return tostring(query)
end

return M
