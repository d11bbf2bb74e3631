--- Creating, updating, upserting and deleting records (reference, section 4).
-- @module zohocrm.sandbox.write

local answers = require("zohocrm.sandbox.answers")
local json = require("zohocrm.sandbox.json")
local parameters = require("zohocrm.sandbox.parameters")
local present = require("zohocrm.sandbox.present")
local read = require("zohocrm.sandbox.read")
local schema = require("zohocrm.sandbox.schema")
local time = require("zohocrm.sandbox.time")

local users = require("zohocrm.sandbox.users")
local validate = require("zohocrm.sandbox.validate")

local M = {}

--- Most records in one write (seed).
M.RECORDS_MAX = 100

local INVALID_ID = "the id given seems to be invalid"

local triggers = { "workflow", "approval", "blueprint", "pathfinder", "orchestration" }

local function check_trigger(body)
  if body.trigger == nil then
    return
  end
  local supported = parameters.set(triggers)
  local good = json.was_array(body.trigger)
  for _, name in ipairs(good and body.trigger or {}) do
    good = good and supported[name]
  end
  if not good then
    answers.refuse(400, "INVALID_DATA", {
      api_name = "trigger", json_path = "$.trigger", expected_data_type = "jsonarray",
      supported_values = json.array(triggers),
    })
  end
end

-- The records of a body, or the end of the request.
local function records_of(request, most)
  local body = json.decode(request.body)
  if not json.was_object(body) then
    answers.refuse(400, "UNABLE_TO_PARSE_DATA_TYPE")
  end
  if body.data == nil or body.data == json.null then
    answers.refuse(400, "MANDATORY_NOT_FOUND", { api_name = "data" })
  end
  if not json.was_array(body.data) or #body.data == 0 then
    answers.refuse(400, "INVALID_DATA", { api_name = "data", json_path = "$.data", expected_data_type = "jsonarray" })
  end
  if #body.data > most then
    answers.refuse(400, "LIMIT_EXCEEDED", { api_name = "data", json_path = "$.data", maximum_length = most },
      "count of records in your request exceeds the limit")
  end
  check_trigger(body)
  request.record_count = #body.data
  return body.data, body
end

local function details_of(store, key)
  return {
    id = schema.id(key),
    Created_Time = time.format(store:value(key, "Created_Time")),
    Modified_Time = time.format(store:value(key, "Modified_Time")),
    Created_By = present.user(store:value(key, "Created_By"), false),
    Modified_By = present.user(store:value(key, "Modified_By"), false),
  }
end

local function success(details, message)
  return { code = "SUCCESS", details = details, message = message, status = "success" }
end

local function apply(record, values)
  for name, value in pairs(values) do
    if value == json.null then
      record[name] = nil
    else
      record[name] = value
    end
  end
end

-- What every write leaves behind. A record always has an owner and, in the API, a list of tags.
local function stamp(record, now)
  record.Owner = record.Owner or users.current.id
  record.Tag = record.Tag or json.array()
  record.Modified_Time = now
  record.Last_Activity_Time = now
  record.Modified_By = users.current.id
end

-- What a new record has without being told.
local function fresh_record(state, module, key, now)
  local record = { id = schema.id(key), Created_By = users.current.id, Created_Time = now }
  for _, field in ipairs(module.fields) do
    if field.data_type == "boolean" and not field.unused then
      record[field.api_name] = false
    elseif field.data_type == "autonumber" then
      record[field.api_name] = ("SC-%06d"):format(state:next_autonumber(module.api_name))
    end
  end
  return record
end

local function create_one(state, store, sent, path)
  local values, fault = validate.record(state, store, sent, path, nil)
  if not values then
    return fault
  end
  local now, key = state:now(), state:next_key()
  local record = fresh_record(state, store.module, key, now)
  apply(record, values)
  stamp(record, now)
  store:insert(key, record, now)
  return success(details_of(store, key), "record added")
end

local state_faults = {
  converted = { "CONVERTED_RECORD", "can't update the converted record" },
  unapproved = { "NOT_APPROVED", "the record is waiting for approval" },
}

