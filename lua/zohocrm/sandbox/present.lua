--- Stored values as the API shows them (reference, section 8.3).
-- @module zohocrm.sandbox.present

local json = require("zohocrm.sandbox.json")
local random = require("zohocrm.sandbox.random")
local schema = require("zohocrm.sandbox.schema")
local time = require("zohocrm.sandbox.time")
local users = require("zohocrm.sandbox.users")

local M = {}

local reference_shape = json.shape({ "id", "name", "email" })
local tag_shape = json.shape({ "id", "name", "color_code" })

--- A user as the field of a record.
---@param id string
---@param with_email boolean
---@return table
function M.user(id, with_email)
  local user = users.by_id[id]
  return setmetatable({ id = id, name = user.full_name, email = with_email and user.email or nil }, reference_shape)
end

local function reference(store, id)
  local key = store and store:find(id)
  if not key then
    return json.null -- the record it pointed at was deleted
  end
  local name = store:value(key, store.module.name_field)
  return setmetatable({ id = id, name = name or json.null }, reference_shape)
end

local by_type = {}

function by_type.datetime(_, _, value)
  return time.format(value)
end

function by_type.ownerlookup(_, _, value, single)
  return M.user(value, single)
end

function by_type.lookup(state, field, value)
  return reference(state.stores[field.lookup], value)
end

function by_type.multi_module_lookup(state, _, value)
  return reference(state:store_of(value), value)
end

local function tags(names)
  local shown = json.array()
  for i, name in ipairs(names) do
    local number = 700000 + random.below(90000, 1, 1, tonumber(random.fingerprint(name):sub(1, 8), 16))
    shown[i] = setmetatable({ name = name, id = schema.id(number), color_code = json.null }, tag_shape)
  end
  return shown
end

--- Shows a value.
---@param state table of the sandbox
---@param field table of the schema
---@param value any stored form
---@param single boolean as the answer for one record shows it: users with their e-mail address
---@return any JSON value
function M.value(state, field, value, single)
  if field.tags then
    return tags(value or {})
  end
  if value == nil then
    return json.null
  end
  local show = by_type[field.data_type]
  if show then
    return show(state, field, value, single)
  end
  return value
end

local approval_states = { unapproved = "approval_process_pending" }

-- Keys that are no fields; a client must live with them (reference, section 3.2).
local function add_system_keys(shown, store, key)
  local state = store:state(key)
  shown["$currency_symbol"] = "$"
  shown["$editable"] = state ~= "converted"
  shown["$in_merge"] = false
  shown["$field_states"] = json.null
  shown["$approval_state"] = approval_states[state] or "approved"
  shown.Layout = { id = store.module.layout.id, name = store.module.layout.name }
end

-- The module a What_Id points at travels beside it.
local function add_related_module(state, shown, store, key)
  local related = store:value(key, "What_Id")
  local target = related and state:store_of(related)
  shown["$se_module"] = target and target.module.api_name or json.null
end

--- Prepares showing many records with the same fields.
---@param module table of the schema
---@param names string[] API names as asked for; unknown ones are left out without a word
---@return table plan for `record`
function M.plan(module, names)
  local fields, keys, seen = {}, { "id" }, { id = true }
  for _, name in ipairs(names) do
    local field = module.by_name[name]
    if field and not seen[name] then
      fields[#fields + 1], keys[#keys + 1], seen[name] = field, name, true
    end
  end
  local related = seen.What_Id
  if related then
    keys[#keys + 1] = "$se_module"
  end
  return { fields = fields, shape = json.shape(keys), related = related }
end

--- Shows the fields of a plan; `id` is always there, an empty field is null.
---@param state table of the sandbox
---@param store table
---@param key integer of an existing record
---@param plan table
---@param single boolean see `value`
---@return table
function M.record(state, store, key, plan, single)
  local shown = { id = schema.id(key) }
  local fields = plan.fields
  for i = 1, #fields do
    local field = fields[i]
    shown[field.api_name] = M.value(state, field, store:value(key, field.api_name), single)
  end
  if plan.related then
    add_related_module(state, shown, store, key)
  end
  return setmetatable(shown, plan.shape)
end

--- Shows all of a record.
---@param state table of the sandbox
---@param store table
---@param key integer of an existing record
---@return table
function M.whole_record(state, store, key)
  local shown = {}
  for name, field in pairs(store.module.by_name) do
    shown[name] = M.value(state, field, store:value(key, name), true)
  end
  add_system_keys(shown, store, key)
  if store.module.by_name.What_Id then
    add_related_module(state, shown, store, key)
  end
  return shown
end

return M
