--- The records of one module: seeded ones that exist only as a rule, and the ones that were touched.
--
-- A record is known by its *key*, the running number inside its id. What is not in `touched` is computed by the
-- generator; a created or changed record lies in `touched` as a whole, a deleted one as `false`.
--
-- Stored form of a value: text, pick list value, date: string. Number: number. Datetime: epoch seconds. Lookup, owner:
-- id. Bigint: digits. Multi-select pick list, tags: array of strings. Reminder, recurrence: table.
--
-- @module zohocrm.sandbox.store

local generate = require("zohocrm.sandbox.generate")
local index = require("zohocrm.sandbox.index")
local schema = require("zohocrm.sandbox.schema")

local floor = math.floor

local M = {}

--- Leads that a list shows only when it is asked for them lie before the first one, in addition to the number of
-- records that was ordered: three converted ones, then two that wait for approval.
M.CONVERTED_MAX, M.CONVERTED_MIN, M.UNAPPROVED_MIN = -1, -3, -5

local Store = {}
Store.__index = Store

--- Makes the store of a module.
---@param module table of the schema
---@param generator table see `zohocrm.sandbox.generate`
---@param search_delay number seconds until the search sees a write
---@return table store
function M.new(module, generator, search_delay)
  local count = generator.counts[module.api_name]
  return setmetatable({
    module = module,
    generator = generator,
    search_delay = search_delay,
    count = count,
    first = (module.api_name == "Leads" and count > 0) and M.UNAPPROVED_MIN or 0,
    touched = {}, -- key → record, or false where it was deleted
    created = {}, -- keys of created records, ascending
    changes = 0, -- grows with every write: what was computed from older ones is stale
    indexes = {}, -- field name → index of its values, made when first needed
    history = {}, -- key → what the search may still see, see search_record
  }, Store)
end

--- The index of a seeded record.
---@param key integer
---@return integer? index nil where the key is not of a seeded record of this module
function Store:seeded_index(key)
  local i = (key - generate.FIRST_NUMBER - (self.module.index - 1)) / generate.STRIDE
  if i % 1 == 0 and i >= self.first and i < self.count then
    return floor(i)
  end
end

--- The key of a seeded record.
---@param i integer its index
---@return integer key
function Store:seeded_key(i)
  return generate.FIRST_NUMBER + i * generate.STRIDE + self.module.index - 1
end

--- Is there such a record now?
---@param key integer?
---@return boolean
function Store:exists(key)
  if not key then
    return false
  end
  local record = self.touched[key]
  if record ~= nil then
    return record ~= false
  end
  return self:seeded_index(key) ~= nil
end

--- The key of an id, where the record exists.
---@param id any
---@return integer? key
function Store:find(id)
  local key = schema.number(id)
  return self:exists(key) and key or nil
end

-- Fields that are made of others. They are never stored.
local derived = {
  Full_Name = function(record)
    if not record.First_Name then
      return record.Last_Name
    end
    return record.First_Name .. " " .. record.Last_Name
  end,
}

--- A value of a record in the stored form.
---@param key integer of an existing record
---@param name string API name of the field
---@return any value nil where the field is empty
function Store:value(key, name)
  local record = self.touched[key]
  if not record then
    return self.generator:value(self.module, name, self:seeded_index(key))
  end
  if derived[name] and self.module.by_name[name] then
    return derived[name](record)
  end
  return record[name]
end

--- A copy of a whole record in the stored form.
---@param key integer of an existing record
---@return table record
function Store:record(key)
  local copy = {}
  for name in pairs(self.module.by_name) do
    copy[name] = self:value(key, name)
  end
  return copy
end

--- Whether a record was converted, or waits for approval.
---@param key integer of an existing record
---@return "converted"|"unapproved"|nil
function Store:state(key)
  local i = self:seeded_index(key)
  if i and i < 0 then
    return i >= M.CONVERTED_MIN and "converted" or "unapproved"
  end
end

-- Indexes of values ---------------------------------------------------------------------------------------------------

function Store:index_of(name)
  local values = self.indexes[name]
  if not values then
    values = index.new()
    for i = 0, self.count - 1 do
      local key = self:seeded_key(i)
      if self.touched[key] == nil then
        values:add(self:value(key, name), key)
      end
    end
    for key, record in pairs(self.touched) do
      if record then
        values:add(self:value(key, name), key)
      end
    end
    self.indexes[name] = values
  end
  return values
end

--- A record with this value in a field, case aside.
---@param name string API name
---@param value any stored form
---@param except integer? key of a record that does not count
---@return integer? key the oldest one; nil where there is none
function Store:find_by(name, value, except)
  return self:index_of(name):find(value, except)
end

local function update_indexes(self, key, old, new)
  for name, values in pairs(self.indexes) do
    if old then
      values:remove(old[name], key)
    end
    if new then
      values:add(new[name], key)
    end
  end
end

-- Writing -------------------------------------------------------------------------------------------------------------

-- The search's index lags behind by `search_delay`: remember what it still sees.
local function remember(self, key, old, new, now)
  if self.search_delay <= 0 then
    return
  end
  local versions = self.history[key]
  if not versions then
    versions = { { at = -math.huge, record = old or false } }
    self.history[key] = versions
  end
  versions[#versions + 1] = { at = now + self.search_delay, record = new or false }
end

local function put(self, key, new, now)
  local old = self:exists(key) and self:record(key) or nil
  self.touched[key] = new or false
  self.changes = self.changes + 1
  update_indexes(self, key, old, new)
  remember(self, key, old, new, now)
end

--- Adds a record.
---@param key integer greater than every key before
---@param record table stored form; the store keeps it
---@param now number epoch seconds
function Store:insert(key, record, now)
  self.created[#self.created + 1] = key
  put(self, key, record, now)
end

--- Replaces a record.
---@param key integer of an existing record
---@param record table stored form; the store keeps it
---@param now number epoch seconds
function Store:replace(key, record, now)
  put(self, key, record, now)
end

--- Deletes a record.
---@param key integer of an existing record
---@param now number epoch seconds
function Store:remove(key, now)
  put(self, key, nil, now)
end

--- What the search's index holds of a record.
---@param key integer
---@param now number epoch seconds
---@return fun(name: string): any? value of a field by name; nil where the index does not know the record
function Store:search_record(key, now)
  local versions = self.history[key]
  if versions then
    while versions[2] and versions[2].at <= now do
      table.remove(versions, 1)
    end
    if versions[2] then
      local record = versions[1].record
      return record and function(name)
        return record[name]
      end
    end
    self.history[key] = nil
  end
  return self:exists(key) and function(name)
    return self:value(key, name)
  end
end

return M
