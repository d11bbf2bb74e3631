--- The one place that waits. A host says how; this is the blocking one, for scripts and the REPL.

local M = {}

-- Far above any single sleep of the core, which wakes by itself; only a bound for one round.
local ROUND = 1

--- Waits until a call is ready.
---@param core userdata the core's client
---@param call userdata the core's call
function M.wait(core, call)
  while not call:ready() do
    core:poll(ROUND)
  end
end

--- Waits until one of several calls is ready.
---@param core userdata the core's client
---@param calls userdata[] not empty
---@return integer position of the first that is ready
function M.wait_any(core, calls)
  while true do
    for i = 1, #calls do
      if calls[i]:ready() then
        return i
      end
    end
    core:poll(ROUND)
  end
end

return M
