--- How walks are read: by pages or record by record, by one reader at a time.

local host = require "zohocrm.host"
local walk_errors = require "zohocrm.walk_errors"

local M = {}

--- Records between two glances at the network, while the caller works through a page: handshakes go on, and what has
--- come is taken off the wire.
M.POLL_EVERY = 64

--- Stands for a walk's `page` where there is none.
M.NOTHING = {}

-- Records between two glances at the time, in a step of a frame loop.
local BREATHE_EVERY = 8

--- Lets a walk be read by one at a time, and no more once an error (an interruption, say) has broken that off: it has
--- cost the page that was being taken, and going on would leave it out. Two tasks that share a walk would take each
--- other's pages. What is read counts as `delivered` when it is handed over.
---
--- An interruption may come anywhere, so that the order of assignments counts: no page is read twice, nor left out by a
--- walk that can still be read.
---@param read fun(walk: table): table?, zohocrm.Error?
---@param turning? boolean the page becomes the walk's `page`, for who reads its records
---@return fun(walk: table): table?, zohocrm.Error?
function M.exclusive(read, turning)
  return function(walk)
    if walk.reading and not walk.closed then
      return nil, walk_errors.broken_off(walk)
    end
    walk.reading = true
    if turning then
      walk.page = M.NOTHING
      walk.position = 0
    end
    local page, err = read(walk)
    walk.delivered = walk.delivered + (page and #page or 0)
    if turning then
      walk.page = page or M.NOTHING
    end
    walk.reading = false
    return page, err
  end
end

--- What gives a walk's next page. It raises the error of a page that cannot be had.
---@param read fun(walk: table): table?, zohocrm.Error?
---@return fun(walk: table): table?
function M.by_page(read)
  return function(walk)
    local page, err = read(walk)
    if err then
      error(err, 0)
    end
    return page
  end
end

--- What gives a walk's next record, from its `page` behind `position`. It raises the error of a page that cannot be
--- had.
---@param turn fun(walk: table): table?, zohocrm.Error? reads on where that page is at its end
---@param glance fun(walk: table) has a look at the network
---@return fun(walk: table): table?
function M.by_record(turn, glance)
  return function(walk)
    local position = walk.position
    if position % BREATHE_EVERY == 0 and position > 0 then -- before a record is taken: an error here must not cost it
      host.breathe()
      if position % M.POLL_EVERY == 0 then
        glance(walk)
      end
      position = walk.position -- other tasks may have read meanwhile
    end
    position = position + 1
    local record = walk.page[position]
    if record == nil then
      local page, err = turn(walk)
      if err then
        error(err, 0)
      end
      position, record = 1, page and page[1]
    end
    walk.position = position
    return record
  end
end

--- How many records of the page that is read one by one are still to be.
---@param walk table
---@return integer
function M.unread(walk)
  return math.max(#walk.page - (walk.position or #walk.page), 0)
end

local function shown(walk)
  return ("zohocrm.Walk (%d records so far)"):format(walk.delivered - M.unread(walk))
end

--- The metatable of walks: iterators for the generic `for`, which ends them early by their `close` on Lua 5.4.
---@param class table methods
---@param step fun(walk: table): table? gives what is next
---@return table
function M.metatable(class, step)
  return { __name = "zohocrm.Walk", __index = class, __call = step, __close = class.close, __tostring = shown }
end

return M
