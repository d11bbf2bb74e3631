--- The values that each data type takes in a write, and how they are stored (reference, sections 4.4 and 8.3).
--
-- A checker gets (value, field, state, record) and gives the stored value, or nil and the `details` of the error
-- `INVALID_DATA` (without `api_name` and `json_path`) with a message of its own where there is one. Null and the empty
-- string never arrive here: they empty a field.
--
-- @module zohocrm.sandbox.types

local json = require("zohocrm.sandbox.json")
local text = require("zohocrm.sandbox.text")
local time = require("zohocrm.sandbox.time")
local users = require("zohocrm.sandbox.users")

local M = {}

local function ill_typed(expected)
  return nil, { expected_data_type = expected }
end

local INVALID_ID = "the id given seems to be invalid"

local checkers = {}

local function check_text(value, field)
  if type(value) ~= "string" then
    return ill_typed(field.data_type)
  end
  if field.length and text.length(value) > field.length then
    return nil, { maximum_length = field.length }
  end
  return value
end

checkers.text = check_text
checkers.textarea = check_text
checkers.website = check_text

-- A text that must also match a pattern; `shown` is the pattern in the notation of the error's `regex`.
local function patterned(pattern, shown)
  return function(value, field)
    local checked, details = check_text(value, field)
    if checked and not checked:find(pattern) then
      return nil, { regex = shown }
    end
    return checked, details
  end
end

checkers.email = patterned("^[^%s@,;<>()]+@[%w][%w%-]*[%w%.%-]*%.%w%w+$", "^[^\\s@]+@[A-Za-z0-9.-]+\\.[A-Za-z0-9]{2,}$")
checkers.phone = patterned("^[%d%a%+%-%.%(%)/ #,;x]+$", "^[0-9A-Za-z+\\-.()/ #,;x]+$")

local check_duration = patterned("^%d%d?%d?:[0-5]%d$", "^[0-9]{1,3}:[0-5][0-9]$")

function checkers.picklist(value, field)
  if type(value) ~= "string" then
    return ill_typed("picklist")
  end
  if not field.value_set[value] then
    return nil, { supported_values = json.array(field.values) }
  end
  return value
end


function checkers.multiselectpicklist(value, field)
  if not json.was_array(value) then
    return ill_typed("jsonarray")
  end
  local chosen, seen = json.array(), {}
  for _, item in ipairs(value) do
    if type(item) ~= "string" then
      return ill_typed("jsonarray")
    end
    if not field.value_set[item] then
      return nil, { supported_values = json.array(field.values) }
    end
    if not seen[item] then
      chosen[#chosen + 1], seen[item] = item, true
    end
  end
  if #chosen == 0 then
    return json.null
  end
  return chosen
end

function checkers.boolean(value)
  if type(value) ~= "boolean" then
    return ill_typed("boolean")
  end
  return value
end

function checkers.integer(value, field)
  if json.integer_digits(value) then
    return nil, { maximum_length = field.length }
  end
  if type(value) ~= "number" or value % 1 ~= 0 then
    return ill_typed("integer")
  end
  if math.abs(value) >= 10 ^ field.length then
    return nil, { maximum_length = field.length }
  end
  return value
end

local function check_double(value, field)
  if json.integer_digits(value) then
    return nil, { maximum_length = field.length }
  end
  if type(value) ~= "number" then
    return ill_typed("double")
  end
  if math.abs(value) >= 10 ^ field.length then
    return nil, { maximum_length = field.length }
  end
  return value
end

checkers.double = check_double
checkers.currency = check_double
checkers.percent = check_double

-- A number or digits; stored as digits, so that no double rounds it.
function checkers.bigint(value, field)
  local digits = json.integer_digits(value)
  if type(value) == "string" and value:find("^%-?%d+$") then
    digits = value
  elseif type(value) == "number" and value % 1 == 0 and math.abs(value) < 2 ^ 53 then
    digits = ("%.0f"):format(value)
  end
  if not digits then
    return ill_typed("bigint")
  end
  local sign, significant = digits:match("^(%-?)0*(%d+)$")
  if #significant > field.length then
    return nil, { maximum_length = field.length }
  end
  return significant == "0" and "0" or sign .. significant
end

function checkers.date(value)
  if type(value) ~= "string" or not time.parse_date(value) then
    return ill_typed("date")
  end
  return value
end

function checkers.datetime(value)
  local epoch = type(value) == "string" and time.parse(value)
  if not epoch then
    return ill_typed("datetime")
  end
  return epoch
end

-- References come as {"id": …}; a bare id is accepted too (reference, section 4.2).
local function id_in(value)
  if type(value) == "table" then
    value = value.id
  end
  return type(value) == "string" and value or nil
end

function checkers.lookup(value, field, state)
  local id = id_in(value)
  if not id then
    return ill_typed("jsonobject")
  end
  if not state.stores[field.lookup]:find(id) then
    return nil, { id = id }, INVALID_ID
  end
  return id
end

function checkers.multi_module_lookup(value, _, state, record)
  local id, module_name = id_in(value), record["$se_module"]
  if not id then
    return ill_typed("jsonobject")
  end
  local store = type(module_name) == "string" and state.stores[module_name]
  if not store or not store:find(id) then
    return nil, { id = id }, INVALID_ID
  end
  return id
end

function checkers.ownerlookup(value)
  local id = id_in(value)
  if not id then
    return ill_typed("jsonobject")
  end
  local user = users.by_id[id]
  if not user or user.status ~= "active" then
    return nil, { id = id }, INVALID_ID
  end
  return id
end

local function object_with(name)
  return function(value)
    if type(value) ~= "table" or type(value[name]) ~= "string" then
      return ill_typed("jsonobject")
    end
    return { [name] = value[name] }
  end
end

checkers.ALARM = object_with("ALARM")
checkers.RRULE = object_with("RRULE")

local function check_tags(value)
  if not json.was_array(value) then
    return ill_typed("jsonarray")
  end
  local names = json.array()
  for _, tag in ipairs(value) do
    if type(tag) ~= "table" or type(tag.name) ~= "string" or tag.name == "" then
      return ill_typed("jsonarray")
    end
    names[#names + 1] = tag.name
  end
  return names
end

--- Is a value given that empties the field?
---@param value any as decoded
---@return boolean
function M.empties(value)
  return value == json.null or value == ""
end

--- Checks one value of a write.
---@param value any as decoded, neither null nor ""
---@param field table of the schema
---@param state table of the sandbox
---@param record table the record as sent
---@return any stored nil where the value is wrong; `json.null` where it empties the field
---@return table? details of the error
---@return string? message of the error
function M.check(value, field, state, record)
  if field.tags then
    return check_tags(value)
  end
  if field.duration then
    return check_duration(value, field)
  end
  return checkers[field.data_type](value, field, state, record)
end

return M
