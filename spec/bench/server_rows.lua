--- Inside nginx: answers the queries of a scan out of the recorded rows. The conditions on ids are evaluated as they
--- come; the page is one piece of the recorded text, so that the server is not what is measured.

local cjson = require "cjson"
local subject = require "spec.bench.subject"

local M = {}

local text
local ids, ends = {}, {} -- of each row, ascending; ids have the same length, so that they compare as strings

--- Called in nginx's master.
---@param answers string folder of the recorded answers
function M.load(answers)
  local file = assert(io.open(answers .. "/rows.txt", "rb"))
  text = file:read("*a")
  file:close()
  for line in io.lines(answers .. "/rows.index") do
    local id, last = line:match("^(%d+) (%d+)$")
    ids[#ids + 1], ends[#ends + 1] = id, tonumber(last)
  end
end

-- The number of rows whose id is not above this one.
local function rank(id)
  local low, high = 0, #ids
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if ids[middle] <= id then
      low = middle
    else
      high = middle - 1
    end
  end
  return low
end

-- The first and the last row that a condition selects; nil where it is none of those that a scan asks.
local function range(condition)
  if condition == "id is not null" then
    return 1, #ids
  end
  local after, to = condition:match("^%(id > '(%d+)' and id <= '(%d+)'%)$")
  after = after or condition:match("^id > '(%d+)'$")
  to = to or condition:match("^id <= '(%d+)'$")
  if not (after or to) then
    return nil
  end
  return after and rank(after) + 1 or 1, to and rank(to) or #ids
end

local columns = table.concat(subject.FIELDS, ", ")

--- The body of the answer to a query.
---@param body string of the request
---@return string|nil
---@return string|nil why there is none: a contender must ask rightly to be compared
function M.answer(body)
  local fine, request = pcall(cjson.decode, body)
  local query = fine and type(request) == "table" and request.select_query or ""
  local names, condition, order, limit = query:match("^select (.-) from Leads where (.-) order by id (%a+) limit (%d+)$")
  if names ~= columns then
    return nil, "another query than a scan's, or other columns than those recorded"
  end
  local first, last = range(condition)
  limit = tonumber(limit)
  if not first or limit > subject.PER_QUERY or (order ~= "asc" and not (order == "desc" and limit == 1)) then
    return nil, "another query than a scan's"
  end
  local more = last - first + 1 > limit
  if order == "desc" then
    first = math.max(first, last)
  end
  last = math.min(last, first + limit - 1)
  local data = first <= last and text:sub((ends[first - 1] or -1) + 2, ends[last]) or ""
  return ('{"data":[%s],"info":{"count":%d,"more_records":%s}}'):format(data, math.max(last - first + 1, 0), tostring(more))
end

return M
