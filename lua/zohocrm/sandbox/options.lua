--- Checks of what callers of the sandbox pass in. Every function raises at the line `level` steps above its caller.
-- @module zohocrm.sandbox.options

local schema = require("zohocrm.sandbox.schema")
local suggest = require("zohocrm.suggest")

local M = {}

local DEFAULT_RECORDS = 40
local RECORDS_MAX = 10 ^ 9 -- keeps every id within its twelve digits

local function is_whole(value, least)
  return type(value) == "number" and value % 1 == 0 and value >= least
end

local function is_positive(value)
  return type(value) == "number" and value > 0
end

local function is_finite(value)
  return type(value) == "number" and value == value and value > -math.huge and value < math.huge
end

local rules = {
  seed = { "a whole number", function(value)
    return is_whole(value, -2 ^ 31) and value <= 2 ^ 31
  end },
  time = { "a number of epoch seconds", is_finite },
  api_key = { "a string that is not empty", function(value)
    return type(value) == "string" and value ~= ""
  end },
  search_delay = { "a number of seconds, 0 or more", function(value)
    return is_finite(value) and value >= 0
  end },
  credits = { "a whole number, 1 or more", function(value)
    return is_whole(value, 1) and value < 2 ^ 53
  end },
  rate = { "a number of requests per second above 0", is_positive },
  records = { "a whole number, 0 or more, or a table of them by module name", function(value)
    return type(value) == "table" or (is_whole(value, 0) and value <= RECORDS_MAX)
  end },
}

local function sorted_names(set)
  local names = {}
  for name in pairs(set) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- What there is to say of an option that nobody knows.
---@param name any
---@param known table<string, any> the options that there are, by name
---@return string message such as `unknown option 'sead'; did you mean 'seed'? (it takes …)`
function M.unknown(name, known)
  local names = sorted_names(known)
  local hint = type(name) == "string" and suggest.hint(name, names) or ""
  return ("unknown option '%s'%s (it takes %s)"):format(tostring(name), hint, table.concat(names, ", "))
end

--- The options of `zohocrm.sandbox.new`, by name.
M.engine = rules

local function check_known(given, known, what, level)
  for name in pairs(given) do
    if known[name] == nil then
      error(what .. ": " .. M.unknown(name, known), level + 1)
    end
  end
end

local function record_counts(given, level)
  local counts = {}
  local common = type(given) == "number" and given or DEFAULT_RECORDS
  for _, module in ipairs(schema.modules) do
    if module.has_records then
      counts[module.api_name] = common
    end
  end
  if type(given) == "table" then
    check_known(given, counts, "zohocrm.sandbox.new: records", level + 1)
    for name, count in pairs(given) do
      if not is_whole(count, 0) or count > RECORDS_MAX then
        error(("zohocrm.sandbox.new: records.%s must be a whole number, 0 or more"):format(name), level + 1)
      end
      counts[name] = count
    end
  end
  return counts
end

--- The options of a new sandbox.
---@param given table? as passed by the caller
---@param level integer 1 is the function that calls this one
---@return table options complete, a copy
function M.check(given, level)
  given = given or {}
  if type(given) ~= "table" then
    error("zohocrm.sandbox.new: the options must be a table", level + 1)
  end
  check_known(given, rules, "zohocrm.sandbox.new", level + 1)
  for name, value in pairs(given) do
    if not rules[name][2](value) then
      error(("zohocrm.sandbox.new: option '%s' must be %s"):format(name, rules[name][1]), level + 1)
    end
  end
  return {
    records = record_counts(given.records, level + 1),
    seed = given.seed or 1,
    time = given.time,
    api_key = given.api_key or "sandbox",
    search_delay = given.search_delay or 0,
    rate = given.rate,
    credits = given.credits,
  }
end

--- A request.
---@param request any
---@param level integer
function M.check_request(request, level)
  if type(request) ~= "table" then
    error("handle: a request table is expected", level + 1)
  end
  for _, name in ipairs({ "method", "path" }) do
    if type(request[name]) ~= "string" then
      error(("handle: request.%s must be a string"):format(name), level + 1)
    end
  end
  for _, name in ipairs({ "query", "body" }) do
    if request[name] ~= nil and type(request[name]) ~= "string" then
      error(("handle: request.%s must be a string or absent"):format(name), level + 1)
    end
  end
  if request.headers ~= nil and type(request.headers) ~= "table" then
    error("handle: request.headers must be a table by lower-case name, or absent", level + 1)
  end
end

--- A number.
---@param name string of the function
---@param value any
---@param level integer
function M.check_number(name, value, level)
  if not is_finite(value) then
    error(("%s: a number of seconds is expected, got %s"):format(name, tostring(value)), level + 1)
  end
end

local failure_fields = { status = true, body = true, headers = true, times = true }

--- A planned failure.
---@param plan any
---@param level integer
---@return table failure complete, a copy
function M.check_failure(plan, level)
  if type(plan) ~= "table" then
    error("fail_next: a table {status=, body=, headers=, times=} is expected", level + 1)
  end
  check_known(plan, failure_fields, "fail_next", level + 1)
  if not is_whole(plan.status, 100) or plan.status > 599 then
    error("fail_next: status must be a whole number from 100 to 599", level + 1)
  end
  if plan.times ~= nil and not is_whole(plan.times, 1) then
    error("fail_next: times must be a whole number, 1 or more", level + 1)
  end
  if plan.body ~= nil and type(plan.body) ~= "string" then
    error("fail_next: body must be a string", level + 1)
  end
  if plan.headers ~= nil and type(plan.headers) ~= "table" then
    error("fail_next: headers must be a table of values by name", level + 1)
  end
  local headers = {}
  for name, value in pairs(plan.headers or { ["content-type"] = plan.body and "application/json;charset=UTF-8" }) do
    headers[tostring(name):lower()] = tostring(value)
  end
  return { status = plan.status, body = plan.body or "", headers = headers, times = plan.times or 1 }
end

return M
