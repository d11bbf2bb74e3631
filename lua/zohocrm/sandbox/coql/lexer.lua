--- COQL text into tokens, in one pass from left to right: hostile input costs no more than its length.
--
-- A token is `{ kind, text, at, value }`: kind `word`, `string`, `number`, `symbol` or `end`; text as it stands in the
-- query, at its place, value of a string without its quotes. Quotes are single or double; the same quote inside is
-- doubled. A backslash is an ordinary character: no document makes it more.
--
-- @module zohocrm.sandbox.coql.lexer

local faults = require("zohocrm.sandbox.coql.faults")

local M = {}

-- The content of a string that opens at `from`, and the place of its closing quote.
local function read_string(source, from)
  local quote, pieces, at = source:sub(from, from), {}, from + 1
  while true do
    local found = source:find(quote, at, true)
    if not found then
      faults.syntax(source, from, source:sub(from))
    end
    pieces[#pieces + 1] = source:sub(at, found - 1)
    if source:sub(found + 1, found + 1) ~= quote then
      return table.concat(pieces), found
    end
    pieces[#pieces + 1] = quote
    at = found + 2
  end
end

local WORD, INTEGER_PART, FRACTION = "^!?[%a_$][%w_$.]*", "^%-?%d+%.?%d*", "^%-?%.%d+"

local symbols = { ["="] = true, ["!="] = true, [">="] = true, ["<="] = true, [">"] = true, ["<"] = true, ["("] = true,
  [")"] = true, [","] = true, ["#"] = true }

local function last_of_symbol(source, at)
  if symbols[source:sub(at, at + 1)] and #source > at then
    return at + 1
  end
  return symbols[source:sub(at, at)] and at or nil
end

local function read_token(source, at)
  local first = source:sub(at, at)
  if first == "'" or first == '"' then
    local value, last = read_string(source, at)
    return "string", last, value
  end
  local _, last = source:find(WORD, at)
  if last then
    return "word", last
  end
  _, last = source:find(INTEGER_PART, at)
  if not last then
    _, last = source:find(FRACTION, at)
  end
  if last then
    -- `12abc` and `1e5` are no numbers.
    if source:find("^[%w_$.]", last + 1) then
      faults.syntax(source, at, source:match("^[-%w_$.]+", at))
    end
    return "number", last
  end
  return "symbol", last_of_symbol(source, at)
end

--- Reads a query.
---@param source string
---@return table[] tokens the last one of kind `end`; a text that holds none ends the request
function M.tokens(source)
  local tokens, at = {}, source:match("^%s*()")
  while at <= #source do
    local kind, last, value = read_token(source, at)
    if not last then
      faults.syntax(source, at, source:match("^[^\128-\191]?[\128-\191]*", at))
    end
    tokens[#tokens + 1] = { kind = kind, text = source:sub(at, last), at = at, value = value }
    at = source:match("^%s*()", last + 1)
  end
  tokens[#tokens + 1] = { kind = "end", text = "", at = at }
  return tokens
end

return M
