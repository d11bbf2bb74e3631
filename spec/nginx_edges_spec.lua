--- The nginx host where nginx does more than hand a request to its handler: subrequests, redirects, a Lua state for each
--- request, workers that are told to end at once; and calls over HTTP/2.
local build = os.getenv("ZOHOCRM_BUILD") or ""

-- nginx runs LuaJIT, and loads no module that wants a sanitizer loaded before it.
if not rawget(_G, "jit") or build:find("asan", 1, true) then return end

local fault_server = require("spec.support.fault_server")
local nginx_host = require("spec.support.nginx_host")
local sandbox_server = require("zohocrm.sandbox.server")
local socket = require("socket")
local zohocrm = require("zohocrm")

local CLIENT = [[require("zohocrm").new { api_key = "sandbox", gateway_url = %q, ca_file = %q, rate = 0, concurrency = 100 }]]

local HELPERS = [[
  function first_id(page)
    local list, err = crm.Leads:list { fields = "Last_Name", per_page = 1, page = tonumber(page) }
    return list and list[1].id or tostring(err)
  end
]]

local function eventually(get)
  local till = socket.gettime() + 10
  repeat
    if get() then return true end
    socket.sleep(0.01)
  until socket.gettime() > till
  return false
end

describe("in nginx", function()
  local sandbox, nginx, ids, faults

  setup(function()
    sandbox = sandbox_server.start { records = 600 }
    ids = {}
    local crm = zohocrm.new { api_key = "sandbox", gateway_url = sandbox.gateway_url, rate = 0 }
    for i, lead in ipairs(assert(crm.Leads:all { fields = "id" })) do ids[i] = lead.id end
    assert.equal(600, #ids)
  end)
  teardown(function() sandbox:stop() end)
  after_each(function()
    if nginx then nginx:stop() end
    if faults then faults:stop() end
    nginx, faults = nil, nil
  end)

  local function start(options)
    options.init = HELPERS .. ("crm = %s\n"):format(CLIENT:format(options.gateway_url or sandbox.gateway_url, sandbox.ca_file))
      .. (options.init or "")
    options.locations["/timers"] = "ngx.print(ngx.timer.running_count(), ' ', ngx.timer.pending_count())"
    options.locations["/id"] = "ngx.print(first_id(ngx.var.arg_page))"
    nginx = nginx_host.start(options)
  end

  local function body_of(path)
    local status, body = nginx:get(path)
    assert.equal(200, status, body)
    return body
  end

  it("whole pages come over TLS, many at once", function()
    start {
      gateway_url = sandbox.tls_gateway_url,
      locations = { ["/pages"] = [[
        local seen = {}
        for page = 1, 3 do
          local list = assert(crm.Leads:list { fields = { "Last_Name", "Email", "Company", "Description" }, page = page })
          seen[page] = #list .. " " .. list[1].id .. " " .. list[#list].id
        end
        ngx.print(table.concat(seen, ","))
      ]] },
    }
    local expected = {}
    for page = 1, 3 do expected[page] = ("200 %s %s"):format(ids[page * 200 - 199], ids[page * 200]) end
    local connections = {}
    for i = 1, 20 do connections[i] = nginx:send("/pages") end
    for i = 1, 20 do assert.equal(table.concat(expected, ","), select(2, nginx:receive(connections[i]))) end
    assert.equal("0 0", body_of("/timers"))
    assert.equal("", nginx:complaints())
  end)

  it("subrequests have their own calls", function()
    start { locations = { ["/many"] = [[
      local requests = {}
      for page = 1, 5 do requests[page] = { "/id", { args = { page = page } } } end
      local bodies = {}
      for i, answer in ipairs { ngx.location.capture_multi(requests) } do bodies[i] = answer.body end
      ngx.print(table.concat(bodies, " "), " ", first_id(6))
    ]] } }
    assert.equal(table.concat(ids, " ", 1, 6), body_of("/many"))
    assert.equal("0 0", body_of("/timers"))
  end)

  it("a request may go on at another location, and leaves its tasks behind", function()
    faults = fault_server.start()
    faults:script { { { hang = true } } }
    start {
      init = "faulty = " .. CLIENT:format(faults.url, sandbox.ca_file),
      locations = {
        ["/from"] = [[
          crm:spawn(first_id, 1)
          faulty:spawn(faulty.org, faulty)
          faulty:step()
          crm:step()
          ngx.exec("/to?page=2")
        ]],
        ["/to"] = "ngx.print(crm:spawn(first_id, ngx.var.arg_page):wait(), ' ', crm:step())",
        ["/collect"] = "collectgarbage() collectgarbage() ngx.print(faulty:limits().in_flight)",
      },
    }
    assert.equal(ids[2] .. " 0", body_of("/from"))
    assert.equal(1, #faults:received())
    assert.is_true(eventually(function() return body_of("/collect") == "0" end))
    assert.is_true(eventually(function() return body_of("/timers") == "0 0" end))
    assert.equal("", nginx:complaints())
  end)

  it("with lua_code_cache off each request has a client of its own", function()
    start { http = "lua_code_cache off;", locations = {} }
    for page = 1, 8 do assert.equal(ids[page], body_of("/id?page=" .. page)) end
    local connections = {}
    for page = 1, 8 do connections[page] = nginx:send("/id?page=" .. page) end
    for page = 1, 8 do assert.equal(ids[page], select(2, nginx:receive(connections[page]))) end
    nginx:signal("QUIT")
    nginx:stop()
    local log = nginx:complaints():gsub("[^\n]*lua_code_cache is off[^\n]*\n?", "")
    assert.equal("", log)
  end)

  for _, signal in ipairs { "TERM", "INT" } do
    it("a worker ends at once by " .. signal .. ", whatever is under way", function()
      faults = fault_server.start()
      local script = {}
      for i = 1, 5 do script[i] = { { hang = true } } end
      faults:script(script)
      start { gateway_url = faults.url, locations = {} }
      local waiting = {}
      for i = 1, 5 do waiting[i] = nginx:send("/id?page=1") end
      assert.is_true(eventually(function() return #faults:received() == 5 end))
      local began = socket.gettime()
      nginx:signal(signal)
      nginx:stop()
      assert.is_true(socket.gettime() - began < 30) -- the calls' own limit is 60 seconds
      for i = 1, 5 do waiting[i]:close() end
      assert.is_nil(nginx:error_log():match("exited on signal[^\n]*"))
      assert.is_nil(nginx:error_log():match("[^\n]*%[emerg%][^\n]*"))
    end)
  end

  it("a worker that died is replaced by one that serves", function()
    start { locations = { ["/pid"] = "ngx.print(ngx.worker.pid())" } }
    assert.equal(ids[1], body_of("/id?page=1"))
    local pid = body_of("/pid")
    require("zohocrm.sandbox.server.shell").capture("kill -KILL " .. pid)
    assert.is_true(eventually(function()
      local fine, status, body = pcall(nginx.get, nginx, "/pid")
      return fine and status == 200 and body ~= pid
    end))
    assert.equal(ids[2], body_of("/id?page=2"))
  end)
end)
