--- The client: `zohocrm.new{…}` and what it gives. Every call takes the options of `zohocrm.CallOptions` besides its
--- own.

local core = require "zohocrm.core"
local handle = require "zohocrm.handle"
local lazily = require "zohocrm.lazily"
local modules = require "zohocrm.module"
local options = require "zohocrm.options"
local raise = require "zohocrm.raise"
local suggest = require "zohocrm.suggest"
local transport = require "zohocrm.transport"
local version = require "zohocrm.version"

local connections = lazily.module "zohocrm.connections"
local loops = lazily.module "zohocrm.hosts.loop"
local metadata = lazily.module "zohocrm.metadata"
local schedulers = lazily.module "zohocrm.scheduler"
local shared_rate = lazily.module "zohocrm.hosts.shared_rate"

-- The core's own default, which bulk writes go by, too.
local CONCURRENCY = 10

-- The same, for a rate that workers share.
local RATE = 10

local SECONDS = { kind = "number", above = 0, least = 0 }

local new_rules = {
  api_key = { kind = "string" },
  connection = { kind = "string" },
  gateway_url = { kind = "string" },
  control_url = { kind = "string" },
  ca_file = { kind = "string" },
  proxy = { kind = "string" },
  user_agent = { kind = "string" },
  timeout = SECONDS,
  connect_timeout = SECONDS,
  stall_timeout = SECONDS,
  max_retry_wait = { kind = "number", least = 0 },
  rate = { kind = "number", least = 0 },
  retries = { kind = "integer", least = 0, most = 20 },
  concurrency = { kind = "integer", least = 1, most = 100 },
  max_response_bytes = { kind = "integer", least = 1024, most = 2 ^ 40 },
  on_request = { kind = "function" },
  check = { kind = "boolean" },
  clock = { kind = "any" },
  sandbox = { kind = "any" },
  shared_rate = { kind = "string" },
  host = { kind = "choice", choices = { "luv", "cqueues", "copas" },
    otherwise = ", or leave it out in scripts and in nginx" },
}

