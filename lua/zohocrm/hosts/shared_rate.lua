--- One rate for all workers of nginx, kept in a `lua_shared_dict`.
---
--- It is what the core does for a single client, with the slots in shared memory: a request takes one of `rate` slots
--- before it leaves, and the slot is free again a second after it has left. A slot is a key of the dictionary; `add`
--- takes it in one step, whoever else tries, and its expiry frees it, also where its worker has died. So no second sees
--- more than `rate` requests of all workers together.

local raise = require "zohocrm.raise"

local M = {}

local ngx = rawget(_G, "ngx")

-- Seconds by which a window is wider than it need be, as in the core: see RATE_MARGIN in zc_policy.c.
local MARGIN = 0.05

-- Seconds, beyond the time for making a connection, after which a slot is free whose worker has died with it.
local GRACE = 5

-- Slots that are tried in one step, a millisecond from the next.
local TRIES = 16

local MOST_SLOTS = 1000

local PREFIX = "zohocrm.rate."

---@class zohocrm.SharedRate
local Rate = {}
Rate.__index = Rate

--- The rate of a dictionary.
---@param name string the dictionary's
---@param per_second number requests per second, above 0
---@param connect_timeout number|nil the client's
---@return zohocrm.SharedRate
function M.new(name, per_second, connect_timeout)
  local dict = ngx and ngx.shared and ngx.shared[name]
  if not ngx then
    raise("zohocrm.new: shared_rate is for nginx, whose workers share the rate; elsewhere leave it out")
  elseif not dict then
    raise(("zohocrm.new: shared_rate: nginx has no dictionary '%s'; add to the http block: lua_shared_dict %s 64k;")
      :format(name, name))
  elseif per_second == 0 then
    raise("zohocrm.new: shared_rate needs a rate, which is 0 here: no limit")
  end
  local slots = math.min(math.max(math.floor(per_second), 1), MOST_SLOTS)
  return setmetatable({
    dict = dict, slots = slots, span = slots / per_second + MARGIN, hold = (connect_timeout or 10) + GRACE,
    held = {}, -- keys of slots that were taken, and whose requests have not left; they are all alike
    place = ngx.worker.pid() % slots, -- where to look first
  }, Rate)
end

--- The core's client whose departures are counted.
---@param core userdata
function Rate:attach(core)
  self.core = core
end

-- Takes up to `count` free slots.
local function take(self, count)
  local taken = 0
  for _ = 1, math.min(TRIES, self.slots) do
    if taken == count then
      break
    end
    local key = PREFIX .. self.place
    local fine, why = self.dict:safe_add(key, true, self.hold)
    if not fine and why == "no memory" then
      fine = self.dict:add(key, true, self.hold) -- pushes out what was not used for longest
    end
    if fine then
      taken = taken + 1
      self.held[#self.held + 1] = key
    end
    self.place = (self.place + 1) % self.slots
  end
  return taken
end

-- From when a request has left, its slot is taken for one window more. One that libcurl sent a second time, on another
-- connection, has used two.
local function settle(self, left, returned)
  for _ = 1, left do
    if not self.held[1] then
      take(self, 1)
    end
    local key = table.remove(self.held)
    if key then
      self.dict:set(key, true, self.span)
    end
  end
  for _ = 1, returned do
    local key = table.remove(self.held)
    if key then
      self.dict:delete(key)
    end
  end
end

--- Gives the core permits for what it wants to send, as far as there are free slots.
function Rate:step()
  local core = self.core
  local wanting, permits, left, returned = core:permit(0)
  if wanting + permits + left + returned == 0 then
    return
  end
  ngx.update_time() -- expiry goes by nginx's clock, which stands still while code runs
  settle(self, left, returned)
  if permits > wanting then -- calls were cancelled that they were meant for
    core:permit(wanting - permits)
    settle(self, 0, permits - wanting)
  elseif wanting > permits then
    local taken = take(self, wanting - permits)
    if taken > 0 then
      core:permit(taken)
      core:poll(0)
      settle(self, select(3, core:permit(0)))
    end
  end
end

return M
