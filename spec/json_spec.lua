--- What goes into a body and what comes out of an answer, whatever release of lua-cjson is installed.
local child = require("spec.support.child")
local core = require("zohocrm.core")
local zohocrm = require("zohocrm")

local has_integers = _VERSION ~= "Lua 5.1"

local function decode(text)
  return core.decode(text)
end

describe("a decoded answer", function()
  it("leaves nulls out, at every depth", function()
    local value = decode('{"a":null,"b":{"c":null,"d":1},"e":[{"f":null,"g":2}]}')
    assert.same({ b = { d = 1 }, e = { { g = 2 } } }, value)
  end)

  it("is nil for a bare null", function()
    assert.is_nil((decode("null")))
  end)

  it("keeps text, numbers, booleans and unicode as they were", function()
    local value = decode('{"t":"\\u00e5\\ud83d\\ude00\\n\\"","n":-1.25,"yes":true,"no":false,"e":""}')
    assert.same({ t = "å😀\n\"", n = -1.25, yes = true, no = false, e = "" }, value)
  end)

  if has_integers then
    for text, expected in pairs { ["200"] = 200, ["200.0"] = 200, ["-3"] = -3, ["9007199254740991"] = 9007199254740991 } do
      it("has the integer " .. expected .. " for " .. text, function()
        local value = decode('{"a":' .. text .. ',"b":[' .. text .. "]}")
        assert.equal("integer", math.type(value.a)) -- luacheck: ignore 143
        assert.equal(expected, value.a)
        assert.equal("integer", math.type(value.b[1])) -- luacheck: ignore 143
        assert.equal("integer", math.type(decode(text))) -- luacheck: ignore 143
      end)
    end

    it("prints ids in info and counts without a decimal point", function()
      assert.equal("200", tostring(decode('{"per_page":200}').per_page))
    end)
  end

  it("may begin with a byte order mark", function()
    assert.same({ a = 1 }, decode('\239\187\191{"a":1}'))
  end)

  local broken = {
    { "truncated", '{"data":[{"id":"1"', "not JSON" },
    { "empty of meaning", "   ", "not JSON" },
    { "a web page", "<html><body>502</body></html>", "not JSON" },
    { "followed by more", '{"a":1} trailing', "not JSON" },
    { "not UTF-8", '{"a":"\255\254"}', "not UTF%-8 %(byte 7%)" },
    { "an overlong form", '{"a":"\192\175"}', "not UTF%-8" },
    { "a surrogate in UTF-8", '{"a":"\237\160\128"}', "not UTF%-8" },
    { "beyond unicode", '{"a":"\244\144\128\128"}', "not UTF%-8" },
    { "cut inside a character", '{"a":"\195', "not UTF%-8" },
    { "nested too deep", ("["):rep(1000) .. ("]"):rep(1000), "nested" },
    { "a number that JSON has not", '{"a":NaN}', "not JSON" },
    { "infinite", '{"a":Infinity}', "not JSON" },
  }
  for _, case in ipairs(broken) do
    it("is refused when it is " .. case[1], function()
      local value, why = decode(case[2])
      assert.is_nil(value)
      assert.matches(case[3], why)
    end)
  end

  it("survives every nesting depth up to the limit", function()
    assert.is_table(decode(("["):rep(100) .. ("]"):rep(100)))
  end)
end)

