--- luasocket's http.request and lua-cjson.
local http = require "socket.http"
local ltn12 = require "ltn12"

require("spec.bench.contenders.by_hand").run(function(key)
  local function send(url, body)
    local chunks = {}
    local ok, status = http.request {
      url = url, method = body and "POST" or "GET", sink = ltn12.sink.table(chunks),
      source = body and ltn12.source.string(body),
      headers = {
        ["Authorization"] = "Bearer " .. key, ["Content-Type"] = "application/json", ["Content-Length"] = body and #body,
      },
    }
    assert(ok and status == 200, status)
    return table.concat(chunks)
  end
  return { get = send, post = send }
end)
