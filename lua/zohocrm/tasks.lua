--- Tasks, as users see them: `crm:spawn`, `crm:step`, `crm:run` and `zohocrm.gather`.
---
---     local task = crm:spawn(function() return crm.Leads:get(id) end)
---     -- once a frame:
---     crm:step { budget = 0.001 }
---     if task:done() then show(task:result()) end
---
--- How they take turns is in `zohocrm.scheduler`.

local errors = require "zohocrm.errors"
local handle = require "zohocrm.handle"
local host = require "zohocrm.hosts.task"
local raise = require "zohocrm.raise"
local is_page = require("zohocrm.results").is_page
local schedulers = require "zohocrm.scheduler"
local suggest = require "zohocrm.suggest"

local M = {}

local unpack = table.unpack or unpack -- luacheck: ignore 113 143
local Error = getmetatable(errors.new({ action = "task" }, { kind = "cancelled" }))

-- The key of the inside, which assignments must not reach.
local STATE = {}

--- A function that runs side by side with others.
---@class zohocrm.Task
local Task = {}

local meta = { __name = "zohocrm.Task", __index = handle.index(Task, "a task"), __newindex = handle.newindex("a task") }

local function state_of(self, method)
  local state = type(self) == "table" and getmetatable(self) == meta and rawget(self, STATE)
  if not state then
    raise(("call it as task:%s(), with a colon"):format(method))
  end
  return state
end

-- ---- a task --------------------------------------------------------------------------------------------------------

--- Whether it has ended, in whatever way.
---@return boolean
function Task:done()
  return state_of(self, "done").co == nil
end

local function result(state)
  state.observed = true
  local failure, results = state.failure, state.results
  if failure then
    return nil, failure.error, failure.traceback
  end
  return unpack(results, 1, results.n)
end

--- What the function returned; or nil and what it raised. It never waits: a task that is not done makes it raise.
---@return any ... all that the function returned; or nil, and
---@return any|nil err what was raised: objects such as zohocrm.Error as they are, a string with the task's traceback. A
--- task that was cancelled has an error of the kind "cancelled"
---@return string|nil traceback where it was raised, or where the task waited when it was cancelled
function Task:result()
  local state = state_of(self, "result")
  if state.co then
    raise("result: the task is not done yet (task:done() tells; crm:step() or crm:run() move it on; task:wait() waits)")
  end
  return result(state)
end

--- Waits until it is done, and gives its result: in a task by yielding, elsewhere by moving its client's tasks on.
---@return any ... see `result`
function Task:wait()
  local state = state_of(self, "wait")
  schedulers.await { state }
  return result(state)
end

--- Ends it where it waits: its requests under way are cancelled (what a write was about to do may have happened), and
--- so are the functions that it gathers. On Lua 5.4 its to-be-closed variables are closed. Its result is then an error
--- of the kind "cancelled". A task may cancel itself: that raises this error.
---@return boolean cancelled false where it was done already
function Task:cancel()
  local state = state_of(self, "cancel")
  local ended = schedulers.cancel(state)
  if state.doomed and host.current() == state then
    error(state.doomed, 0)
  end
  return ended
end

meta.__close = Task.cancel

function meta:__tostring()
  local state = rawget(self, STATE)
  local word = state.results and "done" or "waiting"
  if state.failure then
    local err = state.failure.error
    word = getmetatable(err) == Error and err.kind == "cancelled" and "cancelled" or "failed"
  elseif host.current() == state then
    word = "running"
  elseif state.arguments then
    word = "not started"
  end
  return ("zohocrm task (%s)"):format(word)
end

-- What callable tables come to, as coroutines take functions only. A page can be called, too, but only explains itself.
local function as_function(value)
  if type(value) == "function" then
    return value
  elseif is_page(value) then
    return nil
  end
  local mt = type(value) == "table" and getmetatable(value)
  if type(mt) == "table" and mt.__call then
    return function(...)
      return value(...)
    end
  end
  return nil
end

-- What stands in the place of a function, for messages.
local function described(value)
  return is_page(value) and "the result of a call; wrap the call, function() return … end"
    or value == nil and "nil" or "a " .. type(value)
end

-- ---- the client's methods ------------------------------------------------------------------------------------------

local step_names = { "budget" }

local function budget_of(o)
  if type(o) ~= "table" then
    raise(("step takes a table of options, such as { budget = 0.001 }, not a %s"):format(type(o)))
  end
  for name in pairs(o) do
    if name ~= "budget" then
      raise(("step: unknown option '%s'%s"):format(tostring(name), suggest.hint(tostring(name), step_names)))
    end
  end
  local budget = o.budget
  if budget ~= nil and (type(budget) ~= "number" or budget ~= budget or budget < 0) then
    raise(("step: budget must be a number of seconds, 0 or more, not %s"):format(tostring(budget)))
  end
  return budget
end

local function refuse_in_task(method, instead)
  if host.current() then
    raise(("%s cannot be called from inside a task: %s"):format(method, instead))
  end
end

-- The oldest task that failed without anybody having seen it.
local function next_failed(scheduler)
  local failed = scheduler.failed
  while failed[1] do
    local state = table.remove(failed, 1)
    if not state.observed then
      state.observed = true
      return state
    end
  end
  return nil
end

