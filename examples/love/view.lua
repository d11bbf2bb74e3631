-- Draws the board, and lets the cards move to where they belong.

local M = {}

local g = love.graphics

local CARD, GAP, TOP, BOTTOM, MARGIN = 42, 6, 104, 52, 16
local HASTE = 7 -- of the cards, a second
local BACKGROUND, PANEL, BRIGHT, DIM = { 0.07, 0.08, 0.11 }, { 0.11, 0.12, 0.17 }, { 0.94, 0.95, 0.98 }, { 0.58, 0.61, 0.69 }
local COLORS = {
  { 0.39, 0.58, 0.98 }, { 0.28, 0.72, 0.86 }, { 0.27, 0.78, 0.65 }, { 0.62, 0.78, 0.35 }, { 0.93, 0.75, 0.31 },
  { 0.96, 0.57, 0.32 }, { 0.37, 0.80, 0.45 }, { 0.93, 0.40, 0.43 }, { 0.72, 0.52, 0.90 },
}

local small, normal, large = g.newFont(11), g.newFont(12), g.newFont(18)
local frames = {} -- the lengths of the last ones

local function money(amount)
  if amount >= 1e6 then
    return ("%.1f M"):format(amount / 1e6)
  end
  return amount >= 1e3 and ("%.0f k"):format(amount / 1e3) or ("%.0f"):format(amount)
end

-- As much of a text as fits, and an ellipsis.
local function fit(font, text, width)
  if font:getWidth(text) <= width then
    return text
  end
  local last = 0
  for at in text:gmatch "()[%z\1-\127\194-\244][\128-\191]*" do
    if font:getWidth(text:sub(1, at - 1) .. "…") > width then
      break
    end
    last = at - 1
  end
  return text:sub(1, last) .. "…"
end

-- Where the cards are that the window has room for: the newest of each column, at its top.
local function each_visible(board, visit)
  local width, height = g.getDimensions()
  local room = (width - 2 * MARGIN) / math.max(#board.columns, 1)
  local rows = math.floor((height - TOP - BOTTOM) / (CARD + GAP))
  for i, column in ipairs(board.columns) do
    local count = #column.cards
    for row = 1, math.min(rows, count) do
      visit(column.cards[count - row + 1], MARGIN + (i - 1) * room, TOP + (row - 1) * (CARD + GAP), i, room)
    end
  end
end

function M.update(board, seconds)
  local share = 1 - math.exp(-HASTE * seconds)
  each_visible(board, function(card, x, y)
    card.x, card.y = card.x or x, card.y or -CARD -- new ones come from above
    card.x, card.y = card.x + (x - card.x) * share, card.y + (y - card.y) * share
  end)
  frames[#frames + 1] = seconds
  if #frames > 120 then
    table.remove(frames, 1)
  end
end

local function draw_card(card, _, _, i, room)
  local color, width = COLORS[(i - 1) % #COLORS + 1], room - GAP
  -- shaping text anew in each frame costs more than all the rest
  if card.shaped ~= width or card.shaped_name ~= card.name then
    card.shaped, card.shaped_name, card.label = width, card.name, fit(normal, card.name, width - 18)
  end
  g.setColor(PANEL)
  g.rectangle("fill", card.x, card.y, width, CARD)
  g.setColor(color)
  g.rectangle("fill", card.x, card.y, 3, CARD)
  g.setColor(BRIGHT)
  g.setFont(normal)
  g.print(card.label, card.x + 11, card.y + 5)
  g.setColor(DIM)
  g.setFont(small)
  g.print(money(card.amount), card.x + 11, card.y + 23)
end

local function draw_head(column, i, x, width, most)
  local color = COLORS[(i - 1) % #COLORS + 1]
  g.setColor(BRIGHT)
  g.setFont(normal)
  g.print(fit(normal, column.stage, width), x, TOP - 50)
  g.setColor(DIM)
  g.setFont(small)
  g.print(("%d · %s"):format(#column.cards, money(column.amount)), x, TOP - 33)
  g.setColor(PANEL)
  g.rectangle("fill", x, TOP - 13, width, 4)
  g.setColor(color)
  g.rectangle("fill", x, TOP - 13, width * column.amount / most, 4)
end

-- One sees what the network costs the frames: nothing.
local function draw_pulse(width, height)
  g.setColor(DIM)
  g.setFont(small)
  g.print(("%.0f frames a second"):format(love.timer.getFPS()), MARGIN, height - 30)
  g.setColor(COLORS[3])
  for i, seconds in ipairs(frames) do
    local tall = math.min(seconds * 500, 32)
    g.rectangle("fill", width - MARGIN - 3 * (#frames - i + 1), height - 12 - tall, 2, tall)
  end
end

function M.draw(board, status, clock)
  local width, height = g.getDimensions()
  g.clear(BACKGROUND)
  local most, total = 1, 0
  for _, column in ipairs(board.columns) do
    most, total = math.max(most, column.amount), total + column.amount
  end
  local room = (width - 2 * MARGIN) / math.max(#board.columns, 1)
  each_visible(board, draw_card)
  g.setColor(BACKGROUND)
  g.rectangle("fill", 0, 0, width, TOP - 8) -- cards arrive from behind the heads
  for i, column in ipairs(board.columns) do
    draw_head(column, i, MARGIN + (i - 1) * room, room - GAP, most)
  end
  draw_pulse(width, height)
  g.setColor(COLORS[1])
  g.setLineWidth(3)
  g.arc("line", "open", MARGIN + 9, 25, 8, clock * 4, clock * 4 + 4.2) -- stands still the moment anything blocks
  g.setColor(BRIGHT)
  g.setFont(large)
  g.print(status, MARGIN + 28, 14)
  g.setColor(DIM)
  g.printf(money(total), 0, 14, width - MARGIN, "right")
end

return M
