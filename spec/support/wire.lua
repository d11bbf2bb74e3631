--- What endpoint specs share: clients without a throttle, and assertions on what the sandbox received.
---
---     local crm = wire.client(sandbox)                       -- of a started door, see doors.lua
---     crm.Leads:get("1")
---     wire.received(sandbox, { "GET", "/Leads/1" })          -- exactly these requests, in this order
local assert = require("luassert")
local cjson = require("cjson").new()
local zohocrm = require("zohocrm")

local M = {}

--- Where the CRM's own paths begin behind the gateway.
M.ROOT = "/zoho-crm/crm/v8"

--- A well-formed id that no record, user, role or profile has.
M.UNKNOWN_ID = "7243485000000000001"

--- 2026-02-06T01:10:56Z, later than every time in the sandbox's samples.
M.NOW = 1770340256

--- Patterns of a time and of an id.
M.TIME = "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d[+-]%d%d:%d%d$"
M.ID = "^" .. ("%d"):rep(19) .. "$"

--- A client of a started door: no throttle, no retries, and what `extra` says.
---@param sandbox table what `door.start` gave
---@param extra? table further options of `zohocrm.new`
function M.client(sandbox, extra)
  return zohocrm.new(M.merged(M.merged({ rate = 0, retries = 0 }, sandbox.client_options), extra))
end

-- lua-cjson's array metatable would make decoded arrays differ from plain tables.
local function plain(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, inner in pairs(value) do copy[key] = plain(inner) end
  return copy
end

--- A body as it was sent: decoded, with nulls as `zohocrm.null`.
function M.decoded(body)
  return plain(cjson.decode(body))
end

local function check_headers(expected, request, what)
  assert.equal("Bearer sandbox", request.headers.authorization, what .. ": the key")
  for name, value in pairs(expected or {}) do
    assert.equal(value or nil, request.headers[name], what .. ": header " .. name)
  end
  if not (expected and expected["maton-connection"] ~= nil) then
    assert.is_nil(request.headers["maton-connection"], what .. ": no connection was chosen")
  end
end

local function check_body(expected, request, what)
  if expected == nil then
    assert.equal("", request.body or "", what .. ": no body")
  else
    local content_type = (request.headers["content-type"] or ""):match("^[^;]+")
    assert.equal("application/json", content_type, what)
    assert.same(expected, M.decoded(request.body), what .. ": body")
  end
end

--- Asserts one request of the log.
---@param expected table `{ method, path, query =, headers =, body = }`: the path as on the wire, below the CRM's
--- root unless it begins with "//" (then from the host); `query` (default: none) and `body` (default: none) are
--- compared as a whole, of the headers those named (`false`: absent)
function M.check(request, expected, position)
  local what = ("request %d (%s %s)"):format(position or 1, expected[1], expected[2])
  local path = expected[2]:match("^/(/.*)$") or M.ROOT .. expected[2]
  assert.equal(expected[1], request.method, what)
  assert.equal(path, request.path, what)
  assert.same(expected.query or {}, plain(request.query), what .. ": query")
  check_headers(expected.headers, request, what)
  check_body(expected.body, request, what)
end

--- Asserts that the sandbox received exactly these requests since the last reset or clear.
function M.received(sandbox, ...)
  local log = sandbox.requests()
  assert.equal(select("#", ...), #log, "number of requests")
  for i = 1, #log do M.check(log[i], (select(i, ...)), i) end
  return log[1]
end

--- Forgets what was received while a spec was getting ready.
function M.ready(sandbox, ...)
  sandbox.clear()
  return ...
end

--- Asserts that a call raises at the caller's line with a message that contains each of the texts.
---@param call function
---@param ... string plain texts
function M.raises(call, ...)
  local fine, message = pcall(call)
  assert.is_false(fine, "the call should have raised")
  assert.equal("string", type(message))
  local source = debug.getinfo(call, "S").short_src
  assert.is_truthy(message:find(source, 1, true) == 1, "raised at the caller's line: " .. message)
  for i = 1, select("#", ...) do
    local text = select(i, ...)
    assert.is_truthy(message:find(text, 1, true), ("'%s' is not in: %s"):format(text, message))
  end
end

--- Asserts the outcome `nil, error` with these fields of the error.
function M.fails(expected, result, err)
  assert.is_nil(result)
  assert.equal("table", type(err), "an error object")
  for name, value in pairs(expected) do
    if type(value) == "table" then
      assert.same(value, err[name], name)
    else
      assert.equal(value, err[name], ("%s of: %s"):format(name, tostring(err)))
    end
  end
  return err
end

--- Asserts the details of a record that was written, as the seed shows them.
function M.written(details)
  local user = { name = "John Doe", id = "7243485000000590001" } -- behind the sandbox's connection
  assert.matches(M.ID, details.id)
  assert.matches(M.TIME, details.Created_Time)
  assert.matches(M.TIME, details.Modified_Time)
  assert.same(user, details.Created_By)
  assert.same(user, details.Modified_By)
end

--- A new table with the entries of both.
function M.merged(record, more)
  local new = {}
  for _, source in ipairs({ record, more or {} }) do
    for name, value in pairs(source) do new[name] = value end
  end
  return new
end

--- The names of a record's fields, sorted.
function M.names(record)
  local names = {}
  for name in pairs(record) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The values of one field, in order.
function M.column(records, name)
  local values = {}
  for i, record in ipairs(records) do values[i] = record[name] end
  return values
end

--- Whether a value is a whole number in the form of this interpreter: an integer where there are integers.
function M.is_integer(value)
  local number_type = rawget(math, "type")
  if number_type then return number_type(value) == "integer" end
  return type(value) == "number" and value % 1 == 0
end

return M
