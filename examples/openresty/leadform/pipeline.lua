--- The deals by stage, as a chart: a table with bars in it, which can be read aloud, fits a phone, and needs no script
--- and no style of its own.

local h = require "leadform.html".elements

local M = {}

local function stage_names(crm)
  local names = {}
  for _, field in ipairs(assert(crm.Deals:fields())) do
    for _, value in ipairs(field.api_name == "Stage" and field.pick_list_values or {}) do
      names[#names + 1] = value.actual_value
    end
  end
  return names
end

--- Adds the deals up.
---@param crm zohocrm.Client
---@return table[] stages in the order of the pipeline: `name`, `count`, `amount`; those without deals are left out
function M.stages(crm)
  local by_name, stages = {}, {}
  for deal in crm.Deals:each { fields = { "Stage", "Amount" }, prefetch = 4 } do
    local stage = by_name[deal.Stage] or { name = deal.Stage, count = 0, amount = 0 }
    by_name[deal.Stage] = stage
    stage.count, stage.amount = stage.count + 1, stage.amount + (deal.Amount or 0)
  end
  for _, name in ipairs(stage_names(crm)) do
    stages[#stages + 1] = by_name[name]
  end
  return stages
end

-- 1234567 -> 1,234,567
local function grouped(number)
  local text = ("%.0f"):format(number)
  repeat
    local count
    text, count = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
  until count == 0
  return text
end

local function row(stage, most)
  local width = math.max(1, stage.amount / most * 100)
  return h.tr {
    h.th { scope = "row", stage.name },
    h.td { h.svg { ["aria-hidden"] = "true", h.rect { width = ("%.1f%%"):format(width), height = "100%", rx = 4 } } },
    h.td { grouped(stage.amount), " in ", stage.count, stage.count == 1 and " deal" or " deals" },
  }
end

--- The chart of the stages.
---@param stages table[]
---@return table element
function M.chart(stages)
  local most, rows = 1, {}
  for _, stage in ipairs(stages) do
    most = math.max(most, stage.amount)
  end
  for i, stage in ipairs(stages) do
    rows[i] = row(stage, most)
  end
  return h.table { class = "chart", h.caption { "Amount and number of deals in each stage" }, h.tbody(rows) }
end

return M
