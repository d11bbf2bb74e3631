--- The decoder against others that do the same: lua-cjson for documents, the interpreter's tonumber for numbers.
--- ZOHOCRM_SEED=n repeats the run whose failure names n.
local core = require("zohocrm.core")
local oracle = require("spec.support.decode_oracle")
local random_json = require("spec.support.random_json")

local seed = random_json.seed
local rounds = random_json.rounds

local function shown(text, round)
  return ("ZOHOCRM_SEED=%d, round %d: %q"):format(seed, round, text)
end

describe("the decoder and lua-cjson", function()
  before_each(function()
    math.randomseed(seed)
  end)

  it("make the same of random documents", function()
    for round = 1, rounds(6000) do
      local text = random_json.document()
      local expected = oracle.settled(oracle.decode(text))
      local value, why = core.decode(text)
      if why or not oracle.equal(expected, value) then error(shown(text, round) .. " " .. tostring(why)) end
    end
  end)

  it("make the same of random records, keys cached or not", function()
    for round = 1, rounds(60) do
      local records = {}
      for i = 1, 40 do records[i] = random_json.value(4) end
      local text = '{"data":[' .. table.concat(records, ",") .. '],"info":{"count":40}}'
      local value, why = core.decode(text)
      if why or not oracle.equal(oracle.settled(oracle.decode(text)), value) then error(shown(text, round) .. " " .. tostring(why)) end
    end
  end)

  it("take and refuse the same damaged documents, but for listed differences", function()
    local agreed, refused = 0, 0
    for round = 1, rounds(12000) do
      local text = random_json.damaged(random_json.document())
      local fine, both = pcall(oracle.compare, text)
      if not fine then error(shown(text, round) .. " " .. both) end
      agreed = agreed + (both and 1 or 0)
      refused = refused + (core.decode(text) == nil and 1 or 0)
    end
    assert.is_true(agreed > rounds(300) and refused > rounds(3000), "damage that hits now and then")
  end)

  it("differ where the list says so", function()
    for i, text in ipairs { '"\1"', "[1]\0", "[1.]", "[-.5]", '"\255"', ("["):rep(129) .. ("]"):rep(129) } do
      assert.is_true((pcall(oracle.decode, text)), oracle.LENIENT[i][1])
      local value, why = core.decode(text)
      assert.is_nil(value, oracle.LENIENT[i][1])
      assert.is_truthy(oracle.LENIENT[i][2](text, why), oracle.LENIENT[i][1])
    end
    assert.is_false((pcall(oracle.decode, "\239\187\191[]")))
    assert.is_table((core.decode("\239\187\191[]")))
  end)

  it("agree again on what was decoded, encoded and decoded", function()
    for round = 1, rounds(2000) do
      local value = core.decode(random_json.document())
      if type(value) == "table" and value[1] ~= nil and #value > 0 then value = { value = value[1] } end
      local text = core.encode(value)
      if text then -- holes and infinities cannot go out
        if not oracle.equal(value, core.decode(text)) then error(shown(text, round)) end
        if not oracle.equal(oracle.settled(oracle.decode(text)), core.decode(text)) then error(shown(text, round)) end
      end
    end
  end)
end)

-- Decimal digits, least first.
local function times(number, factor)
  local carry = 0
  for i = 1, #number do
    carry = carry + number[i] * factor
    number[i] = carry % 10
    carry = math.floor(carry / 10)
  end
  while carry > 0 do
    number[#number + 1] = carry % 10
    carry = math.floor(carry / 10)
  end
end

-- The digits of a whole double.
local function digits_of(mantissa)
  local number = {}
  for digit in ("%.0f"):format(mantissa):reverse():gmatch("%d") do number[#number + 1] = tonumber(digit) end
  return number
end

-- The text of number * 2^exponent, exactly; its digits, and the power of ten by which they are scaled.
local function exact_text(number, exponent)
  local base, left = exponent > 0 and 2 or 5, math.abs(exponent)
  while left > 0 do
    local step = math.min(left, 10)
    times(number, math.floor(base ^ step))
    left = left - step
  end
  local digits, power = table.concat(number):reverse(), math.min(exponent, 0)
  return digits .. "e" .. power, digits, power
end

-- Twice a whole double and one, which doubles cannot hold: between two of them.
local function above(mantissa)
  local number = digits_of(mantissa)
  times(number, 2)
  number[1] = number[1] + 1 -- it was even: no carry
  return number
end

describe("a decoded number and the interpreter's", function()
  before_each(function()
    math.randomseed(seed)
  end)

  local function check(text, round)
    local value = core.decode(text)
    if value ~= tonumber(text) + 0.0 and value ~= tonumber(text) then
      error(("%s: %s instead of %s"):format(shown(text, round or 0), tostring(value), tostring(tonumber(text))))
    end
  end

  it("are the same for random texts", function()
    for round = 1, rounds(20000) do check(random_json.number(), round) end
  end)

  it("are the same for random doubles, printed with 15 to 17 digits", function()
    for round = 1, rounds(5000) do
      check(("%.*e"):gsub("%*", math.random(14, 16)):format((math.random() + 0.5) * 2 ^ math.random(-1074, 1022)), round)
    end
  end)

  it("are the same in the middle between two doubles, and right beside it", function()
    local mantissas = { 2 ^ 52, 2 ^ 52 + 1, 2 ^ 53 - 1, 2 ^ 53 - 2, 6004799503160661 }
    for _ = 1, 10 do mantissas[#mantissas + 1] = 2 ^ 52 + math.floor(math.random() * 2 ^ 52) end
    for _, mantissa in ipairs(mantissas) do
      for _, exponent in ipairs { 1, 2, 9, 10, 11, 60, 900, -1, -2, -10, -30, -52, -53, -60, -200, -1000 } do
        local text, digits, power = exact_text(above(mantissa), exponent)
        check(text)
        check(digits .. "0000000001e" .. power - 10)
        local last = tonumber(digits:sub(-1))
        if last > 0 then check(digits:sub(1, -2) .. last - 1 .. "9999999999e" .. power - 10) end
        check("-" .. digits:sub(1, 1) .. "." .. digits:sub(2) .. "E" .. power + #digits - 1)
      end
    end
  end)

  it("are the same for subnormals and where they end", function()
    for _, mantissa in ipairs { 1, 2, 3, 5, 2 ^ 51 + 1, 2 ^ 52 - 1, 2 ^ 52, 2 ^ 52 + 1, 2 ^ 53 - 1 } do
      for _, exponent in ipairs { -1073, -1074, -1075, -1076 } do
        local text, digits = exact_text(digits_of(mantissa), exponent)
        check(text)
        check(digits .. "1e" .. exponent - 1)
        check("0." .. ("0"):rep(-exponent - #digits) .. digits)
      end
    end
  end)

  it("are the same at the border of infinity", function()
    local largest, digits = exact_text(digits_of(2 ^ 53 - 1), 971)
    assert.equal(309, #digits)
    assert.equal(1.7976931348623157e308, core.decode(largest))
    local _, halfway = exact_text(above(2 ^ 53 - 1), 970)
    assert.equal(math.huge, core.decode(halfway))
    local below = halfway:sub(1, -2) .. halfway:sub(-1) - 1
    assert.equal(1.7976931348623157e308, core.decode(below))
    check("1.7976931348623158e308")
    check("1.7976931348623159e308")
    check("179769313486231580793e289")
    check("17976931348623157e292")
  end)
end)
