--- A scan in several ranges of ids at once. The lowest and the highest id are asked first and what lies between them is
--- split; ids are handed out unevenly, so a range that comes to its end takes half of what the largest one has left.
--- The last range has no upper end: what is created meanwhile is seen, too.

local errors = require "zohocrm.errors"
local id_range = require "zohocrm.id_range"
local transport = require "zohocrm.transport"
local walk = require "zohocrm.walk"

local M = {}

-- Records between two glances at the network, see `zohocrm.walk`.
local POLL_EVERY = 64

-- A range is worth splitting when it is likely to have so many more calls ahead.
local CALLS_WORTH = 1.5

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
-- range has much left.
local function steal(self)
  local victim, most
  for _, range in ipairs(self.ranges) do
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

-- A call takes its time; what the range has to be asked for next is known from the page.
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
  if #page > 0 then
    self.arrived[#self.arrived + 1] = page
    self.counted = self.counted + #page
  end
  if self.counted >= self.plan.limit then
    cancel_all(self)
    self.ranges = {}
  elseif more and not beyond and (not range.to or not last or id_range.is_below(last, range.to)) then
    if not last then
      return nil, errors.new({ action = self.plan.action, method = "POST", path = self.plan.path }, {
        kind = "protocol", message = "the server says that there are more records, but gave none",
      })
    end
    ask(self, range)
  else
    drop(self.ranges, range)
    local stolen = steal(self)
    if stolen then
      self.ranges[#self.ranges + 1] = stolen
      ask(self, stolen)
    end
  end
  return true
end

-- The lowest and the highest id, asked at once. nil and an error where they cannot be had; nothing where there are no
-- records.
local function ends(self)
  local scan = self.plan
  local low, high = scan.ask({}, 1), scan.ask({}, 1, true)
  local bottom, err = scan.read(low)
  if not bottom then
    transport.cancel(high)
    return nil, err
  end
  local top, wrong = scan.read(high)
  if not top then
    return nil, wrong
  end
  return bottom[1] and bottom[1].id, top[1] and top[1].id
end

-- The ranges to begin with. true, or nil and an error.
local function divide(self)
  local scan = self.plan
  local lowest, highest = ends(self)
  if not lowest and highest then
    return nil, highest
  elseif not lowest or not highest then
    return true
  end
  self.highest = highest
  if not (id_range.is_number(lowest) and id_range.is_number(highest)) then
    self.ranges[1] = {} -- nothing to calculate with
    return true
  end
  local after = id_range.before(lowest)
  for part = 1, scan.parallel do
    local to = part < scan.parallel and id_range.between(after, highest, part, scan.parallel) or nil
    local from = part > 1 and self.ranges[#self.ranges].to or after
    if not to or id_range.is_below(from, to) then
      self.ranges[#self.ranges + 1] = { after = from, to = to }
    end
  end
  return true
end

local function begin(self)
  self.begun = true
  local fine, mistake = self.plan.check()
  if not fine then
    return nil, mistake
  elseif self.plan.limit == 0 then
    return true
  elseif self.plan.ranges then
    for i, range in ipairs(self.plan.ranges) do
      self.ranges[i] = { after = range.after, to = range.to }
    end
  else
    return divide(self)
  end
  return true
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
  if ranges[1] then
    err.resume = { ranges = ranges, delivered = err.delivered }
  end
  local told = ("%d records were delivered before"):format(err.delivered)
  told = err.resume and told .. "; the option resume = err.resume goes on from there" or told
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
    if range.pending == pending and transport.ready(pending) and not self.failure then
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
    local fine, err = begin(self)
    if not fine then
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
---@param scan table `ask(range, rows, descending)`, `read(pending)`, `limit`, `rows`, `parallel`, `delivered`, `ranges`
--- (to go on with), `client`, `poll`, `action`, `path`
---@return zohocrm.Walk, nil, nil, zohocrm.Walk
function M.each(scan)
  local self = setmetatable({
    plan = scan, ranges = {}, arrived = {}, counted = 0, delivered = 0, position = 0,
  }, meta)
  return self, nil, nil, self
end

return M
