--- Arithmetic with record ids, which are whole numbers of up to 20 digits and more than a double can hold: enough to
--- cut a range of them into parts. An id is a pair of numbers below 10^10, each exact.

local M = {}

local BASE, DIGITS = 1e10, 10

--- The pair of an id.
---@param id string
---@return number|nil high nil: it is no number of at most 20 digits
---@return number low
local function read(id)
  if type(id) ~= "string" or not id:find("^%d+$") or #id > 2 * DIGITS then
    return nil, 0
  end
  return tonumber(id:sub(1, -DIGITS - 1)) or 0, tonumber(id:sub(-DIGITS), 10)
end

local function write(high, low)
  return high > 0 and ("%.0f%010.0f"):format(high, low) or ("%.0f"):format(low)
end

--- Whether an id can be calculated with.
---@param id any
---@return boolean
function M.is_number(id)
  return read(id) ~= nil
end

--- Whether one id is below another.
---@param a string
---@param b string
---@return boolean
function M.is_below(a, b)
  local a_high, a_low = read(a)
  local b_high, b_low = read(b)
  return a_high < b_high or a_high == b_high and a_low < b_low
end

-- The pair of b - a.
local function difference(a, b)
  local a_high, a_low = read(a)
  local b_high, b_low = read(b)
  local high, low = b_high - a_high, b_low - a_low
  if low < 0 then
    high, low = high - 1, low + BASE
  end
  return high, low
end

--- How many ids lie between two, roughly.
---@param a string
---@param b string not below a
---@return number
function M.distance(a, b)
  local high, low = difference(a, b)
  return high * BASE + low
end

--- An id on the way from one to another.
---@param a string
---@param b string not below a
---@param part integer
---@param parts integer at most 1000
---@return string id a + (b - a) * part / parts, rounded down
function M.between(a, b, part, parts)
  local high, low = difference(a, b)
  -- the quotient and the rest first, so that nothing passes 2^53
  local high_quotient = math.floor(high / parts)
  local carried = (high - high_quotient * parts) * BASE + low
  local low_quotient = math.floor(carried / parts)
  local rest = carried - low_quotient * parts
  local a_high, a_low = read(a)
  local sum_low = low_quotient * part + math.floor(rest * part / parts) + a_low
  local carry = math.floor(sum_low / BASE)
  return write(a_high + high_quotient * part + carry, sum_low - carry * BASE)
end

return M
