--- An in-memory Zoho CRM v8 behind the rules of the Maton gateway, to try and test automation without an account.
--
-- Pure Lua (5.1 to 5.4, LuaJIT) and lua-cjson. Deterministic: the same options and requests give the same answers.
--
--     local sandbox = require("zohocrm.sandbox")
--     local sb = sandbox.new{ records = { Leads = 1000 } }
--     local response = sb:handle{ method = "GET", path = "/zoho-crm/crm/v8/Leads", query = "fields=Last_Name",
--                                 headers = { authorization = "Bearer sandbox" } }
--
-- The gateway (`/zoho-crm/crm/v8/…`) and the control endpoint (`/connections…`) are told apart by the path.
--
-- @module zohocrm.sandbox

local clock = require("zohocrm.sandbox.clock")
local connections = require("zohocrm.sandbox.connections")
local credits = require("zohocrm.sandbox.credits")
local generate = require("zohocrm.sandbox.generate")
local options = require("zohocrm.sandbox.options")
local router = require("zohocrm.sandbox.router")
local schema = require("zohocrm.sandbox.schema")
local store = require("zohocrm.sandbox.store")
local url = require("zohocrm.sandbox.url")

local M = {}

--- Requests that are remembered for `requests`.
M.REQUESTS_MAX = 1000

-- State: what the answers depend on, and nothing that belongs to the observer -----------------------------------------

local State = {}
State.__index = State

-- Where the running numbers of created records begin: the id of the seed's example, or past the seeded records.
local FIRST_CREATED = 619001

local function new_state(settings)
  local generator = generate.new(settings.seed, settings.records)
  local state = setmetatable({
    options = settings, clock = clock.new(settings.time), stores = {}, autonumbers = {}, key = FIRST_CREATED - 1,
  }, State)
  for _, module in ipairs(schema.modules) do
    if module.has_records then
      local count = settings.records[module.api_name]
      state.stores[module.api_name] = store.new(module, generator, settings.search_delay)
      state.autonumbers[module.api_name] = 999 + count
      state.key = math.max(state.key, generate.FIRST_NUMBER + count * generate.STRIDE)
    end
  end
  state.connections = connections.new(state.clock)
  state.credits = credits.new(settings.credits, state.clock)
  return state
end

--- Now, in whole seconds as the API counts them.
---@return integer epoch seconds
function State:now()
  return math.floor(self.clock:now())
end

--- The key of the next record to be created, of whatever module: ids grow with creation.
---@return integer key
function State:next_key()
  self.key = self.key + 1
  return self.key
end

--- The number of the next automatically numbered record.
---@param module_name string
---@return integer
function State:next_autonumber(module_name)
  self.autonumbers[module_name] = self.autonumbers[module_name] + 1
  return self.autonumbers[module_name]
end

--- The store that holds a record.
---@param id string
---@return table? store nil where no module has such a record
function State:store_of(id)
  for _, candidate in pairs(self.stores) do
    if candidate:find(id) then
      return candidate
    end
  end
end

-- The sandbox ---------------------------------------------------------------------------------------------------------

local Sandbox = {}
Sandbox.__index = Sandbox

--- Makes a sandbox. Every option may be left out.
---@param given? table
--- - `records` (integer, or a table of them by module name): seeded records per module; default 40
--- - `seed` (integer): of the sample data; default 1
--- - `time` (number, epoch seconds): the clock stands there until it is moved; default: it runs with the real one
--- - `api_key` (string): the key it accepts; default `"sandbox"`
--- - `search_delay` (number, seconds): until the search sees a write; default 0
--- - `rate` (number): requests per second of the clock before 429; default: no limit
--- - `credits` (integer): API credits of 24 hours before 429; answers say what is left of them once half is spent;
---   default: they are not counted
---@return table sandbox with `api_key`
---@raise for an unknown or wrong option, at the caller's line
function M.new(given)
  if given == M then
    error("call it as sandbox.new{…}, with a dot", 2)
  end
  local settings = options.check(given, 2)
  local self = setmetatable({ settings = settings, api_key = settings.api_key }, Sandbox)
  self:reset()
  return self
end

--- Back to the seeded state: records, connections, clock, planned failures; the remembered requests go too.
function Sandbox:reset()
  self.state = new_state(self.settings)
  self.failures = {}
  self:clear_requests()
end

local function copy(source)
  local target = {}
  for key, value in pairs(source or {}) do
    target[key] = value
  end
  return target
end

local function remember(self, request)
  self.last = self.last + 1
  self.remembered[self.last] = request
  self.remembered[self.last - M.REQUESTS_MAX] = nil
end

local function planned_failure(self)
  local failure = self.failures[1]
  if not failure then
    return nil
  end
  failure.times = failure.times - 1
  if failure.times <= 0 then
    table.remove(self.failures, 1)
  end
  return { status = failure.status, headers = copy(failure.headers), body = failure.body }
end

--- Answers a request.
---@param request table
--- - `method` (string)
--- - `path` (string): as on the wire, percent-encoded, without the query
--- - `query` (string, optional): as on the wire, without "?"
--- - `headers` (table, optional): by lower-case name
--- - `body` (string, optional)
---@return {status: integer, headers: table<string, string>, body: string} response body "" where there is none
---@raise where the request is no such table, at the caller's line
function Sandbox:handle(request)
  options.check_request(request, 2)
  local seen = {
    method = request.method,
    path = request.path,
    raw_query = request.query or "",
    query = url.query(request.query),
    headers = copy(request.headers),
    body = request.body or "",
  }
  remember(self, seen)
  return planned_failure(self) or router.answer(self.state, {
    method = seen.method, path = seen.path, query = url.query(request.query), headers = copy(request.headers),
    body = request.body,
  })
end

--- The requests so far, oldest first, at most the last 1,000.
---@return table[] requests each `{method, path, raw_query, query, headers, body}`: path and raw_query as on the wire,
--- query with decoded names and values, body "" where there was none
function Sandbox:requests()
  local list = {}
  for i = math.max(1, self.last - M.REQUESTS_MAX + 1), self.last do
    list[#list + 1] = self.remembered[i]
  end
  return list
end

--- Forgets the requests so far.
function Sandbox:clear_requests()
  self.remembered, self.last = {}, 0
end

--- The sandbox's clock.
---@return number epoch seconds
function Sandbox:time()
  return self.state.clock:now()
end

--- Stops the clock at a time.
---@param epoch number seconds
---@raise where it is no number, at the caller's line
function Sandbox:set_time(epoch)
  options.check_number("set_time", epoch, 2)
  self.state.clock:set(epoch)
end

--- Moves the clock on; a running clock keeps running.
---@param seconds number
---@raise where it is no number, at the caller's line
function Sandbox:advance(seconds)
  options.check_number("advance", seconds, 2)
  self.state.clock:advance(seconds)
end

--- Plans the answer to the next request, whatever it is: how error handling is tried. Plans queue up.
---@param plan table
--- - `status` (integer)
--- - `body` (string, optional): default ""
--- - `headers` (table, optional): by lower-case name; default: JSON where there is a body
--- - `times` (integer, optional): how many requests get it; default 1
---@raise for an unknown or wrong field, at the caller's line
function Sandbox:fail_next(plan)
  self.failures[#self.failures + 1] = options.check_failure(plan, 2)
end

return M
