-- Several requests of one write under way at once: what overlaps, what must not, what order the outcomes have, and what
-- becomes of the others when one fails. Over real HTTP: the sandbox held back by a latency, and the fault server.
local doors = require("spec.support.doors")
local fault_server = require("spec.support.fault_server")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

local reply = fault_server.reply
local http
for _, door in ipairs(doors) do
  if door.name == "http" then http = door end
end

local function leads(count)
  local list = {}
  for i = 1, count do list[i] = { Last_Name = ("L%04d"):format(i) } end
  return list
end

-- The answer to a write of `count` records, whose ids tell answers apart.
local function made(count, name)
  local items = {}
  for i = 1, count do
    items[i] = ('{"code":"SUCCESS","status":"success","message":"record added","details":{"id":"%s-%d"}}'):format(name, i)
  end
  return reply({ status = 201, body = '{"data":[' .. table.concat(items, ",") .. "]}" })
end

-- For each request's worth of the outcome, what it met: the kind of its error, or "ok"; and that it met it as a whole.
local function by_request(outcome)
  local met = {}
  for i, result in ipairs(outcome) do
    local request = math.floor((i - 1) / 100) + 1
    local kind = result.ok and "ok" or result.error.kind
    assert.equal(met[request] or kind, kind, "record " .. i)
    if not result.ok then assert.equal(i, result.error.record) end
    met[request] = kind
  end
  return met
end

local function count_of(list)
  local counts = {}
  for _, value in ipairs(list) do counts[value] = (counts[value] or 0) + 1 end
  return counts
end

