-- The pipeline as columns of cards: where each deal belongs, and where its card is on the way there. Knows nothing of
-- LÖVE and nothing of the CRM.

local Board = {}
Board.__index = Board

local ARRIVAL = 0.7 -- seconds that a card flies

local function new(stages)
  local board = setmetatable({ columns = {}, by_stage = {}, cards = {}, deals = 0, moving = {} }, Board)
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

-- Puts a deal where it belongs: a new one, or one that has changed since.
function Board:put(deal)
  local card = self.cards[deal.id]
  if card then
    leave(card)
  else
    card = {}
    self.cards[deal.id] = card
    self.deals = self.deals + 1
  end
  local column = self:column(deal.Stage or "(none)")
  local cards = column.cards
  card.name, card.amount = deal.Deal_Name, deal.Amount or 0
  card.account = type(deal.Account_Name) == "table" and deal.Account_Name.name or ""
  card.column, card.row, card.flown = column, #cards + 1, 0
  cards[card.row] = card
  column.amount = column.amount + card.amount
  self.moving[card] = true
end

-- Lets the cards fly on.
function Board:update(seconds)
  for card in pairs(self.moving) do
    card.flown = math.min(card.flown + seconds / ARRIVAL, 1)
    if card.flown == 1 then
      self.moving[card] = nil
    end
  end
end

return { new = new }
