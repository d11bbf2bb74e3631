--- Pages whose records are read in pieces: call:take(n) and call:rows(n) of the core, and what `each` makes of them.
local answered_call = require("spec.support.answered")
local core = require("zohocrm.core")
local fault_server = require("spec.support.fault_server")
local random_json = require("spec.support.random_json")
local walks = require("zohocrm.walk")
local zohocrm = require("zohocrm")

local SEED = tonumber(os.getenv("SPEC_SEED") or "") or os.time()

local function record(n) return ('{"id":"%d","Last_Name":"\\"]}%d","Owner":{"id":"1","info":{}}}'):format(n, n) end

-- The records from `last` down to `first`, as the API lists them by itself, or in any other order that is given.
local function records(first, last)
  local list = {}
  for n = last, first, -1 do list[#list + 1] = record(n) end
  return table.concat(list, ",")
end

local function page(list, info)
  return ('{"data":[%s],"info":{%s}}'):format(list, info or '"more_records":false,"count":1,"x":"}],{\\"info\\":[{"')
end

describe("a page taken in pieces (SPEC_SEED=" .. SEED .. ")", function()
  local client

  setup(function()
    math.randomseed(SEED)
    client = core.client { offline = true, rate = 0 }
  end)
  teardown(function() client:close() end)

  local function answered(body, status) return answered_call(client, body, status) end

  -- All that is read, and how many records each time; or what went wrong.
  local function read(body, first, more)
    local call = answered(body)
    local answer = call:take(first)
    local list, sizes = answer.body and answer.body.data or {}, {}
    sizes[1] = #list
    while answer.left do
      local piece, problem, excerpt = call:rows(more or first)
      if problem then return list, sizes, problem, excerpt end
      if not piece then break end
      sizes[#sizes + 1] = #piece
      for _, one in ipairs(piece) do list[#list + 1] = one end
    end
    return list, sizes, answer.problem, answer.excerpt, answer.body
  end

  it("has the same records, however many there are at a time", function()
    local text = page(records(1, 200))
    local whole = core.decode(text)
    for _, sizes in ipairs { { 1, 1 }, { 7, 7 }, { 16, 16 }, { 1, 500 }, { 199, 1 }, { 200, 1 }, { 201, 1 } } do
      local list, counts, problem, _, body = read(text, sizes[1], sizes[2])
      assert.is_nil(problem)
      assert.same(whole.data, list)
      assert.same(whole.info, body.info)
      assert.equal(math.min(sizes[1], 200), counts[1])
    end
  end)

  it("leaves nothing where the first piece is all", function()
    local call = answered(page(records(1, 3)))
    local answer = call:take(3)
    assert.is_nil(answer.left)
    assert.equal(3, #answer.body.data)
    call = answered(page(records(1, 3)))
    assert.is_true(call:take(2).left)
    assert.equal(1, #call:rows(2))
    assert.same({}, { call:rows(2) })
    assert.same({}, { call:rows(2) })
  end)

  it("cannot be taken twice, nor read before it was taken or when it was dropped", function()
    local nothing = "there are no records to read in pieces, or they are being read, or an error broke that off"
    local call = answered(page(records(1, 30)))
    assert.has_error(function() call:rows(5) end, nothing)
    call:drop_rows()
    assert.is_true(call:take(5).left)
    for _, method in ipairs { "take", "page_end", "sent", "request", "packed" } do
      assert.has_error(function() call[method](call) end, "the call was taken already")
    end
    assert.has_error(function() call:decode(1) end, "the call was taken already")
    assert.is_true(call:ready())
    assert.equal("zohocrm.call (taken)", tostring(call))
    assert.equal(5, #call:rows(5))
    call:cancel() -- it has happened
    assert.equal(5, #call:rows(5))
    call:drop_rows()
    call:drop_rows()
    assert.has_error(function() call:rows(5) end, nothing)
  end)

  it("is taken whole where its end does not say by itself whether there are more", function()
    local list = records(1, 30)
    for _, body in ipairs {
      '{"data":[' .. list .. ']}', '{"info":{"more_records":true},"data":[' .. list .. ']}', '[' .. list .. ']',
      '{"x":1,"data":[' .. list .. '],"info":{"more_records":true}}', page(list, '"count":3'), page(list, '"more_records":null'),
      '{"data":[' .. list .. '],"info":{"more_records":true},"x":{}}', '{"data":[' .. list .. '],"x":{"more_records":true}}',
      '{"data":[' .. list .. '],"info":[{"more_records":true}]}', '{"data":[' .. list .. '],"x":1,"info":{"more_records":true}}',
      '{"data":[1,' .. list .. '],"info":{"more_records":true}}', '{"data":{"a":[{}]},"info":{"more_records":true}}',
    } do
      local answer = answered(body):take(5)
      assert.is_nil(answer.left)
      assert.same(core.decode(body), answer.body, body:sub(-60))
    end
    local call = answered(page(list))
    call:decode(1) -- begun as a whole
    assert.equal(30, #call:take(5).body.data)
    assert.is_nil(answered(page(list), 202):take(5).left)
  end)

  it("takes data for the records, where there are other arrays", function()
    local list, _, _, _, body = read('{"data":[' .. records(1, 9) .. '],"x":[{"id":"77"}],"info":{"data":1,"data":[2],"more_records":true}}', 4)
    assert.equal(9, #list)
    assert.equal("1", list[9].id)
    assert.is_true(body.info.more_records)
  end)

  it("says where it cannot be read, having given the records before", function()
    local cases = {
      { '{"id":}', "it is not JSON %(no value, byte %d+%)" }, { "7", "its data is no list of records %(byte %d+%)" },
      { "null", "its data is no list of records %(byte %d+%)" }, { '{"id":"\255"}', "it is not UTF%-8 %(byte %d+%)" },
      { "nul", "it is not JSON %(no value, byte %d+%)" }, { "", "it is not JSON %(no value, byte %d+%)" },
    }
    for _, case in ipairs(cases) do
      local list, sizes, problem, excerpt = read(page(records(1, 20) .. "," .. case[1] .. "," .. records(21, 40)), 4)
      assert.equal(20, #list)
      assert.same({ 4, 4, 4, 4, 4 }, sizes)
      assert.matches("^" .. case[2] .. "$", problem)
      assert.equal('{"data":[{"id":"20"', excerpt:sub(1, 19))
    end
    local list, _, problem = read('{"data":[' .. records(1, 8) .. '],"x":tru,"y":[],"info":{"more_records":true}}', 3)
    assert.equal(6, #list) -- the last ones are read with what follows them
    assert.matches("^it is not JSON %(no value, byte %d+%)$", problem)
    list, _, problem = read('{"data":[' .. records(1, 8) .. ',],"info":{"more_records":true}}', 3)
    assert.equal(6, #list)
    assert.matches("^it is not JSON %(no value, byte %d+%)$", problem)
    list, _, problem = read('{"data":[' .. records(1, 8) .. '],"data":[' .. record(9) .. '],"info":{"more_records":true}}', 3)
    assert.equal(6, #list)
    assert.equal("its data is there twice", problem)
    list, _, problem = read('{"data":[' .. records(1, 8) .. '],"info":{"more_records":true},"x":[1],"info":{"more_records":false}}', 3)
    assert.same({ 6, "its info is there twice" }, { #list, problem })
  end)

  it("is the page, of random records and pieces", function()
    for round = 1, random_json.rounds(300) do
      local list = {}
      for i = 1, math.random(1, 40) do
        list[i] = ('{"a":%s,"id":"%d","b":%s}'):format(random_json.value(3), math.random(1, 10 ^ 9), random_json.value(3))
      end
      local blank = math.random(2) == 1 and " \n\t" or ""
      local body = ('{"data":[%s],"info":{"y":%s,"more_records":true,"z":%s}}'):format(table.concat(list, ","), random_json.value(3),
        random_json.value(2))
      body = blank .. body .. blank
      local whole = core.decode(body)
      local size = math.random(1, 12)
      local read_list, sizes, problem, _, read_body = read(body, size, math.random(1, 12))
      assert.is_nil(problem)
      assert.same(whole.data, read_list, "round " .. round)
      assert.same(whole.info, read_body.info)
      assert.equal(math.min(size, #list), sizes[1])
    end
  end)
end)

describe("a walk that reads pages in pieces", function()
  local reply = fault_server.reply
  local faults, crm

  setup(function()
    faults = fault_server.start()
    crm = faults:client()
  end)

  teardown(function()
    crm:close()
    faults:stop()
  end)

  local function numbers(first, last)
    local list = {}
    for n = last, first, -1 do list[#list + 1] = ("%d"):format(n) end
    return list
  end

  -- Adds what a walk gives to a list of ids; the error that ended it.
  local function collect(list, o)
    o.fields, o.per_page = "Last_Name", 40
    local fine, err = pcall(function()
      for lead in crm.Leads:each(o) do list[#list + 1] = lead.id end
    end)
    return not fine and err or nil
  end

  it("goes on behind the last record that it delivered, where the rest of a page cannot be read", function()
    local first = page(records(141, 180), '"more_records":true')
    local broken = page(records(121, 140) .. ",{" .. records(101, 120), '"more_records":true')
    faults:script { reply { body = first }, reply { body = broken }, reply { body = page(records(61, 100)) } }
    local list = {}
    local err = collect(list, {})
    assert.equal("protocol", err.kind)
    assert.matches("^list Leads: HTTP 200, the answer cannot be read: it is not JSON %(a name is missing, byte %d+%); it begins: ", tostring(err))
    assert.matches("56 records were delivered before; the option resume = err.resume goes on from there$", tostring(err))
    assert.same(numbers(125, 180), list)
    assert.same({ delivered = 56, page = 2, after = "125" }, err.resume)
    assert.equal(1, err.attempts)
    faults:script {
      reply { body = page(records(101, 140), '"more_records":true') }, reply { body = page(records(81, 100)) },
    }
    assert.is_nil(collect(list, { resume = err.resume, prefetch = 0 }))
    assert.same(numbers(81, 180), list)
  end)

  it("has no records of what is none, and says so, in any order and by whole pages, too", function()
    local wrong = "the array 'data' of the answer has an element that is no object"
    for _, odd in ipairs { "null", "7", '"id"', "[]", "true" } do
      for i, texts in ipairs { { records(1, 5), odd }, { odd, records(1, 5) }, { records(3, 5), odd, records(1, 2) }, { odd } } do
        local body = page(table.concat(texts, ","))
        local function refused(f, how)
          faults:script { reply { body = body } }
          local list = {}
          local fine, given, err = pcall(f, list)
          if fine then assert.is_nil(given) else err = given end
          assert.same({ "protocol", 200, 1 }, { err.kind, err.status, err.attempts })
          assert.matches(how or wrong, err.message)
          return list
        end
        refused(function() return crm.Leads:list { fields = "Last_Name" } end)
        refused(function() return crm.Leads:search { word = "some" } end)
        refused(function() return crm.Leads:all { fields = "Last_Name" } end)
        refused(function() for _ in crm.Leads:pages { fields = "Last_Name" } do error("a page") end end)
        for _, order in ipairs { "Modified_Time", "Created_Time" } do
          refused(function() for _ in crm.Leads:each { fields = "Last_Name", sort_by = order } do error("a record") end end)
        end
        local list = refused(function(list)
          for lead in crm.Leads:each { fields = "Last_Name" } do list[#list + 1] = lead.id end
        end)
        assert.same({}, list, i) -- they stand in one piece with it
      end
    end
    faults:script { reply { body = page(records(81, 100) .. ",null") } }
    local list = {}
    local err = collect(list, {})
    assert.same(numbers(85, 100), list)
    assert.matches("its data is no list of records", tostring(err))
    assert.same({ delivered = 16, page = 1, after = "85" }, err.resume)
  end)

  it("has no records where its data comes twice, or is no array", function()
    local cases = {
      { '{"data":[%s],"data":[{"id":"7"}],"info":{"more_records":false}}', "the array 'data' of the answer is there twice" },
      { '{"data":[%s],"data":{},"info":{"more_records":false}}', "the array 'data' of the answer is there twice" },
      { '{"data":[%s],"data":[],"info":{"more_records":false}}', "the array 'data' of the answer is there twice" },
      { '{"data":[%s],"info":{"more_records":false},"data":null}', "the array 'data' of the answer is there twice" },
      { '{"data":[%s],"info":{"more_records":true},"info":{"more_records":false}}', "the answer does not say whether there are more records", true },
      { '{"data":{},"info":{"more_records":false},"x":[%s]}', "the answer has no array 'data'" },
      { '{"data":{"1":null},"info":{"more_records":false},"x":[%s]}', "the answer has no array 'data'" },
      { '{"data":null,"info":{"more_records":false},"x":[%s]}', "the answer has no array 'data'" },
    }
    for _, case in ipairs(cases) do
      for _, f in ipairs { crm.Leads.list, crm.Leads.all, function(leads, o) return leads:pages(o)() end, function(leads, o) return leads:each(o)() end } do
        faults:script { reply { body = case[1]:format(records(1, 3)) } }
        local fine, given, err = pcall(f, crm.Leads, { fields = "Last_Name" })
        if not (case[3] and f == crm.Leads.list) then -- one page is the caller's to read on from
          assert.is_nil(fine and given or nil)
          err = err or given
          assert.equal("protocol", err.kind)
          assert.equal(case[2], err.message)
        end
      end
    end
    faults:script { reply { body = '{"data":[],"info":{"more_records":false}}' } }
    assert.equal(0, #assert(crm.Leads:all { fields = "Last_Name" }))
  end)

  it("may have arrays of other things beside its records", function()
    local body = ('{"data":[%s],"other":[null,1],"info":{"more_records":false}}'):format(records(1, 3))
    faults:script { reply { body = body } }
    assert.equal(3, #assert(crm.Leads:list { fields = "Last_Name" }))
  end)

  it("may have records without ids, or with ids that are numbers", function()
    for _, o in ipairs { {}, { sort_by = "Modified_Time" }, { resume = { after = "50" } }, { resume = { page = 1, skip = { "50" } } } } do
      faults:script {
        reply { body = page('{"id":9},{"x":1},{"id":8}', '"more_records":true') }, reply { body = page('{"id":7},{"x":2}') },
      }
      local count = 0
      o.fields, o.prefetch = "Last_Name", 0
      for lead in crm.Leads:each(o) do count = count + (lead.x or 0) + 1 end
      assert.equal(8, count)
    end
  end)

  it("ends at the limit, and reads no further", function()
    local broken = page(records(121, 140) .. ",{", '"more_records":true')
    faults:script { reply { body = broken } }
    local list = {}
    assert.is_nil(collect(list, { limit = 16, prefetch = 0 }))
    assert.same(numbers(125, 140), list)
    assert.equal(1, #faults:received())
  end)

  it("asks ahead by what pages say that they have, where they have less than was asked for", function()
    for _, count in ipairs { '"count":20', '"count":40', '"x":1', '"count":-7', '"count":1e300', '"count":"20"' } do
      faults:script {
        reply { body = page(records(121, 140), '"more_records":true,' .. count) },
        reply { body = page(records(101, 120), '"more_records":true,' .. count) }, reply { body = page(records(81, 100)) },
      }
      local list = {}
      assert.is_nil(collect(list, { limit = 50, prefetch = 1 }))
      assert.same(numbers(91, 140), list)
      assert.equal(3, #faults:received())
    end
  end)

  it("does not ask for more because of a count that cannot be", function()
    for _, count in ipairs { "0", "-7", "1e300", '"inf"', '"nan"', '"1"', "1", "16", "17", "null", "{}", "1e999" } do
      local info = ('"more_records":true,"count":%s'):format(count)
      faults:script {
        reply { body = page(records(161, 200), info) }, reply { body = page(records(121, 160), info) },
        reply { body = page(records(81, 120), info) }, reply { body = page(records(41, 80), info) },
      }
      local list = {}
      assert.is_nil(collect(list, { limit = 80 }))
      assert.same(numbers(121, 200), list)
      -- one page more where the server says that it gave less than was asked for
      assert.equal(count == "17" and 3 or 2, #faults:received(), count)
    end
  end)

  it("says how many records it has handed out, not how many it has read", function()
    faults:script { reply { body = page(records(101, 140)) } }
    local walk = crm.Leads:each { fields = "Last_Name" }
    assert.equal("zohocrm.Walk (0 records so far)", tostring(walk))
    for i = 1, 40 do
      walk()
      assert.equal(("zohocrm.Walk (%d records so far)"):format(i), tostring(walk))
      if i == 35 then break end
    end
    walk:close()
    assert.equal("zohocrm.Walk (35 records so far)", tostring(walk))
  end)

  it("has delivered nothing of a page that an interruption kept from its reader", function()
    local call = { ready = function() return true end, cancel = function() end }
    local walk = walks.pages {
      kind = "list", per_page = 2, limit = 100, concurrency = 3, delivered = 7, action = "list Leads", path = "/Leads", by_id = true,
      descending = true, begin = function() return { call = call } end,
      read = function() return { { id = "2" }, { id = "1" }, info = { more_records = true } } end,
      poll = function() error("interrupted!", 0) end,
    }
    assert.has_error(walk, "interrupted!")
    local fine, err = pcall(walk)
    assert.same({ false, "cancelled", 7 }, { fine, err.kind, err.delivered })
    assert.equal("zohocrm.Walk (0 records so far)", tostring(walk))
  end)

  it("gives nothing more once it is closed", function()
    faults:script { reply { body = page(records(101, 140)) } }
    local walk = crm.Leads:each { fields = "Last_Name" }
    assert.equal("140", walk().id)
    walk:close()
    assert.is_nil(walk())
    walk:close()
  end)

  it("holds few records at a time", function()
    faults:script { reply { body = page(records(1, 200)) } }
    local alive, count, most = setmetatable({}, { __mode = "k" }), 0, 0
    for lead in crm.Leads:each { fields = "Last_Name" } do
      alive[lead], count = true, count + 1
      if count % 10 == 0 then
        collectgarbage()
        collectgarbage()
        local now = 0
        for _ in pairs(alive) do now = now + 1 end
        most = math.max(most, now)
      end
    end
    assert.equal(200, count)
    assert.is_true(most <= 20, most .. " records")
  end)

  it("is not cut short for others by a task that began it and was cancelled", function()
    faults:script { reply { body = page(records(1, 100)) } }
    local walk
    local first = crm:spawn(function()
      walk = crm.Leads:each { fields = "Last_Name" }
      assert.equal("100", walk().id)
      while true do coroutine.yield() end
    end)
    while not walk or tostring(walk):find("%(0 records") do crm:step() end
    first:cancel()
    local count = 1
    for _ in walk do count = count + 1 end
    assert.equal(100, count)
  end)

  it("ends for its reader where another task closes it, at any time", function()
    local walks_of = {
      function(leads) return leads:each { fields = "id", per_page = 100, prefetch = 0 } end,
      function(leads) return leads:pages { fields = "id", per_page = 100 } end,
      function(leads) return leads:scan { fields = "id" } end,
      function(leads) return leads:scan { fields = "id", parallel = 3 } end,
    }
    local early = 0
    for _, make in ipairs(walks_of) do
      for steps = 0, 12 do
        local other = zohocrm.new { rate = 0, sandbox = { records = { Leads = 5000 } } }
        local walk, count = make(other.Leads), 0
        local task = other:spawn(function()
          for given in walk do count = count + (given.id and 1 or #given) end
          return "the end"
        end)
        for _ = 1, steps do other:step() end
        walk:close()
        other:run()
        assert.equal("the end", (task:result()))
        assert.equal(("zohocrm.Walk (%d records so far)"):format(count), tostring(walk))
        early = early + (count < 5000 and 1 or 0)
        other:close()
      end
    end
    assert.is_true(early > 20)
  end)

  it("finds a record that comes twice before it delivers it again", function()
    faults:script { reply { body = page(records(141, 180), '"more_records":true') }, reply { body = page(records(102, 141)) } }
    local list = {}
    local err = collect(list, { prefetch = 0 })
    assert.equal("conflict", err.kind)
    assert.same(numbers(141, 180), list)
    assert.same({ delivered = 40, page = 2, after = "141" }, err.resume)
  end)
end)
