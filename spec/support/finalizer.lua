--- An object whose finalizer is a function, on any Lua.
---
---     finalizer(function() … end) -- called when the collector finds that nobody has kept what this gave
if _VERSION ~= "Lua 5.1" then
  return function(f) return setmetatable({}, { __gc = f }) end
end
return function(f)
  local proxy = newproxy(true) -- luacheck: ignore 113
  getmetatable(proxy).__gc = f
  return proxy
end
