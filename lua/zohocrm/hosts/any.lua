--- Several things to wait for, of which one is enough.

---@class zohocrm.Any
local Any = {}
Any.__index = Any

--- Position of the first that is ready; nil when none is.
---@return integer|nil
function Any:ready()
  for i = 1, #self do
    if self[i]:ready() then
      return i
    end
  end
  return nil
end

--- Gives all of them up.
function Any:cancel()
  for i = 1, #self do
    self[i]:cancel()
  end
end

--- Makes a list one such thing.
---@param list table an array of what has `ready` and `cancel`, such as calls of the core
---@return zohocrm.Any the same table
return function(list)
  return setmetatable(list, Any)
end
