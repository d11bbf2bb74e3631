--- A module of the CRM and its records: `crm.Leads`, `crm:module "My_Module"`.

local answers = require "zohocrm.answers"
local expression = require "zohocrm.expression"
local handle = require "zohocrm.handle"
local lazily = require "zohocrm.lazily"
local options = require "zohocrm.options"
local pages = require "zohocrm.pages"
local raise = require "zohocrm.raise"
local results = require "zohocrm.results"
local transport = require "zohocrm.transport"
local walk = require "zohocrm.walk"

local check = lazily.module "zohocrm.check"
local field = lazily.module "zohocrm.field"

--- A module of the CRM.
---@class zohocrm.Module
---@field name string its API name, case-sensitive
local Module = {}

-- The key of the name, which assignments must not reach.
local NAME = {}

local meta = { __name = "zohocrm.Module", __newindex = handle.newindex("a module") }
-- What other libraries call it.
local synonyms = {
  insert = "create", add = "create", save = "upsert", edit = "update", modify = "update", remove = "delete",
  find = "search", query = "search", where = "search", read = "get", fetch = "get", iterate = "each", walk = "each",
}
local method_of = handle.index(Module, "a module", synonyms)

function meta.__index(self, name)
  if name == "name" then
    return rawget(self, NAME)
  end
  return method_of(self, name)
end

function meta:__tostring()
  return ("zohocrm module %s"):format(self.name)
end

local PER_PAGE = { kind = "integer", least = 1, most = 200 }
local PAGE = { kind = "integer", least = 1, most = 2 ^ 31 }
local ORDER = { kind = "choice", choices = { "asc", "desc" } }

