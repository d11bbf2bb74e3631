--- Records that have the keys of the records before are made in one go. That must not show in what comes out, whichever
--- record deviates, and wherever.
local core = require("zohocrm.core")
local oracle = require("spec.support.decode_oracle")

local seed = tonumber(os.getenv("ZOHOCRM_SEED") or "") or os.time()
local random = (function()
  local state = seed % 2147483647 + 1
  return function(n)
    state = state * 16807 % 2147483647
    return state % n + 1
  end
end)()

local NAMES = {
  "id", "Last_Name", "Email", "Owner", "Amount", "$approval", "Tag", "Stage", "A", "Zip_Code", "Created_Time", "b1",
  ("Long"):rep(10), ("Longer"):rep(9), "Schön", "with blank", "with\\\"quote", "a.b", "end", "while", "v1", "]]", "",
}
local VALUES = {
  "true", "12", "-1.5e3", '"text"', '"\\u00e5"', "[]", "[null]", "{}", '{"name":"Ann","id":"1"}', '[{"a":1},{"a":2}]',
  '"' .. ("x"):rep(60) .. '"', "9007199254740993", "null",
}

local function pick(list)
  return list[random(#list)]
end

-- Of a name that stands twice the last value counts; but here a null takes away nothing, which lua-cjson sees otherwise.
-- So a document has either nulls or such names.
local function another(names, twice)
  local name
  repeat
    name = pick(NAMES)
    local taken = false
    for _, other in ipairs(names) do
      taken = taken or other == name
    end
  until twice or not taken
  return name
end

local function some_names(count, twice)
  local names = {}
  for i = 1, count do
    names[i] = another(names, twice)
  end
  return names
end

-- Now and then one that deviates: a name more, less, twice, or in another place.
local function deviate(names, twice)
  local copy = {}
  for i, name in ipairs(names) do
    copy[i] = name
  end
  local way = random(20)
  if way == 1 then
    table.insert(copy, random(#copy + 1), another(copy, twice))
  elseif way == 2 and copy[1] then
    table.remove(copy, random(#copy))
  elseif way == 3 and copy[1] then
    table.insert(copy, table.remove(copy, random(#copy)))
  end
  return copy
end

local function any_value(twice)
  return VALUES[random(twice and #VALUES - 1 or #VALUES)]
end

local function record(names, twice)
  local members, blank = {}, random(4) == 1 and " \n" or ""
  for i, name in ipairs(names) do
    members[i] = ('%s"%s"%s:%s%s%s'):format(blank, name, blank, blank, any_value(twice), blank)
  end
  return "{" .. table.concat(members, ",") .. (members[1] and "" or blank) .. "}"
end

local function page(kinds, twice)
  local records = {}
  for _ = 1, random(6) do
    local names = pick(kinds)
    for _ = 1, random(40) do
      records[#records + 1] = random(60) == 1 and any_value(twice) or record(deviate(names, twice), twice)
    end
  end
  return '{"data":[' .. table.concat(records, ",") .. '],"info":{"more_records":true}}'
end

local function check(text)
  local fine, problem = pcall(function()
    local both, decoded = oracle.compare(text)
    if both and not oracle.equal(oracle.settled(oracle.decode(text)), decoded) then
      error("it is decoded differently", 0)
    end
  end)
  if not fine then
    error(("%s (ZOHOCRM_SEED=%d)\n%s"):format(problem, seed, text:sub(1, 2000)), 0)
  end
end

describe("records with the same keys", function()
  it("come out as they are, among others that deviate", function()
    for round = 1, 60 do
      local kinds, twice = {}, round % 4 == 0
      for i = 1, random(12) do
        kinds[i] = some_names(random(18) - 1, twice)
      end
      for _ = 1, 5 do
        check(page(kinds, twice))
      end
    end
  end)

  it("are refused wherever they are cut off or spoilt", function()
    local function row(i)
      return ('{"id":"%d","Last_Name":"N%d","Email":null,"Owner":{"id":"%d"},"Amount":%d,"Stage":"S"}'):format(i, i, i, i)
    end
    local rows = {}
    for i = 1, 20 do
      rows[i] = row(i)
    end
    local text = '{"data":[' .. table.concat(rows, ",") .. "]}"
    check(text)
    local last = #text - #rows[20]
    for at = last - 2, #text do
      check(text:sub(1, at))
      for _, byte in ipairs { '"', "}", ",", ":", "x", "\0", "\255", " " } do
        check(text:sub(1, at - 1) .. byte .. text:sub(at + 1))
        check(text:sub(1, at - 1) .. byte .. text:sub(at))
      end
    end
  end)

  it("of more fields than the API has come out as they are", function()
    for _, fields in ipairs { 63, 64, 65, 200, 600 } do
      local names = {}
      for i = 1, fields do
        names[i] = ("Field_%d"):format(i)
      end
      local rows = {}
      for i = 1, 30 do
        rows[i] = record(names)
      end
      check('{"data":[' .. table.concat(rows, ",") .. "]}")
    end
  end)

  it("stay apart when a finalizer decodes others meanwhile", function()
    local function rows(names, count)
      local list = {}
      for i = 1, count do
        local members = {}
        for k, name in ipairs(names) do
          members[k] = ('"%s":"%s %d"'):format(name, name, i)
        end
        list[i] = "{" .. table.concat(members, ",") .. "}"
      end
      return '{"data":[' .. table.concat(list, ",") .. "]}"
    end
    local outer, kept, runs = { "id", "First", "Second", "Third", "Fourth" }, {}, 0
    local function finalizer(f)
      if newproxy then -- luacheck: ignore 113
        local proxy = newproxy(true) -- luacheck: ignore 113
        getmetatable(proxy).__gc = f
        return proxy
      end
      return setmetatable({}, { __gc = f })
    end
    local function disturb()
      runs = runs + 1
      local names = {}
      for k = 1, 5 do
        names[k] = ("n%d_%d"):format(runs, k)
      end
      core.decode(rows(names, 40))
    end
    for _ = 1, 200 do
      kept[#kept + 1] = finalizer(disturb)
    end
    kept = nil -- luacheck: ignore 311
    local text = rows(outer, 2000)
    for _ = 1, 5 do
      local value = core.decode(text)
      for i, made in ipairs(value.data) do
        for _, name in ipairs(outer) do
          assert.equal(("%s %d"):format(name, i), made[name])
        end
      end
    end
    collectgarbage()
    assert.is_true(runs > 0)
  end)

  it("print readably", function()
    local rows = {}
    for i = 1, 20 do
      rows[i] = ('{"id":"%d","Last_Name":"N","Email":"e","City":"Oslo"}'):format(i)
    end
    local value = core.decode('{"data":[' .. table.concat(rows, ",") .. "]}")
    for i = 1, 20 do
      assert.equal(core.record_mt, getmetatable(value.data[i]))
    end
  end)
end)
