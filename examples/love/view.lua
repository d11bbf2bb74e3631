-- Draws the board.

local M = {}

local CARD, GAP, TOP, BOTTOM = 26, 4, 92, 64
local COLORS = {
  { 0.36, 0.55, 0.94 }, { 0.30, 0.68, 0.80 }, { 0.35, 0.75, 0.55 }, { 0.78, 0.74, 0.35 }, { 0.90, 0.60, 0.35 },
  { 0.86, 0.42, 0.45 }, { 0.42, 0.76, 0.38 }, { 0.55, 0.55, 0.60 }, { 0.66, 0.50, 0.78 },
}

local function money(amount)
  if amount >= 1e6 then
    return ("%.1f M"):format(amount / 1e6)
  end
  return ("%.0f k"):format(amount / 1e3)
end

-- As much of a text as fits, and an ellipsis.
local function fit(font, text, width)
  if font:getWidth(text) <= width then
    return text
  end
  local last = 0
  for at in text:gmatch("()[%z\1-\127\194-\244][\128-\191]*") do
    if font:getWidth(text:sub(1, at - 1) .. "…") > width then
      break
    end
    last = at - 1
  end
  return text:sub(1, last) .. "…"
end

local function draw_card(g, card, x, width, height)
  local rows = math.max(1, math.floor((height - TOP - BOTTOM) / (CARD + GAP)))
  if card.row > rows then
    return -- below the edge; the column's head counts it
  end
  local eased = 1 - (1 - card.flown) ^ 3
  local y = height - BOTTOM - card.row * (CARD + GAP)
  local color = card.color
  g.setColor(color[1], color[2], color[3], 0.25 + 0.6 * eased)
  g.rectangle("fill", x, -CARD + (y + CARD) * eased, width, CARD, 5, 5)
  g.setColor(1, 1, 1, eased)
  -- shaping text anew in each frame costs more than all the rest
  if card.width ~= width then
    card.width, card.label = width, fit(g.getFont(), card.name or "", width - 12)
  end
  g.print(card.label, x + 6, -CARD + (y + CARD) * eased + 6)
end

-- The lengths of the last frames, so that one sees what the network costs: nothing.
local function draw_pulse(g, frames, width, height)
  g.setColor(0.20, 0.22, 0.28)
  g.rectangle("fill", 0, height - 44, width, 44)
  g.setColor(0.45, 0.85, 0.65)
  for i, seconds in ipairs(frames) do
    local tall = math.min(seconds * 1000, 40)
    g.rectangle("fill", width - 4 * (#frames - i + 1), height - 2 - tall, 3, tall)
  end
end

function M.draw(g, board, status, clock, frames)
  local width, height = g.getDimensions()
  g.clear(0.11, 0.12, 0.16)
  local room = (width - 16) / math.max(#board.columns, 1)
  for i, column in ipairs(board.columns) do
    local x, color = 8 + (i - 1) * room, COLORS[(i - 1) % #COLORS + 1]
    g.setColor(color)
    g.rectangle("fill", x, TOP - 8, room - 8, 3)
    g.print(fit(g.getFont(), column.stage, room - 12), x, TOP - 44)
    g.setColor(0.75, 0.77, 0.82)
    g.print(("%d · %s"):format(#column.cards, money(column.amount)), x, TOP - 27)
    for row = 1, math.min(#column.cards, 40) do
      local card = column.cards[row]
      card.color = color
      draw_card(g, card, x, room - 8, height)
    end
  end
  draw_pulse(g, frames, width, height)
  g.setColor(1, 1, 1)
  g.print(status, 38, 14)
  g.setColor(0.36, 0.55, 0.94)
  g.arc("line", "open", 20, 22, 9, clock * 4, clock * 4 + 4.2) -- stands still the moment anything blocks
end

return M
