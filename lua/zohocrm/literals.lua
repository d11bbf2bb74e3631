--- What callers compare fields with, as the values of conditions: `{ kind =, text = }`, the text neither quoted nor
--- escaped.

local core = require "zohocrm.core"
local expression = require "zohocrm.expression"
local raise = require "zohocrm.raise"
local values = require "zohocrm.values"

local M = {}

local number_type = rawget(math, "type") -- Lua 5.3 and later

-- Decimal digits without an exponent, which neither language has. Only small fractions come with one.
local function positional(text)
  local sign, whole, fraction, exponent = text:match("^(%-?)(%d)%.?(%d*)e%-(%d+)$")
  if not sign then
    return text
  end
  return sign .. "0." .. ("0"):rep(tonumber(exponent) - 1) .. whole .. fraction
end

-- The shortest digits that read back as the same number, in any locale. Past 2^53 a double is no longer the number that
-- was written: an id would ask for another record.
local function number_text(x, what)
  if x ~= x or x == math.huge or x == -math.huge then
    raise(("%s is %s, which is no number to search for"):format(what, tostring(x)))
  elseif number_type and number_type(x) == "integer" then
    return ("%d"):format(x)
  elseif math.abs(x) > 2 ^ 53 then
    raise(("%s is %.17g, more than a number holds to the last digit; write it as a string, "
      .. "\"7243485000000597000\""):format(what, x))
  elseif x % 1 == 0 then
    return ("%.0f"):format(x == 0 and 0 or x)
  end
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(x)
    if tonumber(text) == x or digits == 17 then
      return positional((text:gsub("[^%d%-+e]+", ".")))
    end
  end
end

local function string_text(text, what)
  if text == "" then
    raise(what .. " is an empty string, which no field holds; :is_empty() asks for that")
  end
  local json = core.encode(text)
  if not json then
    raise(what .. " is not UTF-8; convert the text before asking for it")
  end
  return text
end

local readers = {}

function readers.string(value, what)
  return { kind = "string", text = string_text(value, what) }
end

function readers.number(value, what)
  return { kind = "number", text = number_text(value, what) }
end

function readers.boolean(value)
  return { kind = "boolean", text = tostring(value) }
end

-- A date or time; or a record or lookup, which stands for its id.
function readers.table(value, what)
  local kind = values.kind(value)
  if kind then
    return { kind = kind, text = tostring(value) }
  elseif not expression.is(value) then
    local id = value.id
    if type(id) == "string" and id ~= "" then
      return { kind = "string", text = string_text(id, what .. ".id") }
    elseif value[1] ~= nil then
      raise(what .. " is an array; :in_{…} takes many values")
    end
  end
  raise(what .. " is a table that is neither a date, a time nor a record with an id")
end

--- Reads a value. Raises at the caller's line where it can be none.
---@param value any string, number, boolean, date, time, or a record or lookup, which stands for its id
---@param what string begins the message
---@return table value `{ kind = "string" | "number" | "boolean" | "date" | "datetime", text = }`
function M.read(value, what)
  local read = readers[type(value)]
  if not read then
    raise(value == nil and what .. " is nil; :is_empty() asks for what has no value"
      or value == core.null and what .. " is zohocrm.null; :is_empty() asks for what has no value"
      or ("%s is a %s, not a string, number, boolean, date, time or record"):format(what, type(value)))
  end
  return read(value, what)
end

return M
