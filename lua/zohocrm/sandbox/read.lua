--- Listing and getting records (reference, section 3).
-- @module zohocrm.sandbox.read

local answers = require("zohocrm.sandbox.answers")
local cursor = require("zohocrm.sandbox.cursor")
local json = require("zohocrm.sandbox.json")
local pages = require("zohocrm.sandbox.pages")
local parameters = require("zohocrm.sandbox.parameters")
local present = require("zohocrm.sandbox.present")
local time = require("zohocrm.sandbox.time")
local users = require("zohocrm.sandbox.users")

local M = {}

local sort_fields = { "id", "Created_Time", "Modified_Time" }
local orders = { "asc", "desc" }
local three_way = { "true", "false", "both" }

local function ambiguous(query, a, b)
  if query[a] and query[b] then
    answers.refuse(400, "AMBIGUITY_DURING_PROCESSING", {
      ambiguity_due_to = json.array({ { param_name = a }, { param_name = b } }),
    })
  end
end

--- Which of the hidden leads a query takes in.
---@param query table<string, string>
---@return fun(state: "converted"|"unapproved"|nil): boolean accepts
---@return boolean hidden whether any of them can be accepted
function M.states(query)
  local converted = parameters.one_of(query, "converted", three_way) or "false"
  local approved = parameters.one_of(query, "approved", three_way) or "true"
  local function accepts(state)
    return (converted == "both" or (state == "converted") == (converted == "true"))
      and (approved == "both" or (state ~= "unapproved") == (approved == "true"))
  end
  return accepts, accepts("converted") or accepts("unapproved")
end

--- The custom view of a `cvid` parameter.
---@param module table of the schema
---@param query table<string, string>
---@return table? view nil where the parameter is absent
function M.view(module, query)
  if query.cvid == nil then
    return nil
  end
  for _, view in ipairs(module.views) do
    if view.id == query.cvid then
      return view
    end
  end
  answers.refuse(400, "INVALID_DATA", { param_name = "cvid" })
end

--- The time in a conditional header.
---@param request table
---@param name string lower case
---@return integer? epoch seconds; nil where the header is absent
function M.header_time(request, name)
  local text = request.headers[name]
  if text == nil then
    return nil
  end
  -- ISO 8601 with offset, not an HTTP date (reference, section 3.1). Which error a wrong one gets no document says.
  local epoch = time.parse(text)
  if not epoch then
    answers.refuse(400, "INVALID_DATA", { header_name = name, expected_data_type = "datetime" })
  end
  return epoch
end

local function check_parameters(module, request)
  local query = request.query
  local plan = { page = parameters.positive(query, "page") }
  parameters.positive(query, "per_page")
  ambiguous(query, "cvid", "sort_by")
  ambiguous(query, "page", "page_token")
  plan.names = parameters.fields(query, true)
  plan.page, plan.per_page = parameters.paging(query)
  plan.sort_by = parameters.one_of(query, "sort_by", sort_fields) or "id"
  plan.sort_order = parameters.one_of(query, "sort_order", orders) or "desc"
  plan.ids = parameters.ids(query)
  plan.accepts, plan.hidden = M.states(query)
  plan.view = M.view(module, query)
  plan.since = M.header_time(request, "if-modified-since")
  return plan
end

-- What a record must fulfil to be in the list; nil where every record does.
local function filter_of(store, plan)
  local wanted = plan.ids and {}
  for _, id in ipairs(plan.ids or {}) do
    local key = store:find(id)
    if key then
      wanted[key] = true
    end
  end
  local mine = plan.view and plan.view.mine
  if not (wanted or mine or plan.since or plan.hidden or not plan.accepts(nil)) then
    return nil
  end
  return function(key)
    return plan.accepts(store:state(key))
      and (not wanted or wanted[key])
      and (not mine or store:value(key, "Owner") == users.current.id)
      and (not plan.since or store:value(key, "Modified_Time") > plan.since)
  end
end

local function find_start(state, module, request, plan)
  local token = request.query.page_token
  plan.fingerprint = pages.fingerprint(module.api_name, request.query)
  if token then
    local place = pages.redeem(token, plan.fingerprint, state.clock:now())
    plan.page = place.page + 1
    return place, 0, place.handed
  end
  local skip = (plan.page - 1) * plan.per_page
  if skip + plan.per_page > pages.PAGE_REACH then
    answers.refuse(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", { limit = pages.PAGE_REACH })
  end
  return nil, skip, skip
end

-- The keys of one page, the place of the last one, and whether there are more.
local function collect(store, plan, after, skip)
  local accepted = filter_of(store, plan)
  local keys, place, more = {}, nil, false
  local next_record = cursor.walk(store, {
    sort_by = plan.sort_by, descending = plan.sort_order == "desc", after = after, hidden = plan.hidden,
  })
  for key, rank in next_record do
    if not accepted or accepted(key) then
      if skip > 0 then
        skip = skip - 1
      elseif #keys == plan.per_page then
        more = true
        break
      else
        keys[#keys + 1] = key
        place = { rank = rank, key = key }
      end
    end
  end
  return keys, place, more
end

local function info_of(state, plan, keys, place, more, handed)
  local info = {
    per_page = plan.per_page, count = #keys, page = plan.page, sort_by = plan.sort_by, sort_order = plan.sort_order,
    more_records = more, next_page_token = json.null, previous_page_token = json.null, page_token_expiry = json.null,
  }
  if more then
    place.page, place.handed = plan.page, handed + #keys
    info.next_page_token, info.page_token_expiry = pages.issue(place, plan.fingerprint, state.clock:now())
  end
  return info
end

--- `GET /{module}`
---@param state table of the sandbox
---@param module table of the schema
---@param request table
---@return table response
function M.list(state, module, request)
  local plan = check_parameters(module, request)
  local store = state.stores[module.api_name]
  local after, skip, handed = find_start(state, module, request, plan)
  local keys, place, more = collect(store, plan, after, skip)
  if #keys == 0 then
    return answers.empty(plan.since and 304 or 204)
  end
  local fields, data = present.plan(module, plan.names), json.array()
  for i, key in ipairs(keys) do
    data[i] = present.record(state, store, key, fields, false)
  end
  return answers.json(200, { data = data, info = info_of(state, plan, keys, place, more, handed) })
end

--- `GET /{module}/{id}`
---@param state table of the sandbox
---@param module table of the schema
---@param request table
---@param id string
---@return table response
function M.get(state, module, request, id)
  local names = parameters.fields(request.query, false)
  local store = state.stores[module.api_name]
  local key = store:find(id)
  if not key then
    return answers.empty(204)
  end
  local record
  if names then
    record = present.record(state, store, key, present.plan(module, names), true)
  else
    record = present.whole_record(state, store, key)
  end
  return answers.json(200, { data = json.array({ record }) })
end

return M
