--- From an answer to a page: an array of records with `.info`, as `list`, `search` and `query` give it.

local answers = require "zohocrm.answers"
local errors = require "zohocrm.errors"
local results = require "zohocrm.results"
local transport = require "zohocrm.transport"

local M = {}

--- An answer's array as a page.
---@param answer table see `zohocrm.transport`
---@param names? string[] the columns in which it prints
---@return table|nil page
---@return zohocrm.Error|nil
function M.from_answer(answer, names)
  local list, err = answers.list(answer, "data")
  if not list then
    return nil, err
  end
  return results.page(list, answers.info(answer, list), names)
end

--- Waits for a page of a walk, see `zohocrm.WalkPlan`.
---@param pending zohocrm.Pending
---@param names? string[]
---@param piece integer|nil see `transport.take`
---@return table|nil page
---@return zohocrm.Error|nil
---@return boolean|nil left records of the page that `transport.rows` reads
function M.read(pending, names, piece)
  local answer, err = transport.finish(pending, piece)
  if not answer then
    return nil, err
  end
  local page, wrong = M.from_answer(answer, names)
  -- only info tells whether there are more: without it a walk must not take a page for the last
  local info_twice = answer.flaws and answer.flaws.info
  if page and page[1] and (page.info.more_records == nil or info_twice) then
    return nil, errors.new(answer.context, {
      kind = "protocol", status = answer.status, attempts = answer.attempts,
      message = "the answer does not say whether there are more records",
    })
  end
  return page, wrong, answer.left
end

return M
