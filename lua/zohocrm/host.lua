--- The one place that waits. How, depends on where the caller runs: a task yields to its scheduler, a handler in nginx
--- and a coroutine of an event loop are parked, everyone else sleeps.

local one_of = require "zohocrm.hosts.any"
local blocking = require "zohocrm.hosts.blocking"
local in_nginx = require "zohocrm.hosts.in_nginx"
local lazily = require "zohocrm.lazily"
local task = require "zohocrm.hosts.task"

local nginx = in_nginx.serves and require "zohocrm.hosts.nginx" or lazily.module "zohocrm.hosts.nginx"

local M = {}

-- What waits where no task can.
local bottom = in_nginx.serves and nginx or blocking

-- The loop in which a client's calls are waited for, here; nil: none. What a task resumes is not the loop's.
local function loop_of(client)
  return client.loop and not task.current() and client.loop or nil
end

-- Waits a while, where it is not a task's own coroutine that waits.
local function pause(client, object)
  local loop = loop_of(client)
  if loop then
    loop:pause(client, object)
  else
    bottom.pause(client, object)
  end
end

--- Raises where a call could never be waited for.
---@param client table the client's private part
function M.check(client)
  if in_nginx.serves then
    nginx.check()
  end
  local loop = loop_of(client)
  if loop then
    loop.adapter.check()
  end
end

--- Waits until a call is ready.
---
--- A task gives way also where the answer is there already: so that others have their turn, and the scheduler decodes
--- it in pieces.
---@param client table the client's private part
---@param call userdata the core's call
function M.wait(client, call)
  repeat
    if task.here() then
      task.pause(client, call, true)
    elseif not call:ready() then
      pause(client, call)
    end
  until call:ready()
end

--- Waits until one of several calls is ready.
---@param client table the client's private part
---@param calls userdata[] not empty
---@return integer position of the first that is ready
function M.wait_any(client, calls)
  local any = one_of(calls)
  local position = any:ready()
  while not position do
    if task.here() then
      task.pause(client, any)
    else
      pause(client, any)
    end
    position = any:ready()
  end
  return position
end

--- Gives way where the step of a frame loop has no time left, see `zohocrm.hosts.task`.
M.breathe = task.breathe

--- Whether such a step is under way, which looks at the network by itself.
---@return boolean
function M.paced()
  return task.ends_at ~= nil
end

--- Notes that a call has started. If it is a task's, it ends with the task.
---@param client table the client's private part
---@param call userdata the core's call
function M.started(client, call)
  if in_nginx.serves then
    nginx.started(client)
  elseif client.loop then
    client.loop:started(client)
  end
  local owner = task.current()
  if owner then
    owner.calls = owner.calls or setmetatable({}, { __mode = "k" })
    owner.calls[call] = true
  end
end

return M
