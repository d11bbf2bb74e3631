--- A scan in several ranges of ids at once. The first page and the highest id are asked first, and what lies between
--- them is split; ids are handed out unevenly, so a range that comes to its end takes half of what the largest one has
--- left. The last range has no upper end: what is created meanwhile is seen, too.

local host = require "zohocrm.host"
local id_range = require "zohocrm.id_range"
local transport = require "zohocrm.transport"
local walk_errors = require "zohocrm.walk_errors"
local walk_reading = require "zohocrm.walk_reading"

local M = {}

-- A range is worth splitting when it is likely to have so many more calls ahead.
local CALLS_WORTH = 1.5

-- What lies between the ids of dense regions is empty, and splitting it costs calls for nothing: so many poor pages for
-- each good one are taken, and no more.
local VAIN_SHARE = 0.25

--- A range of ids: those above `after`, up to `to`.
---@class zohocrm.ScanRange
---@field after string|nil nil: from the first
---@field to string|nil nil: to the end
---@field pending zohocrm.Pending|nil the call under way
---@field come zohocrm.Pending|nil the one before, whose answer has come and is to be decoded
---@field turn integer|nil when that came
---@field span number|nil how far the ids of its last page lay apart

local Scan = {}

-- Gives up what is under way in a range.
local function cancel(range)
  for _, name in ipairs { "pending", "come" } do
    if range[name] then
      transport.cancel(range[name])
      range[name] = nil
    end
  end
end

local function cancel_all(self)
  for _, range in ipairs(self.ranges) do
    cancel(range)
  end
end

--- Ends the scan: it gives nothing more, and what is under way is cancelled. Twice is harmless.
function Scan:close()
  cancel_all(self)
  self.delivered = self.delivered - walk_reading.unread(self)
  self.closed, self.page, self.arrived, self.ranges = true, walk_reading.NOTHING, {}, {}
end

-- Lets libcurl do what it can just now, but in a step of a frame loop, which sees to that by itself.
local function poll(self)
  if not host.paced() then
    self.plan.poll(0)
  end
end

-- Asks for the range's next records, no more than are still wanted.
local function ask(self, range)
  range.pending = self.plan.ask(range, self.plan.rows)
end

local function remaining(self, range)
  local to = range.to or self.highest
  if not range.after or not to or not id_range.is_below(range.after, to) then
    return 0
  end
  return id_range.distance(range.after, to)
end

-- Whether a range waits for its turn.
local function is_idle(range)
  return not range.pending and not range.come
end

-- How far what is under way in a range is likely to reach.
local function under_way(range)
  return (range.span or 0) * ((range.pending and 1 or 0) + (range.come and 1 or 0))
end

-- Gives a new range half of what the largest one has left, behind the pages that it waits for. nil where no
-- range has much left, or one waits for its turn.
local function steal(self)
  local victim, most
  if self.poor > self.plan.parallel + self.rich * VAIN_SHARE then
    return nil
  end
  for _, range in ipairs(self.ranges) do
    if is_idle(range) then
      return nil
    end
    local left = remaining(self, range) - under_way(range)
    if range.span and left > CALLS_WORTH * range.span and left > (most or 0) then
      victim, most = range, left
    end
  end
  if not victim then
    return nil
  end
  local to = victim.to or self.highest
  local known = under_way(victim)
  local share = math.min((known + most / 2) / (known + most), 0.95)
  local middle = id_range.between(victim.after, to, math.floor(share * 1000), 1000)
  if not (id_range.is_below(victim.after, middle) and id_range.is_below(middle, to)) then
    return nil
  end
  local taken = { after = middle, to = victim.to, span = victim.span }
  victim.to = middle
  return taken
end

local function drop(list, item)
  for i = #list, 1, -1 do
    if list[i] == item then
      table.remove(list, i)
    end
  end
end

-- What lies past the end of the range is another range's by now. Whether anything did.
local function cut(page, to)
  local beyond = false
  for i = #page, 1, -1 do
    if not to or not id_range.is_below(to, page[i].id) then
      break
    end
    page[i], beyond = nil, true
  end
  return beyond
