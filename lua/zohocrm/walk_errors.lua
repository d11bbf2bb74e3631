--- How walks fail: errors that say how many records came before them, and carry what their caller needs to go on.

local errors = require "zohocrm.errors"
local walk_ids = require "zohocrm.walk_ids"

local M = {}

-- Why the core's pager does not go on.
local reasons = {
  limit = { kind = "invalid", message = "a search reaches its first 2,000 records only",
    advice = "narrow the criteria, or list the module" },
  reach = { kind = "invalid", message = "limit and offset reach the first 100,000 rows of a query only",
    advice = "narrow the query, or read the module by crm.Leads:scan, which has no such end" },
  no_token = { kind = "protocol",
    message = "the server says that there are more records, but gave no page_token to reach them by" },
}

-- What errors say of the request.
local function context_of(walk)
  return { action = walk.plan.action, method = walk.plan.method or "GET", path = walk.plan.path }
end

--- The error of a walk that has more ahead, but no way to it.
---@param walk table
---@param reason string the pager's
---@return zohocrm.Error
function M.unreachable(walk, reason)
  local known = reasons[reason]
  return errors.new(context_of(walk), { kind = known.kind, message = known.message, advice = known.advice })
end

--- The error of a walk whose list has changed under it.
---@param walk table
---@param how string
---@param lasting? boolean going on would come to the same
---@return zohocrm.Error
function M.changed(walk, how, lasting)
  return errors.new(context_of(walk), {
    kind = "conflict", retryable = not lasting, message = "the list changed during the walk: " .. how,
  })
end

--- The error of who reads a walk where nobody may.
---@param walk table
---@return zohocrm.Error
function M.broken_off(walk)
  return errors.new(context_of(walk), {
    kind = "cancelled", delivered = walk.delivered + walk.plan.delivered,
    message = "the walk is being read by another task, or an error has broken it off",
  })
end

--- Adds to what an error says how many records came before it, and how to go on if there were any.
---@param err zohocrm.Error with `delivered`
---@param resumable any whether the caller can use err.resume
function M.tell_delivered(err, resumable)
  local told = ("%d records were delivered before"):format(err.delivered)
  if resumable and err.delivered > 0 then
    told = told .. "; the option resume = err.resume goes on from there"
  end
  err.advice = err.advice and err.advice .. "; " .. told or told
end

-- What a caller needs to go on behind the records that came before; nil: that cannot be. `slot`: the page that could
-- not be had.
local function resume_of(walk, err, slot)
  local plan, noted, after = walk.plan, walk_ids.newest(walk), walk.plan.after
  -- the list says that it is in the order of ids; where it is seen to be, all up to the last one can be passed over
  if walk.by_id and noted[1] and walk_ids.in_order(noted, plan.descending) then
    local last = noted[#noted]
    after = after and not walk_ids.is_past(last, after, plan.descending) and after or last
    noted = {}
  end
  if err.code == "EXPIRED_VALUE" then -- the token is dead: only from the beginning
    return after and { delivered = err.delivered, after = after } or nil
  end
  local resume = { delivered = err.delivered, after = after, per_page = plan.size_to_keep }
  resume.skip = noted[1] and noted or nil -- a list that has grown meanwhile repeats some of these
  resume[slot.name] = slot.value ~= "" and slot.value or nil -- "": from the beginning
  return resume
end

--- The error of a walk that has failed, with what its caller needs to go on.
---@param walk table `failure`, the error; `failed`, what was asked for the page that it is about, nil: nothing was;
--- `told`, whether the error says all already; `delivered`, `by_id`, `plan` and what `walk_ids.newest` needs
---@return zohocrm.Error
function M.failure_of(walk)
  local err, slot, plan = walk.failure, walk.failed, walk.plan
  if walk.told then
    return err
  end
  walk.told = true
  err.delivered = walk.delivered + plan.delivered
  err.resume = slot and resume_of(walk, err, slot)
  if err.code == "EXPIRED_VALUE" and err.resume and plan.resumable then
    err.advice, err.retryable = "page tokens live for 24 hours", true
  end
  M.tell_delivered(err, err.resume and plan.resumable)
  return err
end

return M
