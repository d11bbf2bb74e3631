--- Waiting inside a task: its coroutine yields to the scheduler (`zohocrm.tasks`), which goes on with it when there is
--- something to go on with.
---
--- A task may run coroutines of its user's, and these may call the client. Their yields belong to whoever resumes
--- them, so what waits in such a coroutine cannot yield to the scheduler behind that one's back. As a rule it waits
--- like a script, with all calls of the client moving on. Where the coroutine was resumed by `resume` or `wrap` of
--- this file (public as `zohocrm.coroutine`), the wait is handed on to the scheduler through the one who resumed it,
--- who does not see it. Lua's own functions are left as they are: they are not ours to replace.

local core = require "zohocrm.core"
local in_nginx = require "zohocrm.hosts.in_nginx"

local M = {}

local isyieldable = coroutine.isyieldable -- luacheck: ignore 143 (not in 5.1)
  or function() return true end
local close = coroutine.close -- luacheck: ignore 143 (5.4 only)
local resume, running, status, yield = coroutine.resume, coroutine.running, coroutine.status, coroutine.yield

-- What a coroutine yields that waits; nobody outside of this library can yield it.
local WAIT = {}

-- The task that was resumed last, and is not left yet.
local current

-- In nginx, where requests take turns in one Lua state wherever they wait, the coroutine tells which task it is.
local task_of = in_nginx.serves and setmetatable({}, { __mode = "kv" })

--- Coroutines that an event loop is to go on with, and what it knows of their wait: see `zohocrm.hosts.loop`.
M.parked = setmetatable({}, { __mode = "k" })

--- Coroutines that were resumed by `resume` where a loop could have parked the one who did.
M.nested = setmetatable({}, { __mode = "k" })

--- Whether the coroutine that runs was resumed by such a loop itself; set by the loop, if it can tell.
---@type nil|fun(): boolean
M.is_root = nil

local function present()
  if task_of then
    return task_of[running()]
  end
  return current
end

--- Notes which task runs from now on.
---@param task zohocrm.TaskState|nil
---@return zohocrm.TaskState|nil task the one that was noted before
function M.enter(task)
  local previous = current
  current = task
  if task then
    task.inner = task.co
    if task_of then
      task_of[task.co] = task
    end
  end
  return previous
end

--- Notes which task it was before; passes its other arguments on.
---@param previous zohocrm.TaskState|nil what `enter` gave
---@return any ...
function M.leave(previous, ...)
  current = previous
  return ...
end

--- The task that we are in, be it in a coroutine that it resumed.
---@return zohocrm.TaskState|nil
function M.current()
  -- an error out of the scheduler itself (an interruption, say) may have left a stale one
  local task = present()
  if task and task.co and status(task.co) ~= "suspended" and status(task.co) ~= "dead" then
    return task
  end
  return nil
end

--- Whether the code that runs now can yield to the scheduler.
---@return boolean
function M.here()
  local task = present()
  return task ~= nil and running() == task.inner and isyieldable() and true or false
end

--- Yields to the scheduler until there is something to go on with. Who waits has to look again: a task may be woken by
--- others.
---@param client table|nil the private part of the client that has to be moved on meanwhile
---@param object table|userdata it is awaited that `object:ready()`
---@param decodes? boolean the object is a call of the core, whose answer is to be decoded piece by piece before
function M.pause(client, object, decodes)
  local task = present()
  task.waits_for, task.waits_on, task.decodes = object, client, decodes
  local own = task.scheduler.client
  if client and own and own.loop and not client.loop then
    own.loop:ensure(client) -- the loop that goes on with the task has to know when
  end
  yield(WAIT)
end

--- When the time of the step under way is over; nil where it has no budget. The scheduler's to set.
---@type number|nil
M.ends_at = nil

--- For work that goes on for long without waiting: in a task, gives way until the next step when this one's time is
--- over or will be in so many seconds.
---@param needed? number seconds; default 0
function M.breathe(needed)
  if M.ends_at and core.now() + (needed or 0) >= M.ends_at and M.here() then
    present().needs = needed
    yield(WAIT)
  end
end

-- What a coroutine gave that was resumed on the task's behalf. `outer` resumed it.
local function hand_on(task, outer, co, fine, first, ...)
  task.inner = outer
  if fine and first == WAIT then
    yield(WAIT)
    return M.resume(co)
  end
  return fine, first, ...
end

-- The same for a coroutine whose wait an event loop is to end: it goes on with the one who resumed it, which goes on
-- with it.
local function hand_on_to_loop(outer, co, fine, ...)
  local waiter = fine and M.parked[co]
  if not waiter then
    M.nested[co], M.parked[outer] = nil, nil
    return fine, ...
  end
  waiter.co, M.parked[outer] = outer, waiter
  return hand_on_to_loop(outer, co, resume(co, yield(...)))
end

--- As coroutine.resume; but where a coroutine that it resumes waits for a call, the task waits, and others go on.
---@param co thread
---@return boolean fine
---@return any ... as coroutine.resume
function M.resume(co, ...)
  local outer = running()
  if not M.here() then
    if not outer then
      return resume(co, ...) -- LuaJIT has no name for the main one, where nothing is parked
    end
    M.nested[co] = M.nested[outer] or M.is_root ~= nil and M.is_root() or nil
    return hand_on_to_loop(outer, co, resume(co, ...))
  end
  local task = present()
  task.inner = co
  if task_of then
    task_of[co] = task
  end
  return hand_on(task, outer, co, resume(co, ...))
end

-- What a function of `wrap` gives. It is called in place of that function, so that level 2 is who called it.
local function unwrap(co, fine, ...)
  if not fine then
    if close then
      close(co)
    end
    error((...), 2)
  end
  return ...
end

--- As coroutine.wrap, by `resume`.
---@param f function
---@return function
function M.wrap(f)
  local co = coroutine.create(f)
  return function(...)
    return unwrap(co, M.resume(co, ...))
  end
end

--- Lua's functions for coroutines, of which `resume` and `wrap` are those above: `local coroutine = zohocrm.coroutine`.
M.library = setmetatable({ resume = M.resume, wrap = M.wrap }, { __index = coroutine })

return M
