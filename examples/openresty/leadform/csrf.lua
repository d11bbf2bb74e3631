--- Against forms that other sites send in a visitor's name: a token that is signed, in the page and in a cookie. Both
--- have to come back, be the same, and be ours; another site can neither read nor set them.

local M = {}

local COOKIE = "csrf"
local LIFETIME = 4 * 3600 -- seconds

-- Characters; a secret that can be guessed is none.
local SECRET_LEAST = 32

local secret

local function random_hex(bytes)
  local file = assert(io.open("/dev/urandom", "rb"))
  local text = file:read(bytes)
  file:close()
  return (text:gsub(".", function(character) return ("%02x"):format(character:byte()) end))
end

--- To be called in nginx's master: all workers have the same secret then. Pages from before a reload are refused,
--- unless the environment has a secret that stays.
function M.init()
  secret = os.getenv "FORM_SECRET" or random_hex(32)
  assert(#secret >= SECRET_LEAST, "FORM_SECRET is too short; try: openssl rand -hex 32")
end

local function sign(text)
  return ngx.encode_base64(ngx.hmac_sha1(secret, text)):gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" })
end

-- How long a comparison takes must not tell how much of a guess was right, so what is compared cannot be chosen.
local function same(a, b)
  return ngx.hmac_sha1(secret, a) == ngx.hmac_sha1(secret, b)
end

-- Seconds for which a token is still good; nil where it is not one of ours.
local function remaining(token)
  local expires, nonce, signature = token:match("^(%d+)%.(%x+)%.([%w_-]+)$")
  if not expires or not same(signature, (sign(expires .. "." .. nonce))) then
    return nil
  end
  return tonumber(expires) - ngx.time()
end

--- Gives the visitor's token; makes it and its cookie if there is none. It stays the same for half its life, so that a
--- page in one tab does not make that in another useless.
---@return string token for the field `csrf` of the form
function M.issue()
  local held = ngx.var["cookie_" .. COOKIE]
  if held and (remaining(held) or 0) > LIFETIME / 2 then
    return held
  end
  local claim = ("%d.%s"):format(ngx.time() + LIFETIME, random_hex(16))
  local token = claim .. "." .. sign(claim)
  ngx.header["Set-Cookie"] = ("%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s"):format(COOKIE, token, LIFETIME,
    ngx.var.scheme == "https" and "; Secure" or "")
  return token
end

--- Whether a form came from a page of ours.
---@param token any what its field `csrf` had
---@return boolean
function M.accepts(token)
  local cookie = ngx.var["cookie_" .. COOKIE]
  if type(token) ~= "string" or not cookie or not same(token, cookie) then
    return false
  end
  return (remaining(token) or 0) > 0
end

return M
