--- Checking one record of a write (reference, sections 4.2 to 4.4).
--
-- Unknown names and read-only fields are passed over without a word, as Zoho mostly does.
--
-- @module zohocrm.sandbox.validate

local answers = require("zohocrm.sandbox.answers")
local json = require("zohocrm.sandbox.json")
local present = require("zohocrm.sandbox.present")
local schema = require("zohocrm.sandbox.schema")
local types = require("zohocrm.sandbox.types")

local M = {}

-- The checks of one record share: what was sent, what will be stored, the faults found, where it stands in the body.
local Check = {}
Check.__index = Check

function Check:fault(code, field_name, details, message)
  details = details or {}
  details.api_name = field_name
  details.json_path = self.path .. "." .. field_name
  self.faults[#self.faults + 1] = answers.fault(code, details, message)
end

-- Fields in the order of the metadata, so that several faults come in a stable order.
local function check_values(check, module)
  for _, field in ipairs(module.fields) do
    local value = check.sent[field.api_name]
    if value ~= nil and not field.read_only and not field.unused then
      if types.empties(value) then
        check.values[field.api_name] = json.null
      else
        local stored, details, message = types.check(value, field, check.state, check.sent)
        if stored == nil then
          check:fault("INVALID_DATA", field.api_name, details, message)
        else
          check.values[field.api_name] = stored
        end
      end
    end
  end
end

local function check_mandatory(check, module)
  for _, field in ipairs(module.fields) do
    local name = field.api_name
    if field.mandatory then
      local emptied = check.values[name] == json.null
      local absent = check.creating and check.sent[name] == nil
      if emptied or absent then
        check:fault("MANDATORY_NOT_FOUND", name)
      end
    end
  end
end

-- A What_Id means nothing without the module it points into.
local function check_related_module(check, module)
  local related = check.sent.What_Id
  if module.by_name.What_Id and related ~= nil and not types.empties(related)
    and type(check.sent["$se_module"]) ~= "string" then
    local kept = {}
    for _, fault in ipairs(check.faults) do
      if fault.details.api_name ~= "What_Id" then
        kept[#kept + 1] = fault
      end
    end
    check.faults = kept
    check:fault("DEPENDENT_FIELD_MISSING", "$se_module", {
      dependee = { api_name = "What_Id", json_path = check.path .. ".What_Id" },
    }, "the module of the related record is missing")
  end
end

local function check_layout(check, module)
  local layout = check.sent.Layout
  if layout == nil or layout == json.null then
    return
  end
  local id = type(layout) == "table" and layout.id or layout
  if id ~= module.layout.id then
    check:fault("INVALID_DATA", "Layout", {}, "the id given seems to be invalid")
  end
end

local function check_unique(check, module, store, key)
  for _, field in ipairs(module.uniques) do
    local value = check.values[field.api_name]
    local holder = value ~= nil and value ~= json.null and store:find_by(field.api_name, value, key)
    if holder then
      local id = schema.id(holder)
      check:fault("DUPLICATE_DATA", field.api_name, {
        id = id,
        more_records = false,
        duplicate_record = {
          id = id, module = { api_name = module.api_name, id = module.id },
          Owner = present.user(store:value(holder, "Owner"), false),
        },
      })
    end
  end
end

-- "mm:ss" and the number of seconds are two views of one thing.
local function derive_duration(values)
  local text = values.Call_Duration
  if type(text) == "string" then
    local minutes, seconds = text:match("^(%d+):(%d+)$")
    values.Call_Duration_in_seconds = tonumber(minutes) * 60 + tonumber(seconds)
  end
end

-- {"$append_values": {"Field": true}} adds to a multi-select pick list instead of replacing it.
local function append_values(check, module, current)
  local wanted = check.sent["$append_values"]
  if type(wanted) ~= "table" or not current then
    return
  end
  for name, flag in pairs(wanted) do
    local field, added, old = module.by_name[name], check.values[name], current(name)
    if flag == true and field and field.data_type == "multiselectpicklist" and json.is_array(added) and old then
      local seen, all = {}, json.array()
      for _, list in ipairs({ old, added }) do
        for _, item in ipairs(list) do
          if not seen[item] then
            all[#all + 1], seen[item] = item, true
          end
        end
      end
      check.values[name] = all
    end
  end
end

--- The one result for the faults of a record.
---@param faults table[] at least one
---@return table result
function M.result(faults)
  if #faults == 1 then
    return faults[1]
  end
  return answers.fault("MULTIPLE_OR_MULTI_ERRORS", { errors = json.array(faults) })
end

--- Checks a record.
---@param state table of the sandbox
---@param store table of its module
---@param sent table the record as decoded
---@param path string where it stands in the body, such as `$.data[0]`
---@param key integer? of the record to change; nil where one is created
---@return table? values stored form by field name, `json.null` for what is emptied; nil where there is a fault
---@return table? result the per-record error
function M.record(state, store, sent, path, key)
  local module = store.module
  local check = setmetatable({
    state = state, sent = sent, path = path, creating = key == nil, values = {}, faults = {},
  }, Check)
  check_values(check, module)
  check_related_module(check, module)
  check_mandatory(check, module)
  check_layout(check, module)
  check_unique(check, module, store, key)
  if #check.faults > 0 then
    return nil, M.result(check.faults)
  end
  append_values(check, module, key and function(name)
    return store:value(key, name)
  end)
  derive_duration(check.values)
  return check.values
end

return M
