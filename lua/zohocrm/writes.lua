--- The writes of a module: create, update, upsert, delete. What is passed is checked here; `zohocrm.bulk` sends it.

local bulk = require "zohocrm.bulk"
local check = require "zohocrm.check"
local chunks = require "zohocrm.chunks"
local core = require "zohocrm.core"
local options = require "zohocrm.options"
local raise = require "zohocrm.raise"
local results = require "zohocrm.results"
local values = require "zohocrm.values"

local M = {}

-- What is for this side only, not for the request.
local bulk_keys = { "on_error", "on_result", "progress" }
local bulk_rules = options.merge(options.call, {
  on_error = { kind = "choice", choices = { "continue", "stop" } },
  on_result = { kind = "function" },
  progress = { kind = "function" },
})

-- Whether a request whose answer was lost is sent again (reference 4.7). A delete is: the second time the record is
-- gone, which is what was asked for. An update is not, unless the caller says so: the fields come out the same, but
-- workflows run twice and Modified_Time moves. Nor is an upsert, which only meets its own record again when every
-- record has a value in a checked field. A create never is: it would double.
local REPEATABLE = { kind = "boolean", core = true }

-- Reference 4.2: what goes into the body beside `data`.
local body_keys = { "trigger", "apply_feature_execution", "skip_feature_execution", "duplicate_check_fields", "lar_id" }
local write_rules = options.merge(bulk_rules, {
  check = options.check_rule,
  trigger = { kind = "array" },
  apply_feature_execution = { kind = "array" },
  skip_feature_execution = { kind = "array" },
})
local create_rules = options.merge(write_rules, { lar_id = { kind = "id" } })
local update_rules = options.merge(write_rules, {
  if_unmodified_since = { kind = "string", header = "If-Unmodified-Since" },
  repeatable = REPEATABLE,
})
local upsert_rules = options.merge(create_rules, update_rules, { duplicate_check_fields = { kind = "array" } })
local delete_rules = options.merge(bulk_rules, { wf_trigger = { kind = "boolean" }, repeatable = REPEATABLE })

local verbs = {
  create = { method = "POST", rules = create_rules },
  update = { method = "PUT", rules = update_rules, needs_id = true, keeps_order = true },
  upsert = { method = "POST", rules = upsert_rules, tail = "upsert", keeps_order = true },
}

-- Moves some of the options into a table of their own.
local function take_out(checked, names)
  local taken = {}
  for _, name in ipairs(names) do
    taken[name], checked[name] = checked[name], nil
  end
  return taken
end

-- An iterator as a function: a function, or what has the metamethod __call. Records are plain tables; that of pages
-- only explains itself.
local function iterator_of(value)
  if type(value) == "function" then
    return value
  elseif results.is_page(value) then
    return nil
  end
  local meta = (type(value) == "table" or type(value) == "userdata") and debug.getmetatable(value)
  if meta and rawget(meta, "__call") ~= nil then
    return function()
      return value()
    end
  end
end

-- A record as JSON, and its id where one matters; or nil and why it cannot be sent, as a sentence that begins with
-- `what`, or with `prefix` where it speaks of a field: formats, for the record's position.
local function read_record(record, verb, what, prefix, position)
  if type(record) ~= "table" then
    return nil, ("%s is a %s, not a table of fields"):format(what:format(position), type(record))
  end
  local id, why
  if record.id ~= nil then
    id = options.read_id(record.id, "id")
    why = not id and select(2, options.read_id(record.id, what:format(position) .. ": id")) or nil
  elseif verb.needs_id then
    why = what:format(position)
      .. ' has no id; pass the record\'s id as a string: { id = "7243485000000597000", … }'
  end
  if why then
    return nil, why
  end
  local json, refusal = values.encode(record, true)
  if not json then
    return nil, prefix:format(position) .. refusal:gsub("^the value ", "")
  end
  return json, verb.keeps_order and id or nil
end

-- An id for the address, twice: it is also what the order goes by.
local function read_deleted(id, what, position)
  local text = options.read_id(id, "id")
  if text and not text:find(",", 1, true) then
    return text, text
  end
  what = what:format(position)
  return nil, text and ("%s contains a comma; pass many ids as an array"):format(what)
    or select(2, options.read_id(id, what))
end

-- Reads every element of an array before anything is sent: a mistake raises while nothing has happened yet.
local function read_array(list, count, read)
  local texts, ids = {}, {}
  for i = 1, count do
    local text, id_or_why = read(list[i], i)
    if not text then
      raise(id_or_why)
    end
    texts[i], ids[i] = text, id_or_why
  end
  return texts, ids
end

-- Says what is wrong with something that is no table.
local function refuse_records(value, name, verb)
  local by_id = verb.needs_id and (type(value) == "string" or type(value) == "number")
  raise(("%s takes a record (a table of fields) or an array of records, not %s; %s"):format(name,
    options.kind_of(value), by_id and ('the id is one of the fields: %s{ id = "7243485000000597000", … }'):format(name)
      or "or a function that gives one record after the other"))
end

