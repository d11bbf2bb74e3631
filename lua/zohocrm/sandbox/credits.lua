--- API credits: what an organisation may ask for in 24 hours (reference, sections 7.1 and 7.3).
-- @module zohocrm.sandbox.credits

local answers = require("zohocrm.sandbox.answers")

local M = {}

local DAY = 24 * 60 * 60
local RECORDS_PER_CREDIT = 10
local HEADER = "x-api-credits-remaining"

local Credits = {}
Credits.__index = Credits

--- Makes the account of an organisation.
---@param total integer|nil credits of 24 hours; nil: it does not count
---@param clock table of the sandbox
function M.new(total, clock)
  return setmetatable({ total = total, clock = clock, spent = 0, entries = {}, first = 1, last = 0 }, Credits)
end

-- Credits come back one by one, each 24 hours after it was spent.
local function left(self)
  local now = self.clock:now()
  while self.first <= self.last and self.entries[self.first].time <= now - DAY do
    self.spent = self.spent - self.entries[self.first].cost
    self.entries[self.first] = nil
    self.first = self.first + 1
  end
  return math.max(self.total - self.spent, 0)
end

--- Refuses the request when none are left.
function Credits:check()
  if self.total and left(self) == 0 then
    answers.refuse(429, "TOO_MANY_REQUESTS")
  end
end

--- What a request costs that is no query: 1 credit, or 1 for every 10 records of a create, update or upsert.
---@param records integer|nil of the request's body
---@return integer credits
function Credits.of_records(records)
  return math.max(math.ceil((records or 0) / RECORDS_PER_CREDIT), 1)
end

--- Counts a request that was answered. The answer says how many credits are left once half of them are spent.
---@param cost integer
---@param response table gets the header
function Credits:charge(cost, response)
  if not self.total then
    return
  end
  if response.status ~= 429 then
    self.last = self.last + 1
    self.entries[self.last] = { time = self.clock:now(), cost = cost }
    self.spent = self.spent + cost
  end
  local remaining = left(self)
  if remaining <= self.total / 2 then
    response.headers[HEADER] = ("%d"):format(remaining)
  end
end

return M
