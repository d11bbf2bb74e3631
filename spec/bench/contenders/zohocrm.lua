--- This client. Besides what every contender is told: NAME=NUMBER, where `prefetch` and `limit` are options of `each`,
--- `parallel` is one of `scan`, `concurrency` and `rate` of the client (rate: off unless given, `default` leaves it out), and `work` is how long
--- the caller takes over each record, in microseconds.
local clock = require "bench_clock"
local zohocrm = require "zohocrm"
local cjson = require "cjson"
local subject = require "spec.bench.subject"

local job, count, url = arg[1], tonumber(arg[2]), arg[3]
local option = {}
for i = 4, #arg do
  local name, value = arg[i]:match("^(%w+)=(%w+)$")
  option[name] = tonumber(value) or value
end

local function busy(seconds)
  local till = clock() + seconds
  repeat until clock() >= till
end

local function walk(crm)
  local n, sum, first, id = 0, 0, nil, nil
  local work = (option.work or 0) * 1e-6
  local o = { fields = subject.FIELDS, prefetch = option.prefetch, limit = option.limit }
  for lead in crm.Leads:each(o) do
    first = first or clock()
    n, sum, id = n + 1, sum + lead.Annual_Revenue, lead.id
    if work > 0 then busy(work) end
  end
  return n, sum + subject.check(id), first
end

local function scan(crm)
  local n, sum, first = 0, 0, nil
  for lead in crm.Leads:scan { fields = subject.FIELDS, parallel = option.parallel } do
    first = first or clock()
    n, sum = n + 1, sum + lead.Annual_Revenue + subject.check(lead.id)
  end
  return n, sum, first
end

local function create(crm)
  local records = {}
  for i = 1, count do records[i] = subject.record(i) end
  local sum = 0
  local outcome = crm.Leads:create(records)
  for _, result in ipairs(outcome) do
    if result.ok then sum = sum + subject.check(result.id) end
  end
  return outcome.succeeded, sum
end

local jobs = { walk = walk, scan = scan, create = create }

local function run()
  local start = clock()
  local crm = zohocrm.new {
    api_key = subject.KEY, gateway_url = url, control_url = url, concurrency = option.concurrency,
    rate = option.rate ~= "default" and (option.rate or 0) or nil,
  }
  local n, sum, first = jobs[job](crm)
  return { records = n, sum = sum, start = start, first = first, ["end"] = clock() }
end

local ok, result = pcall(run)
if not ok and tostring(result):find("unknown option") then
  result = { missing = tostring(result):match("unknown option '%w+'") }
elseif not ok then
  error(result, 0)
end
print(cjson.encode(result))
