--- The benchmark of the nginx host: `make bench-nginx`. One nginx worker asks the same upstream for the same record in
--- two ways, by the client and by cosockets written by hand, turn and turn about; wrk asks the worker.
---
--- Environment: ROUNDS (3), SECONDS of each run (3).

local nginx_host = require "spec.support.nginx_host"
local shell = require "zohocrm.sandbox.server.shell"

local PATH = "/zoho-crm/crm/v8/Leads/7243485000000597000"

local LEAD = [[{"data":[{"id":"7243485000000597000","Last_Name":"Smith","First_Name":"Ann","Company":"Acme",]]
  .. [["Email":"ann.smith@example.com","Phone":"+47 555 0100","City":"Oslo","Country":"Norway","Lead_Source":"Web",]]
  .. [["Lead_Status":"Contacted","Industry":"Manufacturing","No_of_Employees":120,"Annual_Revenue":1250000.5,]]
  .. [["Rating":null,"Email_Opt_Out":false,"Street":"Main Street 1","State":null,"Zip_Code":"0154",]]
  .. [["Description":"Comparing three suppliers, decides this quarter.","Owner":{"name":"Kari","id":"7243485000000385001",]]
  .. [["email":"kari@example.com"},"Created_Time":"2026-01-30T09:00:00+01:00",]]
  .. [["Modified_Time":"2026-02-01T09:00:00+01:00"}]}]]

local BY_HAND = [[
  local connection = ngx.socket.tcp()
  connection:settimeout(5000)
  assert(connection:connect("127.0.0.1", PORT, { pool_size = 200 }))
  assert(connection:send("GET " .. PREFIX .. PATH .. " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sandbox\r\n"
    .. "Accept: application/json\r\n\r\n"))
  local status = tonumber(assert(connection:receive("*l")):match("^HTTP/1%.1 (%d+)"))
  local headers, line = {}, nil
  repeat
    line = assert(connection:receive("*l"))
    local name, value = line:match("^([^:]+):%s*(.*)$")
    if name then headers[name:lower()] = value end
  until line == ""
  local body = assert(connection:receive(tonumber(headers["content-length"])))
  connection:setkeepalive(60000, 200)
  assert(status == 200, status)
  ngx.print(cjson.decode(body).data[1].Last_Name)
]]

local WAYS = { "by_hand", "client" }

-- How long the upstream takes: nothing at all, so that the worker's own work is all there is; and what a near and a
-- far server take.
local LATENCIES = { 0, 5, 20, 100 }

local function environment(name, default)
  return tonumber(os.getenv(name) or "") or default
end

local SECONDS = environment("SECONDS", 3)

local function start_upstream()
  local answer = ("ngx.header['Content-Length'] = %d ngx.print([[%s]])"):format(#LEAD, LEAD)
  local locations = {}
  for _, latency in ipairs(LATENCIES) do
    locations[("^/%d%s"):format(latency, PATH)] = ("default_type application/json; content_by_lua_block { %s %s }"):format(
      latency > 0 and ("ngx.sleep(%g)"):format(latency / 1000) or "", answer)
  end
  return nginx_host.start { http = "keepalive_requests 1000000;", locations = locations }
end

local function start_worker(upstream)
  local init = { ("cjson, PORT, PATH, client = require 'cjson', %d, %q, {}"):format(upstream.port, PATH) }
  local locations = { ["/plain"] = "ngx.print('plain')" }
  for _, latency in ipairs(LATENCIES) do
    init[#init + 1] = ([[client[%d] = require("zohocrm").new { api_key = "sandbox", gateway_url = "%s/%d/zoho-crm",
      rate = 0, concurrency = 100 }]]):format(latency, upstream.url, latency)
    locations["/by_hand/" .. latency] = ("local PREFIX = '/%d' "):format(latency) .. BY_HAND
    locations["/client/" .. latency] = ([[
      ngx.print(assert(client[%d].Leads:get "7243485000000597000").Last_Name)
    ]]):format(latency)
  end
  return nginx_host.start { http = "keepalive_requests 1000000;", init = table.concat(init, "\n"), locations = locations }
end

local UNITS = { us = 1e-3, ms = 1, s = 1000 }

local function milliseconds(output, percent)
  local number, unit = output:match(percent .. "%%%s+([%d.]+)(%a+)")
  return assert(tonumber(number), output) * UNITS[unit]
end

local WRK = "wrk -t1 -c%d -d%g --latency %s%s"

local function ask(nginx, path, connections, seconds)
  local status, output = shell.capture(WRK:format(connections, seconds or SECONDS, nginx.url, path))
  assert(status == 0 and not output:find("Non%-2xx") and not output:find("Socket errors"), output)
  return {
    p50 = milliseconds(output, "50"), p99 = milliseconds(output, "99"),
    rate = tonumber(output:match("Requests/sec:%s+([%d.]+)")),
  }
end

local function median(samples, figure)
  local values = {}
  for i, sample in ipairs(samples) do values[i] = sample[figure] end
  table.sort(values)
  return values[math.ceil(#values / 2)]
end

-- Both ways, turn and turn about.
local function compare(nginx, latency, connections, rounds)
  local samples = { by_hand = {}, client = {} }
  for _ = 1, rounds do
    for _, way in ipairs(WAYS) do
      table.insert(samples[way], ask(nginx, ("/%s/%d"):format(way, latency), connections))
    end
  end
  local hand, own = samples.by_hand, samples.client
  print(("%4d ms  %3d at once   p50 %7.2f / %7.2f ms (reach %7.2f)   p99 %7.2f / %7.2f ms   %6.0f / %6.0f a second = %.2f")
    :format(latency, connections, median(own, "p50"), median(hand, "p50"), median(hand, "p50") * 1.02 + 1,
      median(own, "p99"), median(hand, "p99"), median(own, "rate"), median(hand, "rate"),
      median(own, "rate") / median(hand, "rate")))
end

-- An unrelated location, idle and with 100 requests under way in either way.
local function disturb(nginx, latency)
  local idle, busy = ask(nginx, "/plain", 1), {}
  for _, way in ipairs(WAYS) do
    local load = io.popen(WRK:format(100, SECONDS + 2, nginx.url, ("/%s/%d"):format(way, latency)))
    shell.capture("sleep 1")
    busy[way] = ask(nginx, "/plain", 1)
    load:read("*a")
    load:close()
  end
  print(("%4d ms  unrelated location: p99 %.2f ms idle, %.2f / %.2f ms with 100 requests under way")
    :format(latency, idle.p99, busy.client.p99, busy.by_hand.p99))
end

local function main()
  if shell.capture("command -v wrk") ~= 0 then
    error("bench-nginx needs wrk (Debian: apt install wrk)", 0)
  end
  local upstream = start_upstream()
  local nginx = start_worker(upstream)
  print("client / cosockets by hand, median of the rounds")
  for _, latency in ipairs(LATENCIES) do
    for _, way in ipairs(WAYS) do ask(nginx, ("/%s/%d"):format(way, latency), 100, 1) end -- opens the connections
    for _, connections in ipairs { 1, 100 } do compare(nginx, latency, connections, environment("ROUNDS", 3)) end
    disturb(nginx, latency)
  end
  nginx:stop()
  upstream:stop()
  assert(nginx:complaints() == "", nginx:complaints())
end

main()
