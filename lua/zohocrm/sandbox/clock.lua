--- The sandbox's clock: the real one, or one that stands still until it is moved.
-- @module zohocrm.sandbox.clock

local Clock = {}
Clock.__index = Clock

local M = {}

--- Makes a clock.
---@param start number? epoch seconds at which it stands; default: it runs with `os.time`
---@return table clock
function M.new(start)
  return setmetatable({ frozen = start, ahead = 0 }, Clock)
end

--- Now.
---@return number epoch seconds
function Clock:now()
  return self.frozen or os.time() + self.ahead
end

--- Stops the clock at a time.
---@param epoch number seconds
function Clock:set(epoch)
  self.frozen = epoch
end

--- Moves the clock on; a running clock keeps running.
---@param seconds number
function Clock:advance(seconds)
  if self.frozen then
    self.frozen = self.frozen + seconds
  else
    self.ahead = self.ahead + seconds
  end
end

return M
