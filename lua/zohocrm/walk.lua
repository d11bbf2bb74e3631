--- Walking lists of any length: pages, records lazily, or all in one array. Which page comes next is the core's pager's
--- to say; this file asks for pages early enough, and hands them out in the server's order.
---
--- The first 2,000 records are counted in pages that do not depend on each other, so several are asked at once. Calls
--- cost the account credits: the number ahead doubles as pages prove useful (1, 2, 4, …), so that never more are asked
--- in vain than were of use. Past 2,000 each page needs the token of the one before; it is asked the moment that is
--- known.

local core = require "zohocrm.core"
local host = require "zohocrm.host"
local transport = require "zohocrm.transport"
local walk_errors = require "zohocrm.walk_errors"
local walk_ids = require "zohocrm.walk_ids"
local walk_reading = require "zohocrm.walk_reading"

local M = {}

-- Records that are decoded at once where they are handed out one by one: so that few are alive at a time. A multiple of
-- these makes walk_reading.POLL_EVERY.
local PIECE = 16

-- Seconds that it takes to put a request on its way: with less left of its time, a step of a frame loop does not begin.
local ASKING = 0.0005

--- An iterator for the generic `for`; `close` ends it early (Lua 5.4 does so by itself when the loop is left;
--- elsewhere the garbage collector cancels what is under way).
---@class zohocrm.Walk
local Walk = {}

-- Gives up the requests that are under way.
local function cancel_asked(self)
  for _, slot in ipairs(self.asked) do
    transport.cancel(slot.pending)
  end
  self.asked = {}
  if self.taking then
    transport.cancel(self.taking.pending)
  end
end

-- Lets go of the records of the page at hand that were not read yet.
local function drop_rows(self)
  if self.rows then
    transport.drop_rows(self.rows)
    self.rows = nil
  end
end

--- Ends the walk: it gives nothing more, and what is under way is cancelled. Twice is harmless.
function Walk:close()
  self.delivered = self.delivered - walk_reading.unread(self)
  self.closed, self.page, self.arrived = true, walk_reading.NOTHING, {}
  cancel_asked(self)
  drop_rows(self)
end

-- How many pages may be asked or wait beyond the one that is handed out.
local function window(self)
  local size = self.plan.prefetch
  if not size and self.by_token then
    size = 2 -- the chain cannot be hurried; further ahead, pages would only lie about in memory
  elseif not size then
    size = 1
    while size * 2 <= self.useful + 1 do
      size = size * 2
    end
    size = math.min(size, self.plan.concurrency)
  end
  return math.max(size, 1)
end

