--- The control endpoint: OAuth connections (seed; reference, section 1.3).
--
-- How the answers to create and delete look is documented nowhere: here a created connection comes back as `get` shows
-- it, and a deletion answers `{}`.
--
-- @module zohocrm.sandbox.connections

local answers = require("zohocrm.sandbox.answers")
local json = require("zohocrm.sandbox.json")
local random = require("zohocrm.sandbox.random")
local time = require("zohocrm.sandbox.time")

local M = {}

--- The app whose connections this endpoint knows.
M.APP = "zoho-crm"

local statuses = { ACTIVE = true, PENDING = true, FAILED = true }
local DEFAULT_LIMIT = 30

local Connections = {}
Connections.__index = Connections

local function connect_url(id)
  return "https://connect.maton.ai/?session_token=" .. random.fingerprint("session:" .. id)
end

local function seeded()
  return {
    {
      connection_id = "e55c5bac-241a-4cc8-9db5-50d2cad09136", status = "ACTIVE", app = M.APP,
      creation_time = "2025-12-08T07:20:53.488460Z", last_updated_time = "2026-01-31T20:03:32.593153Z",
    },
    {
      connection_id = "7b0e4c1a-93d5-4f6e-8a27-1c5f0e9d2b34", status = "ACTIVE", app = M.APP,
      creation_time = "2026-01-12T14:05:09.120047Z", last_updated_time = "2026-01-12T14:07:41.300518Z",
    },
    {
      connection_id = "c2d91f60-5e8b-4d17-b3f4-60a7e8125c9d", status = "PENDING", app = M.APP,
      creation_time = "2026-01-30T09:41:27.004311Z", last_updated_time = "2026-01-30T09:41:27.004311Z",
    },
  }
end

--- Makes the seeded connections: two ACTIVE ones, one PENDING.
---@param clock table
---@return table connections
function M.new(clock)
  local self = setmetatable({ list = seeded(), created = 0, clock = clock }, Connections)
  for _, connection in ipairs(self.list) do
    connection.url, connection.metadata = connect_url(connection.connection_id), {}
  end
  return self
end

local function find(self, id)
  for i, connection in ipairs(self.list) do
    if connection.connection_id == id then
      return connection, i
    end
  end
end

-- A random-looking UUID (version 4, variant 1) that is the same in every run.
local function next_id(self)
  self.created = self.created + 1
  local digits = random.fingerprint("connection:" .. self.created) .. random.fingerprint("uuid:" .. self.created)
  return ("%s-%s-4%s-a%s-%s"):format(
    digits:sub(1, 8), digits:sub(9, 12), digits:sub(14, 16), digits:sub(18, 20), digits:sub(21, 32)
  )
end

--- Refuses a request of the gateway that has no connection to use.
---@param id string? the `Maton-Connection` header; without it the oldest ACTIVE connection is used
function Connections:check(id)
  if id then
    local connection = find(self, id)
    if not connection then
      answers.refuse_at_gateway(400, ("Unknown connection '%s' in the Maton-Connection header"):format(id))
    elseif connection.status ~= "ACTIVE" then
      answers.refuse_at_gateway(400, ("The connection '%s' is %s, not ACTIVE"):format(id, connection.status))
    end
    return
  end
  for _, connection in ipairs(self.list) do
    if connection.status == "ACTIVE" then
      return
    end
  end
  answers.refuse_at_gateway(400, "Missing Zoho CRM connection: no ACTIVE connection for the app 'zoho-crm'")
end

--- `GET /connections`
---@param request table
---@return table response
function Connections:answer_list(request)
  local query = request.query
  if query.status and not statuses[query.status] then
    answers.refuse_at_gateway(400, ("Invalid status '%s': ACTIVE, PENDING or FAILED"):format(query.status))
  end
  local limit = DEFAULT_LIMIT
  if query.limit then
    limit = query.limit:find("^%d%d?%d?$") and tonumber(query.limit) or 0
    if limit < 1 then
      answers.refuse_at_gateway(400, ("Invalid limit '%s': a whole number from 1 to 999"):format(query.limit))
    end
  end
  local found = json.array()
  for _, connection in ipairs(self.list) do
    local wanted = (not query.app or connection.app == query.app)
      and (not query.status or connection.status == query.status)
    if wanted and #found < limit then
      found[#found + 1] = connection
    end
  end
  return answers.json(200, { connections = found })
end

--- `POST /connections`
---@param request table
---@return table response
function Connections:answer_create(request)
  local body = json.decode(request.body)
  local app = type(body) == "table" and body.app or nil
  if type(app) ~= "string" then
    answers.refuse_at_gateway(400, 'Missing app: the body must be {"app": "zoho-crm"}')
  elseif app ~= M.APP then
    answers.refuse_at_gateway(400, ("Invalid app name '%s': this sandbox knows 'zoho-crm'"):format(app))
  end
  local now, id = time.format_utc(self.clock:now()), next_id(self)
  local connection = {
    connection_id = id, status = "PENDING", app = M.APP, creation_time = now, last_updated_time = now,
    url = connect_url(id), metadata = {},
  }
  self.list[#self.list + 1] = connection
  return answers.json(200, { connection = connection })
end

local function existing(self, id)
  local connection, position = find(self, id)
  if not connection then
    answers.refuse_at_gateway(404, ("Connection '%s' not found"):format(id))
  end
  return connection, position
end

--- `GET /connections/{id}`
---@param _ table the request
---@param id string
---@return table response
function Connections:answer_get(_, id)
  return answers.json(200, { connection = (existing(self, id)) })
end

--- `DELETE /connections/{id}`
---@param _ table the request
---@param id string
---@return table response
function Connections:answer_delete(_, id)
  local _, position = existing(self, id)
  table.remove(self.list, position)
  return answers.json(200, {})
end

return M
