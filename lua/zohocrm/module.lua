--- A module of the CRM and its records: `crm.Leads`, `crm:module "My_Module"`.

local bulk = require "zohocrm.bulk"
local errors = require "zohocrm.errors"
local options = require "zohocrm.options"
local raise = require "zohocrm.raise"
local results = require "zohocrm.results"
local transport = require "zohocrm.transport"
local walk = require "zohocrm.walk"

--- A module of the CRM.
---@class zohocrm.Module
---@field name string its API name, case-sensitive
local Module = {}
Module.__index = Module
Module.__name = "zohocrm.Module"

function Module:__tostring()
  return ("zohocrm module %s"):format(self.name)
end

local PER_PAGE = { kind = "integer", least = 1, most = 200 }
local PAGE = { kind = "integer", least = 1, most = 2 ^ 31 }
local ORDER = { kind = "choice", choices = { "asc", "desc" } }
local LIMIT = { kind = "integer", least = 0, most = 2 ^ 53, query = false }

-- Reference 3.1; the limits are the seed's.
local list_rules = options.merge(options.call, {
  fields = { kind = "fields", most = 50,
    required = 'the API names of the fields you want: fields = {"Last_Name", "Email"}' },
  page = PAGE,
  per_page = PER_PAGE,
  page_token = { kind = "string" },
  sort_by = { kind = "choice", choices = { "id", "Created_Time", "Modified_Time" } },
  sort_order = ORDER,
  cvid = { kind = "id" },
  ids = { kind = "ids", most = 100 },
  converted = { kind = "tristate" },
  approved = { kind = "tristate" },
  territory_id = { kind = "id" },
  include_child = { kind = "boolean" },
  uid = { kind = "id" },
  startDateTime = { kind = "string" },
  endDateTime = { kind = "string" },
  if_modified_since = { kind = "string", header = "If-Modified-Since" },
})

-- Reference 5.1.
local search_rules = options.merge(options.call, {
  criteria = { kind = "string" },
  email = { kind = "string" },
  phone = { kind = "string", least = 3 },
  word = { kind = "string", least = 2 },
  fields = { kind = "fields", most = 50 },
  page = PAGE,
  per_page = PER_PAGE,
  sort_by = { kind = "string" },
  sort_order = ORDER,
  converted = { kind = "tristate" },
  approved = { kind = "tristate" },
  cvid = { kind = "id" },
})

local SEARCH_BY = { "criteria", "email", "phone", "word" }

local get_rules = options.merge(options.call, { fields = { kind = "fields", most = 50 } })

-- Reference 4.2: what goes into the body beside `data`.
local body_keys = { "trigger", "apply_feature_execution", "skip_feature_execution", "duplicate_check_fields", "lar_id" }
local write_rules = options.merge(options.call, {
  trigger = { kind = "array" },
  apply_feature_execution = { kind = "array" },
  skip_feature_execution = { kind = "array" },
})
local create_rules = options.merge(write_rules, { lar_id = { kind = "id" } })
local update_rules = options.merge(write_rules, {
  if_unmodified_since = { kind = "string", header = "If-Unmodified-Since" },
})
local upsert_rules = options.merge(create_rules, update_rules, { duplicate_check_fields = { kind = "array" } })
local delete_rules = options.merge(options.call, { wf_trigger = { kind = "boolean" } })

local private = setmetatable({}, { __mode = "k" })

--- Makes a handle. Users write `crm.Leads` or `crm:module "Leads"`.
---@param client table the client's private part
---@param name string
---@return zohocrm.Module
local function new(client, name)
  local module = setmetatable({ name = name }, Module)
  private[module] = client
  return module
end

-- Checks that a method was called with ":" and gives the client's private part.
local function client_of(self, method)
  local client = type(self) == "table" and private[self]
  if not client then
    raise(("call it as crm.Leads:%s(…), with a colon"):format(method))
  end
  return client
end

