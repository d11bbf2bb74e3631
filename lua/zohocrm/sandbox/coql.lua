--- `POST /coql`: queries in COQL (reference, section 6). They see every write at once, `search_delay` or not.
--
-- Texts are compared as a whole, capital and small letters alike. Where no document says what holds: an empty field
-- fulfils the negated operators (`!=`, `not in`, `not like`, `not between`); empty values stand last in either order;
-- converted and unapproved leads are left out, as in a list; an aggregate over nothing gives one row all the same, with
-- a COUNT of 0; equal choices of a multi-select pick list in any order are equal.
--
-- @module zohocrm.sandbox.coql

local answers = require("zohocrm.sandbox.answers")
local groups = require("zohocrm.sandbox.coql.groups")
local json = require("zohocrm.sandbox.json")
local parser = require("zohocrm.sandbox.coql.parser")
local planner = require("zohocrm.sandbox.coql.plan")
local rows = require("zohocrm.sandbox.coql.rows")
local settings = require("zohocrm.sandbox.settings")

local M = {}

local META = "fields"

local function body_of(request)
  local body = json.decode(request.body)
  if not json.was_object(body) then
    answers.refuse(400, "UNABLE_TO_PARSE_DATA_TYPE")
  end
  local query = body.select_query
  if query == nil or query == json.null then
    answers.refuse(400, "MANDATORY_NOT_FOUND", { api_name = "select_query" })
  elseif type(query) ~= "string" then
    answers.refuse(400, "INVALID_DATA", { api_name = "select_query", expected_data_type = "string" })
  end
  return query, body.include_meta
end

local function wants_fields(include_meta)
  if include_meta == nil or include_meta == json.null then
    return false
  end
  local good = json.was_array(include_meta)
  for _, name in ipairs(good and include_meta or {}) do
    good = good and name == META
  end
  if not good then
    answers.refuse(400, "INVALID_DATA", {
      api_name = "include_meta", expected_data_type = "jsonarray", supported_values = json.array({ META }),
    })
  end
  return #include_meta > 0
end

-- The metadata of the columns by their keys. That there is such a part is documented, its form is not.
local function fields_of(plan)
  local fields = {}
  for _, output in ipairs(plan.outputs) do
    fields[output.key] = settings.show_field(output.column.field)
  end
  return fields
end

-- 1 to 3 credits, by the limit (reference, section 6.2).
local function credits_of(limit)
  return limit <= 200 and 1 or limit <= 1000 and 2 or 3
end

--- `POST /coql`
---@param state table of the sandbox
---@param request table
---@return table response
function M.run(state, request)
  local query, include_meta = body_of(request)
  local with_fields = wants_fields(include_meta)
  local plan = planner.make(state, parser.parse(query))
  request.credits = credits_of(plan.limit)
  local data, more = (plan.grouped and groups or rows).records(plan)
  if #data == 0 then
    return answers.empty(204)
  end
  return answers.json(200, {
    data = data, info = { count = #data, more_records = more }, fields = with_fields and fields_of(plan) or nil,
  })
end

return M
