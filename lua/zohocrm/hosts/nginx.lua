--- Waiting inside nginx (its Lua module, OpenResty): whoever waits is parked on a semaphore, and the worker goes on
--- with other requests. While calls are under way, one timer for each client moves them on every millisecond; it ends
--- when there is nothing left to move. The core keeps its sockets in the kernel's list, so that a look at it costs the
--- same however many calls are under way, and only tells whether any has become ready.
---
--- What may go wrong there has its answer here: a handler can be killed where it waits (its client has gone, or
--- ngx.thread.kill), without any code of ours running; the timer can be dropped by nginx, when too many run.

local raise = require "zohocrm.raise"

local M = {}

local ngx = rawget(_G, "ngx")

--- Whether this is nginx at all.
M.serves = require("zohocrm.hosts.in_nginx").serves

local semaphore = M.serves and require "ngx.semaphore"

-- Seconds between two looks at the sockets. nginx has no shorter timer.
local TICK = 0.001

-- Looks at the sockets between two looks for handlers that were killed.
local SWEEP = 16

-- Handlers that are woken in one turn of the worker. Each then has its answer decoded, and others want to be served in
-- between. The next turn comes by the clock: nginx runs a timer of no time at all at once, before it looks at anything
-- else.
local WAKE_MAX = 12

-- Seconds without a sign of the timer after which a parked handler does its work itself.
local PATIENCE = 0.25

-- Seconds for which no timer is asked for then.
local DISTRUST = 5

-- The phases in which nginx can wait: https://github.com/openresty/lua-nginx-module#ngxsleep (context), and those of
-- the stream module.
local CAN_WAIT = {
  rewrite = true, server_rewrite = true, access = true, content = true, timer = true, preread = true,
  ssl_cert = true, ssl_session_fetch = true, ssl_client_hello = true,
}

local IN_TIMER = "; make the call in a timer: ngx.timer.at(0, function() … end)"

-- What to do instead, where a timer is not it.
local REMEDY = {
  init = "; make the client here, and the call in init_worker_by_lua*, in a timer: "
    .. "ngx.timer.at(0, function() … end)",
  set = "; make the call in rewrite_by_lua* or access_by_lua*",
  balancer = "; make the call in access_by_lua*, and keep what it gave in ngx.ctx",
}

--- Raises where nginx cannot wait. Elsewhere, and outside of nginx, it does nothing.
---@param what? string what cannot be done there
function M.check(what)
  if not M.serves then
    return
  end
  local phase = ngx.get_phase()
  if not CAN_WAIT[phase] then
    raise(("%s not possible in nginx's phase '%s', which cannot wait%s"):format(what or "a call of the client is",
      phase, REMEDY[phase] or IN_TIMER))
  end
end

--- What waits, from inside.
---@class zohocrm.nginx.Waiter
---@field object table|userdata it goes on when `object:ready()`
---@field semaphore table its handler is parked on this
---@field listed boolean whether it is among those that wait
---@field previous zohocrm.nginx.Waiter|nil
---@field next zohocrm.nginx.Waiter|nil

--- Of each client, in its private part.
---@class zohocrm.nginx.State
---@field first zohocrm.nginx.Waiter|nil those that wait, in the order in which they began: so that each has its turn
---@field last zohocrm.nginx.Waiter|nil
---@field driven boolean a timer is there or was asked for, or a handler does its work
---@field beat number when that last gave a sign
---@field distrusts_until number until when no timer is asked for
---@field ticks integer
---@field mixed integer waiters for more than one call, which may be other clients'
---@field crowded boolean the last look left handlers behind that can go on

local function state_of(client)
  client.nginx = client.nginx
    or { driven = false, beat = 0, distrusts_until = 0, ticks = 0, mixed = 0, crowded = false }
  return client.nginx
end

local function enter(state, waiter)
  waiter.listed, waiter.previous = true, state.last
  if state.last then
    state.last.next = waiter
  else
    state.first = waiter
  end
  state.last = waiter
  state.mixed = state.mixed + (type(waiter.object) == "table" and 1 or 0)
end

local function leave(state, waiter)
  if not waiter.listed then
    return
  end
  local previous, following = waiter.previous, waiter.next
  if previous then
    previous.next = following
  else
    state.first = following
  end
  if following then
    following.previous = previous
  else
    state.last = previous
  end
  waiter.listed, waiter.previous, waiter.next = false, nil, nil
  state.mixed = state.mixed - (type(waiter.object) == "table" and 1 or 0)
