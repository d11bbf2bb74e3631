--- A number for a place: deterministic noise, the same on every Lua.
--
-- Not a sequence but a function of (seed, stream, index), so that any value of any record can be had without the ones
-- before it. All products stay below 2^53: doubles and 64-bit integers agree on every step.
--
-- @module zohocrm.sandbox.random

local M = {}

local PRIME = 67108859 -- the largest prime below 2^26: a square fits a double exactly

--- Noise for a place.
---@param seed integer
---@param stream integer which property of a record
---@param index integer which record; may be negative
---@return integer at least 0 and below 67108859
local function noise(seed, stream, index)
  -- Squaring breaks the straight lines that a linear generator draws through neighbouring indices.
  local x = (seed * 7919 + stream * 104729 + index * 40503 + 12345) % PRIME
  x = (x * x + stream * 31 + 7) % PRIME
  x = (x * x + (index % PRIME) * 17 + 11) % PRIME
  return (x * x + seed + 13) % PRIME
end
M.noise = noise

--- A whole number from 0 to n - 1 for a place.
---@param n integer
---@param seed integer
---@param stream integer
---@param index integer
---@return integer
function M.below(n, seed, stream, index)
  return math.floor(noise(seed, stream, index) / PRIME * n)
end

--- A hash of a text, for fingerprints that need no secrecy.
---@param text string
---@return string 16 hexadecimal digits
function M.fingerprint(text)
  local a, b = 5381, 52711
  for i = 1, #text do
    local byte = text:byte(i)
    a = (a * 33 + byte) % 4294967291
    b = (b * 131 + byte * 7 + 3) % 4294967279
  end
  return ("%08x%08x"):format(a, b)
end

return M
