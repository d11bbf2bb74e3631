--- Sends the chunks of a write, several at once, and gathers one outcome for each record, in the order of the input.

local chunks = require "zohocrm.chunks"
local core = require "zohocrm.core"
local errors = require "zohocrm.errors"
local raise = require "zohocrm.raise"
local results = require "zohocrm.results"
local transport = require "zohocrm.transport"

local M = {}

-- Outcomes are handed out in order. A request that takes long must not let those behind it pile up without end, so
-- with `on_result` no more than this many times `concurrency` requests are ahead of the record that is waited for.
local AHEAD = 4

-- Zoho counts records from 0 within the request; callers count within their list. Details nest: several faults of one
-- record, the fields that another depends on.
local function shift_paths(details, positions)
  if type(details) ~= "table" then
    return
  end
  for name, value in pairs(details) do
    if name == "json_path" and type(value) == "string" then
      details[name] = value:gsub("^(%$%.data%[)(%d+)", function(head, index)
        local position = positions[tonumber(index) + 1]
        return position and head .. ("%d"):format(position - 1)
      end)
    else
      shift_paths(value, positions)
    end
  end
end

--- A write under way.
---@class zohocrm.BulkRun
---@field client table the client's private part
---@field plan table see `M.run`
---@field context table what errors say of it: `action`, `method`, `path`
---@field queue zohocrm.Chunk[] what is to be sent before the source is asked for more
---@field under_way zohocrm.Pending[] in the order of starting
---@field chunk_of table<zohocrm.Pending, zohocrm.Chunk>
---@field held table<string, boolean> ids in the chunks under way
---@field results table<integer, table> outcomes that wait for one before them
---@field values table<integer, any> the records of `results`
---@field delivered integer position of the last one handed out
---@field taken integer position of the last one taken from the source
---@field outcome table
---@field stopped zohocrm.Error|nil what the records that were not sent report
---@field raised table|nil { value }: what the caller's own function raised
---@field refused_bytes number size of the smallest request that was too large for the server

-- What has not left yet comes back: nothing has happened to it.
local function recall(run)
  for i = #run.under_way, 1, -1 do
    local pending = run.under_way[i]
    if not transport.ready(pending) and not transport.sent(pending) then
      transport.cancel(pending)
      table.remove(run.under_way, i)
      table.insert(run.queue, 1, run.chunk_of[pending])
      run.chunk_of[pending] = nil
    end
  end
end

local function stop(run, err)
  if not run.stopped then
    run.stopped = err
    recall(run)
  end
end

local function not_sent(run, reason, kind)
  return errors.new(run.context, { kind = kind or "cancelled", retryable = true, attempts = 0, message = reason })
end

-- Calls the caller's own function. What it raises must not cost the outcomes of what is on its way: it waits.
local function guard(run, name, ...)
  local fine, value = pcall(run.plan[name], ...)
  if not fine then
    run.raised = run.raised or { value }
    stop(run, not_sent(run, ("not sent, because %s raised an error"):format(name)))
  end
end

local function report(run, position, value, result)
  local outcome = run.outcome
  outcome.total = outcome.total + 1
  outcome.succeeded = outcome.succeeded + (result.ok and 1 or 0)
  outcome.failed = outcome.failed + (result.ok and 0 or 1)
  run.results[position], run.values[position] = result, value
  if not result.ok and run.plan.stop_on_error then
    stop(run, not_sent(run, ('not sent, because record %d failed and on_error is "stop"'):format(position)))
  end
end

local function report_all(run, chunk, err)
  for i, position in ipairs(chunk.positions) do
    report(run, position, chunk.values[i], { ok = false, error = errors.for_record(err, position) })
  end
end

local function report_refused(run, chunk)
  for _, item in ipairs(chunk.refused) do
    local err = errors.new(run.context, { kind = "invalid", attempts = 0, message = item.why, record = item.position })
    report(run, item.position, item.value, { ok = false, error = err })
  end
  chunk.refused = {}
