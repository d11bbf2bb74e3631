--- Debian's Lua binding of libcurl (lua-curl) and lua-cjson; one handle, so that its connection is kept, and gzip.
local curl = require "curl"

require("spec.bench.contenders.by_hand").run(function(key)
  local handle = curl.easy_init()
  handle:setopt(curl.OPT_HTTPHEADER, { "Authorization: Bearer " .. key, "Content-Type: application/json" })
  handle:setopt(curl.OPT_ACCEPT_ENCODING, "gzip")
  local chunks
  handle:setopt(curl.OPT_WRITEFUNCTION, function(bytes)
    chunks[#chunks + 1] = bytes
    return #bytes
  end)
  local function send(url, body)
    chunks = {}
    handle:setopt(curl.OPT_URL, url)
    if body then handle:setopt(curl.OPT_POSTFIELDS, body) end
    local code, message = handle:perform()
    assert(not code or code == 0, message)
    return table.concat(chunks)
  end
  return { get = send, post = send }
end)
