--- Reading good answers: the array that the API promises, or one object of it. Only 204 and 304 mean "nothing";
--- anything else without the array breaks the protocol, and must not pass for an empty list.

local core = require "zohocrm.core"
local errors = require "zohocrm.errors"
local results = require "zohocrm.results"

local M = {}

-- An array of objects as decoded; the decoder marks those that are empty.
local function is_array(value)
  return type(value) == "table" and (type(value[1]) == "table" or getmetatable(value) == core.array_mt)
end

--- The array under a name; empty for 204 and 304.
---@param answer table see `zohocrm.transport`
---@param key string "data", "users", …
---@return table|nil list
---@return zohocrm.Error|nil
function M.list(answer, key)
  if answer.status == 204 or answer.status == 304 then
    return {}
  end
  local list = type(answer.body) == "table" and answer.body[key]
  local flaw = answer.flaws and answer.flaws[key] -- a null in it, say, behind which # would not look
  if is_array(list) and not flaw then
    return list
  end
  return nil, errors.new(answer.context, {
    kind = "protocol", status = answer.status, attempts = answer.attempts,
    message = flaw and ("the array '%s' of the answer %s"):format(key, flaw)
      or ("the answer has no array '%s'"):format(key),
  })
end

--- What the API says of a list, or the least that can be said.
---@param answer table
---@param list table
---@return table info `more_records`, `count`, …; `not_modified` after a 304
function M.info(answer, list)
  local info = type(answer.body) == "table" and type(answer.body.info) == "table" and answer.body.info
    or { count = #list }
  if answer.status == 204 or answer.status == 304 then
    info.more_records = false
  end
  if answer.status == 304 then
    info.not_modified = true
  end
  return info
end

--- The first object of the array under a name.
---@param answer table
---@param key string
---@param absent string the sentence when there is none
---@return table|nil object
---@return zohocrm.Error|nil err `kind == "not_found"` when there is none
function M.one(answer, key, absent)
  local list, err = M.list(answer, key)
  if not list then
    return nil, err
  end
  if type(list[1]) == "table" then
    return results.record(list[1])
  end
  return nil, errors.new(answer.context, {
    kind = "not_found", status = answer.status, attempts = answer.attempts,
    message = answer.status == 304 and "it is not modified since the time that was asked for" or absent,
  })
end

return M
