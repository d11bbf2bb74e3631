--- Usage: LUA frames_loop.lua ADDRESS RECORDS
---
--- A frame loop: 60 times a second it calls `crm:step { budget = 0.001 }`, while a task lists records and works a
--- little with each. Prints, as JSON, what every step took, and what else may have taken its time.

local cjson = require "cjson"
local subject = require "spec.bench.subject"
local thread = require "bench_thread"
local zohocrm = require "zohocrm"

local FRAME, BUDGET, IDLE_STEPS = 1 / 60, 0.001, 100000

-- As in a program that embeds Lua. The interpreter of the command line sets the generational mode, in which every round
-- of the collector is one piece.
if _VERSION == "Lua 5.4" then collectgarbage("incremental") end

local url, records = arg[1], tonumber(arg[2])

local crm = zohocrm.new { api_key = subject.KEY, gateway_url = url, control_url = url, rate = 0 }

-- How often the collector has come to the end of a round: told by the finalizer of an object that nobody holds.
local rounds = 0
local function watch()
  local function note()
    rounds = rounds + 1
    watch()
  end
  if newproxy then -- luacheck: ignore 113 (5.1 only)
    getmetatable(newproxy(true)).__gc = note -- luacheck: ignore 113
  else
    setmetatable({}, { __gc = note })
  end
end
watch()

-- What a game would do with a record: look at some fields, keep a little of it.
local seen, count, sum, last = { cities = {}, names = {} }, 0, 0, nil
local function use(lead)
  local city = lead.City or "?"
  seen.cities[city] = (seen.cities[city] or 0) + 1
  seen.names[count % 100 + 1] = ("%s, %s"):format(lead.Last_Name, lead.Company)
  count, sum, last = count + 1, sum + lead.Annual_Revenue, lead.id
end

local function list()
  for lead in crm.Leads:each { fields = subject.FIELDS, limit = records } do use(lead) end
end

local now, usage = thread.now, thread.usage
local steps = { wall = {}, cpu = {}, switches = {}, faults = {}, rounds = {}, freed = {} }

local function measured_step(n)
  local before, rounds_before = collectgarbage("count"), rounds
  local cpu, switches, faults = usage()
  local from = now()
  local live = crm:step { budget = BUDGET }
  local till = now()
  local cpu_after, switches_after, faults_after = usage()
  steps.wall[n], steps.cpu[n] = till - from, cpu_after - cpu
  steps.switches[n], steps.faults[n] = switches_after - switches, faults_after - faults
  steps.rounds[n], steps.freed[n] = rounds - rounds_before, math.max(0, before - collectgarbage("count"))
  return live
end

local function idle_step()
  local options = { budget = BUDGET }
  for _ = 1, 1000 do crm:step(options) end
  local from = now()
  for _ = 1, IDLE_STEPS do crm:step(options) end
  return (now() - from) / IDLE_STEPS
end

local idle = idle_step()
local task = crm:spawn(list)
local start, frame = now(), 0
repeat
  frame = frame + 1
  local live = measured_step(frame)
  thread.sleep_until(math.max(now(), start + frame * FRAME))
until live == 0
local _, failure = task:result()
assert(not failure, tostring(failure))
-- after a long list there is more for the collector to look at, and connections are open
print(cjson.encode { idle = idle, idle_after = idle_step(), records = count, sum = sum + subject.check(last), steps = steps,
  seconds = now() - start })