local function state_fault(store, key)
  local fault = state_faults[store:state(key)]
  return fault and answers.fault(fault[1], { id = schema.id(key) }, fault[2])
end

local function update_one(state, store, sent, path, key)
  local fault = state_fault(store, key)
  local values
  if not fault then
    values, fault = validate.record(state, store, sent, path, key)
  end
  if fault then
    return fault
  end
  local now, record = state:now(), store:record(key)
  apply(record, values)
  stamp(record, now)
  store:replace(key, record, now)
  return success(details_of(store, key), "record updated")
end

-- Calls `write` for every record of a body; something that is no object fails on its own.
local function each_record(data, write)
  local results = {}
  for i, sent in ipairs(data) do
    local path = ("$.data[%d]"):format(i - 1)
    if not json.was_object(sent) then
      results[i] = answers.fault("INVALID_DATA", { json_path = path, expected_data_type = "jsonobject" })
    else
      results[i] = write(sent, path)
    end
  end
  return results
end

-- If-Unmodified-Since: one record that is newer refuses the whole request, and nothing is written.
local function check_unmodified(request, store, keys)
  local since = read.header_time(request, "if-unmodified-since")
  if not since then
    return nil
  end
  local newer = {}
  for _, key in ipairs(keys) do
    if store:value(key, "Modified_Time") > since then
      newer[#newer + 1] = answers.fault("ALREADY_MODIFIED", details_of(store, key),
        "record updated time has already passed if-unmodified-since time")
    end
  end
  if #newer > 0 then
    return answers.json(412, { data = json.array(newer) })
  end
end

