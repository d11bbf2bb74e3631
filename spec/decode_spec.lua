--- The decoder of answers against RFC 8259: what it must take, what it must refuse, and what the RFC leaves open.
local core = require("zohocrm.core")
local shell = require("zohocrm.sandbox.server.shell")

local has_integers = _VERSION ~= "Lua 5.1"
local kind_of = has_integers and math.type or type -- luacheck: ignore 143

-- Like assert.same, but 1 and 1.0 differ where Lua tells them apart, and a missing value is no nil by chance.
local function assert_decoded(expected, text)
  local value, why = core.decode(text)
  assert.is_nil(why, text)
  assert.same(expected, value, text)
  if type(expected) == "number" then
    assert.equal(kind_of(expected), kind_of(value), text)
  end
end

local function assert_refused(text, pattern)
  local value, why = core.decode(text)
  assert.is_nil(value, text)
  assert.matches(pattern or "^it is not JSON %(.+, byte %d+%)$", why, nil, nil, text)
end

local function nested(depth, inside)
  return ("["):rep(depth) .. (inside or "") .. ("]"):rep(depth)
end

local function depth_of(value)
  local depth = 0
  while value ~= nil do
    depth, value = depth + 1, value[1] or value.a
  end
  return depth
end

describe("the decoder takes", function()
  local accepted = {
    { "an empty object", "{}", {} },
    { "an empty array", "[]", {} },
    { "blanks of all four kinds, everywhere", " \t\r\n{ \t\"a\"\r:\n[ 1 ,\t2 ]\r, \"b\" : { } } \n", { a = { 1, 2 }, b = {} } },
    { "a string on its own", '"x"', "x" },
    { "an empty string", '""', "" },
    { "true on its own", "true", true },
    { "false on its own", "false", false },
    { "a number on its own", "-12", -12 },
    { "a number followed by a blank", "1 ", 1 },
    { "an empty name", '{"":1}', { [""] = 1 } },
    { "a name of one blank", '{" ":1}', { [" "] = 1 } },
    { "names that differ in their case", '{"a":1,"A":2}', { a = 1, A = 2 } },
    { "names that begin alike", '{"abcdefgh1":1,"abcdefgh2":2,"abcdefgh":3}', { abcdefgh1 = 1, abcdefgh2 = 2, abcdefgh = 3 } },
    { "a name with escapes", [[{"a\u0062\"\\\n":1}]], { ['ab"\\\n'] = 1 } },
    { "the same name, once escaped", [[{"o":{"ab":1},"p":{"\u0061b":2}}]], { o = { ab = 1 }, p = { ab = 2 } } },
    { "a name of 40 bytes", '{"' .. ("n"):rep(40) .. '":1}', { [("n"):rep(40)] = 1 } },
    { "a name of 41 bytes", '{"' .. ("n"):rep(41) .. '":1}', { [("n"):rep(41)] = 1 } },
    { "a name of 10,000 bytes", '{"' .. ("n"):rep(10000) .. '":1}', { [("n"):rep(10000)] = 1 } },
    { "a name beyond ASCII", '{"Größe":1}', { ["Größe"] = 1 } },
    { "a name that looks like a number", '{"1":"a","-0":"b"}', { ["1"] = "a", ["-0"] = "b" } },
    { "every short escape", [["\"\\\/\b\f\n\r\t"]], '"\\/\b\f\n\r\t' },
    { "an escaped NUL", [["a\u0000b"]], "a\0b" },
    { "hexadecimal digits in both cases", [["\u00e9\u00E9\uABCD\uabcd"]], "éé\234\175\141\234\175\141" },
    { "the borders of UTF-8's lengths", [["\u007f\u0080\u07ff\u0800\uffff"]], "\127\194\128\223\191\224\160\128\239\191\191" },
    { "a surrogate pair", [["\ud83d\ude00"]], "\240\159\152\128" },
    { "the first and the last surrogate pair", [["\uD800\uDC00\uDBFF\uDFFF"]], "\240\144\128\128\244\143\191\191" },
    { "two surrogate pairs on end", [["\ud83d\ude00\ud83d\ude01"]], "😀😁" },
    { "the neighbours of the surrogates", [["\ud7ff\ue000"]], "\237\159\191\238\128\128" },
    { "raw UTF-8 of every length", '"a\194\128\224\160\128\237\159\191\240\144\128\128\244\143\191\191"',
      "a\194\128\224\160\128\237\159\191\240\144\128\128\244\143\191\191" },
    { "a DEL and C1 controls as they are", '"\127\194\133"', "\127\194\133" },
    { "a backslash, escaped, before the end", [["\\"]], "\\" },
    { "escapes that are none", [["\\u0041"]], "\\u0041" },
    { "an array in an array", "[[],[[]]]", { {}, { {} } } },
    { "a bracket within a string", [==[["]","}",",",":"]]==], { "]", "}", ",", ":" } },
    { "nulls between values", "[null,1,null,2]", { nil, 1, nil, 2 } },
    { "nothing but nulls", "[null,null]", {} },
    { "objects within arrays within objects", '{"a":[{"b":[{"c":1}]}]}', { a = { { b = { { c = 1 } } } } } },
    { "false as a value", '{"a":false,"b":[false]}', { a = false, b = { false } } },
  }
  for _, case in ipairs(accepted) do
    it(case[1], function()
      assert_decoded(case[3], case[2])
    end)
  end

  it("a bare null, which is nothing", function()
    assert.same({ n = 1 }, { n = select("#", core.decode("null")), (core.decode("null")) })
  end)

  it("strings of every length around a word's and the cache's size", function()
    for n = 0, 100 do
      local text = ("abcdefghij"):rep(10):sub(1, n)
      assert_decoded({ text, text, text, { [text] = text } }, ('["%s","%s","%s",{"%s":"%s"}]'):format(text, text, text, text, text))
      assert_decoded(text .. "\n", '"' .. text .. '\\n"')
    end
  end)

  it("a string of 10 million bytes, also with escapes", function()
    local text = ("x"):rep(1e7)
    assert.is_true(text == core.decode('"' .. text .. '"'))
    assert.is_true(text .. "\n" .. text == core.decode('"' .. text .. "\\n" .. text .. '"'))
  end)

  it("100,000 elements, on their own and as a member", function()
    local numbers = {}
    for i = 1, 100000 do numbers[i] = i end
    local text = "[" .. table.concat(numbers, ",") .. "]"
    for _, value in ipairs { core.decode(text), core.decode('{"data":' .. text .. "}").data, core.decode("[" .. text .. "]")[1] } do
      local right = #value == 100000
      for i = 1, 100000 do right = right and value[i] == i end
      assert.is_true(right)
    end
  end)

  it("arrays of every length around the sizes in which they grow, with nulls at their ends", function()
    for n = 1, 140 do
      local numbers = {}
      for i = 1, n do numbers[i] = i end
      local inside = table.concat(numbers, ",")
      assert_decoded(numbers, "[" .. inside .. "]")
      assert_decoded(numbers, "[" .. inside .. ",null]")
      assert_decoded({ a = numbers }, '{"a":[' .. inside .. ",null]}")
      local after = core.decode("[null," .. inside .. "]")
      assert.equal(n, after[n + 1])
      assert.is_nil(after[1])
    end
  end)

  it("100,000 different names", function()
    local members = {}
    for i = 1, 100000 do members[i] = ('"name%d":%d'):format(i, i) end
    local value = core.decode("{" .. table.concat(members, ",") .. "}")
    local right = true
    for i = 1, 100000 do right = right and value["name" .. i] == i end
    assert.is_true(right)
  end)

  it("128 levels and no more, whatever they are made of", function()
    local function objects(depth) return ('{"a":'):rep(depth) .. "1" .. ("}"):rep(depth) end
    local function mixed(depth) return ('{"a":['):rep(depth / 2) .. ("]}"):rep(depth / 2) end
    assert.equal(128, depth_of(core.decode(nested(128))))
    assert.is_table(core.decode(objects(128)))
    assert.is_table(core.decode(mixed(128)))
    for _, text in ipairs { nested(129), objects(129), mixed(130), '{"a":[' .. nested(127) .. "]}", nested(1e6), ("["):rep(1e6) } do
      assert_refused(text, "^it is not JSON %(it is nested too deep, byte %d+%)$")
    end
  end)
end)

