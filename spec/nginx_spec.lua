--- The library as a guest in nginx: one client of a worker, used by all its requests.
local build = os.getenv("ZOHOCRM_BUILD") or ""

-- nginx runs LuaJIT, and loads no module that wants a sanitizer loaded before it.
if not rawget(_G, "jit") or build:find("asan", 1, true) then return end

local fault_server = require("spec.support.fault_server")
local nginx_host = require("spec.support.nginx_host")
local sandbox_server = require("zohocrm.sandbox.server")
local shell = require("zohocrm.sandbox.server.shell")
local socket = require("socket")
local zohocrm = require("zohocrm")

local CLIENT = [[require("zohocrm").new { api_key = "sandbox", gateway_url = %q, rate = 0, concurrency = 100 }]]

local function client_of(address) return CLIENT:format(address.gateway_url or address.url) end

-- Asks again until it is so, for what takes an unknown time. Gives the last value.
local function eventually(get)
  local till = socket.gettime() + 10
  while socket.gettime() < till do
    local value = get()
    if value then return value end
    socket.sleep(0.01)
  end
  return get()
end

-- What every handler may use.
local HELPERS = [[
  function say(...)
    local words = { ... }
    for i = 1, select("#", ...) do words[i] = tostring(words[i]) end
    ngx.print(table.concat(words, " "))
  end
  function first_id(page)
    local list, err = crm.Leads:list { fields = "Last_Name", per_page = 1, page = page }
    return list and list[1].id or err
  end
]]

local TIMERS = [[ say(ngx.timer.running_count(), ngx.timer.pending_count()) ]]

local SANDBOX_RECORDS = 200

