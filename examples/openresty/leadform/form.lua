--- A form out of the metadata of a module's fields: its markup, what is wrong with what was filled in, and where the
--- CRM's own complaints belong.

local h = require "leadform.html".elements

local M = {}

local function whole_number(text)
  return text:match("^%s*%-?%d+%s*$") and tonumber(text), "is not a whole number"
end

local function address(text)
  return text:match("^[^%s@]+@[%w.-]+%.%w+$") and text, "is not an e-mail address"
end

-- By data_type: the type of the input, and what makes a value of the text.
local KINDS = {
  text = { type = "text" },
  phone = { type = "tel" },
  website = { type = "url" },
  email = { type = "email", read = address },
  integer = { type = "number", read = whole_number },
  picklist = {},
  textarea = {},
}

-- What browsers may fill in by themselves.
local AUTOCOMPLETE = {
  First_Name = "given-name", Last_Name = "family-name", Company = "organization", Email = "email", Phone = "tel",
}

-- Characters of a text. The CRM takes more, but a body has to stay below nginx's client_max_body_size.
local LONGEST = 2000

local function choices_of(field)
  local list = {}
  for _, value in ipairs(field.pick_list_values) do
    list[#list + 1] = { value = value.actual_value, label = value.display_value }
    list[value.actual_value] = true
  end
  return list
end

--- What a form needs of the metadata.
---@param metadata table what `crm.Leads:fields()` gives
---@param names string[] API names of the fields, in the order of the form
---@param required table<string, boolean> those that the form asks for although the CRM does not
---@return table[] fields
function M.fields(metadata, names, required)
  local by_name, list = {}, {}
  for _, field in ipairs(metadata) do
    by_name[field.api_name] = field
  end
  for i, name in ipairs(names) do
    local field = assert(by_name[name], "there is no field " .. name)
    list[i] = {
      name = name, label = field.field_label, data_type = field.data_type,
      kind = assert(KINDS[field.data_type], name .. ": the form knows no " .. field.data_type),
      required = field.system_mandatory or required[name] or false,
      length = field.data_type ~= "integer" and math.min(field.length or LONGEST, LONGEST), choices = choices_of(field),
    }
  end
  return list
end

-- Whether it is UTF-8 without control characters: all that a browser sends, and all that JSON can say.
local function is_text(text)
  local rest = text:gsub("[\194-\223][\128-\191]", ""):gsub("[\224-\239][\128-\191][\128-\191]", "")
    :gsub("[\240-\244][\128-\191][\128-\191][\128-\191]", "")
  return not rest:find("[%z\1-\8\11\12\14-\31\127-\255]")
end

-- The length as the CRM counts it: in characters, not bytes.
local function characters(text)
  return select(2, text:gsub("[^\128-\191]", ""))
end

-- The value of one field, or nil and what is wrong; nil alone: left empty.
local function read_field(field, text)
  text = type(text) == "string" and text:gsub("\r\n", "\n") -- as browsers count a line break: one character
  if type(text) ~= "string" or text:match("^%s*$") then
    return nil, field.required and "is required" or nil
  elseif not is_text(text) then
    return nil, "has characters that cannot be used"
  elseif field.length and characters(text) > field.length then
    return nil, ("has more than %d characters"):format(field.length)
  elseif field.data_type == "picklist" then
    if field.choices[text] ~= true then
      return nil, "is none of the choices"
    end
  elseif field.kind.read then
    local value, complaint = field.kind.read(text)
    return value or nil, not value and complaint or nil
  end
  return text
end

--- Reads what was filled in.
---@param fields table[]
---@param arguments table what nginx decoded
---@return table record for the CRM; empty fields are left out
---@return table|nil complaints by the field's name
function M.read(fields, arguments)
  local record, complaints = {}, {}
  for _, field in ipairs(fields) do
    record[field.name], complaints[field.name] = read_field(field, arguments[field.name])
  end
  return record, next(complaints) and complaints or nil
end

local SENTENCES = {
  MANDATORY_NOT_FOUND = "is required",
  DUPLICATE_DATA = "is taken already",
}

--- What the CRM says of single fields.
---@param err zohocrm.Error
---@return table|nil complaints by the field's name; nil where it is about something else
function M.complaints(err)
  local list = type(err.details) == "table" and (err.details.errors or { err }) or {}
  local complaints = {}
  for _, one in ipairs(list) do
    local details = one.details or {}
    if details.api_name then
      complaints[details.api_name] = details.maximum_length
        and ("has more than %d characters"):format(details.maximum_length)
        or SENTENCES[one.code] or "is not accepted"
    end
  end
  return next(complaints) and complaints or nil
end

local function control(field, value, complaint, first)
  local attributes = {
    id = field.name, name = field.name, required = field.required, maxlength = field.length,
    autocomplete = AUTOCOMPLETE[field.name], autofocus = first,
    ["aria-invalid"] = complaint and "true", ["aria-describedby"] = complaint and field.name .. "-error",
  }
  if field.data_type == "textarea" then
    attributes.rows, attributes[1], attributes[2] = 4, "\n", value -- browsers drop the first line break
    return h.textarea(attributes)
  elseif field.data_type ~= "picklist" then
    attributes.type, attributes.value = field.kind.type, value
    return h.input(attributes)
  end
  attributes[1] = h.option { value = "", "Please choose" }
  for i, choice in ipairs(field.choices) do
    attributes[i + 1] = h.option { value = choice.value, selected = choice.value == value, choice.label }
  end
  return h.select(attributes)
end

--- The elements of all fields.
---@param fields table[]
---@param values table by name
---@param complaints table by name
---@return table
function M.elements(fields, values, complaints)
  local list, first = {}, true
  for i, field in ipairs(fields) do
    local value, complaint = values[field.name], complaints[field.name]
    list[i] = h.div {
      class = "field",
      h.label { ["for"] = field.name, field.label, field.required and h.span { class = "required", " (required)" } },
      control(field, type(value) == "string" and value or nil, complaint, complaint and first),
      complaint and h.p { class = "error", id = field.name .. "-error", field.label, " ", complaint, "." },
    }
    first = first and not complaint
  end
  return list
end

return M
