--- Who is compared, and at what.

local subject = require "spec.bench.subject"

local M = {}

--- The pieces of work. `only`: just this client. `slow`: a contender that asks one page after the other takes long, so
--- that it runs once, side by side with the others of its kind, which mostly wait as it does.
---@class bench.Cell
---@field id string
---@field title string
---@field job "walk"|"create"|"scan"
---@field account integer which account of the server
---@field records integer that each contender has to come back with
---@field latency integer milliseconds
---@field runs? integer of what runs once: how often
---@field options? string[] for this client only
M.cells = {
  { id = "walk-2000-0", title = "2,000 records", job = "walk", account = subject.SMALL, records = subject.SMALL,
    latency = 0 },
  { id = "walk-100000-0", title = "100,000 records", job = "walk", account = subject.LARGE, records = subject.LARGE,
    latency = 0 },
  { id = "create-10000-0", title = "create 10,000", job = "create", account = subject.SMALL, records = subject.CREATED,
    latency = 0, options = { "concurrency=10" } },
  { id = "walk-2000-100", title = "2,000 records, 100 ms", job = "walk", account = subject.SMALL,
    records = subject.SMALL, latency = 100 },
  { id = "prefetch-2000-100", title = "2,000 records, 100 ms, prefetch = 9", job = "walk", account = subject.SMALL,
    records = subject.SMALL, latency = 100, only = true, options = { "prefetch=9" } },
  { id = "busy-20000-100", title = "20,000 records, 100 ms, caller busy 100 µs a record", job = "walk",
    account = subject.LARGE, records = 20000, latency = 100, only = true, options = { "limit=20000", "work=100" } },
  { id = "create-10000-100", title = "create 10,000, 100 ms", job = "create", account = subject.SMALL,
    records = subject.CREATED, latency = 100, slow = true, options = { "concurrency=10" } },
  { id = "rate-6000-0", title = "6,000 records, rate as by default", job = "walk", account = subject.LARGE,
    records = 6000, latency = 0, only = true, once = true, logged = true, options = { "limit=6000", "rate=default" } },
  { id = "walk-100000-100", title = "100,000 records, 100 ms", job = "walk", account = subject.LARGE,
    records = subject.LARGE, latency = 100, slow = true, once = true },
  { id = "scan-100000-100", title = "scan of 100,000 records, 100 ms", job = "scan", account = subject.LARGE,
    records = subject.LARGE, latency = 100, only = true, once = true, runs = 3 },
  { id = "scan-100000-100-5", title = "the same, parallel = 5", job = "scan", account = subject.LARGE,
    records = subject.LARGE, latency = 100, only = true, once = true, runs = 3, options = { "parallel=5" } },
}

-- Lua contenders exist once for each interpreter. `module`: the C module that they need; `packaged`: the releases of Lua
-- for which Debian has it.
local lua_scripts = {
  { id = "zohocrm", name = "zohocrm", own = true },
  { id = "libcurl_cjson", name = "libcurl in C + cjson.decode" },
  { id = "luasocket", name = "luasocket + cjson" },
  { id = "lua_curl", name = "lua-curl + cjson", module = "curl", packaged = "Debian's lua-curl is for Lua 5.1 and 5.2" },
  { id = "lua_http", name = "lua-http + cjson" },
}

--- The interpreters: their command, the release whose C modules they load, and how they are called here.
M.interpreters = {
  { command = "lua5.4", abi = "5.4", name = "Lua 5.4" },
  { command = "luajit", abi = "5.1", name = "LuaJIT" },
}

--- The contenders of a run.
---@param place { build: string, modules: string, python: string?, node: string? } absolute paths
---@return table[] contenders `{ id, name, own, interpreter, command = { word, … }, empty = { word, … } }`; the words
--- of `command` are followed by job, count, address (and key, fields where `told`, then `tail`); `empty` starts the
--- bare interpreter
function M.contenders(place)
  local list = {}
  for _, script in ipairs(lua_scripts) do
    for _, interpreter in ipairs(M.interpreters) do
      list[#list + 1] = {
        id = script.id .. "-" .. interpreter.abi, name = ("%s, %s"):format(script.name, interpreter.name),
        own = script.own, abi = interpreter.abi, module = script.module, packaged = script.packaged,
        command = { interpreter.command, ("spec/bench/contenders/%s.lua"):format(script.id) },
        empty = { interpreter.command, "-e", "" },
      }
    end
  end
  list[#list + 1] = {
    id = "libcurl", name = "libcurl in C, nothing decoded", abi = "5.4", told = true,
    command = { place.build .. "/fetch" }, empty = { "true" },
  }
  for _, way in ipairs(place.python and { "identity", "gzip" } or {}) do
    local compressed = way == "gzip"
    list[#list + 1] = {
      id = compressed and "urllib_gzip" or "urllib", abi = "5.4", told = true, tail = { way },
      name = compressed and "Python: the same, asking for gzip" or "Python: urllib + json",
      command = { place.python, "spec/bench/contenders/urllib_json.py" }, empty = { place.python, "-c", "" },
    }
  end
  if place.node then
    list[#list + 1] = {
      id = "zoho_sdk", name = "Node: Zoho's SDK", abi = "5.4", told = true,
      command = { place.node, "spec/bench/contenders/zoho_sdk.mjs" }, empty = { place.node, "-e", "" },
      tail = { place.build .. "/node_modules", place.build .. "/sdk" },
    }
  end
  return list
end

return M
