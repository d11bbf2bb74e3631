--- Walking lists of any length: pages, records lazily, or all in one array. Which page comes next is the core's
--- pager's to say; this file asks for it and hands it out.

local core = require "zohocrm.core"
local errors = require "zohocrm.errors"

local M = {}

local reasons = {
  limit = { kind = "invalid", message = "a search reaches its first 2,000 records only",
    advice = "narrow the criteria, or list the module" },
  no_token = { kind = "protocol",
    message = "the server says that there are more records, but gave no page_token to reach them by" },
}

--- An iterator for the generic `for`; `close` ends it early (Lua 5.4 does so by itself when the loop is left).
---@class zohocrm.Walk
local Walk = {}
Walk.__index = Walk
Walk.__name = "zohocrm.Walk"

function Walk:__call()
  return self.step(self)
end

function Walk:__tostring()
  return ("zohocrm.Walk (%d records so far)"):format(self.delivered)
end

--- Ends the walk: it gives nothing more. Twice is harmless.
function Walk:close()
  self.done = true
  self.page = nil
end

Walk.__close = Walk.close

-- The next page that has records, cut to the limit; nil at the end, or nil and an error.
local function next_page(self)
  while not self.done do
    if self.delivered >= self.limit then
      self.done = true
      break
    end
    local name, value = self.pager:next()
    if not name then
      self.done = true
      if value then
        return nil, errors.new({ action = self.action, method = "GET", path = self.path }, {
          kind = reasons[value].kind, message = reasons[value].message, advice = reasons[value].advice,
        })
      end
      break
    end
    local page, err = self.fetch(name, value)
    if not page then
      self.done = true
      return nil, err
    end
    self.pager:feed(page.info.more_records == true, page.info.next_page_token)
    for i = #page, self.limit - self.delivered + 1, -1 do
      page[i] = nil
    end
    self.delivered = self.delivered + #page
    if #page > 0 then
      return page
    end
  end
  return nil
end

local function start(plan, step)
  return setmetatable({
    step = step, action = plan.action, path = plan.path, fetch = plan.fetch, limit = plan.limit or math.huge,
    pager = core.pager(plan.kind, plan.per_page, plan.page, plan.page_token),
    delivered = 0, done = false,
  }, Walk)
end

--- Every page. In a generic `for`: `for page in …`. Raises the error when a page cannot be had.
---@param plan table kind ("list", "search", "plain"), per_page, page, page_token, limit, action, path,
--- fetch(name, value)
---@return zohocrm.Walk, nil, nil, zohocrm.Walk
function M.pages(plan)
  local walk = start(plan, function(self)
    local page, err = next_page(self)
    if err then
      error(err, 0)
    end
    return page
  end)
  return walk, nil, nil, walk
end

--- Every record.
---@param plan table see `pages`
---@return zohocrm.Walk, nil, nil, zohocrm.Walk
function M.each(plan)
  local walk = start(plan, function(self)
    local position = self.position + 1
    local record = self.page and self.page[position]
    if record == nil then
      local page, err = next_page(self)
      if err then
        error(err, 0)
      end
      self.page, position = page, 1
      record = page and page[1]
    end
    self.position = position
    return record
  end)
  walk.position = 0
  return walk, nil, nil, walk
end

--- All records in one array.
---@param plan table see `pages`
---@return table[]|nil records
---@return zohocrm.Error|nil
function M.all(plan)
  local walk = start(plan)
  local all = {}
  while true do
    local page, err = next_page(walk)
    if err then
      return nil, err
    elseif not page then
      return all
    end
    for i = 1, #page do
      all[#all + 1] = page[i]
    end
  end
end

return M
