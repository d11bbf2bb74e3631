--- Free loopback ports.
-- @module zohocrm.sandbox.server.ports

local M = {}

-- Below the range from which Linux takes the local ports of outgoing connections (32768 and up).
local FIRST, COUNT = 20000, 12000
local TIME_WAIT = "06"

-- Port numbers in use by any TCP socket, or nil where the system has no /proc/net/tcp.
local function in_use()
  local used
  for _, name in ipairs { "/proc/net/tcp", "/proc/net/tcp6" } do
    local file = io.open(name)
    if file then
      used = used or {}
      for line in file:lines() do
        local port, state = line:match("^%s*%d+: %x+:(%x+) %x+:%x+ (%x+)")
        -- nginx binds with SO_REUSEADDR, to which a connection in TIME_WAIT is no obstacle
        if port and state ~= TIME_WAIT then used[tonumber(port, 16)] = true end
      end
      file:close()
    end
  end
  return used
end

--- Whether a port is taken, as far as the system tells (`false` where it does not: binding will show).
---@param port integer
---@return boolean
function M.is_taken(port)
  local used = in_use()
  return used ~= nil and used[port] == true
end

-- A sequence of our own: the caller's math.random stays as the caller seeded it.
local state

local function next_candidate(salt)
  state = state or (salt * 7919 + os.time() + math.floor(os.clock() * 1e6)) % 2147483647
  state = (state * 16807 + 11) % 2147483647
  return FIRST + state % COUNT
end

--- Chooses ports that are free now. Somebody else may still be faster: be ready to ask again.
---@param count integer how many, all different
---@param salt integer any number that differs between processes, such as the process id
---@return integer[]
function M.choose(count, salt)
  local used, chosen = in_use() or {}, {}
  for _ = 1, COUNT do
    if #chosen == count then return chosen end
    local port = next_candidate(salt)
    if not used[port] then
      used[port] = true
      chosen[#chosen + 1] = port
    end
  end
  error(("found no %d free loopback ports between %d and %d"):format(count, FIRST, FIRST + COUNT - 1))
end

return M