--- What every call takes, for this call only.
---@class zohocrm.CallOptions
---@field timeout number|nil seconds for one attempt (the client's)
---@field stall_timeout number|nil seconds without a byte (the client's)
---@field deadline number|nil seconds for the whole call: all attempts, waits and requests (none)
---@field retries integer|nil further attempts, 0 to 20 (the client's)
---@field connection string|nil the id of the connection to go through (the client's); not for `crm.connections`
---@field headers table<string, string>|nil further headers

--- A client of one account.
---@class zohocrm.Client
---@field connections zohocrm.Connections
local Client = {}

-- The key of the private part. Kept in the object itself: a weak table of them would never let go, on LuaJIT, of a
-- client that its own observer mentions.
local PRIVATE = {}

local function client_of(self, method)
  local client = type(self) == "table" and rawget(self, PRIVATE)
  if not client then
    raise(("call it as crm:%s(…), with a colon"):format(method))
  end
  return client
end

local function module_name(value, what)
  if modules.is_module(value) then
    return value.name
  end
  if type(value) ~= "string" or value == "" then
    raise(('%s must be the API name of a module such as "Leads", not %s'):format(what,
      value == "" and "an empty string" or value == nil and "nil" or "a " .. type(value)))
  end
  return value
end

--- The handle of a module, for names that are not known beforehand; else `crm.Leads` says the same.
---@param name string API name, case-sensitive
---@return zohocrm.Module
function Client:module(name)
  return modules.new(client_of(self, "module"), module_name(name, "module: the name"))
end

--- The organisation. API: get-org-data.
---@param o? zohocrm.CallOptions
---@return table|nil org
---@return zohocrm.Error|nil
function Client:org(o)
  return metadata.read(client_of(self, "org"), "org", o)
end

--- One page of users. API: get-users.
---@param o? table `type` ("AllUsers", "ActiveUsers", …), `page`, `per_page` (1 to 200), `ids` (at most 100),
--- `if_modified_since`
---@return table|nil page with `.info`
---@return zohocrm.Error|nil
function Client:users(o)
  return metadata.read(client_of(self, "users"), "users", o)
end

--- One user.
---@param id string
---@param o? zohocrm.CallOptions
---@return table|nil user
---@return zohocrm.Error|nil err `kind == "not_found"` when there is none with this id
function Client:user(id, o)
  return metadata.read(client_of(self, "user"), "user", o, options.id(id, "user: the id"))
end

--- The modules. API: modules-api.
---@param o? table `status` ("visible", "user_hidden", "system_hidden", "scheduled_for_deletion")
---@return table|nil page
---@return zohocrm.Error|nil
function Client:modules(o)
  return metadata.read(client_of(self, "modules"), "modules", o)
end

--- The fields of a module. API: field-meta.
---@param module string|zohocrm.Module
---@param o? table `type` ("all", "used", "unused"), `include`
---@return table|nil page
---@return zohocrm.Error|nil
function Client:fields(module, o)
  return metadata.read(client_of(self, "fields"), "fields", o, nil, module_name(module, "fields: the module"))
end

--- The layouts of a module. API: layouts-meta.
---@param module string|zohocrm.Module
---@param o? zohocrm.CallOptions
---@return table|nil page
---@return zohocrm.Error|nil
function Client:layouts(module, o)
  return metadata.read(client_of(self, "layouts"), "layouts", o, nil, module_name(module, "layouts: the module"))
end

--- One layout.
---@param id string
---@param module string|zohocrm.Module
---@param o? zohocrm.CallOptions
---@return table|nil layout
---@return zohocrm.Error|nil
function Client:layout(id, module, o)
  local client = client_of(self, "layout")
  return metadata.read(client, "layout", o, options.id(id, "layout: the id"), module_name(module, "layout: the module"))
end

--- The roles. API: get-roles.
---@param o? zohocrm.CallOptions
---@return table|nil page
---@return zohocrm.Error|nil
function Client:roles(o)
  return metadata.read(client_of(self, "roles"), "roles", o)
end

--- One role.
---@param id string
---@param o? zohocrm.CallOptions
---@return table|nil role
---@return zohocrm.Error|nil
function Client:role(id, o)
  return metadata.read(client_of(self, "role"), "role", o, options.id(id, "role: the id"))
end

--- The profiles (sets of permissions). API: get-profiles.
---@param o? zohocrm.CallOptions
---@return table|nil page
---@return zohocrm.Error|nil
function Client:profiles(o)
  return metadata.read(client_of(self, "profiles"), "profiles", o)
end

--- One profile.
---@param id string
---@param o? zohocrm.CallOptions
---@return table|nil profile
---@return zohocrm.Error|nil
function Client:profile(id, o)
  return metadata.read(client_of(self, "profile"), "profile", o, options.id(id, "profile: the id"))
end

lazily.methods(Client, { "query", "query_each" }, "zohocrm.query", client_of)

local request_rules = options.merge(options.call, {
  method = { kind = "choice", choices = { "GET", "POST", "PUT", "PATCH", "DELETE" }, core = true },
  path = { kind = "string", core = true, required = 'such as path = "/crm/v8/org"' },
  query = { kind = "table", core = true },
  body = { kind = "table", core = true },
  raw = { kind = "boolean", core = true },
  repeatable = { kind = "boolean", core = true },
})

local PARAMETER = { kind = "parameter" }

-- { name = value } as the flat list that the core takes, in alphabetical order; an array becomes a comma separated
-- value.
local function flatten(parameters)
  local names, flat = {}, {}
  for name in pairs(parameters or {}) do
    if type(name) ~= "string" then
      raise("request: query must map parameter names to values, as in { fields = \"Last_Name\" }")
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value, what = parameters[name], "request: query." .. name
    if type(value) == "table" and next(value) ~= nil then
      local parts = {}
      for i = 1, options.length(value, what) do
        parts[i] = options.value(value[i], PARAMETER, ("%s[%d]"):format(what, i))
      end
      value = table.concat(parts, ",")
    else
      value = options.value(value, PARAMETER, what)
    end
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  return flat
end

--- Any endpoint under the CRM root, for what has no method of its own.
---@param o table `path` as on the wire, such as "/crm/v8/settings/tags" (required); `method` (default "GET"),
--- `query` (map; arrays become comma separated), `body` (encoded as JSON), `headers`, `raw` (true: the body comes as a
--- string), `repeatable` (true: it changes nothing, or doing it twice is the same as doing it once, so that it is sent
--- again also when its answer was lost; always so for GET), `timeout`, `stall_timeout`, `deadline`, `retries`,
--- `connection`
---@return table|string|nil body decoded; an empty table when the answer has none (204, 304)
---@return table|zohocrm.Error response `{ status =, headers = { [lower case name] = value } }`, or the error
function Client:request(o)
  local client = client_of(self, "request")
  local checked = options.check(o, request_rules, "request")
  local method, path = checked.method or "GET", checked.path
  local answer, err = transport.request(client, {
    action = ("%s %s"):format(method, path), method = method, path = path, query = flatten(checked.query),
    body = checked.body, raw = checked.raw == "true", timeout = checked.timeout, deadline = options.remaining(checked),
    stall_timeout = checked.stall_timeout, retries = tonumber(checked.retries),
    repeatable = method == "GET" or checked.repeatable == "true",
    headers = options.apply({ headers = checked.headers, connection = checked.connection }, options.call, {}).headers,
  })
  if not answer then
    return nil, err
  end
  local body = answer.body
  if body == nil then
    body = checked.raw == "true" and "" or {}
  end
  return body, { status = answer.status, headers = answer.headers }
end

--- What is known of limits, without asking the server.
---@return table limits
--- - `credits_remaining` (integer|nil): API credits that the organisation has left today, as the last answer with the
---   header X-API-CREDITS-REMAINING said; Zoho sends it only once half of the day's credits are used. `credits_age`
---   (number|nil): seconds since that answer
--- - `ratelimit_limit`, `ratelimit_remaining`, `ratelimit_reset` (integer|nil): the headers X-RATELIMIT-…, which Zoho
---   does not document for the CRM, as last seen
--- - `rate` (number|nil): requests per second that this client allows itself; nil: no limit
--- - `concurrency`, `allowed` (integer): how many requests may be under way at once, by the option and now: after a
---   429 one, then one more with each good answer
--- - `in_flight`, `waiting` (integer): calls under way, and calls that wait for their turn
--- - `paused_for` (number): seconds until the pause after a 429 ends; 0: there is none
function Client:limits()
  return client_of(self, "limits").core:limits()
end

lazily.methods(Client, { "spawn", "step", "run" }, "zohocrm.tasks", client_of)
lazily.methods(Client, { "fds", "timeout", "poll" }, "zohocrm.own_loop", client_of)

--- Ends the client: calls under way are cancelled, connections closed, the key wiped. Twice is harmless. A client
--- that is no longer used is closed by the garbage collector.
function Client:close()
  client_of(self, "close").core:close()
end

local meta = { __name = "zohocrm.Client", __newindex = handle.newindex("the client") }

function meta.__index(self, name)
  local client = rawget(self, PRIVATE)
  local found = Client[name] or client.handles[name]
  if found ~= nil then
    return found
  end
  if type(name) == "string" and name:match("^[A-Z]") then
    client.handles[name] = modules.new(client, name)
    return client.handles[name]
  elseif name == "connections" then
    client.handles[name] = connections.new(client)
    return client.handles[name]
  end
  if type(name) == "string" then
    local known = { "connections" }
    for method_name in pairs(Client) do
      known[#known + 1] = method_name
    end
    table.sort(known)
    local hint = suggest.hint(name, known)
    if modules.class[name] then
      raise(("the client has no '%s', but modules have: crm.Leads:%s(…)"):format(name, name))
    elseif hint == "" then
      hint = ("; did you mean the module crm.%s?"):format((name:gsub("^%l", string.upper)))
    end
    raise(("the client has no '%s'%s (modules have capitals; crm:module \"name\" takes any name)"):format(name, hint))
  end
end

function meta.__tostring(self)
  local client = rawget(self, PRIVATE)
  if client.core:closed() then
    return "zohocrm client (closed)"
  end
  return ("zohocrm client (%s)"):format(client.sandbox and "sandbox in this process" or client.core:base("gateway"))
end

meta.__close = Client.close

-- What `sandbox` may be: true, options for one, or one that is there already.
local function sandbox_from(value)
  if not value then
    return nil
  end
  if type(value) == "table" and type(value.handle) == "function" then
    return value
  end
  if value ~= true and type(value) ~= "table" then
    raise(("zohocrm.new: sandbox must be true, a table of options, or a sandbox, not a %s"):format(type(value)))
  end
  local fine, made = pcall(lazily.require("zohocrm.sandbox").new, value ~= true and value or nil)
  if not fine then
    raise("zohocrm.new: " .. tostring(made):gsub("^[^:]*:%d+: ", ""))
  end
  return made
end

--- Makes a client. Nothing is sent before the first call.
---@param given? table
--- `api_key` (default: the environment's MATON_API_KEY), `connection` (the id of a connection, else the oldest
--- active one), `gateway_url` (default: ZOHOCRM_GATEWAY_URL, else https://gateway.maton.ai/zoho-crm), `control_url`
--- (default: ZOHOCRM_CONTROL_URL, else https://ctrl.maton.ai), `timeout` (seconds for one attempt, 60),
--- `connect_timeout` (of these, for the connection, 10), `stall_timeout` (seconds without a byte, 30), `retries`
--- (further attempts, 3), `max_retry_wait` (seconds, 60: the longest wait; a longer Retry-After is reported instead),
--- `rate` (requests a second, 10; 0 or false: no limit), `shared_rate` (in nginx: the name of a lua_shared_dict by
--- which all workers together keep to the rate, see `zohocrm.hosts.shared_rate`; one for each API key), `concurrency`
--- (10), `max_response_bytes` (64 MiB), `ca_file` (PEM), `proxy`, `user_agent`, `on_request` (called after each call,
--- once an attempt, with `{ method, path, attempt, status | failure, timeout, seconds }`; its errors are ignored),
--- `check` (true: lists, walks, searches, scans and writes are checked against the module's metadata first, see
--- `Module:check`; COQL is not), `sandbox`
--- (true, options of zohocrm.sandbox, or a sandbox: no network at all), `host` ("luv", "cqueues" or
--- "copas": calls in coroutines of that loop wait without blocking it, see `zohocrm.hosts.loop`; default: nginx in
--- nginx, else blocking), `clock` (for tests of waiting: `require("zohocrm.core").clock{ random = {0.5} }` stands
--- still; retries and the rate then take no time, and `clock:waits()` tells how long each wait would have been, see
--- csrc/lzc_clock.c)
---@return zohocrm.Client
local function new(given)
  local plain = {}
  if type(given) == "table" then
    if rawget(given, "new") == new then
      raise("call it as zohocrm.new{…}, with a dot")
    end
    for name, value in pairs(given) do
      plain[name] = value
    end
    if plain.rate == false then
      plain.rate = 0
    end
  elseif given ~= nil then
    raise(("zohocrm.new takes a table of options, not a %s%s"):format(type(given),
      type(given) == "string" and "; did you mean { api_key = … }?" or ""))
  end
  local checked = options.check(plain, new_rules, "zohocrm.new")
  local sandbox = sandbox_from(checked.sandbox)
  for name, rule in pairs(new_rules) do
    if rule.kind == "integer" then
      checked[name] = tonumber(checked[name])
    end
  end
  local loop = checked.host and loops.open(checked.host)
  if loop and checked.clock then
    raise(('zohocrm.new: clock cannot be used with host = "%s", as the loop waits by its own'):format(checked.host))
  end
  checked.offline = sandbox ~= nil
  local rate = checked.shared_rate
    and shared_rate.new(checked.shared_rate, checked.rate or RATE, checked.connect_timeout)
  checked.leased = rate ~= nil
  checked.user_agent = checked.user_agent or ("zohocrm-lua/%s libcurl/%s"):format(version, core.libcurl_version)
  local core_client, refusal = core.client(checked)
  if not core_client then
    raise("zohocrm.new: " .. refusal)
  end
  local client = {
    core = core_client, methods = Client, on_request = checked.on_request, sandbox = sandbox,
    gateway_url = core_client:base("gateway"), concurrency = checked.concurrency or CONCURRENCY,
    check = checked.check == "true",
    sandbox_key = sandbox and (not checked.api_key or core_client:key_is(sandbox.api_key)),
  }
  if rate and not sandbox then -- the one in this process has no limit
    rate:attach(core_client)
    client.shared_rate = rate
  end
  client.poll, client.module_names = transport.poller(client), {}
  client.observing = setmetatable({}, { __mode = "k" })
  if loop then
    client.loop, loop.schedulers[schedulers.of(client)] = loop, true
  end
  -- not in the client itself, where assignments would reach them
  client.handles = {}
  return setmetatable({ [PRIVATE] = client }, meta)
end

-- The handle of a module offers the metadata of that module too.
local Module = modules.class

--- What the API says of the module itself: labels, permissions, … API: modules-api.
---@param o? zohocrm.CallOptions
---@return table|nil module
---@return zohocrm.Error|nil
function Module:metadata(o)
  return metadata.read(modules.client_of(self, "metadata"), "module_metadata", o, self.name, self.name)
end

--- The fields of the module, see `crm:fields`.
---@param o? table `type`, `include`
---@return table|nil page
---@return zohocrm.Error|nil
function Module:fields(o)
  return metadata.read(modules.client_of(self, "fields"), "fields", o, nil, self.name)
end

--- The layouts of the module, see `crm:layouts`.
---@param o? zohocrm.CallOptions
---@return table|nil page
---@return zohocrm.Error|nil
function Module:layouts(o)
  return metadata.read(modules.client_of(self, "layouts"), "layouts", o, nil, self.name)
end

--- One layout of the module, see `crm:layout`.
---@param id string
---@param o? zohocrm.CallOptions
---@return table|nil layout
---@return zohocrm.Error|nil err `kind == "not_found"` when there is none with this id
function Module:layout(id, o)
  return metadata.read(modules.client_of(self, "layout"), "layout", o, options.id(id, "layout: the id"), self.name)
end

return { new = new }
