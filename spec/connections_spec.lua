-- Connections at the control endpoint, and which one a request goes through.
local doors = require("spec.support.doors")
local wire = require("spec.support.wire")

local UUID = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"
local TIME = "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ$"
local PATH = "//connections"

local function assert_connection(connection)
  assert.matches(UUID, connection.connection_id)
  assert.is_truthy(("ACTIVE PENDING FAILED"):find(connection.status, 1, true))
  assert.matches(TIME, connection.creation_time)
  assert.matches(TIME, connection.last_updated_time)
  assert.matches("^https://connect%.maton%.ai/%?session_token=.", connection.url)
  assert.equal("zoho-crm", connection.app)
  assert.equal("table", type(connection.metadata))
end

local LIST_OPTIONS = {
  { "nothing: all of zoho-crm", nil, { app = "zoho-crm" } },
  { "app", { app = "zoho-crm" }, { app = "zoho-crm" } },
  { "status ACTIVE", { status = "ACTIVE" }, { app = "zoho-crm", status = "ACTIVE" } },
  { "status PENDING", { status = "PENDING" }, { app = "zoho-crm", status = "PENDING" } },
  { "limit", { limit = 100 }, { app = "zoho-crm", limit = "100" } },
}

local MISTAKES = {
  { "a status there is not", function(c) c:list({ status = "active" }) end, "'ACTIVE', 'PENDING', 'FAILED'" },
  { "an unknown option", function(c) c:list({ stauts = "ACTIVE" }) end, "did you mean 'status'?" },
  { "a connection to go through", function(c) c:list({ connection = "x" }) end, "unknown option 'connection'" },
  { "a method there is not", function(c) c:create({ method = "PASSWORD" }) end, "'OAUTH2'" },
  { "get without an id", function(c) c:get() end, "connections:get: the id must be a string, not nil" },
  { "get with a number", function(c) c:get(1) end, "connections:get: the id must be a string, not a number" },
  { "get with an empty id", function(c) c:get("") end, "must have at least 1 character" },
  { "delete without an id", function(c) c:delete() end, "connections:delete: the id must be a string" },
  { "delete with an empty id, which would be the list", function(c) c:delete("") end, "at least 1 character" },
  { "a call without the colon", function(c) c.list() end, "crm.connections:list(…), with a colon" },
}

local HOSTILE = { ["../org"] = "..%2Forg", ["a/b"] = "a%2Fb", ["a?b"] = "a%3Fb", ["ä"] = "%C3%A4" }

