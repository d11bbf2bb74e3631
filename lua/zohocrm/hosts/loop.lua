--- Waiting in an event loop: what the loops of luv, cqueues and copas have in common.
---
--- A client's core keeps all that libcurl waits for, sockets and timers, behind one descriptor. The loop watches that
--- while there is anything to wait for, and moves the client on when it is readable: its calls, its tasks, and then
--- the coroutines that were parked here and whose wait is over. Nothing is looked at in between.

local lazily = require "zohocrm.lazily"
local nginx = require "zohocrm.hosts.nginx"
local raise = require "zohocrm.raise"
local schedulers = require "zohocrm.scheduler"
local task = require "zohocrm.hosts.task"

local M = {}

-- Seconds that tasks may take before the loop has its turn again.
local BUDGET = 0.002

--- What makes a library's loop one of ours.
---@class zohocrm.LoopAdapter
---@field runs boolean|nil `block` runs the loop itself
---@field check fun() raises where a call could never be waited for
---@field can_park fun(): boolean whether the loop can go on with others while the code that runs now waits
---@field park fun(waiter: zohocrm.loop.Waiter) waits until `wake` was called for it
---@field wake fun(waiter: zohocrm.loop.Waiter)
---@field block fun(client: table, object: table|userdata) waits a while where nothing can be parked
---@field watch fun(loop: zohocrm.Loop, client: table, fd: integer) makes the loop call `loop:tick(client)` whenever the
--- descriptor is readable, until that gives false; does nothing where it does already

--- Who waits.
---@class zohocrm.loop.Waiter
---@field client table the private part of the client it waits for
---@field object table|userdata it goes on when `object:ready()`
---@field co thread that is to be resumed: where coroutines are nested by `zohocrm.coroutine`, the outermost
---@field woken boolean|nil
---@field failure table|nil `{ error }`: what is to be raised

---@class zohocrm.Loop
---@field adapter zohocrm.LoopAdapter
---@field waiters zohocrm.loop.Waiter[]
---@field schedulers table a set, weak, of those whose tasks it moves on
---@field stepping table|nil the client in whose tick tasks have their turn just now
local Loop = {}
Loop.__index = Loop

local ALWAYS = { ready = function() return true end }

