--- Loops of one's own: what `crm:fds`, `crm:timeout` and `crm:poll` say and do, and that the examples run.
local doors = require("spec.support.doors")
local fault_server = require("spec.support.fault_server")
local raises = require("spec.support.raises")
local server = require("zohocrm.sandbox.server")
local socket = require("socket")
local zohocrm = require("zohocrm")
local now = require("zohocrm.core").now
local reply = fault_server.reply

local jit = rawget(_G, "jit")

-- Sleeps until one of the descriptors is ready, at most for so long; gives whether one was.
local function sleep(fds, seconds)
  local list = {}
  for i, entry in ipairs(fds) do
    assert.is_true(entry.read)
    list[i] = { getfd = function() return entry.fd end }
  end
  return socket.select(list, {}, seconds)[1] ~= nil
end

-- A loop around one client, until no task is left; gives how often it went round.
local function loop(crm, patience)
  local rounds, ends_at = 0, now() + (patience or 20)
  local live = crm:poll(0)
  while live > 0 do
    assert(now() < ends_at, "the tasks do not come to their end")
    sleep(crm:fds(), math.min(crm:timeout() or 5, 5))
    rounds, live = rounds + 1, crm:poll(0)
  end
  return rounds
end

for _, door in ipairs(doors) do
  describe("a loop of one's own, " .. door.name .. ",", function()
    local sandbox, crm

    setup(function() sandbox = door.start { records = { Leads = 450 } } end)
    teardown(function() sandbox.stop() end)

    before_each(function()
      sandbox.reset()
      if sandbox.set_latency then sandbox.set_latency(0) end
      local given = sandbox.client_options
      given.rate = 0
      crm = zohocrm.new(given)
    end)
    after_each(function() crm:close() end)

    it("moves tasks on", function()
      local count, pages = 0, 0
      crm:spawn(function()
        for _ in crm.Leads:each { fields = "id" } do count = count + 1 end
      end)
      crm:spawn(function()
        for _ in crm.Leads:pages { fields = "id", per_page = 100 } do
          pages = pages + 1
          coroutine.yield()
        end
      end)
      loop(crm)
      assert.equal(450, count)
      assert.equal(5, pages)
    end)

    it("has nothing to wait for where nothing is to be done", function()
      assert.is_nil(crm:timeout())
      assert.is_false(sleep(crm:fds(), 0))
      assert(crm:org()) -- blocking, as ever
      crm:poll(0)
      assert.is_nil(crm:timeout())
      assert.is_false(sleep(crm:fds(), 0))
      crm:spawn(function() return crm:org() end)
      assert.equal(0, crm:timeout())
    end)

    it("may begin while requests are under way, with one descriptor for good", function()
      local task = crm:spawn(function() return crm.Leads:all { fields = "id" } end)
      crm:step()
      local fd = crm:fds()[1].fd
      loop(crm)
      assert.equal(450, #task:result())
      assert.same({ { fd = fd, read = true, write = false } }, crm:fds())
    end)

    it("may wait in poll", function()
      local task = crm:spawn(function() return crm:org() end)
      local rounds = 0
      while crm:poll(5) > 0 do rounds = rounds + 1 end
      assert.is_string(task:result().id)
      assert.is_true(rounds <= 30, rounds .. " rounds")
    end)

    it("gives tasks that failed, each once", function()
      crm:spawn(function() error("a mistake", 0) end)
      local live, failed = crm:poll(0)
      assert.equal(0, live)
      assert.matches("^a mistake", select(2, failed:result()))
      assert.is_nil(select(2, crm:poll(0)))
    end)

    if door.name ~= "in process" then
      it("goes round a few times while an answer is awaited", function()
        assert(crm:org())
        sandbox.set_latency(0.3)
        local task = crm:spawn(function() return crm:org() end)
        local rounds = loop(crm)
        assert.is_string(task:result().id)
        assert.is_true(rounds <= 30, rounds .. " rounds")
      end)
    end

    it("watches what tasks wait for of other clients", function()
      local given = sandbox.client_options
      given.rate = 0
      local other = zohocrm.new(given)
      if sandbox.set_latency then sandbox.set_latency(0.05) end
      local most = 0
      local task = crm:spawn(function() return { assert(crm:org()).id, assert(other:org()).id } end)
      local live = 1
      while live > 0 do
        local fds = crm:fds()
        most = math.max(most, #fds)
        sleep(fds, math.min(crm:timeout() or 5, 5))
        live = crm:poll(0)
      end
      local ids = task:result()
      assert.equal(ids[1], ids[2])
      assert.equal(2, most)
      other:close()
    end)
  end)
end

describe("a loop of one's own", function()
  it("keeps the client's own timers: back-offs, limits and the rate", function()
    local faults = fault_server.start()
    local crm = zohocrm.new { api_key = "key", gateway_url = faults.url, control_url = faults.url, rate = 3 }
    local fine = reply { body = '{"org":[{"id":"1"}]}' }
    faults:script { reply { status = 503, headers = { ["Retry-After"] = "1" } }, fine, fine, fine, { { hang = true } } }
    local task = crm:spawn(function()
      for _ = 1, 3 do assert(crm:org()) end
      return select(2, crm:org { timeout = 0.3, retries = 0 })
    end)
    local rounds = loop(crm)
    assert.equal("timeout", task:result().kind)
    assert.is_true(rounds <= 60, rounds .. " rounds")
    crm:close()
    faults:stop()
  end)

  -- The limit for a connection is long over by then, or far ahead.
  it("ends a call that stalls, on a new connection and on one that was there, and in the midst of an answer", function()
    local faults = fault_server.start()
    local crm = zohocrm.new { api_key = "key", gateway_url = faults.url, control_url = faults.url, rate = 0, retries = 0 }
    local fine, part = reply { body = '{"org":[{"id":"1"}]}' }, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n123"
    faults:script { { { hang = true } }, fine, { { hang = true } }, fine, { part, { hang = true } } }
    for _, calls in ipairs { 1, 2, 2 } do
      local began
      local task = crm:spawn(function()
        for _ = 2, calls do assert(crm:org()) end
        began = now()
        return crm:org { stall_timeout = 0.5 }
      end)
      loop(crm)
      local _, err = task:result()
      assert.equal("stall", err.timeout)
      assert.is_true(now() - began < 4, now() - began .. " s")
    end
    crm:close()
    faults:stop()
  end)

  it("ends with the client", function()
    local crm = zohocrm.new { api_key = "key", gateway_url = "http://127.0.0.1:9" }
    local fd = crm:fds()[1].fd
    local task = crm:spawn(function() return crm:org() end)
    crm:poll(0)
    crm:close()
    assert.same({}, crm:fds())
    assert.is_true(sleep({ { fd = fd, read = true } }, 0)) -- whoever watches it still, looks
    loop(crm)
    assert.is_true(task:done())
    assert.is_nil(crm:timeout())
  end)

  it("goes on after an interruption, wherever that came", function()
    if jit then jit.off() end -- compiled code calls no hooks
    for after = 1, 500 do
      local crm = zohocrm.new { sandbox = true }
      local tasks = { crm:spawn(function() end), crm:spawn(function() end) }
      crm:fds()
      pcall(function()
        debug.sethook(function()
          debug.sethook()
          error("interrupted", 0)
        end, "", after)
        crm:step()
        debug.sethook()
      end)
      debug.sethook()
      loop(crm)
      assert.is_true(tasks[1]:done() and tasks[2]:done())
      assert.is_nil(crm:timeout())
      crm:close()
      -- a descriptor lives as long as its client, and select takes none above 1,023
      if after % 50 == 0 then collectgarbage() end
    end
    if jit then jit.on() end
    collectgarbage()
  end)

  it("is not for tasks, and poll takes seconds", function()
    local crm = zohocrm.new { sandbox = true }
    raises(function() crm:poll(-1) end, "^spec/own_loop_spec.lua:%d+: poll takes a number of seconds, 0 or more, not %-1$")
    raises(function() crm:poll("1") end, "^spec/own_loop_spec.lua:%d+: poll takes a number of seconds")
    local task = crm:spawn(function() crm:poll(0) end)
    crm:step()
    assert.matches("poll cannot be called from inside a task", select(2, task:result()))
    crm:close()
  end)
end)

if jit then -- whose ffi can fork
  describe("a loop of one's own, forked with requests under way,", function()
    local ffi = require("ffi")
    pcall(ffi.cdef, "int fork(void); int waitpid(int, int *, int); void _exit(int);")

    it("goes on in both processes, each with its own descriptor", function()
      local faults = fault_server.start()
      local fine = reply { body = '{"org":[{"id":"1"}]}' }
      faults:script { { { wait = 0.5 }, fine }, fine }
      local crm = zohocrm.new { api_key = "key", gateway_url = faults.url, control_url = faults.url, rate = 0 }
      local task, lower = crm:spawn(function() return crm:org() end), assert(io.open("/dev/null"))
      crm:poll(0)
      local fd = crm:fds()[1].fd
      lower:close()
      local pid = ffi.C.fork()
      if pid == 0 then
        local went, why = pcall(function()
          crm:poll(0)
          assert(crm:fds()[1].fd == fd or jit.os ~= "Linux") -- a loop may know it by its number
          assert(select(2, task:result()).kind == "cancelled") -- it is the parent's
          local own = crm:spawn(function() return crm:org() end)
          loop(crm)
          assert(own:result().id == "1")
          crm:close()
        end)
        if not went then io.stderr:write("in the child: ", tostring(why), "\n") end
        ffi.C._exit(went and 0 or 3)
      end
      local status = ffi.new("int[1]")
      ffi.C.waitpid(pid, status, 0)
      assert.equal(0, status[0])
      local rounds = loop(crm)
      assert.equal("1", task:result().id)
      assert.equal(fd, crm:fds()[1].fd)
      assert.is_true(rounds <= 30, rounds .. " rounds")
      crm:close()
      faults:stop()
    end)
  end)
end

describe("the examples of loops", function()
  local sandbox

  setup(function() sandbox = server.start { records = 30 } end)
  teardown(function() sandbox:stop() end)

  local function run(name)
    local i = 0
    while arg and arg[i - 1] do i = i - 1 end
    local pipe = assert(io.popen(("MATON_API_KEY='%s' ZOHOCRM_GATEWAY_URL='%s' ZOHOCRM_CONTROL_URL='%s' %s examples/%s.lua 2>&1; echo status $?")
      :format(sandbox.api_key, sandbox.gateway_url, sandbox.control_url, arg and arg[i] or "lua5.4", name)))
    local output = pipe:read("*a")
    pipe:close()
    assert.matches("status 0\n$", output)
    return output
  end

  for _, name in ipairs { "luv", "cqueues", "own_loop" } do
    it("run: " .. name, function()
      local output = run(name)
      assert.equal(3, select(2, output:gsub("lead\t", "")))
      assert.matches("org\t%w", output)
      assert.matches("the clock ticked on meanwhile\n", output)
    end)
  end

  if jit then -- Debian has copas for no other one
    it("run: copas", function()
      assert.equal(3, select(2, run("copas"):gsub("visitor %d\t%d+ lead%(s%) named ", "")))
    end)
  end
end)
