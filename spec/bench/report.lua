--- The results as tables for a terminal and as JSON: ratios first, then the figures themselves.

local cjson = require "cjson"
local measures = require "spec.bench.measures"
local plan = require "spec.bench.plan"

local M = {}

-- Characters, not bytes, of a UTF-8 text.
local function width(text)
  return select(2, text:gsub("[^\128-\191]", ""))
end

local function pad(text, size, right)
  local space = (" "):rep(size - width(text))
  return right and space .. text or text .. space
end

-- Rows of texts as lines; the first column to the left, the others to the right.
local function layout(rows)
  local sizes, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, text in ipairs(row) do sizes[i] = math.max(sizes[i] or 0, width(text)) end
  end
  for n, row in ipairs(rows) do
    local parts = {}
    for i, text in ipairs(row) do parts[i] = pad(text, sizes[i], i > 1) end
    lines[n] = (table.concat(parts, "  "):gsub("%s+$", ""))
  end
  return table.concat(lines, "\n")
end

-- Three digits that count.
local function short(value)
  if not value then return "-" end
  local size = math.abs(value)
  return (size >= 100 and "%.0f" or size >= 10 and "%.1f" or size >= 0.1 and "%.2f" or "%.4f"):format(value)
end

-- Where a limit is close, three are too few to see on which side of it a value is.
local function precise(value)
  local size = math.abs(value)
  return (size >= 100 and "%.1f" or size >= 10 and "%.2f" or size >= 1 and "%.3f" or "%.4f"):format(value)
end

local function times(value)
  return value and short(value) .. "×" or "-"
end

-- ---------------------------------------------------------------------------------------------------------------
-- The measures

local function verdict(measure, value)
  if not measure.reach then return "" end
  return value <= measure.reach and "reached" or "missed"
end

--- Each measure on each interpreter.
---@return table[] list of `{ name, reach, values = { [abi] = { value, verdict, why } } }`
function M.judge(results)
  local list = {}
  for i, measure in ipairs(measures.list) do
    local values = {}
    for _, interpreter in ipairs(plan.interpreters) do
      local value = measure.of(results, interpreter.abi)
      values[interpreter.abi] = value and { value = value, verdict = verdict(measure, value) }
        or { verdict = results:reason(measure.needs, "zohocrm-" .. interpreter.abi) and "not yet" or "not measured",
          why = results:reason(measure.needs, "zohocrm-" .. interpreter.abi) }
    end
    list[i] = { name = measure.name, reach = measure.reach, values = values }
  end
  return list
end

