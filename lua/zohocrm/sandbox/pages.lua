--- Page tokens: opaque texts that say where a walk through a list goes on.
--
-- A token carries its own state, so the sandbox keeps none: when it expires, which record was handed out last, how many
-- were handed out, and a fingerprint of the query it belongs to (reference, section 3.3). It goes on *after the last
-- record*, so records created or deleted meanwhile neither repeat nor hide another one.
--
-- @module zohocrm.sandbox.pages

local answers = require("zohocrm.sandbox.answers")
local random = require("zohocrm.sandbox.random")
local time = require("zohocrm.sandbox.time")

local M = {}

--- Records that `page` reaches, records that tokens reach, and the life of a token in seconds (seed).
M.PAGE_REACH, M.TOKEN_REACH, M.LIFETIME = 2000, 100000, 24 * 3600

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local values = {}
for i = 1, 64 do
  values[alphabet:sub(i, i)] = i - 1
end

-- Base 64 with its "+", "/" and "=" on purpose: a client that does not percent-encode a token must notice here.
local function to_base64(bytes)
  local out = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local group = a * 65536 + (b or 0) * 256 + (c or 0)
    for position = 1, 4 do
      local digit = math.floor(group / 64 ^ (4 - position)) % 64 + 1
      local used = position <= 2 or (position == 3 and b) or (position == 4 and c)
      out[#out + 1] = used and alphabet:sub(digit, digit) or "="
    end
  end
  return table.concat(out)
end

local function from_base64(text)
  if #text % 4 ~= 0 or not text:find("^[%w+/]*=?=?$") then
    return nil
  end
  local out = {}
  for quad in text:gmatch("....") do
    local group = 0
    for position = 1, 4 do
      group = group * 64 + (values[quad:sub(position, position)] or 0)
    end
    out[#out + 1] = string.char(math.floor(group / 65536), math.floor(group / 256) % 256, group % 256)
  end
  local padding = #text:match("=*$")
  return table.concat(out):sub(1, -1 - padding)
end

--- A fingerprint of everything that must stay the same while a walk goes on.
---@param module_name string
---@param query table<string, string>
---@return string
function M.fingerprint(module_name, query)
  local parts = {}
  for name, value in pairs(query) do
    if name ~= "page" and name ~= "page_token" then
      parts[#parts + 1] = name .. "\0" .. value
    end
  end
  table.sort(parts)
  return random.fingerprint(module_name .. "\0" .. table.concat(parts, "\0"))
end

--- Makes a token.
---@param place {rank: number, key: integer, page: integer, handed: integer} of the last record handed out
---@param fingerprint string of the query
---@param now number epoch seconds
---@return string token
---@return string expiry as `page_token_expiry` shows it
function M.issue(place, fingerprint, now)
  local expires = now + M.LIFETIME
  local payload = ("%.0f:%.0f:%.0f:%d:%d:%s"):format(
    expires, place.rank, place.key, place.page, place.handed, fingerprint
  )
  return to_base64(payload .. ":" .. random.fingerprint("token:" .. payload)), time.format(expires)
end

local function refuse(code)
  answers.refuse(400, code, { param_name = "page_token" })
end

--- Reads a token; a bad one ends the request.
---@param token string
---@param fingerprint string of the query it came with
---@param now number epoch seconds
---@return table place as given to `issue`
function M.redeem(token, fingerprint, now)
  local text = from_base64(token)
  local payload, checksum = (text or ""):match("^(.*):(%x+)$")
  if not payload or checksum ~= random.fingerprint("token:" .. payload) then
    refuse("INVALID_DATA")
  end
  local expires, rank, key, page, handed, bound = payload:match("^(%-?%d+):(%-?%d+):(%d+):(%d+):(%d+):(%x+)$")
  if bound ~= fingerprint then
    refuse("TOKEN_BOUND_DATA_MISMATCH")
  end
  if now >= tonumber(expires) then
    answers.refuse(400, "EXPIRED_VALUE", { api_name = "page_token", json_path = "$.query.page_token" })
  end
  if tonumber(handed) >= M.TOKEN_REACH then
    refuse("PAGINATION_LIMIT_EXCEEDED")
  end
  return { rank = tonumber(rank), key = tonumber(key), page = tonumber(page), handed = tonumber(handed) }
end

return M
