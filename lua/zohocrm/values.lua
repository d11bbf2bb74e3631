--- Dates and times as values: `zohocrm.date`, `zohocrm.datetime`.
---
--- They go into criteria, COQL and the records of writes, are compared with `==` and `<`, and print as the API writes
--- them (ISO 8601, reference 12). Immutable.

local core = require "zohocrm.core"
local raise = require "zohocrm.raise"

local floor = math.floor

local M = {}

-- The keys of the private part. They are no strings on purpose: the JSON encoder stops at such a key, see `encode`.
local KIND, TEXT, RANK = {}, {}, {}

local EXAMPLES = {
  date = "zohocrm.date(os.time()) or zohocrm.date{ year = 2026, month = 2, day = 6 }",
  datetime = "zohocrm.datetime(os.time()) or zohocrm.datetime{ year = 2026, month = 2, day = 6, hour = 9 }",
}

-- The calendar ----------------------------------------------------------------------------------------------------

-- Seconds since 1970 where the years 1 and 9999 begin and end: what four digits can write.
local FIRST, LAST = -62135596800, 253402300799

-- Days from 1970-01-01. Years are counted from March, so that the leap day is a year's last.
local function days_of(year, month, day)
  local y = month > 2 and year or year - 1
  local day_of_year = floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5) + day - 1
  return y * 365 + floor(y / 4) - floor(y / 100) + floor(y / 400) + day_of_year - 719468
end

local function civil_of(days)
  local z = days + 719468
  local era = floor(z / 146097)
  local of_era = z - era * 146097
  local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local shifted = floor((5 * of_year + 2) / 153)
  local month = shifted < 10 and shifted + 3 or shifted - 9
  return year + era * 400 + (month <= 2 and 1 or 0), month, of_year - floor((153 * shifted + 2) / 5) + 1
end

local function civil_seconds(t)
  return days_of(t.year, t.month, t.day) * 86400 + t.hour * 3600 + t.min * 60 + t.sec
end

-- The machine's offset from UTC at an instant, daylight saving included, in whole minutes: ISO 8601 has no seconds
-- there, and before standard time offsets had them.
local function local_offset(instant)
  local offset = civil_seconds(os.date("*t", instant)) - civil_seconds(os.date("!*t", instant))
  return offset - offset % 60
end

-- What callers pass -------------------------------------------------------------------------------------------------

-- An os.time value as whole seconds: the API has no fractions.
local function read_instant(t, what)
  if t ~= t or t < FIRST or t > LAST then
    raise(("%s: %s is no time between the years 1 and 9999 (seconds since 1970, as os.time gives)"):format(what,
      tostring(t)))
  end
  return floor(t)
end

local function read_part(t, name, least, most, what, default)
  local value = t[name]
  if value == nil then
    value = default
  end
  if type(value) ~= "number" or value % 1 ~= 0 or value < least or value > most then
    raise(("%s: %s must be a whole number from %d to %d, not %s"):format(what, name, least, most,
      type(value) == "string" and "the string '" .. value .. "'" or tostring(value)))
  end
  return floor(value)
end

local function read_day(t, what)
  local year = read_part(t, "year", 1, 9999, what)
  local month = read_part(t, "month", 1, 12, what)
  local day = read_part(t, "day", 1, 31, what)
  local days = days_of(year, month, day)
  local _, same_month = civil_of(days)
  if same_month ~= month then
    raise(("%s: there is no %04d-%02d-%02d in the calendar"):format(what, year, month, day))
  end
  return days
end

-- Called with a colon, it is given the library first, which has it under the name it is called by.
local function refuse_library(t, name, own)
  if type(t) == "table" and rawget(t, name) == own then
    raise(("call it as zohocrm.%s(…), with a dot"):format(name))
  end
end

local function refuse(value, what)
  raise(("%s takes seconds since 1970 or a table (%s), not %s; ISO 8601 strings need no conversion"):format(what,
    EXAMPLES[what:match("%a+$")], value == nil and "nil" or "a " .. (M.kind(value) or type(value))))
end

local OFFSET_MAX = 14 * 3600

-- An offset in seconds, from "+02:00", "+0200", "+02", "Z" or a number of seconds.
local function read_offset(value, what)
  local seconds
  if type(value) == "string" then
    local sign, hours, minutes = value:match("^([+-])(%d%d):?(%d?%d?)$")
    if value == "Z" then
      seconds = 0
    elseif sign and #minutes ~= 1 and tonumber(minutes ~= "" and minutes or 0) < 60 then
      seconds = (tonumber(hours) * 3600 + tonumber(minutes ~= "" and minutes or 0) * 60) * (sign == "-" and -1 or 1)
    end
  elseif type(value) == "number" and value % 60 == 0 then
    seconds = floor(value)
  end
  if not seconds or math.abs(seconds) > OFFSET_MAX then
    raise(('%s: the offset must be like "+02:00" or a number of seconds such as 7200, at most 14 hours, not %s'):format(
      what, type(value) == "string" and "'" .. value .. "'" or tostring(value)))
  end
  return seconds
end

-- The values --------------------------------------------------------------------------------------------------------

local meta = { __newindex = function()
  raise("dates and times do not change; make a new one with zohocrm.date(…) or zohocrm.datetime(…)")
end }

function meta.__tostring(self)
  return rawget(self, TEXT)
end

function meta.__concat(a, b)
  return tostring(a) .. tostring(b)
end

function meta.__eq(a, b)
  return rawget(a, KIND) == rawget(b, KIND) and rawget(a, RANK) == rawget(b, RANK)
end

