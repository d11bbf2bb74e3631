--- Against forms that other sites send in a visitor's name: a token that is signed, in the page and in a cookie. Both
--- have to come back, be the same, and be ours; another site can neither read nor set them.

local M = {}

local COOKIE = "csrf"
local LIFETIME = 4 * 3600 -- seconds

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
end

local function sign(text)
  return ngx.encode_base64(ngx.hmac_sha1(secret, text)):gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" })
end

-- How long a comparison takes must not tell how much of a guess was right, so what is compared cannot be chosen.
local function same(a, b)
  return ngx.hmac_sha1(secret, a) == ngx.hmac_sha1(secret, b)
end

--- Makes a token and its cookie.
---@return string token for the field `csrf` of the form
function M.issue()
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
  local expires, nonce, signature = token:match("^(%d+)%.(%x+)%.([%w_-]+)$")
  return expires ~= nil and same(signature, (sign(expires .. "." .. nonce))) and tonumber(expires) > ngx.time()
end

return M
