-- For the specs: with ZOHOCRM_BOARD_REPORT set to the name of a file, the program measures its frames until a second
-- after all deals are there, leaves the report and a screenshot (the name plus ".png"), and ends.

local M = {}

local name = os.getenv "ZOHOCRM_BOARD_REPORT"
local frames, loaded_at, done = {}, nil, false

local function write(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

-- All deals are on the board.
function M.loaded()
  loaded_at = loaded_at or #frames
end

local function report(board)
  local spent = {}
  for i = 1, #frames do
    spent[i] = frames[i].spent
  end
  table.sort(spent)
  local text = "return { frames = %d, frames_while_loading = %d, deals = %d, step_median = %.6f, step_p99 = %.6f,"
    .. " step_most = %.6f }\n"
  return text:format(#frames, loaded_at, board.deals, spent[math.ceil(#spent / 2)], spent[math.ceil(#spent * 0.99)],
    spent[#spent])
end

-- A frame that took `seconds`, of which the CRM had `spent`.
function M.frame(seconds, spent, board)
  if not name or done then
    return
  end
  frames[#frames + 1] = { seconds = seconds, spent = spent }
  if loaded_at and next(board.moving) == nil then
    done = true
    write(name, report(board))
    love.graphics.captureScreenshot(function(image)
      write(name .. ".png", image:encode("png"):getString())
      love.event.quit()
    end)
  end
end

return M