-- Reference 3.1; the limits are the seed's.
local list_rules = options.merge(options.call, {
  check = options.check_rule,
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
  check = options.check_rule,
  criteria = { kind = "criteria" },
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

-- The key of the private part. Kept in the object itself: a weak table of them would never let go, on LuaJIT, of a
-- client that its own observer mentions.
local PRIVATE = {}

function meta:__call()
  local name, method = self.name, self.name:lower()
  if rawget(self, PRIVATE).methods[method] then
    raise(("'%s' is a module, not a call; methods of the client are in lower case, crm:%s()"):format(name, method))
  elseif rawget(Module, method) then
    raise(("'%s' is a module, not a call; did you mean crm.Leads:%s(…)?"):format(name, method))
  end
  raise(("'%s' is a module, not a call; its calls are crm.%s:list{…}, crm.%s:get(id), …"):format(name, name, name))
end

--- Makes a handle. Users write `crm.Leads` or `crm:module "Leads"`.
---@param client table the client's private part
---@param name string
---@return zohocrm.Module
local function new(client, name)
  return setmetatable({ [NAME] = name, [PRIVATE] = client }, meta)
end

-- Checks that a method was called with ":" and gives the client's private part.
local function client_of(self, method)
  local client = type(self) == "table" and rawget(self, PRIVATE)
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

-- What is not among the options of a list.
local CONDITIONS = "; crm.Leads:search{…} and crm.Leads:each{…} find by it"
local not_of_list = {
  criteria = CONDITIONS, email = CONDITIONS, phone = CONDITIONS, word = CONDITIONS,
  where = "; crm.Leads:search{ criteria = … } and crm.Leads:each{ criteria = … } find by conditions",
}
local not_of_walk = { where = "; did you mean 'criteria'?" }

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

-- What a call asks for, checked against the module's metadata where that is wanted. `condition` is the expression, if
-- the criteria are one: what is sent is its text.
local function checked_first(self, client, action, checked, condition)
  if not options.wants_check(client, checked) then
    return true
  end
  return check.reading(client, self.name, action, checked, {
    fields = checked.fields, sort_by = checked.sort_by, condition = condition, language = "search",
  })
end

local function condition_of(o)
  return type(o) == "table" and not expression.is(o) and o.criteria or o
end

--- One page of the module's records. API: get-records.
---@param o table `fields` (array or comma separated string, at most 50) is required; `page`, `per_page` (1 to 200,
--- default 200), `page_token`, `sort_by` ("id", "Created_Time", "Modified_Time"), `sort_order` ("asc", "desc"),
--- `cvid`, `ids`, `converted`, `approved`, `territory_id`, `include_child`, `uid`, `startDateTime`, `endDateTime`,
--- `if_modified_since` (ISO 8601), `check` (see `zohocrm.check`), and what every call takes: `timeout`,
--- `stall_timeout`, `deadline`, `retries`, `connection`, `headers`
---@return table|nil page array of records; `.info.more_records`, `.info.next_page_token`, …; empty when there
--- are none
---@return zohocrm.Error|nil
function Module:list(o)
  local client = client_of(self, "list")
  local checked = options.check(o, list_rules, "list", not_of_list)
  no_two_pagings(checked, "list")
  local fine, mistake = checked_first(self, client, "list " .. self.name, checked)
  if not fine then
    return nil, mistake
  end
  local answer, err = transport.request(client, list_description(self, checked))
  if not answer then
    return nil, err
  end
  return pages.from_answer(answer, field_list(checked.fields))
end

-- A condition alone takes the place of the options: what stands beside it would be lost without a word.
local function refuse_second(call, second)
  if second ~= nil then
    raise(("%s takes one argument: a condition and options go into one table, %s{ criteria = …, fields = … }"):format(
      call, call))
  end
end

-- Options have no metatable: what is needed for conditions is not loaded for them.
local function is_field(o)
  return getmetatable(o) ~= nil and field.name_of(o) ~= nil
end

local function search_options(o, rules, call)
  if type(o) == "string" or type(o) == "boolean" or expression.is(o) or is_field(o) then
    o = { criteria = o } -- a bare string or a built expression; what is half of one shall be called that
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
---@param ... nil nothing: options stand in the table
---@return table|nil page
---@return zohocrm.Error|nil
function Module:search(o, ...)
  local client = client_of(self, "search")
  refuse_second("search", ...)
  local checked = search_options(o, search_rules, "search")
  local fine, mistake = checked_first(self, client, "search " .. self.name, checked, condition_of(o))
  if not fine then
    return nil, mistake
  end
  local answer, err = transport.request(client, search_description(self, checked))
  if not answer then
    return nil, err
  end
  return pages.from_answer(answer, field_list(checked.fields))
end

local walk_rules = {
  limit = { kind = "integer", least = 0, most = 2 ^ 53, query = false },
  prefetch = { kind = "integer", least = 0, most = 100, query = false },
  resume = { kind = "table", query = false },
}
local walk_list_rules = options.merge(list_rules, walk_rules)
local walk_search_rules = options.merge(search_rules, walk_rules)

-- What an error's `resume` may hold.
local resume_rules = {
  delivered = { kind = "integer", least = 0, most = 2 ^ 53 },
  page = PAGE,
  page_token = { kind = "string" },
  skip = { kind = "array" },
  after = { kind = "id" },
  per_page = PER_PAGE,
}

local function is_search(o)
  if type(o) ~= "table" then
    return type(o) == "string" or type(o) == "boolean"
  end
  return expression.is(o) or is_field(o)
    or o.criteria ~= nil or o.email ~= nil or o.phone ~= nil or o.word ~= nil
end

-- A limit below a page asks for no more than it needs. Not where the caller starts in the middle: there the size says
-- which records a page has, and a token is bound to it. Gives the size, and whether it was chosen here.
local function page_size(checked, limit, from)
  if checked.per_page then
    return tonumber(checked.per_page), false
  elseif not from.per_page and (from.page or from.page_token or not limit or limit >= 200) then
    return 200, false
  end
  checked.per_page = from.per_page or ("%d"):format(math.max(limit, 1))
  return tonumber(checked.per_page), true
end

local function plan(self, call, o, ...)
  local client = client_of(self, call)
  refuse_second(call, ...)
  local searching = is_search(o)
  local checked
  if searching then
    checked = search_options(o, walk_search_rules, call)
  else
    checked = options.check(o, walk_list_rules, call, not_of_walk)
  end
  no_two_pagings(checked, call)
  local limit, prefetch = tonumber(checked.limit), tonumber(checked.prefetch)
  local resume = options.check(checked.resume or { page = tonumber(checked.page), page_token = checked.page_token },
    resume_rules, call .. ": resume")
  local size, chosen = page_size(checked, limit, resume)
  local delivered = tonumber(resume.delivered or 0)
  checked.limit, checked.prefetch, checked.resume, checked.page, checked.page_token = nil, nil, nil, nil, nil
  local names = field_list(checked.fields)
  local describe = searching and search_description or list_description
  local first = describe(self, checked)
  return {
    kind = searching and "search" or "list", per_page = size, page = tonumber(resume.page),
    page_token = resume.page_token, skip = resume.skip, after = resume.after, delivered = delivered,
    size_to_keep = chosen and size or nil,
    limit = math.max((limit or math.huge) - delivered, 0), prefetch = prefetch, concurrency = client.concurrency,
    -- the order of searches that ask for none is their own: the API's pages say "id" for it, but only of late
    by_id = (checked.sort_by or not searching and "id") == "id" and not checked.cvid,
    descending = checked.sort_order ~= "asc",
    names = names, resumable = call ~= "all", action = first.action, path = "/" .. table.concat(first.path, "/"),
    poll = client.poll,
    check = function()
      return checked_first(self, client, first.action, checked, condition_of(o))
    end,
    begin = function(name, value)
      checked[name] = tostring(value)
      local description = describe(self, checked)
      checked[name] = nil
      return transport.start(client, description)
    end,
    read = function(pending, piece)
      return pages.read(pending, names, piece)
    end,
  }
end

--- Walks all pages: `for page in crm.Leads:pages{ fields = … } do`. Raises a zohocrm.Error when a page cannot be
--- had. Past record 2,000 it goes on by page_token.
---@param o table|string the options of `list`, or of `search` when `criteria`, `email`, `phone` or `word` is
--- among them; `limit`: records at the most
---@param ... nil nothing: options stand in the table
---@return zohocrm.Walk
function Module:pages(o, ...)
  return walk.pages(plan(self, "pages", o, ...))
end

--- Walks all records lazily: `for lead in crm.Leads:each{ fields = … } do`. Raises a zohocrm.Error when a page
--- cannot be had. In the order of ids, records are handed out while their page is read, a few at a time: where it turns
--- out not to be JSON further on, the error comes behind the records that stood before the fault, and `err.resume` goes
--- on behind them. `pages` has whole pages only.
---@param o table|string see `pages`
---@param ... nil nothing: options stand in the table
---@return zohocrm.Walk
function Module:each(o, ...)
  return walk.each(plan(self, "each", o, ...))
end

--- All records in one array.
---@param o table|string see `pages`
---@param ... nil nothing: options stand in the table
---@return table|nil page an array with `.info.count`
---@return zohocrm.Error|nil
function Module:all(o, ...)
  local p = plan(self, "all", o, ...)
  local all, err = walk.all(p)
  if not all then
    return nil, err
  end
  return results.page(all, { count = #all, more_records = false }, p.names)
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
  return answers.one(answer, "data", "there is no record with this id")
end

lazily.methods(Module, { "create", "update", "upsert", "delete" }, "zohocrm.writes", client_of)
lazily.methods(Module, { "scan" }, "zohocrm.scan", client_of)
lazily.methods(Module, { "check" }, "zohocrm.check", client_of)

--- Whether a value is a handle.
---@param value any
---@return boolean
local function is_module(value)
  return getmetatable(value) == meta
end

return { new = new, class = Module, client_of = client_of, is_module = is_module }
