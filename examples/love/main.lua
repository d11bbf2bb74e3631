-- A live pipeline board: deals fly into their stages while they are loaded, and those that change move.
--
--     love examples/love            (with the library on LUA_PATH and LUA_CPATH, or installed)
--
-- With MATON_API_KEY set it shows your own account; without, the sandbox. Nothing here waits: the CRM's calls live in
-- tasks, and love.update gives them a millisecond a frame.

local zohocrm = require "zohocrm"
local new_board = require "board".new
local probe = require "probe"
local view = require "view"

local BUDGET = 0.001 -- seconds a frame for the network
local REFRESH = 5 -- seconds between two looks for changes

local crm = zohocrm.new { sandbox = not os.getenv "MATON_API_KEY" }
local board, status, clock, frames = new_board {}, "connecting …", 0, {}

local FIELDS = { "Deal_Name", "Stage", "Amount", "Account_Name", "Modified_Time" }

local function stages()
  for _, field in ipairs(assert(crm.Deals:fields())) do
    if field.api_name == "Stage" then
      local names = {}
      for _, value in ipairs(field.pick_list_values) do
        if value.actual_value ~= "-None-" then
          names[#names + 1] = value.actual_value
        end
      end
      return names
    end
  end
  return {}
end

-- Seconds of other work, as seen from inside a task.
local function pause(seconds)
  local till = clock + seconds
  while clock < till do
    coroutine.yield()
  end
end

local function show_pipeline()
  board = new_board(stages())
  local latest
  while true do
    local newest = latest
    for deal in crm.Deals:each { fields = FIELDS, if_modified_since = latest } do
      board:put(deal)
      status = ("%d deals"):format(board.deals)
      if deal.Modified_Time and (not newest or deal.Modified_Time > newest) then
        newest = deal.Modified_Time
      end
    end
    latest = newest
    probe.loaded()
    pause(REFRESH)
  end
end

local task = crm:spawn(show_pipeline)

function love.update(seconds)
  clock = clock + seconds
  local before = love.timer.getTime()
  crm:step { budget = BUDGET }
  local spent = love.timer.getTime() - before
  if task:done() then
    status = tostring(select(2, task:result()))
  end
  board:update(seconds)
  frames[#frames + 1] = seconds
  if #frames > 280 then
    table.remove(frames, 1)
  end
  probe.frame(seconds, spent, board)
end

function love.draw()
  view.draw(love.graphics, board, status, clock, frames)
end

function love.quit()
  crm:close()
end
