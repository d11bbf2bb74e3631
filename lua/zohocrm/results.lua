--- The look of results: pages, records and outcomes are plain tables that print readably (REPL, logs). How is in
--- `zohocrm.results_shown`.

local core = require "zohocrm.core"
local lazily = require "zohocrm.lazily"
local raise = require "zohocrm.raise"

local shown = lazily.module "zohocrm.results_shown"

local M = {}

-- The decoder gives it to the objects of an answer's array, so that nobody walks over them once more.
local Record = core.record_mt
Record.__name = "zohocrm.Record"

function Record:__tostring()
  return shown.record(self)
end

--- Makes a decoded object print readably, and the objects in it (lookups). Its fields stay what they are.
---@generic T: table
---@param record T
---@return T
function M.record(record)
  for _, value in pairs(record) do
    if type(value) == "table" and next(value) ~= nil and value[1] == nil and getmetatable(value) == nil then
      setmetatable(value, Record)
    end
  end
  return setmetatable(record, Record)
end

-- What `for record in page do` comes to.
local function not_an_iterator()
  raise("a page is an array: for _, record in ipairs(page) do … end; crm.Leads:each{…} walks the records of all pages")
end

--- Whether a value is a page.
---@param value any
---@return boolean
function M.is_page(value)
  local meta = type(value) == "table" and getmetatable(value)
  return type(meta) == "table" and meta.__call == not_an_iterator
end

--- Makes an array of decoded records a page: `.info` is always there, and it prints as a table.
---@param list table[]
---@param info table|nil
---@param names? string[] the columns that were asked for
---@return table page
function M.page(list, info, names)
  list.info = info and setmetatable(info, Record)
  return setmetatable(list, {
    __name = "zohocrm.Page",
    __call = not_an_iterator,
    __tostring = function(page)
      return #page == 0 and "(no records)" or shown.table(page, names)
    end,
  })
end

local Outcome = { __name = "zohocrm.Outcome" }

function Outcome:__tostring()
  return shown.outcome(self)
end

--- Starts the outcome of a bulk write.
---@return table outcome array with `succeeded`, `failed` and `total`
function M.outcome()
  return setmetatable({ succeeded = 0, failed = 0, total = 0 }, Outcome)
end

return M
