--- What the process does around the library: states that end while calls are under way, forks, threads, programs that
--- are started, names that nobody resolves. Nothing crashes, hangs or leaks (run by make asan and make valgrind, too).
local child = require("spec.support.child")
local doors = require("spec.support.doors")
local edges = require("spec.edges") -- built by make spec
local fault_server = require("spec.support.fault_server")
local nginx_host = require("spec.support.nginx_host")
local socket = require("socket")
local zohocrm = require("zohocrm")

local reply = fault_server.reply
local HANG = { { hang = true } }
local PAGE = reply { body = '{"data":[{"id":"1"},{"id":"2"}],"info":{"more_records":true}}' }

local function record(id) return reply { body = ('{"data":[{"id":"%s"}]}'):format(id) } end

-- What comes, within a time that is never needed.
local function eventually(get)
  local till = socket.gettime() + 20
  while not get() and socket.gettime() < till do socket.sleep(0.01) end
  return get()
end

local function client_of(faults, options)
  local given = { api_key = "k", gateway_url = faults.url .. "/zoho-crm", rate = 0, retries = 0 }
  for name, value in pairs(options or {}) do given[name] = value end
  return zohocrm.new(given)
end

describe("a Lua state that ends with calls under way", function()
  local faults

  before_each(function() faults = fault_server.start() end)
  after_each(function() faults:stop() end)

  -- A client with a walk in an unfinished loop, tasks that wait in a walk, a write, a gather and a coroutine, and a call
  -- that nobody waits for.
  local PRELUDE = [[
    local zohocrm = require "zohocrm"
    local crm = zohocrm.new { api_key = "k", gateway_url = "%s/zoho-crm", rate = 0, retries = 0, on_request = function()
      if during_request then during_request() end
    end }
    local loop = coroutine.wrap(function() for lead in crm.Leads:each { fields = "id" } do coroutine.yield(lead) end end)
    assert(loop().id == "1")
    crm:spawn(function() for _ in crm.Deals:each { fields = "id" } do coroutine.yield() end end)
    crm:spawn(function() crm.Leads:create { { Last_Name = "a" }, { Last_Name = "b" } } end)
    crm:spawn(function() zohocrm.gather(function() crm:org() end, function() crm.Leads:get "1" end) end)
    crm:spawn(function() zohocrm.coroutine.wrap(function() crm.Contacts:get "1" end)() end)
    repeat crm:step() until crm:limits().in_flight >= 5
    for _ = 1, 20 do crm:step() end
    kept = { crm, loop }
  ]]

  local ends = {
    { "by the end of the program", "" },
    { "by os.exit, closing it", "os.exit(7, true)", status = 7 },
    { "by os.exit in a task", "crm:spawn(function() os.exit(7, true) end) while true do crm:step() end", status = 7 },
    { "by os.exit in on_request", "function during_request() os.exit(7, true) end crm:request { path = '/crm/v8/last' }",
      status = 7, last = true },
    { "by os.exit in a finalizer", [[
      local function trap() os.exit(7, true) end
      if newproxy then getmetatable(newproxy(true)).__gc = trap else setmetatable({}, { __gc = trap }) end
      collectgarbage()]], status = 7 },
    { "by an error", "error('the end')", status = 1 },
    { "by an error in a loop over a walk", "for _ in crm.Leads:each { fields = 'id' } do error('the end') end", status = 1,
      last = true },
    { "by an error object that cannot be shown", "error(setmetatable({}, { __tostring = function() error('no') end }))",
      status = 1 },
    { "and a finalizer that raises", [[
      local function trap() error("in a finalizer") end
      local proxy = newproxy and newproxy(true) or setmetatable({}, { __gc = trap })
      if newproxy then getmetatable(proxy).__gc = trap end
      kept[3] = proxy]] },
    { "and a finalizer that calls the client", [[
      local function trap() pcall(crm.step, crm) pcall(crm.close, crm) pcall(crm.step, crm) end
      local proxy = newproxy and newproxy(true) or setmetatable({}, { __gc = trap })
      if newproxy then getmetatable(proxy).__gc = trap end
      kept[3] = proxy]] },
    { "and a client in every global", "_G.a, _G.b, package.loaded.zohocrm = crm, loop, nil" },
  }
  for _, case in ipairs(ends) do
    it("goes " .. case[1], function()
      local script = { PAGE }
      for i = 2, 12 do script[i] = HANG end
      if case.last then -- the last request is answered, whichever it is
        script = { { { wait = 0 }, PAGE } }
        for i = 2, 6 do script[i] = HANG end
        for i = 7, 9 do script[i] = PAGE end
      end
      faults:script(script)
      local status, output = child.run(PRELUDE:format(faults.url) .. case[2])
      assert.equal(case.status or 0, status, output)
      assert.is_nil(output:find("Sanitizer", 1, true), output)
      assert.is_true(eventually(function() return select(2, faults:connections()) == 0 end))
    end)
  end

  it("is one of many, each with a client of its own", function()
    local program = ([[
      local zohocrm = require "zohocrm"
      for _ = 1, 3 do
        for name in pairs(package.loaded) do
          if name:find("^zohocrm") then package.loaded[name] = nil end -- as a host does that reloads its scripts
        end
        local crm = require "zohocrm".new { api_key = "k", gateway_url = "%s/zoho-crm", rate = 0 }
        crm:spawn(function() crm:org() end)
        crm:step()
      end
      collectgarbage()]]):format(faults.url)
    faults:script { HANG, HANG, HANG }
    local status, output = child.run(program)
    assert.equal(0, status, output)
  end)

  -- nginx is not built with a sanitizer, and runs LuaJIT
  local in_nginx = rawget(_G, "jit") and not (os.getenv("ZOHOCRM_BUILD") or ""):find("asan", 1, true)
  local it_in_nginx = in_nginx and it or function() end
  it_in_nginx("is nginx's, by a fast shutdown", function()
    local script = {}
    for i = 1, 10 do script[i] = HANG end
    faults:script(script)
    local nginx = nginx_host.start {
      init = ([[ crm = require("zohocrm").new { api_key = "k", gateway_url = "%s/zoho-crm", rate = 0 } ]]):format(faults.url),
      locations = {
        ["/wait"] = "ngx.say(tostring(crm:org()))",
        ["/task"] = "kept = crm:spawn(crm.org, crm) crm:step() crm:run()",
        ["/thread"] = "ngx.thread.spawn(crm.org, crm) ngx.sleep(60)",
        ["/timer"] = "ngx.timer.at(0, function() crm:org() end) ngx.say('started')",
      },
    }
    for _, path in ipairs { "/wait", "/wait", "/task", "/thread" } do nginx:send(path) end
    nginx:get("/timer")
    assert.is_true(eventually(function() return #faults:received() == 5 end))
    nginx:signal("TERM")
    assert.is_true(eventually(function() return select(2, faults:connections()) == 0 end))
    nginx:stop()
    assert.is_nil(nginx:error_log():find("exited on signal", 1, true))
  end)
end)

describe("a process that forks", function()
  local faults

  before_each(function() faults = fault_server.start() end)
  after_each(function() faults:stop() end)

  -- Runs f in a forked child; what it raises is the child's message.
  local function in_child(f)
    local pid = edges.fork()
    if pid == 0 then
      local fine, message = pcall(f)
      if not fine then
        io.stderr:write(tostring(message), "\n")
        io.stderr:flush()
      end
      edges.exit(fine and 0 or 1)
    end
    return pid
  end

  it("keeps its calls; the child is told that they are not its own, and makes new ones", function()
    faults:script { HANG, record(2), record(3) }
    local crm = client_of(faults)
    local task = crm:spawn(function() return crm.Leads:create { Last_Name = "Smith" } end)
    crm:step()
    assert.is_true(eventually(function() crm:step() return #faults:received() == 1 end))
    local pid = in_child(function()
      assert(assert(crm.Leads:get "2").id == "2")
      assert(crm:step() == 0)
      local result, err = task:result()
      assert(result == nil and err.kind == "cancelled" and err.message:find("forked", 1, true), tostring(err))
      assert(crm:limits().in_flight == 0)
      crm:close()
    end)
    assert.equal(0, (edges.wait(pid)))
    crm:step()
    assert.is_false(task:done())
    assert.equal("3", assert(crm.Leads:get "3").id)
    assert.equal(3, #faults:received())
    assert.equal("POST", faults:received()[1].method)
    assert.same({ 3, 2 }, { faults:connections() }) -- the child's own is closed, and only that
    crm:close()
  end)

  it("passes on a client whose connections are idle", function()
    faults:script { record(1), record(2), record(3) }
    local crm = client_of(faults)
    assert(crm.Leads:get "1")
    local pid = in_child(function() assert(assert(crm.Leads:get "2").id == "2") end)
    assert.equal(0, (edges.wait(pid)))
    assert.equal("3", assert(crm.Leads:get "3").id)
    local received = faults:received()
    assert.equal(received[1].connection, received[3].connection)
    assert.not_equal(received[1].connection, received[2].connection)
    crm:close()
  end)

  it("alone sends what waits for its turn", function()
    faults:script { { { wait = 0.2 }, record(1) }, record(2), record(3), record(4) }
    local crm = client_of(faults, { concurrency = 1 })
    local tasks = {}
    for i = 1, 3 do tasks[i] = crm:spawn(function() return crm.Leads:create { Last_Name = "Smith" } end) end
    crm:step()
    local pid = in_child(function()
      assert(crm:run())
      for i = 1, 3 do assert(select(2, tasks[i]:result()).kind == "cancelled") end
    end)
    assert.equal(0, (edges.wait(pid)))
    assert(crm:run())
    assert.equal(3, #faults:received())
    crm:close()
  end)

  it("may do so again and again", function()
    faults:script { record(1), record(2), record(3), record(4), record(5), record(6) }
    local crm = client_of(faults)
    local function generation(left)
      assert(crm.Leads:get "1")
      if left > 0 then
        local status, signal = edges.wait(in_child(function() generation(left - 1) end))
        assert(status == 0, signal)
        assert(crm.Leads:get "1")
      end
    end
    generation(2)
    assert.equal(5, #faults:received())
    crm:close()
  end)

  it("has its connections left alone by a child whose state is closed, also over TLS", function()
    local door = doors[3]
    local sandbox = door.start { records = { Leads = 30 } }
    local o = sandbox.client_options
    sandbox.set_latency(0.3)
    local status, output = child.run(([[
      local edges, zohocrm = require "spec.edges", require "zohocrm"
      local crm = zohocrm.new { api_key = %q, gateway_url = %q, ca_file = %q, rate = 0, retries = 0 }
      assert(crm.Leads:list { fields = "id" })
      local tasks = {}
      for i = 1, 3 do tasks[i] = crm:spawn(function() return assert(crm.Leads:list { fields = "id" }) end) end
      for _ = 1, 50 do crm:step() end
      for i, how in ipairs { "close", "collect", "leave" } do
        local pid = edges.fork()
        if pid == 0 then
          if how == "close" then crm:close() elseif how == "collect" then crm, tasks = nil, nil collectgarbage() end
          os.exit(0, true)
        end
        local ended = edges.wait(pid)
        assert(ended == 0, how .. " ended with " .. tostring(ended))
      end
      assert(crm:run())
      for i = 1, 3 do assert(#tasks[i]:result() == 30) end
      assert(#crm.Leads:list { fields = "id" } == 30)]]):format(o.api_key, o.gateway_url, o.ca_file))
    sandbox.stop()
    assert.equal(0, status, output)
  end)

  it("lets a program that it starts have none of its connections", function()
    faults:script { record(1) }
    local crm = client_of(faults)
    assert(crm.Leads:get "1")
    local pipe = io.popen("read line; echo $line", "w") -- holds on to what it has inherited
    crm:close()
    assert.is_true(eventually(function() return select(2, faults:connections()) == 0 end))
    pipe:write("\n")
    pipe:close()
  end)
end)

describe("clients side by side", function()
  local sandbox

  setup(function() sandbox = doors[2].start { records = { Leads = 450 } } end)
  teardown(function() sandbox.stop() end)

  local function new()
    local o = sandbox.client_options
    o.rate = 0
    return zohocrm.new(o)
  end

  it("in one state take turns, and one may be closed while the others work", function()
    local first, second, third = new(), new(), new()
    local seen = {}
    local function walk(crm, name)
      return crm:spawn(function()
        for lead in crm.Leads:each { fields = "id" } do
          seen[name] = (seen[name] or 0) + 1
          if name == "third" and seen[name] == 100 then first:close() end
          assert(lead.id)
        end
      end)
    end
    local tasks = { walk(first, "first"), walk(second, "second"), walk(third, "third") }
    local live = true
    while live do
      live = false
      for _, crm in ipairs { first, second, third } do live = crm:step { budget = 0.001 } > 0 or live end
    end
    assert.equal(450, seen.second)
    assert.equal(450, seen.third)
    local _, err = tasks[1]:result()
    assert.is_true(seen.first == 450 or tostring(err):find("closed", 1, true) ~= nil)
    assert.is_true(tasks[2]:result() == nil and select("#", tasks[2]:result()) == 0)
    second:close()
    third:close()
  end)

  it("in threads, each with its Lua state, do not disturb each other", function()
    local o = sandbox.client_options
    local program = ([[
      local number, paths = ...
      package.path, package.cpath = paths:match("^(.-)\n(.*)$")
      local zohocrm = require "zohocrm"
      local function new()
        return zohocrm.new { api_key = %q, gateway_url = %q, rate = 0, connect_timeout = 60, timeout = 60 }
      end
      local count = 0
      for round = 1, %d do
        local one, other = new(), new()
        local tasks = {}
        for i = 1, 3 do
          tasks[i] = one:spawn(function() return #assert(one.Leads:list { fields = "Last_Name", page = i, per_page = 50 }) end)
        end
        for lead in other.Leads:each { fields = "id", limit = 150 } do count = count + #lead.id / 19 end
        assert(one:run())
        for i = 1, 3 do count = count + tasks[i]:result() end
        if round %% 2 == 0 then one:close() else one:spawn(one.org, one) one:step() end -- else left as it is
      end
      return tostring(math.floor(count))]]):format(o.api_key, o.gateway_url, 3)
    local counts = edges.threads(4, program, package.path .. "\n" .. package.cpath)
    assert.same({ "900", "900", "900", "900" }, counts)
  end)
end)

describe("a name that takes long to look up", function()
  it("keeps neither step, nor cancel, nor close waiting", function()
    local status, output = child.run([[
      local now = require "zohocrm.core".now
      local zohocrm = require "zohocrm"
      local function new()
        return zohocrm.new { api_key = "k", gateway_url = "https://nowhere.invalid/crm", connect_timeout = 0.1, retries = 0 }
      end
      local longest = 0
      local function timed(f, ...)
        local began = now()
        f(...)
        longest = math.max(longest, now() - began)
      end
      local crm = new()
      local task = crm:spawn(crm.org, crm)
      while not task:done() do timed(crm.step, crm) end
      assert(select(2, task:result()).timeout == "connect", tostring(select(2, task:result())))
      local cancelled = crm:spawn(crm.org, crm)
      timed(crm.step, crm)
      timed(cancelled.cancel, cancelled)
      crm:spawn(crm.org, crm)
      timed(crm.step, crm)
      timed(crm.close, crm)
      assert(longest < 2, "it waited " .. longest .. " s") -- looking up takes 3 seconds
    ]], { preload = child.built "slow_names" })
    assert.equal(0, status, output)
  end)
end)
