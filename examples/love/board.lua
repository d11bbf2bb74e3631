-- The pipeline as columns of cards. Knows nothing of LÖVE and nothing of the CRM.

local Board = {}
Board.__index = Board

local function new(stages)
  local board = setmetatable({ columns = {}, by_stage = {}, cards = {}, deals = 0, moves = 0 }, Board)
  for _, stage in ipairs(stages) do
    board:column(stage)
  end
  return board
end

-- The column of a stage; a stage that nobody spoke of gets one at the right.
function Board:column(stage)
  local column = self.by_stage[stage]
  if not column then
    column = { stage = stage, cards = {}, amount = 0 }
    self.columns[#self.columns + 1] = column
    self.by_stage[stage] = column
  end
  return column
end

local function leave(card)
  local cards = card.column.cards
  card.column.amount = card.column.amount - card.amount
  table.remove(cards, card.row)
  for row = card.row, #cards do
    cards[row].row = row
  end
end

-- Puts a deal where it belongs, behind those that were there before: a new one, or one that has changed since.
function Board:put(deal)
  local card = self.cards[deal.id]
  if card then
    self.moves = self.moves + (card.column.stage ~= deal.Stage and 1 or 0)
    leave(card)
  else
    card = {}
    self.cards[deal.id] = card
    self.deals = self.deals + 1
  end
  local column = self:column(deal.Stage or "(none)")
  card.name, card.amount = deal.Deal_Name or "", deal.Amount or 0
  card.column, card.row = column, #column.cards + 1
  column.cards[card.row] = card
  column.amount = column.amount + card.amount
end

return { new = new }