for _, door in ipairs(doors) do
  describe("connections (" .. door.name .. ")", function()
    local sandbox, crm

    setup(function()
      sandbox = door.start({ records = 3, time = wire.NOW })
      crm = wire.client(sandbox)
    end)
    teardown(function()
      crm:close()
      sandbox.stop()
    end)
    before_each(function() sandbox.reset() end)

    local function first(status)
      local list = assert(crm.connections:list({ status = status }))
      sandbox.clear()
      return assert(list[1], "a connection that is " .. status)
    end

    for _, row in ipairs(LIST_OPTIONS) do
      it("are listed by " .. row[1], function()
        local list, err = crm.connections:list(row[2])
        assert.is_nil(err)
        wire.received(sandbox, { "GET", PATH, query = row[3] })
        assert.is_true(#list > 0)
        assert.equal(#list, list.info.count)
        for _, connection in ipairs(list) do
          assert_connection(connection)
          if row[3].status then assert.equal(row[3].status, connection.status) end
        end
      end)
    end

    it("are fewer by status than in all", function()
      local all = assert(crm.connections:list())
      local active = assert(crm.connections:list({ status = "ACTIVE" }))
      local pending = assert(crm.connections:list({ status = "PENDING" }))
      assert.is_true(#active > 0 and #pending > 0)
      assert.is_true(#active + #pending <= #all)
    end)

    it("are none for another app, and for a status that none has", function()
      for _, o in ipairs({ { app = "hubspot" }, { status = "FAILED" } }) do
        local list, err = crm.connections:list(o)
        assert.is_nil(err)
        assert.same({ 0, 0 }, { #list, list.info.count })
      end
    end)

    it("are created, pending until a person opens their url", function()
      local made = assert(crm.connections:create())
      wire.received(sandbox, { "POST", PATH, body = { app = "zoho-crm" } })
      assert_connection(made)
      assert.equal("PENDING", made.status)
      assert.same(made, assert(crm.connections:get(made.connection_id)))
      local found = 0
      for _, connection in ipairs(assert(crm.connections:list({ status = "PENDING" }))) do
        if connection.connection_id == made.connection_id then found = found + 1 end
      end
      assert.equal(1, found)
    end)

    it("are created with a method, and for an app", function()
      assert(crm.connections:create({ app = "zoho-crm", method = "OAUTH2" }))
      wire.received(sandbox, { "POST", PATH, body = { app = "zoho-crm", method = "OAUTH2" } })
    end)

    it("are got by their id", function()
      local expected = first("ACTIVE")
      local connection = assert(crm.connections:get(expected.connection_id))
      wire.received(sandbox, { "GET", PATH .. "/" .. expected.connection_id })
      assert_connection(connection)
      assert.same(expected, connection)
    end)

    it("are deleted by their id", function()
      local id = first("PENDING").connection_id
      assert.is_true(crm.connections:delete(id))
      wire.received(sandbox, { "DELETE", PATH .. "/" .. id })
      wire.fails({ kind = "not_found", status = 404 }, crm.connections:get(id))
      for _, other in ipairs(assert(crm.connections:list())) do assert.is_not.equal(id, other.connection_id) end
    end)

    it("are not there: 404", function()
      local id = "e55c5bac-241a-4cc8-9db5-000000000000"
      local err = wire.fails({ kind = "not_found", status = 404 }, crm.connections:get(id))
      wire.received(sandbox, { "GET", PATH .. "/" .. id })
      assert.matches("^get connection " .. id:gsub("%-", "%%-") .. ": ", tostring(err))
      assert.is_nil(tostring(err):find("app name", 1, true)) -- the control endpoint has none in its address
      wire.fails({ kind = "not_found", status = 404 }, crm.connections:delete(id))
    end)

    for id, segment in pairs(HOSTILE) do
      it(("keep the id %q one segment of the path"):format(id), function()
        wire.fails({ kind = "not_found" }, crm.connections:get(id))
        wire.fails({ kind = "not_found" }, crm.connections:delete(id))
        wire.received(sandbox, { "GET", PATH .. "/" .. segment }, { "DELETE", PATH .. "/" .. segment })
      end)
    end

    for _, row in ipairs(MISTAKES) do
      it("never have " .. row[1], function()
        wire.raises(function() row[2](crm.connections) end, row[3])
        wire.received(sandbox)
      end)
    end

    it("are managed with the key of the client", function()
      local other = wire.client(sandbox, { api_key = "wrong" })
      local err = wire.fails({ kind = "auth", status = 401 }, other.connections:list())
      assert.matches("MATON_API_KEY", tostring(err))
      other:close()
    end)

    it("are managed without a connection chosen, also where the client has one", function()
      local other = wire.client(sandbox, { connection = first("ACTIVE").connection_id })
      assert(other.connections:list())
      wire.received(sandbox, { "GET", PATH, query = { app = "zoho-crm" } })
      other:close()
    end)

    describe("that a request goes through", function()
      it("are the client's, unless the call chooses another", function()
        local active = assert(crm.connections:list({ status = "ACTIVE" }))
        assert.is_true(#active > 1)
        local a, b = active[1].connection_id, active[2].connection_id
        sandbox.clear()
        local other = wire.client(sandbox, { connection = a })
        assert(other:org())
        assert(other:org({ connection = b }))
        assert(crm:org())
        other:close()
        wire.received(sandbox, { "GET", "/org", headers = { ["maton-connection"] = a } },
          { "GET", "/org", headers = { ["maton-connection"] = b } }, { "GET", "/org" })
      end)

      it("go with writes too", function()
        local id = first("ACTIVE").connection_id
        local headers = { ["maton-connection"] = id }
        local made = assert(crm.Leads:create({ Last_Name = "Ek" }, { connection = id }))
        assert(crm.Leads:update({ id = made.id, City = "Oslo" }, { connection = id }))
        assert(crm.Leads:upsert({ Last_Name = "Ek", Email = "ek@example.com" }, { connection = id }))
        assert(crm.Leads:get(made.id, { connection = id }))
        assert(crm.Leads:delete(made.id, { connection = id }))
        wire.received(sandbox,
          { "POST", "/Leads", headers = headers, body = { data = { { Last_Name = "Ek" } } } },
          { "PUT", "/Leads", headers = headers, body = { data = { { id = made.id, City = "Oslo" } } } },
          {
            "POST", "/Leads/upsert", headers = headers,
            body = { data = { { Last_Name = "Ek", Email = "ek@example.com" } } },
          },
          { "GET", "/Leads/" .. made.id, headers = headers },
          { "DELETE", "/Leads", headers = headers, query = { ids = made.id } })
      end)

      it("are one for each call, not two", function()
        wire.raises(function()
          crm:org({ connection = "a", headers = { ["maton-connection"] = "b" } })
        end, "aton-")
        wire.received(sandbox)
      end)

      it("must exist", function()
        local err = wire.fails({ kind = "invalid", status = 400 }, crm:org({ connection = "nonsense" }))
        assert.matches("connection", tostring(err))
      end)

      it("must be active", function()
        wire.fails({ status = 400 }, crm:org({ connection = first("PENDING").connection_id }))
      end)

      it("must be at least one", function()
        for _, connection in ipairs(assert(crm.connections:list({ status = "ACTIVE" }))) do
          assert(crm.connections:delete(connection.connection_id))
        end
        local err = wire.fails({ kind = "invalid", status = 400 }, crm:org())
        assert.matches("connections:list%(%) tells which there are; make one with crm%.connections:create%(%) and open its url", tostring(err))
      end)
    end)

    it("in an answer without them are a break of the protocol", function()
      sandbox.fail_next({ status = 200, body = '{"things":[]}', headers = { ["content-type"] = "application/json" } })
      wire.fails({ kind = "protocol", status = 200 }, crm.connections:list())
      sandbox.fail_next({ status = 200, body = "{}", headers = { ["content-type"] = "application/json" } })
      wire.fails({ kind = "protocol", may_have_happened = true }, crm.connections:create())
    end)

    it("may be made by an answer that is the bare object, and deleted by one that is empty", function()
      sandbox.fail_next({ status = 200, body = '{"connection_id":"x","status":"PENDING","url":"https://example.com"}' })
      assert.equal("x", assert(crm.connections:create()).connection_id)
      sandbox.fail_next({ status = 204, body = "" })
      assert.is_true(crm.connections:delete("x"))
      sandbox.fail_next({ status = 200, body = "{}" })
      assert.is_true(crm.connections:delete("x"))
    end)
  end)
end
