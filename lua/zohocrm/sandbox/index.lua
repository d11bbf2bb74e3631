--- An index of the values of one field, for uniqueness and for the duplicate check of an upsert.
-- @module zohocrm.sandbox.index

local text = require("zohocrm.sandbox.text")

local Index = {}
Index.__index = Index

local M = {}

--- Makes an empty index.
---@return table index
function M.new()
  -- Most values belong to one record only: the key stands there itself, a list only where there are several.
  return setmetatable({ keys = {} }, Index)
end

local function normal(value)
  return type(value) == "string" and text.fold(value) or value
end

--- Notes that a record has a value; empty values are not indexed.
---@param value any
---@param key integer
function Index:add(value, key)
  value = normal(value)
  if value == nil or value == "" then
    return
  end
  local known = self.keys[value]
  if known == nil then
    self.keys[value] = key
  elseif type(known) == "table" then
    known[#known + 1] = key
  else
    self.keys[value] = { known, key }
  end
end

--- Forgets that a record has a value.
---@param value any
---@param key integer
function Index:remove(value, key)
  value = normal(value)
  local known = value ~= nil and self.keys[value]
  if known == key then
    self.keys[value] = nil
  elseif type(known) == "table" then
    for i = #known, 1, -1 do
      if known[i] == key then
        table.remove(known, i)
      end
    end
  end
end

--- A record with a value.
---@param value any
---@param except integer? a key that does not count
---@return integer? key the one added first
function Index:find(value, except)
  value = normal(value)
  local known = value ~= nil and self.keys[value]
  if type(known) == "table" then
    for _, key in ipairs(known) do
      if key ~= except then
        return key
      end
    end
    return nil
  end
  return known ~= except and known or nil
end

return M