-- Whether a table is one record, not an array of them. An empty table is an array of none.
local function is_record(value, name)
  if next(value) == nil or results.is_page(value) then
    return false
  end
  for key in pairs(value) do
    if type(key) ~= "string" then
      return false
    end
  end
  if type(value.data) == "table" then -- as the API's own documentation has it; fields have capitals
    raise(("%s: pass the records themselves, %s{ { … }, { … } }; 'data' is put around them for you"):format(name, name))
  end
  for _, option in ipairs { "duplicate_check_fields", "trigger" } do
    if type(value[option]) == "table" then
      raise(("%s: %s is an option, not a field: %s({ … }, { %s = { … } })"):format(name, option, name, option))
    end
  end
  return true
end

-- The records of an array that was read already, each of which may turn out to have mistakes.
local function checked_array(list, count, texts, ids, mistakes_of)
  local position = 0
  local source = chunks.of_iterator(function()
    position = position + 1
    return list[position]
  end, function(record)
    local wrong = mistakes_of(record)
    if wrong then
      return nil, wrong
    end
    return texts[position], ids[position]
  end)
  source.total = count
  return source
end

-- The records as a source of chunks, and whether the caller passed just one. `mistakes_of`: what the module's metadata
-- says against a record, where that is asked.
local function record_source(records, name, verb, action, mistakes_of)
  local iterator = iterator_of(records)
  if iterator then
    return chunks.of_iterator(iterator, function(record)
      local text, id_or_why = read_record(record, verb, "the record", "")
      local wrong = text and mistakes_of and mistakes_of(record)
      if wrong then
        return nil, wrong
      end
      return text, id_or_why
    end), false
  end
  local single = is_record(records, name)
  local list = single and { records } or records
  local item = single and "the record" or "record %d"
  local count = options.length(list, name .. ": the list of records", name .. ": " .. item, "info")
  local what, prefix = name .. ": " .. item, action:gsub("%%", "%%%%") .. (single and ": " or ": record %d: ")
  local texts, ids = read_array(list, count, function(record, i)
    return read_record(record, verb, what, prefix, i)
  end)
  if mistakes_of then
    return checked_array(list, count, texts, ids, mistakes_of), single
  end
  return chunks.of_array(list, texts, ids), single
end

local function id_source(ids)
  local iterator = iterator_of(ids)
  if iterator then
    return chunks.of_iterator(iterator, function(id)
      return read_deleted(id, "the id")
    end), false
  end
  local single = type(ids) ~= "table"
  if not single and ids.id ~= nil then
    raise("delete: this is a record; pass its id, delete(record.id), or an array of ids")
  end
  if results.is_page(ids) then
    raise("delete: this is a page of records; pass an array of their ids")
  end
  local list = single and { options.id(ids, "delete: the id") } or ids
  local count = options.length(list, "delete: the list of ids", "delete: id %d")
  local texts, list_ids = read_array(list, count, function(id, i)
    return read_deleted(id, "delete: id %d", i)
  end)
  return chunks.of_array(list, texts, list_ids), single
end

-- The request's body around the records, which are JSON already.
local function body_around(extra, name)
  if next(extra) == nil then
    return '{"data":[', "]}"
  end
  local json, refusal = core.encode(extra)
  if not json then
    raise(("%s: %s"):format(name, refusal))
  end
  return '{"data":[', "]," .. json:sub(2)
end

local function run(client, plan, own, single)
  plan.stop_on_error = own.on_error == "stop"
  plan.on_result, plan.progress = own.on_result, own.progress
  plan.collect = single or not own.on_result
  local outcome = bulk.run(client, plan)
  if single then
    return bulk.single(outcome)
  end
  return outcome
end

local client_of -- of zohocrm.module, see `install`

local function write(self, name, records, o)
  local client, verb = client_of(self, name), verbs[name]
  local action = ("%s %s"):format(name, self.name)
  if type(records) ~= "table" and not iterator_of(records) then
    refuse_records(records, name, verb) -- before the options, which may be what belongs into the record
  end
  local checked = options.check(o, verb.rules, name)
  local mistakes_of, err
  local wanted = options.wants_check(client, checked)
  -- what can never be right raises before the metadata is asked for
  local source, single = record_source(records, name, verb, action, wanted and function(record)
    return mistakes_of(record)
  end or nil)
  if wanted then
    mistakes_of, err = check.writing(client, self.name, name, checked)
    if not mistakes_of then
      return nil, err
    end
  end
  local own = take_out(checked, bulk_keys)
  local head, foot = body_around(take_out(checked, body_keys), name)
  local path = { "crm", "v8", self.name, verb.tail }
  return run(client, {
    source = source, deadline_at = checked.deadline_at,
    context = { action = action, method = verb.method, path = "/" .. table.concat(path, "/") },
    describe = function(texts)
      return options.apply(checked, verb.rules, {
        action = action, module = self.name, method = verb.method, path = path, per_record = true,
        json = head .. table.concat(texts, ",") .. foot,
      })
    end,
  }, own, single)
end

