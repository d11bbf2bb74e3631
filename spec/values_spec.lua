--- `zohocrm.date` and `zohocrm.datetime`: what they are made of, how they compare and print, and where they go. What hangs
--- on the machine's time zone is asked of interpreters that are born in one.
local environment = require("spec.support.environment")
local doors = require("spec.support.doors")
local raises = require("spec.support.raises")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

local c = zohocrm.criteria
local date, datetime = zohocrm.date, zohocrm.datetime

-- 2026-02-06T09:10:56Z
local NOW = 1770369056

local function refuses(cases)
  for _, case in ipairs(cases) do
    local message = raises(case[1], "^[^\n]*values_spec%.lua:%d+: ")
    assert.equal(case[2], message:match("values_spec%.lua:%d+: (.*)$"))
  end
end

-- What a program prints in a time zone, as one line of words.
local function in_zone(zone, program)
  return (environment.run("TZ=" .. zone, 'local zohocrm = require "zohocrm" local date, datetime = zohocrm.date, zohocrm.datetime ' .. program)
    :gsub("%s+", " "))
end

describe("zohocrm.date", function()
  it("is a day of the calendar", function()
    assert.equal("2026-02-06", tostring(date { year = 2026, month = 2, day = 6 }))
    assert.equal("2024-02-29", tostring(date { year = 2024, month = 2, day = 29 }))
    assert.equal("0001-01-01", tostring(date { year = 1, month = 1, day = 1 }))
    assert.equal("9999-12-31", tostring(date { year = 9999, month = 12, day = 31 }))
    assert.equal("2026-02-06", tostring(date { year = 2026, month = 2, day = 6, hour = 23, min = 59, sec = 59, isdst = true }))
    assert.equal("2026-02-06", tostring(date { year = 2026.0, month = 2.0, day = 6.0 }))
    assert.equal(os.date "%Y-%m-%d", tostring(date(os.time())))
    assert.equal(os.date("%Y-%m-%d", NOW), tostring(date(os.date("*t", NOW))))
    assert.equal("due 2026-02-06!", "due " .. date { year = 2026, month = 2, day = 6 } .. "!")
  end)

  it("is every day of 800 years, as os.date has them", function()
    local previous
    for day = -146097, 146097, 7 do
      local t = os.date("!*t", day * 86400)
      local made = date(t)
      local expected = ("%04d-%02d-%02d"):format(t.year, t.month, t.day)
      if tostring(made) ~= expected or previous and previous >= made then assert.equal(expected, tostring(made) .. " after " .. tostring(previous)) end
      previous = made
    end
  end)

  it("is the day where the machine stands", function()
    local program = "print(date(1770369056), date(1770336000 - 1), date(1770336000), date(-1), date(0.9), date(-0.5))"
    assert.equal("2026-02-06 2026-02-05 2026-02-06 1969-12-31 1970-01-01 1969-12-31", in_zone("UTC", program))
    assert.equal("2026-02-06 2026-02-06 2026-02-06 1970-01-01 1970-01-01 1970-01-01", in_zone("Asia/Tokyo", program))
    assert.equal("2026-02-05 2026-02-05 2026-02-05 1969-12-31 1969-12-31 1969-12-31", in_zone("Pacific/Honolulu", program))
    assert.equal("2026-02-07 2026-02-06 2026-02-06", in_zone("UTC-14:45", "print(date(1770369056 + 4200), date(1770369056), date(1770336000))"))
  end)

  it("is compared by the day", function()
    local a, b = date { year = 2026, month = 2, day = 6 }, date { year = 2026, month = 2, day = 7 }
    assert.is_true(a == date { year = 2026, month = 2, day = 6 } and a ~= b and a < b and a <= b and a <= a and b > a and b >= a)
    assert.is_false(b < a or a < a or a > a or b <= a or a > b or a >= b)
    assert.is_false(a == "2026-02-06")
    assert.is_false(a == datetime({ year = 2026, month = 2, day = 6 }, "Z"))
    assert.is_true(date { year = 9, month = 1, day = 1 } < date { year = 10, month = 1, day = 1 })
    local days = { b, a }
    table.sort(days)
    assert.equal("2026-02-06 2026-02-07", days[1] .. " " .. days[2])
    raises(function() return a < datetime(NOW) end, "values_spec%.lua:%d+: a date and a datetime cannot be compared; make both the same")
    assert.has_error(function() return a < 5 end)
    assert.has_error(function() return "2026-02-06" <= a end)
  end)

  it("does not change", function()
    local given = { year = 2026, month = 2, day = 6 }
    local made = date(given)
    given.day = 7
    assert.equal("2026-02-06", tostring(made))
    raises(function() made.day = 7 end, "values_spec%.lua:%d+: dates and times do not change; make a new one with zohocrm%.date%(…%)")
    assert.is_nil(made.day)
  end)

  it("says what it takes", function()
    refuses {
      { function() date() end, "zohocrm.date takes seconds since 1970 or a table (zohocrm.date(os.time()) or zohocrm.date{ year = 2026, month = 2, day = 6 }), "
        .. "not nil; ISO 8601 strings need no conversion" },
      { function() date "2026-02-06" end, "zohocrm.date takes seconds since 1970 or a table (zohocrm.date(os.time()) or zohocrm.date{ year = 2026, month = 2, "
        .. "day = 6 }), not a string; ISO 8601 strings need no conversion" },
      { function() date(date(0)) end, "zohocrm.date takes seconds since 1970 or a table (zohocrm.date(os.time()) or zohocrm.date{ year = 2026, month = 2, "
        .. "day = 6 }), not a date; ISO 8601 strings need no conversion" },
      { function() date {} end, "zohocrm.date: year must be a whole number from 1 to 9999, not nil" },
      { function() date { year = "2026", month = 2, day = 6 } end, "zohocrm.date: year must be a whole number from 1 to 9999, not the string '2026'" },
      { function() date { year = 0, month = 2, day = 6 } end, "zohocrm.date: year must be a whole number from 1 to 9999, not 0" },
      { function() date { year = 2026, month = 13, day = 6 } end, "zohocrm.date: month must be a whole number from 1 to 12, not 13" },
      { function() date { year = 2026, month = 2.5, day = 6 } end, "zohocrm.date: month must be a whole number from 1 to 12, not 2.5" },
      { function() date { year = 2026, month = 2 } end, "zohocrm.date: day must be a whole number from 1 to 31, not nil" },
      { function() date { year = 2026, month = 2, day = 29 } end, "zohocrm.date: there is no 2026-02-29 in the calendar" },
      { function() date { year = 1900, month = 2, day = 29 } end, "zohocrm.date: there is no 1900-02-29 in the calendar" },
      { function() date { year = 2026, month = 4, day = 31 } end, "zohocrm.date: there is no 2026-04-31 in the calendar" },
      { function() date(1 / 0) end, "zohocrm.date: inf is no time between the years 1 and 9999 (seconds since 1970, as os.time gives)" },
      { function() date(1e15) end, "zohocrm.date: 1e+15 is no time between the years 1 and 9999 (seconds since 1970, as os.time gives)" },
    }
    raises(function() date(0 / 0) end, "zohocrm%.date: %-?nan is no time between the years 1 and 9999")
  end)
end)

