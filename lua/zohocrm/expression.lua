--- Conditions on records, as values: what `zohocrm.criteria` builds, and what a search, a COQL query and the check
--- against metadata read.
---
--- Inside is a plain tree, which users never get and nobody changes:
---
---     { all = { node, … } }   { any = { node, … } }   { field = "City", operator = "equals", values = { value, … } }
---
--- Groups also have `conditions`, how many there are inside, and `depth`, how many groups are inside one another.
--- A value is `{ kind = "string" | "number" | "boolean" | "date" | "datetime", text = "…" }`; the text is neither
--- quoted nor escaped. The two languages are in `zohocrm.expression_criteria` and `zohocrm.expression_coql`.

local lazily = require "zohocrm.lazily"
local raise = require "zohocrm.raise"

local as_coql = lazily.module "zohocrm.expression_coql"
local as_criteria = lazily.module "zohocrm.expression_criteria"

local M = {}

-- Most conditions of an expression, and most groups inside one another. Far more than either language takes: here only
-- so that nothing that reads a tree runs out of stack or time.
local CONDITIONS_MAX, DEPTH_MAX = 1000, 100

-- The key of the tree: no string, so that no JSON encoder takes a condition for an object.
local NODE = {}

local Expression = { __name = "zohocrm.Expression" }

--- Whether a value is a condition, or several combined.
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == Expression
end

--- The tree of an expression. Only to be read.
---@param expression zohocrm.Expression
---@return table node
function M.node(expression)
  return rawget(expression, NODE)
end

local function new(node)
  return setmetatable({ [NODE] = node }, Expression)
end

--- One condition.
---@param field string
---@param operator string
---@param values table[] `{ kind =, text = }` each
---@return zohocrm.Expression
function M.condition(field, operator, values)
  return new({ field = field, operator = operator, values = values })
end

--- Says what stands in the place of a condition, and what to write instead, where that is the half of one: what Lua's
--- own == gives, or a field.
---@param value any
---@param what string begins the message
function M.refuse_half(value, what)
  if type(value) == "boolean" then
    raise(("%s is %s instead of a condition; Lua's own == gives these: write c.City:equals \"Oslo\""):format(what,
      tostring(value)))
  end
  local meta = type(value) == "table" and getmetatable(value)
  if type(meta) == "table" and meta.__name == "zohocrm.Field" then
    raise(("%s is a field, not a condition: say what holds for it, such as c.City:equals \"Oslo\""):format(what))
  end
end

-- What stands in the place of a condition, and what to write instead.
local function refuse_member(value, what)
  M.refuse_half(value, what)
  if type(value) == "string" then
    raise(("%s is a string, which could not be kept in its place among conditions: build it, such as "
      .. 'c.City:equals "Oslo", or write the whole criteria as one string'):format(what))
  elseif value == nil then
    raise(("%s is nil instead of a condition; leave out what does not apply: collect the conditions in an array, "
      .. "c.all(array)"):format(what))
  end
  raise(("%s is a %s, not a condition such as c.City:equals \"Oslo\""):format(what, type(value)))
end

--- How many conditions there are in a tree.
---@param node table
---@return integer
function M.count(node)
  return node.conditions or 1
end

--- Several conditions as one. A single one stays what it is, and those of the same kind are taken out of their groups.
---@param kind "all"|"any"
---@param members any[] checked here
---@param count integer
---@param what string for the message, a format of the position
---@return zohocrm.Expression
function M.combine(kind, members, count, what)
  local nodes, conditions, depth = {}, 0, 0
  for i = 1, count do
    if not M.is(members[i]) then
      refuse_member(members[i], what:format(i))
    end
    local node = M.node(members[i])
    conditions = conditions + M.count(node)
    if conditions > CONDITIONS_MAX then
      raise(("%s makes %d conditions, more than any query takes: put the values of one field into one :in_{…}, or "
        .. "ask in parts"):format(what:format(i), conditions))
    end
    for _, inner in ipairs(node[kind] or { node }) do
      nodes[#nodes + 1] = inner
      depth = math.max(depth, inner.depth or 0)
    end
  end
  if count == 1 then
    return members[1]
  elseif depth >= DEPTH_MAX then
    raise(("conditions are nested more than %d deep; say the same with fewer changes between c.all and c.any"):format(
      DEPTH_MAX))
  end
  return new({ [kind] = nodes, conditions = conditions, depth = depth + 1 })
end

-- `a & b` and `a | b`, where the interpreter has these operators.
function Expression.__band(a, b)
  return M.combine("all", { a, b }, 2, "operand %d of &")
end

function Expression.__bor(a, b)
  return M.combine("any", { a, b }, 2, "operand %d of |")
end

local function same_values(a, b)
  if #a ~= #b then
    return false
  end
  for i = 1, #a do
    if a[i].kind ~= b[i].kind or a[i].text ~= b[i].text then
      return false
    end
  end
  return true
end

local same

local function same_list(a, b)
  if not a or not b or #a ~= #b then
    return false
  end
  for i = 1, #a do
    if not same(a[i], b[i]) then
      return false
    end
  end
  return true
end

function same(a, b)
  if rawequal(a, b) then
    return true
  elseif a.field then
    return a.field == b.field and a.operator == b.operator and same_values(a.values, b.values)
  end
  return same_list(a.all or a.any, a.all and b.all or a.any and b.any)
end

--- Equal are expressions with the same conditions in the same order.
function Expression.__eq(a, b)
  return M.is(a) and M.is(b) and same(M.node(a), M.node(b))
end

-- The text of the search where the search can say it, else COQL's.
function Expression:__tostring()
  local node = M.node(self)
  return as_criteria.shown(node) or as_coql.shown(node)
end

function Expression.__index(_, name)
  if type(name) == "string" then
    raise(("a condition is complete and has no '%s'; combine conditions with c.all(a, b) and c.any(a, b)"):format(name))
  end
end

function Expression.__newindex(_, name)
  raise(("conditions do not change: '%s' belongs into a variable of your own"):format(tostring(name)))
end

function Expression.__concat()
  raise("conditions are not joined as text; combine them with c.all(a, b) and c.any(a, b)")
end

--- The text for the search endpoint. Raises at the caller's line where the search cannot say it, or its limits are
--- passed (15 conditions, 3,000 characters; reference 5).
---@param expression zohocrm.Expression
---@param call string begins the message: "search"
---@return string criteria not percent-encoded
function M.to_criteria(expression, call)
  return as_criteria.text(M.node(expression), call)
end

--- The text for a where clause of COQL: a comparison, or something in parentheses, so that it can be combined as it is.
--- Raises at the caller's line where COQL cannot say it.
---@param expression zohocrm.Expression
---@param call? string begins the message; default: "COQL"
---@param others? integer how many conditions stand beside it in the clause; default 0
---@return string
function M.to_coql(expression, call, others)
  return as_coql.text(M.node(expression), call or "COQL", others or 0)
end

return M
