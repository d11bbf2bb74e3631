--- Tasks in turns: who may go on, what each waits for, and how one ends. What users see of it is in `zohocrm.tasks`.
---
--- A scheduler has the tasks of one client, in a ring. A turn goes once around it: every task that can go on does one
--- piece of work. A task may wait for what another client brings, or for tasks of another scheduler; these are then
--- moved on in the same turn.

local awaiting = require "zohocrm.awaiting"
local core = require "zohocrm.core"
local errors = require "zohocrm.errors"
local host = require "zohocrm.hosts.task"
local nginx = require "zohocrm.hosts.nginx"
local pacer = require "zohocrm.hosts.pacer"
local raise = require "zohocrm.raise"

local M = {}

local now = core.now
local close = coroutine.close -- luacheck: ignore 143 (5.4 only)
local unpack = table.unpack or unpack -- luacheck: ignore 113 143

-- Records that are decoded as one piece of work where there is a budget: some hundredths of a millisecond.
local PIECE = 2

-- Seconds for decompressing a page.
local UNPACKING = 0.0005

-- Seconds between two looks at the network within a step that has a budget: a look costs as much as a piece of work.
local LOOK = 0.001

-- The part of a budget after which no further piece is begun: the last one may take longer than most, where the
-- collector has its turn in it.
local SHARE = 0.75

-- Of the whole Lua state, as the tasks of one scheduler may wait for those of another.
local turn_number, step_number = 0, 0

-- Pieces of work that the step under way has done.
local pieces = 0

-- With a budget, the turn in which the network is looked at.
local look_turn = 0

--- A task, from inside.
---@class zohocrm.TaskState
---@field handle zohocrm.Task|nil what its user has of it
---@field co thread|nil while it lives
---@field inner thread|nil the coroutine in it that can yield to the scheduler, see `zohocrm.hosts.task`
---@field scheduler zohocrm.Scheduler
---@field next zohocrm.TaskState|nil in the ring
---@field previous zohocrm.TaskState|nil
---@field arguments table|nil packed, until it starts
---@field waits_for table|userdata|nil it can go on when `waits_for:ready()`
---@field waits_on table|nil the private part of the client that brings this about
---@field decodes boolean|nil `waits_for` is a call of the core, to be decoded first
---@field gave_way integer|nil the step in which it yielded by itself: it goes on in the next
---@field calls table|nil the calls that it started, weakly
---@field results table|nil packed
---@field failure table|nil `{ error =, traceback = }`
---@field observed boolean|nil somebody has seen how it ended, or is going to
---@field doomed zohocrm.Error|nil it was cancelled while it ran, and ends when it waits

--- Tasks that take turns.
---@class zohocrm.Scheduler
---@field client table|nil the private part of the client that they belong to
---@field first zohocrm.TaskState|nil whose turn is next
---@field live integer
---@field torn boolean|nil an error came while the ring was changed, see `mend`
---@field failed zohocrm.TaskState[] those that ended with an error which nobody has seen, oldest first
---@field turn integer the last turn that it took part in

--- A scheduler without tasks.
---@param client? table the client's private part
---@return zohocrm.Scheduler
function M.new(client)
  return { client = client, live = 0, failed = {}, turn = 0 }
end

--- The scheduler of a client's tasks. In nginx each request has one of its own, as a coroutine there lives and dies
--- with the request that made it.
---@param client table the client's private part
---@return zohocrm.Scheduler
function M.of(client)
  if nginx.serves then
    return nginx.of_request(client, M.new)
  end
  client.scheduler = client.scheduler or M.new(client)
  return client.scheduler
end

-- ---- the ring ------------------------------------------------------------------------------------------------------