--- A module of the CRM.
---@class zohocrm.Module
local Module = {}

--- Creates one record or many. API: insert-records. Never repeated when the answer was lost: see `may_have_happened`.
---
--- Many go out in requests of 100, as many at once as the client's `concurrency` (requests arrive in any order; with
--- `concurrency = 1` in the order of the input). One that the server finds too large is split. A request that fails
--- gives each of its records the error, and the others go on. After a 401 or 403 for a whole request nothing further
--- is sent, and the rest reports that error.
---@param records table|function a record (field API names to values; `zohocrm.null` empties); an array of any length,
--- checked before anything is sent; or an iterator, a callable that gives the next record, nil at the end. What an
--- iterator gives and cannot be sent has an outcome of kind "invalid" instead of raising. An empty table is an empty
--- array, also where a record was meant (`{ Last_Name = nil }`): nothing is sent
---@param o? table `trigger` (array; `{}` runs no workflow), `apply_feature_execution`, `skip_feature_execution`,
--- `lar_id`, `check` (true: the records are checked against the module's metadata first, see `Module:check`; one with
--- mistakes is not sent, and has an error of kind "invalid"), and for many:
---
--- - `on_error`: "continue" (default), or "stop": once a record has failed, no further request is started. What was not
---   sent reports kind "cancelled", what is under way is waited for
--- - `progress(done, total, failed)`: called after each request with numbers of records; `total` is nil for iterators
--- - `on_result(i, result, record)`: gets every result, in input order, as it comes; the outcome then has only the
---   counts. Memory stays flat for iterators of any length
--- - `deadline`: seconds for all requests together; what could not be sent by then reports kind "timeout"
---
--- When `progress`, `on_result` or the iterator raises, nothing further is started, what is under way is waited for and
--- handed to `on_result`, and then the error is raised as it was.
---@return table|nil details of the one record (`id`, `Created_Time`, …), or an outcome for many: in input order
--- `{ok=true, id=, code=, details=}` or `{ok=false, error=}`, with `.succeeded`, `.failed` and `.total`
---@return zohocrm.Error|nil
function Module:create(records, o)
  return write(self, "create", records, o)
end

--- Updates one record or many; each has its `id`. API: update-records. Two requests with the same id are not under way
--- at once, so that the later one in the input wins.
---@param records table|function see `create`; an empty table is an empty array: nothing is sent
---@param o? table `trigger`, `apply_feature_execution`, `skip_feature_execution`, `check` (see `create`),
--- `if_unmodified_since` (ISO 8601), `repeatable` (true: send it again also when the answer was lost; workflows may
--- then run twice; default false), and for many `on_error`, `progress`, `on_result`, `deadline`, see `create`
---@return table|nil details or outcome, see `create`
---@return zohocrm.Error|nil
function Module:update(records, o)
  return write(self, "update", records, o)
end

--- Updates what is there already, else creates. API: upsert-records. Records that are the same by their id are written
--- in input order, see `update`. Those that are the same by another field may be under way at once in two requests:
--- which one wins is then not certain, nor that only one is made.
---@param records table|function see `create`; an empty table is an empty array: nothing is sent
---@param o? table the options of `create` and `update`, and `duplicate_check_fields` (array of API names;
--- default: the module's own, such as Email for Leads)
---@return table|nil details or outcome, see `create`; with `action` ("insert" or "update") and `duplicate_field`
---@return zohocrm.Error|nil
function Module:upsert(records, o)
  return write(self, "upsert", records, o)
end

--- Deletes one record or many. API: delete-records.
---@param ids string|string[]|function record id, an array of any length, or an iterator of ids, see `create`; an empty
--- table is an empty array: nothing is sent
---@param o? table `wf_trigger`: whether workflows run (default true); `repeatable` (default true: when the answer was
--- lost, it is sent again; a record that is gone by then is reported as "not_found" with `may_have_happened`); and for
--- many `on_error`, `progress`, `on_result` (which gets the id as its third argument), `deadline`, see `create`
---@return table|nil details or outcome, see `create`
---@return zohocrm.Error|nil
function Module:delete(ids, o)
  local client = client_of(self, "delete")
  local checked = options.check(o, delete_rules, "delete")
  local own = take_out(checked, bulk_keys)
  local source, single = id_source(ids)
  local action, path = "delete " .. self.name, { "crm", "v8", self.name }
  return run(client, {
    source = source, deadline_at = checked.deadline_at,
    context = { action = action, method = "DELETE", path = "/" .. table.concat(path, "/") },
    describe = function(texts)
      return options.apply(checked, delete_rules, {
        action = action, module = self.name, method = "DELETE", path = path, per_record = true, repeatable = true,
        query = { "ids", table.concat(texts, ",") },
      })
    end,
  }, own, single)
end

--- Gives the class of module handles its writes.
---@param class table
---@param accessor fun(self: zohocrm.Module, method: string): table the client's private part of a handle; raises
--- where `self` is none
function M.install(class, accessor)
  client_of = accessor
  for name, method in pairs(Module) do
    class[name] = method
  end
end

return M
