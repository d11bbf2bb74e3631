--- The organisation and its metadata: `/org` and `/settings/…` (seed; reference, section 8).
-- @module zohocrm.sandbox.settings

local answers = require("zohocrm.sandbox.answers")
local json = require("zohocrm.sandbox.json")
local parameters = require("zohocrm.sandbox.parameters")
local schema = require("zohocrm.sandbox.schema")
local users = require("zohocrm.sandbox.users")

local M = {}

local organisation = {
  id = schema.id(20005),
  company_name = "Acme Corp",
  domain_name = "org123456789",
  primary_email = "john.doe@example.com",
  phone = "555-555-5555",
  currency = "US Dollar - USD",
  currency_symbol = "$",
  iso_code = "USD",
  time_zone = "PST",
  country_code = "US",
  zgid = "123456789",
  type = "production",
  mc_status = false,
  license_details = { paid = true, paid_type = "enterprise", users_license_purchased = 10, trial_expiry = json.null },
}

--- `GET /org`
---@return table response
function M.org()
  return answers.json(200, { org = json.array({ organisation }) })
end

local function profile_references()
  local references = json.array()
  for i, profile in ipairs(users.profiles) do
    references[i] = { name = profile.name, id = profile.id }
  end
  return references
end

-- Modules -------------------------------------------------------------------------------------------------------------

local function show_module(module)
  local usable = module.has_records and module.status == "visible"
  return {
    api_name = module.api_name,
    module_name = module.module_name,
    singular_label = module.singular,
    plural_label = module.plural,
    api_supported = module.has_records,
    creatable = usable,
    editable = usable,
    deletable = usable,
    viewable = usable,
    status = module.status,
    generated_type = module.generated_type,
    sequence_number = module.index,
    id = module.id,
    profiles = profile_references(),
  }
end

local module_statuses = { "user_hidden", "system_hidden", "scheduled_for_deletion", "visible" }

