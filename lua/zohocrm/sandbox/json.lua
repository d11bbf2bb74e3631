--- JSON for the sandbox: reading through lua-cjson, writing by hand.
--
-- Writing is done here because the releases of lua-cjson disagree where it matters: 2.1.0 cannot write `[]` and prints
-- whole numbers beyond 14 digits in exponent form. Keys come out sorted, so the same answer is always the same bytes.
-- Reading keeps nulls (a null empties a field), keeps whole numbers exact that no double can hold, and knows an empty
-- object from an empty array.
--
-- @module zohocrm.sandbox.json

local cjson = require("cjson")

local M = {}

-- A private instance: the settings of the host's lua-cjson stay untouched.
local codec = cjson.new()
codec.decode_max_depth(64)
codec.decode_invalid_numbers(false)

--- The JSON null, the same value as `cjson.null`.
M.null = cjson.null

local array_mt = { __name = "zohocrm.sandbox.array" }
local integer_mt = { __name = "zohocrm.sandbox.integer" }
local empty_object_mt = { __name = "zohocrm.sandbox.empty_object" }

--- Marks a table as a JSON array, so that an empty one is written as `[]`.
---@param items? table the elements; default: a new empty table
---@return table items the same table
function M.array(items)
  return setmetatable(items or {}, array_mt)
end

--- Is this value an array made by `array`?
---@param value any
---@return boolean
function M.is_array(value)
  return getmetatable(value) == array_mt
end

--- Was a decoded value an array?
---@param value any
---@return boolean
function M.was_array(value)
  return type(value) == "table" and (value[1] ~= nil or next(value) == nil and getmetatable(value) ~= empty_object_mt)
end

--- Was a decoded value an object?
---@param value any
---@return boolean
function M.was_object(value)
  return type(value) == "table" and getmetatable(value) ~= integer_mt and not M.was_array(value)
end

--- A metatable for objects of one known shape: its keys are sorted once instead of once per object.
---@param names string[] every key that an object of this shape may have
---@return table metatable for `setmetatable`
function M.shape(names)
  local keys = {}
  for i, name in ipairs(names) do
    keys[i] = name
  end
  table.sort(keys)
  return { keys = keys }
end

--- The digits of a whole number that `decode` could not hold exactly in a number.
---@param value any
---@return string? digits with their sign; nil where value is anything else
function M.integer_digits(value)
  if getmetatable(value) == integer_mt then
    return value.digits
  end
end

-- Well-formed multi-byte sequences by lead byte (RFC 3629, section 4): no overlong form, no surrogate, nothing past
-- U+10FFFF.
local sequences = {
  "^[\194-\223][\128-\191]",
  "^\224[\160-\191][\128-\191]",
  "^[\225-\236\238\239][\128-\191][\128-\191]",
  "^\237[\128-\159][\128-\191]",
  "^\240[\144-\191][\128-\191][\128-\191]",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]",
  "^\244[\128-\143][\128-\191][\128-\191]",
}

local function sequence_end(text, from)
  for _, pattern in ipairs(sequences) do
    local _, last = text:find(pattern, from)
    if last then
      return last
    end
  end
end

