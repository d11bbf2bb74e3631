--- Random JSON texts for property specs: all of the grammar, with the blanks, escapes and odd numbers that servers of
--- other people write.
local M = {}

local random = math.random

--- The seed of a run: ZOHOCRM_SEED, to repeat the run whose failure names it, or another every second.
M.seed = tonumber(os.getenv("ZOHOCRM_SEED")) or os.time()

--- How often a property is tried: n times, or the part of it that ZOHOCRM_ROUNDS says (under valgrind less is enough).
---@param n integer
---@return integer
function M.rounds(n)
  return math.ceil(n * (tonumber(os.getenv("ZOHOCRM_ROUNDS")) or 1))
end

local WORDS = { "id", "name", "Owner", "Last_Name", "data", "info", "", "x", ("k"):rep(39), ("k"):rep(40), ("k"):rep(41), "Größe", "a\\u0062", "\\n" }
local PIECES = {
  "a", "Z", " ", "7", "/", "{", "]", ",", ":", "null", "ø", "€", "😀", "\127", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t",
  "\\u0000", "\\u001f", "\\u00E9", "\\u20ac", "\\ud83d\\ude00", "\\uFFFF", "some longer piece of text ",
}
local NUMBERS = {
  "0", "-0", "1", "-1", "0.0", "-0.5", "1e5", "1E+5", "1.25e-3", "9007199254740991", "9007199254740993", "7243485000000597000",
  "9223372036854775807", "-9223372036854775808", "18446744073709551616", "1e22", "1e23", "1e308", "1e309", "4.9e-324", "2e-324", "0.1",
}

local function blank()
  local n = random(12)
  return n == 1 and " " or n == 2 and "\n" or n == 3 and "\t\r\n  " or ""
end

local function any(list)
  return list[random(#list)]
end

local function digits(most)
  local made = {}
  for i = 1, random(most) do made[i] = random(0, 9) end
  return table.concat(made)
end

--- A number: an odd one, or of any length.
---@return string
function M.number()
  if random(3) == 1 then return any(NUMBERS) end
  local text = (random(2) == 1 and "-" or "") .. (random(5) == 1 and "0" or random(1, 9) .. (random(2) == 1 and digits(20) or ""))
  if random(3) == 1 then text = text .. "." .. digits(25) end
  if random(4) == 1 then text = text .. any { "e", "E", "e+", "e-" } .. random(0, 330) end
  return text
end

--- A string.
---@return string
function M.string()
  local pieces = {}
  for i = 1, random(0, 8) do pieces[i] = any(PIECES) end
  return '"' .. table.concat(pieces) .. '"'
end

local function name(used)
  local text = any(WORDS) .. (random(2) == 1 and random(40) or "")
  local plain = text:gsub("\\u0062", "b")
  if used[plain] then return name(used) end -- repeated names: the decoders differ when one is null
  used[plain] = true
  return '"' .. text .. '"'
end

--- A value.
---@param depth? integer how deep it stands already
---@return string
function M.value(depth)
  depth = depth or 0
  local kind = random(depth > 5 and 7 or 11)
  if kind <= 2 then return M.string() end
  if kind <= 4 then return M.number() end
  if kind <= 7 then return any { "true", "false", "null" } end
  local parts, used = {}, {}
  for i = 1, random(30) == 1 and random(80) or random(0, 5) do
    parts[i] = blank() .. (kind < 10 and name(used) .. blank() .. ":" .. blank() or "") .. M.value(depth + 1) .. blank()
  end
  local inside = #parts > 0 and table.concat(parts, ",") or blank()
  return kind < 10 and "{" .. inside .. "}" or "[" .. inside .. "]"
end

--- A document.
---@return string
function M.document()
  return blank() .. M.value() .. blank()
end

--- A document with some bytes changed, added, dropped or moved; most often it is none any more.
---@param text string
---@return string
function M.damaged(text)
  for _ = 1, random(3) do
    local at = random(0, #text)
    local kind = random(5)
    if kind == 1 then
      text = text:sub(1, at) .. text:sub(at + 2)
    elseif kind == 2 then
      text = text:sub(1, at) .. any { "{", "}", "[", "]", ",", ":", '"', "\\", "0", "-", ".", "e", "u", " ", "\0", "\255", "\1", "t" } .. text:sub(at + 1)
    elseif kind == 3 then
      text = text:sub(1, at) .. string.char(random(0, 255)) .. text:sub(at + 2)
    elseif kind == 4 then
      text = text:sub(1, at)
    else
      local from = random(0, #text)
      text = text:sub(1, at) .. text:sub(from, from + random(8)) .. text:sub(at + 1)
    end
  end
  return text
end

return M