describe("zohocrm.datetime", function()
  it("is an instant, written at an offset", function()
    for offset, text in pairs {
      Z = "2026-02-06T09:10:56+00:00", ["+00:00"] = "2026-02-06T09:10:56+00:00", ["-08:00"] = "2026-02-06T01:10:56-08:00",
      ["+0530"] = "2026-02-06T14:40:56+05:30", ["+02"] = "2026-02-06T11:10:56+02:00", ["+14:00"] = "2026-02-06T23:10:56+14:00",
      ["-12:00"] = "2026-02-05T21:10:56-12:00", ["-00:30"] = "2026-02-06T08:40:56-00:30", [7200] = "2026-02-06T11:10:56+02:00",
      [-1800] = "2026-02-06T08:40:56-00:30", [0] = "2026-02-06T09:10:56+00:00",
    } do
      assert.equal(text, tostring(datetime(NOW, offset)))
      assert.equal(text, tostring(datetime(NOW + 0.999, offset)))
    end
    assert.equal("1969-12-31T23:59:59+00:00", tostring(datetime(-1, "Z")))
    assert.equal("1969-12-31T23:59:59+00:00", tostring(datetime(-0.5, "Z")))
    assert.equal("at 1970-01-01T00:00:00+00:00", "at " .. datetime(0, "Z"))
  end)

  it("is what clocks show at the offset", function()
    local noon = { year = 2026, month = 2, day = 6, hour = 12 }
    assert.equal("2026-02-06T12:00:00+00:00", tostring(datetime(noon, "Z")))
    assert.equal("2026-02-06T12:00:00-08:00", tostring(datetime(noon, "-08:00")))
    assert.is_true(datetime(noon, "-08:00") > datetime(noon, "Z"))
    assert.equal("2026-02-06T00:00:00+05:45", tostring(datetime({ year = 2026, month = 2, day = 6 }, "+05:45")))
    assert.equal("2026-02-06T23:59:58+00:00", tostring(datetime({ year = 2026, month = 2, day = 6, hour = 23, min = 59, sec = 58 }, "Z")))
    assert.is_true(datetime(os.date("!*t", NOW), "Z") == datetime(NOW))
    assert.is_true(datetime(os.date("*t", NOW)) == datetime(NOW))
  end)

  it("has this machine's offset, daylight saving included", function()
    local program = "print(datetime(1770369056), datetime(1783069056), datetime{ year = 2026, month = 7, day = 1, hour = 9 })"
    assert.equal("2026-02-06T09:10:56+00:00 2026-07-03T08:57:36+00:00 2026-07-01T09:00:00+00:00", in_zone("UTC", program))
    assert.equal("2026-02-06T10:10:56+01:00 2026-07-03T10:57:36+02:00 2026-07-01T09:00:00+02:00", in_zone("Europe/Berlin", program))
    assert.equal("2026-02-06T01:10:56-08:00 2026-07-03T01:57:36-07:00 2026-07-01T09:00:00-07:00", in_zone("America/Los_Angeles", program))
    assert.equal("2026-02-06T14:55:56+05:45 2026-07-03T14:42:36+05:45 2026-07-01T09:00:00+05:45", in_zone("Asia/Kathmandu", program))
    assert.equal("2026-02-06T20:10:56+11:00 2026-07-03T19:27:36+10:30 2026-07-01T09:00:00+10:30", in_zone("Australia/Lord_Howe", program))
    assert.equal("2026-02-06T05:40:56-03:30 2026-07-03T06:27:36-02:30 2026-07-01T09:00:00-02:30", in_zone("America/St_Johns", program))
  end)

  it("is right on both sides of a change of the clocks", function()
    -- in Berlin clocks go from 02:00 to 03:00 at 1774746000, and from 03:00 to 02:00 at 1792890000
    assert.equal("2026-03-29T01:59:59+01:00 2026-03-29T03:00:00+02:00 2026-10-25T02:59:59+02:00 2026-10-25T02:00:00+01:00", in_zone("Europe/Berlin",
      "print(datetime(1774746000 - 1), datetime(1774746000), datetime(1792890000 - 1), datetime(1792890000))"))
    assert.equal("2026-10-25T02:30:00+02:00 2026-10-25T02:30:00+01:00 true", in_zone("Europe/Berlin", [[
      local t = { year = 2026, month = 10, day = 25, hour = 2, min = 30 }
      t.isdst = true local first = datetime(t) t.isdst = false local second = datetime(t)
      print(first, second, first < second)]]))
    assert.equal("2026-03-29 2026-10-25", in_zone("Europe/Berlin", "print(date(1774746000), date(1792890000 + 3600 * 21))"))
    local said = in_zone("Europe/Berlin", "print(pcall(datetime, { year = 2026, month = 3, day = 29, hour = 2, min = 30 }))")
    assert.matches('^false .*zohocrm%.datetime: clocks here never show 2026%-03%-29 02:30; pass the offset that you mean, such as "%+02:00"$', said)
    assert.equal("2026-03-29T02:30:00+02:00", in_zone("Europe/Berlin", 'print(datetime({ year = 2026, month = 3, day = 29, hour = 2, min = 30 }, "+02:00"))'))
  end)

  it("writes whole minutes where offsets had seconds", function()
    -- Amsterdam was 19:32 minutes ahead until 1937
    local said = in_zone("Europe/Amsterdam", "print(datetime{ year = 1920, month = 1, day = 1, hour = 12 })")
    assert.matches("^1920%-01%-01T1[12]:%d%d:%d%d[+]00:%d%d$", said)
  end)

  it("is compared by the instant", function()
    local a, b = datetime(NOW, "Z"), datetime(NOW, "+05:30")
    assert.is_true(a == b and a <= b and a >= b and a ~= datetime(NOW + 1, "Z") and a < datetime(NOW + 1, "-12:00"))
    assert.is_false(a < b or a > b or a ~= b)
    assert.is_false(tostring(a) == tostring(b))
    assert.is_false(a == date(NOW))
    raises(function() return a < date(NOW) end, "values_spec%.lua:%d+: a datetime and a date cannot be compared")
  end)

  it("says what it takes", function()
    local day = { year = 2026, month = 2, day = 6 }
    local function offset(value, shown)
      return { function() datetime(NOW, value) end, ('zohocrm.datetime: the offset must be like "+02:00" or a number of seconds such as 7200, at most '
        .. "14 hours, not %s"):format(shown) }
    end
    refuses {
      offset("+2:00", "'+2:00'"), offset("+02:60", "'+02:60'"), offset("02:00", "'02:00'"), offset("+15:00", "'+15:00'"), offset("z", "'z'"),
      offset("", "''"), offset("+020", "'+020'"), offset("+02:00 ", "'+02:00 '"), offset("Europe/Berlin", "'Europe/Berlin'"), offset(90, "90"),
      offset(86400, "86400"), offset(true, "true"), offset(1 / 0, "inf"), offset("+02:00)or(id:equals:1", "'+02:00)or(id:equals:1'"),
      { function() datetime() end, "zohocrm.datetime takes seconds since 1970 or a table (zohocrm.datetime(os.time()) or zohocrm.datetime{ year = 2026, "
        .. "month = 2, day = 6, hour = 9 }), not nil; ISO 8601 strings need no conversion" },
      { function() datetime(date(0)) end, "zohocrm.datetime takes seconds since 1970 or a table (zohocrm.datetime(os.time()) or zohocrm.datetime{ year = 2026, "
        .. "month = 2, day = 6, hour = 9 }), not a date; ISO 8601 strings need no conversion" },
      { function() datetime { year = 2026, month = 2, day = 6, hour = 24 } end, "zohocrm.datetime: hour must be a whole number from 0 to 23, not 24" },
      { function() datetime { year = 2026, month = 2, day = 6, min = 60 } end, "zohocrm.datetime: min must be a whole number from 0 to 59, not 60" },
      { function() datetime { year = 2026, month = 2, day = 6, sec = -1 } end, "zohocrm.datetime: sec must be a whole number from 0 to 59, not -1" },
      { function() datetime { year = 2026, month = 2, day = 30 } end, "zohocrm.datetime: there is no 2026-02-30 in the calendar" },
      { function() datetime(1e300) end, "zohocrm.datetime: 1e+300 is no time between the years 1 and 9999 (seconds since 1970, as os.time gives)" },
      { function() datetime(253402300799, "+01:00") end, "zohocrm.datetime: at that offset the time is not between the years 1 and 9999" },
      { function() datetime(day).year = 1 end, "dates and times do not change; make a new one with zohocrm.date(…) or zohocrm.datetime(…)" },
    }
    assert.equal("9999-12-31T23:59:59+00:00", tostring(datetime(253402300799, "Z")))
    assert.equal("0001-01-01T00:00:00+00:00", tostring(datetime(-62135596800, "Z")))
  end)
end)

