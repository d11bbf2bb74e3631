--- What a user writes around an HTTP library and lua-cjson, once for all Lua contenders: page after page, by number
--- and then by token; chunk after chunk. `script.run(open)` is the whole program of a contender; `open(key)` gives
--- `{ get = function(url) -> body, post = function(url, body) -> body }`.

local clock = require "bench_clock"
local cjson = require "cjson"
local subject = require "spec.bench.subject"

local M = {}

local function escape(text)
  return (text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function walk(http, url)
  local n, sum, first, id = 0, 0, nil, nil
  local query, page = "page=1", 1
  url = url .. "/crm/v8/Leads?fields=" .. table.concat(subject.FIELDS, ",") .. "&"
  while query do
    local answer = cjson.decode(http.get(url .. query))
    for _, lead in ipairs(answer.data) do
      first = first or clock()
      n, sum, id = n + 1, sum + lead.Annual_Revenue, lead.id
    end
    page, query = page + 1, nil
    if answer.info.more_records then
      query = page <= subject.PAGE_REACH and "page=" .. page or "page_token=" .. escape(answer.info.next_page_token)
    end
  end
  return n, sum + subject.check(id), first
end

local function create(http, url, count)
  local n, sum = 0, 0
  for from = 1, count, subject.PER_CREATE do
    local data = {}
    for i = 1, subject.PER_CREATE do data[i] = subject.record(from + i - 1) end
    local answer = cjson.decode(http.post(url .. "/crm/v8/Leads", cjson.encode { data = data }))
    for _, item in ipairs(answer.data) do
      if item.code == "SUCCESS" then n, sum = n + 1, sum + subject.check(item.details.id) end
    end
  end
  return n, sum
end

--- Does the job on the command line (`walk` or `create`, how many records, the address) and prints a line of JSON.
---@param open fun(key: string): table
function M.run(open)
  local job, count, url = arg[1], tonumber(arg[2]), arg[3]
  local start = clock()
  local http = open(subject.KEY)
  local n, sum, first = (job == "walk" and walk or create)(http, url, count)
  print(cjson.encode { records = n, sum = sum, start = start, first = first, ["end"] = clock() })
end

return M
