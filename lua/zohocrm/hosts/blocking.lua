--- Waiting in a script or the REPL: the thread sleeps until something comes.

local M = {}

-- Far above any single sleep of the core, which wakes by itself; only a bound for one round.
local ROUND = 1

--- Waits a while, at most until something has moved.
---@param client table the client's private part
function M.pause(client)
  client.poll(ROUND)
end

return M
