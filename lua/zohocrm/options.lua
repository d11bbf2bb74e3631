--- Checks the options that callers pass, against tables that describe them, and turns them into the parts of a
--- request. A call that can never be right raises at the caller's line and says what would be right.

local core = require "zohocrm.core"
local expression = require "zohocrm.expression"
local raise = require "zohocrm.raise"
local suggest = require "zohocrm.suggest"
local values = require "zohocrm.values"

local M = {}

local EXACT_MAX = 2 ^ 53
local number_type = rawget(math, "type") -- Lua 5.3 and later

-- A value as a message shows it: the string "10" is not the number 10.
local function display(value)
  return type(value) == "string" and ("the string %q"):format(value) or tostring(value)
end

--- The type of a value as a message shows it: "a string", but "nil".
---@param value any
---@return string
function M.kind_of(value)
  return value == nil and "nil" or "a " .. type(value)
end

local function is_whole(value)
  return type(value) == "number" and value % 1 == 0
end

-- Names that stand where an id could in an address: `get "deleted"` would not be a record.
local ENDPOINTS = { search = true, deleted = true, upsert = true, actions = true, bulk = true }

--- The text of a record id. Ids are strings; a number is taken when it holds the id exactly.
---@param value any
---@param what string for the message, such as "id"
---@return string|nil id
---@return string|nil refusal a sentence that names the remedy
function M.read_id(value, what)
  if type(value) == "string" and value:find("%S") and not ENDPOINTS[value] then
    return value
  end
  if type(value) == "number" then
    if number_type and number_type(value) == "integer" and value > 0 then
      return ("%d"):format(value)
    elseif is_whole(value) and value > 0 and value < EXACT_MAX then
      return ("%.0f"):format(value)
    end
    return nil, ('%s is the number %s, which cannot hold a record id exactly; write it as a string, '
      .. '"7243485000000597000"'):format(what, tostring(value))
  end
  if type(value) == "table" and value.id ~= nil then
    return nil, ("%s is a record; pass its id, record.id"):format(what)
  end
  return nil, ('%s must be a record id, a string such as "7243485000000597000", not %s')
    :format(what, value == "" and "an empty string" or value == nil and "nil"
      or type(value) == "string" and display(value) or "a " .. type(value))
end

--- The same, where a wrong one raises.
---@param value any
---@param what string
---@return string
function M.id(value, what)
  local id, refusal = M.read_id(value, what)
  return id or raise(refusal)
end

--- The length of an array. Holes and names beside the positions raise: nothing that was passed may get lost.
---@param value table
---@param what string for the message
---@param item? string format of the name of one element; default: what[%d]
---@param allowed? string a name that may stand beside the positions (`info` of a page)
---@return integer
function M.length(value, what, item, allowed)
  local count, highest = 0, 0
  for key in pairs(value) do
    if is_whole(key) and key >= 1 then
      count, highest = count + 1, math.max(highest, key)
    elseif key ~= allowed then
      raise(("%s has the name '%s' beside its positions, where only an array belongs"):format(what, tostring(key)))
    end
  end
  for i = 1, highest == count and 0 or highest do
    if value[i] == nil then
      raise(((item or what .. "[%d]") .. " is nil, and more elements follow it"):format(i))
    end
  end
  return count
end

