--- The forms of an answer: results, Zoho's error envelope, the gateway's own errors, empty ones.
-- @module zohocrm.sandbox.answers

local json = require("zohocrm.sandbox.json")

local M = {}

local refusal_mt = { __name = "zohocrm.sandbox.refusal" }

--- An answer with a JSON body.
---@param status integer
---@param value table
---@return table response
function M.json(status, value)
  return {
    status = status,
    headers = { ["content-type"] = "application/json;charset=UTF-8" },
    body = json.encode(value),
  }
end

--- An answer without a body: 204, 304.
---@param status integer
---@return table response
function M.empty(status)
  return { status = status, headers = {}, body = "" }
end

--- One error in Zoho's form, to stand alone or in a list of results.
---@param code string
---@param details table?
---@param message string?
---@return table
function M.fault(code, details, message)
  return { code = code, details = details or {}, message = message or M.messages[code], status = "error" }
end

--- The messages that go with a code wherever it appears (reference, sections 3.4, 4.4, 4.5, 5.4).
M.messages = {
  AMBIGUITY_DURING_PROCESSING = "ambiguity during processing",
  DISCRETE_PAGINATION_LIMIT_EXCEEDED = "You can only get the first 2000 records without using page_token param",
  DUPLICATE_DATA = "duplicate data",
  EXPECTED_PARAM_MISSING = "One of the expected parameter is missing",
  EXPIRED_VALUE = "Page token expired",
  INVALID_DATA = "invalid data",
  INVALID_MODULE = "the module name given seems to be invalid",
  INVALID_QUERY = "invalid query formed",
  INVALID_REQUEST_METHOD = "The http request method type is not a valid one",
  INVALID_URL_PATTERN = "Please check if the URL trying to access is a correct one",
  LIMIT_EXCEEDED = "limit exceeded",
  LIMIT_REACHED = "maximum response iteration limit reached",
  MANDATORY_NOT_FOUND = "required field not found",
  MULTIPLE_OR_MULTI_ERRORS = "the record has more than one error",
  PAGINATION_LIMIT_EXCEEDED = "You can only get upto 100000 records using page_token param",
  PATTERN_NOT_MATCHED = "invalid data",
  REQUIRED_PARAM_MISSING = "required param is missing",
  TOO_MANY_REQUESTS = "too many requests; the API credits of the day are spent",
  TOKEN_BOUND_DATA_MISMATCH = "The page_token given seems to be invalid or input param is added or altered or deleted",
  UNABLE_TO_PARSE_DATA_TYPE = "either the request body or parameters is in wrong format",
}

--- Ends the handling of the request at once with an error in Zoho's form; the router turns it into the answer.
---@param status integer
---@param code string
---@param details table?
---@param message string? default: the usual one of the code
function M.refuse(status, code, details, message)
  error(setmetatable({ response = M.json(status, M.fault(code, details, message)) }, refusal_mt), 0)
end

--- Ends the handling of the request at once with an error of the gateway's own. The form of its body is documented
-- nowhere: `{"message": …}` is what a reader must be able to cope with (reference, section 1.4).
---@param status integer
---@param message string
function M.refuse_at_gateway(status, message)
  error(setmetatable({ response = M.json(status, { message = message }) }, refusal_mt), 0)
end

--- The answer inside a refusal.
---@param thrown any what `pcall` caught
---@return table? response nil where it is no refusal but a fault of the sandbox
function M.refused(thrown)
  if getmetatable(thrown) == refusal_mt then
    return thrown.response
  end
end

--- The answer to a write: one result per record, the status by their mix (reference, section 4.1).
---@param results table[] in the order of the request
---@param all_good integer the status where every record succeeded
---@return table response
function M.results(results, all_good)
  local good = 0
  for _, result in ipairs(results) do
    if result.status == "success" then
      good = good + 1
    end
  end
  local status = good == #results and all_good or good == 0 and 400 or 207
  return M.json(status, { data = json.array(results) })
end

return M