describe("an encoded body", function()
  local cases = {
    { "text with quotes, backslashes and control characters", 'a"b\\c\n\1', [["a\"b\\c\n\u0001"]] },
    { "unicode as it is", "Åse 😀", '"Åse 😀"' },
    { "true", true, "true" },
    { "false", false, "false" },
    { "null", zohocrm.null, "null" },
    { "an empty array", zohocrm.array {}, "[]" },
    { "an array that is not empty", zohocrm.array { 1, 2 }, "[1,2]" },
    { "a list", { "a", { 1 } }, '["a",[1]]' },
    { "an empty table as an object", {}, "{}" },
    { "whole numbers without a point", 3.0, "3" },
    { "2^53 exactly", 2 ^ 53, "9007199254740992" },
    { "whole numbers down to -2^53", { 0, -7, 1000, -2 ^ 53 }, "[0,-7,1000,-9007199254740992]" },
    { "the sign of a zero", -1 / (1 / 0), "-0" },
    { "money to the cent", 1234567890123.45, "1234567890123.45" },
    { "a sum with its last digit", 0.1 + 0.2, "0.30000000000000004" },
    { "negative and small numbers", -1.5e-9, "-1.5e-09" },
    { "a record id that is a small number", { id = 42 }, '{"id":"42"}' },
    { "null inside an array", { 1, zohocrm.null, 3 }, "[1,null,3]" },
  }
  for _, case in ipairs(cases) do
    it("has " .. case[1], function()
      assert.equal(case[3], (core.encode(case[2], true)))
    end)
  end

  it("has every character, wherever it stands in a text", function()
    local cjson = require("cjson").new()
    for byte = 0, 127 do
      for before = 0, 17 do
        local text = ("x"):rep(before) .. string.char(byte) .. ("y"):rep(17 - before)
        local json = core.encode { text }
        assert.equal(text, cjson.decode(json)[1])
        local plain = byte >= 0x20 and byte ~= 0x7F and byte ~= 0x22 and byte ~= 0x5C
        assert.equal(plain, json == '["' .. text .. '"]', json)
      end
    end
    for before = 0, 17 do
      local text = ("x"):rep(before) .. "ÿ€" .. ("y"):rep(17 - before)
      assert.equal('["' .. text .. '"]', core.encode { text })
      assert.is_nil((core.encode { ("x"):rep(before) .. "\255" .. ("y"):rep(17 - before) }))
    end
  end)

  if has_integers then
    it("has 64-bit integers exactly", function()
      assert.equal("[7243485000000597000,-9223372036854775807]",
        (core.encode { math.tointeger("7243485000000597000"), -math.maxinteger })) -- luacheck: ignore 143
    end)

    it("has the least integer", function()
      assert.equal("[-9223372036854775808]", (core.encode { math.mininteger })) -- luacheck: ignore 143
    end)

    it("turns a 19-digit integer id into a string", function()
      assert.equal('{"id":"7243485000000597000"}', (core.encode({ id = math.tointeger("7243485000000597000") }, true))) -- luacheck: ignore 143
    end)
  end

  local wrong = {
    { "a function", { a = { print } }, "a%[1%] is a function" },
    { "a float that cannot hold an id", { id = 7243485000000597000.0 }, 'id is a number.*as a string, "7243485000000597000"' },
    { "nan", { a = 0 / 0 }, "a is not a number that JSON has" },
    { "infinity", { a = { b = 1 / 0 } }, "a%.b is not a number that JSON has" },
    { "text that is not UTF-8", { name = "\255" }, "name is not UTF%-8" },
    { "a key that is not UTF-8", { ["\255"] = 1 }, "is not UTF%-8" },
    { "names mixed with positions", { 1, a = 2 }, "mixes names with positions" },
    { "a name and positions", { a = 1, [1] = 2, [2] = 3 }, "mixes names with positions" },
    { "names in an array that was marked", zohocrm.array { a = 1 }, "mixes names with positions" },
    { "a name and a boolean", { a = { b = 1, [true] = 1 } }, "a has a key that is neither a name nor a position" },
    { "a name and a fraction", { a = 1, [1.5] = 1 }, "neither a name nor a position" },
    { "a name, a fraction and a position", { a = 1, [1.5] = 1, [3] = 1 }, "mixes names with positions" },
    { "holes", { a = { [1] = 1, [3] = 3 } }, "a has holes" },
    { "a key that is a boolean", { [true] = 1 }, "neither a name nor a position" },
  }
  for _, case in ipairs(wrong) do
    it("is refused for " .. case[1], function()
      local json, why = core.encode(case[2], true)
      assert.is_nil(json)
      assert.matches(case[3], why)
    end)
  end

  it("has 64 levels at most", function()
    local value = {}
    for _ = 2, 64 do
      value = { value }
    end
    assert.equal(("["):rep(63) .. "{}" .. ("]"):rep(63), core.encode(value))
    assert.matches("nested too deep", select(2, core.encode { value }))
  end)

  it("is refused for a table that contains itself", function()
    local loop = {}
    loop.again = { loop }
    local json, why = core.encode(loop)
    assert.is_nil(json)
    assert.matches("nested too deep", why)
  end)

  it("is its own, also where a finalizer encodes meanwhile", function()
    -- in an interpreter of its own, whose heap is small, so that the collector comes round often
    local status, output = child.run [[
      local core, finalizer = require("zohocrm.core"), require("spec.support.finalizer")
      local inner, over = 0, false
      local function finish()
        if over then return end -- at the end of the program lua-cjson is not there any more
        inner = inner + 1
        core.encode { ("\n"):rep(50) }
      end
      local value, text = {}, {}
      for i = 1, 40 do value[i], text[i] = "line\n" .. i, '"line\\n' .. i .. '"' end
      local expected = "[" .. table.concat(text, ",") .. "]"
      for _ = 1, 2000 do
        for _ = 1, 20 do finalizer(finish) end
        assert(core.encode(value) == expected)
      end
      over = true
      print(inner > 1000 and "in between" or inner)
    ]]
    assert.equal(0, status, output)
    assert.matches("in between", output)
  end)

  it("leaves nothing behind where it was refused", function()
    for _ = 1, 3 do
      assert.is_nil((core.encode { ("x"):rep(1e5), print }))
      assert.equal("[1]", (core.encode { 1 }))
    end
  end)

  it("has numbers with a point whatever the locale", function()
    local old = os.setlocale(nil, "numeric")
    for _, name in ipairs { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR" } do
      if os.setlocale(name, "numeric") then
        break
      end
    end
    local json = core.encode { 1.5 }
    os.setlocale(old, "numeric")
    assert.equal("[1.5]", json)
  end)

  it("comes back as what it was, for thousands of random values", function()
    local seed = os.time()
    math.randomseed(seed)
    local function random_value(depth)
      local kind = math.random(depth > 4 and 4 or 6)
      if kind == 1 then
        return (math.random() - 0.5) * 10 ^ math.random(-20, 20)
      elseif kind == 2 then
        return math.random(-2 ^ 31, 2 ^ 31 - 1)
      elseif kind == 3 then
        return math.random() < 0.5
      elseif kind == 4 then
        local bytes = {}
        for i = 1, math.random(0, 12) do
          bytes[i] = string.char(math.random(0, 127))
        end
        return table.concat(bytes) .. (math.random() < 0.3 and "ø€😀" or "")
      end
      local made = {}
      for i = 1, math.random(1, 4) do
        made[kind == 5 and i or "k" .. i] = random_value(depth + 1)
      end
      return made
    end
    for round = 1, 2000 do
      local value = { v = random_value(1) }
      local json = assert(core.encode(value))
      assert.same(value, core.decode(json), ("seed %d, round %d: %s"):format(seed, round, json))
    end
  end)
end)

describe("lua-cjson's own settings", function()
  it("stay as the host made them", function()
    local cjson = require("cjson")
    assert.is_true(cjson.decode("[NaN]")[1] ~= cjson.decode("[NaN]")[1])
    assert.equal(cjson.null, cjson.decode("[null]")[1])
    assert.equal(zohocrm.null, cjson.null)
  end)
end)
