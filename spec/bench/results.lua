--- What was measured: samples by piece of work and contender, and their medians.

local M = {}

---@class bench.Results
local Results = {}
Results.__index = Results

function M.new()
  return setmetatable({ cells = {}, notes = {} }, Results)
end

---@param cell string id
---@param contender string id
---@param sample table
---@param note? string said beside the figures
function Results:add(cell, contender, sample, note)
  self.cells[cell] = self.cells[cell] or {}
  local entry = self.cells[cell][contender] or { samples = {} }
  self.cells[cell][contender] = entry
  entry.samples[#entry.samples + 1] = sample
  entry.note = note or entry.note
end

local function median(values)
  table.sort(values)
  local middle = (#values + 1) / 2
  return (values[math.floor(middle)] + values[math.ceil(middle)]) / 2
end

--- The median of a figure (`wall`, `cpu`, `first`) over all runs, the largest of `peak`; nil where there is none.
---@return number|nil
function Results:get(cell, contender, figure)
  local entry = (self.cells[cell] or {})[contender]
  local values = {}
  for _, sample in ipairs(entry and entry.samples or {}) do values[#values + 1] = sample[figure] end
  if #values == 0 then return nil end
  local middle = median(values) -- sorts them
  return figure == "peak" and values[#values] or middle
end

--- How many runs there were.
---@return integer
function Results:count(cell, contender)
  local entry = (self.cells[cell] or {})[contender]
  return entry and #entry.samples or 0
end

--- Remembers why there is no figure.
function Results:explain(cell, contender, why)
  self.notes[#self.notes + 1] = { cell = cell, contender = contender, why = why }
end

--- Why there is no figure, if that was remembered.
---@return string|nil
function Results:reason(cell, contender)
  for _, note in ipairs(self.notes) do
    if note.cell == cell and note.contender == contender then return note.why end
  end
end

return M
