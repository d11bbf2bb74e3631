--- The patterns of `like`: `%` stands for any run of characters, also for none; every other character for itself.
--
-- Documented are `%` at either end (starts with, ends with, contains). Whether `_` is a wildcard and whether either can
-- be escaped no document says: here `_` is an ordinary character and nothing escapes a `%`.
--
-- @module zohocrm.sandbox.like

local text = require("zohocrm.sandbox.text")

local M = {}

-- The pieces between the wildcards must follow one another between the fixed beginning and the fixed end. Taking each
-- as early as possible is enough, so nothing is ever tried twice.
local function follows(value, pieces, from, last)
  for i = 2, #pieces - 1 do
    local _, found = value:find(pieces[i], from, true)
    if not found or found > last then
      return false
    end
    from = found + 1
  end
  return true
end

--- Makes the test of a pattern, capital and small letters alike.
---@param pattern string
---@return fun(value: string): boolean matches takes a folded text (see `zohocrm.sandbox.text`)
function M.matcher(pattern)
  local pieces = {}
  for piece in (text.fold(pattern) .. "%"):gmatch("([^%%]*)%%") do
    -- Wildcards side by side are one: only the first and the last piece may be empty.
    if piece ~= "" or #pieces == 0 then
      pieces[#pieces + 1] = piece
    end
  end
  if pattern:sub(-1) == "%" then
    pieces[#pieces + 1] = ""
  end
  local head, tail = pieces[1], pieces[#pieces]
  if #pieces == 1 then
    return function(value)
      return value == head
    end
  end
  return function(value)
    local last = #value - #tail
    return #head <= last
      and value:sub(1, #head) == head
      and value:sub(last + 1) == tail
      and follows(value, pieces, #head + 1, last)
  end
end

return M
