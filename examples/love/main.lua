-- A live pipeline board: deals fly into their stages while they are loaded, and those that change move over.
--
--     love examples/love            (with the library on LUA_PATH and LUA_CPATH, or installed)
--
-- With MATON_API_KEY set it shows your own account; without, the sandbox, where a sales team of one is at work. Nothing
-- here waits: the CRM's calls live in tasks, and love.update gives them a millisecond a frame.

local zohocrm = require "zohocrm"
local new_board = require "board".new
local probe = require "probe"
local view = require "view"

local BUDGET = 0.001 -- seconds a frame for the network
local REFRESH = 1 -- seconds between two looks for changes
local FIELDS = { "Deal_Name", "Stage", "Amount", "Modified_Time" }

local demo = (os.getenv "MATON_API_KEY" or "") == ""
local crm = zohocrm.new { sandbox = demo and { records = { Deals = 600 } } or nil }
local board, status, clock = new_board {}, "connecting …", 0

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

-- Lets the frames go on for so many seconds, inside a task.
local function pause(seconds)
  local till = clock + seconds
  while clock < till do
    coroutine.yield()
  end
end

-- The sandbox's sales team: moves a deal on now and then.
local function sell()
  while true do
    pause(0.4)
    local ids = {}
    for id in pairs(board.cards) do
      ids[#ids + 1] = id
    end
    local stage = board.columns[math.random(#board.columns)].stage
    assert(crm.Deals:update { id = ids[math.random(#ids)], Stage = stage })
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
      if not newest or deal.Modified_Time > newest then
        newest = deal.Modified_Time
      end
    end
    if demo and not latest then
      crm:spawn(sell)
    end
    latest = newest
    probe.loaded()
    pause(REFRESH)
  end
end

crm:spawn(show_pipeline)

function love.update(seconds)
  clock = clock + seconds
  probe.begin()
  local _, failed = crm:step { budget = BUDGET }
  probe.finish(seconds, crm:limits().in_flight, board, status)
  if failed then
    status = tostring(select(2, failed:result()))
  end
  view.update(board, seconds)
end

function love.draw()
  view.draw(board, status, clock)
end

function love.quit()
  crm:close()
end
