--- The OAuth connections behind the gateway, at the control endpoint (seed, "Connection Management").

local answers = require "zohocrm.answers"
local errors = require "zohocrm.errors"
local handle = require "zohocrm.handle"
local options = require "zohocrm.options"
local raise = require "zohocrm.raise"
local results = require "zohocrm.results"
local transport = require "zohocrm.transport"

local APP = "zoho-crm"

-- The gateway's own header would choose a connection; here they are managed.
local call_rules = options.merge(options.call)
call_rules.connection = nil

local list_rules = options.merge(call_rules, {
  app = { kind = "string" },
  status = { kind = "choice", choices = { "ACTIVE", "PENDING", "FAILED" } },
  limit = { kind = "integer", least = 1, most = 1000 },
})
local create_rules = options.merge(call_rules, {
  app = { kind = "string", query = false },
  method = { kind = "choice", choices = { "OAUTH2", "API_KEY", "BASIC", "JWT", "OAUTH1", "MCP" }, query = false },
})

--- Connections of the account.
---@class zohocrm.Connections
local Connections = {}

local meta = {
  __name = "zohocrm.Connections",
  __index = handle.index(Connections, "crm.connections"),
  __newindex = handle.newindex("crm.connections"),
}

function meta.__tostring()
  return "zohocrm connections"
end

-- The key of the private part. Kept in the object itself: a weak table of them would never let go, on LuaJIT, of a
-- client that its own observer mentions.
local PRIVATE = {}

local function client_of(self, method)
  local client = type(self) == "table" and rawget(self, PRIVATE)
  if not client then
    raise(("call it as crm.connections:%s(…), with a colon"):format(method))
  end
  return client
end

local function describe(checked, rules, description)
  description.target = "control"
  return options.apply(checked, rules, description)
end

-- One connection in an answer: the seed shows { connection = {…} }; the reply of create is documented nowhere, so
-- a bare object is read too.
local function read_one(answer)
  local body = type(answer.body) == "table" and answer.body or {}
  local one = type(body.connection) == "table" and body.connection or (body.connection_id and body)
  if not one then
    return nil, errors.new(answer.context, {
      kind = "protocol", status = answer.status, attempts = answer.attempts,
      message = "the answer has no 'connection'",
      may_have_happened = answer.context.method == "POST" or nil,
    })
  end
  return results.record(one)
end

--- The connections, oldest first or as the server orders them.
---@param o? table `app` (default "zoho-crm"), `status` ("ACTIVE", "PENDING", "FAILED"; default all), `limit`
---@return table|nil page array of `{ connection_id, status, creation_time, last_updated_time, url, app, metadata }`
---@return zohocrm.Error|nil
function Connections:list(o)
  local client = client_of(self, "list")
  local checked = options.check(o, list_rules, "connections:list")
  checked.app = checked.app or APP
  local answer, err = transport.request(client, describe(checked, list_rules, {
    action = "list connections", path = { "connections" },
  }))
  if not answer then
    return nil, err
  end
  local list, wrong = answers.list(answer, "connections")
  if not list then
    return nil, wrong
  end
  return results.page(list, { count = #list, more_records = false })
end

--- Begins a connection. A person opens its `url` in a browser to grant access; until then its status is "PENDING".
---@param o? table `app` (default "zoho-crm"), `method` (default: the gateway's)
---@return table|nil connection
---@return zohocrm.Error|nil
function Connections:create(o)
  local client = client_of(self, "create")
  local checked = options.check(o, create_rules, "connections:create")
  local answer, err = transport.request(client, describe(checked, create_rules, {
    action = "create connection", method = "POST", path = { "connections" },
    body = { app = checked.app or APP, method = checked.method },
  }))
  if not answer then
    return nil, err
  end
  return read_one(answer)
end

--- One connection.
---@param id string connection id
---@param o? zohocrm.CallOptions
---@return table|nil connection
---@return zohocrm.Error|nil
function Connections:get(id, o)
  local client = client_of(self, "get")
  local checked = options.check(o, call_rules, "connections:get")
  id = options.value(id, { kind = "string" }, "connections:get: the id")
  local answer, err = transport.request(client, describe(checked, call_rules, {
    action = "get connection " .. id, path = { "connections", id }, by_id = true,
  }))
  if not answer then
    return nil, err
  end
  return read_one(answer)
end

--- Deletes a connection.
---@param id string connection id
---@param o? zohocrm.CallOptions
---@return boolean|nil true
---@return zohocrm.Error|nil
function Connections:delete(id, o)
  local client = client_of(self, "delete")
  local checked = options.check(o, call_rules, "connections:delete")
  id = options.value(id, { kind = "string" }, "connections:delete: the id")
  local answer, err = transport.request(client, describe(checked, call_rules, {
    action = "delete connection " .. id, method = "DELETE", path = { "connections", id }, by_id = true,
    repeatable = true, -- a second time it is not there any more
  }))
  if not answer then
    return nil, err
  end
  return true
end

--- Makes the handle behind `crm.connections`.
---@param client table the client's private part
---@return zohocrm.Connections
local function new(client)
  return setmetatable({ [PRIVATE] = client }, meta)
end

return { new = new }