end

-- Hands out what has no gap before it.
local function deliver(run)
  local position = run.delivered + 1
  local result = run.results[position]
  while result do
    local value = run.values[position]
    run.delivered, run.results[position], run.values[position] = position, nil, nil
    if run.plan.collect then
      run.outcome[position] = result
    end
    if run.plan.on_result then
      guard(run, "on_result", position, result, value)
    end
    position = position + 1
    result = run.results[position]
  end
end

local function tell_progress(run)
  local outcome = run.outcome
  if run.plan.progress and outcome.total ~= run.told then
    run.told = outcome.total
    guard(run, "progress", outcome.total, run.plan.source.total, outcome.failed)
  end
end

local function read_item(item, answer, chunk, i)
  local position = chunk.positions[i]
  local err
  if type(item) ~= "table" or type(item.code) ~= "string" then
    err = errors.new(answer.context, {
      kind = "protocol", status = answer.status, attempts = answer.attempts, may_have_happened = true,
      message = "the answer says nothing about this record",
    })
  elseif item.status == "success" or (item.status == nil and item.code == "SUCCESS") then
    local details = type(item.details) == "table" and item.details or {}
    return {
      ok = true, id = details.id, code = item.code, details = details, action = item.action,
      duplicate_field = item.duplicate_field,
    }
  else
    shift_paths(item.details, chunk.positions)
    err = errors.from_fault(item, answer)
  end
  err.record = position
  return { ok = false, error = err }
end

-- The array of an answer. An error of the whole request may come wrapped as its only item (reference 4.5).
local function read_data(answer, count)
  local data = type(answer.body) == "table" and type(answer.body.data) == "table" and answer.body.data or {}
  if count > 1 and #data == 1 and type(data[1]) == "table" and data[1].status == "error" then
    return nil, errors.from_fault(data[1], answer)
  end
  return data
end

-- Refused for its size, not just answered at length: the latter is too_large as well, and then it has happened.
local function is_too_large(err)
  return err.status ~= nil and not err.may_have_happened and (err.kind == "too_large" or err.status == 414)
end

local function split(run, chunk)
  local first, second = chunks.halves(chunk)
  table.insert(run.queue, 1, second)
  table.insert(run.queue, 1, first)
end

