--- Conditions in the notation of COQL's where clause: `(City = 'Oslo' and Last_Name like 'Sm%')`.
---
--- Sources: reference 6.1, after Zoho's "Get Records through a COQL Query" (v7) and its COQL questions and answers
--- (Kaizen 171). What they leave open, and what is done about it:
---
--- - A quote inside a string is doubled. Whether a backslash escapes anything no page says. Where it would decide where
---   the string ends, before a quote or at the end, the value is refused; elsewhere it stands as it is.
--- - `%` is the wildcard of `like`, and no page knows an escape for it: a `%` in the value of starts_with, ends_with,
---   contains and not_contains is refused. No page calls `_` a wildcard: it stands as it is.
--- - `not like` works with a `%` at both ends only.
--- - Booleans have `=` alone.
--- - A where clause has 25 conditions at the most (Zoho's COQL-Limitations, v7; reference 6.2 is not sure of it).

local raise = require "zohocrm.raise"

local M = {}

--- Most conditions of a where clause.
M.CONDITIONS_MAX = 25

-- SQL's reserved words, which stand in quotes where they are names (Kaizen 171: 'External'). One too many does no harm.
local reserved = {}
for word in ([[
  all alter and any array as asc at avg between both by case cast char check collate column commit condition connect
  constraint convert count create cross current cursor database date day dec decimal declare default delete desc
  describe distinct double drop each else end escape except exec execute exists external false fetch float for
  foreign from full function get grant group having hour identity if in index inner insert int integer intersect
  interval into is join key language leading left level like limit local lock long match max min minute mod modify
  month natural new next no not null number numeric of off offset old on only open option or order out outer over
  partition percent position precision primary procedure public range rank read real references release rename
  replace result return revoke right rollback row rows schema second select sequence session set size smallint some
  sql start sum symbol system table then time timestamp to top trailing trigger true type union unique unknown
  update upper usage user using value values varchar view when where while with within work year zone
]]):gmatch("%a+") do
  reserved[word] = true
end

--- Whether a word may not stand as a name without quotes.
---@param word string
---@return boolean
function M.is_reserved(word)
  return reserved[word:lower()] == true
end

--- A field as COQL names it.
---@param name string checked: nothing but letters, digits, `_`, `$`, dots and one `->`
---@return string
function M.name(name)
  local quoted = name:find("->", 1, true) ~= nil
  for step in name:gmatch("[^.>%-]+") do
    quoted = quoted or M.is_reserved(step)
  end
  return quoted and "'" .. name .. "'" or name
end

-- Whether the text has a backslash that could hide the quote after it: one of an odd number of them.
local function hides_a_quote(text)
  for run in (text .. "'"):gsub('"', "'"):gmatch("(\\+)'") do
    if #run % 2 == 1 then
      return true
    end
  end
  return false
end

local function quote(text)
  return "'" .. text:gsub("'", "''") .. "'"
end

local comparisons = {
  equals = "=", not_equal = "!=", greater_than = ">", greater_equal = ">=", less_than = "<", less_equal = "<=",
  like = "like", not_like = "not like",
}
local lists = { ["in"] = "in", not_in = "not in" }
local ranges = { between = "between", not_between = "not between" }
local emptiness = { is_empty = "is null", is_not_empty = "is not null" }

-- The part of a text that a pattern asks for.
local patterns = {
  starts_with = { "like", "%s%%" }, ends_with = { "like", "%%%s" }, contains = { "like", "%%%s%%" },
  not_contains = { "not like", "%%%s%%" },
}

local negated = { not_equal = true, not_in = true }

local function check_value(node, value, call)
  if value.kind == "boolean" and node.operator ~= "equals" then
    local wanted = value.text
    if negated[node.operator] then
      wanted = wanted == "true" and "false" or "true"
    end
    raise(("%s: COQL asks booleans with = alone, not with '%s'; write c.%s:equals(%s)"):format(call, node.operator,
      node.field, wanted))
  elseif value.kind ~= "string" then
    return
  elseif hides_a_quote(value.text) then
    raise(("%s: %q has a backslash before a quote or at its end, and COQL does not say how to write that; ask for a "
      .. "part without it, such as c.%s:contains(…), and compare the records found"):format(call, value.text,
      node.field))
  elseif patterns[node.operator] and value.text:find("%", 1, true) then
    raise(("%s: '%s' contains %%, which COQL's like takes for any text, and it has no escape: c.%s:like(…) if that is "
      .. "meant; else use :equals or :in_ for the whole text"):format(call, value.text, node.field))
  elseif node.operator == "not_like" and not value.text:find("^%%.*%%$") then
    raise(("%s: COQL's not like works with %% at both ends only: c.%s:not_contains(…)"):format(call, node.field))
  end
end

local function literal(value)
  return value.kind == "number" and value.text or quote(value.text)
end

local function condition(node)
  local name, operator = M.name(node.field), node.operator
  if emptiness[operator] then
    return name .. " " .. emptiness[operator]
  elseif patterns[operator] then
    local pattern = patterns[operator]
    return ("%s %s %s"):format(name, pattern[1], quote(pattern[2]:format(node.values[1].text)))
  end
  local values = {}
  for i, value in ipairs(node.values) do
    values[i] = literal(value)
  end
  if lists[operator] then
    return ("%s %s (%s)"):format(name, lists[operator], table.concat(values, ", "))
  elseif ranges[operator] then
    return ("(%s %s %s and %s)"):format(name, ranges[operator], values[1], values[2])
  end
  return ("%s %s %s"):format(name, comparisons[operator], values[1])
end

-- COQL wants three and more conditions in nested pairs. Halves keep the nesting shallow.
local function in_pairs(texts, first, last, connective)
  if first == last then
    return texts[first]
  end
  local middle = math.floor((first + last) / 2)
  return ("(%s %s %s)"):format(in_pairs(texts, first, middle, connective), connective,
    in_pairs(texts, middle + 1, last, connective))
end

local function write(node, call)
  local members = node.all or node.any
  if not members then
    for _, value in ipairs(call and node.values or {}) do
      check_value(node, value, call)
    end
    return condition(node)
  end
  local texts = {}
  for i, member in ipairs(members) do
    texts[i] = write(member, call)
  end
  return in_pairs(texts, 1, #texts, node.all and "and" or "or")
end

--- The text of a tree, for people: nothing is refused.
---@param node table see `zohocrm.expression`
---@return string
function M.shown(node)
  return write(node)
end

--- The text of a tree. Raises where COQL cannot say it, or could take it for something else.
---@param node table see `zohocrm.expression`
---@param call string begins the message
---@param others integer conditions that stand beside these
---@return string
function M.text(node, call, others)
  local count, most = node.conditions or 1, M.CONDITIONS_MAX - others
  if count > most then
    raise(("%s: %d conditions; COQL takes at most %d%s: put the values of one field into one :in_{…}, or ask in "
      .. "parts"):format(call, count, most, others > 0 and " here" or ""))
  end
  return write(node, call)
end

return M