--- `GET /settings/modules`. Several statuses may be joined by commas.
---@param _ table state of the sandbox
---@param request table
---@return table response
function M.modules(_, request)
  local wanted = parameters.split(request.query.status)
  for _, status in ipairs(wanted or {}) do
    parameters.one_of({ status = status }, "status", module_statuses)
  end
  local set = wanted and parameters.set(wanted)
  local modules = json.array()
  for _, module in ipairs(schema.modules) do
    if not set or set[module.status] then
      modules[#modules + 1] = show_module(module)
    end
  end
  return answers.json(200, { modules = modules })
end

--- `GET /settings/modules/{api_name or id}`
---@param _ table state of the sandbox
---@param _request table
---@param name string
---@return table response
function M.module(_, _request, name)
  for _, module in ipairs(schema.modules) do
    if module.api_name == name or module.id == name then
      local shown = show_module(module)
      shown.description = json.null
      shown.display_field = module.name_field and { api_name = module.name_field } or json.null
      shown.per_page = 20
      return answers.json(200, { modules = json.array({ shown }) })
    end
  end
  answers.refuse(400, "INVALID_MODULE", { resource_path_index = 2 })
end

-- The module that a `module` parameter names.
local function module_parameter(request)
  local name = request.query.module
  if name == nil or name == "" then
    answers.refuse(400, "REQUIRED_PARAM_MISSING", { param_name = "module" })
  end
  local module = schema.with_records(name)
  if not module then
    answers.refuse(400, "INVALID_MODULE", {})
  end
  return module
end

-- Fields --------------------------------------------------------------------------------------------------------------

local function show_values(field)
  local values = json.array()
  for i, value in ipairs(field.picklist or {}) do
    values[i] = {
      display_value = value.name, actual_value = value.name, reference_value = value.name, id = value.id,
      sequence_number = value.sequence, type = "used", colour_code = json.null,
    }
  end
  return values
end

local function show_lookup(field)
  if not field.lookup then
    return {}
  end
  local module = schema.by_name[field.lookup]
  return { module = { api_name = module.api_name, id = module.id }, display_label = field.label, id = field.id }
end

--- The metadata of a field.
---@param field table of the schema
---@return table
function M.show_field(field)
  return {
    api_name = field.api_name,
    field_label = field.label,
    display_label = field.label,
    data_type = field.data_type,
    json_type = field.json_type,
    system_mandatory = field.mandatory,
    custom_field = field.custom,
    visible = not field.unused,
    searchable = field.searchable,
    sortable = field.sortable,
    length = field.length or json.null,
    decimal_place = field.decimal_place or json.null,
    read_only = field.read_only,
    field_read_only = field.read_only,
    pick_list_values = show_values(field),
    lookup = show_lookup(field),
    unique = field.unique and { casesensitive = false } or {},
    auto_number = field.data_type == "autonumber" and { prefix = "SC-", start_number = 1000 } or {},
    operation_type = {
      api_create = not (field.read_only or field.unused), api_update = not (field.read_only or field.unused),
      web_create = not (field.read_only or field.unused), web_update = not (field.read_only or field.unused),
    },
    type = field.unused and "unused" or "used",
    id = field.id,
  }
end

-- Without `type` the used fields come. An unused one stands on no layout.
local field_types = {
  all = function()
    return true
  end,
  used = function(field)
    return not field.unused
  end,
  unused = function(field)
    return field.unused
  end,
}

--- `GET /settings/fields`
---@param _ table state of the sandbox
---@param request table
---@return table response
function M.fields(_, request)
  local kind = parameters.one_of(request.query, "type", { "all", "used", "unused" }) or "used"
  local module = module_parameter(request)
  local fields = json.array()
  for _, field in ipairs(module.fields) do
    if field_types[kind](field) then
      fields[#fields + 1] = M.show_field(field)
    end
  end
  return #fields > 0 and answers.json(200, { fields = fields }) or answers.empty(204)
end

--- `GET /settings/fields/{id}`
---@param _ table state of the sandbox
---@param request table
---@param id string
---@return table response
function M.field(_, request, id)
  for _, field in ipairs(module_parameter(request).fields) do
    if field.id == id then
      return answers.json(200, { fields = json.array({ M.show_field(field) }) })
    end
  end
  return answers.empty(204)
end

-- Layouts -------------------------------------------------------------------------------------------------------------

local function layout_field(field, position)
  return {
    api_name = field.api_name, field_label = field.label, data_type = field.data_type, json_type = field.json_type,
    required = field.mandatory, system_mandatory = field.mandatory, read_only = field.read_only, visible = true,
    sequence_number = position, length = field.length or json.null, pick_list_values = show_values(field),
    id = field.id,
  }
end

local function show_sections(module)
  local sections, by_label = json.array(), {}
  for _, field in ipairs(module.fields) do
    if not field.unused and field.api_name ~= "id" then
      local section = by_label[field.section]
      if not section then
        section = {
          display_label = field.section, name = field.section, api_name = (field.section:gsub(" ", "_")),
          sequence_number = #sections + 1, fields = json.array(),
        }
        sections[#sections + 1], by_label[field.section] = section, section
      end
      section.fields[#section.fields + 1] = layout_field(field, #section.fields + 1)
    end
  end
  return sections
end

local function show_layout(module)
  return {
    id = module.layout.id, name = module.layout.name, api_name = module.layout.name, display_label = module.layout.name,
    status = "active", visible = true, profiles = profile_references(), sections = show_sections(module),
  }
end

--- `GET /settings/layouts`
---@param _ table state of the sandbox
---@param request table
---@return table response
function M.layouts(_, request)
  return answers.json(200, { layouts = json.array({ show_layout(module_parameter(request)) }) })
end

--- `GET /settings/layouts/{id}`
---@param _ table state of the sandbox
---@param request table
---@param id string
---@return table response
function M.layout(_, request, id)
  local module = module_parameter(request)
  if module.layout.id ~= id then
    return answers.empty(204)
  end
  return answers.json(200, { layouts = json.array({ show_layout(module) }) })
end

-- Custom views --------------------------------------------------------------------------------------------------------

local function show_view(view, position)
  return {
    id = view.id, name = view.name, display_value = view.name, system_name = json.null, default = position == 1,
    system_defined = true, category = "public_views", sort_by = json.null, sort_order = json.null,
  }
end

--- `GET /settings/custom_views`: where the values of `cvid` come from.
---@param _ table state of the sandbox
---@param request table
---@return table response
function M.custom_views(_, request)
  local page, per_page = parameters.paging(request.query)
  local module = module_parameter(request)
  local views = json.array()
  for i = (page - 1) * per_page + 1, math.min(page * per_page, #module.views) do
    views[#views + 1] = show_view(module.views[i], i)
  end
  if #views == 0 then
    return answers.empty(204)
  end
  return answers.json(200, {
    custom_views = views,
    info = { per_page = per_page, count = #views, page = page, more_records = page * per_page < #module.views },
  })
end

-- Roles and profiles --------------------------------------------------------------------------------------------------

local function show_role(role)
  local superior = role.reports_to and users.roles[role.reports_to]
  return {
    id = role.id, name = role.name, display_label = role.name, share_with_peers = role.share_with_peers,
    description = role.description or json.null,
    reporting_to = superior and { name = superior.name, id = superior.id } or json.null,
  }
end

local function show_profile(profile)
  return {
    id = profile.id, name = profile.name, display_label = profile.name, type = "normal_profile",
    custom = profile.custom, description = profile.description or json.null,
  }
end

local function show_all(name, items, show)
  return function()
    local shown = json.array()
    for i, item in ipairs(items) do
      shown[i] = show(item)
    end
    return answers.json(200, { [name] = shown })
  end
end

local function show_one(name, items, show)
  return function(_, _, id)
    for _, item in ipairs(items) do
      if item.id == id then
        return answers.json(200, { [name] = json.array({ show(item) }) })
      end
    end
    return answers.empty(204)
  end
end

--- `GET /settings/roles`
M.roles = show_all("roles", users.roles, show_role)

--- `GET /settings/roles/{id}`: 204 for an unknown one
M.role = show_one("roles", users.roles, show_role)

--- `GET /settings/profiles`
M.profiles = show_all("profiles", users.profiles, show_profile)

--- `GET /settings/profiles/{id}`: 204 for an unknown one
M.profile = show_one("profiles", users.profiles, show_profile)

return M
