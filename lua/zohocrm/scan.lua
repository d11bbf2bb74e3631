--- Scans: all records of a module, or those that a condition selects, in as few calls as the API allows. COQL gives
--- 2,000 records a call, ordered by id, and each call asks for those past the last id that came: so no record is seen
--- twice, and none is missed while others are created or deleted (reference 6.2, `id > last`).

local check = require "zohocrm.check"
local coql = require "zohocrm.coql_builder"
local errors = require "zohocrm.errors"
local expression = require "zohocrm.expression"
local id_range = require "zohocrm.id_range"
local options = require "zohocrm.options"
local pages = require "zohocrm.pages"
local parallel = require "zohocrm.parallel_scan"
local query = require "zohocrm.query"
local raise = require "zohocrm.raise"
local transport = require "zohocrm.transport"
local walk = require "zohocrm.walk"

local M = {}

-- What a scan adds to the caller's conditions: from which id, up to which.
local RANGE_CONDITIONS = 2

local rules = options.merge(options.call, {
  check = options.check_rule,
  fields = { kind = "fields", most = 500, query = false,
    required = 'the API names of the fields you want: fields = {"Last_Name", "Email"}' },
  where = { kind = "any", query = false },
  limit = { kind = "integer", least = 0, most = 2 ^ 53, query = false },
  parallel = { kind = "integer", least = 1, most = 10, query = false },
  resume = { kind = "table", query = false },
})

-- What an error's `resume` may hold.
local resume_rules = {
  delivered = { kind = "integer", least = 0, most = 2 ^ 53 },
  after = { kind = "id" },
  ranges = { kind = "array" },
  highest = { kind = "id" },
}
local range_rules = { after = { kind = "id" }, to = { kind = "id" } }

local function where_text(where)
  if where == nil then
    return nil
  elseif expression.is(where) then
    return expression.to_coql(where, "scan: where", RANGE_CONDITIONS)
  elseif type(where) == "string" and where:find("%S") then
    -- what is unpaired would get the ids out of the condition, and the scan into a loop
    local unpaired = not where:find("\\['\"]") and query.outline(where):match("[()'\"]")
    if unpaired then
      raise(("scan: where has a %s without its counterpart: %s"):format(unpaired, where))
    end
    return "(" .. where .. ")"
  end
  expression.refuse_half(where, "scan: where")
  raise(('scan: where takes a condition, such as c.City:equals "Oslo", or the text of one, not %s'):format(
    where == "" and "an empty string" or type(where) == "string" and "blanks" or "a " .. type(where)))
end

