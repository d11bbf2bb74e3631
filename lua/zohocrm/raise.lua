--- Raises a caller's mistake at the caller's own line, however deep in the library it is noticed.

local HERE = debug.getinfo(1, "S").source:match("^(.*[/\\])[^/\\]*$") or "@"

--- Raises `message` with the position of the innermost function that is not part of this library.
---@param message string
local function raise(message)
  local level = 2
  while true do
    local info = debug.getinfo(level, "S")
    if not info then
      error(message, 0)
    end
    if info.what ~= "C" and info.what ~= "tail" and info.source:sub(1, #HERE) ~= HERE then
      error(message, level)
    end
    level = level + 1
  end
end

return raise
