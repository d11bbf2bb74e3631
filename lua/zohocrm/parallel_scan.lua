--- A scan in several ranges of ids at once. The first page and the highest id are asked first, and what lies between
--- them is split; ids are handed out unevenly, so a range that comes to its end takes half of what the largest one has
--- left. The last range has no upper end: what is created meanwhile is seen, too.

local id_range = require "zohocrm.id_range"
local transport = require "zohocrm.transport"
local walk = require "zohocrm.walk"

local M = {}

-- Records between two glances at the network, see `zohocrm.walk`.
local POLL_EVERY = 64

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
---@field span number|nil how far the ids of its last page lay apart

local Scan = {}

local function cancel_all(self)
  for _, range in ipairs(self.ranges) do
    if range.pending then
      transport.cancel(range.pending)
      range.pending = nil
    end
  end
end

--- Ends the scan: it gives nothing more, and what is under way is cancelled. Twice is harmless.
function Scan:close()
  cancel_all(self)
  self.closed, self.page, self.arrived, self.ranges = true, nil, {}, {}
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

-- Gives a new range half of what the largest one has left, behind the page that this one is waiting for. nil where no
-- range has much left, or one waits for its turn.
local function steal(self)
  local victim, most
  if self.poor > self.plan.parallel + self.rich * VAIN_SHARE then
    return nil
  end
  for _, range in ipairs(self.ranges) do
    if not range.pending then
      return nil
    end
    local left = remaining(self, range) - (range.span or 0)
    if range.span and left > CALLS_WORTH * range.span and left > (most or 0) then
      victim, most = range, left
    end
  end
  if not victim then
    return nil
  end
  local to = victim.to or self.highest
  -- half of what lies behind the page under way, as far as that is likely to reach
  local share = math.min((victim.span + most / 2) / (victim.span + most), 0.95)
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

-- Takes the page of a range, and asks for the next one.
local function take(self, range)
  local page, err = self.plan.read(range.pending)
  range.pending = nil
  if not page then
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
    ask(self, range)
  else
    drop(self.ranges, range)
    local stolen = steal(self)
    if stolen then
      self.ranges[#self.ranges + 1] = stolen
      ask(self, stolen)
    end
  end
  self.plan.poll(0) -- it leaves before the next answer is decoded
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
  local page, err = scan.read(low)
  local top, wrong
  if page and page.info.more_records and #page < scan.limit then
    top, wrong = scan.read(high)
  end
  transport.cancel(high)
  if not page then
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
    busy = busy + (range.pending and 1 or 0)
  end
  for _, range in ipairs(self.ranges) do
    if not range.pending and busy < self.plan.parallel then
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
  local told = ("%d records were delivered before; the option resume = err.resume goes on from there"):format(
    err.delivered)
  err.advice = err.advice and err.advice .. "; " .. told or told
  self.failure = err
end

local function calls_under_way(self)
  local waiting, by_pending = {}, {}
  for _, range in ipairs(self.ranges) do
    if range.pending then
      waiting[#waiting + 1] = range.pending
      by_pending[range.pending] = range
    end
  end
  return waiting, by_pending
end

-- Takes what has come, so that the next calls leave; waits for it only where there is nothing else to hand out.
local function receive(self)
  ask_idle(self)
  local waiting, by_pending = calls_under_way(self)
  local took = false
  for _, pending in ipairs(waiting) do
    local range = by_pending[pending]
    -- who is slow to take pages finds no more of them in memory than there are ranges; the rest stays in the core
    local room = #self.arrived < self.plan.parallel and not self.failure
    if room and range.pending == pending and transport.ready(pending) then
      took = true
      local fine, err = take(self, range)
      if not fine then
        fail(self, err)
      end
    end
  end
  if not took and not self.arrived[1] and waiting[1] then
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
  repeat
    if not self.failure then
      receive(self)
    end
    if not self.arrived[1] and self.failure then
      return nil, self.failure
    end
  until self.arrived[1] or not self.ranges[1]
  local page = table.remove(self.arrived, 1)
  if not page then
    return nil
  end
  for i = #page, self.plan.limit - self.delivered + 1, -1 do
    page[i] = nil
  end
  self.delivered = self.delivered + #page
  self.plan.poll(0) -- what was asked just now leaves before the caller gets to work
  return page[1] and page or nil
end

local turn_page = walk.exclusive(function(self)
  self.page = nil
  local page, err = next_page(self)
  self.position = 0
  self.page = page
  return page, err
end)

local meta = { __name = "zohocrm.Walk", __index = Scan, __close = Scan.close }

function meta:__tostring()
  return ("zohocrm.Walk (%d records so far)"):format(self.delivered)
end

function meta:__call()
  local position = self.position + 1
  local record = self.page and self.page[position]
  if record == nil then
    local page, err = turn_page(self)
    if err then
      error(err, 0)
    end
    position, record = 1, page and page[1]
  end
  self.position = position
  if position % POLL_EVERY == 0 then
    self.plan.poll(0)
  end
  return record
end

--- Every record.
---@param scan table `check()`, `ask(range, rows, descending)`, `read(pending)`, `limit`, `rows`, `parallel`,
--- `delivered`; `ranges` and `highest`, or `after` (to go on with); `client`, `poll`
---@return zohocrm.Walk, nil, nil, zohocrm.Walk
function M.each(scan)
  local self = setmetatable({
    plan = scan, ranges = {}, highest = scan.highest, arrived = {}, counted = 0, delivered = 0, position = 0,
    fullest = 0, rich = 0, poor = 0,
  }, meta)
  return self, nil, nil, self
end

return M
