--- Dates in Retry-After and Date, as the core reads them: the three forms of RFC 9110 5.6.7, and nothing else.
local core = require("zohocrm.core")

-- What the core makes of a Retry-After when the epoch begins: the date in seconds; nil where it is none.
local function read(value)
  local client = core.client { offline = true, rate = 0, retries = 0, clock = core.clock { date = 0 } }
  local call = client:start { path = "/", raw = true }
  call:answer(429, "Retry-After: " .. value .. "\r\n", "")
  return call:take().retry_after
end

local FORMS = { "!%a, %d %b %Y %H:%M:%S GMT", "!%A, %d-%b-%y %H:%M:%S GMT", "!%a %b %e %H:%M:%S %Y" }

describe("an HTTP date", function()
  it("is read in each of its three forms", function()
    assert.equal(784111777, read("Sun, 06 Nov 1994 08:49:37 GMT")) -- the examples of the RFC
    assert.equal(784111777, read("Sunday, 06-Nov-94 08:49:37 GMT"))
    assert.equal(784111777, read("Sun Nov  6 08:49:37 1994"))
    assert.equal(785148577, read("Fri Nov 18 08:49:37 1994"))
  end)

  it("may be any day", function()
    local days = { 0, 59, 60, 365, 789, 790, 11015, 11016, 11017, 36523, 47540, 2932896 } -- about the ends of Februaries and years
    for i = 1, 1000 do
      days[#days + 1] = (i * 104729) % 47482 -- to the end of 2099
    end
    for i, day in ipairs(days) do
      local at = day * 86400 + (i * 7919) % 86400
      for _, form in ipairs(FORMS) do
        if not form:find("%%y") or (at >= 31536000 and at < 3187296000) then -- two digits: 1971 to 2070
          local text = os.date(form, at)
          assert(read(text) == at, ("%s is read as %s instead of %d"):format(text, tostring(read(text)), at))
        end
      end
    end
  end)

  it("may have a leap second, as clocks had some", function()
    assert.equal(1483228800, read("Sat, 31 Dec 2016 23:59:60 GMT"))
  end)

  it("of two digits for the year is one of 1971 to 2070", function()
    assert.equal(31536000, read("Friday, 01-Jan-71 00:00:00 GMT"))
    assert.equal(3187295999, read("Wednesday, 31-Dec-70 23:59:59 GMT"))
  end)

  for _, none in ipairs {
    "", "F", "Fri", "Fri, 06 Feb 2026", "S 6 Feb 2026", "Fri Feb  C44444446 01:4104:", "Tue 20260206",
    "Fri, 06 Feb 444444446 01:10:56 GMT", "Fri, 06 Feb 26 01:10:56 GMT", "Sat, 31 Feb 2026 01:10:56 GMT",
    "Sun, 29 Feb 2026 01:10:56 GMT", "Mon, 29 Feb 2100 01:10:56 GMT", "Fri, 00 Feb 2026 01:10:56 GMT",
    "Tue, 31 Apr 2026 01:10:56 GMT", "Fri, 06 Feb 2026 24:10:56 GMT", "Fri, 06 Feb 2026 01:60:56 GMT",
    "Fri, 06 Feb 2026 01:10:61 GMT", "Fri, 06 Feb 2026 01:10:56", "Fri, 06 Feb 2026 01:10:56 PST",
    "Fri, 06 Feb 2026 01:10:56 +0100", "Fri, 6 Feb 2026 01:10:56 GMT", "Fri, 06 Feb 2026 01:10:56 GMTx",
    "Fri, 06 Feb 2026 01:10:56 GMT, Fri, 06 Feb 2026 01:10:56 GMT", "Fry, 06 Feb 2026 01:10:56 GMT",
    "Fri, 06 Fab 2026 01:10:56 GMT", "Fri, 06 Feb 2026  1:10:56 GMT", "Wed, 31 Dec 1969 23:59:59 GMT",
    "Mon, 01 Jan 0001 00:00:00 GMT", "-1", "0x10", "1e3", "12 s",
  } do
    it("is none: '" .. none .. "'", function()
      assert.is_nil(read(none))
    end)
  end

  it("counts only where it is one: seconds are seconds, up to 30 years and more", function()
    assert.equal(0, read("0"))
    assert.equal(120, read("120"))
    assert.equal(1e9, read(("9"):rep(40)))
  end)
end)
