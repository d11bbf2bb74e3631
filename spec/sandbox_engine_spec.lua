-- The sandbox engine alone: requests go straight into `handle`, no HTTP and no client in between.

local cjson = require("cjson")
local conditions = require("zohocrm.sandbox.conditions")
local criteria = require("zohocrm.sandbox.criteria")
local json = require("zohocrm.sandbox.json")
local sandbox = require("zohocrm.sandbox")
local schema = require("zohocrm.sandbox.schema")
local time = require("zohocrm.sandbox.time")
local url = require("zohocrm.sandbox.url")

local NOW = 1770369056 -- 2026-02-06T01:10:56-08:00
local KNOWN_LEAD = "7243485000000597000"

local function escape(text)
  return (text:gsub("[^%w%-%._~]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

local function query_of(parameters)
  local parts = {}
  for name, value in pairs(parameters or {}) do
    parts[#parts + 1] = escape(name) .. "=" .. escape(tostring(value))
  end
  table.sort(parts)
  return table.concat(parts, "&")
end

describe("sandbox engine", function()
  local sb

  before_each(function()
    sb = sandbox.new({ time = NOW, records = 12 })
  end)

  -- Sends a request; gives status, decoded body (nil where there is none) and the whole response.
  local function send(method, path, query, body, headers)
    local all = { authorization = "Bearer sandbox" }
    for name, value in pairs(headers or {}) do
      all[name] = value or nil
    end
    if type(body) == "table" then
      body = json.encode(body)
    end
    local response = sb:handle({
      method = method, path = path, headers = all, body = body,
      query = type(query) == "table" and query_of(query) or query,
    })
    return response.status, response.body ~= "" and cjson.decode(response.body) or nil, response
  end

  local function crm(method, path, ...)
    return send(method, "/zoho-crm/crm/v8/" .. path, ...)
  end

  local function ids_of(body)
    local ids = {}
    for i, record in ipairs(body.data) do
      ids[i] = record.id
    end
    return ids
  end

  local function create(module, record)
    local status, body = crm("POST", module, nil, { data = json.array({ record }) })
    assert.equal(201, status)
    return body.data[1].details.id
  end

  local function refused(status, code, got_status, body)
    assert.equal(status, got_status)
    assert.equal(code, body.code)
    assert.equal("error", body.status)
    assert.is_string(body.message)
    return body.details
  end

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
      sb = sandbox.new({ api_key = "a b+c" })
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
      sb = sandbox.new({ time = NOW, rate = 2 })
      assert.equal(200, (crm("GET", "org")))
      assert.equal(200, (send("GET", "/connections")))
      local status, body = crm("GET", "org")
      assert.equal(429, status)
      assert.matches("Rate limit", body.message)
      sb:advance(1)
      assert.equal(200, (crm("GET", "org")))
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
        "/zoho-crm/crm/v8/org/1", "/zoho-crm/crm/v8/settings/custom_views/1", "/zoho-crm/crm/v8/Leads/" }) do
        refused(404, "INVALID_URL_PATTERN", send("GET", path))
      end
    end)

    it("answers wrong methods with INVALID_REQUEST_METHOD, before it looks at the module", function()
      for _, case in ipairs({ { "PATCH", "Leads" }, { "POST", "org" }, { "POST", "Leads/1" }, { "GET", "Leads/upsert" },
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

  describe("list", function()
    it("answers the seed's shape, newest first", function()
      local status, body, response = crm("GET", "Leads", "fields=Last_Name,Email")
      assert.equal(200, status)
      assert.equal("application/json;charset=UTF-8", response.headers["content-type"])
      assert.equal(12, #body.data)
      local ids = ids_of(body)
      local sorted = ids_of(body)
      table.sort(sorted, function(a, b)
        return a > b
      end)
      assert.same(sorted, ids)
      assert.same({ id = KNOWN_LEAD, Last_Name = "Maclead (Sample)", Email = "christopher.maclead@example.com" },
        body.data[12])
      assert.same({
        per_page = 200, count = 12, page = 1, sort_by = "id", sort_order = "desc", more_records = false,
        next_page_token = cjson.null, previous_page_token = cjson.null, page_token_expiry = cjson.null,
      }, body.info)
    end)

    it("shows asked fields only: null where empty, absent where unknown", function()
      create("Leads", { Last_Name = "Bare" })
      local _, body = crm("GET", "Leads", "fields=Email,Nonsense,Tag,Twitter,Email,Email_Opt_Out&per_page=1")
      local record = body.data[1]
      record.id = nil
      assert.same({ Email = cjson.null, Tag = {}, Email_Opt_Out = false }, record)
    end)

    it("refuses wrong parameters with the reference's errors", function()
      local many = {}
      for i = 1, 51 do
        many[i] = "F" .. i
      end
      local ids = {}
      for i = 1, 101 do
        ids[i] = tostring(i)
      end
      local cases = {
        { {}, "REQUIRED_PARAM_MISSING", { param_name = "fields" } },
        { { fields = " , " }, "REQUIRED_PARAM_MISSING", { param_name = "fields" } },
        { { fields = table.concat(many, ",") }, "LIMIT_EXCEEDED", { param_name = "fields", limit = 50 } },
        { { fields = "id", page = "x" }, "PATTERN_NOT_MATCHED", { param_name = "page" } },
        { { fields = "id", page = "0" }, "PATTERN_NOT_MATCHED", { param_name = "page" } },
        { { fields = "id", page = "-1" }, "PATTERN_NOT_MATCHED", { param_name = "page" } },
        { { fields = "id", per_page = "1.5" }, "PATTERN_NOT_MATCHED", { param_name = "per_page" } },
        { { fields = "id", per_page = "201" }, "INVALID_DATA", { param_name = "per_page", limit = 200 } },
        { { fields = "id", sort_by = "Email" }, "INVALID_DATA",
          { param_name = "sort_by", supported_values = { "id", "Created_Time", "Modified_Time" } } },
        { { fields = "id", sort_order = "up" }, "INVALID_DATA",
          { param_name = "sort_order", supported_values = { "asc", "desc" } } },
        { { fields = "id", cvid = "1" }, "INVALID_DATA", { param_name = "cvid" } },
        { { fields = "id", cvid = "1", sort_by = "id" }, "AMBIGUITY_DURING_PROCESSING",
          { ambiguity_due_to = { { param_name = "cvid" }, { param_name = "sort_by" } } } },
        { { fields = "id", page = 1, page_token = "x" }, "AMBIGUITY_DURING_PROCESSING",
          { ambiguity_due_to = { { param_name = "page" }, { param_name = "page_token" } } } },
        { { fields = "id", page = 11 }, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", { limit = 2000 } },
        { { fields = "id", page = 41, per_page = 50 }, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", { limit = 2000 } },
        { { fields = "id", ids = table.concat(ids, ",") }, "LIMIT_EXCEEDED", { param_name = "ids", limit = 100 } },
        { { fields = "id", page_token = "garbage" }, "INVALID_DATA", { param_name = "page_token" } },
        { { fields = "id", page_token = "" }, "INVALID_DATA", { param_name = "page_token" } },
        -- of several faults the first in the order of the checks counts
        { { page = "x", per_page = "500" }, "PATTERN_NOT_MATCHED", { param_name = "page" } },
        { { per_page = "500" }, "REQUIRED_PARAM_MISSING", { param_name = "fields" } },
      }
      for _, case in ipairs(cases) do
        assert.same(case[3], refused(400, case[2], crm("GET", "Leads", case[1])))
      end
    end)

    it("answers 204 for nothing: an empty module, a page past the end", function()
      sb = sandbox.new({ records = { Leads = 0, Deals = 3 } })
      for _, case in ipairs({ { "Leads", "fields=id" }, { "Deals", "fields=id&page=2" } }) do
        local status, _, response = crm("GET", case[1], case[2])
        assert.equal(204, status)
        assert.equal("", response.body)
        assert.is_nil(response.headers["content-type"])
      end
    end)

    it("sorts by id, creation and change, both ways", function()
      local _, body = crm("GET", "Leads", "fields=id&sort_order=asc")
      local ascending = ids_of(body)
      assert.equal(KNOWN_LEAD, ascending[1])
      crm("PUT", "Leads", nil, { data = { { id = ascending[3], City = "Oslo" } } })
      sb:advance(5)
      local fresh = create("Leads", { Last_Name = "New" })
      local expected = {
        ["id"] = { ascending[1], fresh }, ["Created_Time"] = { ascending[1], fresh },
        ["Modified_Time"] = { ascending[1], fresh },
      }
      for sort_by, ends in pairs(expected) do
        local _, up = crm("GET", "Leads", { fields = "id", sort_by = sort_by, sort_order = "asc" })
        local _, down = crm("GET", "Leads", { fields = "id", sort_by = sort_by, sort_order = "desc" })
        up, down = ids_of(up), ids_of(down)
        assert.equal(13, #up)
        assert.same(ends, { up[1], up[13] })
        for i = 1, 13 do
          assert.equal(up[i], down[14 - i])
        end
        assert.equal(sort_by == "Modified_Time" and ascending[3] or ascending[12], up[12])
      end
    end)

    it("keeps to ids, views, conversion and approval", function()
      local _, all = crm("GET", "Leads", "fields=Owner")
      local mine = 0
      for _, record in ipairs(all.data) do
        mine = mine + (record.Owner.id == "7243485000000590001" and 1 or 0)
      end
      local _, views = crm("GET", "settings/custom_views", "module=Leads")
      local first, second = all.data[2].id, all.data[5].id
      local cases = {
        { { ids = second .. "," .. first .. ",7243485000009999999" }, 2 },
        { { ids = "7243485000009999999" }, 0 },
        { { cvid = views.custom_views[1].id }, 12 },
        { { cvid = views.custom_views[2].id }, mine },
        { { converted = "true" }, 3 }, { { converted = "both" }, 15 }, { { converted = "false" }, 12 },
        { { approved = "false" }, 2 }, { { approved = "both" }, 14 }, { { approved = "both", converted = "both" }, 17 },
      }
      for _, case in ipairs(cases) do
        case[1].fields = "Converted__s"
        local status, body = crm("GET", "Leads", case[1])
        assert.equal(case[2] == 0 and 204 or 200, status)
        assert.equal(case[2], body and #body.data or 0)
      end
      local _, picked = crm("GET", "Leads", { fields = "id", ids = second .. "," .. first })
      assert.same({ first, second }, ids_of(picked))
    end)

    it("answers 304 when nothing is newer than If-Modified-Since, else what is newer", function()
      local function since(header)
        return crm("GET", "Leads", "fields=id", nil, { ["if-modified-since"] = header })
      end
      local status, _, response = since("2026-02-06T01:10:56-08:00")
      assert.equal(304, status)
      assert.equal("", response.body)
      sb:advance(10)
      local id = create("Leads", { Last_Name = "New" })
      local _, body = since("2026-02-06T10:10:56+01:00")
      assert.same({ id }, ids_of(body))
      refused(400, "INVALID_DATA", since("Fri, 06 Feb 2026 09:10:56 GMT"))
    end)
  end)

  describe("page tokens", function()
    local function page(parameters)
      parameters.fields = parameters.fields or "Last_Name"
      return crm("GET", "Leads", parameters)
    end

    it("come with page 1 and walk to the end", function()
      for _, sort_by in ipairs({ "id", "Created_Time", "Modified_Time" }) do
        for _, sort_order in ipairs({ "asc", "desc" }) do
          local _, whole = page({ sort_by = sort_by, sort_order = sort_order })
          local seen, token, number = {}, nil, 0
          repeat
            local status, body = page({ per_page = 5, page_token = token, sort_by = sort_by, sort_order = sort_order })
            assert.equal(200, status)
            number = number + 1
            assert.equal(number, body.info.page)
            for _, id in ipairs(ids_of(body)) do
              seen[#seen + 1] = id
            end
            token = body.info.more_records and body.info.next_page_token
            assert.equal(token and "2026-02-07T01:10:56-08:00" or cjson.null, body.info.page_token_expiry)
          until not token
          assert.equal(3, number)
          assert.same(ids_of(whole), seen)
        end
      end
    end)

    it("go on after the last record, whatever is created, changed or deleted meanwhile", function()
      for _, sort_order in ipairs({ "asc", "desc" }) do
        sb:reset()
        local _, whole = page({ sort_order = sort_order })
        local ids = ids_of(whole)
        local _, first = page({ per_page = 7, sort_order = sort_order })
        local new = create("Leads", { Last_Name = "Meanwhile" })
        crm("DELETE", "Leads", { ids = ids[7] .. "," .. ids[8] })
        crm("PUT", "Leads/" .. ids[9], nil, { data = { { City = "Rome" } } })
        local _, second = page({ per_page = 7, sort_order = sort_order, page_token = first.info.next_page_token })
        local expected = { ids[9], ids[10], ids[11], ids[12] }
        if sort_order == "asc" then
          expected[5] = new
        end
        assert.same(expected, ids_of(second))
      end
    end)

    it("go on among created records too", function()
      sb = sandbox.new({ records = 0, time = NOW })
      local ids = {}
      for i = 1, 7 do
        ids[i] = create("Leads", { Last_Name = "L" .. i })
        sb:advance(1)
      end
      crm("PUT", "Leads/" .. ids[2], nil, { data = { { City = "Rome" } } })
      for sort_by, expected in pairs({
        id = { ids[1], ids[2], ids[3], ids[4], ids[5], ids[6], ids[7] },
        Modified_Time = { ids[1], ids[3], ids[4], ids[5], ids[6], ids[7], ids[2] },
      }) do
        local seen, token = {}, nil
        repeat
          local _, body = page({ per_page = 3, sort_by = sort_by, sort_order = "asc", page_token = token })
          for _, id in ipairs(ids_of(body)) do
            seen[#seen + 1] = id
          end
          token = body.info.more_records and body.info.next_page_token
        until not token
        assert.same(expected, seen)
      end
    end)

    it("expire after 24 hours of the sandbox's clock", function()
      local _, body = page({ per_page = 5 })
      local token = body.info.next_page_token
      sb:advance(24 * 3600 - 1)
      assert.equal(200, (page({ per_page = 5, page_token = token })))
      sb:advance(1)
      assert.same({ api_name = "page_token", json_path = "$.query.page_token" },
        refused(400, "EXPIRED_VALUE", page({ per_page = 5, page_token = token })))
    end)

    it("belong to their module and to every other parameter", function()
      local _, body = page({ per_page = 5 })
      local token = body.info.next_page_token
      local altered = {
        { per_page = 6 }, { per_page = 5, fields = "Last_Name,Email" }, { per_page = 5, sort_by = "Modified_Time" },
        { per_page = 5, sort_order = "desc" }, {},
      }
      for _, parameters in ipairs(altered) do
        parameters.page_token = token
        refused(400, "TOKEN_BOUND_DATA_MISMATCH", page(parameters))
      end
      refused(400, "TOKEN_BOUND_DATA_MISMATCH",
        crm("GET", "Contacts", { fields = "Last_Name", per_page = 5, page_token = token }))
      local last = token:match("(%w)=*$")
      local broken = token:gsub("%w(=*)$", (last == "A" and "B" or "A") .. "%1")
      for _, garbage in ipairs({ token .. "=", token:sub(2), token:sub(1, -5), broken .. "====", "%%%", ("A"):rep(5000) }) do
        refused(400, "INVALID_DATA", page({ per_page = 5, page_token = garbage }))
      end
    end)

    it("must be percent-encoded: a plus sign in the query is a blank", function()
      assert.same({ a = "1 2", b = "1+2", c = "" }, url.query("a=1+2&b=1%2B2&c&a=9"))
    end)

    it("reach 100,000 records, page numbers 2,000", function()
      sb = sandbox.new({ records = { Leads = 100001 } })
      local status, body = page({ page = 10, fields = "id" })
      assert.equal(200, status)
      assert.is_true(body.info.more_records)
      local token, pages = nil, 0
      repeat
        status, body = page({ page_token = token, fields = "id" })
        if status == 200 then
          pages, token = pages + 1, body.info.next_page_token
        end
      until status ~= 200
      assert.equal(500, pages)
      assert.same({ param_name = "page_token" }, refused(400, "PAGINATION_LIMIT_EXCEEDED", status, body))
    end)
  end)

  describe("get", function()
    it("gives all fields of one record, or those asked for", function()
      local status, body = crm("GET", "Leads/" .. KNOWN_LEAD)
      assert.equal(200, status)
      assert.equal(1, #body.data)
      assert.is_nil(body.info)
      local lead = body.data[1]
      assert.equal("Christopher Maclead (Sample)", lead.Full_Name)
      assert.equal("Rangoni Of Florence", lead.Company)
      assert.is_string(lead.Owner.email)
      assert.same({ id = "7243485000000091055", name = "Standard" }, lead.Layout)
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%-08:00$", lead.Created_Time)
      _, body = crm("GET", "Leads/" .. KNOWN_LEAD, "fields=Phone")
      assert.same({ { id = KNOWN_LEAD, Phone = "555-555-5555" } }, body.data)
    end)

    it("answers 204 for an unknown, a foreign and a deleted one", function()
      crm("DELETE", "Leads/" .. KNOWN_LEAD)
      for _, id in ipairs({ KNOWN_LEAD, "1", "7243485000009999999", "7243485000000597001", "9943485000000597016" }) do
        local status, _, response = crm("GET", "Leads/" .. id)
        assert.equal(204, status)
        assert.equal("", response.body)
      end
    end)
  end)

  -- One write of several records; gives the status and the results.
  local function write(method, path, ...)
    local status, body = crm(method, path, nil, { data = json.array({ ... }) })
    return status, body.data or body
  end

  local function value_of(module, id, field)
    local _, body = crm("GET", module .. "/" .. id)
    return body.data[1][field]
  end

  describe("create", function()
    it("answers the seed's shape with growing ids", function()
      local status, results = write("POST", "Leads", { Last_Name = "Smith", Company = "Acme" }, { Last_Name = "Doe" })
      assert.equal(201, status)
      local by = { name = "John Doe", id = "7243485000000590001" }
      assert.same({
        code = "SUCCESS", message = "record added", status = "success",
        details = {
          id = "7243485000000619001", Created_By = by, Modified_By = by,
          Created_Time = "2026-02-06T01:10:56-08:00", Modified_Time = "2026-02-06T01:10:56-08:00",
        },
      }, results[1])
      assert.equal("7243485000000619002", results[2].details.id)
      local _, body = crm("GET", "Leads", "fields=Last_Name&per_page=2")
      assert.same({ { id = "7243485000000619002", Last_Name = "Doe" }, { id = "7243485000000619001", Last_Name = "Smith" } },
        body.data)
    end)

    it("wants the mandatory fields of each module", function()
      local time_text = "2026-02-06T10:00:00-08:00"
      local complete = {
        Leads = { Last_Name = "A" }, Contacts = { Last_Name = "A" }, Accounts = { Account_Name = "A" },
        Deals = { Deal_Name = "A", Stage = "Qualification" }, Tasks = { Subject = "A" },
        Calls = { Subject = "A", Call_Type = "Inbound", Call_Start_Time = time_text, Call_Duration = "00:20" },
        Events = { Event_Title = "A", Start_DateTime = time_text, End_DateTime = time_text },
        Campaigns = { Campaign_Name = "A" }, Products = { Product_Name = "A" }, Service_Contracts = { Name = "A" },
      }
      for module, record in pairs(complete) do
        assert.equal(201, (write("POST", module, record)))
        for name in pairs(record) do
          for _, gap in ipairs({ "absent", json.null, "" }) do
            local partial = {}
            for key, value in pairs(record) do
              partial[key] = value
            end
            partial[name] = gap ~= "absent" and gap or nil
            partial.Unknown = "keeps the object from being empty"
            local status, results = write("POST", module, partial)
            assert.equal(400, status)
            assert.equal("MANDATORY_NOT_FOUND", results[1].code)
            assert.same({ api_name = name, json_path = "$.data[0]." .. name }, results[1].details)
          end
        end
      end
    end)

    it("answers a mix of results with 207, in order", function()
      local status, results = write("POST", "Leads", { Last_Name = "A" }, { Email = "x" }, { Last_Name = 5 },
        { Last_Name = "B" })
      assert.equal(207, status)
      assert.same({ "SUCCESS", "MULTIPLE_OR_MULTI_ERRORS", "INVALID_DATA", "SUCCESS" },
        { results[1].code, results[2].code, results[3].code, results[4].code })
      local errors = results[2].details.errors
      assert.same({ "INVALID_DATA", "MANDATORY_NOT_FOUND" }, { errors[1].code, errors[2].code })
      assert.equal("$.data[1].Email", errors[1].details.json_path)
      assert.same({ api_name = "Last_Name", json_path = "$.data[2].Last_Name", expected_data_type = "text" },
        results[3].details)
    end)

    it("checks every data type", function()
      local account = select(2, crm("GET", "Accounts", "fields=id")).data[1].id
      local deal = select(2, crm("GET", "Deals", "fields=id")).data[1].id
      local long = ("é"):rep(81)
      -- module, field, value, what goes with the fault (nil: accepted), value as stored (default: as sent)
      local cases = {
        { "Leads", "Last_Name", ("é"):rep(80) }, { "Leads", "Last_Name", long, { maximum_length = 80 } },
        { "Leads", "Last_Name", true, { expected_data_type = "text" } },
        { "Leads", "Email", "a@example.com" }, { "Leads", "Email", "a@", "regex" }, { "Leads", "Email", 5, "expected_data_type" },
        { "Leads", "Email", "", nil, json.null },
        { "Leads", "Phone", "+1 (555) 123-4567" }, { "Leads", "Phone", "nö", "regex" },
        { "Leads", "Lead_Source", "Cold Call" }, { "Leads", "Lead_Source", "cold call", "supported_values" },
        { "Leads", "Lead_Source", 1, { expected_data_type = "picklist" } },
        { "Leads", "Email_Opt_Out", true }, { "Leads", "Email_Opt_Out", "true", { expected_data_type = "boolean" } },
        { "Leads", "No_of_Employees", 12 }, { "Leads", "No_of_Employees", 1.5, { expected_data_type = "integer" } },
        { "Leads", "No_of_Employees", "12", { expected_data_type = "integer" } },
        { "Leads", "No_of_Employees", 1000000000, { maximum_length = 9 } },
        { "Leads", "Annual_Revenue", 10.25 }, { "Leads", "Annual_Revenue", "10", { expected_data_type = "double" } },
        { "Leads", "First_Contact_Date", "2028-02-29" },
        { "Leads", "First_Contact_Date", "2026-02-29", { expected_data_type = "date" } },
        { "Leads", "First_Contact_Date", "06/02/2026", { expected_data_type = "date" } },
        { "Leads", "Next_Call_Time", "2026-02-06T10:00:00+05:30", nil, "2026-02-05T20:30:00-08:00" },
        { "Leads", "Next_Call_Time", "2026-02-06T10:00:00", { expected_data_type = "datetime" } },
        { "Leads", "Next_Call_Time", "2026-02-06T24:00:00Z", { expected_data_type = "datetime" } },
        { "Leads", "Interests", { "Training" } }, { "Leads", "Interests", { "Nothing" }, "supported_values" },
        { "Leads", "Interests", "Training", { expected_data_type = "jsonarray" } },
        { "Leads", "Interests", json.array(), nil, json.null },
        { "Contacts", "Account_Name", { id = "1" }, { id = "1" } },
        { "Contacts", "Account_Name", { name = "x" }, { expected_data_type = "jsonobject" } },
        { "Contacts", "Account_Name", 5, { expected_data_type = "jsonobject" } },
        { "Leads", "Owner", { id = "7243485000000590097" }, { id = "7243485000000590097" } },
        { "Leads", "Layout", { id = "1" }, {} },
        { "Calls", "Call_Duration", "5 minutes", "regex" },
        { "Tasks", "What_Id", { id = deal }, nil, "related" },
        { "Tasks", "Remind_At", { ALARM = "FREQ=NONE" } },
        { "Tasks", "Remind_At", "soon", { expected_data_type = "jsonobject" } },
        { "Service_Contracts", "Device_Serial", "123456789012345678" },
        { "Service_Contracts", "Device_Serial", "1234567890123456789", { maximum_length = 18 } },
        { "Service_Contracts", "Device_Serial", 42, nil, "42" },
        { "Service_Contracts", "Device_Serial", 4.2, { expected_data_type = "bigint" } },
        { "Service_Contracts", "Discount", 12.5 },
      }
      assert.equal(account, create("Contacts", { Last_Name = "A", Account_Name = { id = account } })
        and select(2, crm("GET", "Contacts", "fields=Account_Name&per_page=1")).data[1].Account_Name.id)
      for _, case in ipairs(cases) do
        local module, field, value, fault, stored = case[1], case[2], case[3], case[4], case[5]
        local record = {
          Last_Name = "A", Subject = "A", Name = "A", Call_Type = "Inbound", Call_Duration = "1:00",
          Call_Start_Time = "2026-02-06T10:00:00Z",
        }
        record[field] = value
        record["$se_module"] = "Deals"
        local status, results = write("POST", module, record)
        local label = module .. "." .. field .. " " .. json.encode(value)
        if fault then
          assert.equal(400, status, label)
          local details = results[1].details
          assert.equal("INVALID_DATA", results[1].code, label)
          assert.equal(field, details.api_name, label)
          assert.equal("$.data[0]." .. field, details.json_path, label)
          if type(fault) == "string" then
            assert.is_not_nil(details[fault], label)
          else
            details.api_name, details.json_path = nil, nil
            assert.same(fault, details, label)
          end
        else
          assert.equal(201, status, label)
          local seen = value_of(module, results[1].details.id, field)
          if stored == "related" then
            assert.equal(deal, seen.id)
            assert.equal("Deals", value_of(module, results[1].details.id, "$se_module"))
          else
            assert.same(stored == nil and value or stored, seen, label)
          end
        end
      end
    end)

    it("keeps digits that no double holds", function()
      local status, body = crm("POST", "Service_Contracts", nil,
        '{"data":[{"Name":"12345678901234567890","Device_Serial":9007199254740995,"Terms":"a \\" 1234567890123456"}]}')
      assert.equal(201, status)
      local _, read = crm("GET", "Service_Contracts/" .. body.data[1].details.id)
      assert.equal("9007199254740995", read.data[1].Device_Serial)
      assert.equal("12345678901234567890", read.data[1].Name)
      assert.equal('a " 1234567890123456', read.data[1].Terms)
    end)

    it("passes over unknown, unused and read-only fields", function()
      local id = create("Leads", {
        Last_Name = "A", Nonsense = { 1 }, Twitter = "@a", Created_Time = "2001-01-01T00:00:00Z", Full_Name = "B",
      })
      local _, body = crm("GET", "Leads/" .. id)
      local lead = body.data[1]
      assert.is_nil(lead.Nonsense)
      assert.is_nil(lead.Twitter)
      assert.equal("2026-02-06T01:10:56-08:00", lead.Created_Time)
      assert.equal("A", lead.Full_Name)
    end)

    it("fills in owner, booleans, tags, durations, running numbers", function()
      local id = create("Leads", { Last_Name = "A", Tag = { { name = "vip" } } })
      assert.equal("7243485000000590001", value_of("Leads", id, "Owner").id)
      assert.is_false(value_of("Leads", id, "Email_Opt_Out"))
      assert.equal("vip", value_of("Leads", id, "Tag")[1].name)
      id = create("Calls", { Subject = "A", Call_Type = "Inbound", Call_Start_Time = "2026-02-06T10:00:00Z",
        Call_Duration = "02:05" })
      assert.equal(125, value_of("Calls", id, "Call_Duration_in_seconds"))
      id = create("Service_Contracts", { Name = "A" })
      assert.equal("SC-001012", value_of("Service_Contracts", id, "Contract_Number"))
    end)

    it("wants $se_module beside What_Id", function()
      local _, deals = crm("GET", "Deals", "fields=id")
      local status, results = write("POST", "Tasks", { Subject = "A", What_Id = { id = deals.data[1].id } })
      assert.equal(400, status)
      assert.equal("DEPENDENT_FIELD_MISSING", results[1].code)
      assert.equal("$se_module", results[1].details.api_name)
      assert.equal("What_Id", results[1].details.dependee.api_name)
    end)

    it("finds duplicates of unique fields: seeded, created, in the same batch, case aside", function()
      local _, contacts = crm("GET", "Contacts", "fields=Email")
      local known = contacts.data[4]
      local status, results = write("POST", "Contacts", { Last_Name = "A", Email = known.Email:upper() },
        { Last_Name = "B", Email = "new@example.com" }, { Last_Name = "C", Email = "new@example.com" })
      assert.equal(207, status)
      assert.equal("DUPLICATE_DATA", results[1].code)
      assert.equal("duplicate data", results[1].message)
      assert.same({
        api_name = "Email", json_path = "$.data[0].Email", id = known.id, more_records = false,
        duplicate_record = { id = known.id, module = { api_name = "Contacts", id = "7243485000000002177" } },
      }, results[1].details)
      assert.equal("SUCCESS", results[2].code)
      assert.equal("DUPLICATE_DATA", results[3].code)
      assert.equal(results[2].details.id, results[3].details.id)
      -- gone with the record, and with the value
      crm("DELETE", "Contacts/" .. known.id)
      write("PUT", "Contacts", { id = results[2].details.id, Email = "other@example.com" })
      assert.equal(201, (write("POST", "Contacts", { Last_Name = "A", Email = known.Email },
        { Last_Name = "C", Email = "new@example.com" })))
      -- the field an upsert compares is not unique by that
      assert.equal(201, (write("POST", "Leads", { Last_Name = "A", Email = "same@example.com" },
        { Last_Name = "B", Email = "same@example.com" })))
    end)

    it("refuses a body as a whole", function()
      local hundred_and_one = json.array()
      for i = 1, 101 do
        hundred_and_one[i] = { Last_Name = "L" .. i }
      end
      local cases = {
        { nil, "UNABLE_TO_PARSE_DATA_TYPE" }, { "", "UNABLE_TO_PARSE_DATA_TYPE" },
        { '{"data":[{"Last_Name":"A"}', "UNABLE_TO_PARSE_DATA_TYPE" }, { "5", "UNABLE_TO_PARSE_DATA_TYPE" },
        { '[{"Last_Name":"A"}]', "UNABLE_TO_PARSE_DATA_TYPE" },
        { '{"data":[{"Last_Name":"\255"}]}', "UNABLE_TO_PARSE_DATA_TYPE" },
        { ("["):rep(5000), "UNABLE_TO_PARSE_DATA_TYPE" },
        { "{}", "MANDATORY_NOT_FOUND" }, { '{"data":null}', "MANDATORY_NOT_FOUND" },
        { '{"data":{"Last_Name":"A"}}', "INVALID_DATA" }, { '{"data":[]}', "INVALID_DATA" },
        { '{"data":"x"}', "INVALID_DATA" },
        { json.encode({ data = hundred_and_one }), "LIMIT_EXCEEDED" },
        { '{"data":[{"Last_Name":"A"}],"trigger":"workflow"}', "INVALID_DATA" },
        { '{"data":[{"Last_Name":"A"}],"trigger":["other"]}', "INVALID_DATA" },
      }
      for _, case in ipairs(cases) do
        refused(400, case[2], crm("POST", "Leads", nil, case[1]))
      end
      local _, body = crm("GET", "Leads", "fields=id")
      assert.equal(12, #body.data)
      assert.equal(100, refused(400, "LIMIT_EXCEEDED",
        crm("POST", "Leads", nil, { data = hundred_and_one })).maximum_length)
      hundred_and_one[101] = nil
      local status, all = crm("POST", "Leads", nil, { data = hundred_and_one, trigger = { "workflow" } })
      assert.equal(201, status)
      assert.equal(100, #all.data)
    end)

    it("fails items that are no objects on their own", function()
      local status, body = crm("POST", "Leads", nil, '{"data":["x",{"Last_Name":"A"},[1],null]}')
      assert.equal(207, status)
      assert.equal(4, #body.data)
      for i, path in pairs({ [1] = "$.data[0]", [3] = "$.data[2]", [4] = "$.data[3]" }) do
        assert.equal("INVALID_DATA", body.data[i].code)
        assert.equal(path, body.data[i].details.json_path)
      end
    end)
  end)

  describe("update", function()
    it("changes what is sent, empties what is null, moves Modified_Time", function()
      local before = select(2, crm("GET", "Leads/" .. KNOWN_LEAD)).data[1]
      sb:advance(5)
      local status, results = write("PUT", "Leads", { id = KNOWN_LEAD, City = "Oslo", Phone = json.null })
      assert.equal(200, status)
      assert.equal("record updated", results[1].message)
      assert.equal("2026-02-06T01:11:01-08:00", results[1].details.Modified_Time)
      assert.equal(before.Created_Time, results[1].details.Created_Time)
      local after = select(2, crm("GET", "Leads/" .. KNOWN_LEAD)).data[1]
      before.City, before.Phone = "Oslo", cjson.null
      for _, name in ipairs({ "Modified_Time", "Modified_By", "Last_Activity_Time" }) do
        before[name] = after[name]
      end
      assert.same(before, after)
    end)

    it("takes the id from the path, for one record", function()
      assert.equal(200, (write("PUT", "Leads/" .. KNOWN_LEAD, { id = "1", City = "Rome" })))
      assert.equal("Rome", value_of("Leads", KNOWN_LEAD, "City"))
      assert.equal(1, refused(400, "LIMIT_EXCEEDED", write("PUT", "Leads/" .. KNOWN_LEAD, {}, {})).maximum_length)
      local status, results = write("PUT", "Leads/7243485000009999999", { City = "Rome" })
      assert.equal(400, status)
      assert.equal("the id given seems to be invalid", results[1].message)
    end)

    it("reports per record", function()
      local status, results = write("PUT", "Leads", { id = KNOWN_LEAD, City = "A" }, { City = "A" }, { id = "77", City = "A" },
        { id = KNOWN_LEAD, Last_Name = json.null }, { id = KNOWN_LEAD, External_Id = "LEAD-001003" },
        { id = KNOWN_LEAD, External_Id = "LEAD-001000" })
      assert.equal(207, status)
      local codes = {}
      for i, result in ipairs(results) do
        codes[i] = result.code .. " " .. (result.details.json_path or "")
      end
      assert.same({
        "SUCCESS ", "MANDATORY_NOT_FOUND $.data[1].id", "INVALID_DATA $.data[2].id",
        "MANDATORY_NOT_FOUND $.data[3].Last_Name", "DUPLICATE_DATA $.data[4].External_Id", "SUCCESS ",
      }, codes)
    end)

    it("adds to a multi-select pick list on demand", function()
      local id = create("Leads", { Last_Name = "A", Interests = { "Training" } })
      write("PUT", "Leads", { id = id, Interests = { "Hardware", "Training" }, ["$append_values"] = { Interests = true } })
      assert.same({ "Training", "Hardware" }, value_of("Leads", id, "Interests"))
      write("PUT", "Leads", { id = id, Interests = { "Hardware" } })
      assert.same({ "Hardware" }, value_of("Leads", id, "Interests"))
    end)

    it("refuses converted and unapproved leads", function()
      for parameter, code in pairs({ converted = "CONVERTED_RECORD", approved = "NOT_APPROVED" }) do
        local _, body = crm("GET", "Leads", { fields = "id", [parameter] = parameter == "converted" and "true" or "false" })
        local status, results = write("PUT", "Leads", { id = body.data[1].id, City = "Rome" })
        assert.equal(400, status)
        assert.equal(code, results[1].code)
      end
    end)

    it("answers 412 when a record is newer than If-Unmodified-Since, and writes nothing", function()
      local body = { data = { { id = KNOWN_LEAD, City = "Rome" } } }
      local function put(header)
        return crm("PUT", "Leads", nil, body, { ["if-unmodified-since"] = header })
      end
      local status, answer = put("2001-01-01T00:00:00Z")
      assert.equal(412, status)
      assert.equal("ALREADY_MODIFIED", answer.data[1].code)
      assert.equal(KNOWN_LEAD, answer.data[1].details.id)
      assert.not_equal("Rome", value_of("Leads", KNOWN_LEAD, "City"))
      assert.equal(200, (put("2026-02-06T09:10:56Z")))
    end)

    it("shows lookups by the name their record has now, null once it is gone", function()
      local account = create("Accounts", { Account_Name = "Old" })
      local contact = create("Contacts", { Last_Name = "A", Account_Name = { id = account } })
      write("PUT", "Accounts", { id = account, Account_Name = "New" })
      assert.same({ id = account, name = "New" }, value_of("Contacts", contact, "Account_Name"))
      crm("DELETE", "Accounts/" .. account)
      assert.equal(cjson.null, value_of("Contacts", contact, "Account_Name"))
    end)
  end)

  describe("upsert", function()
    it("inserts or updates, and says by which field", function()
      local _, leads = crm("GET", "Leads", "fields=Email,External_Id")
      local known = leads.data[3]
      local status, results = write("POST", "Leads/upsert", { Last_Name = "A", Email = known.Email },
        { Last_Name = "B", Email = "b@example.com" }, { External_Id = known.External_Id, City = "Rome" },
        { Email = "c@example.com" })
      assert.equal(207, status)
      local seen = {}
      for i, result in ipairs(results) do
        seen[i] = { result.code, result.action, result.duplicate_field, result.message }
      end
      assert.same({
        { "SUCCESS", "update", "Email", "record updated" }, { "SUCCESS", "insert", cjson.null, "record added" },
        { "SUCCESS", "update", "External_Id", "record updated" }, { "MANDATORY_NOT_FOUND", nil, nil, "required field not found" },
      }, seen)
      assert.equal(known.id, results[1].details.id)
      assert.equal(200, (write("POST", "Leads/upsert", { Last_Name = "C", Email = "d@example.com" })))
    end)

    it("looks at the system field only where it is listed", function()
      local body = { data = { { Last_Name = "A", Email = "christopher.maclead@example.com" } },
        duplicate_check_fields = { "External_Id" } }
      local status, answer = crm("POST", "Leads/upsert", nil, body)
      assert.equal(200, status)
      assert.equal("insert", answer.data[1].action)
      for _, wrong in ipairs({ { "City" }, { "Email", "Nonsense" }, "Email" }) do
        body.duplicate_check_fields = wrong
        local details = refused(400, "INVALID_DATA", crm("POST", "Leads/upsert", nil, body))
        assert.same({ "Email", "External_Id" }, details.supported_values)
      end
    end)

    it("converges when it is sent again", function()
      local _, first = write("POST", "Accounts/upsert", { Account_Name = "Twice Ltd" })
      local _, second = write("POST", "Accounts/upsert", { Account_Name = "Twice Ltd" })
      assert.equal("insert", first[1].action)
      assert.equal("update", second[1].action)
      assert.equal(first[1].details.id, second[1].details.id)
    end)
  end)

  describe("delete", function()
    it("deletes by query and by path, one result per id", function()
      local _, leads = crm("GET", "Leads", "fields=id")
      local ids = ids_of(leads)
      local status, body = crm("DELETE", "Leads", { ids = ids[1] .. "," .. ids[2], wf_trigger = "false" })
      assert.equal(200, status)
      assert.same({ code = "SUCCESS", details = { id = ids[1] }, message = "record deleted", status = "success" },
        body.data[1])
      status, body = crm("DELETE", "Leads", { ids = ids[3] .. "," .. ids[3] .. ",x" })
      assert.equal(207, status)
      assert.same({ "SUCCESS", "INVALID_DATA", "INVALID_DATA" },
        { body.data[1].code, body.data[2].code, body.data[3].code })
      assert.same({ id = ids[3] }, body.data[2].details)
      assert.equal(200, (crm("DELETE", "Leads/" .. ids[4])))
      assert.equal(400, (crm("DELETE", "Leads/" .. ids[4])))
      local _, rest = crm("GET", "Leads", "fields=id")
      assert.equal(8, #rest.data)
    end)

    it("refuses wrong parameters", function()
      local ids = {}
      for i = 1, 101 do
        ids[i] = tostring(i)
      end
      assert.same({ param_name = "ids" }, refused(400, "REQUIRED_PARAM_MISSING", crm("DELETE", "Leads")))
      assert.same({ param_name = "ids", limit = 100 },
        refused(400, "LIMIT_EXCEEDED", crm("DELETE", "Leads", { ids = table.concat(ids, ",") })))
      refused(400, "PATTERN_NOT_MATCHED", crm("DELETE", "Leads", "ids=1&wf_trigger=perhaps"))
    end)
  end)

  describe("search", function()
    local people

    before_each(function()
      sb = sandbox.new({ time = NOW, records = 0 })
      local rows = {
        { Last_Name = "Smith", City = "Oslo", Email = "smith@example.com", Phone = "555-123-4567", Annual_Revenue = 10 },
        { Last_Name = "Smithson", City = "Rome", Annual_Revenue = 20.5, Email_Opt_Out = true, Lead_Source = "Cold Call" },
        { Last_Name = "Blacksmith", City = "Oslo", Annual_Revenue = -3, Lead_Source = "Chat", Company = "Burns,B (x)" },
        { Last_Name = "Öberg", City = "Malmö", Interests = { "Training", "Hardware" }, Company = "back\\slash" },
        { Last_Name = "null", First_Contact_Date = "2026-02-06", Next_Call_Time = "2026-02-06T10:00:00+02:00" },
      }
      people = {}
      for i, row in ipairs(rows) do
        people[create("Leads", row)] = row.Last_Name
        if i == 2 then
          sb:advance(100)
        end
      end
    end)

    local function names(parameters, sort)
      parameters.sort_by, parameters.sort_order = "id", "asc"
      for name, value in pairs(sort or {}) do
        parameters[name] = value
      end
      local status, body = crm("GET", "Leads/search", parameters)
      if status == 204 then
        return {}
      end
      assert.equal(200, status)
      local found = {}
      for i, record in ipairs(body.data) do
        found[i] = people[record.id]
      end
      return found
    end

    it("evaluates criteria", function()
      local S, SS, B, O, N = "Smith", "Smithson", "Blacksmith", "Öberg", "null"
      local cases = {
        -- texts: equals contains, case aside
        { "(Last_Name:equals:smith)", { S, SS, B } }, { "(Last_Name:starts_with:SMITH)", { S, SS } },
        { "(Last_Name:not_equal:smith)", { O, N } }, { "(Last_Name:in:son,öBERG)", { SS, O } },
        { "(Last_Name:equals:null)", { N } }, { "(Full_Name:starts_with:Black)", { B } },
        { "(Company:equals:${EMPTY})", { S, SS, N } }, { "(Company:not_equal:${EMPTY})", { B, O } },
        -- escapes
        { "(Company:equals:Burns\\,B \\(x\\))", { B } }, { "(Company:equals:back\\\\)", { O } },
        { "(Company:equals:k\\s)", { O } },
        -- pick lists, booleans, multi-select
        { "(Lead_Source:equals:Cold Call)", { SS } }, { "(Lead_Source:equals:Cold)", {} },
        { "(Lead_Source:in:Chat,Cold Call)", { SS, B } }, { "(Lead_Source:equals:null)", { S, O, N } },
        { "(Email_Opt_Out:equals:true)", { SS } }, { "(Email_Opt_Out:not_equal:true)", { S, B, O, N } },
        { "(Interests:equals:Hardware)", { O } }, { "(Interests:starts_with:Train)", { O } },
        -- numbers
        { "(Annual_Revenue:greater_than:10)", { SS } }, { "(Annual_Revenue:greater_equal:10)", { S, SS } },
        { "(Annual_Revenue:less_than:10)", { B } }, { "(Annual_Revenue:less_equal:10)", { S, B } },
        { "(Annual_Revenue:between:-3,10)", { S, B } }, { "(Annual_Revenue:in:20.50,-3)", { SS, B } },
        { "(Annual_Revenue:equals:10.0)", { S } }, { "(Annual_Revenue:equals:null)", { O, N } },
        -- dates and times
        { "(First_Contact_Date:equals:2026-02-06)", { N } }, { "(First_Contact_Date:less_than:2026-02-06)", {} },
        { "(Next_Call_Time:equals:2026-02-06T08:00:00Z)", { N } },
        { "(Created_Time:greater_than:2026-02-06T10:10:56+01:00)", { B, O, N } },
        { "(Created_Time:between:2026-02-06T09:10:56Z,2026-02-06T09:10:57Z)", { S, SS } },
        -- ids and owners
        { "(id:greater_than:7243485000000619003)", { O, N } }, { "(id:in:7243485000000619001)", { S } },
        { "(Owner:equals:7243485000000590001)", { S, SS, B, O, N } }, { "(Owner:not_equal:7243485000000590001)", {} },
        -- nesting, blanks, precedence
        { "((City:equals:Oslo)and(Last_Name:starts_with:Sm))", { S } },
        { "(City:equals:Oslo)and(Last_Name:starts_with:Sm)", { S } },
        -- (blanks of a value belong to it)
        { " ( ( City : equals:Oslo ) OR (City:equals:Rome) ) ", { SS } },
        { "((City:equals:Oslo) or (City:equals:Rome))", { S, SS, B } },
        { "((Last_Name:starts_with:Sm)and((City:equals:Rome)or(City:equals:Malmö)))", { SS } },
        { "((City:equals:Malmö)or(City:equals:Oslo)and(Last_Name:starts_with:Sm))", { S, O } },
        { "((City:equals:Oslo)and(Last_Name:starts_with:Sm)or(City:equals:Malmö))", { S, O } },
        { "((((((Last_Name:equals:son))))))", { SS } },
      }
      for _, case in ipairs(cases) do
        assert.same(case[2], names({ criteria = case[1] }), case[1])
      end
    end)

    it("refuses wrong criteria with INVALID_QUERY and a reason", function()
      local cases = {
        { "Last_Name:equals:x", "opening parenthesis" }, { "(Last_Name:equals)", "condition" }, { "()", "condition" },
        { "(Last_Name:equals:x", "closing parenthesis" }, { "((Last_Name:equals:x)", "or" },
        { "(Last_Name:equals:x))", "character" }, { "(Last_Name:equals:x)and", "opening" },
        { "((Last_Name:equals:x)xor(City:equals:y))", "and" }, { "(Last_Name:equals:(x))", "backslash" },
        { "(Last_Name:equals:a,b)", "comma", "Last_Name" }, { "(Last_Name:equals:)", "value", "Last_Name" }, { ("("):rep(2900), "deeply" },
        { "(Nothing:equals:x)", "not available", "Nothing" }, { "(Twitter:equals:x)", "not available", "Twitter" },
        { "(Last_Name:greater_than:x)", "operator", "Last_Name" }, { "(Last_Name:contains:x)", "operator", "Last_Name" },
        { "(Description:in:x)", "operator", "Description" }, { "(Lead_Source:starts_with:x)", "operator", "Lead_Source" },
        { "(Email_Opt_Out:in:true)", "operator", "Email_Opt_Out" }, { "(Annual_Revenue:equals:x)", "value", "Annual_Revenue" },
        { "(Annual_Revenue:between:1)", "values", "Annual_Revenue" }, { "(Email_Opt_Out:equals:1)", "value", "Email_Opt_Out" },
        { "(Created_Time:equals:2026-02-06)", "value", "Created_Time" },
        { "(First_Contact_Date:equals:2026-02-30)", "value", "First_Contact_Date" },
        { "(Owner:equals:John)", "value", "Owner" },
        { "(Last_Name:in:" .. ("x,"):rep(100) .. "x)", "values", "Last_Name" },
      }
      for _, case in ipairs(cases) do
        local details = refused(400, "INVALID_QUERY", crm("GET", "Leads/search", { criteria = case[1] }))
        assert.matches(case[2], details.reason, 1, true)
        assert.equal(case[3], details.api_name, case[1])
      end
    end)

    it("allows 15 conditions and 3,000 characters", function()
      local one = "(Last_Name:equals:x)"
      local function many(count)
        return "(" .. (one .. "or"):rep(count - 1) .. one .. ")"
      end
      assert.equal(204, (crm("GET", "Leads/search", { criteria = many(15) })))
      local _, body = crm("GET", "Leads/search", { criteria = many(16) })
      assert.equal("CRITERIA_LIMIT_EXCEEDED", body.code)
      assert.equal("no of criterium that can be given exceed the limit 15", body.message)
      local long = ("(Last_Name:equals:%s)"):format(("x"):rep(3000 - #one + 1))
      assert.equal(204, (crm("GET", "Leads/search", { criteria = long })))
      assert.equal(3000, refused(400, "LIMIT_EXCEEDED", crm("GET", "Leads/search", { criteria = long .. " " })).limit)
    end)

    it("finds by e-mail, phone and word; the first of the four given counts", function()
      assert.same({ "Smith" }, names({ email = "SMITH@example" }))
      assert.same({ "Smith" }, names({ phone = "123-4567" }))
      assert.same({ "Smith" }, names({ phone = "5551234" }))
      assert.same({ "Smith", "Smithson", "Blacksmith" }, names({ word = "smith" }))
      assert.same({ "Öberg" }, names({ word = "öb" }))
      assert.same({ "Öberg" }, names({ criteria = "(City:equals:Malmö)", word = "smith" }))
      assert.same({ "Smith" }, names({ email = "smith@", phone = "000", word = "zz" }))
    end)

    it("refuses missing and short parameters, and pages past 2,000", function()
      assert.same({ param_names = { "criteria", "email", "phone", "word" } },
        refused(400, "EXPECTED_PARAM_MISSING", crm("GET", "Leads/search")))
      refused(400, "EXPECTED_PARAM_MISSING", crm("GET", "Leads/search", "criteria="))
      refused(400, "INVALID_DATA", crm("GET", "Leads/search", "phone=12"))
      refused(400, "INVALID_DATA", crm("GET", "Leads/search", "word=a"))
      refused(400, "INVALID_DATA", crm("GET", "Leads/search", "word=ab&per_page=201"))
      refused(400, "INVALID_DATA", crm("GET", "Leads/search", "word=ab&sort_by=Nothing"))
      refused(400, "LIMIT_REACHED", crm("GET", "Leads/search", "word=ab&page=11"))
      assert.equal(204, (crm("GET", "Leads/search", "word=ab&page=10")))
    end)

    it("pages without a token, sorts by any field, gives all fields or those asked for", function()
      local function page(number)
        return select(2, crm("GET", "Leads/search", { word = "smith", per_page = 2, page = number, fields = "Last_Name" }))
      end
      assert.same({ per_page = 2, count = 2, page = 1, more_records = true }, page(1).info)
      assert.same({ per_page = 2, count = 1, page = 2, more_records = false }, page(2).info)
      assert.same({ "Last_Name", "id" }, (function()
        local keys = {}
        for key in pairs(page(1).data[1]) do
          keys[#keys + 1] = key
        end
        table.sort(keys)
        return keys
      end)())
      local _, whole = crm("GET", "Leads/search", "word=smithson")
      assert.equal("Rome", whole.data[1].City)
      assert.same({ "Blacksmith", "Smith", "Smithson" }, names({ word = "smith" }, { sort_by = "Annual_Revenue" }))
      assert.same({ "Öberg", "Smithson", "Smith", "null", "Blacksmith" },
        names({ criteria = "(Last_Name:not_equal:zz)" }, { sort_by = "Last_Name", sort_order = "desc" }))
    end)

    it("sees writes late when told to", function()
      sb = sandbox.new({ time = NOW, records = 0, search_delay = 10 })
      local function found(word)
        return (crm("GET", "Leads/search", { word = word })) == 200
      end
      local id = create("Leads", { Last_Name = "First" })
      assert.is_false(found("First"))
      assert.equal(200, (crm("GET", "Leads/" .. id)))
      sb:advance(10)
      assert.is_true(found("First"))
      write("PUT", "Leads", { id = id, Last_Name = "Second" })
      assert.is_true(found("First"))
      assert.is_false(found("Second"))
      sb:advance(10)
      assert.is_false(found("First"))
      assert.is_true(found("Second"))
      crm("DELETE", "Leads/" .. id)
      assert.is_false(found("Second"))
    end)

    it("finds converted leads and those of a view only on demand", function()
      sb = sandbox.new({ time = NOW, records = 5 })
      local function count(parameters)
        parameters.criteria = "(id:greater_than:1)"
        local _, body = crm("GET", "Leads/search", parameters)
        return body and #body.data or 0
      end
      assert.equal(5, count({}))
      assert.equal(3, count({ converted = "true" }))
      assert.equal(10, count({ converted = "both", approved = "both" }))
      local _, views = crm("GET", "settings/custom_views", "module=Leads")
      assert.is_true(count({ cvid = views.custom_views[2].id }) < 5)
    end)
  end)

  describe("criteria", function()
    it("reads hostile input in time that grows with its length only", function()
      for _, text in ipairs({ ("("):rep(1e6), ("(a:b:"):rep(2e5), "(a:b:" .. ("\\"):rep(1e6), (" "):rep(1e6),
        "(a:b:" .. (","):rep(2e5) .. ")", ("(a:equals:b)and"):rep(1e5), "(" .. (" "):rep(1e6) }) do
        local started = os.clock()
        criteria.parse(text)
        assert.is_true(os.clock() - started < 2)
      end
    end)

    it("gives trees that other readers can give too", function()
      assert.same({ any = { { all = { { field = "a", operator = "x", values = { "1", "2:3" } },
        { field = "b", operator = "y", values = { "" } } } }, { field = "c", operator = "z", values = { "v" } } } },
        (criteria.parse("(a:x:1,2:3)and(b:y:)or(c:z:v)")))
    end)

    it("compares texts as a whole where that is asked for", function()
      local holds = conditions.compile({ field = "City", operator = "equals", values = { "oslo" } },
        schema.by_name.Leads, true)
      assert.is_true(holds(function()
        return "Oslo"
      end))
      assert.is_false(holds(function()
        return "Oslofjord"
      end))
    end)

    it("orders whole numbers of any length", function()
      local ascending = { "-9007199254740995", "-9007199254740993", "-1", "0", "7", "9007199254740993", "9007199254740995" }
      local field = schema.by_name.Service_Contracts.by_name.Device_Serial
      for i = 1, #ascending do
        local less = conditions.test(field, "less_than", { ascending[i] })
        for k = 1, #ascending do
          assert.equal(k < i, less(ascending[k]), ascending[k] .. " < " .. ascending[i])
        end
      end
    end)
  end)

  describe("users", function()
    it("answers every type differently and rightly", function()
      local answers = {}
      for kind, expected in pairs({
        AllUsers = "Doe Lindqvist Mwangi O'Connor Nakamura Fernández Novák Kim",
        ActiveUsers = "Doe Lindqvist Mwangi O'Connor Nakamura Fernández", DeactiveUsers = "Novák Kim",
        ConfirmedUsers = "Doe Lindqvist Mwangi O'Connor Novák Kim", NotConfirmedUsers = "Nakamura Fernández",
        DeletedUsers = "Costa", ActiveConfirmedUsers = "Doe Lindqvist Mwangi O'Connor",
        AdminUsers = "Doe O'Connor Fernández Novák", ActiveConfirmedAdmins = "Doe O'Connor", CurrentUser = "Doe",
      }) do
        local status, body = crm("GET", "users", { type = kind })
        assert.equal(200, status)
        local found = {}
        for i, user in ipairs(body.users) do
          found[i] = user.last_name
        end
        found = table.concat(found, " ")
        assert.equal(expected, found)
        assert.is_nil(answers[found])
        answers[found] = kind
        assert.same({ per_page = 200, count = #body.users, page = 1, more_records = false }, body.info)
      end
      local _, plain = crm("GET", "users")
      assert.equal(8, #plain.users)
      assert.equal(204, (crm("GET", "users", "type=DeveloperUsers")))
      assert.equal("type", refused(400, "INVALID_DATA", crm("GET", "users", "type=allusers")).param_name)
    end)

    it("pages, picks ids, gets one in the seed's shape", function()
      local _, body = crm("GET", "users", "per_page=3&page=3")
      assert.same({ per_page = 3, count = 2, page = 3, more_records = false }, body.info)
      assert.equal(204, (crm("GET", "users", "per_page=3&page=4")))
      _, body = crm("GET", "users", "ids=7243485000000590013,7243485000000590001,5")
      assert.equal(2, #body.users)
      refused(400, "PATTERN_NOT_MATCHED", crm("GET", "users", "page=x"))
      refused(400, "INVALID_DATA", crm("GET", "users", "ids=x"))
      _, body = crm("GET", "users/7243485000000590001")
      assert.same({
        id = "7243485000000590001", first_name = "John", last_name = "Doe", full_name = "John Doe",
        email = "john.doe@example.com", status = "active", confirm = true, time_zone = "PST", country = "US",
        locale = "en_US", role = { name = "CEO", id = "7243485000000026005" },
        profile = { name = "Administrator", id = "7243485000000026011" },
      }, body.users[1])
      assert.equal(204, (crm("GET", "users/7243485000000590002")))
    end)
  end)

  describe("metadata", function()
    it("describes the organisation", function()
      local _, body = crm("GET", "org")
      assert.equal("7243485000000020005", body.org[1].id)
      assert.equal(cjson.null, body.org[1].license_details.trial_expiry)
      assert.equal(10, body.org[1].license_details.users_license_purchased)
    end)

    it("lists modules, by status, and gets one by name or id", function()
      local counts = { visible = 10, user_hidden = 2, system_hidden = 1, scheduled_for_deletion = 1 }
      local total = 0
      for status, count in pairs(counts) do
        local _, body = crm("GET", "settings/modules", { status = status })
        assert.equal(count, #body.modules)
        for _, module in ipairs(body.modules) do
          assert.equal(status, module.status)
        end
        total = total + count
      end
      local _, all = crm("GET", "settings/modules")
      assert.equal(total, #all.modules)
      local _, two = crm("GET", "settings/modules", "status=user_hidden,system_hidden")
      assert.equal(3, #two.modules)
      refused(400, "INVALID_DATA", crm("GET", "settings/modules", "status=hidden"))
      local _, leads = crm("GET", "settings/modules/Leads")
      assert.equal("7243485000000002175", leads.modules[1].id)
      local _, same = crm("GET", "settings/modules/7243485000000002175")
      assert.same(leads, same)
      local _, custom = crm("GET", "settings/modules/Service_Contracts")
      assert.equal("custom", custom.modules[1].generated_type)
      refused(400, "INVALID_MODULE", crm("GET", "settings/modules/leads"))
    end)

    it("lists fields, used and unused, and gets one", function()
      local _, used = crm("GET", "settings/fields", "module=Leads")
      local _, unused = crm("GET", "settings/fields", "module=Leads&type=unused")
      local _, all = crm("GET", "settings/fields", "module=Leads&type=all")
      assert.equal(2, #unused.fields)
      assert.equal(#all.fields, #used.fields + #unused.fields)
      local last_name
      for _, field in ipairs(used.fields) do
        last_name = field.api_name == "Last_Name" and field or last_name
        assert.is_table(field.pick_list_values)
      end
      assert.equal("7243485000000002613", last_name.id)
      assert.equal("text", last_name.data_type)
      assert.is_true(last_name.system_mandatory)
      assert.is_false(last_name.custom_field)
      local _, one = crm("GET", "settings/fields/7243485000000002613", "module=Leads")
      assert.same({ last_name }, one.fields)
      assert.equal(204, (crm("GET", "settings/fields/1", "module=Leads")))
      assert.equal("module", refused(400, "REQUIRED_PARAM_MISSING", crm("GET", "settings/fields")).param_name)
      refused(400, "INVALID_MODULE", crm("GET", "settings/fields", "module=leads"))
      refused(400, "INVALID_DATA", crm("GET", "settings/fields", "module=Leads&type=some"))
    end)

    it("has unique ids", function()
      local seen = {}
      for _, module in ipairs(schema.modules) do
        for _, thing in ipairs({ module, module.layout }) do
          assert.is_nil(seen[thing.id])
          seen[thing.id] = true
        end
        for _, field in ipairs(module.fields) do
          assert.equal(19, #field.id)
          assert.is_nil(seen[field.id])
          seen[field.id] = true
          for _, value in ipairs(field.picklist or {}) do
            assert.is_nil(seen[value.id])
            seen[value.id] = true
          end
        end
      end
    end)

    it("lists layouts with sections, roles, profiles; gets one of each; 204 for unknown ones", function()
      local _, layouts = crm("GET", "settings/layouts", "module=Leads")
      local layout = layouts.layouts[1]
      assert.equal("7243485000000091055", layout.id)
      assert.equal("Lead Information", layout.sections[1].display_label)
      assert.equal("Lead_Information", layout.sections[1].api_name)
      assert.equal(3, #layout.sections)
      assert.equal("Owner", layout.sections[1].fields[1].api_name)
      local _, one = crm("GET", "settings/layouts/" .. layout.id, "module=Leads")
      assert.same(layouts, one)
      assert.equal(204, (crm("GET", "settings/layouts/" .. layout.id, "module=Deals")))
      refused(400, "REQUIRED_PARAM_MISSING", crm("GET", "settings/layouts"))

      local _, roles = crm("GET", "settings/roles")
      assert.equal(cjson.null, roles.roles[1].reporting_to)
      assert.same({ name = "CEO", id = "7243485000000026005" }, roles.roles[2].reporting_to)
      local _, role = crm("GET", "settings/roles/7243485000000026008")
      assert.same({ roles.roles[2] }, role.roles)
      local _, profiles = crm("GET", "settings/profiles")
      assert.equal("normal_profile", profiles.profiles[1].type)
      local _, profile = crm("GET", "settings/profiles/7243485000000026011")
      assert.same({ profiles.profiles[1] }, profile.profiles)
      assert.equal(204, (crm("GET", "settings/roles/1")))
      assert.equal(204, (crm("GET", "settings/profiles/1")))
    end)
  end)

  describe("sample data", function()
    it("fits its own rules in every module", function()
      sb = sandbox.new({ records = 60 })
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
        sb = sandbox.new(options)
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
      sb = sandbox.new({ records = { Leads = 100000 } })
      local _, _, response = crm("GET", "Leads", "fields=Full_Name,City,Annual_Revenue,Zip_Code&per_page=1")
      local record = response.body:match('^{"data":%[(.-)%],"info"')
      assert.equal('{"Annual_Revenue":227000,"City":"São Paulo","Full_Name":"Wanjiru Andersson",'
        .. '"Zip_Code":"01590-000","id":"7243485000002196984"}', record)
    end)

    it("costs nothing until it is read", function()
      collectgarbage()
      collectgarbage()
      local before, started = collectgarbage("count"), os.clock()
      sb = sandbox.new({ records = { Leads = 1000000 } })
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
      sb = sandbox.new()
      assert.is_true(math.abs(sb:time() - os.time()) <= 1)
      sb:advance(3600)
      assert.is_true(math.abs(sb:time() - os.time() - 3600) <= 1)
      sb:set_time(5)
      sb:advance(2.5)
      assert.equal(7.5, sb:time())
    end)

    it("raises for wrong options at the caller's line", function()
      local cases = {
        { { feilds = 1 }, "unknown option 'feilds'; known are: api_key, rate, records, search_delay, seed, time" },
        { { records = -1 }, "option 'records'" }, { { records = 1.5 }, "option 'records'" },
        { { records = { Leeds = 1 } }, "unknown option 'Leeds'" }, { { records = { Leads = "1" } }, "records.Leads" },
        { { seed = "1" }, "option 'seed'" }, { { time = 0 / 0 }, "option 'time'" }, { { api_key = "" }, "option 'api_key'" },
        { { search_delay = -1 }, "option 'search_delay'" }, { { rate = 0 }, "option 'rate'" }, { 5, "must be a table" },
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
