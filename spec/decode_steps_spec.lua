--- Decoding in pieces (call:decode), and the caches that all decoding of a Lua state shares: neither may show in what
--- comes out.
local answered_call = require("spec.support.answered")
local core = require("zohocrm.core")
local finalizer = require("spec.support.finalizer")
local random_json = require("spec.support.random_json")

local function answered(text, client)
  client = client or core.client { offline = true, rate = 0 }
  return answered_call(client, text), client
end

local function taken_by(text, records)
  local call = answered(text)
  local steps = 0
  repeat steps = steps + 1 until call:decode(records)
  local answer = call:take()
  return answer.body, answer.problem, steps
end

local function page(first, count, extra)
  local records = {}
  for i = 1, count do
    local id = first + i
    records[i] = ('{"id":"72434850000%08d","Last_Name":"Name \\u00e5 %d","Company":"Acme","Owner":{"name":"Ann","id":"1"},'
      .. '"Amount":%d.25,"Email":null,"Tag":[],"Parts":[{"n":%d},null,{"n":2}]%s}'):format(id, id, i, i, extra and extra(i) or "")
  end
  return '{"data":[' .. table.concat(records, ",") .. '],"info":{"per_page":200,"count":' .. count .. ',"more_records":true}}'
end

describe("a page decoded in pieces", function()
  local text = page(0, 200)
  local whole = core.decode(text)

  for records, steps in pairs { [1] = 200, [7] = 29, [199] = 2, [200] = 1, [1000] = 1 } do
    it("of " .. records .. " records is the page", function()
      local body, problem, counted = taken_by(text, records)
      assert.is_nil(problem)
      assert.same(whole, body)
      assert.equal(steps, counted)
    end)
  end

  it("is the page, taken at any point", function()
    for pieces = 0, 5 do
      local call = answered(text)
      for _ = 1, pieces do assert.is_false(call:decode(9)) end
      assert.same(whole, call:take().body)
    end
  end)

  it("says so when there is nothing left, as often as it is asked", function()
    local call = answered(text)
    assert.is_true(call:decode(1000))
    assert.is_true(call:decode(1))
    assert.same(whole, call:take().body)
    for _, other in ipairs { "[1,2,3]", "null", "7", '"x"', "{}", '{"data":[]}', '{"data":[1]}', "" } do
      call = answered(other)
      assert.is_true(call:decode(1))
      assert.same(other ~= "" and core.decode(other) or nil, call:take().body)
    end
  end)

  it("may be of several arrays, with blanks and nulls", function()
    local odd = ' {"a" : [ null , 1 , null , [ 2 ] ] , "b" : [null,null] ,"c":[ ], "d":{"e":[1,2]}, "a\\u0062":[{"f":[3]}] , "g":[4,null]} '
    local expected = { a = { nil, 1, nil, { 2 } }, b = {}, c = {}, d = { e = { 1, 2 } }, ab = { { f = { 3 } } }, g = { 4 } }
    assert.same(expected, core.decode(odd))
    for records = 1, 12 do
      assert.same(expected, (taken_by(odd, records)))
    end
  end)

  it("makes the same of random documents", function()
    math.randomseed(random_json.seed)
    for round = 1, random_json.rounds(1500) do
      local document = '{"a":[' .. random_json.value(4) .. "," .. random_json.value(4) .. '],"b":' .. random_json.value(3) .. "}"
      if round % 3 == 0 then document = random_json.damaged(document) end
      if document == "" then document = " " end -- an empty answer is no document
      local value, why = core.decode(document)
      local body, problem = taken_by(document, math.random(3))
      local what = ("ZOHOCRM_SEED=%d, round %d: %q"):format(random_json.seed, round, document)
      assert.equal(why, problem, what)
      if value == value then assert.same(value, body, what) end
    end
  end)

  it("that breaks off says what was wrong, and shows its beginning", function()
    local broken = text:sub(1, 30000)
    local call = answered(broken)
    for _ = 1, 5 do assert.is_false(call:decode(10)) end
    assert.is_true(call:decode(1000))
    assert.is_true(call:decode(1))
    local answer = call:take()
    assert.is_nil(answer.body)
    assert.equal(select(2, core.decode(broken)), answer.problem)
    assert.matches("^{\"data\":%[{\"id\".*%.%.%.$", answer.excerpt)
  end)

  it("can be abandoned half-way, with its client or without", function()
    local client
    for round = 1, 50 do
      local call
      call, client = answered(text, client)
      assert.is_false(call:decode(round))
      if round % 10 == 0 then client = nil end
      if round % 3 == 0 then call:cancel() end
      call = nil -- luacheck: ignore 311
      if round % 7 == 0 then collectgarbage() end
    end
    collectgarbage()
    collectgarbage()
  end)

  it("goes on when its client is closed", function()
    local call, client = answered(text)
    assert.is_false(call:decode(50))
    client:close()
    assert.is_false(call:decode(50))
    collectgarbage()
    assert.same(whole, call:take().body)
  end)

  it("goes on when it is cancelled: the answer is there", function()
    local call = answered(text)
    assert.is_false(call:decode(50))
    call:cancel()
    assert.same(whole, call:take().body)
  end)

  it("has nothing to decode before the answer, without one and when bytes are wanted", function()
    local client = core.client { offline = true, rate = 0 }
    local call = client:start { path = "/x" }
    assert.is_true(call:decode(1))
    call:cancel()
    assert.is_true(call:decode(1))
    assert.equal("cancelled", call:take().failure)
    call = client:start { path = "/x", raw = true }
    client:poll(0)
    call:answer(200, "", text)
    assert.is_true(call:decode(1))
    assert.equal(text, call:take().body)
  end)

  it("belongs to its caller alone once it is taken, though the call is still there", function()
    for _, piece in ipairs { 50, 1000 } do
      local call = answered(text)
      call:decode(piece)
      local watched = setmetatable({ call:take().body }, { __mode = "v" })
      collectgarbage()
      collectgarbage()
      assert.is_nil(watched[1])
      assert.matches("taken", tostring(call))
    end
  end)

  it("is never taken twice, not even by a finalizer while it is being taken", function()
    for _, by in ipairs { "take", "decode" } do
      local call, client = answered(page(0, 2000))
      local tries, fine = 0, 0
      for _ = 1, 300 do
        finalizer(function()
          tries = tries + 1
          if pcall(call.take, call) then fine = fine + 1 end
        end)
      end
      if by == "decode" then pcall(call.decode, call, 1000) end
      local took, answer = pcall(call.take, call)
      collectgarbage()
      collectgarbage()
      assert.equal(300, tries)
      -- whoever came first got it: one of the finalizers, between the two calls, or we
      assert.equal(took and 0 or 1, fine)
      assert.is_true(not took or #answer.body.data == 2000)
      client:close()
    end
  end)
end)

describe("the caches of the decoder", function()
  it("do not mix two pages that are decoded in turns", function()
    local texts = { page(0, 60), page(60, 60, function(i) return ',"id2":"' .. i .. '"' end) }
    local calls = { (answered(texts[1])), (answered(texts[2])) }
    local turn = 0
    local left = { true, true }
    while left[1] or left[2] do
      turn = turn + 1
      local i = turn % 2 + 1
      left[i] = not calls[i]:decode(3)
      core.decode('{"Last_Name":{"id":["Acme"]},"Company":"72434850000"}')
    end
    for i = 1, 2 do assert.same(core.decode(texts[i]), calls[i]:take().body) end
  end)

  it("follow records whose names change their order, come and go", function()
    local orders = { { "a", "b", "c" }, { "c", "b", "a" }, { "b", "a", "c" }, { "a", "c" }, { "c" }, {}, { "a", "bb", "b", "cc", "c" } }
    local records, expected = {}, {}
    for i = 1, 300 do
      local members, record = {}, {}
      for k, name in ipairs(orders[i * 5 % 7 + 1]) do
        members[k] = ('"%s":"%s%d"'):format(name, name, i % 10)
        record[name] = name .. i % 10
      end
      records[i], expected[i] = "{" .. table.concat(members, ",") .. "}", record
    end
    assert.same({ data = expected }, core.decode('{"data":[' .. table.concat(records, ",") .. "]}"))
  end)

  it("tell names and values apart that fall into the same place", function()
    -- 256 places for names, 1,024 for values: among so many each is shared. Their first and last 8 bytes, which place
    -- them, are often equal too.
    local forms = { "%d", "name%d", "beginning%dtheending", "%dx%d", ("y"):rep(30) .. "%d", "abcdefgh%03dabcdefgh", "abcdefgh%03dabcdefghijklmnopqrstuv" }
    for _ = 1, 2 do
      for _, form in ipairs(forms) do
        local members, expected = {}, {}
        for i = 1, 3000 do
          local text = form:format(i, i)
          members[i] = ('"%s":["%s","%s",{"%s":1}]'):format(text, text, text, text)
          expected[text] = { text, text, { [text] = 1 } }
        end
        local value = core.decode("{" .. table.concat(members, ",") .. "}")
        for name in pairs(expected) do
          local got = value[name]
          if not (got and got[1] == name and got[2] == name and got[3][name] == 1) then error(name .. " is wrong") end
        end
      end
    end
  end)

  it("tell texts apart of which one begins the other, also at the end of a document", function()
    for n = 1, 41 do
      local long = ("k"):rep(n)
      core.decode(('{"a":{"%s":1},"b":{"%s":"%s"},"c":"%s"}'):format(long, long, long, long))
      for m = 0, n + 1 do
        local short = ("k"):rep(m)
        assert.same({ a = { [short] = short } }, core.decode(('{"a":{"%s":"%s"}}'):format(short, short)))
        assert.is_nil((core.decode('{"a":{"' .. short)))
        assert.same("it is not JSON (a colon is missing, byte " .. m + 9 .. ")", select(2, core.decode('{"a":{"' .. short .. '"')))
      end
    end
  end)

  it("let nothing of a refused document through", function()
    for _ = 1, 3 do
      core.decode('{"poison":"poi\\u0073on","poison')
      core.decode('{"poison":"bad\\x"}')
      core.decode('{"poi\\u0073on":"a","b":"\1"}')
      assert.same({ poison = "poison", b = "poison" }, core.decode('{"poison":"poison","b":"poison"}'))
    end
  end)

  it("hold strings that survive the collector", function()
    for round = 1, 200 do
      local text = "value " .. round % 3
      assert.same({ key = text }, core.decode(('{"key":"%s"}'):format(text)))
      if round % 5 == 0 then collectgarbage() end
    end
  end)

  local function kilobytes(make)
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    local kept = make()
    collectgarbage()
    collectgarbage()
    return collectgarbage("count") - before, kept
  end

  it("do not make small objects large because a large one came before", function()
    local members = {}
    for i = 1, 60000 do members[i] = '"m' .. i .. '":1' end
    core.decode('{"data":[{' .. table.concat(members, ",") .. '}],"info":{' .. table.concat(members, ",") .. "}}")
    local small = '{"data":[' .. ('{"id":1},'):rep(5000) .. '{"id":2}],"info":{"count":1}}'
    local used = kilobytes(function() return core.decode(small) end)
    assert.is_true(used < 2500, "5,000 tables of one member take " .. used .. " KB")
  end)

  it("do not make small arrays large because much follows", function()
    local arrays = {}
    for i = 1, 5000 do arrays[i] = '"a' .. i .. '":[1]' end
    local text = "{" .. table.concat(arrays, ",") .. "}"
    local used = kilobytes(function() return core.decode(text) end)
    assert.is_true(used < 2500, "5,000 arrays of one element take " .. used .. " KB")
  end)
end)
