--- Errors as values: one shape for all that can go wrong between a call and its answer, with a sentence for people
--- and fields for programs. Caller's mistakes are not here: they raise (see `zohocrm.raise`).

local codes = require "zohocrm.error_codes"

local M = {}

--- An error.
---@class zohocrm.Error
---@field kind string "auth", "not_found", "invalid", "duplicate", "rate_limited", "conflict", "server", "network",
--- "timeout", "protocol", "too_large" or "cancelled"
---@field retryable boolean whether the same call may well succeed later, and repeating it can do no harm
---@field code string|nil the API's own code, such as "MANDATORY_NOT_FOUND"
---@field status integer|nil HTTP status, when an answer came
---@field message string
---@field details table|nil the API's own details
---@field method string
---@field path string without host and parameters
---@field attempts integer requests that were sent for it; 0: none left
---@field retry_after number|nil seconds that the server asked to wait
---@field timeout string|nil which limit a "timeout" passed: "connect" (connect_timeout: name, TCP and TLS), "stall"
--- (stall_timeout: no byte for so long), "attempt" (timeout: one attempt) or "deadline" (all attempts and waits); nil
--- for a 408
---@field may_have_happened boolean|nil true when a write was sent and its outcome is not known
---@field record integer|nil position in the list that was passed, when the error is one record's
---@field action string what was being done: "create Leads"
---@field advice string|nil what to do
local Error = {}
Error.__index = Error
Error.__name = "zohocrm.Error"

-- Foreign text must not steer a terminal.
local function printable(text)
  return (tostring(text):gsub("%c", " "))
end

local function is_list(value)
  return type(value) == "table" and value[1] ~= nil
end

local function joined(list)
  local parts = {}
  for i, value in ipairs(list) do
    parts[i] = tostring(value)
  end
  return table.concat(parts, ", ")
end

