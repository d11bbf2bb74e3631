--- zohocrm: a client for Zoho CRM's v8 API through the Maton gateway.
---
---     local zohocrm = require "zohocrm"
---     local crm = zohocrm.new()
---     for lead in crm.Leads:each{ fields = {"Last_Name", "Email"} } do print(lead.Last_Name) end

local has_cjson, refusal = pcall(require, "cjson")
if not has_cjson then
  local absent = tostring(refusal):find("module 'cjson' not found", 1, true)
  error(absent and ("zohocrm needs lua-cjson, which %s does not find (Debian: apt install lua-cjson; "
    .. "LuaRocks: luarocks install lua-cjson)"):format(_VERSION) or refusal, 0)
end

local has_core, failure = pcall(require, "zohocrm.core")
if not has_core then
  local jit = rawget(_G, "jit") ~= nil
  local name, make, abi = jit and "LuaJIT" or _VERSION, jit and " LUA=luajit" or "", _VERSION:match("%d+%.%d+")
  local reason = tostring(failure)
  if reason:find("module 'zohocrm.core' not found", 1, true) then
    reason = ("zohocrm's core, zohocrm/core.so, is not found for %s: build and install it (make%s install), or "
      .. "have build/%s/?.so in LUA_CPATH"):format(name, make, abi)
  elseif reason:find("undefined symbol: lua", 1, true) then
    reason = ("zohocrm's core, zohocrm/core.so, is built for another Lua than %s: make%s install, or have "
      .. "build/%s/?.so in LUA_CPATH; %s"):format(name, make, abi, reason)
  end
  error(reason, 0)
end

local client = require "zohocrm.client"
local core = require "zohocrm.core"
local criteria = require "zohocrm.criteria"
local lazily = require "zohocrm.lazily"
local raise = require "zohocrm.raise"
local values = require "zohocrm.values"
local task_host = require "zohocrm.hosts.task"

local tasks = lazily.module "zohocrm.tasks"

local M = {
  _VERSION = "zohocrm " .. require "zohocrm.version",
  --- Writes a JSON null, which empties a field. It is lua-cjson's.
  null = core.null,
  new = client.new,
  --- Builds conditions for searches, COQL, scans and checks: see `zohocrm.criteria`.
  criteria = criteria,
  --- Builds COQL queries: see `zohocrm.coql`.
  coql = require "zohocrm.coql",
  --- A day, for conditions and records: see `zohocrm.values`.
  date = values.date,
  --- An instant, for conditions and records: see `zohocrm.values`.
  datetime = values.datetime,
  --- Lua's coroutine functions, but such that what is resumed in a task may wait without blocking, see
  --- `zohocrm.hosts.task`.
  coroutine = task_host.library,
}

--- Marks an array, so that it is written as `[]` also when it is empty.
---@generic T: table
---@param list T
---@return T the same table
function M.array(list)
  if list == M then
    raise("call it as zohocrm.array{…}, with a dot")
  end
  if list ~= nil and type(list) ~= "table" then
    raise(("zohocrm.array takes a table, not a %s"):format(type(list)))
  end
  return setmetatable(list or {}, core.array_mt)
end

--- Runs functions side by side, see `zohocrm.tasks`.
---@param ... function|zohocrm.Task
---@return any ...
function M.gather(...)
  if (...) == M then
    raise("call it as zohocrm.gather(…), with a dot")
  end
  return tasks.gather(...)
end

lazily.settle()

return M
