--- The deals by stage, as a chart: an SVG in the page itself, which needs no script.

local h = require "leadform.html".elements

local M = {}

local BAR, GAP, LEFT, WIDTH = 26, 14, 210, 760

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

local function row(stage, i, most)
  local y = (i - 1) * (BAR + GAP) + GAP
  local width = math.max(2, stage.amount / most * (WIDTH - LEFT - 190))
  local middle = y + BAR / 2 + 5
  return h.g {
    h.text { x = LEFT - 12, y = middle, ["text-anchor"] = "end", stage.name },
    h.rect { class = "bar", x = LEFT, y = y, width = ("%.1f"):format(width), height = BAR, rx = 4 },
    h.text {
      class = "figure", x = ("%.1f"):format(LEFT + width + 10), y = middle,
      grouped(stage.amount), " in ", stage.count, stage.count == 1 and " deal" or " deals",
    },
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
    rows[i] = row(stage, i, most)
  end
  return h.svg {
    viewBox = ("0 0 %d %d"):format(WIDTH, #stages * (BAR + GAP) + GAP),
    role = "img", ["aria-labelledby"] = "chart-title",
    h.title { id = "chart-title", "Amount and number of deals in each stage" },
    rows,
  }
end

return M
