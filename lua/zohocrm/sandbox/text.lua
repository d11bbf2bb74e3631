--- Comparing texts as a search does: case aside.
-- @module zohocrm.sandbox.text

local M = {}

local function lower_latin1(byte)
  -- U+00D7, the multiplication sign, sits among the capital letters.
  return byte == "\151" and "\195\151" or "\195" .. string.char(byte:byte() + 32)
end

--- A text without the difference between capital and small letters, for ASCII and Latin-1 (À to Þ).
---@param value string UTF-8
---@return string
function M.fold(value)
  value = value:lower()
  if value:find("\195", 1, true) then
    value = value:gsub("\195([\128-\158])", lower_latin1)
  end
  return value
end

--- The number of characters of a text.
---@param value string UTF-8
---@return integer
function M.length(value)
  local _, continuation = value:gsub("[\128-\191]", "")
  return #value - continuation
end

return M
