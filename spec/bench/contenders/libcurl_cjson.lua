--- The second floor: libcurl's download in C, then cjson.decode of the bodies.
local bench_fetch = require "bench_fetch"

require("spec.bench.contenders.by_hand").run(function(key)
  local handle = bench_fetch.open(key)
  return {
    get = function(url) return assert(handle:get(url)) end,
    post = function(url, body) return assert(handle:post(url, body)) end,
  }
end)