local function ranks(a, b)
  local kind = M.kind(a)
  if not kind or kind ~= M.kind(b) then
    raise(("%s and %s cannot be compared; make both the same with zohocrm.date(…) or zohocrm.datetime(…)"):format(
      kind and "a " .. kind or "a " .. type(a), M.kind(b) and "a " .. M.kind(b) or "a " .. type(b)))
  end
  return rawget(a, RANK), rawget(b, RANK)
end

function meta.__lt(a, b)
  a, b = ranks(a, b)
  return a < b
end

function meta.__le(a, b)
  a, b = ranks(a, b)
  return a <= b
end

local function new(kind, text, rank)
  return setmetatable({ [KIND] = kind, [TEXT] = text, [RANK] = rank }, meta)
end

--- A day of the calendar.
---@param t number|table an os.time value: the day it is then where this machine stands; or a table with `year`, `month`
--- and `day`, such as os.date("*t") gives
---@return zohocrm.Date immutable; tostring gives `2026-02-06`; `==`, `<`, `<=` compare
function M.date(t)
  local what, days = "zohocrm.date", nil
  refuse_library(t, "date", M.date)
  if type(t) == "number" then
    t = read_instant(t, what)
    days = floor((t + local_offset(t)) / 86400)
  elseif type(t) == "table" and not M.kind(t) then
    days = read_day(t, what)
  else
    refuse(t, what)
  end
  return new("date", ("%04d-%02d-%02d"):format(civil_of(days)), days)
end

-- The instant that clocks on the wall here show as `t`. Some are skipped when the clocks go forward.
local function local_instant(t, seconds, what)
  local instant = os.time { year = t.year, month = t.month, day = t.day, hour = floor(seconds / 3600),
    min = floor(seconds / 60) % 60, sec = seconds % 60, isdst = t.isdst }
  if not instant or civil_seconds(os.date("*t", instant)) ~= read_day(t, what) * 86400 + seconds then
    raise(("%s: clocks here never show %04d-%02d-%02d %02d:%02d; pass the offset that you mean, such as "
      .. "\"+02:00\""):format(what, t.year, t.month, t.day, floor(seconds / 3600), floor(seconds / 60) % 60))
  end
  return instant
end

--- An instant, with an offset to write it at.
---@param t number|table an os.time value (a fraction of a second is dropped); or a table with `year`, `month`, `day`
--- and, where they are not 0, `hour`, `min`, `sec`: what the clocks at that offset show
---@param offset? string|number "+02:00", "Z", or seconds east of UTC; default: this machine's offset at that time,
--- daylight saving included
---@return zohocrm.DateTime immutable; tostring gives `2026-02-06T01:10:56-08:00`; `==`, `<`, `<=` compare instants
function M.datetime(t, offset)
  local what, instant = "zohocrm.datetime", nil
  refuse_library(t, "datetime", M.datetime)
  if offset ~= nil then
    offset = read_offset(offset, what)
  end
  if type(t) == "number" then
    instant = read_instant(t, what)
  elseif type(t) == "table" and not M.kind(t) then
    local days = read_day(t, what)
    local seconds = read_part(t, "hour", 0, 23, what, 0) * 3600 + read_part(t, "min", 0, 59, what, 0) * 60
      + read_part(t, "sec", 0, 59, what, 0)
    instant = offset and days * 86400 + seconds - offset or local_instant(t, seconds, what)
  else
    refuse(t, what)
  end
  offset = offset or local_offset(instant)
  local shifted = instant + offset
  if shifted < FIRST or shifted > LAST then
    raise(("%s: at that offset the time is not between the years 1 and 9999"):format(what))
  end
  local days = floor(shifted / 86400)
  local year, month, day = civil_of(days)
  local seconds, east = shifted - days * 86400, math.abs(offset)
  local text = ("%04d-%02d-%02dT%02d:%02d:%02d%s%02d:%02d"):format(year, month, day, floor(seconds / 3600),
    floor(seconds / 60) % 60, seconds % 60, offset < 0 and "-" or "+", floor(east / 3600), floor(east / 60) % 60)
  return new("datetime", text, instant)
end

--- What kind of these values something is.
---@param value any
---@return "date"|"datetime"|nil
function M.kind(value)
  return getmetatable(value) == meta and rawget(value, KIND) or nil
end

-- For records --------------------------------------------------------------------------------------------------------

-- A copy in which dates and times are their texts; tables without any stay themselves. A table on the way to itself is
-- left as it is: the encoder refuses it.
local function with_texts(value, path)
  if type(value) ~= "table" or path[value] then
    return value
  elseif M.kind(value) then
    return tostring(value)
  end
  path[value] = true
  local copy
  for key, inner in pairs(value) do
    local converted = with_texts(inner, path)
    if not rawequal(converted, inner) then
      if not copy then
        copy = {}
        for k, v in pairs(value) do
          copy[k] = v
        end
        setmetatable(copy, getmetatable(value))
      end
      copy[key] = converted
    end
  end
  path[value] = nil
  return copy or value
end

--- A value with its dates and times as texts, for encoders that know none.
---@param value any not changed
---@return any value the same one where there are none
function M.plain(value)
  return with_texts(value, {})
end

--- JSON of a value that may hold dates and times. The core's encoder does not know them and stops at the first; only
--- then is the value copied, so that all others cost nothing more.
---@param value any
---@param records? boolean see `core.encode`
---@return string|nil json
---@return string|nil refusal
function M.encode(value, records)
  local json, refusal = core.encode(value, records)
  if not json then
    local plain = M.plain(value)
    if not rawequal(plain, value) then
      return core.encode(plain, records)
    end
  end
  return json, refusal
end

return M