-- Wakes those whose wait is over, oldest first, in a tick of this client.
local function wake(self, client)
  local staying, leaving = {}, {}
  for _, waiter in ipairs(self.waiters) do
    local list = (waiter.failure or waiter.object:ready()) and leaving or staying
    list[#list + 1] = waiter
  end
  self.waiters = staying
  for _, waiter in ipairs(leaving) do
    self.adapter.wake(waiter)
    if waiter.client ~= client then
      waiter.client.core:rouse() -- so that its own tick sees that nobody waits any more
    end
  end
end

-- Lets all tasks go on that can, in a tick of this client.
local function step_tasks(self, client)
  local list = {}
  for scheduler in pairs(self.schedulers) do
    list[#list + 1] = scheduler.live > 0 and scheduler or nil
  end
  for _, scheduler in ipairs(list) do
    self.stepping = client
    schedulers.step(scheduler, BUDGET)
    self.stepping = nil
    if schedulers.eager(scheduler) then
      scheduler.client.core:rouse()
    end
  end
end

local function awaits(self, client)
  for _, waiter in ipairs(self.waiters) do
    if waiter.client == client then
      return true
    end
  end
  return false
end

-- Whether there is anything left to wait for.
local function remains(self, client)
  local own = self.schedulers[client.scheduler] and client.scheduler
  if client.core:closed() then
    return awaits(self, client) or own and schedulers.eager(own) or false
  end
  return client.moving or own and own.live > 0 or awaits(self, client)
end

-- Moves a client and all tasks on. Gives whether there is anything left to wait for.
local function advance(self, client)
  local core = client.core
  if not core:closed() then
    client.moving = client.poll(0) > 0
    core:attend()
  end
  step_tasks(self, client)
  wake(self, client)
  return remains(self, client)
end

--- What the loop does when a client's descriptor is readable.
---@param client table the client's private part
---@return boolean more it is to be watched further
function Loop:tick(client)
  local fine, more = pcall(advance, self, client)
  if fine then
    return more
  end
  self.stepping = nil
  local met = false
  for _, waiter in ipairs(self.waiters) do
    if waiter.client == client then
      waiter.failure, met = { more }, true
    end
  end
  if not met then
    error(more, 0)
  end
  wake(self, client)
  client.core:rouse() -- what the error kept from going on
  return remains(self, client)
end

--- Makes sure that the client is moved on, wherever that can be.
---@param client table the client's private part
function Loop:ensure(client)
  local fd = client.core:fd()
  if fd then
    client.in_loop = true
    self.adapter.watch(self, client, fd)
  end
end

--- Notes that a call of the client has started.
---@param client table the client's private part
function Loop:started(client)
  client.moving = true
  self:ensure(client)
end

--- Notes that a task of the client has ended.
---@param client table the client's private part
function Loop:ended(client)
  if self.stepping ~= client then
    self:changed(client)
  end
end

--- Notes that the client has a task that could go on, or that somebody's wait may be over.
---@param client table the client's private part
function Loop:changed(client)
  self:ensure(client)
  client.core:rouse()
end

--- Whether waiting here lets others go on.
---@return boolean
function Loop:serves()
  return self.adapter.runs or self.adapter.can_park()
end

--- Waits until something is ready, or for a while: who waits has to look again.
---@param client table the client's private part
---@param object table|userdata it is awaited that `object:ready()`
function Loop:pause(client, object)
  self:ensure(client)
  if not self.adapter.can_park() then
    return self.adapter.block(client, object)
  end
  local co = coroutine.running()
  local waiter = { client = client, object = object, co = co }
  self.waiters[#self.waiters + 1] = waiter
  task.parked[co] = waiter
  self.adapter.park(waiter)
  task.parked[co] = nil
  if waiter.failure then
    error(waiter.failure[1], 0)
  end
end

--- Lets others go on for a moment.
---@param client table the client's private part
function Loop:give_way(client)
  if self.adapter.can_park() then
    client.core:rouse()
    self:pause(client, ALWAYS)
  elseif self.adapter.runs then
    local looks = 0
    client.core:rouse()
    self:pause(client, { ready = function()
      looks = looks + 1
      return looks > 1
    end })
  end
end

-- name -> what is needed for it
local libraries = {
  luv = "Debian: apt install lua-luv; LuaRocks: luarocks install luv",
  cqueues = "Debian: apt install lua-cqueues; LuaRocks: luarocks install cqueues",
  copas = "Debian: apt install lua-copas, for LuaJIT only; LuaRocks: luarocks install copas",
}

local loops = {}

--- The loop of a library, of which there is one in a Lua state. A library that is missing raises.
---@param name string "luv", "cqueues" or "copas"
---@return zohocrm.Loop
function M.open(name)
  if nginx.serves then
    raise(('zohocrm.new: host = "%s" cannot be used in nginx, whose own loop is taken by itself'):format(name))
  end
  if not loops[name] then
    local found, refusal = pcall(require, name)
    if not found then
      local absent = tostring(refusal):find(("module '%s' not found"):format(name), 1, true)
      raise(('zohocrm.new: host = "%s" needs the library %s, which %s'):format(name, name,
        absent and ("%s does not find (%s)"):format(rawget(_G, "jit") and "LuaJIT" or _VERSION, libraries[name])
        or "cannot be loaded: " .. tostring(refusal)))
    end
    loops[name] = setmetatable({
      adapter = lazily.require("zohocrm.hosts." .. name), waiters = {}, schedulers = setmetatable({}, { __mode = "k" }),
    }, Loop)
  end
  return loops[name]
end

return M