end

-- Lets a handler go on. Gives false for one that was killed: it does not wait on its semaphore any more, and what it
-- waited for is not wanted.
local function dismiss(state, waiter)
  local lives = waiter.semaphore:count() < 0
  leave(state, waiter)
  if lives then
    waiter.semaphore:post(1)
  else
    waiter.object:cancel()
  end
  return lives
end

-- Wakes those whose wait is over, but not all in one turn of the worker where many are. Now and then it looks for those
-- that were killed, too.
local function wake(state, news)
  local sweeps = state.ticks % SWEEP == 0
  if not (news or state.crowded or state.mixed > 0 or sweeps) then
    return
  end
  local woken, waiter = 0, state.first
  while waiter and woken < WAKE_MAX do
    local following = waiter.next
    if waiter.object:ready() or (sweeps and waiter.semaphore:count() >= 0) then
      woken = woken + 1
      dismiss(state, waiter)
    end
    waiter = following
  end
  state.crowded = woken == WAKE_MAX
end

-- Moves all calls of a client on. Gives whether any are left that somebody may wait for.
local function tick(client, state)
  state.beat, state.ticks = ngx.now(), state.ticks + 1
  local core = client.core
  local live, news = 0, true
  if not core:closed() then
    live = client.poll(0)
    if client.shared_rate then
      client.shared_rate:step()
    end
    news = core:attend()
  end
  wake(state, news)
  -- a worker that is about to end does not stay for calls that nobody waits for
  return state.first ~= nil or (live > 0 and not ngx.worker.exiting())
end

-- The timer. A worker that ends lets its requests come to their end, so it goes on then, too.
local function drive(_, client)
  local state = state_of(client)
  local fine, more = pcall(tick, client, state)
  while fine and more do
    ngx.sleep(TICK)
    fine, more = pcall(tick, client, state)
  end
  state.driven = false
  if not fine then
    ngx.log(ngx.ERR, "zohocrm: ", more) -- those who wait will meet it themselves
  end
end

-- Asks for the timer, unless somebody drives already.
local function ensure_driven(client, state)
  if not state.driven and ngx.now() >= state.distrusts_until then
    state.driven, state.beat = ngx.timer.at(0, drive, client) and true or false, ngx.now()
  end
  return state.driven
end

-- Does the timer's work in a handler until what it waits for is ready; then another one takes over.
local function drive_here(client, state, object)
  state.driven = true
  tick(client, state)
  while not object:ready() do
    ngx.sleep(TICK)
    tick(client, state)
  end
  state.driven = false
  repeat until not state.first or dismiss(state, state.first)
end

--- Notes that a call of the client has started: it is to be moved on, also while nobody waits for it.
---@param client table the client's private part
function M.started(client)
  client.core:fd() -- from now on the kernel keeps the list
  if client.shared_rate then
    client.shared_rate:step()
  end
  ensure_driven(client, state_of(client))
end

--- Parks the handler until something is ready, or for a while: who waits has to look again.
---@param client table the client's private part
---@param object table|userdata it is awaited that `object:ready()`; `object:cancel()` is called where the handler is
--- killed meanwhile
function M.pause(client, object)
  M.check()
  if client.sandbox then
    client.poll(0) -- it answers at once
    if object:ready() then
      return
    end
  end
  local state = state_of(client)
  if not ensure_driven(client, state) then
    return drive_here(client, state, object)
  end
  local waiter = { object = object, semaphore = assert(semaphore.new(0)) }
  enter(state, waiter)
  local woken, why = waiter.semaphore:wait(PATIENCE)
  leave(state, waiter)
  if not woken and why ~= "timeout" then
    error("nginx cannot wait: " .. tostring(why), 0)
  elseif not woken and ngx.now() - state.beat >= PATIENCE then
    state.distrusts_until = ngx.now() + DISTRUST
    drive_here(client, state, object)
  end
end

--- Lets other work of the worker go on for a moment.
function M.give_way()
  ngx.sleep(TICK)
end

--- What belongs to a client and the request that is being handled, made when it is asked for first. It goes with the
--- request.
---@generic T
---@param client table the client's private part
---@param make fun(client: table): T
---@return T
function M.of_request(client, make)
  M.check("a task of the client is")
  local ctx = ngx.ctx
  ctx[client] = ctx[client] or make(client)
  return ctx[client]
end

return M
