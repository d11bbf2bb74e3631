--- The organisation, its users and its settings: calls that read lists or single objects, described by one table.

local answers = require "zohocrm.answers"
local options = require "zohocrm.options"
local results = require "zohocrm.results"
local transport = require "zohocrm.transport"

local M = {}

-- Seed, "Users", and the further ones of Zoho's schema (reference 8.1).
local USER_TYPES = {
  "AllUsers", "ActiveUsers", "DeactiveUsers", "ConfirmedUsers", "NotConfirmedUsers", "DeletedUsers",
  "ActiveConfirmedUsers", "AdminUsers", "ActiveConfirmedAdmins", "CurrentUser", "AllActiveUsers", "DeveloperUsers",
  "ActiveLiteUser",
}

local MODULE_STATUSES = { "user_hidden", "system_hidden", "scheduled_for_deletion", "visible" }

--- What each call takes, and where it goes. `key` is the array in the answer.
M.calls = {
  org = { path = { "org" }, key = "org", one = true, action = "get organisation", rules = options.call },
  users = { path = { "users" }, key = "users", action = "list users", rules = options.merge(options.call, {
    type = { kind = "choice", choices = USER_TYPES },
    page = { kind = "integer", least = 1, most = 2 ^ 31 },
    per_page = { kind = "integer", least = 1, most = 200 },
    ids = { kind = "ids", most = 100 },
    if_modified_since = { kind = "string", header = "If-Modified-Since" },
  }) },
  user = { path = { "users" }, key = "users", one = true, by_id = true, action = "get user", rules = options.call },
  modules = { path = { "settings", "modules" }, key = "modules", action = "list modules",
    rules = options.merge(options.call, { status = { kind = "choice", choices = MODULE_STATUSES } }) },
  module_metadata = { path = { "settings", "modules" }, key = "modules", one = true, by_id = true, module = true,
    action = "get module", rules = options.call },
  fields = { path = { "settings", "fields" }, key = "fields", of_module = true, action = "list fields of",
    rules = options.merge(options.call, {
      type = { kind = "choice", choices = { "all", "used", "unused" } },
      include = { kind = "string" },
    }) },
  layouts = { path = { "settings", "layouts" }, key = "layouts", of_module = true, action = "list layouts of",
    rules = options.call },
  layout = { path = { "settings", "layouts" }, key = "layouts", one = true, by_id = true, of_module = true,
    action = "get layout", rules = options.call },
  roles = { path = { "settings", "roles" }, key = "roles", action = "list roles", rules = options.call },
  role = { path = { "settings", "roles" }, key = "roles", one = true, by_id = true, action = "get role",
    rules = options.call },
  profiles = { path = { "settings", "profiles" }, key = "profiles", action = "list profiles", rules = options.call },
  profile = { path = { "settings", "profiles" }, key = "profiles", one = true, by_id = true, action = "get profile",
    rules = options.call },
}

local function read(call, answer)
  if call.one then
    return answers.one(answer, call.key, "there is none with this id")
  end
  local list, err = answers.list(answer, call.key)
  if not list then
    return nil, err
  end
  local info = answers.info(answer, list)
  info.more_records = info.more_records or false -- without paging, this is all there is
  return results.page(list, info)
end

--- Asks; the parts of `read`, for callers that share an answer.
---@param client table the client's private part
---@param name string key of `calls`
---@param o table|nil options
---@param id? string checked id or API name, for calls by id
---@param module? string module API name, for calls of a module
---@return zohocrm.Pending
function M.start(client, name, o, id, module)
  local call = M.calls[name]
  local path = { "crm", "v8", call.path[1], call.path[2] }
  path[#path + 1] = id
  local words = { call.action }
  words[#words + 1] = id
  words[#words + 1] = call.of_module and module or nil
  local description = {
    action = table.concat(words, " "), path = path, by_id = call.by_id, module = module,
    query = call.of_module and { "module", module } or nil,
  }
  return transport.start(client, options.apply(options.check(o, call.rules, name), call.rules, description))
end

--- Takes what was asked.
---@param name string key of `calls`
---@param pending zohocrm.Pending that is ready
---@return table|nil
---@return zohocrm.Error|nil
function M.take(name, pending)
  local answer, err = transport.take(pending)
  if not answer then
    return nil, err
  end
  return read(M.calls[name], answer)
end

--- Performs one of `calls`.
---@param client table the client's private part
---@param name string key of `calls`
---@param o table|nil options
---@param id? string checked id or API name, for calls by id
---@param module? string module API name, for calls of a module
---@return table|nil
---@return zohocrm.Error|nil
function M.read(client, name, o, id, module)
  local answer, err = transport.finish(M.start(client, name, o, id, module))
  if not answer then
    return nil, err
  end
  return read(M.calls[name], answer)
end

return M
