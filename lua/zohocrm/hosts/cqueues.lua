--- cqueues' controllers, of which there may be several, also one in the other: in each in which the client is used, a
--- coroutine moves it on while there is anything to wait for.
---
--- What a controller runs is parked. Everybody else waits like a script: outside of controllers, and in coroutines that
--- somebody else resumes (those of `zohocrm.coroutine` excepted).

local blocking = require "zohocrm.hosts.blocking"
local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local task = require "zohocrm.hosts.task"

local M = { block = blocking.pause }

-- controller -> the clients that are moved on in it
local driven = setmetatable({}, { __mode = "k" })

function M.check() end

function task.is_root()
  local _, here = cqueues.running()
  return here
end

function M.can_park()
  local controller, here = cqueues.running()
  return controller ~= nil and (here or task.nested[coroutine.running()] or false)
end

function M.park(waiter)
  waiter.condition = condition.new()
  repeat
    waiter.condition:wait()
  until waiter.woken
end

function M.wake(waiter)
  waiter.woken = true
  waiter.condition:signal()
end

local function drive(loop, client, fd, clients)
  local readable = { pollfd = fd, events = "r" }
  local fine, more
  repeat
    cqueues.poll(readable)
    fine, more = pcall(loop.tick, loop, client)
  until not (fine and more)
  clients[client], client.drivers = nil, client.drivers - 1
  cqueues.running():cancel(fd)
  if client.drivers > 0 then
    client.core:rouse() -- those of other controllers are to end, too
  end
  if not fine then
    error(more, 0)
  end
end

function M.watch(loop, client, fd)
  local controller = cqueues.running()
  if not controller then
    return
  end
  local clients = driven[controller] or {}
  driven[controller] = clients
  if not clients[client] then
    clients[client], client.drivers = true, (client.drivers or 0) + 1
    controller:wrap(drive, loop, client, fd, clients)
  end
end

return M