local function measures_table(results)
  local rows = { { "What is to be reached", "at most" } }
  for _, interpreter in ipairs(plan.interpreters) do
    rows[1][#rows[1] + 1] = interpreter.name
    rows[1][#rows[1] + 1] = ""
  end
  for _, measure in ipairs(M.judge(results)) do
    local row = { measure.name, measure.reach and short(measure.reach) or "" }
    for _, interpreter in ipairs(plan.interpreters) do
      local got = measure.values[interpreter.abi]
      row[#row + 1] = got.value and precise(got.value) or ""
      row[#row + 1] = got.verdict
    end
    rows[#rows + 1] = row
  end
  return layout(rows)
end

-- ---------------------------------------------------------------------------------------------------------------
-- Ratios and figures

local function measured_cells(results, also_own)
  local list = {}
  for _, cell in ipairs(plan.cells) do
    if results.cells[cell.id] and (also_own or not cell.only) then list[#list + 1] = cell end
  end
  return list
end

-- How many times what this client takes on the same VM (Lua 5.4 for those that are not Lua) a contender takes.
local function ratios_table(results, contenders, figure)
  local cells = measured_cells(results, false)
  local rows = { { "" } }
  for _, cell in ipairs(cells) do rows[1][#rows[1] + 1] = cell.title end
  for _, contender in ipairs(contenders) do
    if not contender.own then
      local row = { contender.name }
      for _, cell in ipairs(cells) do
        local theirs = results:get(cell.id, contender.id, figure)
        local ours = results:get(cell.id, "zohocrm-" .. contender.abi, figure)
        row[#row + 1] = times(theirs and ours and theirs / ours)
      end
      rows[#rows + 1] = row
    end
  end
  return layout(rows)
end

local function figures_row(results, cell, contender)
  local function get(figure, scale)
    local value = results:get(cell.id, contender.id, figure)
    return value and short(value * scale) or "-"
  end
  local wall = results:get(cell.id, contender.id, "wall")
  local peak, empty = results:get(cell.id, contender.id, "peak"), results:get("empty", contender.id, "peak")
  return {
    contender.name, get("wall", 1), cell.latency > 0 and short(wall * 1000 / cell.latency) or "", get("cpu", 1e6),
    get("first", 1e3), short(peak), short(peak - empty), tostring(results:count(cell.id, contender.id)),
    results.cells[cell.id][contender.id].note or "",
  }
end

local function figures_table(results, contenders, cell)
  local rows = { { cell.title, "wall s", "round trips", "CPU µs/record", "first ms", "peak MiB", "over empty", "runs", "" } }
  for _, contender in ipairs(contenders) do
    if results:count(cell.id, contender.id) > 0 then
      rows[#rows + 1] = figures_row(results, cell, contender)
    end
  end
  return #rows > 1 and layout(rows) or nil
end

local function empty_table(results, contenders)
  local rows, seen = { { "empty interpreter", "CPU ms", "peak MiB" } }, {}
  for _, contender in ipairs(contenders) do
    local name = contender.empty[1]
    if not seen[name] and results:count("empty", contender.id) > 0 then
      seen[name] = true
      rows[#rows + 1] = { name:match("[^/]+$"), short(results:get("empty", contender.id, "cpu") * 1000),
        short(results:get("empty", contender.id, "peak")) }
    end
  end
  return layout(rows)
end

local LEGEND = [[
Wall and first record: from making the client on, in the process, on a monotonic clock. CPU: user and system time of the
whole process, starting the interpreter included. Peak: of resident memory. Medians of all runs, peak the largest. A round
trip is the latency, 100 ms. luasocket, lua-http and urllib do not ask for gzip: over loopback that spares them inflating,
over a network it costs them seven times the bytes. The answers to scans are cut out for each call and not compressed.]]

--- Everything, as text.
---@param results bench.Results
---@param contenders table[] those that took part
---@param skipped table[] `{ name, why }`
---@param machine table
---@return string
function M.text(results, contenders, skipped, machine)
  local parts = {
    ("%s, %d cores; %s; %d round%s%s"):format(machine.cpu, machine.cores, machine.versions, machine.rounds,
      machine.rounds > 1 and "s" or "", machine.quick and " (QUICK)" or ""),
    measures_table(results),
    "CPU a record, times this client's on the same VM (C, Python, Node: on Lua 5.4)\n\n"
      .. ratios_table(results, contenders, "cpu"),
    "Wall, times this client's\n\n" .. ratios_table(results, contenders, "wall"),
  }
  for _, cell in ipairs(measured_cells(results, true)) do parts[#parts + 1] = figures_table(results, contenders, cell) end
  parts[#parts + 1] = empty_table(results, contenders)
  parts[#parts + 1] = LEGEND
  local remarks = {}
  for _, note in ipairs(results.notes) do
    remarks[#remarks + 1] = ("not measured: %s, %s: %s"):format(note.contender, note.cell, note.why)
  end
  for _, skip in ipairs(skipped) do remarks[#remarks + 1] = ("skipped: %s: %s"):format(skip.name, skip.why) end
  if #remarks > 0 then parts[#parts + 1] = table.concat(remarks, "\n") end
  return table.concat(parts, "\n\n") .. "\n"
end

--- Everything, as JSON: the measures, and every sample.
---@return string
function M.json(results, contenders, skipped, machine)
  local names = {}
  for _, contender in ipairs(contenders) do names[contender.id] = contender.name end
  local cells = {}
  for id, entries in pairs(results.cells) do
    cells[id] = {}
    for contender, entry in pairs(entries) do
      cells[id][contender] = { samples = entry.samples, note = entry.note, median = {
        wall = results:get(id, contender, "wall"), cpu = results:get(id, contender, "cpu"),
        first = results:get(id, contender, "first") }, peak = results:get(id, contender, "peak") }
    end
  end
  return cjson.encode { machine = machine, measures = M.judge(results), contenders = names, cells = cells,
    skipped = skipped, missing = results.notes }
end

return M
