--- The look of results: pages, records and outcomes are plain tables that print readably (REPL, logs).

local M = {}

local COLUMN_MAX, ROWS_MAX = 28, 20

-- Characters rather than bytes, near enough for a terminal.
local function width(text)
  local _, continuation = text:gsub("[\128-\191]", "")
  return #text - continuation
end

local function cut(text, most)
  if width(text) <= most then
    return text
  end
  local taken, last = 0, 0
  for position in text:gmatch("()[^\128-\191]") do
    if taken == most - 1 then
      break
    end
    taken, last = taken + 1, position
  end
  local stop = text:find("[^\128-\191]", last + 1) or #text + 1
  return text:sub(1, stop - 1) .. "…"
end

local function shown(value)
  if type(value) == "table" then
    if value.name or value.id then
      return tostring(value.name or value.id) -- a lookup
    end
    local parts = {}
    for i, element in ipairs(value) do
      parts[i] = shown(element)
    end
    return #parts > 0 and table.concat(parts, ", ") or (next(value) and "{…}" or "")
  end
  return value == nil and "" or (tostring(value):gsub("%c", " "))
end

local function sorted_names(record)
  local names = {}
  for name in pairs(record) do
    if name ~= "id" then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  if record.id ~= nil then
    table.insert(names, 1, "id")
  end
  return names
end

local function pad(text, to)
  return text .. (" "):rep(to - width(text))
end

--- A table of the records, one a line, for people.
---@param records table[]
---@param names? string[] columns in order; default: all that occur
---@return string
function M.table(records, names)
  if not names then
    local seen = {}
    for _, record in ipairs(records) do
      for name in pairs(record) do
        seen[name] = true
      end
    end
    names = sorted_names(seen)
  end
  local widths, rows = {}, { names }
  for i = 1, math.min(#records, ROWS_MAX) do
    local row = {}
    for column, name in ipairs(names) do
      row[column] = cut(shown(records[i][name]), COLUMN_MAX)
    end
    rows[#rows + 1] = row
  end
  for _, row in ipairs(rows) do
    for column, text in ipairs(row) do
      widths[column] = math.max(widths[column] or 0, width(text))
    end
  end
  local lines = {}
  for i, row in ipairs(rows) do
    local cells = {}
    for column, text in ipairs(row) do
      cells[column] = pad(text, widths[column])
    end
    lines[#lines + 1] = (table.concat(cells, "  "):gsub("%s+$", ""))
    if i == 1 then
      for column in ipairs(names) do
        cells[column] = ("-"):rep(widths[column])
      end
      lines[#lines + 1] = table.concat(cells, "  ")
    end
  end
  if #records > ROWS_MAX then
    lines[#lines + 1] = ("… and %d more"):format(#records - ROWS_MAX)
  end
  return table.concat(lines, "\n")
end

local Record = { __name = "zohocrm.Record" }

function Record:__tostring()
  local lines, longest = {}, 0
  local names = sorted_names(self)
  for _, name in ipairs(names) do
    longest = math.max(longest, #tostring(name))
  end
  for _, name in ipairs(names) do
    lines[#lines + 1] = pad(tostring(name), longest) .. "  " .. shown(self[name])
  end
  return table.concat(lines, "\n")
end

--- Makes a decoded object print readably. Its fields stay what they are.
---@generic T: table
---@param record T
---@return T
function M.record(record)
  return setmetatable(record, Record)
end

--- Makes an array of records a page: `.info` is always there, and it prints as a table.
---@param list table[]
---@param info table|nil
---@param names? string[] the columns that were asked for
---@return table page
function M.page(list, info, names)
  for _, record in ipairs(list) do
    if type(record) == "table" then
      setmetatable(record, Record)
    end
  end
  list.info = info
  return setmetatable(list, {
    __name = "zohocrm.Page",
    __tostring = function(page)
      return #page == 0 and "(no records)" or M.table(page, names)
    end,
  })
end

local Outcome = { __name = "zohocrm.Outcome" }

function Outcome:__tostring()
  local lines = { ("%d succeeded, %d failed"):format(self.succeeded, self.failed) }
  for _, result in ipairs(self) do
    if not result.ok then
      lines[#lines + 1] = tostring(result.error)
    end
  end
  return table.concat(lines, "\n")
end

--- Starts the outcome of a bulk write.
---@return table outcome array with `succeeded` and `failed`
function M.outcome()
  return setmetatable({ succeeded = 0, failed = 0 }, Outcome)
end

return M
