--- What the API's error codes and statuses mean. Source: Zoho's schemas and pages as gathered in the project's
--- reference, section 11 (codes), 1.4 (the gateway), 4.4 and 4.5 (writes).

local M = {}

--- Kind by code, wherever the code comes from.
M.kinds = {
  -- who asks, and what they may do
  INVALID_TOKEN = "auth",
  AUTHENTICATION_FAILURE = "auth",
  OAUTH_SCOPE_MISMATCH = "auth",
  NO_PERMISSION = "auth",
  PERMISSION_DENIED = "auth",
  AUTHORIZATION_FAILED = "auth",
  NOT_ALLOWED = "auth",
  -- what is not there
  INVALID_URL_PATTERN = "not_found",
  RECORD_NOT_FOUND = "not_found",
  RESOURCE_NOT_FOUND = "not_found",
  -- what is wrong in the request
  INVALID_MODULE = "invalid",
  INVALID_REQUEST_METHOD = "invalid",
  INVALID_REQUEST = "invalid",
  INVALID_DATA = "invalid",
  MANDATORY_NOT_FOUND = "invalid",
  REQUIRED_PARAM_MISSING = "invalid",
  EXPECTED_PARAM_MISSING = "invalid",
  EXPECTED_FIELD_MISSING = "invalid",
  DEPENDENT_FIELD_MISSING = "invalid",
  DEPENDENT_MISMATCH = "invalid",
  MAPPING_MISMATCH = "invalid",
  MULTIPLE_OR_MULTI_ERRORS = "invalid",
  LIMIT_EXCEEDED = "invalid",
  LIMIT_REACHED = "invalid",
  CRITERIA_LIMIT_EXCEEDED = "invalid",
  DISCRETE_PAGINATION_LIMIT_EXCEEDED = "invalid",
  PAGINATION_LIMIT_EXCEEDED = "invalid",
  EXPIRED_VALUE = "invalid",
  TOKEN_BOUND_DATA_MISMATCH = "invalid",
  AMBIGUITY_DURING_PROCESSING = "invalid",
  PATTERN_NOT_MATCHED = "invalid",
  UNABLE_TO_PARSE_DATA_TYPE = "invalid",
  JSON_PARSE_ERROR = "invalid",
  INVALID_QUERY = "invalid",
  SYNTAX_ERROR = "invalid",
  INVALID_ALIAS = "invalid",
  DUPLICATE_ALIAS = "invalid",
  NOT_SUPPORTED = "invalid",
  FEATURE_NOT_SUPPORTED = "invalid",
  FEATURE_NOT_ENABLED = "invalid",
  API_NOT_SUPPORTED = "invalid",
  LICENSE_LIMIT_EXCEEDED = "invalid",
  MAX_RECORDS_LIMIT_REACHED = "invalid",
  -- what is there already
  DUPLICATE_DATA = "duplicate",
  DUPLICATE_LINKING_DATA = "duplicate",
  -- what the record's state forbids
  ALREADY_MODIFIED = "conflict",
  RECORD_LOCKED = "conflict",
  NOT_APPROVED = "conflict",
  NOT_REVIEWED = "conflict",
  RECORD_IN_BLUEPRINT = "conflict",
  CONVERTED_RECORD = "conflict",
  ID_ALREADY_CONVERTED = "conflict",
  ALREADY_SCHEDULED = "conflict",
  CANNOT_PROCESS = "conflict",
  CANNOT_PERFORM_ACTION = "conflict",
  -- size and pace
  FILE_SIZE_MORE_THAN_ALLOWED_SIZE = "too_large",
  BODY_SIZE_REACHED = "too_large",
  FILE_SIZE_EXCEEDS = "too_large",
  TOO_MANY_REQUESTS = "rate_limited",
  RATE_LIMIT_EXCEEDED = "rate_limited",
  -- the other side's fault
  DEPENDENT_SERVICE_ERROR = "server",
  INTERNAL_ERROR = "server",
  INTERNAL_SERVER_ERROR = "server",
  SERVICE_UNAVAILABLE = "server",
}

--- Kind by status, where the code says nothing.
M.by_status = {
  [400] = "invalid", [401] = "auth", [403] = "auth", [404] = "not_found", [405] = "invalid", [408] = "timeout",
  [409] = "conflict", [412] = "conflict", [413] = "too_large", [415] = "invalid", [429] = "rate_limited",
}

--- What to do about a code.
M.advice = {
  OAUTH_SCOPE_MISMATCH = "the connection was not granted this operation (its OAuth scope); "
    .. "connect again, or ask Maton's support for it, naming the operation",
  INVALID_TOKEN = "the OAuth token of the Zoho connection is not valid; "
    .. "make a new one with crm.connections:create() and open its url",
  AUTHENTICATION_FAILURE = "the OAuth token of the Zoho connection is not valid; "
    .. "make a new one with crm.connections:create() and open its url",
  NO_PERMISSION = "the profile of the Zoho user behind the connection lacks this right",
  EXPIRED_VALUE = "page tokens live for 24 hours; begin the walk anew",
  TOKEN_BOUND_DATA_MISMATCH = "a page_token goes with exactly the options of the call that gave it",
  LIMIT_REACHED = "a search gives at most 2,000 records; narrow it, or list the module",
  DISCRETE_PAGINATION_LIMIT_EXCEEDED = "go on with page_token = info.next_page_token, or let each() do it",
  RECORD_LOCKED = "unlock the record first",
  ALREADY_MODIFIED = "read the record again, then decide",
}

--- What to do about an answer that the gateway itself made (no code of Zoho's).
M.gateway_advice = {
  [401] = "the gateway did not accept the API key; check MATON_API_KEY or api_key (https://maton.ai/settings)",
  [429] = "the gateway takes 10 requests per second; lower rate",
  [500] = "often the service authorisation has expired: make a new connection, then delete the old one",
}

return M
