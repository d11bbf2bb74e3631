--- The columns that a query may name: fields of the module, and of what its lookups lead to.
--
--   Last_Name   !Leads.Last_Name   Account_Name.Parent_Account.Account_Name   Owner.email   What_Id->Leads.Last_Name
--
-- The last form stands in quotes in a query: a lookup into several modules, one of which is named.
--
-- @module zohocrm.sandbox.coql.columns

local schema = require("zohocrm.sandbox.schema")
local users = require("zohocrm.sandbox.users")

local M = {}

--- Most lookups that a column goes through (reference, section 6.1).
M.STEPS_MAX = 2

local function user_field(name, data_type)
  return { api_name = name, data_type = data_type, searchable = true, sortable = true }
end

-- What can be asked of a user: the column behind `Owner.`, its field, and where it lies.
local user_fields = {
  id = { user_field("id", "bigint"), "id" },
  ["role.id"] = { user_field("id", "bigint"), "role", "id" },
  ["profile.id"] = { user_field("id", "bigint"), "profile", "id" },
  ["role.name"] = { user_field("name", "text"), "role", "name" },
  ["profile.name"] = { user_field("name", "text"), "profile", "name" },
}
for _, name in ipairs({ "first_name", "last_name", "full_name", "status", "country", "locale", "time_zone" }) do
  user_fields[name] = { user_field(name, "text"), name }
end
user_fields.email = { user_field("email", "email"), "email" }

local UNKNOWN = "the field is not available in the module"
local NO_LOOKUP = "the field is no lookup"
local TOO_FAR = "a column can go through two lookups at most"

local function end_in_user(column, field, rest)
  local found = user_fields[rest]
  if not found then
    return nil, UNKNOWN
  end
  local _, dots = rest:gsub("%.", "")
  if #column.steps + 1 + dots > M.STEPS_MAX then
    return nil, TOO_FAR
  end
  column.user, column.place, column.field = field.api_name, { found[2], found[3] }, found[1]
  return column
end

-- The module behind a lookup; `target` is named where the lookup leads into several.
local function module_behind(field, target)
  if field.data_type == "multi_module_lookup" then
    return target and schema.with_records(target)
  end
  return not target and field.data_type == "lookup" and schema.by_name[field.lookup] or nil
end

local function resolve(module, rest)
  local column = { path = rest, steps = {} }
  while true do
    local first, tail = rest:match("^([%w_$]+)%.(.+)$")
    local target
    if not first then
      first, target, tail = rest:match("^([%w_$]+)%->([%w_]+)%.(.+)$")
    end
    local field = module.by_name[first or rest]
    if not field then
      return nil, UNKNOWN
    elseif not first then
      column.field = field
      return column
    elseif field.data_type == "ownerlookup" and not target then
      return end_in_user(column, field, tail)
    end
    local behind = module_behind(field, target)
    if not behind then
      return nil, NO_LOOKUP
    elseif #column.steps == M.STEPS_MAX then
      return nil, TOO_FAR
    end
    column.steps[#column.steps + 1] = { name = field.api_name, module = behind.api_name }
    module, rest = behind, tail
  end
end

--- Finds a column.
---@param module table of the schema, the one of `from`
---@param name string as written in the query, without quotes
---@return table? column `{path, field, steps, user?, place?}`, path being the same for all ways to write it; nil where
--- there is none
---@return string? reason
function M.find(module, name)
  if name:sub(1, 1) == "!" then
    local owner, rest = name:match("^!([%w_]+)%.(.+)$")
    if owner ~= module.api_name then
      return nil, "the module after the exclamation mark is not the one of the query"
    end
    name = rest
  end
  return resolve(module, name)
end

--- Is a column a field of the module itself?
---@param column table
---@return boolean
function M.is_own(column)
  return #column.steps == 0 and not column.user
end

--- How a column is read.
---@param state table of the sandbox
---@param store table of the module of the query
---@param column table
---@return fun(key: integer): any? get gives the stored value, nil where it or a lookup on the way is empty
function M.reader(state, store, column)
  local steps, field_name, user_name, place = column.steps, column.field.api_name, column.user, column.place
  if M.is_own(column) then
    return function(key)
      return store:value(key, field_name)
    end
  end
  return function(key)
    local current = store
    for i = 1, #steps do
      local id = current:value(key, steps[i].name)
      current = state.stores[steps[i].module]
      key = id and current:find(id)
      if not key then
        return nil
      end
    end
    if not user_name then
      return current:value(key, field_name)
    end
    local value = users.by_id[current:value(key, user_name)]
    for i = 1, #place do
      value = value and value[place[i]]
    end
    return value
  end
end

return M
