--- The benchmark: `make bench`, which builds what this needs and says where it is.
---
--- Environment: ROUNDS (5; 2 where QUICK is set), QUICK (anything: fewer rounds, and the contenders that take long at
--- 100 ms are left out), ONLY (a pattern: pieces of work by their id in plan.lua), BENCH_BUILD (folder of the programs
--- and answers), BENCH_MODULES (folder with 5.4/zohocrm/core.so and 5.1/zohocrm/core.so).

local contest_module = require "spec.bench.contest"
local measures = require "spec.bench.measures"
local plan = require "spec.bench.plan"
local report = require "spec.bench.report"
local results_module = require "spec.bench.results"
local server_module = require "spec.bench.server"
local shell = require "zohocrm.sandbox.server.shell"

local function environment(name, default)
  local value = os.getenv(name)
  if not value or value == "" or value == "0" then return default end
  return value
end

local function ask_shell(command)
  local status, output = shell.capture(command)
  return status == 0 and output:match("[^\n]+") or nil
end

local function say(text)
  io.stderr:write(text, "\n")
end

local function find_place()
  local root = assert(ask_shell("pwd"))
  local function absolute(path) return path:sub(1, 1) == "/" and path or root .. "/" .. path end
  local place = {
    root = root, build = absolute(environment("BENCH_BUILD", "build/bench")),
    modules = absolute(environment("BENCH_MODULES", "build")),
    -- the interpreter itself: a wrapper script in front of it would be measured with it
    python = ask_shell("python3 -c 'import sys; print(sys.executable)'"),
  }
  if ask_shell(("test -d '%s/node_modules/@zohocrm/nodejs-sdk-8.0' && echo yes"):format(place.build)) then
    place.node = ask_shell("node -p process.execPath")
  end
  return place
end

local function describe_machine(place, rounds, quick)
  local versions = {}
  for _, command in ipairs { "lua5.4 -v", "luajit -v", "curl-config --version", place.python and "python3 --version",
    place.node and "echo Node $(node --version)" } do
    versions[#versions + 1] = (ask_shell(command) or ""):match("^[%a.]+ *v?[%d.]+%d")
  end
  return {
    cpu = ask_shell("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo") or "?",
    cores = tonumber(ask_shell("nproc")) or 0, versions = table.concat(versions, ", "), rounds = rounds, quick = quick,
  }
end

-- Where the interpreter's own complaint is about a module that nobody packages for it.
local function plain_reason(contender, why)
  if contender.packaged and why:find(("module '%s' not found"):format(contender.module), 1, true) then
    return ("there is no module '%s' for this interpreter (%s)"):format(contender.module, contender.packaged)
  end
  return why
end

-- Those who can run at all; the others are skipped, with the reason.
local function select_contenders(contest, place, cells)
  local ready, skipped = {}, {}
  if not place.python then skipped[#skipped + 1] = { name = "Python: urllib + json", why = "there is no python3" } end
  if not place.node then
    skipped[#skipped + 1] = { name = "Node: Zoho's SDK", why = "node and the SDK (npm) are not there" }
  end
  for _, contender in ipairs(plan.contenders(place)) do
    local ok, why
    for _, cell in ipairs(cells) do
      if contender.own or not cell.only then
        -- without this client's options, which may not be there yet
        ok, why = contest:warm_up(contender, cell)
      end
      if ok == false then break end
    end
    if ok then
      ready[#ready + 1] = contender
    else
      assert(not contender.own, why)
      skipped[#skipped + 1] = { name = contender.name, why = plain_reason(contender, why) }
    end
  end
  return ready, skipped
end

local function measure(contest, results, contender, cell)
  if results:reason(cell.id, contender.id) then return end
  if cell.logged then contest.server:forget_arrivals() end
  local sample, why, missing = contest:measure(contender, cell)
  if not sample then
    assert(not contender.own or missing, ("%s, %s: %s"):format(contender.name, cell.title, why))
    return results:explain(cell.id, contender.id, why)
  end
  if cell.logged then sample.crowd = measures.crowd(contest.server:arrivals()) end
  results:add(cell.id, contender.id, sample)
end

local function partition(contenders)
  local own, others = {}, {}
  for _, contender in ipairs(contenders) do
    local list = contender.own and own or others
    list[#list + 1] = contender
  end
  return own, others
end

-- Every contender once at every piece of work; another one begins each round.
local function run_round(contest, results, contenders, cells, round)
  local own = partition(contenders)
  for _, contender in ipairs(contenders) do
    results:add("empty", contender.id, contest:measure_empty(contender))
  end
  for _, cell in ipairs(cells) do
    local list = (cell.only or cell.slow) and own or contenders
    for i = 1, cell.once and 0 or #list do
      measure(contest, results, list[(i + round) % #list + 1], cell)
    end
  end
end

-- What runs only once or takes too long for rounds.
local function run_once(contest, results, contenders, cells, quick)
  local own, others = partition(contenders)
  for _, cell in ipairs(cells) do
    for _ = 1, cell.runs or (cell.slow and not quick) and 2 or 1 do
      for _, contender in ipairs(cell.once and own or {}) do measure(contest, results, contender, cell) end
    end
    if cell.slow and not quick then
      for id, sample in pairs(contest:measure_together(others, cell)) do
        if sample.failed then
          results:explain(cell.id, id, sample.failed)
        else
          results:add(cell.id, id, sample, "side by side")
        end
      end
    end
  end
end

local function write_file(name, text)
  local file = assert(io.open(name, "w"))
  file:write(text)
  file:close()
end

local function main()
  local quick = environment("QUICK") ~= nil
  local rounds = tonumber(environment("ROUNDS", quick and 2 or 5))
  local only = environment("ONLY", "")
  local cells = {}
  for _, cell in ipairs(plan.cells) do
    if cell.id:find(only) then cells[#cells + 1] = cell end
  end
  if not cells[1] then error(("ONLY='%s' matches no piece of work in plan.lua"):format(only), 0) end
  local place = find_place()
  shell.capture(("mkdir -p '%s/sdk'"):format(place.build))
  local server = server_module.start(place.root, place.build .. "/answers", place.build .. "/server")
  local ok, failure = pcall(function()
    local contest, results = contest_module.new(place, server), results_module.new()
    local contenders, skipped = select_contenders(contest, place, cells)
    for round = 1, rounds do
      say(("round %d of %d"):format(round, rounds))
      run_round(contest, results, contenders, cells, round)
    end
    say("what runs once")
    run_once(contest, results, contenders, cells, quick)
    local machine = describe_machine(place, rounds, quick)
    local text = report.text(results, contenders, skipped, machine)
    write_file(place.build .. "/results.json", report.json(results, contenders, skipped, machine))
    write_file(place.build .. "/results.txt", text)
    io.write(text, "\nas JSON, with every sample: ", place.build, "/results.json\n")
    assert(server:errors() == "", server:errors())
  end)
  server:stop()
  if not ok then error(failure, 0) end
end

main()
