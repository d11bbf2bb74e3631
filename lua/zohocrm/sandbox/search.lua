--- `GET /{module}/search` (reference, section 5).
-- @module zohocrm.sandbox.search

local answers = require("zohocrm.sandbox.answers")
local conditions = require("zohocrm.sandbox.conditions")
local criteria = require("zohocrm.sandbox.criteria")
local cursor = require("zohocrm.sandbox.cursor")
local json = require("zohocrm.sandbox.json")
local parameters = require("zohocrm.sandbox.parameters")
local present = require("zohocrm.sandbox.present")
local read = require("zohocrm.sandbox.read")
local text = require("zohocrm.sandbox.text")
local users = require("zohocrm.sandbox.users")

local M = {}

--- Records that the pages of a search reach.
M.REACH = 2000

local function fields_of_type(module, ...)
  local wanted, names = parameters.set({ ... }), {}
  for _, field in ipairs(module.fields) do
    if wanted[field.data_type] and not field.unused then
      names[#names + 1] = field.api_name
    end
  end
  return names
end

-- A test for a text anywhere in one of some fields; `convert` makes stored and searched text comparable.
local function somewhere(names, wanted, convert)
  wanted = convert(wanted)
  return function(get)
    for _, name in ipairs(names) do
      local value = get(name)
      if type(value) == "string" and convert(value):find(wanted, 1, true) then
        return true
      end
    end
    return false
  end
end

local function digits_of(value)
  return (value:gsub("[^%d]", ""))
end

local function refuse_short(name, least)
  answers.refuse(400, "INVALID_DATA", { param_name = name, minimum_length = least })
end

-- How each of the four parameters is searched for. The first of them that is given counts.
local ways = {}

function ways.criteria(module, value)
  if text.length(value) > criteria.LENGTH_MAX then
    answers.refuse(400, "LIMIT_EXCEEDED", { param_name = "criteria", limit = criteria.LENGTH_MAX })
  end
  local tree, reason, count = criteria.parse(value)
  if not tree then
    answers.refuse(400, "INVALID_QUERY", { reason = reason })
  end
  if count > criteria.CONDITIONS_MAX then
    answers.refuse(400, "CRITERIA_LIMIT_EXCEEDED", { limit = criteria.CONDITIONS_MAX },
      "no of criterium that can be given exceed the limit 15")
  end
  local holds, details = conditions.compile(tree, module)
  if not holds then
    answers.refuse(400, "INVALID_QUERY", details)
  end
  return holds
end

function ways.email(module, value)
  return somewhere(fields_of_type(module, "email"), value, text.fold)
end

function ways.phone(module, value)
  if text.length(value) < 3 then
    refuse_short("phone", 3)
  end
  local names = fields_of_type(module, "phone")
  local as_written = somewhere(names, value, text.fold)
  -- "5551234" shall find "555-1234".
  local by_digits = #digits_of(value) >= 3 and not value:find("%a") and somewhere(names, value, digits_of)
  return function(get)
    return as_written(get) or (by_digits and by_digits(get)) or false
  end
end

function ways.word(module, value)
  if text.length(value) < 2 then
    refuse_short("word", 2)
  end
  local names = fields_of_type(module, "text", "textarea", "email", "phone", "website", "picklist", "autonumber")
  return somewhere(names, value, text.fold)
end

local way_names = { "criteria", "email", "phone", "word" }

local function condition_of(module, query)
  for _, name in ipairs(way_names) do
    if query[name] and query[name] ~= "" then
      return ways[name](module, query[name])
    end
  end
  answers.refuse(400, "EXPECTED_PARAM_MISSING", { param_names = json.array(way_names) })
end

local function check_sort(module, query)
  local name = query.sort_by or "id"
  local field = module.by_name[name]
  if not field or not field.sortable then
    answers.refuse(400, "INVALID_DATA", { param_name = "sort_by" })
  end
  local order = parameters.one_of(query, "sort_order", { "asc", "desc" }) or "desc"
  return name, order == "desc"
end

-- Deleted records that the index still holds have nothing to show and are left out.
local function find(state, store, request, holds)
  local accepts, hidden = read.states(request.query)
  local view, now = read.view(store.module, request.query), state.clock:now()
  local keys = {}
  for key in cursor.walk(store, { descending = true, hidden = hidden }) do
    local get = accepts(store:state(key)) and store:search_record(key, now)
    if get and holds(get) and not (view and view.mine and get("Owner") ~= users.current.id) then
      keys[#keys + 1] = key
    end
  end
  return keys
end

local function comparable(value)
  if type(value) == "string" then
    return text.fold(value)
  elseif type(value) == "boolean" then
    return value and 1 or 0
  end
  return value
end

-- Found keys come by id, descending. Empty values stand last in either order; equal ones stay by id.
local function sort(store, keys, name, descending)
  if name == "id" then
    table.sort(keys, function(a, b)
      if descending then
        return a > b
      end
      return a < b
    end)
    return
  end
  local values = {}
  for _, key in ipairs(keys) do
    values[key] = comparable(store:value(key, name))
  end
  table.sort(keys, function(a, b)
    local left, right = values[a], values[b]
    if left == right then
      return a > b
    elseif left == nil or right == nil then
      return right == nil
    elseif descending then
      return left > right
    end
    return left < right
  end)
end

local function show(state, store, key, fields)
  if fields then
    return present.record(state, store, key, fields, false)
  end
  return present.whole_record(state, store, key)
end

--- `GET /{module}/search`
---@param state table of the sandbox
---@param module table of the schema
---@param request table
---@return table response
function M.run(state, module, request)
  local query = request.query
  local page, per_page = parameters.paging(query)
  local names = parameters.fields(query, false)
  local sort_by, descending = check_sort(module, query)
  local holds = condition_of(module, query)
  if page * per_page > M.REACH then
    answers.refuse(400, "LIMIT_REACHED", { limit = M.REACH })
  end
  local store = state.stores[module.api_name]
  local keys = find(state, store, request, holds)
  sort(store, keys, sort_by, descending)
  local fields, data = names and present.plan(module, names), json.array()
  for i = (page - 1) * per_page + 1, math.min(page * per_page, #keys) do
    data[#data + 1] = show(state, store, keys[i], fields)
  end
  if #data == 0 then
    return answers.empty(204)
  end
  return answers.json(200, {
    data = data,
    info = { per_page = per_page, count = #data, page = page, more_records = page * per_page < #keys },
  })
end

return M