local function finish(run, pending)
  local chunk = run.chunk_of[pending]
  for i, other in ipairs(run.under_way) do
    if other == pending then
      table.remove(run.under_way, i)
      break
    end
  end
  run.chunk_of[pending] = nil
  local answer, err = transport.finish(pending)
  for _, id in pairs(chunk.ids) do
    run.held[id] = nil
  end
  local data
  if answer then
    data, err = read_data(answer, #chunk.texts)
  end
  if data then
    for i, position in ipairs(chunk.positions) do
      report(run, position, chunk.values[i], read_item(data[i], answer, chunk, i))
    end
  elseif is_too_large(err) and #chunk.texts > 1 then
    run.refused_bytes = math.min(run.refused_bytes, chunk.bytes)
    split(run, chunk)
  else
    if err.kind == "auth" and (err.status == 401 or err.status == 403) then
      stop(run, err) -- every further request would meet the same
    end
    report_all(run, chunk, err)
  end
end

local function take(run)
  local chunk, failure = run.plan.source.take()
  if failure then
    run.raised = run.raised or failure
    stop(run, not_sent(run, "not sent, because the iterator raised an error"))
  end
  if chunk then
    run.taken = run.taken + #chunk.texts + #chunk.refused
    run.queue[#run.queue + 1] = chunk
    report_refused(run, chunk)
    deliver(run)
    tell_progress(run)
  end
  return chunk ~= nil
end

-- Two requests with the same record must not overtake each other.
local function must_wait(run, chunk)
  for _, id in pairs(chunk.ids) do
    if run.held[id] then
      return true
    end
  end
  return run.plan.on_result ~= nil and #run.under_way > 0
    and run.taken - run.delivered > AHEAD * run.client.concurrency * chunks.SIZE
end

local function start(run, chunk)
  local description = run.plan.describe(chunk.texts)
  local pending = transport.start(run.client, description)
  run.under_way[#run.under_way + 1] = pending
  run.chunk_of[pending] = chunk
  for _, id in pairs(chunk.ids) do
    run.held[id] = true
  end
  return transport.ready(pending)
end

-- Starts as many requests as may be under way. One that is answered at once (the sandbox in this process) is read
-- before another is started.
local function fill(run)
  local answered = false
  while not answered and not run.stopped and #run.under_way < run.client.concurrency do
    local chunk = run.queue[1]
    if run.client.core:closed() then
      stop(run, not_sent(run, "not sent, because the client was closed"))
    elseif not chunk then
      if not take(run) then
        return
      end
    elseif must_wait(run, chunk) then
      return
    elseif run.plan.deadline_at and core.now() >= run.plan.deadline_at then
      stop(run, not_sent(run, "the deadline passed before the request could be sent", "timeout"))
    else
      table.remove(run.queue, 1)
      if #chunk.texts > 1 and chunk.bytes >= run.refused_bytes then
        split(run, chunk)
      elseif #chunk.texts > 0 then
        answered = start(run, chunk)
      end
    end
  end
end

-- What was not sent. An iterator is not asked for more.
local function report_rest(run)
  local source = run.plan.source
  local function next_chunk()
    return table.remove(run.queue, 1) or (source.total and source.take())
  end
  local chunk = next_chunk()
  while chunk do
    report_all(run, chunk, run.stopped)
    deliver(run)
    chunk = next_chunk()
  end
end

local function drive(run)
  fill(run)
  while #run.under_way > 0 do
    finish(run, run.under_way[2] and transport.wait_any(run.client, run.under_way) or run.under_way[1])
    deliver(run)
    tell_progress(run)
    fill(run)
  end
  if run.stopped then
    report_rest(run)
  end
  tell_progress(run)
end

--- Sends all that a source gives and waits for the answers.
---
--- At most `concurrency` requests are started and not finished. A request that is too large for the server (413) is
--- refused as a whole: its halves are sent, down to one record. Requests go to the server in the order of the input
--- but may be done in any order, except that one with an id that another under way has, too, waits for it.
---@param client table the client's private part
---@param plan table `source` (see `zohocrm.chunks`), `describe(texts)` (the description of a request), `context` (what
--- errors say: `action`, `method`, `path`), `collect` (boolean: the outcome holds the results), `stop_on_error`
--- (boolean), `on_result`, `progress`, `deadline_at` (by the clock `core.now`)
---@return table outcome
function M.run(client, plan)
  if client.core:closed() then
    raise("the client is closed")
  end
  local run = {
    client = client, plan = plan, context = plan.context, queue = {}, under_way = {}, chunk_of = {}, held = {},
    results = {}, values = {}, delivered = 0, taken = 0, told = 0, outcome = results.outcome(),
    refused_bytes = math.huge,
  }
  local fine, interruption = pcall(drive, run)
  if not fine then
    for _, pending in ipairs(run.under_way) do
      transport.cancel(pending) -- or it would go out later, with nobody to see its answer
    end
    error(interruption, 0)
  end
  if run.raised then
    error(run.raised[1], 0)
  end
  return run.outcome
end

--- What a write of one record gives: its details (with `id`), or nil and its error.
---@param outcome table of one record
---@return table|nil details
---@return zohocrm.Error|nil
function M.single(outcome)
  local result = outcome[1]
  if not result.ok then
    result.error.record = nil
    return nil, result.error
  end
  local details = result.details
  details.action, details.duplicate_field = result.action, result.duplicate_field
  return results.record(details)
end

return M
