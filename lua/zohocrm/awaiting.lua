--- What tasks wait for, found by asking them; and the sleep until some of it may have come.

local nginx = require "zohocrm.hosts.nginx"
local one_of = require "zohocrm.hosts.any"
local raise = require "zohocrm.raise"

local M = {}

-- Seconds that are slept where tasks wait for several clients, each of which has sockets of its own.
M.SLICE = 0.002

--- Several tasks, as something to wait for.
---@class zohocrm.TaskList: zohocrm.TaskState[]
---@field own zohocrm.TaskState[]|nil those that were made to be waited for here: cancelled with who waits
local List = {}
List.__index = List
M.List = List

--- Whether all of them are done.
function List:ready()
  for i = 1, #self do
    if self[i].co then
      return false
    end
  end
  return true
end

local add_awaited

local function add_awaited_by_list(list, clients, seen)
  for _, task in ipairs(list) do
    if task.co and not seen[task.scheduler] then
      add_awaited(task.scheduler, clients, seen)
    end
  end
end

-- Gathers the clients that tasks wait for, there and where their tasks wait for others; and for what they wait. Notes
-- one that an event loop moves on.
function add_awaited(scheduler, clients, seen)
  seen[scheduler] = true
  if scheduler.client and scheduler.client.loop then
    clients.looped = scheduler.client
  end
  local task = scheduler.first
  for _ = 1, scheduler.torn and 0 or scheduler.live do -- who moves it on mends it first
    local client = task.waits_on
    if client then
      clients.awaited[#clients.awaited + 1] = task.waits_for
      if not seen[client] then
        seen[client], clients[#clients + 1] = true, client
        clients.looped = client.loop and client or clients.looped
      end
    elseif getmetatable(task.waits_for) == List then
      add_awaited_by_list(task.waits_for, clients, seen)
    elseif nginx.serves and coroutine.status(task.co) ~= "suspended" then
      clients.busy = true -- it waits for something of nginx's, and another thread of the request moves it on
    end
    task = task.next
  end
end

--- Sleeps until something may have come.
---@param clients table from `of` or `of_list`
function M.sleep(clients)
  if nginx.serves and clients.awaited[1] then
    return nginx.pause(clients[1], one_of(clients.awaited)) -- each of the others has its own timer
  elseif clients.busy then
    return nginx.give_way()
  elseif not clients[1] then
    raise("the tasks wait for each other, and would for ever")
  end
  for _, client in ipairs(clients) do
    if not client.core:closed() then
      client.poll(clients[2] and M.SLICE / #clients or 1)
    end
  end
end

--- Lets others of an event loop go on, where there is one to wait in, until something may have come.
---@param clients table from `of` or `of_list`
---@param worked boolean whether tasks went on just now, so that they may at once go on further
---@return boolean slept whether there is one
function M.sleep_in_loop(clients, worked)
  local client = clients.looped
  if not client or not client.loop:serves() then
    return false
  end
  for _, other in ipairs(clients) do
    if not other.loop then
      client.loop:ensure(other) -- lest it stood still meanwhile
    end
  end
  if worked then
    client.loop:give_way(client)
  elseif clients.awaited[1] then
    client.loop:pause(client, one_of(clients.awaited))
  end
  return worked or clients.awaited[1] ~= nil
end

--- The clients that a scheduler's tasks wait for.
---@param scheduler zohocrm.Scheduler
---@return table clients an array of private parts; `awaited`: for what
function M.of(scheduler)
  local clients = { awaited = {} }
  add_awaited(scheduler, clients, {})
  return clients
end

--- The same for the tasks of a list, and all that belong to their schedulers.
---@param list zohocrm.TaskList
---@return table clients
function M.of_list(list)
  local clients = { awaited = {} }
  add_awaited_by_list(list, clients, {})
  return clients
end

return M
