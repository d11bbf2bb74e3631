--- The sandbox engine for its own specs: requests go straight into `handle`, no HTTP and no client in between.

local cjson = require("cjson")
local json = require("zohocrm.sandbox.json")
local sandbox = require("zohocrm.sandbox")

local M = {}

--- 2026-02-06T01:10:56-08:00, the time of the seed's examples: where the clocks of the specs stand.
M.NOW = 1770369056

--- The oldest seeded lead, the one of the seed's examples.
M.KNOWN_LEAD = "7243485000000597000"

local current

--- Makes the sandbox that the other functions talk to.
---@param options table? of `zohocrm.sandbox.new`
---@return table sandbox
function M.start(options)
  current = sandbox.new(options)
  return current
end

local function escape(text)
  return (text:gsub("[^%w%-%._~]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

local function query_of(parameters)
  local parts = {}
  for name, value in pairs(parameters) do
    parts[#parts + 1] = escape(name) .. "=" .. escape(tostring(value))
  end
  table.sort(parts)
  return table.concat(parts, "&")
end

--- Sends a request with the right key.
---@param method string
---@param path string
---@param query string|table|nil as on the wire, or decoded parameters
---@param body string|table|nil
---@param headers table? in addition
---@return integer status
---@return any body decoded; nil where there is none
---@return table response as the engine gave it
function M.send(method, path, query, body, headers)
  local all = { authorization = "Bearer sandbox" }
  for name, value in pairs(headers or {}) do
    all[name] = value
  end
  local response = current:handle({
    method = method, path = path, headers = all,
    query = type(query) == "table" and query_of(query) or query,
    body = type(body) == "table" and json.encode(body) or body,
  })
  return response.status, response.body ~= "" and cjson.decode(response.body) or nil, response
end

--- `send` with a path under the CRM root.
function M.crm(method, path, ...)
  return M.send(method, "/zoho-crm/crm/v8/" .. path, ...)
end

--- Sends records; gives the status and their results (the whole body where there are none).
function M.write(method, path, ...)
  local status, body = M.crm(method, path, nil, { data = json.array({ ... }) })
  return status, body.data or body
end

--- Creates a record that must succeed.
---@return string id
function M.create(module, record)
  local status, results = M.write("POST", module, record)
  assert(status == 201, results[1] and json.encode(results[1]))
  return results[1].details.id
end

--- The ids of a page, in its order.
function M.ids_of(body)
  local ids = {}
  for i, record in ipairs(body.data) do
    ids[i] = record.id
  end
  return ids
end

--- A field of a record as `get` shows it.
function M.value_of(module, id, field)
  local _, body = M.crm("GET", module .. "/" .. id)
  return body.data[1][field]
end

return M
