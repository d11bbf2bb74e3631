--- Runs contenders: starts one at a piece of work, reads what it reports and what it cost, and checks that it did the
--- work.

local cjson = require "cjson"
local shell = require "zohocrm.sandbox.server.shell"
local subject = require "spec.bench.subject"

local M = {}

-- Seconds after which a contender is killed.
local PATIENCE = 240

---@class bench.Contest
---@field place table see `run.lua`
---@field server bench.Server
---@field sums table<string, number> what the ids of a piece of work add up to, as the first contender found
local Contest = {}
Contest.__index = Contest

---@param place table
---@param server bench.Server
---@return bench.Contest
function M.new(place, server)
  return setmetatable({ place = place, server = server, sums = {} }, Contest)
end

local function command_line(place, words, abi, errors)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = shell.quote(word) end
  local path = ("%s/?.lua;%s/lua/?.lua;%s/lua/?/init.lua;;"):format(place.root, place.root, place.root)
  local cpath = ("%s/%s/?.so;%s/%s/?.so;;"):format(place.modules, abi, place.build, abi)
  return ("cd %s && LUA_PATH=%s LUA_CPATH=%s %s/process_cost %d %s 2>%s"):format(shell.quote(place.root),
    shell.quote(path), shell.quote(cpath), shell.quote(place.build), PATIENCE, table.concat(quoted, " "),
    shell.quote(errors))
end

local function last_line(name)
  local file, last = io.open(name), nil
  if not file then return nil end
  for line in file:lines() do
    -- tracebacks of Lua and Node end with places and remarks
    if line:find("%S") and not line:find("^%s") and not line:find("^Node%.js") and not line:find("^}") then
      last = last or (not line:find("^stack traceback") and not line:find("^Traceback") and line or nil)
    end
  end
  file:close()
  return last
end

local started = 0

-- Starts a command; its result is read by `finish`.
local function start(place, words, abi)
  started = started + 1
  local errors = ("%s/stderr.%d"):format(place.build, started)
  return { pipe = assert(io.popen(command_line(place, words, abi, errors))), errors = errors }
end

-- Returns what the program printed as its last line of JSON (nil where there is none), its cost, and its complaint.
local function finish(run)
  local report, cost
  for line in run.pipe:lines() do
    local ok, value = pcall(cjson.decode, line)
    if ok and type(value) == "table" and value.peak_kib then
      cost = value
    elseif ok and type(value) == "table" then
      report = value
    end
  end
  run.pipe:close()
  local complaint = last_line(run.errors)
  os.remove(run.errors)
  return report, cost or { exit = 127, user = 0, system = 0, peak_kib = 0 }, complaint
end

-- The address that a contender is sent to, and all words of its command.
local function words_of(self, contender, cell, count)
  local words = {}
  for _, word in ipairs(contender.command) do words[#words + 1] = word end
  words[#words + 1] = cell.job
  words[#words + 1] = tostring(count or cell.records)
  words[#words + 1] = subject.address(self.server.url, cell.account, cell.latency, cell.logged)
  if contender.told then
    words[#words + 1] = subject.KEY
    words[#words + 1] = table.concat(subject.FIELDS, ",")
  end
  for _, word in ipairs(contender.tail or {}) do words[#words + 1] = word end
  for _, word in ipairs(contender.own and cell.options or {}) do words[#words + 1] = word end
  return words
end

local function complain(cost, complaint)
  return nil, ("exit status %d%s"):format(cost.exit, complaint and ": " .. complaint or "")
end

-- What a run measured, or nil and why it does not count, and whether that is because the client lacks an option.
local function judge(self, cell, report, cost, complaint, alone)
  if report and report.missing then return nil, report.missing, true end
  if cost.exit ~= 0 or not report then return complain(cost, complaint) end
  if report.records ~= cell.records then
    return nil, ("came back with %s of %d records"):format(tostring(report.records), cell.records)
  end
  if report.sum and (alone or cell.job == "walk") then
    self.sums[cell.id] = self.sums[cell.id] or report.sum
    if report.sum ~= self.sums[cell.id] then return nil, "came back with other records than the rest" end
  end
  return {
    wall = report["end"] - report.start, -- seconds, without starting the interpreter
    first = type(report.first) == "number" and report.first > 0 and report.first - report.start or nil,
    cpu = (cost.user + cost.system) / cell.records, -- seconds a record, of the whole process
    user = cost.user, system = cost.system,
    peak = cost.peak_kib / 1024, -- MiB
  }
end

--- Runs one contender at one piece of work.
---@return table|nil sample
---@return string|nil why there is none
---@return boolean|nil missing because this client has no such option yet
function Contest:measure(contender, cell)
  local run = start(self.place, words_of(self, contender, cell), contender.abi)
  local report, cost, complaint = finish(run)
  return judge(self, cell, report, cost, complaint, true)
end

--- Runs several contenders at one piece of work at the same time.
---@return table<string, table> samples by the contender's id
function Contest:measure_together(contenders, cell)
  local runs, samples = {}, {}
  for i, contender in ipairs(contenders) do
    runs[i] = start(self.place, words_of(self, contender, cell), contender.abi)
  end
  for i, contender in ipairs(contenders) do
    local report, cost, complaint = finish(runs[i])
    local sample, why = judge(self, cell, report, cost, complaint, false)
    samples[contender.id] = sample or { failed = why }
  end
  return samples
end

--- Runs a contender once at little work, so that what it needs is there and its files are in memory.
---@return boolean ok
---@return string|nil why not
function Contest:warm_up(contender, cell)
  local run = start(self.place, words_of(self, contender, {
    job = "create", account = cell.account, latency = cell.latency, logged = cell.logged,
  }, subject.PER_CREATE), contender.abi)
  local report, cost, complaint = finish(run)
  if cost.exit == 0 and report then return true end
  return false, select(2, complain(cost, complaint))
end

--- What the bare interpreter costs.
---@return table sample `cpu` in seconds, `peak` in MiB
function Contest:measure_empty(contender)
  local _, cost = finish(start(self.place, contender.empty, contender.abi))
  return { cpu = cost.user + cost.system, peak = cost.peak_kib / 1024 }
end

return M
