--- examples/love, as it stands: on a screen that nobody sees, against the sandbox over HTTP. Nothing here says how fast
--- it draws, which without a GPU is slow: while requests are under way it has to draw as it does without any.
local new_board = dofile("examples/love/board.lua").new
local shell = require("zohocrm.sandbox.server.shell")
local server = require("zohocrm.sandbox.server")

local FOLDER = "build/love"
local DEALS, LATENCY = 3000, 0.25

-- Where LÖVE's LuaJIT finds the core, seen from the example's folder.
local build = os.getenv("ZOHOCRM_BUILD") or "build/5.1"
if build:sub(1, 1) ~= "/" then
  build = "$root/" .. build
end

-- A figure of those frames that `choose` wants, in ascending order.
local function figures(report, figure, choose)
  local list = {}
  for _, frame in ipairs(report.frames) do
    if choose(frame) then
      list[#list + 1] = frame[figure]
    end
  end
  table.sort(list)
  return list
end

local function share(list, part)
  return list[math.max(1, math.ceil(#list * part))]
end

-- Runs the program until it has written its report. Gives that, or nil and what it said instead.
local function run(name, key, gateway_url, control_url)
  local status, output = shell.capture(([[
    cd examples/love && root=$(cd ../.. && pwd) &&
    MATON_API_KEY='%s' ZOHOCRM_GATEWAY_URL='%s' ZOHOCRM_CONTROL_URL='%s' ZOHOCRM_BOARD_REPORT="$root/%s/%s.lua" \
    LUA_PATH="$root/lua/?.lua;$root/lua/?/init.lua;;" LUA_CPATH="%s/?.so;;" SDL_AUDIODRIVER=dummy LIBGL_ALWAYS_SOFTWARE=1 \
    timeout 120 xvfb-run -a -s "-screen 0 1280x720x24" love . 2>&1]]):format(key, gateway_url, control_url, FOLDER, name, build))
  local chunk = loadfile(("%s/%s.lua"):format(FOLDER, name))
  return status == 0 and chunk and chunk() or nil, output
end

shell.capture("rm -rf " .. FOLDER .. " && mkdir -p " .. FOLDER)

describe("the pipeline board in LÖVE", function()
  local sandbox, report, output

  setup(function()
    sandbox = server.start { records = { Deals = DEALS }, latency = LATENCY }
    report, output = run("board", sandbox.api_key, sandbox.gateway_url, sandbox.control_url)
  end)

  teardown(function()
    sandbox:stop()
  end)

  it("comes to its end", function()
    assert.truthy(report, output)
  end)

  it("shows all deals", function()
    assert.equal(DEALS, report.deals)
  end)

  it("draws while requests are under way: several frames for each", function()
    local drawn = figures(report, "seconds", function(frame) return frame.in_flight > 0 end)
    -- nobody sees a request under way in a program that waits for it
    assert.is_true(#drawn >= 10, #drawn .. " frames")
  end)

  it("draws as often while it loads as afterwards", function()
    local loading = figures(report, "seconds", function(frame) return frame.loading end)
    local calm = figures(report, "seconds", function(frame) return not frame.loading end)
    local most = 2 * share(calm, 0.9) + 0.02
    assert.is_true(share(loading, 0.9) < most, ("9 of 10 frames: %.3f s loading, %.3f s afterwards"):format(share(loading, 0.9),
      share(calm, 0.9)))
  end)

  it("gives little of its frames to the CRM", function()
    local steps = figures(report, "step", function() return true end)
    assert.is_true(share(steps, 0.5) < 0.002, ("half of the steps take %.4f s of the processor or more"):format(share(steps, 0.5)))
    assert.is_true(share(steps, 0.95) < 0.008, ("one of 20 takes %.4f s or more"):format(share(steps, 0.95)))
  end)

  it("leaves a picture of the window", function()
    local file = assert(io.open(FOLDER .. "/board.lua.png", "rb"))
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

describe("the pipeline board without a key", function()
  it("shows the sandbox in its own process, in which deals move", function()
    local report, output = run("demo", "", "", "")
    assert(report, output)
    assert.equal("600 deals", report.status) -- what went wrong would stand here
    assert.is_true(report.moves >= 1)
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
    assert.same({ 40, 25, 3, 1 }, { won.amount, lost.amount, board.deals, board.moves })
    assert.same({ "Deal 1", "Deal 3" }, { won.cards[1].name, won.cards[2].name })
    assert.same({ 1, 2 }, { won.cards[1].row, won.cards[2].row })
    assert.equal("Deal 2", lost.cards[1].name)
  end)
end)
