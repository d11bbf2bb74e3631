--- lua-cjson as the oracle of the decoder: what both must agree on, and the list of where they need not.
local M = {}

local core = require("zohocrm.core")
local cjson = require("cjson").new()

local has_integers = _VERSION ~= "Lua 5.1"
local EXACT = 2 ^ 53

cjson.decode_invalid_numbers(false)

--- lua-cjson's decoder, as strict as it can be.
M.decode = cjson.decode

--- What lua-cjson decodes, in the form that answers have here: nulls are absent, whole numbers integers.
---@param value any
---@return any
function M.settled(value)
  if value == cjson.null then return nil end
  if type(value) == "number" and has_integers and value == math.floor(value) and math.abs(value) < EXACT then
    return math.tointeger(value) -- luacheck: ignore 143
  end
  if type(value) ~= "table" then return value end
  local made = {}
  for key, inner in pairs(value) do made[key] = M.settled(inner) end
  return made
end

--- Whether two decoded values are the same. lua-cjson's 64-bit integers are doubles: as near as these come.
---@param expected any
---@param value any
---@return boolean
function M.equal(expected, value)
  if type(expected) ~= "table" then
    if has_integers and math.type(expected) ~= math.type(value) then -- luacheck: ignore 143
      return type(value) == "number" and math.abs(expected) >= EXACT and expected == value + 0.0
    end
    return expected == value
  end
  if type(value) ~= "table" then return false end
  for key, inner in pairs(expected) do
    if not M.equal(inner, value[key]) then return false end
  end
  for key in pairs(value) do
    if expected[key] == nil then return false end
  end
  return true
end

--- What lua-cjson takes although RFC 8259 forbids it. Each is a test of the text and of what is said about it here.
M.LENIENT = {
  { "a control character in a string", function(text, why) return why:find("a string without its end") and text:find('"[^"]*[\1-\31]') end },
  { "something after a NUL", function(text) return text:find("%z") end },
  { "a number that ends in a point", function(text, why) return why:find("no value") and (text .. " "):find("%d%.[^%d]") end },
  { "a number that begins with a point after its sign", function(text, why) return why:find("no value") and text:find("-%.%d") end },
  { "bytes that are not UTF-8", function(_, why) return why:find("^it is not UTF%-8") end },
  { "deeper nesting", function(_, why) return why:find("nested too deep") end },
}

--- What it refuses although the RFC allows it.
M.STRICT = {
  { "a byte order mark", function(text) return text:find("^\239\187\191") end },
}

local function is_listed(list, text, why)
  for _, difference in ipairs(list) do
    if difference[2](text, why) then return true end
  end
  return false
end

-- Of a repeated name the last value counts; but a null takes away nothing here.
local function may_null_a_name(text)
  return text:find("null", 1, true) and (text:find('"([^"]*)"%s*:.*"%1"%s*:') or text:find("\\u00", 1, true))
end

--- Decodes a text with both. Raises when they disagree, but for the listed differences.
---@param text string
---@return boolean both whether both took it
---@return any value what was decoded here
function M.compare(text)
  local theirs, expected = pcall(cjson.decode, text)
  local value, why = core.decode(text)
  if theirs and not why then
    if not M.equal(M.settled(expected), value) and not may_null_a_name(text) then
      error("it is decoded differently")
    end
    return true, value
  elseif theirs then
    if not is_listed(M.LENIENT, text, why) then error("it is refused here only: " .. why) end
  elseif not why and not is_listed(M.STRICT, text, why) then
    error("it is taken here only; lua-cjson: " .. expected)
  end
  return false, value
end

return M
