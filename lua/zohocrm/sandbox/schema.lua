--- The organisation's metadata in the form the engine works with, made once from `definitions`.
--
-- Everything here is shared by all sandboxes of a Lua state and never changed.
--
-- @module zohocrm.sandbox.schema

local definitions = require("zohocrm.sandbox.definitions")

local M = {}

-- An id is 19 digits: a prefix of the organisation and a running number. Only the running number, at most 12 digits, is
-- ever held in a Lua number, which a double does exactly.
local ID_PREFIX = "7243485"

--- Writes an id.
---@param number integer the running number, below 10^12
---@return string id 19 digits
function M.id(number)
  return ID_PREFIX .. ("%012.0f"):format(number)
end

--- Reads an id of this organisation.
---@param id any
---@return integer? number nil where it is no id, or one of another organisation
function M.number(id)
  if type(id) ~= "string" or #id ~= 19 or id:sub(1, 7) ~= ID_PREFIX then
    return nil
  end
  local digits = id:match("^%d%d%d%d%d%d%d(%d+)$")
  return digits and tonumber(digits, 10)
end

-- Where the ids of each kind of thing begin. Modules and the fields of Leads meet the seed's examples.
local MODULE_BASE, FIELD_BASE, LAYOUT_BASE, VIEW_BASE, VALUE_BASE = 2175, 2607, 91055, 87501, 30001

-- json_type by data type; what is not listed is a string (reference, section 8.3).
local json_types = {
  integer = "integer", double = "double", percent = "double", currency = "double", boolean = "boolean",
  multiselectpicklist = "jsonarray", lookup = "jsonobject", ownerlookup = "jsonobject",
  multi_module_lookup = "jsonobject", ALARM = "jsonobject", RRULE = "jsonobject",
}
local unsortable = { textarea = true, multiselectpicklist = true, ALARM = true, RRULE = true }

local next_value = VALUE_BASE

local function picklist_values(names)
  if not names then
    return nil
  end
  local values = {}
  for i, name in ipairs(names) do
    values[i] = { name = name, id = M.id(next_value), sequence = i }
    next_value = next_value + 2
  end
  return values
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names or {}) do
    set[name] = true
  end
  return set
end

local function make_field(row, number, module_label)
  local data_type = row[2]
  return {
    api_name = row[1],
    label = row.label or (row[1]:gsub("__s$", ""):gsub("_", " ")),
    id = M.id(number),
    stream = number, -- the noise of a field's seeded values
    data_type = data_type,
    json_type = row.tags and "jsonarray" or json_types[data_type] or "string",
    length = row.length,
    decimal_place = row.decimal_place,
    lookup = row.lookup,
    mandatory = row.mandatory or false,
    unique = row.unique or false,
    read_only = row.read_only or false,
    custom = row.custom or false,
    unused = row.unused or false,
    tags = row.tags,
    duration = row.duration,
    values = row.values,
    value_set = set_of(row.values),
    picklist = picklist_values(row.values),
    searchable = data_type ~= "ALARM" and data_type ~= "RRULE" and not row.unused,
    sortable = not unsortable[data_type] and not row.tags,
    section = row.section or module_label .. " Information",
  }
end

local function make_views(index, plural)
  local number = VIEW_BASE + (index - 1) * 10
  return {
    { id = M.id(number), name = "All " .. plural },
    { id = M.id(number + 2), name = "My " .. plural, mine = true },
  }
end

local function make_module(row, index)
  local module = {
    api_name = row[1],
    index = index,
    id = M.id(MODULE_BASE + (index - 1) * 2),
    module_name = row.module_name or row[1],
    singular = row[2],
    plural = row.plural or row[1],
    status = row.status or "visible",
    generated_type = row.custom and "custom" or "default",
    name_field = row.name_field,
    duplicate_field = row.duplicate_field,
    has_records = row.fields ~= nil,
    layout = { id = M.id(LAYOUT_BASE + (index - 1) * 2), name = "Standard" },
    fields = {},
    by_name = {},
    uniques = {},
    views = {},
  }
  for i, definition in ipairs(row.fields or {}) do
    local field = make_field(definition, FIELD_BASE + (index - 1) * 200 + (i - 1) * 2, module.singular)
    module.fields[i] = field
    if not field.unused then -- a field that stands on no layout has no values
      module.by_name[field.api_name] = field
    end
    if field.unique then
      module.uniques[#module.uniques + 1] = field
    end
  end
  if module.has_records then
    module.views = make_views(index, module.plural)
  end
  return module
end

--- Every module, in the order of the tabs, those without records last.
---@type table[]
M.modules = {}

--- The same by API name.
---@type table<string, table>
M.by_name = {}

local function add_all(rows)
  for _, row in ipairs(rows) do
    local module = make_module(row, #M.modules + 1)
    M.modules[#M.modules + 1] = module
    M.by_name[module.api_name] = module
  end
end

add_all(definitions.modules)
add_all(definitions.hidden_modules)

--- The module whose records a path or a parameter names. Names are case-sensitive (seed).
---@param name string? API name
---@return table? module nil where there is none, or none with records
function M.with_records(name)
  local module = M.by_name[name]
  return module and module.has_records and module or nil
end

return M
