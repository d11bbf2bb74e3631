--- Walks in the worst of weather: whatever fails, and however often, going on by err.resume gives each record once, in
--- order, also while records are created on top of the list.
local core = require("zohocrm.core")
local random_json = require("spec.support.random_json")
local zohocrm = require("zohocrm")

local SEED = tonumber(os.getenv("SPEC_SEED") or "") or os.time()
local COUNTED = 2000 -- records that are reached by page; what follows needs a token

-- Answers that fail. They are given the body as it should be.
local troubles = {
  function() return { status = 500, body = '{"code":"INTERNAL_ERROR","message":"x","status":"error","details":{}}' } end,
  function() return { status = 404, body = "<html>" } end,
  function(body) return { status = 200, body = body:sub(1, math.random(1, #body - 1)) } end,
  function(body) return { status = 200, body = body .. "x" } end,
  function(body)
    local at = math.random(1, #body)
    return { status = 200, body = body:sub(1, at - 1) .. "\255" .. body:sub(at) }
  end,
  function(body) return { status = 200, body = (body:gsub('{"id"', 'null,{"id"', 1)) } end,
  function(body) return { status = 200, body = (body:gsub(',"info".*', "}")) } end,
  function(body) return { status = 200, body = (body:gsub(',"info"', ',"data":[{"id":"1"}],"info"')) } end,
}

-- A list of `count` records that grows on top. `faults`: how likely an answer fails; `growth`: how likely a record comes
-- before an answer; `most`: no more than so many come between two answers.
local function server(list)
  local self = { records = {}, newest = list.count, began = false }
  for i = 1, list.count do self.records[i] = 10 ^ 6 - i end

  local function grow()
    local came = 0
    while self.began and came < list.most and math.random() < list.growth do
      self.newest, came = self.newest + 1, came + 1
      table.insert(self.records, 1, 10 ^ 6 + self.newest)
    end
  end

  function self.handle(_, request)
    local query = {}
    for name, value in request.query:gmatch("([^&=]+)=([^&]*)") do query[name] = value end
    grow()
    local size = tonumber(query.per_page or 200)
    local from = query.page_token and tonumber(query.page_token:match("%d+")) or (tonumber(query.page or 1) - 1) * size
    local items = {}
    for i = from + 1, math.min(from + size, #self.records) do
      items[#items + 1] = ('{"id":"%d","n":%d}'):format(self.records[i], i)
    end
    local more = from + size < #self.records
    local token = more and ('"T%d"'):format(from + size) or "null"
    local body = ('{"data":[%s],"info":{"count":%d,"more_records":%s,"next_page_token":%s}}'):format(table.concat(items, ","),
      math.random() < 0.1 and math.random(-1, 300) or #items, tostring(more), token)
    if query.page_token and math.random() < list.faults then
      return { status = 400, body = '{"code":"EXPIRED_VALUE","message":"Page token expired","status":"error","details":{}}' }
    elseif math.random() < list.faults then
      return troubles[math.random(#troubles)](body)
    end
    return items[1] and { status = 200, body = body } or { status = 204, body = "" }
  end
  return self
end

local ways = {
  each = function(leads, o, take)
    for lead in leads:each(o) do take(lead.id) end
  end,
  pages = function(leads, o, take)
    for page in leads:pages(o) do
      for _, lead in ipairs(page) do take(lead.id) end
    end
  end,
}

-- Walks a list to its end, going on after each error. Gives the ids.
local function walk(list, way, o, say)
  local source = server(list)
  local crm = zohocrm.new { rate = 0, retries = 0, sandbox = { api_key = "sandbox", handle = source.handle } }
  local ids, tries = {}, 0
  repeat
    o.prefetch, tries = math.random(2) == 1 and math.random(0, 5) or nil, tries + 1
    local fine, err = pcall(ways[way], crm.Leads, o, function(id)
      ids[#ids + 1] = id
      source.began = true
    end)
    if not fine then
      assert(type(err) == "table", say(tostring(err)))
      assert(err.delivered == #ids, say(("%d, and not %d as %s"):format(#ids, err.delivered, tostring(err))))
      assert(err.resume or #ids == 0, say("no way to go on: " .. tostring(err)))
      o.resume = err.resume and core.decode((core.encode(err.resume)))
    end
    if tries > 100 then list.faults, list.growth = 0, 0 end
    assert(tries < 120, say("no end: " .. tostring(err)))
  until fine
  crm:close()
  return ids, tries
end

describe("going on after errors (SPEC_SEED=" .. SEED .. ")", function()
  it("gives each record once, in order", function()
    local broken = 0
    for round = 1, random_json.rounds(400) do
      math.randomseed(SEED * 1000 + round)
      local long = math.random(8) == 1
      local list = { count = long and math.random(COUNTED, COUNTED + 500) or math.random(0, 150), faults = math.random() * 0.5 }
      local o = { fields = "n", per_page = long and math.random(100, 200) or math.random(1, 30) }
      o.limit = math.random(3) == 1 and math.random(0, list.count + 10) or nil
      list.growth, list.most = math.random(2) == 1 and math.random() * 0.9 or 0, o.per_page * 3
      if list.growth > 0 and math.random(3) == 1 then
        -- in another order a list can be seen to grow by what the page before has
        o.sort_by, list.most, list.count, o.per_page = "Modified_Time", 1, math.random(0, 60), math.random(10, 30)
      end
      local way = math.random(2) == 1 and "each" or "pages"
      local function say(what)
        return ("round %d (%s, %d records, per_page %d, limit %s, %s, faults %.2f, growth %.2f): %s"):format(round, way, list.count,
          o.per_page, tostring(o.limit), o.sort_by or "by id", list.faults, list.growth, what)
      end
      local ids, tries = walk(list, way, o, say)
      broken = broken + tries - 1
      local wanted = math.min(o.limit or list.count, list.count)
      for i = 1, math.max(#ids, wanted) do
        assert(ids[i] == (i <= wanted and ("%d"):format(10 ^ 6 - i) or nil), say(("record %d is %s"):format(i, tostring(ids[i]))))
      end
    end
    assert.is_true(broken > 0)
  end)
end)
