--- examples/love, as it stands: on a screen that nobody sees, against the sandbox over HTTP.
local new_board = dofile("examples/love/board.lua").new
local shell = require("zohocrm.sandbox.server.shell")
local server = require("zohocrm.sandbox.server")

local FOLDER = "build/love"

-- Where LÖVE's LuaJIT finds the core, seen from the example's folder.
local build = os.getenv("ZOHOCRM_BUILD") or "build/5.1"
if build:sub(1, 1) ~= "/" then
  build = "$root/" .. build
end

describe("the pipeline board in LÖVE", function()
  local sandbox, report, output

  setup(function()
    sandbox = server.start { records = { Deals = 3000 }, latency = 0.05 }
    shell.capture("rm -rf " .. FOLDER .. " && mkdir -p " .. FOLDER)
    local status
    status, output = shell.capture(([[
      cd examples/love && root=$(cd ../.. && pwd) &&
      MATON_API_KEY='%s' ZOHOCRM_GATEWAY_URL='%s' ZOHOCRM_CONTROL_URL='%s' ZOHOCRM_BOARD_REPORT="$root/%s/report.lua" \
      LUA_PATH="$root/lua/?.lua;$root/lua/?/init.lua;;" LUA_CPATH="%s/?.so;;" SDL_AUDIODRIVER=dummy \
      timeout 120 xvfb-run -a -s "-screen 0 1280x720x24" love . 2>&1]]):format(sandbox.api_key, sandbox.gateway_url,
      sandbox.control_url, FOLDER, build))
    local chunk = loadfile(FOLDER .. "/report.lua")
    report = status == 0 and chunk and chunk()
  end)

  teardown(function()
    sandbox:stop()
  end)

  it("comes to its end", function()
    assert.truthy(report, output)
  end)

  it("shows all deals", function()
    assert.equal(3000, report.deals)
  end)

  it("goes on drawing while it loads", function()
    -- 15 pages of 50 ms each at the least; a program that waited for them would have drawn some 20 frames
    assert.is_true(report.frames_while_loading > 60, report.frames_while_loading .. " frames")
  end)

  it("takes none of its frames: 99 of 100 are left three quarters of their 16 ms", function()
    assert.is_true(report.step_p99 < 0.004, ("%f s"):format(report.step_p99))
  end)

  it("leaves a picture of the window", function()
    local file = assert(io.open(FOLDER .. "/report.lua.png", "rb"))
    local bytes = file:read("*a")
    file:close()
    assert.equal("\137PNG\r\n\26\n", bytes:sub(1, 8))
    local function number(at)
      local a, b, c, d = bytes:byte(at, at + 3)
      return ((a * 256 + b) * 256 + c) * 256 + d
    end
    assert.same({ 1120, 640 }, { number(17), number(21) })
    -- columns, cards and texts: a plain background would be a tenth of it
    assert.is_true(#bytes > 40000, #bytes .. " bytes")
  end)
end)

describe("the board", function()
  it("moves a deal that has changed, and closes the gap it leaves", function()
    local board = new_board { "Won", "Lost" }
    for i = 1, 3 do
      board:put { id = tostring(i), Deal_Name = "Deal " .. i, Stage = "Won", Amount = i * 10 }
    end
    board:put { id = "2", Deal_Name = "Deal 2", Stage = "Lost", Amount = 25 }
    local won, lost = board.columns[1], board.columns[2]
    assert.same({ 40, 25, 3 }, { won.amount, lost.amount, board.deals })
    assert.same({ "Deal 1", "Deal 3" }, { won.cards[1].name, won.cards[2].name })
    assert.same({ 1, 2 }, { won.cards[1].row, won.cards[2].row })
    board:update(0.35)
    assert.is_true(lost.cards[1].flown > 0.4 and lost.cards[1].flown < 0.6)
    board:update(10)
    assert.is_nil(next(board.moving))
  end)
end)
