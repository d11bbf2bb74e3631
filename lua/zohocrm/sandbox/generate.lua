--- Sample records out of nothing: any field of any seeded record, computed when it is asked for.
--
-- A value depends only on the seed, the field and the record's index, so 100,000 records cost no memory and a page of
-- them costs only the fields asked for. What special fields look like is said in `zohocrm.sandbox.recipes`; the rest
-- follows from the data type.
--
-- Values are in the stored form (see `zohocrm.sandbox.store`).
--
-- @module zohocrm.sandbox.generate

local json = require("zohocrm.sandbox.json")
local random = require("zohocrm.sandbox.random")
local recipes = require("zohocrm.sandbox.recipes")
local schema = require("zohocrm.sandbox.schema")
local time = require("zohocrm.sandbox.time")
local users = require("zohocrm.sandbox.users")
local words = require("zohocrm.sandbox.words")

local floor = math.floor

local M = {}

--- The moment that all seeded times lie before: 2026-02-01T00:00:00-08:00.
M.EPOCH = 1769932800

--- The running number of the first seeded record's id; the oldest lead is the one of the seed's examples.
M.FIRST_NUMBER = 597000

--- Distance between the ids of two neighbouring records of one module: leaves room for the other modules.
M.STRIDE = 16

local TWO_YEARS = 2 * 365 * 86400
local THREE_HOURS = 3 * 3600

local Generator = {}
Generator.__index = Generator

--- Makes a generator.
---@param seed integer
---@param counts table<string, integer> seeded records per module
---@return table generator
function M.new(seed, counts)
  return setmetatable({ seed = seed, counts = counts }, Generator)
end

--- A whole number from 0 to n - 1 for a place.
---@param n integer
---@param stream integer
---@param index integer
---@return integer
function Generator:below(n, stream, index)
  return random.below(n, self.seed, stream, index)
end

--- One of a list for a place.
---@param list any[]
---@param stream integer
---@param index integer
---@return any
function Generator:pick(list, stream, index)
  return list[random.below(#list, self.seed, stream, index) + 1]
end

--- When a record was created. Grows with the index.
---@param module table of the schema
---@param index integer
---@return integer epoch seconds
function Generator:created_time(module, index)
  local count = self.counts[module.api_name]
  local spacing = math.max(2, math.min(THREE_HOURS, floor(TWO_YEARS / math.max(count, 1))))
  return M.EPOCH - (count - index) * spacing
end

--- When a record was last changed: after its creation and before that of its successor, so it grows with the index too.
---@param module table of the schema
---@param index integer
---@return integer epoch seconds
function Generator:modified_time(module, index)
  local created = self:created_time(module, index)
  local room = self:created_time(module, index + 1) - created
  return created + self:below(room, 5, index)
end

--- The id of a seeded record.
---@param module table of the schema
---@param index integer
---@return string id
function M.record_id(module, index)
  return schema.id(M.FIRST_NUMBER + index * M.STRIDE + module.index - 1)
end

--- A reference to a record of another module.
---@param target string API name
---@param stream integer
---@param index integer
---@return string? id nil where the module has no seeded records
function Generator:reference(target, stream, index)
  local count = self.counts[target]
  if count > 0 then
    return M.record_id(schema.by_name[target], self:below(count, stream, index))
  end
end

local related_modules = { "Accounts", "Deals", "Campaigns" }

-- Seeded values by data type, for fields without a recipe. Each gets (generator, field, index, module).
local by_type = {}

function by_type.picklist(g, field, i)
  if field.mandatory or g:below(8, field.stream + 1, i) > 0 then
    return g:pick(field.values, field.stream, i)
  end
end

function by_type.multiselectpicklist(g, field, i)
  local chosen = json.array()
  for n, value in ipairs(field.values) do
    if g:below(3, field.stream * 31 + n, i) == 0 then
      chosen[#chosen + 1] = value
    end
  end
  return #chosen > 0 and chosen or nil
end

function by_type.boolean(g, field, i)
  return g:below(4, field.stream, i) == 0
end

function by_type.integer(g, field, i)
  return (g:below(9, field.stream, i) + 1) * 10 ^ g:below(4, field.stream + 1, i)
end

function by_type.currency(g, field, i)
  return (g:below(990, field.stream, i) + 10) * 10 ^ g:below(4, field.stream + 1, i) / 4
end

function by_type.double(g, field, i)
  return g:below(2000, field.stream, i) / 2
end

function by_type.percent(g, field, i)
  return g:below(61, field.stream, i) / 2
end

function by_type.bigint(g, field, i)
  return ("%.0f"):format(g:below(1000, field.stream, i) * 1000 + g:below(1000, field.stream + 1, i))
end

function by_type.date(g, field, i, module)
  local days = floor(g:created_time(module, i) / 86400)
  return time.format_date(days + g:below(120, field.stream, i))
end

function by_type.datetime(g, field, i, module)
  local created = g:created_time(module, i)
  return created - created % 900 + g:below(2000, field.stream, i) * 900
end

function by_type.phone(g, field, i)
  return ("555-%03d-%04d"):format(100 + g:below(900, field.stream, i), g:below(10000, field.stream + 1, i))
end

function by_type.lookup(g, field, i, module)
  local own = field.lookup == module.api_name
  if g:below(10, field.stream + 1, i) < (own and 8 or 1) then
    return nil
  end
  local id = g:reference(field.lookup, field.stream, i)
  return id ~= M.record_id(module, i) and id or nil
end

function by_type.multi_module_lookup(g, field, i)
  if g:below(5, field.stream + 1, i) > 0 then
    return g:reference(g:pick(related_modules, field.stream + 2, i), field.stream, i)
  end
end

function by_type.ownerlookup(g, field, i)
  return g:pick(users.owners, field.stream, i)
end

function by_type.textarea(g, field, i)
  if g:below(3, field.stream + 1, i) == 0 then
    return g:pick(words.descriptions, field.stream, i)
  end
end

-- Fields that every module has.
local common = {}

function common.id(_, _, i, module)
  return M.record_id(module, i)
end

function common.Created_Time(g, _, i, module)
  return g:created_time(module, i)
end

function common.Modified_Time(g, _, i, module)
  return g:modified_time(module, i)
end

common.Last_Activity_Time = common.Modified_Time

function common.Tag(g, field, i)
  local tags = json.array()
  if g:below(5, field.stream, i) == 0 then
    tags[1] = g:pick(words.tags, field.stream + 1, i)
  end
  return tags
end

--- The seeded value of a field.
---@param module table of the schema
---@param name string API name of a field of the module
---@param index integer
---@return any value in the stored form; nil where the field is empty
function Generator:value(module, name, index)
  local sample = recipes.samples[module.api_name]
  sample = sample and sample[index]
  if sample and sample[name] ~= nil then
    return sample[name]
  end
  local field = module.by_name[name]
  if not field then
    return nil
  end
  local recipe = recipes[module.api_name][name] or common[name] or by_type[field.data_type]
  return recipe and recipe(self, field, index, module)
end

return M
