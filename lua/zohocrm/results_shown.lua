--- How pages, records and outcomes print.

local M = {}

local COLUMN_MAX, ROWS_MAX, LINE_MAX = 36, 20, 120

-- Columns that come first when nobody said which are wanted.
local LEADING = {
  "id", "api_name", "connection_id", "name", "full_name", "Full_Name", "Last_Name", "Account_Name", "Deal_Name",
  "Campaign_Name", "Product_Name", "Subject", "Event_Title", "Name", "status", "data_type", "email", "Email", "Company",
}

-- Terminals give East Asian characters and pictographs two columns. Ranges of first bytes: U+1100 to U+115F is left
-- out, as these letters hardly occur uncomposed.
local function columns(lead, second)
  if lead >= 0xE3 and lead <= 0xED or lead == 0xE2 and second >= 0xBA then
    return lead == 0xED and second > 0x9E and 1 or 2
  end
  if lead == 0xEF then
    return (second >= 0xA4 and second <= 0xAB or second == 0xBC or second == 0xBD) and 2 or 1
  end
  return lead == 0xF0 and second >= 0x9F and 2 or 1
end

local CHARACTER = "[^\128-\191][\128-\191]*"

local function width(text)
  local total = 0
  for character in text:gmatch(CHARACTER) do
    total = total + columns(character:byte(1), character:byte(2) or 0)
  end
  return total
end

local function cut(text, most)
  if width(text) <= most then
    return text
  end
  local taken, parts = 0, {}
  for character in text:gmatch(CHARACTER) do
    taken = taken + columns(character:byte(1), character:byte(2) or 0)
    if taken > most - 1 then
      break
    end
    parts[#parts + 1] = character
  end
  return table.concat(parts) .. "…"
end

-- A value as one line of text. Control characters would break the table, or steer the terminal.
local function shown(value)
  if type(value) ~= "table" then
    return value == nil and "" or (tostring(value):gsub("%c", " "))
  end
  local name = value.name or value.id -- a lookup
  if name ~= nil and type(name) ~= "table" then
    return shown(name)
  end
  local parts = {}
  for i, element in ipairs(value) do
    parts[i] = type(element) == "table" and type(element.name) == "table" and "{…}" or shown(element)
  end
  return #parts > 0 and table.concat(parts, ", ") or (next(value) and "{…}" or "")
end

-- The names in a record: telling ones first, then by alphabet, Zoho's own $-keys last.
local function sorted_names(record)
  local names, rank = {}, {}
  for i, name in ipairs(LEADING) do
    rank[name] = i
  end
  for name in pairs(record) do
    names[#names + 1] = name
    rank[name] = rank[name] or (tostring(name):sub(1, 1) == "$" and 1000 or 100)
  end
  table.sort(names, function(a, b)
    if rank[a] ~= rank[b] then
      return rank[a] < rank[b]
    end
    return tostring(a) < tostring(b)
  end)
  return names
end

local function pad(text, to)
  return text .. (" "):rep(to - width(text))
end

local function all_names(records)
  local seen = {}
  for _, record in ipairs(records) do
    for name in pairs(record) do
      seen[name] = true
    end
  end
  return sorted_names(seen)
end

-- How many columns, from the left, fit into a line.
local function fitting(widths)
  local total = 0
  for column, wide in ipairs(widths) do
    total = total + wide + 2
    if total > LINE_MAX + 2 then
      return math.max(column - 1, 1)
    end
  end
  return #widths
end

local function line(cells, widths, count, filler)
  local padded = {}
  for column = 1, count do
    padded[column] = pad(filler and filler:rep(widths[column]) or cells[column], widths[column])
  end
  return (table.concat(padded, "  "):gsub("%s+$", ""))
end

--- A table of the records, one a line, for people.
---@param records table[]
---@param names? string[] columns in order, all of which are shown; default: those that occur, as many as fit
---@return string
function M.table(records, names)
  local columns_wanted = names or all_names(records)
  local rows, widths = { columns_wanted }, {}
  for i = 1, math.min(#records, ROWS_MAX) do
    rows[i + 1] = {}
    for column, name in ipairs(columns_wanted) do
      rows[i + 1][column] = cut(shown(records[i][name]), COLUMN_MAX)
    end
  end
  for _, row in ipairs(rows) do
    for column, text in ipairs(row) do
      widths[column] = math.max(widths[column] or 0, width(text))
    end
  end
  local count = names and #names or fitting(widths)
  local lines = {}
  for i, row in ipairs(rows) do
    lines[#lines + 1] = line(row, widths, count)
    if i == 1 then
      lines[#lines + 1] = line(row, widths, count, "-")
    end
  end
  if #records > ROWS_MAX then
    lines[#lines + 1] = ("… and %d more"):format(#records - ROWS_MAX)
  end
  if count < #columns_wanted then
    local more = #columns_wanted - count
    lines[#lines + 1] = ("(%d more field%s: print one record to see all)"):format(more, more == 1 and "" or "s")
  end
  return table.concat(lines, "\n")
end

--- A record, one field a line.
---@param record table
---@return string
function M.record(record)
  local lines, longest = {}, 0
  local names = sorted_names(record)
  for _, name in ipairs(names) do
    longest = math.max(longest, #tostring(name))
  end
  for _, name in ipairs(names) do
    lines[#lines + 1] = pad(tostring(name), longest) .. "  " .. shown(record[name])
  end
  return table.concat(lines, "\n")
end

--- The outcome of a bulk write: how many, and what failed.
---@param outcome table see `results.outcome`
---@return string
function M.outcome(outcome)
  local lines, shown_failures = { ("%d succeeded, %d failed"):format(outcome.succeeded, outcome.failed) }, 0
  for _, result in ipairs(outcome) do
    if not result.ok and shown_failures < ROWS_MAX then
      shown_failures = shown_failures + 1
      lines[#lines + 1] = tostring(result.error)
    end
  end
  if #outcome > 0 and outcome.failed > shown_failures then
    lines[#lines + 1] = ("… and %d more"):format(outcome.failed - shown_failures)
  end
  return table.concat(lines, "\n")
end

return M
