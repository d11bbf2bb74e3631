--- Conditions in the notation of the search endpoint: `((City:equals:Oslo)and(Last_Name:starts_with:Sm))`.
---
--- Sources: reference 5.2, after Zoho's search-records. How emptiness is asked no page of the search says. The other
--- filters of the CRM (custom views, bulk reads) write `${EMPTY}`, and so does this one; COQL's `is null` has a
--- page.

local raise = require "zohocrm.raise"

local M = {}

--- Most conditions, and characters before percent-encoding (reference 5.1, 5.2).
M.CONDITIONS_MAX, M.LENGTH_MAX = 15, 3000

local EMPTY = "${EMPTY}"

local operators = {
  equals = true, not_equal = true, starts_with = true, ["in"] = true, between = true, greater_than = true,
  greater_equal = true, less_than = true, less_equal = true, is_empty = true, is_not_empty = true,
}

-- Where a bare `null` could be read as "no value".
local compares_whole = { equals = true, not_equal = true, ["in"] = true }

local function escape(text)
  return (text:gsub("[(),\\]", "\\%0"))
end

-- Texts that would not be taken as texts. Only what is sent is refused, not what is shown.
local function check_value(node, value, call)
  if value.kind == "boolean" and node.operator == "in" then
    raise(("%s: the search asks booleans with equals and not_equal, not with 'in'; write c.%s:equals(%s)"):format(call,
      node.field, value.text))
  elseif value.kind ~= "string" then
    return
  elseif value.text:find("^%s*%${.*}%s*$") then
    raise(("%s: '%s' is a placeholder to the search, not a text: :is_empty() asks for emptiness, and crm:query with "
      .. "zohocrm.coql finds the text itself"):format(call, value.text))
  elseif compares_whole[node.operator] and value.text:find("^%s*null%s*$") then
    raise(("%s: the search may take '%s' for no value, not for a text: :is_empty() asks for emptiness, and crm:query "
      .. "with zohocrm.coql finds the text itself"):format(call, value.text))
  end
end

local function check_condition(node, call)
  if not operators[node.operator] then
    raise(("%s: search has no '%s' (%s); crm:query with zohocrm.coql has it"):format(call, node.operator, node.field))
  elseif node.field:find("->", 1, true) then
    raise(("%s: search has no field '%s'; crm:query with zohocrm.coql has it"):format(call, node.field))
  end
  for _, value in ipairs(node.values) do
    check_value(node, value, call)
  end
end

local function condition(node)
  if node.operator == "is_empty" then
    return ("(%s:equals:%s)"):format(node.field, EMPTY)
  elseif node.operator == "is_not_empty" then
    return ("(%s:not_equal:%s)"):format(node.field, EMPTY)
  end
  local values = {}
  for i, value in ipairs(node.values) do
    values[i] = escape(value.text)
  end
  return ("(%s:%s:%s)"):format(node.field, node.operator, table.concat(values, ","))
end

-- Every group in parentheses of its own: what `and` and `or` on one level mean no page says.
local function write(node, on_condition)
  local members = node.all or node.any
  if not members then
    on_condition(node)
    return condition(node)
  end
  local texts = {}
  for i, member in ipairs(members) do
    texts[i] = write(member, on_condition)
  end
  return "(" .. table.concat(texts, node.all and "and" or "or") .. ")"
end

--- The text of a tree, or nil where the search has no words for it. For people: no limits.
---@param node table see `zohocrm.expression`
---@return string|nil
function M.shown(node)
  local sayable = true
  local text = write(node, function(one)
    sayable = sayable and operators[one.operator] ~= nil and not one.field:find("->", 1, true)
  end)
  return sayable and text or nil
end

--- The text of a tree. Raises where the search cannot say it, or would take it for something else.
---@param node table see `zohocrm.expression`
---@param call string begins the message
---@return string
function M.text(node, call)
  local count = node.conditions or 1
  if count > M.CONDITIONS_MAX then
    raise(("%s: %d conditions; the search takes at most %d: put the values of one field into one :in_{…}, search in "
      .. "parts, or use crm:query with zohocrm.coql"):format(call, count, M.CONDITIONS_MAX))
  end
  local text = write(node, function(one)
    check_condition(one, call)
  end)
  local _, continuation = text:gsub("[\128-\191]", "")
  if #text - continuation > M.LENGTH_MAX then
    raise(("%s: the criteria have %d characters; the search takes at most %d: search in parts, or use crm:query with "
      .. "zohocrm.coql"):format(call, #text - continuation, M.LENGTH_MAX))
  end
  return text
end

return M
