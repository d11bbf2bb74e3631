-- For the specs: with ZOHOCRM_BOARD_REPORT set to the name of a file, the program measures its frames until two seconds
-- after all deals are there, leaves the report and a screenshot (the name plus ".png"), and ends. Else it does nothing.

local M = {}

local name = os.getenv "ZOHOCRM_BOARD_REPORT"
local CALM = 2 -- seconds that are watched after loading
local frames, calm, started, done = {}, nil, nil, false

-- CPU seconds of this thread: what else the machine does meanwhile is not the program's doing.
local function cpu()
  return 0
end
if name then
  local ffi = require "ffi"
  ffi.cdef "struct probe_time { long seconds, nanoseconds; }; int clock_gettime(int, struct probe_time *);"
  local time, THREAD = ffi.new "struct probe_time", 3
  cpu = function()
    ffi.C.clock_gettime(THREAD, time)
    return tonumber(time.seconds) + tonumber(time.nanoseconds) * 1e-9
  end
end

local function write(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

-- All deals are on the board.
function M.loaded()
  calm = calm or 0
end

-- The CRM's part of a frame begins.
function M.begin()
  started = cpu()
end

-- It has ended, in a frame that took `seconds`, with so many requests under way.
function M.finish(seconds, in_flight, board, status)
  if not name or done then
    return
  end
  frames[#frames + 1] = ("{ seconds = %.6f, step = %.6f, in_flight = %d, loading = %s }"):format(seconds, cpu() - started,
    in_flight, tostring(calm == nil))
  calm = calm and calm + seconds
  if calm and calm > CALM then
    done = true
    write(name, ("return { deals = %d, moves = %d, status = %q, frames = {\n%s\n} }\n"):format(board.deals, board.moves, status,
      table.concat(frames, ",\n")))
    love.graphics.captureScreenshot(function(image)
      write(name .. ".png", image:encode("png"):getString())
      love.event.quit()
    end)
  end
end

return M
