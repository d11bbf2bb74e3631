--- One request, from its description to its answer: over HTTP, or to the sandbox in this process. Both doors go
--- through the same core: it builds the address, encodes the body, bounds and decodes the answer.
---
--- `request` does it all. `start`, `ready` and `finish` are its parts, for callers with several requests under way.

local errors = require "zohocrm.errors"
local host = require "zohocrm.host"
local known_modules = require "zohocrm.known_modules"
local raise = require "zohocrm.raise"

local M = {}

-- Hands a parked call to the sandbox. The key itself never comes here: the core compares it.
local function ask_sandbox(client, call)
  local request = call:request()
  local path, query = request.url:match("^%w+://[^/]*([^?]*)%??(.*)$")
  local headers = {}
  for name, value in pairs(request.headers) do
    headers[name:lower()] = value
  end
  headers.authorization = "Bearer " .. (client.sandbox_key and client.sandbox.api_key or "another key")
  local response = client.sandbox:handle {
    method = request.method, path = path, query = query, headers = headers, body = request.body,
  }
  local head = {}
  for name, value in pairs(response.headers or {}) do
    head[#head + 1] = ("%s: %s\r\n"):format(name, value)
  end
  call:answer(response.status, table.concat(head), response.body or "")
end

local function tell_observer(on_request, context, log)
  for i, attempt in ipairs(log) do
    pcall(on_request, {
      method = context.method, path = context.path, attempt = i,
      status = attempt.status, failure = attempt.failure, timeout = attempt.timeout, seconds = attempt.seconds,
    })
  end
end

-- Tells the observer of each attempt. Its mistakes must not cost the answer of a write, and what it sends itself is not
-- observed in turn; what other coroutines send while it waits for that, is.
local function observe(client, context, answer)
  local here = coroutine.running() or "main" -- LuaJIT has no name for the main one
  if not client.on_request or client.observing[here] then
    return
  end
  client.observing[here] = true
  pcall(tell_observer, client.on_request, context, answer.log)
  client.observing[here] = nil
end

local function shown_path(path)
  return type(path) == "table" and "/" .. table.concat(path, "/") or path
end

--- A request under way.
---@class zohocrm.Pending
---@field call userdata the core's call
---@field client table the client's private part
---@field description table what it was started with
---@field context table what errors say of it: `action`, `method`, `path`, …

--- Puts a request on its way. What can never be right raises at the caller's line.
---@param client table the client's private part
---@param description table see `client:start` of the core; plus `action`, what it does in words ("list Leads"),
--- `module`, `by_id`, `per_record` and `reads` (it only reads, whatever its method is), for reading errors
---@return zohocrm.Pending
function M.start(client, description)
  if client.core:closed() then
    raise("the client is closed")
  end
  host.check(client)
  description.method = description.method or "GET"
  local call, refusal = client.core:start(description)
  if not call then
    raise(("%s: %s"):format(description.action, refusal))
  end
  if client.sandbox then
    client.unanswered[#client.unanswered + 1] = call
  end
  host.started(client, call)
  return {
    call = call, client = client, description = description,
    context = {
      action = description.action, method = description.method, path = shown_path(description.path),
      by_id = description.by_id, per_record = description.per_record, client = client,
      control = description.target == "control", reads = description.reads,
    },
  }
end

--- Whether the answer is there.
---@param pending zohocrm.Pending
---@return boolean
function M.ready(pending)
  return pending.call:ready()
end

--- What a host does while it waits, at most for `seconds`: moves all calls of the client on. The sandbox in this
--- process answers those that are its turn; one that it refuses may come again, after a back-off in the core.
---@param client table the client's private part
---@return fun(seconds: number): integer the number of calls that are not ready
function M.poller(client)
  local core = client.core
  if not client.sandbox then
    return function(seconds)
      return core:closed() and 0 or core:poll(seconds) -- closing has ended all calls
    end
  end
  client.unanswered = {} -- in the order of their start, which is the order in which a server would see them
  return function(seconds)
    if not client.unanswered[1] then
      return core:closed() and 0 or core:poll(seconds)
    end
    local open = {}
    for _, call in ipairs(client.unanswered) do
      if call:parked() then
        ask_sandbox(client, call)
      end
      open[#open + 1] = not call:ready() and call or nil
    end
    client.unanswered = open
    return core:closed() and 0 or core:poll(seconds)
  end
end

--- Whether some attempt of it has left for the server; if not, nothing can have happened.
---@param pending zohocrm.Pending
---@return boolean
function M.sent(pending)
  return pending.call:sent()
end

--- Waits until one of several is ready.
---@param client table the client's private part
---@param list zohocrm.Pending[] not empty
---@return zohocrm.Pending the first in the list that is ready
function M.wait_any(client, list)
  local calls = {}
  for i, pending in ipairs(list) do
    calls[i] = pending.call
  end
  return list[host.wait_any(client, calls)]
end

--- Where the page in an answer ends, before it is decoded, so that the next one can be asked for at once. It is to be
--- compared with the page itself.
---@param pending zohocrm.Pending that is ready
---@return string|nil id of the last record
---@return boolean|nil more whether the server says that more records follow
function M.page_end(pending)
  return pending.call:page_end()
end

--- Takes an answer that is there.
---@param pending zohocrm.Pending that is ready
---@param piece integer|nil of a page, read no more than so many records, where that can be; `rows` then reads on
---@return table|nil answer see `call:take` of the core; plus `context` for later errors
---@return zohocrm.Error|nil
function M.take(pending, piece)
  local client = pending.client
  local answer = pending.call:take(piece)
  answer.context, pending.attempts = pending.context, answer.attempts
  observe(client, pending.context, answer)
  local err = errors.from_answer(answer)
  if err then
    if err.code == "INVALID_MODULE" and pending.description.module then
      err.advice = known_modules.advice(client, pending.description)
    end
    return nil, err
  end
  return answer
end

--- The next records of an answer that was taken in pieces.
---@param pending zohocrm.Pending whose answer has some `left`
---@param piece integer at the most
---@return table[]|nil records nil: there are no more, or
---@return zohocrm.Error|nil the rest of the answer cannot be read
function M.rows(pending, piece)
  local records, problem, excerpt = pending.call:rows(piece)
  if problem then
    return nil, errors.from_answer {
      context = pending.context, status = 200, attempts = pending.attempts, problem = problem, excerpt = excerpt,
    }
  end
  return records
end

--- Gives up the records of such an answer that were not read.
---@param pending zohocrm.Pending
function M.drop_rows(pending)
  pending.call:drop_rows()
end

--- Waits for the answer.
---@param pending zohocrm.Pending
---@param piece integer|nil see `take`
---@return table|nil answer see `take`
---@return zohocrm.Error|nil
function M.finish(pending, piece)
  -- an error out of the wait (an interruption, say) must not leave a write behind that goes out later
  local waited, interruption = pcall(host.wait, pending.client, pending.call)
  if not waited then
    pending.call:cancel()
    error(interruption, 0)
  end
  return M.take(pending, piece)
end

--- Gives a request up. What it was about to do may have happened.
---@param pending zohocrm.Pending
function M.cancel(pending)
  pending.call:cancel()
end

--- Sends a request and waits for its answer.
---@param client table the client's private part
---@param description table see `start`
---@return table|nil answer
---@return zohocrm.Error|nil
function M.request(client, description)
  return M.finish(M.start(client, description))
end

return M