local function all_named(list, key)
  local names = {}
  for _, item in ipairs(list) do
    names[#names + 1] = type(item) == "table" and item[key] or nil
  end
  return table.concat(names, ", ")
end

-- The words that details add to the message, in this order.
local detail_words = {
  { "api_name", function(d) return ": " .. d.api_name end },
  { "param_name", function(d) return ": " .. d.param_name end },
  { "param_names", function(d) return ": one of " .. joined(d.param_names) end },
  { "expected_data_type", function(d) return (" (expected %s)"):format(d.expected_data_type) end },
  { "maximum_length", function(d) return (" (at most %s)"):format(tostring(d.maximum_length)) end },
  { "limit", function(d) return (" (at most %s)"):format(tostring(d.limit)) end },
  { "supported_values", function(d) return (" (one of %s)"):format(joined(d.supported_values)) end },
  { "ambiguity_due_to", function(d) return (": %s"):format(all_named(d.ambiguity_due_to, "param_name")) end },
  { "expected_fields", function(d) return (": %s"):format(all_named(d.expected_fields, "api_name")) end },
  { "permissions", function(d) return (" (%s)"):format(joined(d.permissions)) end },
  { "reason", function(d) return (" (%s)"):format(tostring(d.reason)) end },
  { "dependency_error", function(d) return (" (%s)"):format(tostring(d.dependency_error)) end },
}

local function describe_details(err)
  local details = err.details
  if type(details) ~= "table" then
    return ""
  end
  local words = {}
  for _, entry in ipairs(detail_words) do
    local value = details[entry[1]]
    if type(value) == "string" or type(value) == "number" or is_list(value) then
      local fine, text = pcall(entry[2], details) -- a shape nobody promised must not break a message
      words[#words + 1] = fine and text or nil
    end
  end
  if err.code == "DUPLICATE_DATA" and type(details.id) == "string" then
    words[#words + 1] = (" (record %s has it)"):format(details.id)
  end
  if is_list(details.errors) then
    local parts = {}
    for i, item in ipairs(details.errors) do
      parts[i] = type(item) == "table" and M.sentence(item) or tostring(item)
    end
    words[#words + 1] = ": " .. table.concat(parts, "; ")
  end
  return table.concat(words)
end

--- Code, message and the telling parts of the details, as one piece of text.
---@param err table with `code`, `message`, `details`
---@return string
function M.sentence(err)
  local message = type(err.message) == "string" and err.message ~= "" and err.message or nil
  local text = (err.code and message) and err.code .. ", " .. message or err.code or message or "unknown error"
  return text .. describe_details(err)
end

function Error:__tostring()
  local parts = { self.action, ": " }
  if self.record then
    parts[#parts + 1] = ("record %d: "):format(self.record)
  end
  if self.status and not self.code and self.status ~= 204 then
    parts[#parts + 1] = ("HTTP %d, "):format(self.status)
  end
  parts[#parts + 1] = M.sentence(self)
  if self.attempts and self.attempts > 1 then
    parts[#parts + 1] = (" (after %d attempts)"):format(self.attempts)
  end
  if (self.retry_after or 0) > 0 then
    parts[#parts + 1] = ("; the server asks to wait %d s"):format(math.ceil(self.retry_after))
  end
  if self.may_have_happened then
    parts[#parts + 1] = self.retryable and "; the server may have acted on it, and repeating it does no harm"
      or "; the server may have acted on it, so check before you repeat it"
  end
  if self.advice then
    parts[#parts + 1] = "; " .. self.advice
  end
  return printable(table.concat(parts))
end

-- `"failed: " .. err` is what people write where something has failed already.
function Error.__concat(left, right)
  return tostring(left) .. tostring(right)
end

--- Makes an error.
---@param context table `action`, `method`, `path`
---@param fields table the fields of zohocrm.Error
---@return zohocrm.Error
function M.new(context, fields)
  fields.action, fields.method, fields.path = context.action, context.method, context.path
  fields.retryable = fields.retryable or false
  fields.attempts = fields.attempts or 1
  return setmetatable(fields, Error)
end

--- A copy of an error for one record of a list.
---@param err zohocrm.Error
---@param record integer position in the list
---@return zohocrm.Error
function M.for_record(err, record)
  local copy = {}
  for name, value in pairs(err) do
    copy[name] = value
  end
  copy.record = record
  return setmetatable(copy, Error)
end

-- An object with a code of Zoho's that is no success: { code, details, message, status }. With a good HTTP status it
-- must say "error" outright: other objects have codes too.
local function is_fault(item, status)
  return type(item) == "table" and type(item.code) == "string" and item.code ~= "SUCCESS"
    and (item.status == "error" or (status >= 400 and item.status == nil))
end

-- The error in a body: Zoho's envelope, flat or wrapped in some array, or whatever a gateway writes.
local function find_fault(body, status)
  if type(body) ~= "table" then
    return type(body) == "string" and { message = body } or nil
  end
  if is_fault(body, status) then
    return body
  end
  for _, value in pairs(body) do
    if type(value) == "table" and is_fault(value[1], status) then
      return value[1]
    elseif type(value) == "table" and is_fault(value, status) then
      return value
    end
  end
  if status < 400 then
    return nil
  end
  local inner = type(body.error) == "table" and body.error or body
  local message = inner.message or inner.detail or inner.error_description or inner.error
  local code = type(inner.code) == "string" and inner.code or nil
  if type(body.code) == "number" and type(body.error) == "string" then
    code, message = body.error, body.message -- {"code":429,"error":"TOO_MANY_REQUESTS"} was seen
  end
  return { code = code, message = type(message) == "string" and message or nil, gateway = true }
end

local function speaks_of_id(fault, context)
  local details = type(fault.details) == "table" and fault.details or {}
  if fault.code ~= "INVALID_DATA" then
    return false
  end
  return details.api_name == "id" or (type(fault.message) == "string" and fault.message:find("the id given", 1, true))
    or (context.by_id and details.resource_path_index ~= nil)
end

local function kind_of(fault, status, context)
  if speaks_of_id(fault, context) then
    return "not_found"
  end
  return codes.kinds[fault.code] or codes.by_status[status] or (status >= 500 and "server")
    or (status >= 300 and status < 400 and "protocol") or "invalid"
end

local function gateway_advice(status, message, context)
  local text = (message or ""):lower()
  local gateway_url = context.client and context.client.gateway_url or ""
  if status == 404 and not gateway_url:match("/zoho%-crm$") and not context.control then
    return ("the address lacks the app name: gateway_url should end in /zoho-crm, as in "
      .. "https://gateway.maton.ai/zoho-crm, and is %s"):format(gateway_url)
  end
  if status == 400 and text:find("connection", 1, true) then
    return "crm.connections:list() tells which there are; make one with crm.connections:create() and open its url in a "
      .. "browser"
  end
  return codes.gateway_advice[status]
end

local writes = { POST = true, PUT = true, PATCH = true, DELETE = true }

-- Whether a write may have happened for all we know: `last` says so of the last attempt.
local function may_have_happened(answer, last)
  local context = answer.context
  return (writes[context.method] and not context.reads and (last or answer.uncertain)) or nil
end

--- The error that one fault of the API stands for: of a whole request or of one record.
---@param fault table code, message, details
---@param answer table see `from_answer`
---@return zohocrm.Error
function M.from_fault(fault, answer)
  local context, status = answer.context, answer.status
  local kind = kind_of(fault, status, context)
  local unknown = may_have_happened(answer, kind == "server")
  local err = M.new(context, {
    kind = kind, code = fault.code, status = status,
    message = type(fault.message) == "string" and fault.message
      or (not fault.code and "the server gave no reason") or "",
    details = fault.details, attempts = answer.attempts, retry_after = answer.retry_after,
    may_have_happened = unknown,
    retryable = kind == "rate_limited" or (kind == "server" and (not unknown or answer.repeatable)),
  })
  if kind == "not_found" and unknown and context.method == "DELETE" then
    err.advice = "it is gone now: an earlier attempt of this call may have deleted it"
    return err
  end
  err.advice = codes.advice[fault.code] or (not fault.code and gateway_advice(status, err.message, context)) or nil
  return err
end

-- A body that could not be read. An error page of a proxy says by its status what is wrong where the status is
-- unmistakable; everything else is a break of the protocol.
local telling = { [401] = true, [403] = true, [404] = true, [413] = true, [429] = true }

local function from_unreadable(answer)
  local context, status = answer.context, answer.status
  local looks_like_markup = answer.excerpt:match("^%s*[<{%[]") ~= nil
  if status >= 400 and (telling[status] or not looks_like_markup) then
    return M.from_fault({ message = answer.excerpt }, answer)
  end
  local lost = may_have_happened(answer, status < 300 or status >= 500)
  return M.new(context, {
    kind = "protocol", status = status, attempts = answer.attempts, retry_after = answer.retry_after,
    message = ("the answer cannot be read: %s; it begins: %s"):format(answer.problem, answer.excerpt),
    retryable = (status == 502 or status == 503 or status == 504) and (not lost or answer.repeatable),
    may_have_happened = lost,
  })
end

-- How OpenSSL and GnuTLS put it that an answer is plain HTTP.
local function not_tls(message)
  return message and (message:find("wrong version number", 1, true) or message:find("unexpected TLS packet", 1, true))
    and "what answers there does not speak TLS: is the port in the address right?" or nil
end

local function from_failure(answer)
  local lost = may_have_happened(answer, answer.sent)
  return M.new(answer.context, {
    kind = answer.failure, timeout = answer.timeout, message = answer.message, attempts = answer.attempts,
    advice = not_tls(answer.message),
    retryable = answer.transient and (not lost or answer.repeatable), may_have_happened = lost,
  })
end

--- Whether a body reports on single records: `data` is an array whose items carry a code (reference 4.4).
---@param body any
---@return boolean
function M.has_outcomes(body)
  local data = type(body) == "table" and body.data
  return is_list(data) and type(data[1]) == "table" and type(data[1].code) == "string"
end

--- The error in an answer, or nil when there is none. Outcomes of single records in a readable body are not
--- looked at (see `zohocrm.bulk`).
---@param answer table see `zohocrm.transport`
---@return zohocrm.Error|nil
function M.from_answer(answer)
  if answer.failure then
    return from_failure(answer)
  end
  local status = answer.status
  if status >= 300 and status < 400 and status ~= 304 then
    return M.new(answer.context, {
      kind = "protocol", status = status, attempts = answer.attempts,
      message = ("the server redirects to %s, and redirects are not followed"):format(answer.headers.location or "?"),
    })
  end
  if answer.problem then
    return from_unreadable(answer)
  end
  if answer.context.per_record and M.has_outcomes(answer.body) then
    return nil
  end
  -- what crm:request posts may report on single records, too: there it is the caller's to read
  local fault = (status >= 400 or not writes[answer.context.method] or is_fault(answer.body, status))
    and find_fault(answer.body, status)
  if status < 400 and not (fault and fault.code) then
    return nil
  end
  return M.from_fault(fault or {}, answer)
end

return M