local function ask(self, name, value)
  self.by_token = name == "page_token" or self.plan.chained
  self.asked[#self.asked + 1] = { name = name, value = value, pending = self.plan.begin(name, value) }
end

-- Ends the walk with an error, once the pages that came before were handed out. `slot`: the page that it is about.
local function fail(self, err, slot)
  self.failure, self.failed = err, slot
  cancel_asked(self)
end

-- How many records have come, where a page that was not read to its end is taken at its word.
local function reckoned(self)
  local count = self.counted
  for _, entry in ipairs(self.arrived) do
    count = count + entry.size
  end
  return self.rows and count + math.max(self.size - self.seen, 0) or count
end

-- Lets the core have a look at the network.
local function glance(self)
  if self.asked[1] and not host.paced() then -- the step of a frame loop looks by itself
    self.plan.poll(0)
  end
end

-- Asks for the page after one that has come, before that one is decoded.
local function hurry(self, slot)
  transport.wait_any(self.plan.client, { slot.pending })
  local last, more = transport.page_end(slot.pending)
  if more and self.plan.is_id(last) and not self.closed and reckoned(self) + self.plan.per_page < self.plan.limit then
    ask(self, slot.name, last)
    self.plan.poll(0)
  end
end

-- How many records a page that was not read to its end says that it has, where that can be.
local function said_size(self, page)
  local count, most = page.info.count, self.plan.per_page
  return type(count) == "number" and count > #page and count < most and count or most
end

-- Whether the page that was asked ahead does not follow the one that has come: that ends elsewhere than its text showed
-- beforehand, or has fewer rows than were asked for.
local function is_unfit(self, page)
  local next_asked, plan = self.asked[1], self.plan
  if not (next_asked and page[1]) then
    return false
  elseif plan.chained then
    return next_asked.value ~= page[#page].id
  end
  return plan.counted_by ~= nil and next_asked.value ~= select(2, self.pager:next())
end

-- Takes the answer of the first page that was asked.
local function take(self)
  local slot = table.remove(self.asked, 1)
  self.taking = slot
  if self.plan.chained then
    hurry(self, slot)
  end
  local page, err, left = self.plan.read(slot.pending, not self.resumed and self.piece or nil)
  self.taking = nil
  if self.closed then -- meanwhile, by another task
    return
  elseif not page then
    return fail(self, err, slot)
  end
  self.by_id = self.by_id and (page.info.sort_by or "id") == "id"
  local more, token = page.info.more_records == true, page.info.next_page_token
  if self.promised and not page[1] and not more and not self.plan.may_end then
    return fail(self, walk_errors.changed(self, "there are no more records where more were promised"), slot)
  end
  self.promised = more
  self.pager:feed(more, token, page)
  if page[1] then
    self.useful = self.useful + 1
    local size = left and said_size(self, page) or #page
    self.arrived[#self.arrived + 1] = { page = page, slot = slot, left = left, size = size }
  end
  if not more or is_unfit(self, page) or reckoned(self) >= self.plan.limit then
    cancel_asked(self)
  end
end

-- Reads what is left of a page. Gives the error where it cannot be read.
local function complete(self, entry)
  local page = entry.page
  while entry.left do
    local records, err = transport.rows(entry.slot.pending, self.plan.per_page)
    for _, record in ipairs(records or {}) do
      page[#page + 1] = record
    end
    entry.left = records ~= nil
    if err then
      return err
    end
  end
end

-- Counts records that are to be handed out, at most as many as are wanted.
local function reckon(self, records)
  local limit = self.plan.limit
  for i = #records, limit - self.counted + 1, -1 do
    records[i] = nil
  end
  self.counted = self.counted + #records
  if self.counted >= limit then
    cancel_asked(self)
    drop_rows(self)
  end
end

-- The page whose turn it is; nil where something is wrong with it.
local function hand_out(self)
  local entry = table.remove(self.arrived, 1)
  local page, slot = entry.page, entry.slot
  if self.plan.after and self.resumed and not walk_ids.in_order(walk_ids.of(page), self.plan.descending) then
    self.arrived = {}
    return fail(self, walk_errors.changed(self, "it is not in the order of ids, in which it was to be resumed", true),
      slot)
  end
  if walk_ids.may_repeat(self, page) then
    local err = complete(self, entry)
    local how = not err and walk_ids.moved(self, page)
    if err or how then
      self.arrived = {}
      return fail(self, err or walk_errors.changed(self, how), slot)
    end
  end
  walk_ids.turn(self)
  self.slot, self.size, self.rows = slot, entry.size, entry.left and slot.pending or nil
  self.seen = #page
  walk_ids.note(self, page)
  if self.resumed then
    walk_ids.drop_delivered(self, page)
    if self.plan.dropped then
      self.plan.dropped(self.seen - #page)
    end
    self.resumed = #page < self.seen -- what is behind a page that has nothing of before is new, too
  end
  reckon(self, page)
  return page
end

-- The next records of the page at hand; nil at its end, or nil and an error.
local function read_rows(self)
  if self.seen % walk_reading.POLL_EVERY == 0 then
    glance(self)
    if not self.rows then -- closed meanwhile
      return nil
    end
  end
  local records, err = transport.rows(self.rows, PIECE)
  if err then
    self.arrived, self.rows = {}, nil
    fail(self, err, self.slot)
    return nil, walk_errors.failure_of(self)
  elseif not records then
    self.rows = nil
    return nil
  end
  self.seen = self.seen + #records
  walk_ids.note(self, records)
  reckon(self, records)
  return records
end

-- What to ask for next: "page" or "page_token" and its value; nil when there is nothing to ask, or not yet.
local function next_request(self)
  if #self.asked > 0 then
    return self.plan.counted_by or "page", self.pager:ahead(#self.asked)
  end
  local name, value = self.pager:next()
  if not name and value and #self.arrived == 0 then
    fail(self, walk_errors.unreachable(self, value))
  end
  return name, name and value
end

-- Asks for as many pages as the window has room for. A limit asks for no page that it cannot need. Answers stay in the
-- core, undecoded, until their turn comes, but where one may hold the token that the next request needs.
local function fill(self)
  while not self.failure and #self.asked < window(self) - #self.arrived do
    host.breathe(ASKING)
    if self.closed or reckoned(self) + #self.asked * self.plan.per_page >= self.plan.limit then
      return
    end
    local name, value = next_request(self)
    if value then
      ask(self, name, value)
    elseif self.asked[1] and transport.ready(self.asked[1].pending) then
      take(self)
    else
      return
    end
  end
end

-- The next page that has records; nil at the end, or nil and an error. A walk that has failed stays failed: a caller
-- who catches the error must not take the end for a complete walk.
local function read_page(self)
  if self.closed then
    return nil
  end
  local check = self.plan.check
  if check and not self.checked then
    local _, mistake = check()
    self.checked, self.failure, self.told = true, mistake, mistake ~= nil -- before any record
  end
  if self.counted >= self.plan.limit and not self.told then -- whatever became of a page that is not wanted any more
    return nil
  end
  local page
  repeat
    while not self.arrived[1] do
      if not self.failure then
        fill(self) -- it may take answers, too
      end
      if self.arrived[1] then
        break
      end
      if self.failure then
        return nil, walk_errors.failure_of(self)
      end
      if not self.asked[1] then
        return nil
      end
      take(self)
    end
    page = hand_out(self)
  until page and page[1]
  if self.plan.prefetch ~= 0 and not self.closed then
    fill(self) -- before the caller gets to work
    if not host.paced() then
      self.plan.poll(0) -- a new connection is there only now, and its request leaves
    end
  end
  if self.closed then -- meanwhile, by another task
    return nil
  end
  return page
end

-- To read records from: a page, or a piece of one.
local function read_records(self)
  local page, err
  if self.rows then
    page, err = read_rows(self)
  end
  if not page and not err then
    page, err = read_page(self)
  end
  return page, err
end

local next_page = walk_reading.exclusive(read_page)
local turn_page = walk_reading.exclusive(read_records, true)

local by_page = walk_reading.metatable(Walk, walk_reading.by_page(next_page))
local by_record = walk_reading.metatable(Walk, walk_reading.by_record(turn_page, glance))

local function start(plan, meta)
  local walk = setmetatable({
    plan = plan, pager = plan.pager or core.pager(plan.kind, plan.per_page, plan.page, plan.page_token),
    asked = {}, arrived = {}, page = walk_reading.NOTHING, ids = {}, skip = {}, useful = 0, counted = 0, delivered = 0,
  }, meta)
  for _, id in ipairs(plan.skip or {}) do
    walk.skip[id] = true
  end
  walk.by_id = plan.by_id and not plan.skip -- ids to skip are carried where the order is another
  walk.before, walk.seen = table.concat(plan.skip or {}, ","), 0
  walk.resumed = plan.after ~= nil or next(walk.skip) ~= nil
  return walk
end

--- What a walk needs to know.
---@class zohocrm.WalkPlan
---@field pager table|nil says which page comes next, as the core's pager does; nil: the core's, of this kind:
---@field kind string "list", "search" or "plain"
---@field counted_by string|nil the name that pager:ahead's values go by; default "page"
---@field chained boolean|nil each request goes by the last id of the page before, and is asked before that is decoded
---@field client table|nil the client's private part, where it is chained
---@field is_id (fun(id: string): boolean)|nil whether a request may go by this id, where it is chained
---@field per_page integer
---@field page integer|nil where to begin
---@field page_token string|nil where to begin
---@field limit number records at the most; math.huge for all
---@field prefetch integer|nil pages ahead; nil: as they prove useful
---@field concurrency integer the client's
---@field delivered integer records that a resumed walk gave before
---@field skip string[]|nil ids that it gave before, in another order than theirs: a list that has grown repeats some
---@field after string|nil the last id that it gave: all up to that one, in the order of ids, are passed over
---@field names string[]|nil the columns in which a page prints
---@field size_to_keep integer|nil per_page, where the caller of a walk that goes on would not choose the same by itself
---@field check (fun(): true?, zohocrm.Error?)|nil asked before the first page
---@field dropped (fun(count: integer))|nil told of records that a resumed walk passed over
---@field by_id boolean the list is in the order of ids, unless its pages say otherwise
---@field descending boolean … the highest first
---@field resumable boolean whether the caller can use err.resume
---@field action string for errors: "list Leads"
---@field path string
---@field method string|nil default "GET"
---@field may_end boolean|nil a page may be empty though more was promised: what it would have had was deleted meanwhile
---@field poll fun(seconds: number) the client's
---@field begin fun(name: string, value: any): zohocrm.Pending asks with page or page_token
---@field read fun(pending: zohocrm.Pending, piece: integer?): table?, zohocrm.Error?, boolean? waits for the page, of
--- which some records may be left where it may be read in pieces, see `transport.take`

--- Every page. In a generic `for`: `for page in …`. Raises the error when a page cannot be had.
---@param plan zohocrm.WalkPlan
---@return zohocrm.Walk, nil, nil, zohocrm.Walk
function M.pages(plan)
  local walk = start(plan, by_page)
  return walk, nil, nil, walk
end

--- Every record.
---@param plan zohocrm.WalkPlan
---@return zohocrm.Walk, nil, nil, zohocrm.Walk
function M.each(plan)
  local walk = start(plan, by_record)
  walk.position = 0
  -- in another order than that of ids, records that come twice are found by the whole page only
  walk.piece = walk.by_id and PIECE or nil
  return walk, nil, nil, walk
end

--- All records in one array.
---@param plan zohocrm.WalkPlan
---@return table[]|nil records
---@return zohocrm.Error|nil
function M.all(plan)
  local walk = start(plan, by_page)
  local all, count = {}, 0
  while true do
    local page, err = next_page(walk)
    if err then
      return nil, err
    elseif not page then
      return all
    end
    for i = 1, #page do
      count = count + 1
      all[count] = page[i]
    end
  end
end

return M
