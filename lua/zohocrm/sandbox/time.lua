--- Dates and times as Zoho CRM writes them: ISO 8601, whole seconds, the offset of the organisation.
-- The proleptic Gregorian calendar, by arithmetic alone: `os.date` and `os.time` would bring in the machine's zone.
-- @module zohocrm.sandbox.time

local floor = math.floor

local M = {}

--- The organisation's offset from UTC in seconds (-08:00, as in the seed's examples).
M.OFFSET = -8 * 3600

--- Days from 1970-01-01 to a date.
---@param year integer
---@param month integer 1 to 12
---@param day integer
---@return integer days
function M.days(year, month, day)
  -- Years are counted from March, so that the leap day is the last day of a year.
  local y = month > 2 and year or year - 1
  local era = floor(y / 400)
  local year_of_era = y - era * 400
  local day_of_year = floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5) + day - 1
  local day_of_era = year_of_era * 365 + floor(year_of_era / 4) - floor(year_of_era / 100) + day_of_year
  return era * 146097 + day_of_era - 719468
end

--- The date that lies a number of days after 1970-01-01.
---@param days integer
---@return integer year
---@return integer month
---@return integer day
function M.civil(days)
  local z = days + 719468
  local era = floor(z / 146097)
  local day_of_era = z - era * 146097
  local year_of_era = floor(
    (day_of_era - floor(day_of_era / 1460) + floor(day_of_era / 36524) - floor(day_of_era / 146096)) / 365
  )
  local day_of_year = day_of_era - (365 * year_of_era + floor(year_of_era / 4) - floor(year_of_era / 100))
  local shifted = floor((5 * day_of_year + 2) / 153)
  local month = shifted < 10 and shifted + 3 or shifted - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  return year, month, day_of_year - floor((153 * shifted + 2) / 5) + 1
end

local month_lengths = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function month_length(year, month)
  local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return (month == 2 and leap) and 29 or month_lengths[month]
end

--- Reads a date.
---@param text string `YYYY-MM-DD`
---@return string? text the same text where it names a day of the calendar, else nil
---@return integer? days since 1970-01-01
function M.parse_date(text)
  local y, m, d = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  if not y then
    return nil
  end
  local year, month, day = tonumber(y), tonumber(m), tonumber(d)
  if year < 1 or month < 1 or month > 12 or day < 1 or day > month_length(year, month) then
    return nil
  end
  return text, M.days(year, month, day)
end

local function offset_seconds(text)
  if text == "Z" then
    return 0
  end
  local sign, hours, minutes = text:match("^([+-])(%d%d):?(%d%d)$")
  if not sign or tonumber(hours) > 14 or tonumber(minutes) > 59 then
    return nil
  end
  local seconds = tonumber(hours) * 3600 + tonumber(minutes) * 60
  return sign == "-" and -seconds or seconds
end

--- Reads a time with an offset; a fraction of a second is dropped.
---@param text string `YYYY-MM-DDThh:mm:ss±hh:mm`, also with `Z` and with a fraction
---@return integer? epoch seconds; nil where the text is no such time or has no offset
function M.parse(text)
  local date, h, m, s, rest = text:match("^(%d%d%d%d%-%d%d%-%d%d)T(%d%d):(%d%d):(%d%d)(.*)$")
  if not date then
    return nil
  end
  local _, days = M.parse_date(date)
  local offset = offset_seconds((rest:gsub("^%.%d+", "")))
  local hour, minute, second = tonumber(h), tonumber(m), tonumber(s)
  if not days or not offset or hour > 23 or minute > 59 or second > 59 then
    return nil
  end
  return days * 86400 + hour * 3600 + minute * 60 + second - offset
end

-- Records of one page are often of the same day: the date part is the dear one.
local cached_day, cached_date

--- Writes the date of a day.
---@param days integer since 1970-01-01
---@return string `YYYY-MM-DD`
function M.format_date(days)
  if days ~= cached_day then
    cached_day, cached_date = days, ("%04d-%02d-%02d"):format(M.civil(days))
  end
  return cached_date
end

local function clock_face(seconds)
  local hour = floor(seconds / 3600)
  return hour, floor(seconds / 60) % 60, seconds % 60
end

--- Writes a time at the organisation's offset.
---@param epoch number seconds
---@return string `2026-02-06T01:10:56-08:00`
function M.format(epoch)
  local shifted = floor(epoch) + M.OFFSET
  local days = floor(shifted / 86400)
  return M.format_date(days) .. ("T%02d:%02d:%02d-08:00"):format(clock_face(shifted - days * 86400))
end

--- Writes a time as the gateway does: UTC, microseconds, `Z`.
---@param epoch number seconds
---@return string `2026-01-31T20:03:32.000000Z`
function M.format_utc(epoch)
  local whole = floor(epoch)
  local days = floor(whole / 86400)
  return M.format_date(days) .. ("T%02d:%02d:%02d.000000Z"):format(clock_face(whole - days * 86400))
end

return M
