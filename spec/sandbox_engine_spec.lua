-- The sandbox engine itself: gateway rules, connections, paths, sample data, the object and its small parts.

local cjson = require("cjson")
local engine = require("spec.support.sandbox_engine")
local json = require("zohocrm.sandbox.json")
local sandbox = require("zohocrm.sandbox")
local schema = require("zohocrm.sandbox.schema")
local time = require("zohocrm.sandbox.time")

local create, crm, send, write = engine.create, engine.crm, engine.send, engine.write
local KNOWN_LEAD = engine.KNOWN_LEAD
local NOW = engine.NOW

-- Asserts an answer in Zoho's error envelope; gives its details.
local function refused(status, code, got_status, body)
  assert.equal(status, got_status)
  assert.equal(code, body.code)
  assert.equal("error", body.status)
  assert.is_string(body.message)
  return body.details
end

describe("sandbox engine", function()
  local sb

  before_each(function()
    sb = engine.start({ time = NOW, records = 12 })
  end)

  describe("gateway", function()
    it("wants the key before anything else", function()
      for _, case in ipairs({ { nil, "Missing" }, { "", "Missing" }, { "Bearer wrong", "Invalid" },
        { "sandbox", "Invalid" }, { "Bearer sandboxx", "Invalid" } }) do
        local response = sb:handle({ method = "GET", path = "/crm/v8/Leads", headers = { authorization = case[1] } })
        assert.equal(401, response.status)
        assert.matches(case[2], cjson.decode(response.body).message)
      end
    end)

    it("takes the scheme in any case and a key of one's own", function()
      sb = engine.start({ api_key = "a b+c" })
      assert.equal(200, (crm("GET", "org", nil, nil, { authorization = "bearer a b+c" })))
      assert.equal(401, (crm("GET", "org")))
    end)

    it("names the wrong app", function()
      for _, path in ipairs({ "/crm/v8/Leads", "/", "/zoho/crm/v8/Leads", "/connections/a/b" }) do
        local status, body = send("GET", path)
        assert.equal(404, status)
        assert.matches("Invalid app name", body.message)
        assert.is_nil(body.code)
      end
    end)

    it("answers 429 beyond the rate and heals with the next second", function()
      sb = engine.start({ time = NOW, rate = 2 })
      assert.equal(200, (crm("GET", "org")))
      assert.equal(200, (send("GET", "/connections")))
      local status, body = crm("GET", "org")
      assert.equal(429, status)
      assert.matches("Rate limit", body.message)
      sb:advance(1)
      assert.equal(200, (crm("GET", "org")))
    end)

    it("counts credits, says what is left from the half on, and answers 429 without any", function()
      sb = engine.start({ time = NOW, credits = 6, api_key = "k" })
      local function remaining(method, path, body)
        local response = sb:handle {
          method = method, path = "/zoho-crm/crm/v8/" .. path, body = body, headers = { authorization = "Bearer k" },
        }
        return response.headers["x-api-credits-remaining"], response.status
      end
      assert.is_nil((remaining("GET", "org")))
      assert.is_nil((remaining("GET", "nowhere/at/all")))
      local records = ('{"data":[' .. ('{"Last_Name":"a"},'):rep(11)):gsub(",$", "]}")
      assert.same({ "2", 201 }, { remaining("POST", "Leads", records) })
      sb:advance(3600)
      assert.same({ "1", 200 }, { remaining("GET", "org") })
      assert.same({ "0", 404 }, { remaining("GET", "nowhere/at/all") })
      local _, refusal = remaining("GET", "org")
      assert.equal(429, refusal)
      sb:advance(23 * 3600)
      assert.same({ "3", 200 }, { remaining("GET", "org") })
    end)

    it("checks the connection", function()
      local cases = {
        { "e55c5bac-241a-4cc8-9db5-50d2cad09136", 200 },
        { "c2d91f60-5e8b-4d17-b3f4-60a7e8125c9d", 400, "PENDING" },
        { "nobody", 400, "Unknown connection 'nobody'" },
      }
      for _, case in ipairs(cases) do
        local status, body = crm("GET", "org", nil, nil, { ["maton-connection"] = case[1] })
        assert.equal(case[2], status)
        if case[3] then
          assert.matches(case[3], body.message)
        end
      end
    end)

    it("says when no ACTIVE connection is left", function()
      local _, body = send("GET", "/connections", "status=ACTIVE")
      for _, connection in ipairs(body.connections) do
        assert.equal(200, (send("DELETE", "/connections/" .. connection.connection_id)))
      end
      local status, answer = crm("GET", "org")
      assert.equal(400, status)
      assert.matches("Missing Zoho CRM connection", answer.message)
    end)
  end)

  describe("connections", function()
    it("lists, filtered by app and status", function()
      local cases = { { nil, 3 }, { "app=zoho-crm", 3 }, { "status=ACTIVE", 2 }, { "status=PENDING", 1 },
        { "status=FAILED", 0 }, { "app=slack", 0 }, { "app=zoho-crm&status=ACTIVE", 2 }, { "limit=1", 1 } }
      for _, case in ipairs(cases) do
        local status, body, response = send("GET", "/connections", case[1])
        assert.equal(200, status)
        assert.equal(case[2], #body.connections)
        if case[2] == 0 then
          assert.equal('{"connections":[]}', response.body)
        end
      end
      assert.equal(400, (send("GET", "/connections", "status=active")))
      assert.equal(400, (send("GET", "/connections", "limit=0")))
    end)

    it("gets one in the seed's shape", function()
      local status, body = send("GET", "/connections/e55c5bac-241a-4cc8-9db5-50d2cad09136")
      assert.equal(200, status)
      local c = body.connection
      assert.equal("ACTIVE", c.status)
      assert.equal("zoho-crm", c.app)
      assert.equal("2025-12-08T07:20:53.488460Z", c.creation_time)
      assert.matches("^https://connect%.maton%.ai/%?session_token=%x+$", c.url)
      assert.same({}, c.metadata)
    end)

    it("creates a pending one and deletes it", function()
      local status, body = send("POST", "/connections", nil, '{"app":"zoho-crm"}')
      assert.equal(200, status)
      local id = body.connection.connection_id
      assert.matches("^%x+%-%x%x%x%x%-4%x%x%x%-a%x%x%x%-%x+$", id)
      assert.equal(36, #id)
      assert.equal("PENDING", body.connection.status)
      assert.equal("2026-02-06T09:10:56.000000Z", body.connection.creation_time)
      assert.equal(200, (send("DELETE", "/connections/" .. id)))
      assert.equal(404, (send("GET", "/connections/" .. id)))
      assert.equal(404, (send("DELETE", "/connections/" .. id)))
    end)

    it("refuses what it cannot create", function()
      for _, body in ipairs({ "", "{", "{}", '{"app":"slack"}', '{"app":1}', "[]" }) do
        assert.equal(400, (send("POST", "/connections", nil, body)))
      end
      assert.equal(405, (send("PUT", "/connections", nil, "{}")))
    end)
  end)

  describe("paths", function()
    it("answers unknown ones with INVALID_URL_PATTERN", function()
      for _, path in ipairs({ "/zoho-crm", "/zoho-crm/crm/v7/Leads", "/zoho-crm/crm/v8", "/zoho-crm/crm/v8/",
        "/zoho-crm/crm/v8/Leads/1/Notes", "/zoho-crm/crm/v8/settings", "/zoho-crm/crm/v8/settings/tags",
        "/zoho-crm/crm/v8/org/1", "/zoho-crm/crm/v8/settings/custom_views/1", "/zoho-crm/crm/v8/Leads/", "/zoho-crm/crm/v8/coql/1",
        "/zoho-crm/crm/v8/files" }) do
        refused(404, "INVALID_URL_PATTERN", send("GET", path))
      end
    end)

    it("answers wrong methods with INVALID_REQUEST_METHOD, before it looks at the module", function()
      for _, case in ipairs({ { "PATCH", "Leads" }, { "POST", "org" }, { "GET", "coql" }, { "POST", "Leads/1" }, { "GET", "Leads/upsert" },
        { "DELETE", "Leads/search" }, { "DELETE", "users" }, { "PUT", "settings/roles/1" }, { "PATCH", "nothing" } }) do
        refused(400, "INVALID_REQUEST_METHOD", crm(case[1], case[2]))
      end
    end)

    it("knows modules by their exact name only", function()
      for _, name in ipairs({ "leads", "LEADS", "Lead", "Cases", "Visits", "%2E%2E", "Leads%2F..", "all" }) do
        local details = refused(400, "INVALID_MODULE", crm("GET", name, "fields=id"))
        assert.equal(0, details.resource_path_index)
      end
    end)

    it("refuses an id that is none", function()
      for _, id in ipairs({ "abc", "..%2Forg", "12a", "one", "all" }) do
        refused(400, "INVALID_DATA", crm("GET", "Leads/" .. id))
      end
    end)
  end)

  describe("sample data", function()
    it("fits its own rules in every module", function()
      sb = engine.start({ records = 60 })
      for _, module in ipairs(schema.modules) do
        if module.has_records then
          local _, list = crm("GET", module.api_name, "fields=id")
          assert.equal(60, #list.data)
          for _, item in ipairs(list.data) do
            local _, body = crm("GET", module.api_name .. "/" .. item.id)
            local record = body.data[1]
            for name, value in pairs(record) do
              if value == cjson.null then
                record[name] = json.null
              elseif type(value) == "table" and next(value) == nil then
                record[name] = json.array()
              end
            end
            local status, results = write("PUT", module.api_name .. "/" .. item.id, record)
            assert.equal(200, status, module.api_name .. " " .. json.encode(results))
            local _, again = crm("GET", module.api_name .. "/" .. item.id)
            for _, name in ipairs({ "Modified_Time", "Last_Activity_Time", "Modified_By" }) do
              record[name] = again.data[1][name]
            end
            assert.same(record, again.data[1])
          end
        end
      end
    end)

    it("is the same every time, differs by seed, and lies before its epoch", function()
      local function page(options)
        sb = engine.start(options)
        return select(3, crm("GET", "Contacts", "fields=Full_Name,Email,Account_Name,Created_Time,Date_of_Birth")).body
      end
      local first = page({ records = 20 })
      assert.equal(first, page({ records = 20, seed = 1 }))
      assert.not_equal(first, page({ records = 20, seed = 2 }))
      for text in first:gmatch("%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%-08:00") do
        assert.is_true(time.parse(text) < 1769932800)
      end
    end)

    it("is the same on every Lua", function()
      sb = engine.start({ records = { Leads = 100000 } })
      local _, _, response = crm("GET", "Leads", "fields=Full_Name,City,Annual_Revenue,Zip_Code&per_page=1")
      local record = response.body:match('^{"data":%[(.-)%],"info"')
      assert.equal('{"Annual_Revenue":227000,"City":"São Paulo","Full_Name":"Wanjiru Andersson",'
        .. '"Zip_Code":"01590-000","id":"7243485000002196984"}', record)
    end)

    it("costs nothing until it is read", function()
      collectgarbage()
      collectgarbage()
      local before, started = collectgarbage("count"), os.clock()
      sb = engine.start({ records = { Leads = 1000000 } })
      assert.equal(200, (crm("GET", "Leads", "fields=Last_Name&page=3&sort_by=Modified_Time")))
      assert.is_true(os.clock() - started < 0.5)
      assert.is_true(collectgarbage("count") - before < 2000)
    end)
  end)

  describe("the object", function()
    it("remembers the last 1,000 requests as they came", function()
      crm("GET", "Leads", "fields=Last_Name%2CEmail&x=a+b", nil, { ["x-own"] = "1" })
      crm("POST", "Leads", nil, '{"data":[]}')
      local requests = sb:requests()
      assert.equal(2, #requests)
      assert.same({
        method = "GET", path = "/zoho-crm/crm/v8/Leads", raw_query = "fields=Last_Name%2CEmail&x=a+b", body = "",
        query = { fields = "Last_Name,Email", x = "a b" },
        headers = { authorization = "Bearer sandbox", ["x-own"] = "1" },
      }, requests[1])
      assert.equal('{"data":[]}', requests[2].body)
      sb:clear_requests()
      assert.same({}, sb:requests())
      for i = 1, 1005 do
        send("GET", "/connections", "n=" .. i)
      end
      requests = sb:requests()
      assert.equal(1000, #requests)
      assert.equal("6", requests[1].query.n)
      assert.equal("1005", requests[1000].query.n)
    end)

    it("answers planned failures first, each so often as planned", function()
      sb:fail_next({ status = 503, body = "<html>", headers = { ["Retry-After"] = 3 }, times = 2 })
      sb:fail_next({ status = 500 })
      for _ = 1, 2 do
        local response = sb:handle({ method = "GET", path = "/anything" })
        assert.same({ status = 503, body = "<html>", headers = { ["retry-after"] = "3" } }, response)
      end
      assert.equal("", sb:handle({ method = "GET", path = "/" }).body)
      assert.equal(200, (crm("GET", "org")))
      assert.equal(4, #sb:requests())
    end)

    it("goes back to the seeded state", function()
      create("Leads", { Last_Name = "A" })
      crm("DELETE", "Leads/" .. KNOWN_LEAD)
      send("DELETE", "/connections/e55c5bac-241a-4cc8-9db5-50d2cad09136")
      sb:advance(100)
      sb:fail_next({ status = 500 })
      sb:reset()
      assert.equal(NOW, sb:time())
      assert.same({}, sb:requests())
      local _, body = crm("GET", "Leads", "fields=id")
      assert.equal(12, #body.data)
      assert.equal(KNOWN_LEAD, body.data[12].id)
      local _, list = send("GET", "/connections")
      assert.equal(3, #list.connections)
    end)

    it("has a clock: the real one, or one that stands", function()
      sb = engine.start()
      assert.is_true(math.abs(sb:time() - os.time()) <= 1)
      sb:advance(3600)
      assert.is_true(math.abs(sb:time() - os.time() - 3600) <= 1)
      sb:set_time(5)
      sb:advance(2.5)
      assert.equal(7.5, sb:time())
    end)

    it("raises for wrong options at the caller's line", function()
      local cases = {
        { { feilds = 1 }, "unknown option 'feilds' (it takes api_key, credits, rate, records, search_delay, seed, time)" },
        { { sead = 1 }, "unknown option 'sead'; did you mean 'seed'?" }, { sandbox, "call it as sandbox.new{…}, with a dot" },
        { { records = -1 }, "option 'records'" }, { { records = 1.5 }, "option 'records'" },
        { { records = { Leeds = 1 } }, "unknown option 'Leeds'" }, { { records = { Leads = "1" } }, "records.Leads" },
        { { seed = "1" }, "option 'seed'" }, { { time = 0 / 0 }, "option 'time'" }, { { api_key = "" }, "option 'api_key'" },
        { { search_delay = -1 }, "option 'search_delay'" }, { { rate = 0 }, "option 'rate'" },
        { { credits = 0 }, "option 'credits'" }, { 5, "must be a table" },
      }
      for _, case in ipairs(cases) do
        local ok, message = pcall(function()
          sandbox.new(case[1])
        end)
        assert.is_false(ok)
        assert.matches("sandbox_engine_spec.lua:%d+: ", message)
        assert.matches(case[2], message, 1, true)
      end
    end)

    it("raises for other mistakes at the caller's line", function()
      for _, mistake in ipairs({
        function() sb:handle({ path = "/" }) end, function() sb:handle("GET /") end,
        function() sb:handle({ method = "GET", path = "/", query = {} }) end,
        function() sb:handle({ method = "GET", path = "/", headers = "x" }) end,
        function() sb:set_time("now") end, function() sb:advance() end, function() sb:fail_next() end,
        function() sb:fail_next({ status = "500" }) end, function() sb:fail_next({ status = 500, time = 2 }) end,
        function() sb:fail_next({ status = 500, headers = "x" }) end,
        function() sb:fail_next({ status = 500, times = 0 }) end, function() sb:fail_next({ status = 500, body = {} }) end,
      }) do
        local ok, message = pcall(mistake)
        assert.is_false(ok)
        assert.matches("sandbox_engine_spec.lua:%d+: ", message)
      end
    end)
  end)

  describe("json", function()
    it("writes stable, exact, well-formed text", function()
      local cases = {
        { { b = 1, a = { 2, 3 } }, '{"a":[2,3],"b":1}' }, { json.array(), "[]" }, { {}, "{}" }, { json.null, "null" },
        { 200.0, "200" }, { -0.0, "0" }, { 0.1, "0.1" }, { 1 / 3, "0.3333333333333333" }, { 1e300, "1e+300" },
        { 9007199254740991, "9007199254740991" }, { 0 / 0, "null" }, { 1 / 0, "null" }, { true, "true" },
        { 'a"\\\n\0', '"a\\"\\\\\\n\\u0000"' }, { "\195\188", '"\195\188"' },
        { "\255x\237\160\128", '"\239\191\189x\239\191\189\239\191\189\239\191\189"' },
      }
      for _, case in ipairs(cases) do
        assert.equal(case[2], json.encode(case[1]))
      end
    end)

    it("never lets ill-formed UTF-8 out, wherever it came in", function()
      local _, _, response = send("GET", "/connections/%FF%C0%AF")
      assert.equal(404, response.status)
      assert.is_false(select(2, json.clean_utf8(response.body)))
    end)

    it("reads nothing that is no JSON", function()
      for _, text in ipairs({ "", "{", "nope", "NaN", "[1,]", "\255", '"\237\160\128"', ("["):rep(70) .. ("]"):rep(70) }) do
        assert.is_nil(json.decode(text))
      end
      assert.is_nil(json.decode(nil))
      assert.equal(json.null, json.decode('{"a":null}').a)
      assert.equal("12345678901234567890", json.integer_digits(json.decode('[ -1e5, "x\\"1", 12345678901234567890]')[3]))
      assert.equal(-1234567890123456.5, json.decode("[-1234567890123456.5]")[1])
    end)

    it("tells arrays from objects", function()
      for _, text in ipairs({ "[]", "[ ]", "[1]", "[null]", "[{}]", "[[]]", "[12345678901234567890, {}]" }) do
        assert.is_true(json.was_array(json.decode(text)), text)
        assert.is_false(json.was_object(json.decode(text)), text)
      end
      for _, text in ipairs({ "{}", "{ \t\r\n}", '{"a":1}', '{"1":1}', '{"a":[]}', '{"a":{}}' }) do
        assert.is_true(json.was_object(json.decode(text)), text)
        assert.is_false(json.was_array(json.decode(text)), text)
      end
      for _, text in ipairs({ '"{}"', '"[]"', "5", "null", "true", "12345678901234567890" }) do
        assert.is_false(json.was_array(json.decode(text)), text)
        assert.is_false(json.was_object(json.decode(text)), text)
      end
      local mixed = json.decode('{"a":{},"b":[],"c":[[],{},"{}\\"{}"],"d":{"e":{ }},"n":12345678901234567890}')
      assert.equal('{}"{}', mixed.c[3])
      assert.equal("12345678901234567890", json.integer_digits(mixed.n))
      assert.is_nil(next(mixed.a))
      local arrays = {}
      for i, value in ipairs({ mixed.a, mixed.b, mixed.c[1], mixed.c[2], mixed.d.e }) do
        arrays[i] = json.was_array(value)
      end
      assert.same({ false, true, true, false, false }, arrays)
      for _, text in ipairs({ "{{}:1}", "{}{}", "[{},]", "{\v}", "{" }) do
        assert.is_nil(json.decode(text), text)
      end
      assert.is_table(json.decode(("["):rep(62) .. "{}" .. ("]"):rep(62)))
    end)
  end)

  describe("time", function()
    it("reads and writes instants", function()
      assert.equal("2026-02-06T01:10:56-08:00", time.format(NOW))
      assert.equal("1969-12-31T16:00:00-08:00", time.format(0))
      assert.equal("2026-02-06T09:10:56.000000Z", time.format_utc(NOW))
      for text, epoch in pairs({
        ["2026-02-06T09:10:56Z"] = NOW, ["2026-02-06T09:10:56.123Z"] = NOW, ["2026-02-06T14:40:56+05:30"] = NOW,
        ["2026-02-06T01:10:56-0800"] = NOW, ["1970-01-01T00:00:00+00:00"] = 0, ["2000-02-29T00:00:00Z"] = 951782400,
      }) do
        assert.equal(epoch, time.parse(text))
      end
      for _, text in ipairs({ "", "2026-02-06", "2026-02-06 09:10:56Z", "2026-02-06T09:10:56", "2026-13-06T09:10:56Z",
        "2026-02-30T09:10:56Z", "1900-02-29T00:00:00Z", "2026-02-06T09:60:56Z", "2026-02-06T09:10:56+25:00" }) do
        assert.is_nil(time.parse(text))
      end
      for days = -800000, 800000, 997 do
        assert.equal(days, time.days(time.civil(days)))
      end
    end)
  end)
end)
