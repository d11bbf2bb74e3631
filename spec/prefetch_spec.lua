--- Pages that are asked before the caller needs them: how many, in which order they are handed out, what is cancelled.
local doors = require("spec.support.doors")
local fault_server = require("spec.support.fault_server")
local numbered = require("spec.support.numbered")
local zohocrm = require("zohocrm")

local reply, page_of, ids, numbers = fault_server.reply, numbered.page, numbered.ids, numbered.from_to

describe("pages ahead", function()
  local http

  for _, door in ipairs(doors) do
    if door.name == "http" then
      http = door
    end
  end

  describe("asked of the sandbox", function()
    local sandbox, crm

    setup(function()
      sandbox = http.start { records = { Leads = 2300 } }
    end)

    teardown(function()
      sandbox.stop()
    end)

    before_each(function()
      sandbox.reset()
      local given = sandbox.client_options
      given.rate = 0
      crm = zohocrm.new(given)
    end)

    after_each(function()
      crm:close()
    end)

    -- The numbers of the pages that were asked, sorted: those that leave together may arrive in any order.
    local function pages_asked()
      local list = {}
      for _, request in ipairs(sandbox.requests()) do
        list[#list + 1] = tonumber(request.query.page)
      end
      table.sort(list)
      return list
    end

    local function settle(expected)
      local socket = require("socket")
      for _ = 1, 200 do
        if #sandbox.requests() >= expected then
          break
        end
        socket.sleep(0.01)
      end
      socket.sleep(0.05) -- time for one too many to come
      return pages_asked()
    end

    it("double as they prove useful: 1, then 2, then 4", function()
      local walk = crm.Leads:pages { fields = "id", per_page = 10 }
      assert.equal(10, #walk())
      assert.same({ 1, 2, 3 }, settle(3))
      assert.equal(10, #walk())
      assert.same({ 1, 2, 3, 4 }, settle(4)) -- two were of use: four would be too many
      assert.equal(10, #walk())
      -- three were of use, so four are ahead
      assert.same({ 1, 2, 3, 4, 5, 6, 7 }, settle(7))
      walk:close()
    end)

    it("are by themselves never more than may be under way at once", function()
      crm:close()
      local given = { rate = 0, concurrency = 2 }
      for name, value in pairs(sandbox.client_options) do
        given[name] = value
      end
      crm = zohocrm.new(given)
      local walk = crm.Leads:pages { fields = "id", per_page = 10 }
      for _ = 1, 8 do
        walk()
        assert.equal(0, crm:limits().waiting)
      end
      assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, settle(10))
      walk:close()
    end)

    it("are never more than prefetch says", function()
      local walk = crm.Leads:pages { fields = "id", per_page = 10, prefetch = 3 }
      walk()
      assert.same({ 1, 2, 3, 4 }, settle(4))
      walk()
      assert.same({ 1, 2, 3, 4, 5 }, settle(5))
      walk:close()
    end)

    it("are none with prefetch = 0", function()
      local walk = crm.Leads:pages { fields = "id", per_page = 10, prefetch = 0 }
      walk()
      assert.same({ 1 }, settle(1))
      walk:close()
    end)

    it("are none that a limit cannot need", function()
      assert.equal(45, #assert(crm.Leads:all { fields = "id", per_page = 10, limit = 45, prefetch = 9 }))
      assert.same({ 1, 2, 3, 4, 5 }, settle(5))
    end)

    for _, prefetch in ipairs { false, 0, 1, 4, 9, 50 } do
      it("come in the server's order, past record 2,000 by token, with prefetch = " .. tostring(prefetch or nil), function()
        local last, count
        count = 0
        for lead in crm.Leads:each { fields = "id", prefetch = prefetch or nil } do
          assert.is_true(last == nil or lead.id < last)
          last, count = lead.id, count + 1
        end
        assert.equal(2300, count)
        local by_token = 0
        for _, request in ipairs(sandbox.requests()) do
          by_token = by_token + (request.query.page_token and 1 or 0)
        end
        assert.equal(2, by_token)
        assert.equal(12, #sandbox.requests())
      end)
    end

    it("are on their way by token while the caller works", function()
      local walk = crm.Leads:pages { fields = "id", page = 10 }
      walk()
      settle(2)
      assert.is_string(sandbox.requests()[2].query.page_token)
      walk:close()
    end)

    it("in a search stop where a search stops", function()
      local count = 0
      local fine, err = pcall(function()
        for _ in crm.Leads:each { criteria = "(id:not_equal:1)", fields = "id" } do
          count = count + 1
        end
      end)
      assert.same({ false, "invalid", 2000, 2000 }, { fine, err.kind, count, err.delivered })
      assert.matches("2,000", tostring(err))
      assert.is_nil(err.resume)
      assert.equal(10, #sandbox.requests())
    end)
  end)

  it("that all came while the caller was busy are all handed out", function()
    -- the sandbox in this process answers only while the client waits: nothing comes while the walk is asking, and all
    -- nine are there when it goes on
    local sandbox = require("zohocrm.sandbox").new { records = { Leads = 2000 } }
    local crm = zohocrm.new { sandbox = sandbox, rate = 0 }
    local walk = crm.Leads:pages { fields = "id", prefetch = 20 }
    local count = #walk()
    assert(crm:org()) -- the caller is busy with something else
    assert.equal(11, #sandbox:requests())
    for page in walk do
      count = count + #page
    end
    assert.equal(2000, count)
    crm:close()
  end)

  describe("asked of a server with troubles", function()
    local faults

    setup(function()
      faults = fault_server.start()
    end)

    teardown(function()
      faults:stop()
    end)

    local function client(options) return faults:client(options) end

    -- The script answers in the order of arrival; which page arrived first is told by what was received.
    local function page_asked(request)
      return tonumber(request.target:match("[?&]page=(%d+)"))
    end

    it("are handed out in order when a later one is answered first", function()
      -- the second answer is held back while the third comes at once; as they go over connections of their own, the
      -- requests may arrive in the other order, and get each other's answer: then it is tried again
      for _ = 1, 20 do
        faults:script {
          reply { body = page_of(1, 10, 30) },
          { { wait = 0.2 }, reply { body = page_of(2, 10, 30) } },
          reply { body = page_of(3, 10, 30) },
        }
        local list, err = ids(client().Leads:each { fields = "id", per_page = 10, prefetch = 2 })
        if page_asked(faults:received()[2]) == 2 then
          assert.is_nil(err)
          assert.same(numbers(1, 30), list)
          return
        end
      end
      error("the requests always arrived in the wrong order")
    end)

    it("are cancelled when the walk is closed, and free the connection", function()
      faults:script { reply { body = page_of(1, 10, 100) }, { { hang = true } }, { { hang = true } } }
      local walk = client().Leads:each { fields = "id", per_page = 10 }
      walk()
      for _ = 1, 100 do
        if #faults:received() == 3 then
          break
        end
        require("socket").sleep(0.01)
      end
      assert.equal(3, #faults:received())
      walk:close()
      local open
      for _ = 1, 100 do
        open = select(2, faults:connections())
        if open == 0 then
          break
        end
        require("socket").sleep(0.01)
      end
      assert.is_true(open <= 1) -- at most the idle one that served the first page
    end)

    local PAGE_AND_HANG = { reply { body = page_of(1, 10, 100) }, { { hang = true } }, { { hang = true } } }

    local function break_off(crm)
      local count = 0
      for _ in crm.Leads:each { fields = "id", per_page = 10 } do
        count = count + 1
        if count == 3 then
          break
        end
      end
    end

    it("are cancelled when a loop is left: by Lua 5.4 at once, else by the collector", function()
      faults:script(PAGE_AND_HANG)
      local crm = client()
      break_off(crm)
      if _VERSION ~= "Lua 5.4" then
        assert.equal(2, crm:limits().in_flight)
        collectgarbage()
        collectgarbage()
      end
      assert.equal(0, crm:limits().in_flight)
    end)

    it("are cancelled when the walk is collected", function()
      faults:script(PAGE_AND_HANG)
      local crm = client()
      local walk = crm.Leads:pages { fields = "id", per_page = 10 }
      walk()
      assert.equal(2, crm:limits().in_flight)
      walk = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      assert.equal(0, crm:limits().in_flight)
    end)

    it("have one deadline with those before", function()
      local late = { { wait = 0.4 }, reply { body = page_of(1, 10, 30) } }
      faults:script { late, { { wait = 0.4 }, reply { body = page_of(2, 10, 30) } }, late }
      local all, err = client().Leads:all { fields = "id", per_page = 10, prefetch = 0, deadline = 0.6 }
      assert.is_nil(all)
      assert.same({ "timeout", "deadline" }, { err.kind, err.timeout })
      assert.is_true(#faults:received() <= 2)
    end)

    it("that nobody needs any more may fail", function()
      local short = page_of(10, 200, 2600, "T11"):gsub('"count":200', '"count":150')
      faults:script { reply { body = short }, reply { status = 500, body = "{}" } }
      local seen, err = ids(client().Leads:each { fields = "id", page = 10, limit = 200, prefetch = 1 })
      assert.equal(200, #seen)
      assert.is_nil(err)
    end)

    it("asked in vain are never more than were of use", function()
      -- three pages: the walk may ask beyond, but not far
      faults:script { reply { body = page_of(1, 10, 30) }, reply { body = page_of(2, 10, 30) }, reply { body = page_of(3, 10, 30) },
        reply { status = 204 }, reply { status = 204 }, reply { status = 204 }, reply { status = 204 } }
      local crm = client { concurrency = 1 } -- one connection, so the script meets the pages in order
      assert.equal(30, #assert(crm.Leads:all { fields = "id", per_page = 10 }))
      assert.is_true(#faults:received() <= 6)
    end)
  end)
end)
