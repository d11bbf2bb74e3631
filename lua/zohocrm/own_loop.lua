--- The client in a loop of one's own: what to watch, for how long, and what to do then.
---
---     crm:spawn(function() … end)                       -- tasks: they never block
---     while … do
---       local ready = wait(crm:fds(), crm:timeout())    -- select, poll, epoll, kqueue, …
---       crm:poll(0)
---     end

local awaiting = require "zohocrm.awaiting"
local host = require "zohocrm.hosts.task"
local nginx = require "zohocrm.hosts.nginx"
local raise = require "zohocrm.raise"
local schedulers = require "zohocrm.scheduler"

local M = {}

-- The client and those that its tasks wait for, where they are open.
local function watched(client)
  if nginx.serves then
    raise("fds, timeout and poll are for loops of one's own; in nginx calls wait by themselves")
  end
  local list = {}
  list[1] = not client.core:closed() and client or nil
  for _, other in ipairs(awaiting.of(schedulers.of(client))) do -- whom its tasks wait for
    list[#list + 1] = other ~= client and not other.core:closed() and other or nil
  end
  return list
end

--- Adds the methods for loops of one's own to the client.
---@param Client zohocrm.Client
---@param client_of fun(self: table, method: string): table
function M.install(Client, client_of)
  --- The descriptors to watch: when one is ready, call `crm:poll(0)`. There is one for the client, behind which the
  --- core keeps all its sockets and timers, so that it stays the same over the client's life (but for a fork); and one
  --- more for each other client that its tasks wait for just now. The first call opens it.
  ---@return table[] list of `{ fd = integer, read = boolean, write = boolean }`; empty for a closed client
  function Client:fds()
    local list = {}
    for i, client in ipairs(watched(client_of(self, "fds"))) do
      list[i] = { fd = client.core:fd(), read = true, write = false }
    end
    return list
  end

  --- How long the loop may sleep at most before it calls `crm:poll(0)`, if no descriptor is ready before.
  ---@return number|nil seconds 0: a task can go on at once; nil: nothing happens by the clock alone
  function Client:timeout()
    local client = client_of(self, "timeout")
    local least
    for _, other in ipairs(watched(client)) do
      other.core:fd()
      local seconds = other.core:timeout()
      least = seconds and math.min(seconds, least or seconds) or least
    end
    return schedulers.eager(schedulers.of(client)) and 0 or least
  end

  --- Moves the client's requests and tasks on, as `crm:step()`; before that it waits, if it may.
  ---@param seconds? number to wait at most while nothing can go on; default 0: it never waits
  ---@return integer live how many tasks are not done
  ---@return zohocrm.Task|nil failed see `crm:step`
  function Client:poll(seconds)
    local client = client_of(self, "poll")
    if seconds ~= nil and (type(seconds) ~= "number" or seconds ~= seconds or seconds < 0) then
      raise(("poll takes a number of seconds, 0 or more, not %s"):format(tostring(seconds)))
    end
    if host.current() then
      raise("poll cannot be called from inside a task: to let others go on, coroutine.yield()")
    end
    local clients = watched(client)
    if seconds and seconds > 0 and not schedulers.eager(schedulers.of(client)) then
      for _, other in ipairs(clients) do
        other.poll(math.min(seconds, clients[2] and awaiting.SLICE / #clients or seconds))
      end
    end
    if clients[1] == client and not client.loop then
      client.poll(0) -- also where no task has it moved on
      client.core:attend()
    end
    return self:step()
  end
end

return M