--- Replaces every byte that is not part of well-formed UTF-8 by U+FFFD.
---@param text string
---@return string text
---@return boolean changed true where something had to be replaced
function M.clean_utf8(text)
  local from = text:find("[\128-\255]")
  if not from then
    return text, false
  end
  local pieces, copied, changed = {}, 1, false
  while from do
    local last = sequence_end(text, from)
    if not last then
      pieces[#pieces + 1] = text:sub(copied, from - 1) .. "\239\191\189"
      copied, last, changed = from + 1, from, true
    end
    from = text:find("[\128-\255]", last + 1)
  end
  pieces[#pieces + 1] = text:sub(copied)
  return table.concat(pieces), changed
end

-- Decoding ------------------------------------------------------------------------------------------------------------

local sixteen_digits = ("%d"):rep(16)
local marker = "\1zohocrm.sandbox.integer:"
local marker_in_json = "\\u0001zohocrm.sandbox.integer:"
local empty_object = "{[ \t\r\n]*}"
local object_marker = "\1zohocrm.sandbox.empty_object"
local marked_object = '{"\\u0001zohocrm.sandbox.empty_object":true}'

local function string_end(text, from)
  local at = from + 1
  while true do
    local found = text:find('[\\"]', at)
    if not found then
      return #text
    end
    if text:byte(found) == 34 then
      return found
    end
    at = found + 2
  end
end

-- Whole numbers of 16 digits and more would be rounded by the decoder: hand them through as marked strings. Empty
-- objects would become the same table as empty arrays: hand them through as objects with a marked key.
local function mark(text)
  local pieces, copied, at = {}, 1, 1
  while true do
    local from = text:find('["{%-%d]', at)
    if not from then
      break
    end
    local first = text:byte(from)
    if first == 34 then
      at = string_end(text, from) + 1
    elseif first == 123 then
      local _, last = text:find("^" .. empty_object, from)
      if last then
        pieces[#pieces + 1] = text:sub(copied, from - 1) .. marked_object
        copied = last + 1
      end
      at = (last or from) + 1
    else
      local _, last = text:find("^%-?%d*", from)
      local rest = text:match("^[%d%.eE%+%-]*", last + 1)
      if rest == "" and last - from + 1 >= 16 then
        pieces[#pieces + 1] = text:sub(copied, from - 1) .. '"' .. marker_in_json .. text:sub(from, last) .. '"'
        copied = last + 1
      end
      at = last + #rest + 1
    end
  end
  pieces[#pieces + 1] = text:sub(copied)
  return table.concat(pieces)
end

local function restore(value)
  if type(value) == "string" and value:sub(1, #marker) == marker then
    return setmetatable({ digits = value:sub(#marker + 1) }, integer_mt)
  end
  if type(value) == "table" then
    if value[object_marker] then
      return setmetatable({}, empty_object_mt)
    end
    for key, item in pairs(value) do
      value[key] = restore(item)
    end
  end
  return value
end

--- Reads a JSON text. Null stays `json.null`; whole numbers past 2^53 become objects for `integer_digits`; `was_array`
--- and `was_object` tell the two kinds of tables apart.
---@param text string?
---@return any value nil where the text is no JSON, not UTF-8, or nested deeper than 64
function M.decode(text)
  if type(text) ~= "string" or select(2, M.clean_utf8(text)) then
    return nil
  end
  local marked = text:find(sixteen_digits) ~= nil or text:find(empty_object) ~= nil
  local ok, value = pcall(codec.decode, marked and mark(text) or text)
  if not ok then
    return nil
  end
  return marked and restore(value) or value
end

-- Encoding ------------------------------------------------------------------------------------------------------------

-- A page of records repeats its keys and many of its values: remembered escapes make it several times faster. The
-- memory is bounded by forgetting everything now and then.
local escaped, escaped_count, ESCAPED_MAX = {}, 0, 4096

local function quote(text)
  local known = escaped[text]
  if known then
    return known
  end
  if text:find('[%c"\\\127-\255]') then
    known = codec.encode((M.clean_utf8(text)))
  else
    known = '"' .. text .. '"'
  end
  if #text <= 64 then
    if escaped_count >= ESCAPED_MAX then
      escaped, escaped_count = {}, 0
    end
    escaped[text], escaped_count = known, escaped_count + 1
  end
  return known
end

local function number(value)
  if value ~= value or value == math.huge or value == -math.huge then
    return "null"
  end
  if value % 1 == 0 and value > -2 ^ 53 and value < 2 ^ 53 then
    return (("%.0f"):format(value):gsub("^%-0$", "0"))
  end
  for digits = 14, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if tonumber(text) == value then
      return (text:gsub(",", ".")) -- a host may have set a locale with a decimal comma
    end
  end
end

local write -- forward: arrays and objects contain values

local function write_array(out, n, items)
  out[n + 1] = "["
  n = n + 1
  for i = 1, #items do
    if i > 1 then
      n = n + 1
      out[n] = ","
    end
    n = write(out, n, items[i])
  end
  out[n + 1] = "]"
  return n + 1
end

local function sorted_keys(object)
  local keys = {}
  for key in pairs(object) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local function write_object(out, n, object, keys)
  local separator = "{"
  for i = 1, #keys do
    local value = object[keys[i]]
    if value ~= nil then
      out[n + 1], out[n + 2], out[n + 3] = separator, quote(keys[i]), ":"
      n = write(out, n + 3, value)
      separator = ","
    end
  end
  out[n + 1] = separator == "{" and "{}" or "}"
  return n + 1
end

function write(out, n, value)
  local kind = type(value)
  if kind == "string" then
    out[n + 1] = quote(value)
  elseif kind == "number" then
    out[n + 1] = number(value)
  elseif kind == "boolean" then
    out[n + 1] = value and "true" or "false"
  elseif kind == "table" then
    local mt = getmetatable(value)
    if mt == array_mt or value[1] ~= nil then
      return write_array(out, n, value)
    end
    return write_object(out, n, value, mt and mt.keys or sorted_keys(value))
  else
    out[n + 1] = "null"
  end
  return n + 1
end

--- Writes a value as JSON: sorted keys, whole numbers without a fraction, always well-formed UTF-8.
---@param value any tables with `[1]`, or made by `array`, are arrays; every other table is an object
---@return string
function M.encode(value)
  local out = {}
  write(out, 0, value)
  return table.concat(out)
end

return M
