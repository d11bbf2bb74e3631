--- A server in this process that answers the queries of a scan, and whatever else a spec makes of it: pages of any size,
--- records that come and go, and answers that no good server gives.
---
---     local server = id_server.new { ids = { "1", "5" }, page = 2 }
---     local crm = zohocrm.new { sandbox = server, rate = 0, retries = 0 }
---
--- `server.ids` is the records there are, ascending by id, and may be changed at any time; `server.queries` what was
--- asked; `server.before(n, query)` is called before the n-th query is answered and may give an answer of its own:
--- `{ status =, body = }`.
local cjson = require("cjson")

local M = {}

local function below(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

local function select_ids(self, query)
  local after, to = query:match("id > '(%d+)'"), query:match("id <= '(%d+)'")
  local found = {}
  for _, id in ipairs(self.ids) do
    if not (after and not below(after, id)) and not (to and below(to, id)) then found[#found + 1] = id end
  end
  if query:find("order by id desc", 1, true) then
    for i = 1, math.floor(#found / 2) do found[i], found[#found - i + 1] = found[#found - i + 1], found[i] end
  end
  return found
end

--- The body of a page.
---@param ids string[]
---@param more boolean
---@return string
function M.page(ids, more)
  local rows = {}
  for i, id in ipairs(ids) do rows[i] = ('{"id":%s}'):format(cjson.encode(id)) end
  return ('{"data":[%s],"info":{"count":%d,"more_records":%s}}'):format(table.concat(rows, ","), #ids, tostring(more))
end

local function answer(self, query)
  local found, rows = select_ids(self, query), math.min(self.page, tonumber(query:match("limit (%d+)$")))
  if not found[1] then return { status = 204, body = "" } end
  local page = {}
  for i = 1, math.min(rows, #found) do page[i] = found[i] end
  return { status = 200, body = M.page(page, #found > rows) }
end

local function handle(self, request)
  local query = cjson.decode(request.body).select_query
  self.queries[#self.queries + 1] = query
  local own = self.before and self.before(#self.queries, query)
  return own or answer(self, query)
end

--- Makes one.
---@param options { ids: string[], page: integer? } page: rows a call at the most, 2,000 unless given
---@return table server what `zohocrm.new{ sandbox = … }` takes
function M.new(options)
  return {
    api_key = "sandbox", ids = options.ids, page = options.page or 2000, queries = {}, handle = handle,
  }
end

return M