local function existing_keys(store, data)
  local keys = {}
  for _, sent in ipairs(data) do
    keys[#keys + 1] = type(sent) == "table" and store:find(sent.id) or nil
  end
  return keys
end

--- `POST /{module}`
---@param state table of the sandbox
---@param module table of the schema
---@param request table
---@return table response
function M.create(state, module, request)
  local data = records_of(request, M.RECORDS_MAX)
  local store = state.stores[module.api_name]
  return answers.results(each_record(data, function(sent, path)
    return create_one(state, store, sent, path)
  end), 201)
end

local function update_by_own_id(state, store, sent, path)
  local place = { api_name = "id", json_path = path .. ".id" }
  if sent.id == nil or sent.id == json.null then
    return answers.fault("MANDATORY_NOT_FOUND", place)
  end
  local key = store:find(sent.id)
  if not key then
    return answers.fault("INVALID_DATA", place, INVALID_ID)
  end
  return update_one(state, store, sent, path, key)
end

--- `PUT /{module}`
---@param state table of the sandbox
---@param module table of the schema
---@param request table
---@return table response
function M.update(state, module, request)
  local data = records_of(request, M.RECORDS_MAX)
  local store = state.stores[module.api_name]
  return check_unmodified(request, store, existing_keys(store, data))
    or answers.results(each_record(data, function(sent, path)
      return update_by_own_id(state, store, sent, path)
    end), 200)
end

--- `PUT /{module}/{id}`
---@param state table of the sandbox
---@param module table of the schema
---@param request table
---@param id string from the path; one inside the body does not count
---@return table response
function M.update_by_id(state, module, request, id)
  local data = records_of(request, 1)
  local store = state.stores[module.api_name]
  local key = store:find(id)
  if not key then
    return answers.results({ answers.fault("INVALID_DATA", { id = id }, INVALID_ID) }, 200)
  end
  return check_unmodified(request, store, { key })
    or answers.results(each_record(data, function(sent, path)
      return update_one(state, store, sent, path, key)
    end), 200)
end

-- The fields that an upsert compares, in their order (reference, section 4.6).
local function duplicate_fields(module, body)
  local names, listed = {}, {}
  local function add(name)
    if name and not listed[name] then
      names[#names + 1], listed[name] = name, true
    end
  end
  local wanted = body.duplicate_check_fields
  if wanted == nil or wanted == json.null then
    add(module.duplicate_field)
  else
    local allowed = { module.duplicate_field }
    for _, field in ipairs(module.uniques) do
      allowed[#allowed + 1] = field.api_name
    end
    local set, good = parameters.set(allowed), json.was_array(wanted)
    for _, name in ipairs(good and wanted or {}) do
      good = good and set[name]
      add(name)
    end
    if not good then
      answers.refuse(400, "INVALID_DATA", {
        api_name = "duplicate_check_fields", json_path = "$.duplicate_check_fields",
        supported_values = json.array(allowed),
      })
    end
  end
  for _, field in ipairs(module.uniques) do
    add(field.api_name)
  end
  return names
end

local function find_duplicate(store, sent, names)
  for _, name in ipairs(names) do
    local value = sent[name]
    if json.integer_digits(value) then
      value = json.integer_digits(value)
    elseif type(value) == "number" then
      value = ("%.0f"):format(value) -- unique numbers are long integers, which are stored as digits
    end
    local key = type(value) == "string" and value ~= "" and store:find_by(name, value) or nil
    if key then
      return key, name
    end
  end
end

local function upsert_one(state, store, sent, path, names)
  local key, name
  if sent.id ~= nil and sent.id ~= json.null then
    key = store:find(sent.id)
    if not key then
      return answers.fault("INVALID_DATA", { api_name = "id", json_path = path .. ".id" }, INVALID_ID)
    end
  else
    key, name = find_duplicate(store, sent, names)
  end
  local result
  if key then
    result = update_one(state, store, sent, path, key)
  else
    result = create_one(state, store, sent, path)
  end
  if result.status == "success" then
    result.action = key and "update" or "insert"
    result.duplicate_field = name or json.null
  end
  return result
end

--- `POST /{module}/upsert`
---@param state table of the sandbox
---@param module table of the schema
---@param request table
---@return table response
function M.upsert(state, module, request)
  local data, body = records_of(request, M.RECORDS_MAX)
  local store = state.stores[module.api_name]
  local names = duplicate_fields(module, body)
  local found = existing_keys(store, data)
  for _, sent in ipairs(data) do
    found[#found + 1] = type(sent) == "table" and sent.id == nil and find_duplicate(store, sent, names) or nil
  end
  return check_unmodified(request, store, found)
    or answers.results(each_record(data, function(sent, path)
      return upsert_one(state, store, sent, path, names)
    end), 200)
end

local function delete_one(state, store, id)
  local key = store:find(id)
  if not key then
    return answers.fault("INVALID_DATA", { id = id }, INVALID_ID)
  end
  store:remove(key, state:now())
  return success({ id = id }, "record deleted")
end

local function check_wf_trigger(query)
  local value = query.wf_trigger
  if value ~= nil and value ~= "true" and value ~= "false" then
    answers.refuse(400, "PATTERN_NOT_MATCHED", { param_name = "wf_trigger" })
  end
end

--- `DELETE /{module}?ids=…`
---@param state table of the sandbox
---@param module table of the schema
---@param request table
---@return table response
function M.delete(state, module, request)
  check_wf_trigger(request.query)
  local ids = parameters.split(request.query.ids)
  if not ids then
    answers.refuse(400, "REQUIRED_PARAM_MISSING", { param_name = "ids" })
  end
  if #ids > M.RECORDS_MAX then
    answers.refuse(400, "LIMIT_EXCEEDED", { param_name = "ids", limit = M.RECORDS_MAX })
  end
  local results = {}
  for i, id in ipairs(ids) do
    results[i] = delete_one(state, state.stores[module.api_name], id)
  end
  return answers.results(results, 200)
end

--- `DELETE /{module}/{id}`
---@param state table of the sandbox
---@param module table of the schema
---@param request table
---@param id string
---@return table response
function M.delete_by_id(state, module, request, id)
  check_wf_trigger(request.query)
  return answers.results({ delete_one(state, state.stores[module.api_name], id) }, 200)
end

return M
