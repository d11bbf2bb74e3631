--- The benchmark of frame loops: `make bench-frames`. On each interpreter frames_loop.lua lists records in a task, a
--- thousandth of a second a frame; here its steps are counted, and those that took long explained.
---
--- Environment: ROUNDS (1), RECORDS (100000), BENCH_BUILD and BENCH_MODULES as for run.lua.

local cjson = require "cjson"
local plan = require "spec.bench.plan"
local server_module = require "spec.bench.server"
local shell = require "zohocrm.sandbox.server.shell"
local subject = require "spec.bench.subject"

local FREED = 256 -- KiB: more than the pieces of a step give back by themselves, in which the collector does little
local REACH = { p99 = 1.2e-3, long = 4e-3, idle = 5e-6 }

local function environment(name, default)
  local value = os.getenv(name)
  return value and value ~= "" and value or default
end

local function absolute(root, path)
  return path:sub(1, 1) == "/" and path or root .. "/" .. path
end

local function run(place, interpreter, url, records)
  local status, output = shell.capture(("LUA_PATH='%s/?.lua;lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s/%s/?.so;%s/%s/?.so;;' "
    .. "%s spec/bench/frames_loop.lua '%s' %d 2>&1"):format(place.root, place.modules, interpreter.abi, place.build,
    interpreter.abi, interpreter.command, url, records))
  assert(status == 0, output)
  return cjson.decode(output)
end

local function percentile(values, share)
  local sorted = {}
  for i, value in ipairs(values) do sorted[i] = value end
  table.sort(sorted)
  return sorted[math.max(1, math.ceil(#sorted * share))]
end

-- Why a step took long. What it did not get of the processor the kernel gave to others. Only the collector frees
-- memory of Lua's; and where it came to the end of a round, it had marked the last of all there is in one piece.
local function explain(steps, i)
  if steps.cpu[i] < REACH.long then
    return "kernel"
  elseif steps.rounds[i] > 0 or steps.freed[i] > FREED then
    return "collector"
  end
  return "unexplained"
end

local function milliseconds(seconds)
  return ("%.2f"):format(seconds * 1e3)
end

local function tell(interpreter, result)
  local steps = result.steps
  local wall, cpu = steps.wall, steps.cpu
  print(("%s: %d records in %.1f s, %d steps"):format(interpreter.name, result.records, result.seconds, #wall))
  for _, kind in ipairs { { "on the clock", wall }, { "of the processor", cpu } } do
    print(("  ms %-17s p50 %s   p99 %s   max %s"):format(kind[1], milliseconds(percentile(kind[2], 0.5)),
      milliseconds(percentile(kind[2], 0.99)), milliseconds(percentile(kind[2], 1))))
  end
  local reasons = { kernel = 0, collector = 0, unexplained = 0 }
  for i = 1, #wall do
    if wall[i] > REACH.long then
      local reason = explain(steps, i)
      reasons[reason] = reasons[reason] + 1
      print(("    step %d: %s ms, %s of the processor; put off it %d times, %d page faults, %d rounds of the collector, "
        .. "%.0f KiB freed: %s"):format(i, milliseconds(wall[i]), milliseconds(cpu[i]), steps.switches[i], steps.faults[i],
        steps.rounds[i], steps.freed[i], reason))
    end
  end
  print(("  over 4 ms: %d for the kernel, %d for the collector, %d unexplained (reach 0)"):format(reasons.kernel,
    reasons.collector, reasons.unexplained))
  print(("  nothing to do: %.2f µs before, %.2f µs after (reach 5)"):format(result.idle * 1e6, result.idle_after * 1e6))
  return reasons.unexplained == 0 and percentile(wall, 0.99) <= REACH.p99 and result.idle <= REACH.idle
    and result.idle_after <= REACH.idle
end

local function main()
  local root = select(2, shell.capture("pwd")):match("[^\n]+")
  local place = {
    root = root, build = absolute(root, environment("BENCH_BUILD", "build/bench")),
    modules = absolute(root, environment("BENCH_MODULES", "build")),
  }
  local records = tonumber(environment("RECORDS", subject.LARGE))
  local server = server_module.start(root, place.build .. "/answers", place.build .. "/server-frames")
  local url = subject.address(server.url, subject.LARGE, 0)
  local fine, failure = pcall(function()
    for _ = 1, tonumber(environment("ROUNDS", 1)) do
      for _, interpreter in ipairs(plan.interpreters) do
        local reached = tell(interpreter, run(place, interpreter, url, records))
        print("  " .. (reached and "all reached" or "NOT reached: p99 1.2 ms, no step over 4 ms unexplained, 5 µs idle"))
      end
    end
    assert(server:errors() == "", server:errors())
  end)
  server:stop()
  if not fine then error(failure, 0) end
end

main()
