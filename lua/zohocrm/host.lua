--- The one place that waits. A host says how; this is the blocking one, for scripts and the REPL.

local M = {}

-- Far above any single sleep of the core, which wakes by itself; only a bound for one round.
local ROUND = 1

--- Waits until a call is ready.
---@param poll fun(seconds: number) moves all calls on, waits at most so long (see `zohocrm.transport`)
---@param call userdata the core's call
function M.wait(poll, call)
  while not call:ready() do
    poll(ROUND)
  end
end

--- Waits until one of several calls is ready.
---@param poll fun(seconds: number) moves all calls on, waits at most so long (see `zohocrm.transport`)
---@param calls userdata[] not empty
---@return integer position of the first that is ready
function M.wait_any(poll, calls)
  while true do
    for i = 1, #calls do
      if calls[i]:ready() then
        return i
      end
    end
    poll(ROUND)
  end
end

return M