end

-- Takes a page into what is handed out. Gives whether that is enough.
local function keep(self, page)
  self.fullest = math.max(self.fullest, #page)
  if #page * 2 < self.fullest or not page[1] then
    self.poor = self.poor + 1
  else
    self.rich = self.rich + 1
  end
  if page[1] then
    self.arrived[#self.arrived + 1] = page
    self.counted = self.counted + #page
  end
  if self.counted < self.plan.limit then
    return false
  end
  cancel_all(self)
  self.ranges = {}
  return true
end

-- Asks for what follows a page that has come, before that is decoded. `expected`: how many records the pages that are
-- not decoded yet may have.
local function hurry(self, range, expected)
  local last, more = transport.page_end(range.pending)
  range.come, range.pending = range.pending, nil
  if more and self.counted + expected < self.plan.limit and id_range.is_number(last)
    and not (range.to and not id_range.is_below(last, range.to)) then
    range.pending = self.plan.ask({ after = last, to = range.to }, self.plan.rows)
  end
end

-- Looks at the network: all that has come has its next call leave. A range has one answer that waits to be decoded, and
-- one call under way, at the most: who is slow to take records finds no more than that in memory.
local function look(self)
  poll(self)
  local expected, hurried = 0, false
  for _, range in ipairs(self.ranges) do
    local fresh = range.pending and not range.come and transport.ready(range.pending)
    expected = expected + ((fresh or range.come) and self.plan.rows or 0)
    if fresh then
      self.turns, hurried = self.turns + 1, true
      range.turn = self.turns
      hurry(self, range, expected)
    end
  end
  if hurried then
    poll(self)
  end
end

-- Asks for the page behind `range.after`, unless that is under way.
local function ask_next(self, range)
  if range.pending and range.pending.asked.after ~= range.after then
    transport.cancel(range.pending)
    range.pending = nil
  end
  if not range.pending then
    ask(self, range)
    poll(self) -- it leaves before the next answer is decoded
  end
end

-- Takes the page of a range that has come.
local function take(self, range)
  local come = range.come
  range.come = nil
  local page, err = self.plan.read(come)
  if self.closed then -- meanwhile, by another task
    return true
  elseif not page then
    return nil, err
  end
  local more, beyond = page.info.more_records, cut(page, range.to)
  local first, last = page[1] and page[1].id, page[#page] and page[#page].id
  if last then
    range.span = id_range.distance(range.after or first, last)
    range.after = last
  end
  if keep(self, page) then
    return true
  elseif more and not beyond and (not range.to or id_range.is_below(last, range.to)) then
    ask_next(self, range)
  else
    cancel(range)
    drop(self.ranges, range)
    local stolen = steal(self)
    if stolen then
      self.ranges[#self.ranges + 1] = stolen
      ask_next(self, stolen)
    end
  end
  return true
end

-- Splits what is past an id into ranges: no more of them than it is likely to take calls.
local function split(self, after, span)
  local highest = self.highest
  local calls = math.ceil(id_range.distance(after, highest) / math.max(span, 1))
  local parts, from = math.max(math.min(self.plan.parallel, calls), 1), after
  for part = 1, parts do
    local to = part < parts and id_range.between(after, highest, part, parts) or nil
    if not to or id_range.is_below(from, to) then
      self.ranges[#self.ranges + 1] = { after = from, to = to, span = span }
      from = to
    end
  end
end

-- The first page, and with it the highest id, from which the ranges follow. true, or nil and an error.
local function divide(self)
  local scan = self.plan
  local start = { after = scan.after }
  self.ranges[1] = start -- where to go on from, if this fails
  local low, high = scan.ask(start, scan.rows), scan.ask(start, 1, true)
  start.come, start.pending = low, high -- for who closes the scan meanwhile
  local page, err = scan.read(low)
  local top, wrong
  if page and page.info.more_records and #page < scan.limit then
    top, wrong = scan.read(high)
  end
  start.come, start.pending = nil, nil
  transport.cancel(high)
  if self.closed then -- meanwhile, by another task
    return true
  elseif not page then
    return nil, err
  end
  local first, last = page[1] and page[1].id, page[1] and page[#page].id
  start.after = last or start.after
  if keep(self, page) then
    return true
  elseif wrong then
    return nil, wrong
  end
  self.ranges = {}
  if not page.info.more_records then
    return true
  end
  -- none is left but what is created from now on: the last range sees to that
  self.highest = top[1] and id_range.is_below(last, top[1].id) and top[1].id or last
  split(self, last, id_range.distance(scan.after or first, last))
  return true
end

local function begin(self)
  self.begun = true
  if self.plan.limit == 0 then
    return true
  elseif self.plan.ranges then
    for i, range in ipairs(self.plan.ranges) do
      self.ranges[i] = { after = range.after, to = range.to }
    end
    return true
  end
  return divide(self)
end

-- As many ranges at once as the scan may have.
local function ask_idle(self)
  local busy = 0
  for _, range in ipairs(self.ranges) do
    busy = busy + (is_idle(range) and 0 or 1)
  end
  for _, range in ipairs(self.ranges) do
    if is_idle(range) and busy < self.plan.parallel then
      ask(self, range)
      busy = busy + 1
    end
  end
end

-- The error of the scan, with what its caller needs to go on. What has come is handed out before it is raised.
local function fail(self, err)
  cancel_all(self)
  local ranges = {}
  for i, range in ipairs(self.ranges) do
    ranges[i] = { after = range.after, to = range.to }
  end
  err.delivered = self.counted + self.plan.delivered
  err.resume = { delivered = err.delivered }
  if #ranges == 1 and not ranges[1].to then
    err.resume.after = ranges[1].after -- to be split anew
  else
    err.resume.ranges, err.resume.highest = ranges, self.highest
  end
  walk_errors.tell_delivered(err, true)
  self.failure = err
end

-- Takes the page that came first, or waits for one. Only one is decoded ahead of its being handed out.
local function receive(self)
  ask_idle(self)
  look(self)
  local first
  for _, range in ipairs(self.ranges) do
    first = range.come and not (first and first.turn < range.turn) and range or first
  end
  if first then
    local fine, err = take(self, first)
    return fine or fail(self, err)
  end
  local waiting = {}
  for _, range in ipairs(self.ranges) do
    waiting[#waiting + 1] = range.pending
  end
  if waiting[1] then
    transport.wait_any(self.plan.client, waiting)
  end
end

local function next_page(self)
  if self.closed then
    return nil
  elseif not self.begun and not self.failure then
    local checked, mistake = self.plan.check()
    local fine, err = checked, nil
    if fine then
      fine, err = begin(self)
    end
    if not checked then
      self.failure = mistake
    elseif not fine then
      fail(self, err)
    end
  end
  while not self.arrived[1] do
    if self.failure then
      return nil, self.failure
    elseif not self.ranges[1] then
      return nil
    end
    receive(self)
  end
  local page = table.remove(self.arrived, 1)
  for i = #page, self.plan.limit - self.delivered + 1, -1 do
    page[i] = nil
  end
  poll(self) -- what was asked just now leaves before the caller gets to work
  return page[1] and page or nil
end

local function glance(self)
  if not self.failure then
    look(self)
  end
end

local meta = walk_reading.metatable(Scan, walk_reading.by_record(walk_reading.exclusive(next_page, true), glance))

--- Every record.
---@param scan table `check()`, `ask(range, rows, descending)`, `read(pending)`, `limit`, `rows`, `parallel`,
--- `delivered`; `ranges` and `highest`, or `after` (to go on with); `client`, `poll`
---@return zohocrm.Walk, nil, nil, zohocrm.Walk
function M.each(scan)
  local self = setmetatable({
    plan = scan, ranges = {}, highest = scan.highest, arrived = {}, counted = 0, delivered = 0, position = 0,
    page = walk_reading.NOTHING, turns = 0, fullest = 0, rich = 0, poor = 0,
  }, meta)
  return self, nil, nil, self
end

return M
