--- luv's loop (libuv), of which each thread has one.
---
--- A coroutine that waits is parked and resumed by the loop, whoever made it. Outside of coroutines the loop is run
--- until the answer is there. Only in a callback of the loop itself there is neither.

local raise = require "zohocrm.raise"
local uv = require "luv"

local M = { runs = true }

local isyieldable = coroutine.isyieldable -- luacheck: ignore 143 (not in 5.1)
local resume, running, status, yield = coroutine.resume, coroutine.running, coroutine.status, coroutine.yield

-- What coroutines raised that the tick under way has resumed.
local uncaught = {}

function M.can_park()
  if isyieldable then
    return isyieldable()
  end
  return running() ~= nil
end

--- Raises in a callback of the loop, which cannot wait.
function M.check()
  if not M.can_park() and uv.loop_mode() then
    raise("a callback of the loop cannot wait: make the call in a coroutine, coroutine.wrap(function() … end)(), "
      .. "or in a task, crm:spawn(function() … end)")
  end
end

function M.park(waiter)
  repeat
    yield() -- others may resume what is not theirs
  until waiter.woken
end

function M.wake(waiter)
  waiter.woken = true
  if status(waiter.co) == "dead" then
    return -- somebody has closed it
  end
  local fine, err = resume(waiter.co)
  if not fine then
    uncaught[#uncaught + 1] = type(err) == "string" and debug.traceback(waiter.co, err) or err
  end
end

function M.block(_, object)
  M.check()
  while not object:ready() do
    if not uv.run("once") and not object:ready() then
      raise("nothing is left in the loop that could end the wait")
    end
  end
end

function M.watch(loop, client, fd)
  if client.luv_handle then
    return
  end
  -- Made anew whenever there is something to wait for: a handle that is only stopped is never collected, and what its
  -- callback holds neither.
  local handle = assert(uv.new_poll(fd))
  client.luv_handle = handle
  handle:start("r", function()
    local fine, more = pcall(loop.tick, loop, client)
    if not (fine and more) and client.luv_handle == handle then
      client.luv_handle = nil
      handle:close()
    end
    local failure = not fine and more or table.remove(uncaught, 1)
    if failure then
      error(failure, 0) -- as any error in a callback of the loop
    end
  end)
end

return M
