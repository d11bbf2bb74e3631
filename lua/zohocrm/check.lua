--- Checks conditions, field names and records against the metadata of their module before anything is sent, so that a
--- script finds its mistakes without spending API calls: `crm.Leads:check(…)`, and the option `check = true` of a
--- client or of one call. The metadata of a module is fetched once for a client and connection.

local errors = require "zohocrm.errors"
local expression = require "zohocrm.expression"
local host = require "zohocrm.host"
local metadata = require "zohocrm.metadata"
local options = require "zohocrm.options"
local raise = require "zohocrm.raise"
local rules = require "zohocrm.check_rules"
local transport = require "zohocrm.transport"

local M = {}

-- Mistakes that stand in the message; all are in the details.
local TOLD = 3

--- The fields of a module.
---@class zohocrm.CheckedModule
---@field name string
---@field fields table[] as the API gives them
---@field by_name table<string, table>
---@field names string[]

local function new_module(name, list)
  local module = { name = name, fields = list, by_name = {}, names = {} }
  for i, field in ipairs(list) do
    module.names[i], module.by_name[field.api_name] = field.api_name, field
  end
  return module
end

-- Which account the fields are of.
local function connection_of(checked)
  for name, value in pairs(checked.headers or {}) do
    if name:lower() == "maton-connection" then
      return value
    end
  end
  return checked.connection or ""
end

-- Fields that are asked for, as something to wait for.
local Asked = {}
Asked.__index = Asked

function Asked:ready()
  return self.done or transport.ready(self.pending)
end

-- A host does so when the one who waits is gone; the others ask anew.
function Asked:cancel()
  transport.cancel(self.pending)
end

-- Asks for the fields. Several tasks may want them at once, and one of them asks: all wait for its call, and whoever
-- goes on first takes the answer. A call with bounds of its own is nobody else's.
local function fetch(client, key, name, checked)
  local shared = not (checked.timeout or checked.stall_timeout or checked.deadline_at or checked.retries
    or checked.headers)
  local asked = shared and client.asked_fields[key]
  if not asked then
    asked = setmetatable({ pending = metadata.start(client, "fields", {
      connection = checked.connection, timeout = checked.timeout, stall_timeout = checked.stall_timeout,
      deadline = options.remaining(checked), retries = tonumber(checked.retries), headers = checked.headers,
    }, nil, name) }, Asked)
    client.asked_fields[key] = shared and asked or client.asked_fields[key]
  end
  host.wait_any(client, { asked })
  if not asked.done then
    if client.asked_fields[key] == asked then
      client.asked_fields[key] = nil
    end
    asked.done = true
    asked.list, asked.err = metadata.take("fields", asked.pending)
  end
  if asked.err and asked.err.kind == "cancelled" and not client.core:closed() then
    return fetch(client, key, name, checked) -- who asked is gone
  end
  return asked.list, asked.err
end

--- The fields of a module, from the server the first time.
---@param client table the client's private part
---@param name string
---@param checked table options of the call: `connection`, `timeout`, …
---@param refresh? boolean
---@return zohocrm.CheckedModule|nil
---@return zohocrm.Error|nil
function M.module(client, name, checked, refresh)
  local key = ("%s/%s"):format(connection_of(checked), name)
  client.checked_modules, client.asked_fields = client.checked_modules or {}, client.asked_fields or {}
  if client.checked_modules[key] and not refresh then
    return client.checked_modules[key]
  end
  local list, err = fetch(client, key, name, checked)
  if not list then
    local copy = {} -- of what several may get
    for field, value in pairs(err) do
      copy[field] = value
    end
    copy.advice = (err.advice and err.advice .. "; " or "") .. "the check needs the module's fields"
    return nil, setmetatable(copy, getmetatable(err))
  end
  client.checked_modules[key] = new_module(name, list)
  return client.checked_modules[key]
end

--- A check under way: what it is about, and the mistakes found.
---@class zohocrm.Check
---@field client table the client's private part
---@field options table checked options of the call
---@field module zohocrm.CheckedModule
---@field mistakes string[]
local Check = {}
Check.__index = Check

