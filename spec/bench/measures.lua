--- What this client is to reach, each as a ratio or a count within one run.

local M = {}

-- The chain of an account of 100,000: the first page, the rest of the first ten together, then one token after the other.
local CHAIN = 492
local ROUND_TRIP = 0.1

local OWN = "zohocrm-"

-- A measure divides a figure of this client by one of another contender (or by the same VM's, where that is `own_vm`).
local function ratio(figure, cell, other, own_vm)
  return function(results, abi)
    local mine = results:get(cell, OWN .. abi, figure)
    local theirs = results:get(cell, own_vm and other .. "-" .. abi or other, figure)
    return mine and theirs and mine / theirs
  end
end

-- The same of this client at two pieces of work.
local function among_own(figure, cell, other_cell)
  return function(results, abi)
    local one = results:get(cell, OWN .. abi, figure)
    local other = results:get(other_cell, OWN .. abi, figure)
    return one and other and one / other
  end
end

local function round_trips(cell, per)
  return function(results, abi)
    local wall = results:get(cell, OWN .. abi, "wall")
    return wall and wall / ROUND_TRIP / (per or 1)
  end
end

--- `of(results, abi)` gives the value on an interpreter, or nil where it was not measured; `needs` is the piece of work
--- whose failure explains that.
M.list = {
  { name = "CPU a record / (libcurl in C + cjson.decode), 100,000", reach = 0.6, needs = "walk-100000-0",
    of = ratio("cpu", "walk-100000-0", "libcurl_cjson", true) },
  { name = "CPU a record / Python's urllib + json, 100,000", reach = 0.5, needs = "walk-100000-0",
    of = ratio("cpu", "walk-100000-0", "urllib") },
  { name = "the same where urllib asks for gzip, as this client does", needs = "walk-100000-0",
    of = ratio("cpu", "walk-100000-0", "urllib_gzip") },
  { name = "CPU a record / Zoho's SDK for Node, 100,000", reach = 1 / 35, needs = "walk-100000-0",
    of = ratio("cpu", "walk-100000-0", "zoho_sdk") },
  { name = "2,000 at 100 ms, round trips", reach = 4.2, needs = "walk-2000-100", of = round_trips("walk-2000-100") },
  { name = "2,000 at 100 ms, prefetch = 9, round trips", reach = 2.3, needs = "prefetch-2000-100",
    of = round_trips("prefetch-2000-100") },
  { name = "100,000 at 100 ms / 492 round trips", reach = 1.03, needs = "walk-100000-100",
    of = round_trips("walk-100000-100", CHAIN) },
  { name = "scan of 100,000 at 100 ms / listing them", reach = 1 / 8, needs = "scan-100000-100",
    of = among_own("wall", "scan-100000-100", "walk-100000-100") },
  { name = "the same with parallel = 5 / listing them", reach = 1 / 25, needs = "scan-100000-100-5",
    of = among_own("wall", "scan-100000-100-5", "walk-100000-100") },
  { name = "20,000 at 100 ms, caller busy 20 ms a page / 92 round trips", needs = "busy-20000-100",
    of = round_trips("busy-20000-100", 92) },
  { name = "create 10,000 at 100 ms, 10 at once, round trips", reach = 12, needs = "create-10000-100",
    of = round_trips("create-10000-100") },
  { name = "first record / libcurl's first page, at 100 ms", reach = 1.1, needs = "walk-2000-100",
    of = ratio("first", "walk-2000-100", "libcurl") },
  { name = "first record / libcurl's first page, at 0 ms", reach = 1.1, needs = "walk-2000-0",
    of = ratio("first", "walk-2000-0", "libcurl") },
  { name = "peak memory over the empty interpreter, 100,000, MiB", reach = 16, needs = "walk-100000-0",
    of = function(results, abi)
      local peak, empty = results:get("walk-100000-0", OWN .. abi, "peak"), results:get("empty", OWN .. abi, "peak")
      return peak and empty and peak - empty
    end },
  { name = "most requests in any second, rate as by default", reach = 10, whole = true, needs = "rate-6000-0",
    of = function(results, abi) return results:get("rate-6000-0", OWN .. abi, "crowd") end },
}

--- The largest number of arrivals within any second.
---@param arrivals number[] seconds, ascending
---@return integer
function M.crowd(arrivals)
  local most, first = 0, 1
  for last = 1, #arrivals do
    while arrivals[last] - arrivals[first] >= 1 do first = first + 1 end
    most = math.max(most, last - first + 1)
  end
  return most
end

return M
