--- lua-http and lua-cjson.

-- Debian has it for Lua 5.1 to 5.3. It is in Lua alone and runs on 5.4 just as well, with C modules that are there.
if _VERSION == "Lua 5.4" then
  for _, version in ipairs { "5.3", "5.2", "5.1" } do
    package.path = ("%s;/usr/share/lua/%s/?.lua"):format(package.path, version)
  end
end
local request = require "http.request"

require("spec.bench.contenders.by_hand").run(function(key)
  local function send(url, body)
    local asked = request.new_from_uri(url)
    asked.headers:upsert("authorization", "Bearer " .. key)
    if body then
      asked.headers:upsert(":method", "POST")
      asked.headers:upsert("content-type", "application/json")
      asked:set_body(body)
    end
    local headers, stream = assert(asked:go())
    assert(headers:get(":status") == "200", headers:get(":status"))
    return assert(stream:get_body_as_string())
  end
  return { get = send, post = send }
end)
