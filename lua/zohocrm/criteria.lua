--- The builder of conditions, `zohocrm.criteria`: reads like the question, and nothing can break out of its place.
---
---     local c = zohocrm.criteria
---     crm.Leads:search(c.all(c.Last_Name:starts_with "Sm", c.any(c.City:equals "Oslo", c.City:equals "Rome")))
---
--- The same conditions serve searches, COQL (`zohocrm.coql`), scans and checks.

local expression = require "zohocrm.expression"
local lazily = require "zohocrm.lazily"
local raise = require "zohocrm.raise"
local suggest = require "zohocrm.suggest"
local values = require "zohocrm.values"

local field = lazily.module "zohocrm.field"

--- What `zohocrm.criteria` gives. `c.Last_Name` is a field, `c.Account_Name.Industry` one behind a lookup.
---@class zohocrm.Criteria
local Criteria = {}

local c = {}

local function combine(kind, first, ...)
  if rawequal(first, c) then
    raise(("call it as c.%s(…), with a dot"):format(kind))
  end
  local members, count = { first, ... }, select("#", ...) + 1
  local what = "c." .. kind .. ": argument %d"
  local single = expression.is(first) or field.name_of(first) or values.kind(first)
  if count == 1 and type(first) == "table" and not single then
    if next(first) == nil then
      count = 0
    else
      members, count, what = first, field.length(first, "c." .. kind), "c." .. kind .. ": condition %d"
    end
  end
  if count == 0 or first == nil and count == 1 then
    raise(("c.%s needs a condition; to ask for all records leave the criteria out"):format(kind))
  end
  return expression.combine(kind, members, count, what)
end

--- All of these hold.
---@param ... zohocrm.Expression conditions, or one array of them; of a single one it is that one
---@return zohocrm.Expression
function Criteria.all(...)
  return combine("all", ...)
end

--- At least one of these holds.
---@param ... zohocrm.Expression conditions, or one array of them; of a single one it is that one
---@return zohocrm.Expression
function Criteria.any(...)
  return combine("any", ...)
end

--- The field of this name, for names that are no identifiers or come from elsewhere.
---@param name string API name; dots go through lookups, `What_Id->Leads.Last_Name` into one of several modules (COQL)
---@return zohocrm.Field
function Criteria.field(name)
  if rawequal(name, c) then
    raise('call it as c.field "name", with a dot')
  end
  return field.new(name)
end

return setmetatable(c, {
  __name = "zohocrm.Criteria",
  __index = function(_, name)
    if Criteria[name] then
      return Criteria[name]
    elseif type(name) == "string" and (name:find("^%u") or name == "id") then
      return field.new(name)
    end
    local hint = type(name) == "string" and suggest.hint(name, { "all", "any", "field" }) or ""
    raise(('zohocrm.criteria has no \'%s\'%s (it has all, any, field; fields begin with a capital, others are '
      .. 'c.field "%s")'):format(tostring(name), hint, tostring(name)))
  end,
  __newindex = function(_, name)
    raise(("zohocrm.criteria takes no assignments: '%s' belongs into a variable of your own"):format(tostring(name)))
  end,
  __tostring = function()
    return "zohocrm criteria"
  end,
})
