--- What the fields of a module allow, by their data types: which operators a condition may have, which values fit in
--- conditions and in records. Nothing here asks the server; `zohocrm.check` does.
---
--- Sources: operators of the search: reference 5.2; of COQL: 6.1; values: 8.3. What is not known of a type is let pass:
--- the server is the judge, and a check that is too strict would stand in the way.

local core = require "zohocrm.core"
local suggest = require "zohocrm.suggest"
local values = require "zohocrm.values"

local M = {}

-- At most so many values of a pick list stand in a message.
local SHOWN = 15

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do
    list[#list + 1] = word
  end
  return list
end

-- Operators -----------------------------------------------------------------------------------------------------------

local EMPTY = " is_empty is_not_empty"
local SIZE = "equals not_equal greater_than greater_equal less_than less_equal between in"

local search = {
  text = words("equals not_equal starts_with in" .. EMPTY), textarea = words("equals not_equal starts_with" .. EMPTY),
  picklist = words("equals not_equal in" .. EMPTY), multiselect = words("equals not_equal in starts_with" .. EMPTY),
  lookup = words("equals not_equal in" .. EMPTY), boolean = words "equals not_equal", size = words(SIZE .. EMPTY),
}
local coql_text = words("equals not_equal starts_with ends_with contains not_contains like not_like in not_in" .. EMPTY)
local coql = {
  text = coql_text, textarea = coql_text, picklist = coql_text, multiselect = words("equals in" .. EMPTY),
  lookup = words("equals not_equal in not_in" .. EMPTY), boolean = words "equals",
  size = words(SIZE .. " not_between not_in" .. EMPTY),
}
local languages = { search = { search }, coql = { coql }, any = { search, coql } }

-- Data types with the same rules.
local families = {
  text = "text", email = "text", phone = "text", website = "text", autonumber = "picklist", textarea = "textarea",
  picklist = "picklist", multiselectpicklist = "multiselect", lookup = "lookup", ownerlookup = "lookup",
  userlookup = "lookup", multi_module_lookup = "lookup", boolean = "boolean", integer = "size", bigint = "size",
  double = "size", decimal = "size", currency = "size", percent = "size", date = "size", datetime = "size",
}

local function contains(list, item)
  for _, other in ipairs(list) do
    if other == item then
      return true
    end
  end
  return false
end

-- The operators of a field in one language, or in either; nil: not known.
local function operators_of(field, language)
  local family, all = families[field.data_type], {}
  for _, table_of in ipairs(family and languages[language] or {}) do
    for _, operator in ipairs(table_of[family]) do
      if not contains(all, operator) then
        all[#all + 1] = operator
      end
    end
  end
  return family and all or nil
end

-- Values --------------------------------------------------------------------------------------------------------------

local function shown(value)
  local kind = type(value)
  if kind == "string" then
    return ("the string '%s'"):format(#value > 60 and value:sub(1, 57) .. "…" or value)
  elseif kind == "number" or kind == "boolean" then
    return tostring(value)
  end
  local of = values.kind(value)
  return of and ("the %s %s"):format(of, tostring(value)) or value == core.null and "null" or "a " .. kind
end

local DATE, TIME = "^%d%d%d%d%-%d%d%-%d%d$", "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d"

-- The actual values of a pick list, and which display value stands for which; nil where the field has none.
local function choices_of(field)
  local list, by_display = {}, {}
  for _, value in ipairs(type(field.pick_list_values) == "table" and field.pick_list_values or {}) do
    if type(value) == "table" and type(value.actual_value) == "string" then
      list[#list + 1] = value.actual_value
      by_display[value.display_value or ""] = value.actual_value
    end
  end
  return list[1] and list or nil, by_display
end

-- What is wrong with a value of a pick list; nil: nothing.
local function wrong_choice(field, value)
  local list, by_display = choices_of(field)
  if not list or contains(list, value) then
    return nil
  end
  local some = {}
  for i = 1, math.min(#list, SHOWN) do
    some[i] = "'" .. list[i] .. "'"
  end
  local more = #list > SHOWN and (" and %d more"):format(#list - SHOWN) or ""
  local hint = by_display[value] and ("; '%s' is shown for '%s'"):format(value, by_display[value])
    or suggest.hint(value, list)
  return ("%s has no value '%s'%s; it has %s%s"):format(field.api_name, value, hint, table.concat(some, ", "), more)
end

local function length_of(text)
  local _, count = text:gsub("[^\128-\191]", "")
  return count
end

-- By data type: what a value of a condition must be. Gets its kind and text, see `zohocrm.expression`.
local function is_text(kind)
  return kind == "string", "a string"
end

local function is_number(kind, text)
  return kind == "number" or tonumber(text) ~= nil and kind == "string", "a number"
end

local function is_whole(kind, text)
  return (kind == "number" or kind == "string") and text:find("^%-?%d+$") ~= nil, "a whole number"
end

local function is_id(kind, text)
  return (kind == "string" or kind == "number") and text:find("^%d+$") ~= nil, "the id of a record"
end

local condition_values = {
  text = is_text, email = is_text, phone = is_text, website = is_text, textarea = is_text, autonumber = is_text,
  picklist = is_text, multiselectpicklist = is_text, lookup = is_id, ownerlookup = is_id, userlookup = is_id,
  multi_module_lookup = is_id, integer = is_whole, bigint = is_whole, double = is_number, decimal = is_number,
  currency = is_number, percent = is_number,
  boolean = function(kind, text)
    return kind == "boolean" or text == "true" or text == "false", "true or false"
  end,
  date = function(kind, text)
    return kind == "date" or kind == "string" and text:find(DATE) ~= nil, "a date (zohocrm.date, \"2026-02-06\")"
  end,
  datetime = function(kind, text)
    return kind == "datetime" or kind == "string" and text:find(TIME) ~= nil,
      "a time (zohocrm.datetime, \"2026-02-06T09:00:00+01:00\")"
  end,
}

-- Patterns hold a part of a value only.
local partial = {
  like = true, not_like = true, contains = true, not_contains = true, starts_with = true, ends_with = true,
}

local function condition_value(field, operator, value)
  local check = condition_values[field.data_type]
  local fits, what = true, nil
  if check then
    fits, what = check(value.kind, value.text)
  end
  if not fits then
    return ("%s (%s) takes %s, not %s"):format(field.api_name, field.data_type, what,
      value.kind == "string" and shown(value.text) or ("the %s %s"):format(value.kind, value.text))
  end
  local choice = field.data_type == "picklist" or field.data_type == "multiselectpicklist"
  if choice and not partial[operator] and not value.text:find(";", 1, true) then
    return wrong_choice(field, value.text)
  end
  return nil
end

--- What is wrong with a condition on a field.
---@param field table from the module's metadata
---@param node table a condition of `zohocrm.expression`
---@param language "search"|"coql"|"any"
---@return string[] mistakes sentences
function M.condition(field, node, language)
  local operators, mistakes = operators_of(field, language), {}
  if operators and not contains(operators, node.operator) then
    return { ("'%s' does not fit %s (%s); it takes %s"):format(node.operator, field.api_name, field.data_type,
      table.concat(operators, ", ")) }
  end
  for _, value in ipairs(node.values) do
    mistakes[#mistakes + 1] = condition_value(field, node.operator, value)
  end
  return mistakes
end

-- Values in records ---------------------------------------------------------------------------------------------------

local function write_text(field, value)
  if type(value) ~= "string" then
    return "a string"
  end
  local most = tonumber(field.length)
  if most and most > 0 and length_of(value) > most then
    return nil, ("%s has %d characters; it takes at most %d"):format(field.api_name, length_of(value), most)
  end
end

local function write_whole(_, value)
  local whole = type(value) == "number" and value % 1 == 0 or type(value) == "string" and value:find("^%-?%d+$")
  return not whole and "a whole number" or nil
end

local function write_number(_, value)
  return type(value) ~= "number" and "a number" or nil
end

local function write_lookup(_, value)
  local id = type(value) == "table" and not values.kind(value) and (value.id or value.name or value.email) or value
  return type(id) ~= "string" and type(id) ~= "number" and "a record's id, or { id = … }" or nil
end

local write_values = {
  text = write_text, email = write_text, phone = write_text, website = write_text, textarea = write_text,
  integer = write_whole, bigint = write_whole, double = write_number, decimal = write_number, currency = write_number,
  percent = write_number, lookup = write_lookup, ownerlookup = write_lookup, userlookup = write_lookup,
  multi_module_lookup = write_lookup,
  boolean = function(_, value)
    return type(value) ~= "boolean" and "true or false" or nil
  end,
  picklist = function(field, value)
    if type(value) ~= "string" then
      return "a string"
    end
    return nil, wrong_choice(field, value)
  end,
  multiselectpicklist = function(field, value)
    if type(value) ~= "table" or values.kind(value) then
      return "an array of strings"
    end
    for _, choice in ipairs(value) do
      if type(choice) ~= "string" then
        return "an array of strings"
      end
      local wrong = wrong_choice(field, choice)
      if wrong then
        return nil, wrong
      end
    end
  end,
  date = function(_, value)
    local fits = values.kind(value) == "date" or type(value) == "string" and value:find(DATE)
    return not fits and "a date (zohocrm.date, \"2026-02-06\")" or nil
  end,
  datetime = function(_, value)
    local fits = values.kind(value) == "datetime" or type(value) == "string" and value:find(TIME)
    return not fits and "a time (zohocrm.datetime, \"2026-02-06T09:00:00+01:00\")" or nil
  end,
}

-- Names that writes take beside the fields of the metadata (reference 4.2, 8.3).
local beside = {
  id = true, Layout = true, Tag = true, Participants = true, Pricing_Details = true, Product_Details = true,
  Remind_At = true, Recurring_Activity = true,
}

local function mandatory(module, record, creating, mistakes)
  for _, field in ipairs(module.fields) do
    if field.system_mandatory then
      local value = record[field.api_name]
      if value == core.null or value == "" then
        mistakes[#mistakes + 1] = ("%s cannot be empty in %s"):format(field.api_name, module.name)
      elseif value == nil and creating then
        mistakes[#mistakes + 1] = ("%s is missing, which every record of %s needs"):format(field.api_name, module.name)
      end
    end
  end
end

--- What is wrong with a record that is to be written. Fields that cannot be written are let pass: the API passes over
--- them, and a record that was read and changed has many.
---@param module table see `zohocrm.check`
---@param record table
---@param creating boolean all mandatory fields have to be there
---@return string[] mistakes sentences
function M.record(module, record, creating)
  local mistakes, names = {}, {}
  mandatory(module, record, creating, mistakes)
  for name in pairs(record) do
    names[#names + 1] = type(name) == "string" and name or nil
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local field, value = module.by_name[name], record[name]
    if not field then
      if not beside[name] and name:sub(1, 1) ~= "$" then
        mistakes[#mistakes + 1] = M.no_field(module, name)
      end
    elseif not beside[name] and not field.read_only and value ~= core.null and write_values[field.data_type] then
      local expected, wrong = write_values[field.data_type](field, value)
      mistakes[#mistakes + 1] = wrong or expected and ("%s (%s) takes %s, not %s"):format(name, field.data_type,
        expected, shown(value)) or nil
    end
  end
  return mistakes
end

--- The sentence about a field that is not there.
---@param module table see `zohocrm.check`
---@param name string
---@return string
function M.no_field(module, name)
  return ("no field '%s' in %s%s"):format(name, module.name, suggest.hint(name, module.names))
end

return M