for _, door in ipairs(doors) do
  if door.name ~= "https" then
    describe("dates and times, " .. door.name, function()
      local sandbox, crm

      setup(function()
        sandbox = door.start { records = { Leads = 0 } }
        crm = wire.client(sandbox)
      end)

      teardown(function()
        sandbox.stop()
      end)

      before_each(function()
        sandbox.reset()
      end)

      local DAY, CALL = date { year = 2026, month = 2, day = 6 }, datetime(NOW, "-08:00")

      local function lead(name)
        return { Last_Name = name, First_Contact_Date = DAY, Next_Call_Time = CALL }
      end

      local function shown(id)
        local record = assert(crm.Leads:get(id))
        return record.First_Contact_Date, record.Next_Call_Time
      end

      it("go into records", function()
        local record = lead "Smith"
        local made = assert(crm.Leads:create(record))
        local sent = wire.decoded(sandbox.requests()[1].body).data[1]
        assert.same({ Last_Name = "Smith", First_Contact_Date = "2026-02-06", Next_Call_Time = "2026-02-06T01:10:56-08:00" }, sent)
        assert.is_true(rawequal(DAY, record.First_Contact_Date) and rawequal(CALL, record.Next_Call_Time), "the record is the caller's")
        local day, call = shown(made.id)
        assert.equal("2026-02-06", day)
        assert.matches("^2026%-02%-06T", call)
        assert(crm.Leads:update { id = made.id, First_Contact_Date = date { year = 2026, month = 3, day = 1 }, Next_Call_Time = zohocrm.null })
        day, call = shown(made.id)
        assert.equal("2026-03-01", day)
        assert.is_nil(call)
      end)

      it("go into many records at once", function()
        local list = {}
        for i = 1, 150 do list[i] = i % 2 == 0 and lead("Name " .. i) or { Last_Name = "Name " .. i } end
        local outcome = assert(crm.Leads:create(list))
        assert.equal(150, outcome.succeeded)
        assert.equal("2026-02-06", (shown(outcome[150].id)))
        assert.is_nil((shown(outcome[149].id)))
      end)

      it("go into conditions of both languages", function()
        local names = {}
        for i = 1, 5 do names[i] = { Last_Name = "Lead " .. i, First_Contact_Date = date(86400 * i), Next_Call_Time = datetime(NOW + i, i * 3600) } end
        assert.equal(5, assert(crm.Leads:create(names)).succeeded)
        local function found(condition)
          local by_search, by_coql = {}, {}
          for _, row in ipairs(assert(crm.Leads:search { criteria = condition, sort_by = "id", sort_order = "asc" })) do
            by_search[#by_search + 1] = row.Last_Name:sub(-1)
          end
          for _, row in ipairs(assert(crm:query(zohocrm.coql.select "Last_Name":from "Leads":where(condition)))) do
            by_coql[#by_coql + 1] = row.Last_Name:sub(-1)
          end
          assert.same(by_search, by_coql)
          return table.concat(by_search)
        end
        local first, third = names[1].First_Contact_Date, names[3].First_Contact_Date
        assert.equal("3", found(c.First_Contact_Date:equals(third)))
        assert.equal("3", found(c.First_Contact_Date:equals(tostring(third))))
        assert.equal("123", found(c.First_Contact_Date:between(first, third)))
        assert.equal("45", found(c.First_Contact_Date:greater_than(third)))
        assert.equal("13", found(c.First_Contact_Date:in_ { first, third }))
        assert.equal("2", found(c.Next_Call_Time:equals(datetime(NOW + 2, "-11:00"))))
        assert.equal("2", found(c.Next_Call_Time:equals(tostring(datetime(NOW + 2, "+05:30")))))
        assert.equal("12", found(c.Next_Call_Time:less_than(datetime(NOW + 3))))
        assert.equal("345", found(c.Next_Call_Time:greater_equal(datetime(NOW + 3, "Z"))))
        assert.equal("234", found(c.Next_Call_Time:between(datetime(NOW + 2, "+09:00"), datetime(NOW + 4, "-09:00"))))
      end)
    end)
  end
end
