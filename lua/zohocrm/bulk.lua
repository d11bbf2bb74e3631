--- Writes of any number of records: requests of at most 100 (the API's limit), one outcome for each record, in the
--- order in which they were passed.

local core = require "zohocrm.core"
local errors = require "zohocrm.errors"
local raise = require "zohocrm.raise"
local results = require "zohocrm.results"
local transport = require "zohocrm.transport"

local M = {}

--- Records a request (seed, "Notes").
M.CHUNK = 100

-- Zoho counts records from 0 within the request; callers count within their list. Details nest: several faults of one
-- record, the fields that another depends on.
local function shift_paths(details, offset)
  if offset == 0 or type(details) ~= "table" then
    return
  end
  for name, value in pairs(details) do
    if name == "json_path" and type(value) == "string" then
      details[name] = value:gsub("^(%$%.data%[)(%d+)", function(head, index)
        return head .. ("%d"):format(tonumber(index) + offset)
      end)
    else
      shift_paths(value, offset)
    end
  end
end

local function fail(outcome, err, record)
  outcome[#outcome + 1] = { ok = false, error = errors.for_record(err, record) }
  outcome.failed = outcome.failed + 1
end

local function read_item(outcome, item, answer, record, offset)
  if type(item) ~= "table" or type(item.code) ~= "string" then
    fail(outcome, errors.new(answer.context, {
      kind = "protocol", status = answer.status, attempts = answer.attempts, may_have_happened = true,
      message = "the answer says nothing about this record",
    }), record)
  elseif item.status == "success" or (item.status == nil and item.code == "SUCCESS") then
    local details = type(item.details) == "table" and item.details or {}
    outcome[#outcome + 1] = {
      ok = true, id = details.id, code = item.code, details = details, action = item.action,
      duplicate_field = item.duplicate_field,
    }
    outcome.succeeded = outcome.succeeded + 1
  else
    shift_paths(item.details, offset)
    fail(outcome, errors.from_fault(item, answer), record)
  end
end

-- A request-level error may come wrapped as the only item (reference 4.5): it then holds for every record.
local function holds_for_all(data, count)
  return count > 1 and #data == 1 and type(data[1]) == "table" and data[1].status == "error"
end

local function read_answer(outcome, answer, count, offset)
  local data = type(answer.body) == "table" and type(answer.body.data) == "table" and answer.body.data or {}
  local all = holds_for_all(data, count)
  for i = 1, count do
    read_item(outcome, all and data[1] or data[i], answer, offset + i, offset)
  end
end

--- Sends chunks one after the other. A chunk that fails gives each of its records the error; the others go on.
---@param client table the client's private part
---@param chunks table[] each { count =, describe = function() -> description }
---@return table outcome
function M.send(client, chunks)
  local outcome = results.outcome()
  local offset = 0
  for _, chunk in ipairs(chunks) do
    local answer, err = transport.request(client, chunk.describe())
    if answer then
      read_answer(outcome, answer, chunk.count, offset)
    else
      for i = 1, chunk.count do
        fail(outcome, err, offset + i)
      end
    end
    offset = offset + chunk.count
  end
  return outcome
end

-- Encodes before anything is sent, so that a value which JSON cannot carry raises while nothing has happened yet.
local function encode(action, body, offset, single)
  local json, refusal = core.encode(body)
  if json then
    return json
  end
  raise(("%s: %s"):format(action, (refusal:gsub("^data%[(%d+)%]%.?", function(index)
    return single and "" or ("record %d: "):format(tonumber(index) + offset)
  end))))
end

--- Cuts a list of records into chunks with their bodies encoded.
---@param records table[]
---@param extra table further keys of every body (`trigger`, …)
---@param action string
---@param single boolean the caller passed one record, not a list
---@param describe fun(json: string): table makes the description of a request
---@return table[] chunks for `send`
function M.record_chunks(records, extra, action, single, describe)
  local chunks = {}
  for first = 1, #records, M.CHUNK do
    local body = { data = {} }
    for name, value in pairs(extra) do
      body[name] = value
    end
    for i = first, math.min(first + M.CHUNK - 1, #records) do
      body.data[#body.data + 1] = records[i]
    end
    local json = encode(action, body, first - 1, single)
    chunks[#chunks + 1] = {
      count = #body.data,
      describe = function()
        return describe(json)
      end,
    }
  end
  return chunks
end

--- Cuts a list of ids into chunks.
---@param ids string[]
---@param describe fun(ids: string): table gets the ids of a request, joined by commas
---@return table[] chunks for `send`
function M.id_chunks(ids, describe)
  local chunks = {}
  for first = 1, #ids, M.CHUNK do
    local last = math.min(first + M.CHUNK - 1, #ids)
    chunks[#chunks + 1] = {
      count = last - first + 1,
      describe = function()
        return describe(table.concat(ids, ",", first, last))
      end,
    }
  end
  return chunks
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