-- The names of the columns, the id among them, checked as those of a query.
local function columns(text)
  local names = { "id" }
  for name in text:gmatch("[^,]+") do
    if name ~= "id" then
      names[#names + 1] = name
    end
  end
  return names
end

-- Makes the texts of the calls: `range` has `after` (ids above) and `to` (ids up to), each or none.
local function composer(names, module, where)
  local head = tostring(coql.select(names):from(module)):match("^(.-) where ")
  return function(range, rows, descending)
    local conditions = {}
    if range.after then
      conditions[#conditions + 1] = ("id > '%s'"):format(range.after)
    end
    if range.to then
      conditions[#conditions + 1] = ("id <= '%s'"):format(range.to)
    end
    conditions[#conditions + 1] = where
    local all = conditions[1] or "id is not null"
    for i = 2, #conditions do -- COQL wants them nested two by two
      all = ("(%s and %s)"):format(all, conditions[i])
    end
    return ("%s where %s order by id %s limit %d"):format(head, all, descending and "desc" or "asc", rows)
  end
end

-- Past which id the next call begins; what the core's pager is to pages.
local After = {}
After.__index = After

function After:next()
  return self.more and "after" or nil, self.more and self.last or nil
end

function After.ahead()
  return nil
end

function After:feed(more, _, page)
  self.more, self.last = more, page[#page] and page[#page].id or self.last
end

-- Whether an id comes after another. Ids of the same length, as they nearly always are, compare as they stand.
local function is_past(id, last)
  if #id == #last then
    return last < id
  end
  return id_range.is_number(id) and id_range.is_number(last) and id_range.is_below(last, id)
end

-- Why the walk cannot go on behind a page; nil: it can. Whatever the server does, no record is given twice, and the
-- scan comes to an end.
local function wrong_order(page, asked)
  local last, to = asked.after, asked.to
  if not page[1] then
    return page.info.more_records and "the server says that there are more records, but gave none" or nil
  end
  for i = 1, #page do
    local id = page[i].id
    if type(id) ~= "string" or ((i == 1 or i == #page) and not id_range.is_number(id)) then
      return ("the id of a record is no whole number of at most 20 digits: %s"):format(tostring(id))
    elseif last and not is_past(id, last) then
      return ("record %s came after %s, out of the order of ids"):format(id, last)
    end
    last = id
  end
  return to and id_range.is_below(to, last)
    and ("record %s came, though none past %s was asked for"):format(last, to) or nil
end

local function read_ranges(list)
  local ranges = {}
  for i, range in ipairs(list) do
    ranges[i] = options.check(range, range_rules, ("scan: resume: ranges[%d]"):format(i))
    for _, name in ipairs { "after", "to" } do
      if ranges[i][name] and not id_range.is_number(ranges[i][name]) then
        raise(("scan: resume: ranges[%d].%s is no record id: '%s'"):format(i, name, ranges[i][name]))
      end
    end
  end
  return ranges
end

local function check_id(id, what)
  if id and not id_range.is_number(id) then
    raise(("%s is no record id: '%s'"):format(what, id))
  end
  return id
end

local function plan(client, module, o)
  local checked = options.check(o, rules, "scan")
  local names, action = columns(checked.fields), "scan " .. module
  local compose = composer(names, module, where_text(checked.where))
  local limit, count = tonumber(checked.limit or math.huge), tonumber(checked.parallel or 1)
  local resume = options.check(checked.resume or {}, resume_rules, "scan: resume")
  local delivered = tonumber(resume.delivered or 0)
  local where = checked.where
  for _, name in ipairs { "fields", "where", "limit", "parallel", "resume" } do
    checked[name] = nil
  end
  local left = math.max(limit - delivered, 0)
  return {
    check = function()
      if not options.wants_check(client, checked) then
        return true
      end
      return check.reading(client, module, action, checked, { fields = names, condition = where, language = "coql" })
    end,
    action = action, method = "POST", path = "/crm/v8/coql", poll = client.poll, client = client, limit = left,
    delivered = delivered,
    parallel = math.min(count, client.concurrency), after = check_id(resume.after, "scan: resume: after"),
    ranges = resume.ranges and read_ranges(resume.ranges), highest = check_id(resume.highest, "scan: resume: highest"),
    rows = math.max(math.min(left, query.ROWS), 1),
    ask = function(range, rows, descending)
      local text = compose(range, rows, descending)
      local pending = transport.start(client, query.description(text, checked, rules, action))
      pending.asked = { after = range.after, to = range.to }
      return pending
    end,
    read = function(pending)
      local page, err = pages.read(pending, names)
      local wrong = page and wrong_order(page, pending.asked)
      if wrong then
        return nil, errors.new(pending.context, { kind = "protocol", message = wrong })
      end
      return page, err
    end,
  }
end

-- One call after the other, each asked for the moment that the last id of the page before is known.
local function sequential(scan)
  return walk.each {
    kind = "plain", per_page = scan.rows, by_id = true, descending = false, chained = true, resumable = true,
    may_end = true, method = scan.method, client = scan.client, is_id = id_range.is_number,
    pager = setmetatable({ more = true, last = scan.after or "" }, After), after = scan.after,
    delivered = scan.delivered, limit = scan.limit, concurrency = scan.client.concurrency, action = scan.action,
    path = scan.path, poll = scan.poll, check = scan.check,
    begin = function(_, last)
      return scan.ask({ after = last ~= "" and last or nil }, scan.rows)
    end,
    read = scan.read,
  }
end

--- Adds the method to the class of modules.
---@param Module table
---@param client_of fun(self: table, method: string): table gives the private part
function M.install(Module, client_of)
  --- All records of the module, or those that `where` selects: `for lead in crm.Leads:scan{ fields = … } do`. Calls of
  --- 2,000 records, in the order of their ids; however many there are. Raises a zohocrm.Error when records cannot be
  --- had, with `err.resume` for going on. API: COQL.
  ---@param o table `fields` (required; API names, dotted ones through lookups; the id comes besides), `where` (a
  --- condition that `zohocrm.criteria` built, or the text of one), `limit` (records at the most), `parallel` (1 to 10:
  --- the ids are split into so many ranges that are read at once, within `concurrency` and `rate`; the records of
  --- different ranges then come in no order), `resume` (from an error), and what every call takes
  ---@return zohocrm.Walk
  function Module:scan(o)
    local scan = plan(client_of(self, "scan"), self.name, o)
    if scan.ranges or (scan.parallel > 1 and scan.limit > query.ROWS) then
      return parallel.each(scan)
    end
    return sequential(scan)
  end
end

return M
