--- Asserts that a function raises, with the position in front: luassert's own error_matches takes that away first.

local assert = require("luassert")

--- @param f function
--- @param pattern string of the whole message, position included
--- @return string message
return function(f, pattern)
  local fine, message = pcall(f)
  assert.is_false(fine, "nothing was raised")
  assert.matches(pattern, message)
  return message
end