-- An error may come at any point: Ctrl-C, say, is one that a debug hook raises. While the ring is `torn`, only the way
-- by `next` from `first` can be relied upon; who moves tasks on mends the rest.
local function mend(scheduler)
  local first, alive = scheduler.first, {}
  local task = first
  repeat
    alive[#alive + 1] = task and task.co and task or nil
    task = task and task.next
  until not task or task == first
  scheduler.first = alive[1] -- before the links, lest the way by them never came back to it
  for i, one in ipairs(alive) do
    one.previous, one.next = alive[i - 1] or alive[#alive], alive[i + 1] or alive[1]
  end
  scheduler.live = #alive
  scheduler.torn = nil
end

--- Adds a task. It starts in the next turn.
---@param scheduler zohocrm.Scheduler
---@param f function
---@return zohocrm.TaskState
function M.add(scheduler, f, ...)
  local task = {
    scheduler = scheduler, co = coroutine.create(f), arguments = { n = select("#", ...), ... },
  }
  if scheduler.torn then
    mend(scheduler)
  end
  scheduler.torn = true
  local first = scheduler.first
  if first then
    local last = first.previous
    task.previous, task.next = last, first
    last.next = task
    first.previous = task
  else
    task.previous, task.next = task, task
    scheduler.first = task
  end
  scheduler.live = scheduler.live + 1
  scheduler.torn = nil
  return task
end

-- Takes a task out whose end is noted, and lets go of all that it needed to live.
local function bury(task)
  local scheduler = task.scheduler
  if scheduler.torn then
    mend(scheduler)
  end
  scheduler.torn = true
  task.co = nil
  local next_one, previous = task.next, task.previous
  if next_one == task then
    scheduler.first = nil
  else
    scheduler.first = scheduler.first ~= task and scheduler.first or next_one
    previous.next = next_one
    next_one.previous = previous
  end
  scheduler.live = scheduler.live - 1
  scheduler.torn = nil
  task.next, task.previous, task.inner, task.arguments = nil, nil, nil, nil
  task.waits_for, task.waits_on, task.calls = nil, nil, nil
  if scheduler.client and scheduler.client.loop then
    scheduler.client.loop:ended(scheduler.client)
  end
end

-- ---- the end of a task ---------------------------------------------------------------------------------------------

local function cancelled()
  return errors.new({ action = "task" }, { kind = "cancelled", attempts = 0, message = "the task was cancelled" })
end

local function cancel_calls(task)
  for call in pairs(task.calls or {}) do
    call:cancel()
  end
end

local function fail(task, err, traceback)
  task.failure = { error = err, traceback = traceback }
  bury(task)
  if not task.observed then
    local failed = task.scheduler.failed
    failed[#failed + 1] = task
  end
end

-- A task has raised. Objects stay what they are; a string gets the traceback, as it is all that there is to go by.
local function settle_error(task, err)
  local traceback = debug.traceback(task.co)
  if close then
    local _, last = close(task.co) -- its to-be-closed variables, one of which may raise in turn
    err = last
  end
  if type(err) == "string" then
    err = err .. "\n" .. traceback
  elseif err == nil then
    err = "nil was raised\n" .. traceback
  end
  if task.doomed then
    cancel_calls(task)
  end
  fail(task, err, traceback)
end

--- Cancels what a list's owner has made.
---@param list zohocrm.TaskList
function M.cancel_own(list)
  for _, task in ipairs(list.own or {}) do
    M.cancel(task)
  end
end

-- Ends a task that waits.
local function abort(task, err)
  local co, waits_for = task.co, task.waits_for
  task.observed = true -- by whoever cancels it
  cancel_calls(task)
  fail(task, err, debug.traceback(co))
  if getmetatable(waits_for) == awaiting.List then
    M.cancel_own(waits_for)
  end
  if close then
    local fine, raised = close(co)
    if not fine then
      err.message = ("%s; closing its variables raised an error: %s"):format(err.message, tostring(raised))
    end
  end
end

--- Cancels a task, unless it is done. One that runs just now ends when it waits next.
---@param task zohocrm.TaskState
---@return boolean cancelled
function M.cancel(task)
  if not task.co then
    return false
  end
  if coroutine.status(task.co) == "suspended" then
    abort(task, cancelled())
  else
    task.doomed, task.observed = task.doomed or cancelled(), true
  end
  return true
end

-- Takes what coroutine.resume gave.
local function settle(task, fine, ...)
  task.arguments = nil
  if not fine then
    settle_error(task, (...))
  elseif coroutine.status(task.co) == "dead" then
    task.results = { n = select("#", ...), ... }
    bury(task)
  elseif task.doomed then
    abort(task, task.doomed)
  elseif not task.waits_for then
    task.gave_way = step_number
  end
end

-- ---- turns ---------------------------------------------------------------------------------------------------------

local function resume(task)
  local arguments = task.arguments
  task.waits_for, task.waits_on, task.gave_way, task.needs = nil, nil, nil, nil
  local previous = host.enter(task)
  if arguments then
    settle(task, host.leave(previous, coroutine.resume(task.co, unpack(arguments, 1, arguments.n))))
  else
    settle(task, host.leave(previous, coroutine.resume(task.co)))
  end
end

-- A task has ended, but an error kept us from noting how, or from taking it out.
local function note_lost(task)
  if task.results then
    bury(task)
  else
    local failure = task.failure
    fail(task, failure and failure.error or "the task has ended, but an interruption has cost its results",
      failure and failure.traceback or debug.traceback(task.co))
  end
end

-- Whether a task can go on.
local function can_go_on(task)
  local awaited = task.waits_for
  if awaited then
    return awaited:ready()
  end
  local status = coroutine.status(task.co)
  if status == "dead" then
    note_lost(task)
  end
  return status == "suspended" and task.gave_way ~= step_number
end

--- Whether a task could go on in the next step.
---@param scheduler zohocrm.Scheduler
---@return boolean
function M.eager(scheduler)
  if scheduler.torn then
    return true -- to be mended
  end
  local task = scheduler.first
  for _ = 1, scheduler.live do
    local awaited = task.waits_for
    if awaited and awaited:ready() or not awaited and coroutine.status(task.co) == "suspended" then
      return true
    end
    task = task.next
  end
  return false
end

-- Does one piece of work: a few records' decoding, or the task's own until it waits again.
local function work(task, sparing)
  if sparing and task.decodes then
    local fine, decoded = pcall(task.waits_for.decode, task.waits_for, PIECE)
    if not fine and decoded ~= "not enough memory" then
      error(decoded, 0) -- an interruption is for who moves the tasks on
    elseif fine then
      task.decodes = not decoded and task.decodes or nil
      return
    end -- else the task meets the same when it takes the answer
  end
  task.decodes = nil
  resume(task)
end

-- Seconds that there should be for the next piece of a task's.
local function time_for(task)
  return task.needs or (task.decodes and task.waits_for:packed() and UNPACKING) or 0
end

local function move_client(client, ends_at)
  if client.turn ~= turn_number and (not ends_at or look_turn == turn_number) and not client.core:closed() then
    client.turn = turn_number
    client.poll(0)
    if not client.in_loop then
      client.core:attend()
    end
  end
end

local turn

-- Moves on those that a task waits for. Gives whether they did any work.
local function turn_list(list, ends_at)
  local worked = false
  for i = 1, #list do
    worked = list[i].co and turn(list[i].scheduler, ends_at) or worked
  end
  return worked
end

-- Moves on what the tasks wait for.
local function move_awaited(scheduler, ends_at)
  local worked = false
  if scheduler.client then
    move_client(scheduler.client, ends_at)
  end
  local task = scheduler.first
  for _ = 1, scheduler.live do
    if task.waits_on then
      move_client(task.waits_on, ends_at)
    elseif getmetatable(task.waits_for) == awaiting.List then
      worked = turn_list(task.waits_for, ends_at) or worked
    end
    task = task.next
    if not task then
      break -- another scheduler's task has ended it
    end
  end
  return worked
end

-- One turn of a scheduler, until `ends_at`, if that is given. Gives whether any work was done. One piece a step is done
-- whatever the time is: so a budget too small slows tasks down, but does not stop them.
function turn(scheduler, ends_at)
  if scheduler.turn == turn_number then
    return false
  end
  scheduler.turn = turn_number
  if scheduler.torn then
    mend(scheduler)
  end
  host.ends_at = ends_at
  local worked = move_awaited(scheduler, ends_at)
  for _ = 1, scheduler.live do
    local task = scheduler.first
    if not task then
      break
    end
    if can_go_on(task) then
      if ends_at and pieces > 0 and now() + time_for(task) >= ends_at then
        return worked
      end
      worked, pieces, scheduler.first = true, pieces + 1, task.next
      work(task, ends_at ~= nil)
      if ends_at then
        pacer.piece_done()
      end
    elseif task.co then
      scheduler.first = task.next
    end
  end
  return worked
end

-- Turn after turn, until the time has come or nothing can go on. The network is looked at first, while there is time;
-- then now and then, and before it is said that nothing can go on.
local function turns(scheduler, ends_at)
  local looked_at
  look_turn = turn_number + 1
  repeat
    turn_number = turn_number + 1
    local worked = turn(scheduler, ends_at)
    local at, looked = now(), look_turn == turn_number
    looked_at = looked and at or looked_at
    if (worked and at - looked_at >= LOOK) or not (worked or looked) then
      look_turn = turn_number + 1
    end
  until at >= ends_at or (looked and not worked)
end

--- Moves all tasks on without waiting: one turn, or with a budget turn after turn until it is spent or nothing can go
--- on.
---@param scheduler zohocrm.Scheduler
---@param budget? number seconds
function M.step(scheduler, budget)
  step_number, pieces = step_number + 1, 0
  if not budget then
    turn_number = turn_number + 1
    turn(scheduler)
    return
  end
  local ends_at = now() + budget * SHARE
  local paced = scheduler.first and pacer.begin(budget)
  local fine, interruption = pcall(turns, scheduler, ends_at)
  host.ends_at = nil
  if paced then
    pacer.finish(scheduler.live == 0)
  end
  if not fine then
    error(interruption, 0)
  end
end

-- ---- waiting for tasks ---------------------------------------------------------------------------------------------

--- Moves tasks on until all are done, and sleeps where none can go on.
---@param scheduler zohocrm.Scheduler
function M.run(scheduler)
  local client = scheduler.client
  if client.loop and client.loop:serves() then
    local done = { ready = function() return scheduler.live == 0 end }
    while not done.ready() do
      client.loop:changed(client)
      client.loop:pause(client, done)
    end
    return
  end
  while scheduler.live > 0 or scheduler.torn do
    step_number, turn_number = step_number + 1, turn_number + 1
    if not turn(scheduler) and scheduler.live > 0 then
      awaiting.sleep(awaiting.of(scheduler))
    end
  end
end

-- Whether one of a list waits for a task, be it by way of others.
local function leads_to(list, task, seen)
  for _, other in ipairs(list) do
    if other == task then
      return true
    end
    if other.co and not seen[other] then
      seen[other] = true
      if getmetatable(other.waits_for) == awaiting.List and leads_to(other.waits_for, task, seen) then
        return true
      end
    end
  end
  return false
end

--- Waits until tasks are done: in a task by yielding, else by moving them on. Who waits is to see how they ended.
---@param list zohocrm.TaskList
function M.await(list)
  setmetatable(list, awaiting.List)
  local current = host.current()
  if current and leads_to(list, current, {}) then
    raise("a task cannot wait for itself, nor for one that waits for it")
  end
  for _, task in ipairs(list) do
    task.observed = true
  end
  while not list:ready() do
    if host.here() then
      host.pause(nil, list)
    else
      step_number, turn_number = step_number + 1, turn_number + 1
      local worked = turn_list(list)
      if not list:ready() then
        local clients = awaiting.of_list(list)
        if not awaiting.sleep_in_loop(clients, worked) and not worked then
          awaiting.sleep(clients)
        end
      end
    end
  end
end

return M
