--- COQL: `crm:query` for one page of rows, `crm:query_each` for all of them.
---
--- A query reads, though it is sent by POST: it is repeated when its answer is lost. Sources: reference 6; the rows of
--- one call and the reach of limit and offset: 6.2.

local coql = require "zohocrm.coql_builder"
local options = require "zohocrm.options"
local pages = require "zohocrm.pages"
local raise = require "zohocrm.raise"
local transport = require "zohocrm.transport"
local walk = require "zohocrm.walk"

local M = {}

--- Rows of one call, and the rows that limit and offset reach together.
M.ROWS, M.REACH = 2000, 100000

local walk_rules = options.merge(options.call, {
  limit = { kind = "integer", least = 0, most = 2 ^ 53, query = false },
  prefetch = { kind = "integer", least = 0, most = 100, query = false },
  resume = { kind = "table", query = false },
})

-- What an error's `resume` may hold.
local resume_rules = {
  delivered = { kind = "integer", least = 0, most = 2 ^ 53 },
  offset = { kind = "integer", least = 0, most = M.REACH },
  skip = { kind = "array" },
}

-- One call cannot give more rows than ROWS, nor rows past REACH; a walk takes care of both.
local function check_page(query)
  local parts = coql.parts(query)
  if parts.limit and parts.limit > M.ROWS then
    raise(("query: limit is %d, and a call gives at most %d rows; crm:query_each makes as many calls as are "
      .. "needed"):format(parts.limit, M.ROWS))
  elseif (parts.offset or 0) + (parts.limit or coql.ROWS_DEFAULT) > M.REACH then
    raise(("query: offset %d and limit %d go past the %d rows that COQL reaches; crm.Leads:scan goes on by id"):format(
      parts.offset, parts.limit or coql.ROWS_DEFAULT, M.REACH))
  end
end

local function text_of(query, call)
  if coql.is(query) then
    return coql.text(query, call)
  end
  if type(query) ~= "string" or not query:find("%S") then
    raise(("%s takes a query, a string or one that zohocrm.coql built, not %s"):format(call,
      query == nil and "nil" or query == "" and "an empty string" or type(query) == "string" and "blanks"
      or "a " .. type(query)))
  end
  return query
end

--- What the core needs to know of a query.
---@param text string
---@param checked table options from `options.check`
---@param rules table
---@param action string for errors: "query", "scan Leads"
---@return table description
function M.description(text, checked, rules, action)
  return options.apply(checked, rules, {
    action = action, method = "POST", path = { "crm", "v8", "coql" }, body = { select_query = text },
    repeatable = true, reads = true,
  })
end

--- One page of rows.
---@param client table the client's private part
---@param query zohocrm.Query|string
---@param o? table what every call takes
---@return table|nil page an array of rows with `.info` (`more_records`, `count`); a dotted column's value stands
--- under its full name, `row["Account_Name.Account_Name"]`
---@return zohocrm.Error|nil
function M.page(client, query, o)
  local text = text_of(query, "query")
  if coql.is(query) then
    check_page(query)
  end
  local checked = options.check(o, options.call, "query")
  local answer, err = transport.request(client, M.description(text, checked, options.call, "query"))
  if not answer then
    return nil, err
  end
  return pages.from_answer(answer)
end

-- Limit and offset ----------------------------------------------------------------------------------------------------

-- The ways to write them; which capture is what.
local forms = {
  { "^limit%s+(%d+)%s*$", "limit" },
  { "^limit%s+(%d+)%s*,%s*(%d+)%s*$", "offset", "limit" },
  { "^limit%s+(%d+)%s+offset%s+(%d+)%s*$", "limit", "offset" },
  { "^offset%s+(%d+)%s*$", "offset" },
  { "^offset%s+(%d+)%s+limit%s+(%d+)%s*$", "offset", "limit" },
}