describe("the decoder refuses", function()
  local refused = {
    structure = {
      "", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[1,,2]", "[,]", "[1 2]", "[1}", "{]", '{"a":1]', '["a":1]', "[1]]",
      '{"a"}', '{"a":}', '{"a":1,}', '{,"a":1}', '{"a":1,,"b":2}', '{"a"::1}', '{"a" 1}', '{a:1}', "{'a':1}", "{1:1}", "{null:1}",
      '{"a":1 "b":2}', '{"a":1}}', '{"a":1}{"b":2}', "[1][2]", "1 2", '"a""b"', "[]x", "{}#", "null,", '{"a":[}', '{"a":[1}',
      '{"a":[1,}', '{"a":[1,]}', '{"a":[,]}', '{"a":[1 2]}', '{"a":[]', '{"a":[1]', '{"a":[1],}', '{"a":[1]"b":1}', '{[]:1}', "(1)",
    },
    literals = {
      "nul", "nulll", "Null", "NULL", "tru", "truee", "True", "fals", "falsee", "False", "undefined", "NaN", "nan", "Infinity",
      "-Infinity", "inf", "[nul]", "[truth]", "t", "f", "n", "nil", "*", "'a'", "`a`", "a", "[a]",
    },
    numbers = {
      "-", "+", "+1", "--1", "+-1", "- 1", "01", "-01", "00", "-00", "1.", "-1.", ".5", "-.5", ".", "1.e1", "1..2", "1.2.3", "1e", "1e+", "1E-",
      "1e1.5", "1e1e1", "1ee1", "e1", "0x10", "0X1", "0b1", "0o7", "1_000", "1,000", "1a", "0e", "0e+", "0.e1", "1f", "1L", "$1",
      "[-]", "[1.]", "[01]", "[1e]", "[- 1]", "\239\188\145",
    },
    strings = {
      '"', '"a', 'a"', [["\]], [["\"]], [["\x41"]], [["\a"]], [["\v"]], [["\0"]], [["\'"]], [["\U0041"]], [["\u"]], [["\u4"]], [["\u41"]],
      [["\u004"]], [["\u004g"]], [["\u 041"]], [["\u-041"]], [["\u00zz"]], '"\\u004', '"\\', '"\\u', '"\t"', '"\n"', '"\r"', '"\31"',
      '"a\nb"', '{"a\n":1}', '["\1"]', [[{"\x":1}]], [[{"a\]], '{"a', [["\é"]], [["\
"]],
    },
    surrogates = {
      [["\ud800"]], [["\ud800x"]], [["\ud800\n"]], [["\ud800\u0041"]], [["\ud800\ud800"]], [["\ud800\ue000"]], [["\udc00"]],
      [["\udc00\ud800"]], [["\ud83d\u"]], [["\ud83d\ude0"]], [["\ud83d\\ude00"]], [["\udfff"]], [["\uDBFF"]], [[{"\ud800":1}]],
    },
    blanks = { "\f1", "\v1", "\0", "1\0", "[1]\0", "\0[1]", "[\0]", '"\0"', '"a\0b"', "[1,\0 2]", "\194\160[1]", "[1]\194\160", "\226\128\168[1]" },
    marks = { "\239\187\191", "[1]\239\187\191", "[\239\187\191 1]", "\239\187\191\239\187\191[1]" },
    comments = { "/**/1", "1//", "[1/*,2*/]", "#1", "--1" },
  }
  for what, texts in pairs(refused) do
    it("wrong " .. what, function()
      for _, text in ipairs(texts) do
        assert_refused(text)
      end
    end)
  end

  it("what is not UTF-8, and says at which byte", function()
    for bytes, at in pairs {
      ["\128"] = 3, ["\191"] = 3, ["\192\175"] = 3, ["\193\191"] = 3, ["\194"] = 3, ["\194a"] = 3, ["\224\159\191"] = 3, ["\224\160"] = 3,
      ["\237\160\128"] = 3, ["\237\191\191"] = 3, ["\240\143\191\191"] = 3, ["\240\144\128"] = 3, ["\244\144\128\128"] = 3,
      ["\245\128\128\128"] = 3, ["\248\136\128\128\128"] = 3, ["\254"] = 3, ["\255"] = 3, ["abcdefghij\233"] = 13, ["é\233"] = 5,
    } do
      assert_refused('["' .. bytes .. '"]', "^it is not UTF%-8 %(byte " .. at .. "%)$")
      assert_refused('{"' .. bytes .. '":1}', "^it is not UTF%-8 %(byte " .. at .. "%)$")
    end
    assert_refused("\254\255\0[\0]", "^it is not UTF%-8 %(byte 1%)$")
  end)

  it("every beginning of a document that is not all of it", function()
    local text = [==[{"a":[1,-2.5e+3,"x\u00e5\ud83d\ude00é",true,false,null,{"b":{}},[]],"":"","c":{"d":[[0]],"é":"\\"}}]==]
    assert.is_table(core.decode(text))
    for n = 1, #text - 1 do
      assert.is_nil((core.decode(text:sub(1, n))), text:sub(1, n))
      assert.is_nil((core.decode("[" .. text:sub(1, n) .. "]")), text:sub(1, n))
    end
  end)

  it("and says where", function()
    for text, expected in pairs {
      ["[1,2,x]"] = "it is not JSON (no value, byte 6)",
      ['{"a":1,}'] = "it is not JSON (a name is missing, byte 8)",
      ['{"a" 1}'] = "it is not JSON (a colon is missing, byte 6)",
      ['["\\x"]'] = "it is not JSON (a wrong escape, byte 3)",
      ['["abc'] = "it is not JSON (a string without its end, byte 6)",
      ['{"data":[{"id":"1"},{"id":"2"'] = "it is not JSON (an object without its end, byte 30)",
      ['{"data":[1,2'] = "it is not JSON (an array without its end, byte 13)",
      ["1 x"] = "it is not JSON (something follows the value, byte 3)",
    } do
      assert.same({ n = 2, nil, expected }, { n = select("#", core.decode(text)), core.decode(text) })
    end
  end)
end)

-- What RFC 8259 leaves to implementations, decided.
describe("where the RFC leaves it open, the decoder", function()
  it("passes over a byte order mark (section 8.1)", function()
    assert_decoded({ 1 }, "\239\187\191[1]")
    assert_decoded({ 1 }, "\239\187\191 \n[1]")
  end)

  it("keeps the last value of a repeated name that is not null (section 4)", function()
    assert_decoded({ a = 2 }, '{"a":1,"a":2}')
    assert_decoded({ a = 2 }, [[{"a":1,"\u0061":2}]])
    assert_decoded({ a = 1 }, '{"a":1,"a":null}')
    assert_decoded({ { a = { 2 } } }, '[{"a":[1],"a":[2]}]')
  end)

  it("makes numbers beyond the doubles infinite and those below them zero (section 6)", function()
    for text, expected in pairs { ["1e999"] = math.huge, ["-1e999"] = -math.huge, ["1e400000000000000000000"] = math.huge, ["1.8e308"] = math.huge } do
      assert_decoded(expected, text)
    end
    for _, text in ipairs { "1e-400", "-1e-400", "1e-99999999999999999999", "0e999", "0.0e99999999999", "2e-324" } do
      assert_decoded(0, text)
    end
    assert_decoded(5e-324, "3e-324")
    assert_decoded(1.7976931348623157e308, "1.7976931348623157e308")
  end)

  it("takes noncharacters as the characters that they are", function()
    assert_decoded("\239\191\190\239\191\191\239\183\144", [["\ufffe\uffff\ufdd0"]])
    assert_decoded("\239\191\190", '"\239\191\190"')
  end)

  it("has minus zero where numbers are doubles", function()
    for _, text in ipairs { "-0", "-0.0", "-0e5", "-1e-400" } do
      assert.equal(has_integers and 0 or -math.huge, has_integers and core.decode(text) or 1 / core.decode(text))
    end
  end)

  it("marks arrays without a value as arrays, so that they go out as they came", function()
    for text, back in pairs { ["[]"] = "[]", ["[null]"] = "[]", ['{"a":[]}'] = '{"a":[]}', ['{"a":[null,null]}'] = '{"a":[]}', ["{}"] = "{}",
      ['{"a":{"b":[]}}'] = '{"a":{"b":[]}}', ['{"a":[[null]]}'] = '{"a":[[]]}' } do
      assert.equal(back, (core.encode(core.decode(text))))
    end
  end)
end)

describe("a decoded number", function()
  it("is an integer where it is one, up to the ends of 64 bits", function()
    local cases = {
      ["0"] = "0", ["7"] = "7", ["-1"] = "-1", ["9007199254740993"] = "9007199254740993", ["7243485000000597000"] = "7243485000000597000",
      ["9223372036854775807"] = "9223372036854775807", ["-9223372036854775807"] = "-9223372036854775807",
      ["-9223372036854775808"] = "-9223372036854775808", ["1e3"] = "1000", ["1.0"] = "1", ["1.5e1"] = "15", ["100e-2"] = "1",
      ["9007199254740991.0"] = "9007199254740991",
    }
    for text, expected in pairs(cases) do
      local value = core.decode(text)
      if has_integers then
        assert.equal("integer", kind_of(value), text)
        assert.equal(expected, tostring(value), text)
      else
        assert.equal(tonumber(text), value, text)
      end
    end
  end)

  it("is the nearest double beyond that", function()
    for _, text in ipairs { "9223372036854775808", "-9223372036854775809", "9999999999999999999", "10000000000000000000", "18446744073709551615",
      "18446744073709551616", "123456789012345678901234567890", "9007199254740992.0", "1e19", "0.1", "-0.30000000000000004",
      ("9"):rep(400), "0." .. ("0"):rep(300) .. "1", ("1"):rep(300) .. "." .. ("1"):rep(300) } do
      local value = core.decode(text)
      assert.equal(tonumber(text) + 0.0, value, text)
      assert.equal(has_integers and "float" or "number", kind_of(value), text)
    end
  end)

  it("counts zeros and exponents as long as may be", function()
    assert_decoded(1, "0." .. ("0"):rep(100043) .. "1e100044")
    assert_decoded(math.huge, "0." .. ("0"):rep(100000) .. "1e1000044")
    assert_decoded(1, "1" .. ("0"):rep(200000) .. "e-200000")
    assert_decoded(10, "1e" .. ("0"):rep(100000) .. "1")
    assert_decoded(0.5, "0.5" .. ("0"):rep(100000))
  end)

  it("has a point in any locale", function()
    local made, output = shell.capture("mkdir -p build/locale; test -d build/locale/de_DE.UTF-8"
      .. " || localedef -i de_DE -f UTF-8 build/locale/de_DE.UTF-8")
    assert.equal(0, made, "localedef (Debian: apt install locales) says: " .. output)
    local interpreter = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d+%.%d+")
    local program = [[
      assert(os.setlocale("de_DE.UTF-8"))
      local core = require("zohocrm.core")
      assert(rawget(_G, "jit") or ("%.1f"):format(0.5) == "0,5", "the locale has no comma")
      print(os.setlocale(nil, "numeric"), core.decode("0.5") == 1 / 2, core.decode("1.0000000000000000000005e-7") == 1 / 1e7,
        core.encode { 0.5, 1e-7 }, (core.decode("0,5")))]]
    -- not by shell.capture, which would take the sanitizer from it; glibc itself loses a few bytes of LOCPATH
    local pipe = assert(io.popen(("ASAN_OPTIONS=detect_leaks=0 LOCPATH=build/locale LUA_PATH=%s LUA_CPATH=%s %s -e %s 2>&1"):format(
      shell.quote(package.path), shell.quote(package.cpath), interpreter, shell.quote(program))))
    local said = pipe:read("*a")
    pipe:close()
    assert.equal("de_DE.UTF-8\ttrue\ttrue\t[0.5,1e-07]\tnil", (said:gsub("%s+$", "")))
  end)
end)