--- Adds the methods for tasks to the client.
---@param Client zohocrm.Client
---@param client_of fun(self: table, method: string): table
function M.install(Client, client_of)
  --- Runs a function as a task: it starts with the next `crm:step()` or `crm:run()`, and wherever it calls the
  --- client, it lets others go on instead of blocking. `coroutine.yield()` in it gives way until the next step; what it
  --- yields is dropped.
  ---
  --- A coroutine of its own may call the client, too. Resumed by Lua's own functions, it blocks while it waits, as its
  --- yields are its resumer's. With `local coroutine = zohocrm.coroutine` the task waits in its stead, and nothing
  --- blocks.
  ---@param f function
  ---@param ... any its arguments
  ---@return zohocrm.Task
  function Client:spawn(f, ...)
    local client = client_of(self, "spawn")
    local body = as_function(f)
    if not body then
      raise(("spawn takes a function and its arguments, not %s"):format(described(f)))
    end
    if client.core:closed() then
      raise("the client is closed")
    end
    local state = schedulers.add(schedulers.of(client), body, ...)
    if client.loop then
      client.loop:changed(client)
    end
    state.handle = setmetatable({ [STATE] = state }, meta)
    return state.handle
  end

  --- Moves the client's requests and tasks on, without ever waiting: for a frame loop, or a loop of one's own. Each
  --- task that can go on does so once. With a budget, tasks take turns until it is spent or none can go on: no further
  --- piece of work is started then, where a piece is a few records' decoding or the run of one task until it waits
  --- again. At least one is done.
  ---@param o? table `budget`: seconds
  ---@return integer live how many tasks are not done
  ---@return zohocrm.Task|nil failed a task that ended with an error which nobody has asked for yet, each once
  function Client:step(o)
    local client = client_of(self, "step")
    local scheduler, budget = schedulers.of(client), o ~= nil and budget_of(o) or nil
    refuse_in_task("step", "it would move on the task that called it; to let others go on, coroutine.yield()")
    schedulers.step(scheduler, budget)
    if scheduler.failed[1] then
      local failed = next_failed(scheduler)
      return scheduler.live, failed and failed.handle
    end
    return scheduler.live
  end

  --- Waits until all tasks of the client are done; also those that they spawn. It sleeps while nothing can go on.
  ---@return true|nil fine nil where tasks ended with errors that nobody has asked for, and then
  ---@return any|nil err the error of the first of them, see `task:result`
  ---@return integer|nil count of them
  function Client:run()
    local scheduler = schedulers.of(client_of(self, "run"))
    refuse_in_task("run", "task:wait() and zohocrm.gather(…) wait for others")
    schedulers.run(scheduler)
    local first, count = next_failed(scheduler), 1
    if not first then
      return true
    end
    while next_failed(scheduler) do
      count = count + 1
    end
    return nil, first.failure.error, count
  end
end

-- ---- gather --------------------------------------------------------------------------------------------------------

-- What gather makes of one that is done.
local function outcome_of(state)
  local failure, results = state.failure, state.results
  if failure then
    return { ok = false, error = failure.error, raised = getmetatable(failure.error) ~= Error }
  end
  if results[1] == nil and results[2] ~= nil then
    return { ok = false, error = results[2] }
  end
  return { ok = true, value = results.n == 0 or results[1] }
end

local function start(...)
  local count = select("#", ...)
  local list, bodies = { own = {} }, {}
  for i = 1, count do
    local value = select(i, ...)
    bodies[i] = as_function(value)
    list[i] = getmetatable(value) == meta and rawget(value, STATE) or nil
    if not bodies[i] and not list[i] then
      raise(("gather takes functions and tasks; argument %d is %s"):format(i, described(value)))
    end
  end
  -- the functions that a task gathers are its client's tasks, so that its steps move them on
  local scheduler = host.here() and host.current().scheduler or schedulers.new()
  for i = 1, count do
    if not list[i] then
      list[i] = schedulers.add(scheduler, bodies[i])
      list.own[#list.own + 1] = list[i]
    end
  end
  return list, count
end

--- Runs functions side by side, and waits until all of them are done: from a script, where nothing else is needed, and
--- in a task, which yields meanwhile. Tasks may stand among them.
---
--- It reports like any other call: `local leads, deals = assert(zohocrm.gather(f, g))`. A function fails when it
--- returns nil and an error, or raises. The others are not cancelled then: all come to their end, so that no write is
--- left half-way.
---@param ... function|zohocrm.Task
---@return any ... the first result of each, in order (true for a function that returns nothing); or nil, and
---@return any|nil err of the first of them, in the order of the arguments, that failed. What a function raised and is
--- no zohocrm.Error, but a mistake in it, is raised here as well, strings with the task's traceback
---@return table[]|nil outcomes then, for each: `{ ok = true, value = … }` or `{ ok = false, error = … }`
function M.gather(...)
  local list, count = start(...)
  local fine, interruption = pcall(schedulers.await, list)
  if not fine then
    schedulers.cancel_own(list)
    error(interruption, 0)
  end
  local outcomes, values, err = {}, {}, nil
  for i = 1, count do
    local outcome = outcome_of(list[i])
    if outcome.raised then
      error(outcome.error, 0)
    end
    outcomes[i], values[i] = outcome, outcome.value
    if err == nil and not outcome.ok then
      err = outcome.error
    end
  end
  if err ~= nil then
    return nil, err, outcomes
  end
  return unpack(values, 1, count)
end

return M