-- A list given as an array or as a comma separated string: its elements, as text.
local function elements(value, what, one)
  local list = {}
  if type(value) == "string" then
    for element in value:gmatch("[^,]+") do
      list[#list + 1] = element:match("^%s*(.-)%s*$")
      if list[#list] == "" then
        raise(("%s has an empty element in '%s'"):format(what, value))
      end
    end
  elseif type(value) == "table" then
    for i = 1, M.length(value, what) do
      list[i] = one(value[i], ("%s[%d]"):format(what, i))
      if list[i]:find(",", 1, true) then
        raise(("%s[%d] contains a comma, which separates the elements"):format(what, i))
      end
    end
  else
    raise(("%s must be an array or a comma separated string, not a %s"):format(what, type(value)))
  end
  if #list == 0 then
    raise(what .. " is empty")
  end
  return list
end

local function field_name(value, what)
  if type(value) ~= "string" or value == "" then
    raise(("%s must be the API name of a field, not %s"):format(what, value == "" and "an empty string"
      or "a " .. type(value)))
  end
  return value
end

local function limited(list, rule, what, noun)
  if rule.most and #list > rule.most then
    raise(("%s has %d %s; the API takes at most %d"):format(what, #list, noun, rule.most))
  end
  return table.concat(list, ",")
end

local function quoted(names)
  local list = {}
  for i, name in ipairs(names) do
    list[i] = "'" .. name .. "'"
  end
  return table.concat(list, ", ")
end

local function choose(value, rule, what)
  for _, choice in ipairs(rule.choices) do
    if value == choice then
      return value
    end
  end
  local shown = type(value) == "string" and "'" .. value .. "'" or tostring(value)
  raise(("%s cannot be %s; choose one of %s%s%s"):format(what, shown, quoted(rule.choices), rule.otherwise or "",
    type(value) == "string" and suggest.hint(value, rule.choices) or ""))
end

-- By kind of option: the checked value, as it will be used.
local kinds
kinds = {
  string = function(value, rule, what)
    if values.kind(value) then
      value = tostring(value)
    end
    if type(value) ~= "string" then
      raise(("%s must be a string, not %s"):format(what, M.kind_of(value)))
    end
    if #value < (rule.least or 1) then
      raise(("%s must have at least %d character%s"):format(what, rule.least or 1, (rule.least or 1) > 1 and "s" or ""))
    end
    return value
  end,
  -- a built condition, or its text as it stands
  criteria = function(value, rule, what)
    if expression.is(value) then
      return expression.to_criteria(value, what)
    elseif type(value) ~= "string" then
      expression.refuse_half(value, what)
      raise(("%s must be a condition, such as c.City:equals \"Oslo\", or a string, not %s"):format(what,
        M.kind_of(value)))
    end
    return kinds.string(value, rule, what)
  end,
  integer = function(value, rule, what)
    if not is_whole(value) or value < rule.least or value > rule.most then
      raise(("%s must be a whole number from %d to %d, not %s"):format(what, rule.least, rule.most, display(value)))
    end
    return ("%.0f"):format(value)
  end,
  number = function(value, rule, what)
    if type(value) ~= "number" or value ~= value or value < rule.least or (rule.above and value <= rule.above) then
      raise(("%s must be a number %s %s, not %s"):format(what, rule.above and "above" or "from",
        tostring(rule.above or rule.least), display(value)))
    end
    return value
  end,
  boolean = function(value, _, what)
    if type(value) ~= "boolean" then
      raise(("%s must be true or false, not a %s"):format(what, type(value)))
    end
    return tostring(value)
  end,
  choice = choose,
  tristate = function(value, rule, what)
    if type(value) == "boolean" then
      return tostring(value)
    end
    return choose(value, { choices = rule.choices or { "true", "false", "both" } }, what)
  end,
  id = function(value, _, what)
    return M.id(value, what)
  end,
  ids = function(value, rule, what)
    return limited(elements(value, what, M.id), rule, what, "ids")
  end,
  fields = function(value, rule, what)
    return limited(elements(value, what, field_name), rule, what, "fields")
  end,
  table = function(value, _, what)
    if type(value) ~= "table" then
      raise(("%s must be a table, not a %s"):format(what, type(value)))
    end
    return value
  end,
  headers = function(value, _, what)
    if type(value) ~= "table" then
      raise(("%s must be a table, not a %s"):format(what, type(value)))
    end
    local copy = {}
    for name, text in pairs(value) do
      if type(name) ~= "string" or type(text) ~= "string" then
        raise(("%s must map names to strings"):format(what))
      end
      copy[name] = text
    end
    return copy
  end,
  array = function(value, _, what)
    if type(value) ~= "table" then
      raise(("%s must be an array, not a %s"):format(what, type(value)))
    end
    -- an empty one says "none", which is not the same as absent: it has to go out as []
    return M.length(value, what) > 0 and value or setmetatable({}, core.array_mt)
  end,
  -- a value of a query, as text
  parameter = function(value, _, what)
    local kind = type(value)
    if kind == "string" or kind == "boolean" then
      return tostring(value)
    elseif kind == "number" and value == value and math.abs(value) ~= math.huge then
      if number_type and number_type(value) == "integer" then
        return ("%d"):format(value)
      elseif is_whole(value) and math.abs(value) < EXACT_MAX then
        return ("%.0f"):format(value)
      elseif not is_whole(value) then
        return ("%.17g"):format(value):gsub(",", ".")
      end
    end
    raise(("%s must be a string, a boolean or an exact number, not %s"):format(what,
      kind == "number" and tostring(value) or "a " .. kind))
  end,
  any = function(value)
    return value
  end,
  ["function"] = function(value, _, what)
    if type(value) ~= "function" then
      raise(("%s must be a function, not a %s"):format(what, type(value)))
    end
    return value
  end,
}

--- Options that every call takes, whatever it does: they go to the core, not into the address.
M.call = {
  timeout = { kind = "number", above = 0, least = 0, core = true },
  stall_timeout = { kind = "number", above = 0, least = 0, core = true },
  deadline = { kind = "number", above = 0, least = 0, core = true },
  retries = { kind = "integer", least = 0, most = 20, core = true },
  connection = { kind = "string", header = "Maton-Connection" },
  headers = { kind = "headers", core = true },
}

--- A table with the entries of all tables given.
function M.merge(...)
  local all = {}
  for _, rules in ipairs { ... } do
    for name, rule in pairs(rules) do
      all[name] = rule
    end
  end
  return all
end

local function sorted_keys(map)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- Checks one value against a rule.
---@param value any
---@param rule table
---@param what string
function M.value(value, rule, what)
  return kinds[rule.kind](value, rule, what)
end

-- The option that a bare string was probably meant for, as a part of a sentence: the required one, the fields, or one
-- with that choice.
local function meant(given, rules)
  if type(given) ~= "string" or #given > 60 or given:find('[%c"\\]') then
    return ""
  end
  local option
  for _, name in ipairs(sorted_keys(rules)) do
    for _, choice in ipairs(rules[name].choices or {}) do
      option = option or choice == given and name
    end
  end
  for name, rule in pairs(rules) do
    option = (rule.required or rule.kind == "fields") and name or option
  end
  return option and ('; did you mean { %s = "%s" }?'):format(option, given) or ""
end

-- What other libraries call it.
local synonyms = {
  limit = "per_page", count = "per_page", page_size = "per_page", pageSize = "per_page", where = "criteria",
  criteria = "where", order_by = "sort_by", sort = "sort_by", order = "sort_order", select = "fields",
  columns = "fields", key = "api_key", token = "api_key", url = "gateway_url", base_url = "gateway_url",
}

-- What only a client takes, as far as it is sought in calls.
local of_client = { concurrency = true, connect_timeout = true, max_retry_wait = true, proxy = true, rate = true }

-- What is wrong with an option that there is not, as a part of a sentence.
local function unknown_hint(name, value, rules, known)
  if of_client[name] then
    return "; it is an option of zohocrm.new"
  elseif type(name) == "string" then
    return suggest.hint(name, known, synonyms)
  end
  local meant_name = expression.is(value) and (rules.criteria and "criteria" or rules.where and "where")
    or type(value) == "string" and rules.fields and "fields"
  return meant_name and ("; options have names: %s = …"):format(meant_name) or "; options have names"
end

--- Checks a table of options. Unknown names, wrong types and missing required options raise.
---@param given table|nil
---@param rules table name -> rule
---@param call string for messages: "list", "zohocrm.new"
---@param elsewhere? table<string, string> what to say of options that others take
---@return table checked name -> checked value; a copy
function M.check(given, rules, call, elsewhere)
  local checked = {}
  if given == nil then
    given = {}
  elseif expression.is(given) then
    raise(("%s takes a table of options, not a condition%s"):format(call,
      rules.where and "; did you mean { where = … }?" or elsewhere and elsewhere.criteria or ""))
  elseif type(given) ~= "table" then
    raise(("%s takes a table of options, not a %s%s"):format(call, type(given), meant(given, rules)))
  end
  for name, value in pairs(given) do
    local rule = rules[name]
    if not rule then
      local known = sorted_keys(rules)
      local hint = elsewhere and elsewhere[name] or unknown_hint(name, value, rules, known)
      raise(("%s: unknown option '%s'%s (it takes %s)"):format(call, tostring(name), hint, table.concat(known, ", ")))
    end
    checked[name] = kinds[rule.kind](value, rule, call .. ": " .. name)
  end
  if checked.deadline then
    -- one for the whole call, however many requests it takes
    checked.deadline_at, checked.deadline = core.now() + checked.deadline, nil
  end
  for name, rule in pairs(rules) do
    if rule.required and checked[name] == nil then
      raise(("%s needs %s, %s"):format(call, name, rule.required))
    end
  end
  return checked
end

-- What `check` adds by itself.
local INTERNAL = { query = false }

--- Turns checked options into the description of a call: parameters in alphabetical order, headers, and what is
--- meant for the core.
---@param checked table from `check`
---@param rules table
---@param description table gets `query`, `headers`, `timeout`, …
---@return table description
function M.apply(checked, rules, description)
  local query = description.query or {}
  local headers = {}
  for name, value in pairs(checked.headers or {}) do
    headers[name] = value
  end
  for _, name in ipairs(sorted_keys(checked)) do
    local rule, value = rules[name] or INTERNAL, checked[name]
    if rule.header then
      for other in pairs(headers) do
        if type(other) == "string" and other:lower() == rule.header:lower() then
          raise(("%s and the header '%s' are the same thing; pass one of them"):format(name, other))
        end
      end
      headers[rule.header] = value
    elseif rule.core then
      if name ~= "headers" then
        if rule.kind == "boolean" then
          description[name] = value == "true"
        else
          description[name] = tonumber(value) or value
        end
      end
    elseif rule.query ~= false then
      query[#query + 1] = rule.query or name
      query[#query + 1] = value
    end
  end
  description.query = query
  description.headers = headers
  description.deadline = M.remaining(checked)
  return description
end

--- What is left of the deadline of a call.
---@param checked table from `check`
---@return number|nil seconds, above 0 also when it has passed (the core says so then); nil: there is none
function M.remaining(checked)
  return checked.deadline_at and math.max(checked.deadline_at - core.now(), 1e-6)
end

--- The rule of the option `check`.
M.check_rule = { kind = "boolean", query = false }

--- Whether a call is to be checked against the module's metadata first, see `zohocrm.check`.
---@param client table the client's private part
---@param checked table its options
---@return boolean
function M.wants_check(client, checked)
  if checked.check ~= nil then
    return checked.check == "true"
  end
  return client.check == true
end

return M