describe("in nginx", function()
  local sandbox, nginx, ids

  local function set_latency(seconds)
    local status = shell.capture(("curl -fsS -X PUT -d '{\"seconds\":%g}' %s/__sandbox/latency"):format(seconds, sandbox.url))
    assert.equal(0, status)
  end

  setup(function()
    sandbox = sandbox_server.start { records = SANDBOX_RECORDS }
    ids = {}
    local crm = zohocrm.new { api_key = "sandbox", gateway_url = sandbox.gateway_url, rate = 0 }
    for i, lead in ipairs(assert(crm.Leads:all { fields = "id" })) do ids[i] = lead.id end
    assert.equal(SANDBOX_RECORDS, #ids)
  end)
  teardown(function() sandbox:stop() end)
  after_each(function()
    if nginx then nginx:stop() end
    nginx = nil
    set_latency(0)
  end)

  local function start(options)
    options.init = HELPERS .. ("crm = %s\n"):format(client_of(sandbox)) .. (options.init or "")
    options.locations = options.locations or {}
    options.locations["/id"] = "say(ngx.var.arg_page, first_id(tonumber(ngx.var.arg_page)))"
    options.locations["/timers"] = TIMERS
    nginx = nginx_host.start(options)
  end

  local function body_of(path)
    local status, body = nginx:get(path)
    assert.equal(200, status)
    return body
  end

  -- ---- phases ------------------------------------------------------------------------------------------------------

  describe("calls work", function()
    it("in rewrite, access, content and timers", function()
      start {
        locations = {
          ["^/rewrite"] = "rewrite_by_lua_block { say(ngx.get_phase(), first_id(1)) ngx.exit(200) }",
          ["^/access"] = "access_by_lua_block { say(ngx.get_phase(), first_id(2)) ngx.exit(200) }",
          ["/content"] = "say(ngx.get_phase(), first_id(3))",
          ["/timer"] = [[
            local ended = require("ngx.semaphore").new()
            local seen
            ngx.timer.at(0, function() seen = ngx.get_phase() .. " " .. tostring(first_id(4)) ended:post() end)
            ended:wait(10)
            say(seen)
          ]],
        },
      }
      for i, phase in ipairs { "rewrite", "access", "content", "timer" } do
        assert.equal(phase .. " " .. ids[i], body_of("/" .. phase))
      end
      assert.equal("0 0", body_of("/timers"))
    end)

    it("while a TLS handshake waits for its certificate", function()
      local port = require("zohocrm.sandbox.server.ports").choose(1, shell.own_pid() + 1)[1]
      start {
        init = "seen = {}",
        server = ([[
          listen 127.0.0.1:%d ssl;
          ssl_certificate %s/server.pem;
          ssl_certificate_key %s/server.key;
          ssl_certificate_by_lua_block { seen[1] = ngx.get_phase() .. " " .. tostring(first_id(5)) }
        ]]):format(port, sandbox.folder, sandbox.folder),
        locations = { ["/seen"] = "say(seen[1])" },
      }
      local status, output = shell.capture(("curl -fsSk https://127.0.0.1:%d/__ready"):format(port))
      assert.equal(0, status, output)
      assert.equal("ready", output)
      assert.equal("ssl_cert " .. ids[5], body_of("/seen"))
    end)

    it("with the sandbox in nginx itself", function()
      start { locations = { ["/own"] = [[
        local own = require("zohocrm").new { sandbox = { records = 3 } }
        say(#own.Leads:list { fields = "id" }, own:org().company_name)
      ]] } }
      assert.equal("3 Acme Corp", body_of("/own"))
    end)
  end)

  describe("calls raise a sentence with the remedy", function()
    local NOT = "a call of the client is not possible in nginx's phase '%s', which cannot wait; "
    local TIMER = "make the call in a timer: ngx.timer.at(0, function() … end)"

    it("in init and init_worker", function()
      start {
        init = "local _, err = pcall(first_id, 1) in_init = err",
        init_worker = "local _, err = pcall(first_id, 1) in_worker = err",
        locations = { ["/init"] = "say(in_init)", ["/worker"] = "say(in_worker)" },
      }
      local function sentence(phase) return NOT:format(phase):gsub("%p", "%%%0") end
      assert.matches("init_by_lua.*:%d+: " .. sentence("init"), body_of("/init"))
      assert.matches("make the client here, and the call in init_worker_by_lua%*, in a timer", body_of("/init"))
      assert.matches(sentence("init_worker") .. TIMER:gsub("%p", "%%%0"), body_of("/worker"))
    end)

    it("in set, header_filter, body_filter, log and balancer", function()
      start {
        init = [[ errors = {} function try() local _, err = pcall(first_id, 1) errors[ngx.get_phase()] = err end ]],
        http = [[ upstream nobody { server 0.0.0.1; balancer_by_lua_block {
          try() require("ngx.balancer").set_current_peer("127.0.0.1", 1) } } ]],
        locations = {
          ["^/all"] = [[
            set_by_lua_block $ignored { try() return "" }
            content_by_lua_block { say("fine") }
            header_filter_by_lua_block { try() }
            body_filter_by_lua_block { try() }
            log_by_lua_block { try() }
          ]],
          ["^/balancer"] = "proxy_pass http://nobody;",
          ["/error"] = "say(errors[ngx.var.arg_phase])",
        },
      }
      assert.equal("fine", body_of("/all"))
      assert.equal(502, (nginx:get("/balancer")))
      for phase, remedy in pairs {
        set = "make the call in rewrite_by_lua* or access_by_lua*", header_filter = TIMER, body_filter = TIMER, log = TIMER,
        balancer = "make the call in access_by_lua*, and keep what it gave in ngx.ctx",
      } do
        local text = eventually(function()
          local said = body_of("/error?phase=" .. phase)
          return said ~= "nil" and said
        end)
        assert.truthy(text and text:find(NOT:format(phase) .. remedy, 1, true), phase .. ": " .. tostring(text))
      end
    end)

    it("for tasks, too", function()
      start {
        init = "local _, err = pcall(crm.spawn, crm, print) in_init = err",
        locations = { ["/init"] = "say(in_init)" },
      }
      assert.matches("a task of the client is not possible in nginx's phase 'init'", body_of("/init"), 1, true)
    end)
  end)

  -- ---- many at once ------------------------------------------------------------------------------------------------

  it("a hundred requests at once get their own answers, by one client and one timer", function()
    set_latency(0.05)
    start {
      init = "most = 0",
      locations = { ["/counted"] = [[
        local thread = ngx.thread.spawn(first_id, tonumber(ngx.var.arg_page))
        most = math.max(most, ngx.timer.running_count() + ngx.timer.pending_count())
        local _, id = ngx.thread.wait(thread)
        say(ngx.var.arg_page, id)
      ]], ["/most"] = "say(most)" },
    }
    local connections = {}
    for page = 1, 100 do connections[page] = nginx:send("/counted?page=" .. page) end
    for page = 1, 100 do
      local status, body = nginx:receive(connections[page])
      assert.equal(200, status)
      assert.equal(page .. " " .. ids[page], body)
    end
    assert.equal("1", body_of("/most"))
    assert.equal("0 0", body_of("/timers"))
    assert.equal("", nginx:complaints())
  end)

  it("all go on in turn where more are ready than a turn of the worker takes", function()
    start { locations = { ["/crowd"] = [[
      local host = require "zohocrm.hosts.nginx"
      local always = { ready = function() return true end }
      local none = { core = { closed = function() return true end } } -- a client that has nothing to do
      local turns, threads = {}, {}
      for i = 1, 60 do
        turns[i] = 0
        threads[i] = ngx.thread.spawn(function()
          while not turns.over do
            host.pause(none, always)
            turns[i] = turns[i] + 1
            turns.over = turns.over or turns[i] == 20
          end
        end)
      end
      for i = 1, 60 do ngx.thread.wait(threads[i]) end
      table.sort(turns)
      say(turns[1] >= 10)
    ]] } }
    assert.equal("true", body_of("/crowd"))
  end)

  it("other requests are answered while calls are under way", function()
    set_latency(1)
    start { locations = { ["/plain"] = "say('plain')" } }
    local waiting = {}
    for page = 1, 20 do waiting[page] = nginx:send("/id?page=" .. page) end
    for _ = 1, 50 do assert.equal("plain", body_of("/plain")) end
    assert.equal(0, #socket.select(waiting, nil, 0), "the calls were not under way any more")
    for page = 1, 20 do assert.equal(page .. " " .. ids[page], select(2, nginx:receive(waiting[page]))) end
  end)

  it("two clients do not disturb each other", function()
    local other = sandbox_server.start { records = 7 }
    start {
      init = ("other = %s"):format(client_of(other)),
      locations = { ["/both"] = [[
        local function count(client) return #client.Leads:list { fields = "id", per_page = 50 } end
        local mine = ngx.thread.spawn(count, crm)
        local theirs = ngx.thread.spawn(count, other)
        local _, n = ngx.thread.wait(mine)
        local _, m = ngx.thread.wait(theirs)
        local a, b = require("zohocrm").gather(function() return count(crm) end, function() return count(other) end)
        say(n, m, a, b)
      ]] },
    }
    local connections = {}
    for i = 1, 10 do connections[i] = nginx:send("/both") end
    for i = 1, 10 do assert.equal("50 7 50 7", select(2, nginx:receive(connections[i]))) end
    assert.equal("0 0", body_of("/timers"))
    other:stop()
  end)

  it("a client made in the master serves every worker", function()
    start { workers = 3, locations = { ["/who"] = "say(ngx.worker.id(), first_id(1))" } }
    local seen, count = {}, 0
    eventually(function()
      local worker, id = body_of("/who"):match("^(%d+) (%d+)$")
      assert.equal(ids[1], id)
      count = count + (seen[worker] and 0 or 1)
      seen[worker] = true
      return count == 3
    end)
    assert.equal(3, count)
    assert.equal("", nginx:complaints())
  end)

  it("the calls of a closed client end", function()
    set_latency(1)
    start { locations = {
      ["/close"] = "crm:close() say('closed')",
      ["/kind"] = "local org, err = crm:org() say(err.kind)",
    } }
    local waiting = nginx:send("/kind")
    assert.equal("closed", body_of("/close"))
    assert.equal("cancelled", select(2, nginx:receive(waiting)))
    assert.equal("0 0", body_of("/timers"))
  end)

  -- ---- tasks -------------------------------------------------------------------------------------------------------

  describe("tasks", function()
    it("of one request run side by side", function()
      set_latency(0.1)
      start { locations = {
        ["/gather"] = [[
          local one = tonumber(ngx.var.arg_page)
          local a, b = require("zohocrm").gather(
            function() return first_id(one) end, function() ngx.sleep(0.01) return first_id(one + 1) end)
          say(a, b, crm:limits().in_flight)
        ]],
        ["/spawn"] = [[
          local tasks = {}
          for i = 1, 3 do tasks[i] = crm:spawn(first_id, i) end
          say(crm:step(), crm:step(), crm:limits().in_flight, crm:run(), (tasks[3]:result()))
        ]],
      } }
      local connections = {}
      for page = 1, 20 do connections[page] = nginx:send("/gather?page=" .. page) end
      for page = 1, 20 do
        assert.equal(("%s %s "):format(ids[page], ids[page + 1]), select(2, nginx:receive(connections[page])):match("^.- .- "))
      end
      assert.equal("3 3 3 true " .. ids[3], body_of("/spawn"))
      assert.equal("0 0", body_of("/timers"))
    end)

    it("of different requests know nothing of each other, also where they wait for nginx", function()
      start { locations = {
        ["/slow"] = [[
          say(crm:spawn(function()
            ngx.sleep(0.3)
            return crm:spawn(first_id, 2):wait()
          end):wait())
        ]],
        ["/quick"] = "crm:spawn(first_id, 1) say(crm:step(), crm:run())",
      } }
      local slow = nginx:send("/slow")
      for _ = 1, 5 do assert.equal("1 true", body_of("/quick")) end
      assert.equal(ids[2], select(2, nginx:receive(slow)))
    end)

    it("may be moved on by two threads of a request", function()
      start { locations = { ["/two"] = [[
        local task = crm:spawn(function() ngx.sleep(0.1) return first_id(1) end)
        local one = ngx.thread.spawn(crm.run, crm)
        local two = ngx.thread.spawn(crm.run, crm)
        local _, first = ngx.thread.wait(one)
        local _, second = ngx.thread.wait(two)
        say(first, second, task:result())
      ]] } }
      assert.equal("true true " .. ids[1], body_of("/two"))
    end)

    it("and coroutines of one's own may call the client", function()
      start { locations = { ["/own"] = [[
        local producer = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(first_id(i)) end end)
        say(producer(), producer(), producer())
      ]], ["/nested"] = [[
        say(crm:spawn(function()
          local producer = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(first_id(i)) end end)
          local mine = require("zohocrm").coroutine.wrap(function() return first_id(4) end)
          return table.concat({ producer(), producer(), producer(), mine() }, " ")
        end):wait())
      ]] } }
      assert.equal(table.concat({ ids[1], ids[2], ids[3] }, " "), body_of("/own"))
      assert.equal(table.concat({ ids[1], ids[2], ids[3], ids[4] }, " "), body_of("/nested"))
    end)
  end)

  -- ---- handlers that end early -------------------------------------------------------------------------------------

  describe("a call is cancelled", function()
    local faults

    before_each(function() faults = fault_server.start() end)
    after_each(function() faults:stop() end)

    local ORG = '{"org":[{"company_name":"Acme"}]}'

    local function open_connections() return (select(2, faults:connections())) end

    local function start_with(location, options)
      options = options or {}
      options.init = ("faulty = %s"):format(client_of(faults))
      options.http = "lua_check_client_abort on;"
      options.locations = {
        ["/killed"] = location,
        ["/org"] = "local org, err = faulty:org() say(org and org.company_name or err)",
      }
      start(options)
    end

    -- The server sees the connection of a cancelled call close; then the client serves as before.
    local function assert_ended()
      assert.is_true(eventually(function() return open_connections() == 0 end))
      faults:script { fault_server.reply { body = ORG } }
      assert.equal("Acme", body_of("/org"))
      assert.equal("0 0", body_of("/timers"))
      assert.equal("", nginx:complaints())
    end

    for name, location in pairs {
      ["when the client of the request goes away"] = "faulty:org()",
      ["then with ngx.on_abort, too"] = "ngx.on_abort(function() ngx.exit(499) end) faulty:org()",
      ["then with tasks, too"] = [[
        require("zohocrm").gather(function() faulty:org() end, function() return first_id(1) end)
      ]],
    } do
      it(name, function()
        start_with(location)
        faults:script { { { hang = true } } }
        local connection = nginx:send("/killed")
        assert.is_true(eventually(function() return #faults:received() == 1 end))
        assert.equal(1, open_connections())
        connection:close()
        assert_ended()
      end)
    end

    it("when its thread is killed", function()
      start_with([[
        local thread = ngx.thread.spawn(faulty.org, faulty)
        ngx.sleep(0.1)
        say(ngx.thread.kill(thread))
      ]])
      faults:script { { { hang = true } } }
      assert.equal("1", body_of("/killed"))
      assert.equal(1, #faults:received())
      assert_ended()
    end)

    it("when a deadline passes, or the handler waits with one of its own", function()
      start_with([[ local org, err = faulty:request { path = "/crm/v8/org", deadline = 0.2, retries = 0 } say(err.kind) ]])
      faults:script { { { hang = true } } }
      assert.equal("timeout", body_of("/killed"))
      assert_ended()
    end)
  end)

  -- ---- the life of a worker ----------------------------------------------------------------------------------------

  describe("a worker that ends", function()
    local function quits_with(signal, check)
      set_latency(0.5)
      start {
        init = "timer_done = false",
        locations = { ["/timer"] = [[ ngx.timer.at(0, function() first_id(1) ngx.log(ngx.NOTICE, "the timer is done") end) ]] },
      }
      local worker = nginx:workers()[1]
      local waiting = {}
      for page = 1, 10 do waiting[page] = nginx:send("/id?page=" .. page) end
      assert.equal(200, (nginx:get("/timer")))
      nginx:signal(signal)
      for page = 1, 10 do assert.equal(page .. " " .. ids[page], select(2, nginx:receive(waiting[page]))) end
      check(worker)
      nginx:stop()
      assert.equal("", nginx:complaints())
      assert.matches("the timer is done", nginx:error_log(), 1, true)
    end

    it("by QUIT answers first", function()
      quits_with("QUIT", function() end)
    end)

    it("by a reload answers first, and the next one serves", function()
      quits_with("HUP", function(worker)
        assert.is_true(eventually(function()
          local workers = nginx:workers()
          return #workers == 1 and workers[1] ~= worker
        end))
        set_latency(0)
        assert.equal("1 " .. ids[1], body_of("/id?page=1"))
      end)
    end)

    it("does not stay for calls that nobody waits for", function()
      local faults = fault_server.start()
      faults:script { { { hang = true } } }
      start {
        init = ("faulty = %s"):format(client_of(faults)),
        locations = { ["/left"] = [[
          local task = faulty:spawn(faulty.org, faulty)
          faulty:step()
          kept = task
          say(faulty:limits().in_flight)
        ]] },
      }
      assert.equal("1", body_of("/left"))
      local began = socket.gettime()
      nginx:stop()
      assert.is_true(socket.gettime() - began < 30) -- the call's own limit is 60 seconds
      assert.equal("", nginx:complaints())
      faults:stop()
    end)
  end)

  it("serves where nginx grants no timer", function()
    for _, limit in ipairs { "lua_max_running_timers 1;", "lua_max_pending_timers 1;" } do
      start {
        http = limit,
        locations = { ["/busy"] = [[
          ngx.timer.at(ngx.var.arg_delay, function() ngx.sleep(1) end)
          ngx.sleep(0.05)
          say(first_id(1), first_id(2))
        ]] },
      }
      assert.equal(ids[1] .. " " .. ids[2], body_of("/busy?delay=" .. (limit:find("pending") and 1 or 0)))
      nginx:stop()
    end
  end)

  -- ---- the rate ----------------------------------------------------------------------------------------------------

  describe("shared_rate", function()
    local RATE = 8

    local upstream

    -- Notes when each request came; the first of each page is refused.
    before_each(function()
      upstream = nginx_host.start {
        init = "times, seen = {}, {}",
        locations = {
          ["^/zoho-crm/crm/v8/Leads"] = [[ content_by_lua_block {
            ngx.update_time()
            times[#times + 1] = ngx.now()
            local page = ngx.var.arg_page
            ngx.header["Content-Type"] = "application/json"
            if ngx.var.arg_sort_by == "Created_Time" and not seen[page] then
              seen[page] = true
              ngx.status = 503
              ngx.print("{}")
            else
              ngx.print('{"data":[{"id":"', page, '"}],"info":{"more_records":false}}')
            end
          } ]],
          ["/times"] = "for _, time in ipairs(times) do ngx.say(('%.3f'):format(time)) end",
        },
      }
    end)
    after_each(function() upstream:stop() end)

    local function start_sharing(workers)
      nginx = nginx_host.start {
        workers = workers, http = "lua_shared_dict crm 64k;",
        init = ([[crm = require("zohocrm").new { api_key = "k", gateway_url = "%s/zoho-crm", rate = %d, shared_rate = "crm",
          concurrency = 100 }]]):format(upstream.url, RATE),
        locations = { ["/page"] = [[
          local page = tonumber(ngx.var.arg_page)
          local list = assert(crm.Leads:list { fields = "id", page = page, sort_by = ngx.var.arg_sort_by })
          ngx.print(ngx.worker.id(), " ", list[1].id)
        ]] },
      }
    end

    local function ask(count, rest)
      local connections, workers, busy = {}, {}, 0
      for page = 1, count do connections[page] = nginx:send("/page?page=" .. page .. rest) end
      for page = 1, count do
        local _, body = nginx:receive(connections[page])
        local worker, id = body:match("^(%d) (%d+)$")
        assert.equal(tostring(page), id)
        busy = busy + (workers[worker] and 0 or 1)
        workers[worker] = true
      end
      return busy
    end

    local function most_in_a_second()
      local times, most, first = {}, 0, 1
      for time in select(2, upstream:get("/times")):gmatch("[%d.]+") do times[#times + 1] = tonumber(time) end
      for last = 1, #times do
        while times[last] - times[first] >= 1 do first = first + 1 end
        most = math.max(most, last - first + 1)
      end
      return most, #times
    end

    it("holds for all workers together, and none of it is left unused", function()
      start_sharing(4)
      assert.is_true(ask(3 * RATE, "") > 1)
      assert.same({ RATE, 3 * RATE }, { most_in_a_second() })
      assert.equal("", nginx:complaints())
    end)

    it("counts attempts", function()
      start_sharing(2)
      ask(RATE, "&sort_by=Created_Time")
      assert.same({ RATE, 2 * RATE }, { most_in_a_second() })
    end)

    it("outlives a reload, and a worker that is killed", function()
      start_sharing(2)
      ask(RATE, "")
      nginx:signal("HUP")
      ask(RATE, "")
      shell.capture("kill -KILL " .. table.concat(nginx:workers(), " "))
      assert.is_truthy(eventually(function() return pcall(nginx.get, nginx, "/__ready") end))
      ask(RATE, "")
      assert.same({ RATE, 3 * RATE }, { most_in_a_second() })
    end)

    it("is given back by calls that end before they leave", function()
      nginx = nginx_host.start {
        http = "lua_shared_dict crm 64k;",
        init = ([[crm = require("zohocrm").new { api_key = "k", gateway_url = %q, rate = %d, shared_rate = "crm",
          retries = 0, concurrency = 100 }]]):format(fault_server.refusing_url(), RATE),
        locations = { ["/kind"] = "local org, err = crm:org() ngx.print(err.kind, ' ', #ngx.shared.crm:get_keys())" },
      }
      for _ = 1, 3 * RATE do assert.equal("network 0", body_of("/kind")) end
    end)

    it("needs nginx, the dictionary, and a rate", function()
      local _, err = pcall(function() zohocrm.new { api_key = "k", shared_rate = "crm" } end)
      assert.matches("nginx_spec%.lua:%d+: zohocrm%.new: shared_rate is for nginx", err)
      nginx = nginx_host.start {
        http = "lua_shared_dict crm 64k;",
        locations = { ["/new"] = [[
          local zohocrm = require("zohocrm")
          ngx.say(select(2, pcall(zohocrm.new, { api_key = "k", shared_rate = "cmr" })))
          ngx.say(select(2, pcall(zohocrm.new, { api_key = "k", shared_rate = "crm", rate = 0 })))
        ]] },
      }
      local missing, unlimited = body_of("/new"):match("^(.-)\n(.-)\n$")
      assert.matches("nginx has no dictionary 'cmr'; add to the http block: lua_shared_dict cmr 64k;", missing, 1, true)
      assert.matches("shared_rate needs a rate, which is 0 here", unlimited, 1, true)
    end)
  end)
end)