local function note(self, mistakes)
  for _, mistake in ipairs(mistakes) do
    self.mistakes[#self.mistakes + 1] = mistake
  end
end

-- The field of a name, also through lookups: `Account_Name.Industry`. nil where there is none, which is noted, or where
-- it cannot be told; nil and an error where metadata cannot be had.
local function find_field(self, name)
  if name:find("->", 1, true) then
    return nil -- into one of several modules
  end
  local module, found = self.module, nil
  for step in name:gmatch("[^.]+") do
    if found then
      local lookup = type(found.lookup) == "table" and type(found.lookup.module) == "table" and found.lookup.module
      if not (lookup and lookup.api_name) then
        if found.data_type ~= "lookup" and not tostring(found.data_type):find("lookup$") then
          note(self, { ("%s (%s) is no lookup, so that '%s' leads nowhere"):format(found.api_name, found.data_type,
            name) })
        end
        return nil
      end
      local err
      module, err = M.module(self.client, lookup.api_name, self.options)
      if not module then
        return nil, err
      end
    end
    found = module.by_name[step]
    if not found then
      if step:sub(1, 1) ~= "$" then
        note(self, { rules.no_field(module, step) })
      end
      return nil
    end
  end
  return found
end

-- Checks a tree of conditions. nil and an error where metadata cannot be had.
local function check_node(self, node, language)
  for _, part in ipairs(node.all or node.any or {}) do
    local fine, err = check_node(self, part, language)
    if not fine then
      return nil, err
    end
  end
  if node.field then
    local field, err = find_field(self, node.field)
    if err then
      return nil, err
    elseif field then
      note(self, rules.condition(field, node, language))
    end
  end
  return true
end

-- Names as an array or a comma separated string.
local function check_names(self, names)
  local list = names
  if type(names) == "string" then
    list = {}
    for name in names:gmatch("[^,]+") do
      list[#list + 1] = name:match("^%s*(.-)%s*$")
    end
  end
  for _, name in ipairs(list) do
    if type(name) == "string" then
      local _, err = find_field(self, name)
      if err then
        return nil, err
      end
    end
  end
  return true
end

local function check_sort(self, name)
  local field, err = find_field(self, name)
  if err then
    return nil, err
  elseif field and field.sortable == false then
    note(self, { ("%s (%s) cannot be sorted by"):format(field.api_name, field.data_type) })
  end
  return true
end

-- All mistakes as one sentence.
local function sentence(mistakes)
  local told = {}
  for i = 1, math.min(#mistakes, TOLD) do
    told[i] = mistakes[i]
  end
  local more = #mistakes - #told
  local rest = more > 0 and ("; and %d more mistake%s"):format(more, more > 1 and "s" or "") or ""
  return table.concat(told, "; ") .. rest
end

local function verdict(self, action)
  if not self.mistakes[1] then
    return true
  end
  return nil, errors.new({ action = action }, {
    kind = "invalid", attempts = 0, message = sentence(self.mistakes), details = self.mistakes,
  })
end

local function begin(client, name, checked, refresh)
  local module, err = M.module(client, name, checked, refresh)
  if not module then
    return nil, err
  end
  return setmetatable({ client = client, options = checked, module = module, mistakes = {} }, Check)
end

--- Checks what a list, a search or a scan asks for.
---@param client table the client's private part
---@param name string of the module
---@param action string for errors: "list Leads"
---@param checked table options of the call
---@param asked table `fields`, `sort_by`, `condition` (an expression), `language`
---@return true|nil
---@return zohocrm.Error|nil
function M.reading(client, name, action, checked, asked)
  local self, err = begin(client, name, checked)
  local fine = self
  if fine and expression.is(asked.condition) then
    fine, err = check_node(self, expression.node(asked.condition), asked.language)
  end
  if fine and asked.fields then
    fine, err = check_names(self, asked.fields)
  end
  if fine and asked.sort_by then
    fine, err = check_sort(self, asked.sort_by)
  end
  if not fine then
    return nil, err
  end
  return verdict(self, action)
end

--- A function that tells what is wrong with a record; or nil and an error where metadata cannot be had.
---@param client table the client's private part
---@param name string of the module
---@param verb string "create", "update" or "upsert"
---@param checked table options of the call
---@return (fun(record: table): string|nil)|nil
---@return zohocrm.Error|nil
function M.writing(client, name, verb, checked)
  local module, err = M.module(client, name, checked)
  if not module then
    return nil, err
  end
  return function(record)
    local mistakes = rules.record(module, record, verb == "create")
    return mistakes[1] and sentence(mistakes) or nil
  end
end

local check_options = options.merge(options.call, {
  criteria = { kind = "any" },
  fields = { kind = "fields" },
  sort_by = { kind = "string" },
  create = { kind = "table" },
  update = { kind = "table" },
  upsert = { kind = "table" },
  refresh = { kind = "boolean" },
})

-- A record in the place of the options.
local not_of_check = setmetatable({}, { __index = function(_, name)
  return type(name) == "string" and name:find("^%u") and "; a record is checked by check{ create = { … } }" or nil
end })

-- The records that are to be checked, by verb.
local function records_of(checked)
  local all = {}
  for _, verb in ipairs { "create", "update", "upsert" } do
    local records = checked[verb]
    local list = records and (records[1] ~= nil and records or { records }) or {}
    for i, record in ipairs(list) do
      if type(record) ~= "table" then
        raise(("check: %s: record %d is a %s, not a table of fields"):format(verb, i, type(record)))
      end
    end
    all[verb] = list
  end
  return all
end

local function check_records(self, all)
  for _, verb in ipairs { "create", "update", "upsert" } do
    local list = all[verb]
    for i, record in ipairs(list) do
      local mistakes = rules.record(self.module, record, verb == "create")
      for k, mistake in ipairs(mistakes) do
        mistakes[k] = #list > 1 and ("record %d: %s"):format(i, mistake) or mistake
      end
      note(self, mistakes)
    end
  end
end

--- Adds the method to the class of modules.
---@param Module table
---@param client_of fun(self: table, method: string): table gives the private part
function M.install(Module, client_of)
  --- Checks against the module's metadata: whether the fields are there, whether operators and values fit their
  --- types, whether pick lists have the values, and of records whether mandatory fields are missing, values have the
  --- wrong type or texts are too long. Asks for the metadata once, and for nothing else.
  ---@param what zohocrm.Expression|string|table a condition (a string passes: what it says is the server's to judge),
  --- or `{ criteria =, fields =, sort_by =, create =, update =, upsert = }`, of which the last three are a record or an
  --- array of them; `refresh = true` fetches the metadata anew
  ---@return true|nil
  ---@return zohocrm.Error|nil err of kind "invalid", `err.details` is an array of all mistakes; or why the metadata
  --- cannot be had
  function Module:check(what)
    local client = client_of(self, "check")
    if type(what) == "string" or type(what) == "boolean" or expression.is(what) then
      what = { criteria = what }
    end
    local checked = options.check(what, check_options, "check", not_of_check)
    local criteria = checked.criteria
    if criteria ~= nil and type(criteria) ~= "string" and not expression.is(criteria) then
      expression.refuse_half(criteria, "check: criteria")
      raise(("check: criteria must be a condition such as c.City:equals \"Oslo\", or a string, not a %s"):format(
        type(criteria)))
    end
    local records = records_of(checked)
    local check, err = begin(client, self.name, checked, checked.refresh == "true")
    local fine = check
    if fine and expression.is(criteria) then
      fine, err = check_node(check, expression.node(criteria), "any")
    end
    if fine and checked.fields then
      fine, err = check_names(check, checked.fields)
    end
    if fine and checked.sort_by then
      fine, err = check_sort(check, checked.sort_by)
    end
    if not fine then
      return nil, err
    end
    check_records(check, records)
    return verdict(check, "check " .. self.name)
  end
end

return M
