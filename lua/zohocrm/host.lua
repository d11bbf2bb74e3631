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

return M