describe("a write of many requests, over http,", function()
  local sandbox

  setup(function() sandbox = http.start({ records = 300, time = wire.NOW }) end)
  teardown(function() sandbox.stop() end)
  before_each(function()
    sandbox.set_latency(0)
    sandbox.reset()
  end)

  -- How many connections were used: as many requests were under way at once, as HTTP/1.1 has one a connection.
  local function connections_used()
    local seen, count = {}, 0
    for _, request in ipairs(sandbox.requests()) do
      if not seen[request.connection] then
        seen[request.connection], count = true, count + 1
      end
    end
    return count
  end

  -- By a client of its own: a fresh one uses a second connection only for what overlaps.
  local function ids_of_leads(count)
    local crm = wire.client(sandbox)
    local ids = wire.column(assert(crm.Leads:all({ fields = "id", limit = count })), "id")
    crm:close()
    assert.equal(count, #ids)
    sandbox.clear()
    return ids
  end

  it("writes each record once, and tells which became what", function()
    local crm = wire.client(sandbox)
    local outcome = crm.Leads:create(leads(1200))
    assert.same({ 1200, 0, 1200 }, { outcome.succeeded, outcome.failed, outcome.total })
    assert.equal(12, #sandbox.requests())
    for _, i in ipairs({ 1, 100, 101, 650, 1200 }) do
      assert.equal(("L%04d"):format(i), assert(crm.Leads:get(outcome[i].id)).Last_Name)
    end
    crm:close()
  end)

  it("takes no more from an iterator than it can send", function()
    sandbox.set_latency(0.02)
    local crm = wire.client(sandbox, { concurrency = 3 })
    local given, seen, most = 0, 0, 0
    crm.Leads:create(function()
      given = given + 1
      most = math.max(most, given - seen)
      return given <= 1500 and { Last_Name = "x" } or nil
    end, { progress = function(done) seen = done end })
    assert.equal(1500, seen)
    assert.is_true(most <= 300, most .. " records were taken and not answered")
    crm:close()
  end)

  it("keeps two requests with the same record apart, the later one last", function()
    local crm, ids, list = wire.client(sandbox), ids_of_leads(250), {}
    for i, id in ipairs(ids) do list[i] = { id = id, City = "City " .. i } end
    list[101].id, list[250].id = list[100].id, list[150].id
    sandbox.set_latency(0.1)
    assert.equal(250, crm.Leads:update(list).succeeded)
    sandbox.set_latency(0)
    local log = sandbox.requests()
    assert.equal(3, #log)
    for i, request in ipairs(log) do
      assert.equal(list[(i - 1) * 100 + 1].City, wire.decoded(request.body).data[1].City)
      assert.equal(log[1].connection, request.connection, "one after the other")
    end
    assert.equal("City 101", crm.Leads:get(list[100].id).City)
    assert.equal("City 250", crm.Leads:get(list[150].id).City)
    crm:close()
  end)

  it("keeps apart by id in an upsert and a delete, too, and however the id is written", function()
    local crm, ids, list = wire.client(sandbox), ids_of_leads(150), {}
    for i, id in ipairs(ids) do list[i] = { id = id, Last_Name = "U" .. i } end
    list[120].id = ids[20]
    ids[120] = ids[20]
    sandbox.set_latency(0.1)
    assert.equal(150, crm.Leads:upsert(list).succeeded)
    local outcome = crm.Leads:delete(ids)
    sandbox.set_latency(0)
    assert.equal(1, connections_used())
    assert.same({ 149, "not_found", 120 }, { outcome.succeeded, outcome[120].error.kind, outcome[120].error.record })
    local numbers = {}
    for i = 1, 101 do numbers[i] = i end
    numbers[101] = "7"
    sandbox.clear()
    sandbox.set_latency(0.1)
    crm.Leads:delete(numbers)
    sandbox.set_latency(0)
    assert.same({ 2, 1 }, { #sandbox.requests(), connections_used() })
    crm:close()
  end)

  it("makes no duplicate where the records were written and the answers lost", function()
    sandbox.set_latency(1)
    local crm = wire.client(sandbox, { retries = 3, timeout = 0.4 })
    local outcome = crm.Leads:create(leads(300))
    sandbox.set_latency(0)
    assert.same({ 0, 300 }, { outcome.succeeded, outcome.failed })
    for i = 1, 300 do
      assert.same({ "timeout", true, i }, {
        outcome[i].error.kind, outcome[i].error.may_have_happened, outcome[i].error.record,
      })
    end
    assert.equal(3, #sandbox.requests())
    local patient = wire.client(sandbox)
    local seen = count_of(wire.column(assert(patient.Leads:all({ fields = "Last_Name" })), "Last_Name"))
    for i = 1, 300 do assert.equal(1, seen[("L%04d"):format(i)]) end
    patient:close()
    crm:close()
  end)
end)

describe("a write of many requests, in bad weather,", function()
  local faults

  setup(function() faults = fault_server.start() end)
  teardown(function() faults:stop() end)

  local function client(options)
    return zohocrm.new(wire.merged({ api_key = "k", gateway_url = faults.url .. "/zoho-crm", rate = 0, retries = 3 }, options))
  end

  -- A fresh client uses a second connection only for what overlaps, as HTTP/1.1 has one request a connection at a time.
  for name, case in pairs({ ["1"] = { 1, 1 }, ["4"] = { 4, 4 }, ["10"] = { 10, 10 }, ["10 by default"] = { 10, nil } }) do
    it("has so many requests under way: " .. name, function()
      local script = {}
      for i = 1, 12 do script[i] = { { gather = i <= case[1] and case[1] or 0 }, made(100, "a") } end
      faults:script(script)
      local crm = client({ concurrency = case[2] })
      assert.equal(1200, crm.Leads:create(leads(1200)).succeeded)
      assert.equal(12, #faults:received())
      assert.equal(case[1], (faults:connections()))
      crm:close()
    end)
  end

  it("has its outcomes in the order of the input, whichever answer comes first", function()
    faults:script({
      { { wait = 0.4 }, made(100, "a") }, { { wait = 0.2 }, made(100, "b") }, made(100, "c"), made(50, "d"),
    })
    local crm = client({ concurrency = 3 })
    local order = {}
    local outcome = crm.Leads:create(leads(300), { on_result = function(i, result)
      order[#order + 1] = { i, result.id }
    end })
    assert.equal(300, outcome.succeeded)
    local letters = {}
    for position, entry in ipairs(order) do
      assert.equal(position, entry[1])
      local letter, number = entry[2]:match("^(%a)%-(%d+)$")
      assert.equal((position - 1) % 100 + 1, tonumber(number))
      letters[#letters + 1] = number == "1" and letter or nil
    end
    table.sort(letters)
    assert.same({ "a", "b", "c" }, letters)
    assert.equal(3, (faults:connections()))
    crm:close()
  end)

  it("does not run ahead without end of a request that takes long, where outcomes are handed out", function()
    local script = { { { wait = 0.5 }, made(100, "a") } }
    for i = 2, 30 do script[i] = made(100, "b") end
    faults:script(script)
    local crm = client({ concurrency = 2 })
    local given, given_at_first, seen = 0, nil, 0
    local outcome = crm.Leads:create(function()
      given = given + 1
      return given <= 3000 and { Last_Name = "x" } or nil
    end, { on_result = function(i)
      given_at_first = given_at_first or given
      seen = i
    end })
    assert.same({ 3000, 3000 }, { outcome.succeeded, seen })
    assert.is_true(given_at_first <= 1000, given_at_first .. " records were taken")
    crm:close()
  end)

  it("loses only what met it: a reset, a breakdown and a refusal among four under way", function()
    faults:script({
      { { wait = 0.1 }, { reset = true } }, { { wait = 0.2 }, made(100, "b") },
      reply({ status = 500, body = '{"message":"boom"}' }),
      reply({ status = 400, body = '{"code":"INVALID_DATA","details":{},"message":"no","status":"error"}' }),
      made(100, "e"), { { reset = true } }, made(100, "g"),
    })
    local crm = client({ concurrency = 4 })
    local outcome = crm.Leads:create(leads(700))
    assert.same({ ok = 3, network = 2, server = 1, invalid = 1 }, count_of(by_request(outcome)))
    assert.same({ 300, 400 }, { outcome.succeeded, outcome.failed })
    for _, result in ipairs(outcome) do
      if not result.ok then
        local unknown = result.error.kind ~= "invalid" or nil
        assert.equal(unknown, result.error.may_have_happened)
        assert.equal(1, result.error.attempts)
      end
    end
    assert.equal(7, #faults:received()) -- nothing twice
    crm:close()
  end)

  it("is tried again where it was refused for its rate", function()
    local slow_down = reply({ status = 429, headers = { ["Retry-After"] = "0" } })
    faults:script({ slow_down, made(100, "b"), slow_down, made(100, "d"), made(100, "e") })
    local crm = client({ concurrency = 1, retries = 1 })
    assert.same({ "ok", "ok", "ok" }, by_request(crm.Leads:create(leads(300))))
    assert.equal(5, #faults:received())
    crm:close()
  end)

  describe('stopped by on_error = "stop",', function()
    it("waits for what is under way and sends nothing further", function()
      faults:script({ reply({ status = 500, body = '{"message":"boom"}' }), { { wait = 0.3 }, made(100, "b") }, made(100, "c") })
      local crm = client({ concurrency = 2 })
      local outcome = crm.Leads:create(leads(1000), { on_error = "stop" })
      assert.same({ 1000, 100, 900 }, { outcome.total, outcome.succeeded, outcome.failed })
      assert.same({ ok = 1, server = 1, cancelled = 8 }, count_of(by_request(outcome)))
      for i = 201, 1000 do
        assert.is_nil(outcome[i].error.may_have_happened)
        assert.same({ true, 0 }, { outcome[i].error.retryable, outcome[i].error.attempts })
      end
      assert.matches('^create Leads: record 999: not sent, because record %d+ failed and on_error is "stop"$',
        tostring(outcome[999].error))
      assert.equal(2, #faults:received())
      crm:close()
    end)

    it("takes back what waits for its turn", function()
      faults:script({ reply({ status = 500, body = '{"message":"boom"}' }), made(100, "b"), made(100, "c") })
      local crm = client({ rate = 0.5 }) -- the second could leave after two seconds
      local outcome = crm.Leads:create(leads(300), { on_error = "stop" })
      assert.same({ "server", "cancelled", "cancelled" }, by_request(outcome))
      assert.is_nil(outcome[101].error.may_have_happened)
      assert.equal(1, #faults:received())
      crm:close()
    end)

    it("goes on otherwise", function()
      faults:script({ reply({ status = 500, body = '{"message":"boom"}' }), made(100, "b"), made(100, "c") })
      local crm = client({ concurrency = 1 })
      assert.same({ "server", "ok", "ok" }, by_request(crm.Leads:create(leads(300), { on_error = "continue" })))
      crm:close()
    end)
  end)

  for _, status in ipairs({ 401, 403 }) do
    it("ends where the whole of a request meets a " .. status .. ", which the others would meet, too", function()
      faults:script({ made(100, "a"), reply({ status = status, body = '{"message":"no"}' }), made(100, "c") })
      local crm = client({ concurrency = 1 })
      local outcome = crm.Leads:create(leads(1000))
      assert.same({ ok = 1, auth = 9 }, count_of(by_request(outcome)))
      assert.same({ status, "no", 1000 }, { outcome[1000].error.status, outcome[1000].error.message, outcome[1000].error.record })
      assert.equal(2, #faults:received())
      crm:close()
    end)
  end

  it("goes on where single records are not allowed", function()
    local denied = '{"data":[{"code":"NO_PERMISSION","status":"error","message":"permission denied","details":{}},'
      .. '{"code":"SUCCESS","status":"success","details":{"id":"1"}}]}'
    faults:script({ reply({ status = 207, body = denied }), made(100, "b") })
    local crm = client({ concurrency = 1 })
    local outcome = crm.Leads:update({ { id = "1" }, { id = "2" } })
    assert.same({ "auth", 1 }, { outcome[1].error.kind, outcome.succeeded })
    assert.equal(1, #crm.Leads:create({ { Last_Name = "x" } }))
    crm:close()
  end)

  it("tells its progress after each request", function()
    faults:script({ made(100, "a"), reply({ status = 500, body = '{"message":"boom"}' }), made(50, "c") })
    local crm, told = client({ concurrency = 1 }), {}
    crm.Leads:create(leads(250), { progress = function(...) told[#told + 1] = { ... } end })
    assert.same({ { 100, 250, 0 }, { 200, 250, 100 }, { 250, 250, 100 } }, told)
    crm:close()
  end)

  it("tells its progress to the end where it stops", function()
    faults:script({ reply({ status = 500, body = '{"message":"boom"}' }) })
    local crm, told = client({ concurrency = 1 }), {}
    crm.Leads:create(leads(250), { on_error = "stop", progress = function(...) told[#told + 1] = { ... } end })
    assert.same({ { 100, 250, 100 }, { 250, 250, 250 } }, told)
    crm:close()
  end)

  it("is bounded by one deadline for all", function()
    local slow = { { wait = 0.4 }, made(100, "a") }
    faults:script({ slow, slow, slow }) -- a second one may leave in the last millisecond
    local crm = client({ concurrency = 1 })
    local outcome = crm.Leads:create(leads(300), { deadline = 0.3 })
    assert.same({ "timeout", "timeout", "timeout" }, by_request(outcome))
    assert.is_true(outcome[1].error.may_have_happened)
    assert.is_nil(outcome[201].error.may_have_happened)
    assert.matches("record 300: the deadline passed before the request could be sent", tostring(outcome[300].error), 1, true)
    assert.is_true(#faults:received() <= 2)
    crm:close()
  end)

  it("keeps its outcomes where the client is closed in the middle", function()
    faults:script({ made(100, "a"), { { hang = true } }, { { hang = true } } })
    local crm = client({ concurrency = 2 })
    local outcome = crm.Leads:create(leads(400), { progress = function(done)
      if done == 100 then crm:close() end
    end })
    assert.same({ ok = 1, cancelled = 3 }, count_of(by_request(outcome)))
    local unknown = 0
    for i = 1, 400, 100 do
      unknown = unknown + (not outcome[i].ok and outcome[i].error.may_have_happened and 1 or 0)
    end
    assert.equal(1, unknown, "one was under way")
  end)

  it("leaves nothing behind that goes out later, where its wait is interrupted", function()
    faults:script({ { { hang = true } }, { { hang = true } }, made(100, "c"), made(1, "d") })
    local crm = client({ rate = 2 }) -- the third waits for its turn
    local host = require("zohocrm.host")
    local wait_any = host.wait_any
    host.wait_any = function(inside, calls)
      local poll = inside.poll
      inside.poll = function(seconds)
        if #faults:received() == 2 then
          inside.poll = poll
          error("interrupted!", 0) -- as Ctrl-C does, from a hook
        end
        return poll(seconds)
      end
      return wait_any(inside, calls)
    end
    local fine, message = pcall(crm.Leads.create, crm.Leads, leads(300))
    host.wait_any = wait_any
    assert.same({ false, "interrupted!" }, { fine, message })
    crm.Leads:create({ Last_Name = "later" })
    local log = faults:received()
    assert.equal(3, #log)
    assert.truthy(log[3].body:find("later", 1, true))
    crm:close()
  end)
end)

-- A server with a limit: what is longer is refused, the rest is the sandbox's.
local function limited(most, refusal)
  local engine = require("zohocrm.sandbox").new({ records = 0, time = wire.NOW })
  local server = { api_key = "sandbox", sizes = {}, engine = engine }
  function server.handle(_, request)
    local size = #(request.body or request.query)
    local count = 0
    for _ in (request.body or ""):gmatch('"Last_Name"') do count = count + 1 end
    server.sizes[#server.sizes + 1] = count
    if size > most then
      return { status = refusal.status, headers = { ["content-type"] = "application/json" }, body = refusal.body }
    end
    return engine:handle(request)
  end
  return server
end

describe("a request that is too large for the server", function()
  local refusals = {
    ["413 with a code"] = { status = 413, body = '{"code":"BODY_SIZE_REACHED","details":{},"message":"too large","status":"error"}' },
    ["413 of a proxy"] = { status = 413, body = "<html>413 Request Entity Too Large</html>" },
    ["400 with a code"] = { status = 400, body = '{"code":"BODY_SIZE_REACHED","details":{},"message":"too large","status":"error"}' },
    ["413 wrapped"] = {
      status = 413, body = '{"data":[{"code":"BODY_SIZE_REACHED","details":{},"message":"too large","status":"error"}]}',
    },
  }

  local function padded(count, size)
    local list = leads(count)
    for _, lead in ipairs(list) do lead.Description = ("d"):rep(size) end
    return list
  end

  for name, refusal in pairs(refusals) do
    it("is sent in halves, " .. name, function()
      local server = limited(40000, refusal)
      local crm = zohocrm.new({ sandbox = server, concurrency = 1 })
      local list = padded(250, 1000)
      list[130].Last_Name, list[130].Company = nil, "Acme"
      local outcome = crm.Leads:create(list)
      assert.same({ 250, 249, 1 }, { outcome.total, outcome.succeeded, outcome.failed })
      assert.same({ 130, "MANDATORY_NOT_FOUND", "$.data[129].Last_Name" }, {
        outcome[130].error.record, outcome[130].error.code, outcome[130].error.details.json_path,
      })
      for i, result in ipairs(outcome) do
        if i ~= 130 then
          assert.equal(("L%04d"):format(i), assert(crm.Leads:get(result.id)).Last_Name)
        end
      end
      local sizes = {}
      for i = 1, 4 do sizes[i] = server.sizes[i] end
      assert.same({ 100, 50, 25, 25 }, sizes) -- then it is known that 50 will not go
      assert.equal(25, server.sizes[5])
      crm:close()
    end)
  end

  it("is split down to the one record that is too large by itself", function()
    local server = limited(40000, refusals["413 with a code"])
    local crm = zohocrm.new({ sandbox = server })
    local list = leads(200)
    list[37].Description, list[101].Description = ("d"):rep(50000), ("d"):rep(60000)
    local outcome = crm.Leads:create(list)
    assert.same({ 198, 2 }, { outcome.succeeded, outcome.failed })
    for _, i in ipairs({ 37, 101 }) do
      assert.same({ "too_large", i, "BODY_SIZE_REACHED" }, {
        outcome[i].error.kind, outcome[i].error.record, outcome[i].error.code,
      })
      assert.is_nil(outcome[i].error.may_have_happened)
    end
    assert.equal(198, #crm.Leads:all({ fields = "Last_Name" }))
    for _, i in ipairs({ 1, 36, 38, 100, 102, 200 }) do
      assert.equal(("L%04d"):format(i), crm.Leads:get(outcome[i].id).Last_Name)
    end
    crm:close()
  end)

  it("is split in its order where one record is in it twice", function()
    local server = limited(9000, refusals["413 with a code"])
    local crm = zohocrm.new({ sandbox = server })
    local id = assert(crm.Leads:create({ Last_Name = "x" })).id
    local list = {}
    for i = 1, 8 do list[i] = { id = id, City = "City " .. i, Description = ("d"):rep(4000) } end
    assert.equal(8, crm.Leads:update(list).succeeded)
    assert.equal("City 8", crm.Leads:get(id).City)
    crm:close()
  end)

  it("is split where it is an address of ids", function()
    local server = limited(300, { status = 414, body = "<html>414 Request-URI Too Large</html>" })
    local crm = zohocrm.new({ sandbox = server })
    local ids = wire.column(crm.Leads:create(leads(1)), "id")
    for i = 2, 40 do ids[i] = "724348500000000" .. 1000 + i end
    local outcome = crm.Leads:delete(ids)
    assert.same({ 1, 39 }, { outcome.succeeded, outcome.failed })
    for i = 2, 40 do assert.same({ "not_found", i }, { outcome[i].error.kind, outcome[i].error.record }) end
    crm:close()
  end)

  it("is not sent again where it is the answer that is too large: that was written", function()
    local faults = fault_server.start()
    faults:script({ reply({ status = 201, body = '{"data":"' .. ("x"):rep(5000) .. '"}' }) })
    local crm = zohocrm.new({ api_key = "k", gateway_url = faults.url, rate = 0, max_response_bytes = 2000 })
    local outcome = crm.Leads:create(leads(10))
    assert.equal(10, outcome.failed)
    assert.same({ "too_large", true }, { outcome[10].error.kind, outcome[10].error.may_have_happened })
    assert.equal(1, #faults:received())
    crm:close()
    faults:stop()
  end)
end)
