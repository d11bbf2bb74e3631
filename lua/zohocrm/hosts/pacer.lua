--- The garbage collector's part in a step with a budget: it is spread over the steps, in pieces that fit.
---
--- Lua 5.4's collector works off at once what was allocated, its debt: where the table of strings is doubled, say, in
--- one piece of milliseconds. So while pieces of ours run it has credit, and what they allocate is shown to it bit by
--- bit, while a step is young. `collectgarbage("step", n)` makes the debt n KiB larger, and lets the collector work
--- only where it is above zero; with a negative n it makes it smaller. So nothing is lost of where the collector is in
--- its round, nor of its pauses. LuaJIT's collector needs nothing of this but smaller pieces.

local core = require "zohocrm.core"

local M = {}

local collect, floor, now = collectgarbage, math.floor, core.now
local jit = rawget(_G, "jit")

-- The collector's step multiplier in such a step: LuaJIT's own, 200, brings some tenths of a millisecond to each piece
-- of ours, Lua 5.4's, 100, milliseconds. By these it keeps up as well, with a heap that is larger in between. Where Lua
-- 5.4 collects by generations they do nothing.
local MULTIPLIER = jit and 100 or 0

-- Per cent of the memory in use after a round of Lua 5.4's collector at which the next one begins, at most. By its own
-- setting, 200, so many strings come and go that their table is halved and doubled in each round, each time at once.
local PAUSE = 140

-- KiB that one piece of ours may allocate while the collector rests.
local CREDIT = 256

-- KiB that the host may allocate between two steps before the collector works by the host's own settings.
local SPARED = 64

-- KiB that are shown to the collector at a time, and how often for each that were allocated, where it is at work.
local PORTION, TIMES = 8, 5

-- Seconds that it takes at least where it is at work.
local AT_WORK = 3e-6

-- KiB that were not shown to it, above which it gets no more credit: it does not keep up.
local OWED_MAX = 8192

-- The part of a budget in which the collector may begin a piece.
local ROOM = 0.35

local owed, lent = 0, 0 -- KiB: allocated and not shown; by which the debt is smaller than by Lua's own count
local counted -- KiB in use when that was last looked at
local room_till -- by the clock; nil outside of steps, and where the host has stopped the collector
local own_multiplier, own_pause

-- Makes the debt so many KiB smaller than what the collector was shown.
local function lend(amount)
  local change = floor(owed + amount - lent)
  if change ~= 0 then
    lent = lent + change
    collect("step", -change)
  end
end

-- Makes the debt larger by so many KiB. At the end of a round the collector sets it anew, whatever was lent.
local function give_back(amount)
  lent = lent - amount
  if collect("step", amount) then
    owed, lent = 0, 0
  end
  core.gather_freed()
end

local function count()
  local before = counted
  counted = collect "count"
  owed = owed + math.max(0, counted - (before or counted))
end

-- Shows the collector what it is owed, while there is time.
local function show()
  while owed >= PORTION and now() < room_till do
    owed = owed - PORTION
    local before = now()
    give_back(floor(lent - owed))
    if now() - before > AT_WORK then
      for _ = 2, TIMES do
        if lent == 0 or now() >= room_till then
          break
        end
        give_back(PORTION)
      end
    end
    lend(SPARED + CREDIT)
    counted = collect "count" -- less, where it freed something
  end
end

--- Begins a step.
---@param budget number seconds
---@return boolean begun it is to be ended by `finish`; false: the host has stopped the collector
function M.begin(budget)
  if not jit and not collect "isrunning" then
    return false
  end
  own_multiplier = collect("setstepmul", MULTIPLIER)
  if jit then
    return true
  end
  own_pause = collect("setpause", PAUSE)
  if own_pause < PAUSE then
    collect("setpause", own_pause)
  end
  room_till = now() + budget * ROOM
  count()
  lend(SPARED + CREDIT)
  return true
end

--- Notes that a piece of work was done.
M.piece_done = jit and function() end or function()
  if not room_till then
    return
  end
  count()
  if owed >= PORTION and now() < room_till then
    show()
  elseif lent - owed < CREDIT and owed < OWED_MAX then
    lend(SPARED + CREDIT)
  end
end

--- Ends a step.
---@param last boolean no further step is to be expected
function M.finish(last)
  collect("setstepmul", own_multiplier)
  if jit then
    return
  end
  collect("setpause", own_pause)
  room_till = nil
  if last then
    owed, lent, counted = 0, 0, nil -- what it was lent, it may keep
  else
    lend(SPARED)
    counted = collect "count"
  end
end

return M