local function blank(text)
  return (" "):rep(#text)
end

--- The text with what stands in quotes and in parentheses blanked out, so that only the words of its own clauses are
--- left, and what has no counterpart.
---@param text string
---@return string outline of the same length
function M.outline(text)
  local parts, position = {}, 1
  while true do
    -- whichever quote comes first: the other kind may stand inside
    local from, quote = text:match("()(['\"])", position)
    local to = from and text:find(quote, from + 1, true)
    if not to then
      break
    end
    parts[#parts + 1] = text:sub(position, from - 1) .. blank(text:sub(from, to))
    position = to + 1
  end
  parts[#parts + 1] = text:sub(position)
  return (table.concat(parts):gsub("%b()", blank))
end

--- Splits a query into its text without limit and offset, and these.
---@param text string
---@return string rest
---@return integer|nil limit
---@return integer offset
function M.split(text)
  local shape = M.outline(text):lower()
  local start
  for _, word in ipairs { "limit", "offset" } do
    local at = shape:match("%f[%w_.]()" .. word .. "%f[^%w_]%s")
    start = at and math.min(start or at, at) or start
  end
  if not start then
    return text, nil, 0
  end
  local found = {}
  for _, form in ipairs(forms) do
    local first, second = shape:sub(start):match(form[1])
    if first then
      found[form[2]] = tonumber(first)
      found[form[3] or 1] = tonumber(second)
      return text:sub(1, start - 1):match("^(.-)%s*$"), found.limit, found.offset or 0
    end
  end
  raise(("query_each cannot tell what '%s' limits; write limit n, limit n offset m, or leave it out and pass "
    .. "{ limit = n }"):format(text:sub(start)))
end

-- Which rows come next; what the core's pager is to pages.
local Offsets = {}
Offsets.__index = Offsets

function Offsets:next()
  if not self.more or self.offset >= self.stop then
    return nil
  elseif self.offset >= M.REACH then
    return nil, "reach"
  end
  return "offset", self.offset
end

function Offsets:ahead(requests)
  local offset = self.offset + requests * self.rows
  return self.started and self.more and not self.short and offset < math.min(M.REACH, self.stop) and offset or nil
end

-- A page may have fewer rows than were asked for, though more follow: then where others begin is known from the one
-- before them only.
function Offsets:feed(more, _, page)
  local asked = math.min(self.rows, self.stop - self.offset, M.REACH - self.offset)
  self.short = self.short or #page < asked
  self.started, self.more, self.offset = true, more, self.offset + (page[1] and #page or self.rows)
end

local function plan(client, query, o)
  local text, limit, offset = M.split(text_of(query, "query_each"))
  local checked = options.check(o, walk_rules, "query_each")
  limit = math.min(limit or math.huge, tonumber(checked.limit or math.huge))
  local resume = options.check(checked.resume or {}, resume_rules, "query_each: resume")
  local prefetch, delivered = tonumber(checked.prefetch), tonumber(resume.delivered or 0)
  checked.limit, checked.prefetch, checked.resume = nil, nil, nil
  local rows, left = math.max(math.min(limit, M.ROWS), 1), math.max(limit - delivered, 0)
  local from = tonumber(resume.offset or offset)
  local offsets = setmetatable({ offset = from, rows = rows, stop = from + left, more = true }, Offsets)
  return {
    kind = "plain", per_page = rows, counted_by = "offset", by_id = false, descending = false,
    pager = offsets, skip = resume.skip, delivered = delivered, limit = left, prefetch = prefetch,
    concurrency = client.concurrency, resumable = true, action = "query", path = "/crm/v8/coql", poll = client.poll,
    method = "POST",
    dropped = function(count)
      offsets.stop = offsets.stop + count
    end,
    begin = function(_, at)
      local wanted = math.min(rows, offsets.stop - at, M.REACH - at)
      return transport.start(client, M.description(("%s limit %d offset %d"):format(text, wanted, at), checked,
        walk_rules, "query"))
    end,
    read = function(pending)
      return pages.read(pending)
    end,
  }
end

--- All rows lazily. Raises a zohocrm.Error when a page cannot be had.
---@param client table the client's private part
---@param query zohocrm.Query|string its own limit and offset count
---@param o? table `limit`, `prefetch`, `resume`, and what every call takes
---@return zohocrm.Walk
function M.each(client, query, o)
  return walk.each(plan(client, query, o))
end

--- Adds the methods to the class of clients.
---@param Client table
---@param client_of fun(self: table, method: string): table gives the private part
function M.install(Client, client_of)
  --- One page of rows of a COQL query, at most 2,000 (the API's default is 200: say `limit`). API: COQL.
  ---@param query zohocrm.Query|string built by `zohocrm.coql`, or its text
  ---@param o? table what every call takes: `timeout`, `deadline`, `retries`, …
  ---@return table|nil page
  ---@return zohocrm.Error|nil
  function Client:query(query, o)
    return M.page(client_of(self, "query"), query, o)
  end

  --- All rows of a COQL query: `for row in crm:query_each(query) do`. Calls of 2,000 rows; more than 100,000 rows
  --- cannot be reached this way, `crm.Leads:scan` can. Pages are cut by number: without an `order by` the API orders by
  --- id; with one, let it end with id, or rows that are equal may come twice or not at all.
  ---@param query zohocrm.Query|string its own limit and offset count
  ---@param o? table `limit` (rows at the most), `prefetch`, `resume` (from an error), and what every call takes
  ---@return zohocrm.Walk
  function Client:query_each(query, o)
    return M.each(client_of(self, "query_each"), query, o)
  end
end

return M
