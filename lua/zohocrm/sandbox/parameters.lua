--- Checks of query parameters; a bad one ends the request with the reference's error.
-- @module zohocrm.sandbox.parameters

local answers = require("zohocrm.sandbox.answers")
local json = require("zohocrm.sandbox.json")

local M = {}

--- The names of a comma separated parameter.
---@param text string?
---@return string[]? names without blanks around them; nil where the parameter is absent or empty
function M.split(text)
  local names = {}
  for name in (text or ""):gmatch("[^,]+") do
    name = name:match("^%s*(.-)%s*$")
    if name ~= "" then
      names[#names + 1] = name
    end
  end
  return #names > 0 and names or nil
end

--- A list as a set.
---@param names string[]
---@return table<string, boolean>
function M.set(names)
  local set = {}
  for _, name in ipairs(names) do
    set[name] = true
  end
  return set
end

--- A whole number from 1 on.
---@param query table<string, string>
---@param name string
---@return integer? value nil where the parameter is absent
function M.positive(query, name)
  local text = query[name]
  if text == nil then
    return nil
  end
  if not text:find("^%d+$") or #text > 9 or tonumber(text) < 1 then
    answers.refuse(400, "PATTERN_NOT_MATCHED", { param_name = name })
  end
  return tonumber(text, 10)
end

--- Most records in one answer.
M.PER_PAGE_MAX = 200

--- `page` and `per_page`.
---@param query table<string, string>
---@return integer page default 1
---@return integer per_page default 200
function M.paging(query)
  local page, per_page = M.positive(query, "page"), M.positive(query, "per_page")
  if per_page and per_page > M.PER_PAGE_MAX then
    -- The documents give only the maximum, not the error; clamping would hide a mistake.
    answers.refuse(400, "INVALID_DATA", { param_name = "per_page", limit = M.PER_PAGE_MAX })
  end
  return page or 1, per_page or M.PER_PAGE_MAX
end

--- A parameter with a fixed set of values.
---@param query table<string, string>
---@param name string
---@param supported string[]
---@return string? value nil where the parameter is absent
function M.one_of(query, name, supported)
  local value = query[name]
  if value == nil then
    return nil
  end
  for _, candidate in ipairs(supported) do
    if value == candidate then
      return value
    end
  end
  answers.refuse(400, "INVALID_DATA", { param_name = name, supported_values = json.array(supported) })
end

--- `ids`: at most 100 of them, each of digits.
---@param query table<string, string>
---@return string[]? ids nil where the parameter is absent
function M.ids(query)
  local ids = M.split(query.ids)
  if not ids then
    return nil
  end
  for _, id in ipairs(ids) do
    if not id:find("^%d+$") then
      answers.refuse(400, "INVALID_DATA", { param_name = "ids", id = id }, "the id given seems to be invalid")
    end
  end
  if #ids > 100 then
    answers.refuse(400, "LIMIT_EXCEEDED", { param_name = "ids", limit = 100 })
  end
  return ids
end

--- Most names in `fields`.
M.FIELDS_MAX = 50

--- `fields`.
---@param query table<string, string>
---@param required boolean
---@return string[]? names nil where the parameter is absent
function M.fields(query, required)
  local names = M.split(query.fields)
  if not names then
    if required then
      answers.refuse(400, "REQUIRED_PARAM_MISSING", { param_name = "fields" })
    end
    return nil
  end
  if #names > M.FIELDS_MAX then
    answers.refuse(400, "LIMIT_EXCEEDED", { param_name = "fields", limit = M.FIELDS_MAX })
  end
  return names
end

return M
