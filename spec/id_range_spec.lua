-- Arithmetic with ids against arithmetic on their digits, as one does it on paper.
local range = require("zohocrm.id_range")

local SEED = tonumber(os.getenv("SPEC_SEED") or "") or os.time()
local ROUNDS = 2000

-- Numbers whose digits are at a border of what a double, a signed 64 bit integer or the halves of an id hold.
local BORDERS = {
  "0", "1", "9", "10", "9999999999", "10000000000", "10000000001", "9007199254740991", "9007199254740992",
  "9007199254740993", "7243485000000597000", "9223372036854775807", "9223372036854775808", "18446744073709551615",
  "99999999999999999999",
}

-- ---- on paper: whole numbers as strings of digits, without leading zeros -------------------------------------------

local function trim(text) return (text:gsub("^0+(%d)", "%1")) end

local function compare(a, b)
  if #a ~= #b then return #a < #b and -1 or 1 end
  for i = 1, #a do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then return x < y and -1 or 1 end
  end
  return 0
end

local function add(a, b)
  local size, carry, digits = math.max(#a, #b), 0, {}
  a, b = ("0"):rep(size - #a) .. a, ("0"):rep(size - #b) .. b
  for i = size, 1, -1 do
    local sum = a:byte(i) + b:byte(i) - 96 + carry
    digits[i], carry = sum % 10, sum >= 10 and 1 or 0
  end
  return trim(carry .. table.concat(digits))
end

local function subtract(a, b) -- a is not below b
  local borrow, digits = 0, {}
  b = ("0"):rep(#a - #b) .. b
  for i = #a, 1, -1 do
    local rest = a:byte(i) - b:byte(i) - borrow
    digits[i], borrow = rest % 10, rest < 0 and 1 or 0
  end
  return trim(table.concat(digits))
end

local function times(a, small)
  local carry, digits = 0, {}
  for i = #a, 1, -1 do
    local product = (a:byte(i) - 48) * small + carry
    digits[i], carry = product % 10, math.floor(product / 10)
  end
  return trim(("%d"):format(carry) .. table.concat(digits))
end

local function over(a, small)
  local rest, digits = 0, {}
  for i = 1, #a do
    local part = rest * 10 + a:byte(i) - 48
    digits[i], rest = ("%d"):format(math.floor(part / small)), part % small
  end
  return trim(table.concat(digits))
end

local function random_id(random)
  if random(1, 4) == 1 then return BORDERS[random(1, #BORDERS)] end
  local digits = {}
  for i = 1, random(1, 20) do digits[i] = random(0, 9) end
  return trim(table.concat(digits))
end

describe("ids in arithmetic (SPEC_SEED=" .. SEED .. ")", function()
  setup(function() math.randomseed(SEED) end)

  local function pair()
    local a, b = random_id(math.random), random_id(math.random)
    if compare(a, b) > 0 then a, b = b, a end
    return a, b
  end

  it("the paper itself counts rightly", function()
    assert.equal("100", add("1", "99"))
    assert.equal("9900000000000000001", subtract("9900000000000000010", "9"))
    assert.equal("18000000000000000018", times("2000000000000000002", 9))
    assert.equal("666666666666666667", over("2000000000000000002", 3))
  end)

  it("is_below says which is less", function()
    for _ = 1, ROUNDS do
      local a, b = random_id(math.random), random_id(math.random)
      assert.equal(compare(a, b) < 0, range.is_below(a, b), ("%s < %s"):format(a, b))
    end
  end)

  it("distance is right to what a double holds", function()
    for _ = 1, ROUNDS do
      local a, b = pair()
      local exact = tonumber(subtract(b, a) .. ".0")
      assert.is_true(math.abs(range.distance(a, b) - exact) <= exact * 1e-15, ("%s to %s"):format(a, b))
    end
  end)

  it("between is exact to the last digit", function()
    for _ = 1, ROUNDS do
      local a, b = pair()
      local parts = math.random(1, math.random(1, 2) == 1 and 10 or 1000)
      local part = math.random(0, parts)
      local expected = add(a, over(times(subtract(b, a), part), parts))
      assert.equal(expected, range.between(a, b, part, parts), ("%s to %s, %d/%d"):format(a, b, part, parts))
    end
  end)

  it("cuts a range into parts that leave nothing out and do not overlap", function()
    for _ = 1, 200 do
      local a, b = pair()
      local parts = math.random(1, 10)
      assert.equal(a, range.between(a, b, 0, parts))
      assert.equal(b, range.between(a, b, parts, parts))
      for part = 1, parts do
        local from, to = range.between(a, b, part - 1, parts), range.between(a, b, part, parts)
        assert.is_true(compare(from, to) <= 0)
      end
    end
  end)

  it("knows what it cannot calculate with", function()
    for _, id in ipairs({ "", " 1", "1 ", "-1", "+1", "1.0", "1e3", "0x10", "12a", "1\n", "１", ("1"):rep(21) }) do
      assert.is_false(range.is_number(id), id)
    end
    for _, id in ipairs(BORDERS) do assert.is_true(range.is_number(id), id) end
    assert.is_false(range.is_number(nil))
    assert.is_false(range.is_number(7))
    assert.is_false(range.is_number({}))
  end)
end)