local function field_list(text)
  local names = { "id" }
  for name in (text or ""):gmatch("[^,]+") do
    if name ~= "id" then
      names[#names + 1] = name
    end
  end
  return text and names or nil
end

-- An answer's array as a page; 204 and 304 have none.
local function to_page(answer, names)
  local body = type(answer.body) == "table" and answer.body or nil
  if body and type(body.data) ~= "table" then
    return nil, errors.new(answer.context, {
      kind = "protocol", status = answer.status, attempts = answer.attempts,
      message = "the answer has no array 'data'",
    })
  end
  local info = body and type(body.info) == "table" and body.info or { count = body and #body.data or 0,
    more_records = false }
  if answer.status == 304 then
    info.not_modified = true
  end
  return results.page(body and body.data or {}, info, names)
end

local function no_two_pagings(checked, call)
  if checked.page and checked.page_token then
    raise(("%s: page and page_token exclude each other; use page for the first 2,000 records, page_token beyond")
      :format(call))
  end
end

local function list_description(self, checked)
  return options.apply(checked, list_rules, {
    action = "list " .. self.name, module = self.name, path = { "crm", "v8", self.name },
  })
end

--- One page of the module's records. API: get-records.
---@param o table `fields` (array or comma separated string, at most 50) is required; `page`, `per_page` (1 to 200,
--- default 200), `page_token`, `sort_by` ("id", "Created_Time", "Modified_Time"), `sort_order` ("asc", "desc"),
--- `cvid`, `ids`, `converted`, `approved`, `territory_id`, `include_child`, `uid`, `startDateTime`, `endDateTime`,
--- `if_modified_since` (ISO 8601), and what every call takes: `timeout`, `deadline`, `retries`, `connection`,
--- `headers`
---@return table|nil page array of records; `.info.more_records`, `.info.next_page_token`, …; empty when there
--- are none
---@return zohocrm.Error|nil
function Module:list(o)
  local client = client_of(self, "list")
  local checked = options.check(o, list_rules, "list")
  no_two_pagings(checked, "list")
  local answer, err = transport.request(client, list_description(self, checked))
  if not answer then
    return nil, err
  end
  return to_page(answer, field_list(checked.fields))
end

local function search_options(o, rules, call)
  local meta = type(o) == "table" and getmetatable(o)
  if type(o) == "string" or (type(meta) == "table" and meta.__tostring) then
    o = { criteria = o } -- a bare string or a built expression
  end
  local checked = options.check(o, rules, call)
  local by = {}
  for _, name in ipairs(SEARCH_BY) do
    if checked[name] then
      by[#by + 1] = name
    end
  end
  if #by ~= 1 then
    raise(("%s needs one of criteria, email, phone and word, and has %s"):format(call,
      #by == 0 and "none" or table.concat(by, " and ")))
  end
  return checked
end

local function search_description(self, checked)
  return options.apply(checked, search_rules, {
    action = "search " .. self.name, module = self.name, path = { "crm", "v8", self.name, "search" },
  })
end

--- One page of the records that a search finds. Zoho's index lags a little behind writes, and `equals` on text is
--- fuzzy (reference 5.3). API: search-records.
---@param o table|string one of `criteria`, `email`, `phone` (3 characters or more), `word` (2 or more); `fields`,
--- `page`,
--- `per_page`, `sort_by`, `sort_order`, `converted`, `approved`, `cvid`. A bare string or a built expression is the
--- criteria
---@return table|nil page
---@return zohocrm.Error|nil
function Module:search(o)
  local client = client_of(self, "search")
  local checked = search_options(o, search_rules, "search")
  local answer, err = transport.request(client, search_description(self, checked))
  if not answer then
    return nil, err
  end
  return to_page(answer, field_list(checked.fields))
end

local walk_list_rules = options.merge(list_rules, { limit = LIMIT })
local walk_search_rules = options.merge(search_rules, { limit = LIMIT })

local function is_search(o)
  if type(o) ~= "table" then
    return type(o) == "string"
  end
  local meta = getmetatable(o)
  return (type(meta) == "table" and meta.__tostring ~= nil) or o.criteria ~= nil or o.email ~= nil or o.phone ~= nil
    or o.word ~= nil
end

-- A limit below a page asks for no more than it needs. Not where the caller starts in the middle: there the size says
-- which records a page has, and a token is bound to it.
local function page_size(checked, limit)
  if not checked.per_page and not checked.page and not checked.page_token and limit and limit < 200 then
    checked.per_page = ("%d"):format(math.max(limit, 1))
  end
  return tonumber(checked.per_page or 200)
end

local function plan(self, o, call)
  local client = client_of(self, call)
  local searching = is_search(o)
  local checked
  if searching then
    checked = search_options(o, walk_search_rules, call)
  else
    checked = options.check(o, walk_list_rules, call)
  end
  no_two_pagings(checked, call)
  local limit = tonumber(checked.limit)
  local size = page_size(checked, limit)
  local page, token = tonumber(checked.page), checked.page_token
  checked.limit, checked.page, checked.page_token = nil, nil, nil
  local names = field_list(checked.fields)
  local describe = searching and search_description or list_description
  local first = describe(self, checked)
  return {
    kind = searching and "search" or "list", per_page = size, page = page, page_token = token, limit = limit,
    action = first.action, path = "/" .. table.concat(first.path, "/"),
    fetch = function(name, value)
      checked[name] = tostring(value)
      local description = describe(self, checked)
      checked[name] = nil
      local answer, err = transport.request(client, description)
      if not answer then
        return nil, err
      end
      return to_page(answer, names)
    end,
  }
end

--- Walks all pages: `for page in crm.Leads:pages{ fields = … } do`. Raises a zohocrm.Error when a page cannot be
--- had. Past record 2,000 it goes on by page_token.
---@param o table|string the options of `list`, or of `search` when `criteria`, `email`, `phone` or `word` is
--- among them; `limit`: records at the most
---@return zohocrm.Walk
function Module:pages(o)
  return walk.pages(plan(self, o, "pages"))
end

--- Walks all records lazily: `for lead in crm.Leads:each{ fields = … } do`. Raises a zohocrm.Error when a page
--- cannot be had.
---@param o table|string see `pages`
---@return zohocrm.Walk
function Module:each(o)
  return walk.each(plan(self, o, "each"))
end

--- All records in one array.
---@param o table|string see `pages`
---@return table|nil page an array with `.info.count`
---@return zohocrm.Error|nil
function Module:all(o)
  local p = plan(self, o, "all")
  local all, err = walk.all(p)
  if not all then
    return nil, err
  end
  return results.page(all, { count = #all, more_records = false })
end

--- One record with all its fields. API: get-records.
---@param id string record id
---@param o? table `fields` to narrow the answer
---@return table|nil record
---@return zohocrm.Error|nil err `kind == "not_found"` when there is none with this id
function Module:get(id, o)
  local client = client_of(self, "get")
  id = options.id(id, "get: the id")
  local checked = options.check(o, get_rules, "get")
  local answer, err = transport.request(client, options.apply(checked, get_rules, {
    action = ("get %s %s"):format(self.name, id), module = self.name, by_id = true,
    path = { "crm", "v8", self.name, id },
  }))
  if not answer then
    return nil, err
  end
  local page, wrong = to_page(answer)
  if not page then
    return nil, wrong
  end
  if not page[1] then
    return nil, errors.new(answer.context, {
      kind = "not_found", status = answer.status, attempts = answer.attempts,
      message = "there is no record with this id",
    })
  end
  return page[1]
end

-- The records as a list, and whether the caller passed just one. An empty table is a list of none.
local function as_list(records, method, needs_id)
  if type(records) ~= "table" then
    raise(("%s takes a record (a table of fields) or an array of records, not a %s"):format(method, type(records)))
  end
  local single = next(records) ~= nil
  for key in pairs(records) do
    single = single and type(key) == "string"
  end
  local list = single and { records } or records
  local out = {}
  local item = single and method .. ": the record" or method .. ": record %d"
  for i = 1, options.length(list, method .. ": the list of records", item, "info") do
    local record, what = list[i], item:format(i)
    if type(record) ~= "table" then
      raise(("%s is a %s, not a table of fields"):format(what, type(record)))
    end
    if needs_id and record.id == nil then
      raise(('%s has no id; pass the record\'s id as a string: { id = "7243485000000597000", … }'):format(what))
    end
    if record.id ~= nil then
      options.id(record.id, what .. ": id")
    end
    out[i] = record
  end
  return out, single
end

local function write(self, method, http_method, records, o, rules, tail)
  local client = client_of(self, method)
  local list, single = as_list(records, method, method == "update")
  local checked = options.check(o, rules, method)
  local extra = {}
  for _, key in ipairs(body_keys) do
    extra[key], checked[key] = checked[key], nil
  end
  local action = ("%s %s"):format(method, self.name)
  local chunks = bulk.record_chunks(list, extra, action, single, function(json)
    return options.apply(checked, rules, {
      action = action, module = self.name, method = http_method, path = { "crm", "v8", self.name, tail }, json = json,
      per_record = true,
    })
  end)
  local outcome = bulk.send(client, chunks)
  if single then
    return bulk.single(outcome)
  end
  return outcome
end

--- Creates one record or many. API: insert-records. Never repeated when the answer was lost: see `may_have_happened`.
---@param records table a record (field API names to values; `zohocrm.null` empties) or an array of any length
---@param o? table `trigger` (array; `{}` runs no workflow), `apply_feature_execution`, `skip_feature_execution`,
--- `lar_id`
---@return table|nil details of the one record (`id`, `Created_Time`, …), or an outcome for an array: in input order
--- `{ok=true, id=, code=, details=}` or `{ok=false, error=}`, with `.succeeded` and `.failed`
---@return zohocrm.Error|nil
function Module:create(records, o)
  return write(self, "create", "POST", records, o, create_rules)
end

--- Updates one record or many; each has its `id`. API: update-records.
---@param records table see `create`
---@param o? table `trigger`, `apply_feature_execution`, `skip_feature_execution`, `if_unmodified_since` (ISO 8601)
---@return table|nil details or outcome, see `create`
---@return zohocrm.Error|nil
function Module:update(records, o)
  return write(self, "update", "PUT", records, o, update_rules)
end

--- Updates what is there already, else creates. API: upsert-records.
---@param records table see `create`
---@param o? table the options of `create` and `update`, and `duplicate_check_fields` (array of API names;
--- default: the module's own, such as Email for Leads)
---@return table|nil details or outcome, see `create`; with `action` ("insert" or "update") and `duplicate_field`
---@return zohocrm.Error|nil
function Module:upsert(records, o)
  return write(self, "upsert", "POST", records, o, upsert_rules, "upsert")
end

--- Deletes one record or many. API: delete-records.
---@param ids string|string[] record id, or an array of any length
---@param o? table `wf_trigger`: whether workflows run (default true)
---@return table|nil details or outcome, see `create`
---@return zohocrm.Error|nil
function Module:delete(ids, o)
  local client = client_of(self, "delete")
  local checked = options.check(o, delete_rules, "delete")
  local single = type(ids) ~= "table"
  if not single and ids.id ~= nil then
    raise("delete: this is a record; pass its id, delete(record.id), or an array of ids")
  end
  local given = single and { options.id(ids, "delete: the id") } or ids
  local list = {}
  for i = 1, options.length(given, "delete: the list of ids", "delete: id %d") do
    list[i] = options.id(given[i], ("delete: id %d"):format(i))
    if list[i]:find(",", 1, true) then
      raise(("delete: id %d contains a comma; pass many ids as an array"):format(i))
    end
  end
  local outcome = bulk.send(client, bulk.id_chunks(list, function(joined)
    return options.apply(checked, delete_rules, {
      action = "delete " .. self.name, module = self.name, method = "DELETE", path = { "crm", "v8", self.name },
      query = { "ids", joined }, per_record = true,
    })
  end))
  if single then
    return bulk.single(outcome)
  end
  return outcome
end

return { new = new, class = Module, client_of = client_of }
