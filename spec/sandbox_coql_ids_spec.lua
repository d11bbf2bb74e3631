-- The sandbox engine: COQL goes straight to a range of ids instead of walking the store. Random conditions on ids must
-- give what testing every record gives. ZOHOCRM_SEED repeats a run.

local coql = require("spec.support.coql")
local engine = require("spec.support.sandbox_engine")

local RUNS, DEPTH = 3000, 3
local seed = tonumber(os.getenv("ZOHOCRM_SEED")) or os.time()

local all -- records by id, ascending

local function chance(share)
  return math.random() < share
end

local foreign = { "5", "9999999999999999999", "72434850000005970000", "-7243485000000597000" }

-- An id that is there, one beside it, or one that nothing of the organisation can have.
local function some_id()
  if chance(0.2) then
    return foreign[math.random(#foreign)]
  end
  local id = all[math.random(#all)].id
  return chance(0.3) and id:sub(1, -2) .. math.random(0, 9) or id
end

local function compare(a, b)
  if b:sub(1, 1) == "-" then
    return 1
  elseif #a ~= #b then
    return #a < #b and -1 or 1
  end
  return a == b and 0 or a < b and -1 or 1
end

local comparisons = {
  { "=", function(c) return c == 0 end }, { "!=", function(c) return c ~= 0 end }, { ">", function(c) return c > 0 end },
  { ">=", function(c) return c >= 0 end }, { "<", function(c) return c < 0 end }, { "<=", function(c) return c <= 0 end },
}

-- Each gives the text of a condition and its test.
local kinds = {
  function()
    local comparison, id = comparisons[math.random(#comparisons)], some_id()
    return ("id %s '%s'"):format(comparison[1], id), function(record) return comparison[2](compare(record.id, id)) end
  end,
  function()
    local low, high, negated = some_id(), some_id(), chance(0.3)
    return ("id %sbetween '%s' and %s"):format(negated and "not " or "", low, high), function(record)
      return (compare(record.id, low) >= 0 and compare(record.id, high) <= 0) ~= negated
    end
  end,
  function()
    local a, b, negated = some_id(), some_id(), chance(0.3)
    return ("id %sin ('%s', %s)"):format(negated and "not " or "", a, b), function(record)
      return (record.id == a or record.id == b) ~= negated
    end
  end,
  function()
    return "Last_Name like '%a%'", function(record) return record.Last_Name:lower():find("a", 1, true) ~= nil end
  end,
}

local function condition(depth)
  if depth == 0 or chance(0.4) then
    return kinds[math.random(#kinds)]()
  end
  local left, left_holds = condition(depth - 1)
  local right, right_holds = condition(depth - 1)
  if chance(0.7) then
    return ("(%s and %s)"):format(left, right), function(record) return left_holds(record) and right_holds(record) end
  end
  return ("(%s or %s)"):format(left, right), function(record) return left_holds(record) or right_holds(record) end
end

local function expected(holds, descending)
  local ids = {}
  for i = 1, #all do
    local record = all[descending and #all + 1 - i or i]
    if holds(record) then
      ids[#ids + 1] = record.id
    end
  end
  return ids
end

describe("sandbox engine, COQL", function()
  it("gives by ranges of ids what testing every record gives", function()
    math.randomseed(seed)
    engine.start({ time = engine.NOW, records = { Leads = 60 } })
    for i = 0, 59 do -- gaps among the seeded ones, and created ones behind them
      if chance(0.2) then
        engine.crm("DELETE", ("Leads/7243485%012d"):format(597000 + 16 * i))
      end
    end
    for i = 1, 15 do
      engine.create("Leads", { Last_Name = "Lead " .. i })
    end
    all = coql.rows("select Last_Name from Leads where id is not null")
    for _ = 1, RUNS do
      local text, holds = condition(DEPTH)
      local descending, limit, offset = chance(0.5), math.random(80), math.random(0, 5)
      local query = ("select id from Leads where %s order by id %s limit %d offset %d")
        :format(text, descending and "desc" or "asc", limit, offset)
      local wanted = expected(holds, descending)
      local rows, info = coql.rows(query)
      local hint = ("ZOHOCRM_SEED=%d: %s"):format(seed, query)
      assert.equal(math.max(0, math.min(limit, #wanted - offset)), #rows, hint)
      for i, row in ipairs(rows) do
        assert.equal(wanted[offset + i], row.id, hint)
      end
      if info then
        assert.equal(#wanted > offset + limit, info.more_records, hint)
      end
    end
  end)
end)
