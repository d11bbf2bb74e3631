--- copas, which waits by luasocket's select. It has no timers that all its releases know; the client's descriptor
--- brings those along.
---
--- Any coroutine is taken for one of copas'. Outside of coroutines it is waited like in a script.

local blocking = require "zohocrm.hosts.blocking"
local copas = require "copas"
local socket = require "socket"

local M = { block = blocking.pause }

local isyieldable = coroutine.isyieldable -- luacheck: ignore 143 (not in 5.1)

-- Has a descriptor of its own, and never anything to say: for what select is to see by `dirty` alone.
local quiet = assert(socket.udp4())

--- Something that copas takes for a socket.
---@class zohocrm.copas.Source
---@field fd integer
---@field waiter zohocrm.loop.Waiter|nil it is readable when that is woken; without one, when the descriptor is
---@field asked boolean|nil
local Source = {}
Source.__index = Source

function Source:getfd()
  return self.fd
end

-- select's own question, before it looks at descriptors
function Source:dirty()
  return self.waiter ~= nil and self.waiter.woken == true
end

function Source:receive()
  local waiter = self.waiter
  self.asked = not self.asked
  if waiter and waiter.woken or not waiter and not self.asked then
    return true
  end
  return nil, "timeout", ""
end

function Source.settimeout() return 1 end

-- copas closes what a thread waited for last
function Source.close() return 1 end

function M.check() end

function M.can_park()
  if isyieldable then
    return isyieldable()
  end
  return coroutine.running() ~= nil
end

function M.park(waiter)
  local source = setmetatable({ fd = quiet:getfd(), waiter = waiter }, Source)
  repeat
    copas.receive(source)
  until waiter.woken
end

function M.wake(waiter)
  waiter.woken = true
end

local function drive(loop, client, fd)
  local source = setmetatable({ fd = fd }, Source)
  local fine, more
  repeat
    source.asked = nil
    copas.receive(source)
    fine, more = pcall(loop.tick, loop, client)
  until not (fine and more)
  client.driven = false
  if not fine then
    error(more, 0)
  end
end

function M.watch(loop, client, fd)
  if not client.driven then
    client.driven = true
    copas.addthread(function() -- arguments come later in some releases than in others
      drive(loop, client, fd)
    end)
  end
end

return M
