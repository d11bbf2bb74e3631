-- crm:request, the way to endpoints without a method of their own; what the server says to calls that the methods would
-- not let out; and the gateway's and Zoho's errors by status and code.
local doors = require("spec.support.doors")
local wire = require("spec.support.wire")
local zohocrm = require("zohocrm")

-- Options of `request`, what is received. The sandbox has no tags: 404, which is enough to see the request.
local SENT = {
  { "GET by default", { path = "/crm/v8/org" }, { "GET", "/org" } },
  {
    "a query", { path = "/crm/v8/Leads", query = { fields = "Last_Name", page = 2, per_page = 1 } },
    { "GET", "/Leads", query = { fields = "Last_Name", page = "2", per_page = "1" } },
  },
  {
    "arrays in the query, joined by commas", { path = "/crm/v8/Leads", query = { fields = { "Last_Name", "Email" } } },
    { "GET", "/Leads", query = { fields = "Last_Name,Email" } },
  },
  {
    "booleans and fractions in the query", { path = "/crm/v8/settings/tags", query = { a = true, b = false, c = 0.5 } },
    { "GET", "/settings/tags", query = { a = "true", b = "false", c = "0.5" } },
  },
  {
    "whole floats in arrays", { path = "/crm/v8/settings/tags", query = { ids = { 2 ^ 40, 7 } } },
    { "GET", "/settings/tags", query = { ids = "1099511627776,7" } },
  },
  {
    "any character in the query", { path = "/crm/v8/settings/tags", query = { ["ä &="] = "+ %&=#?/ö\"\\" } },
    { "GET", "/settings/tags", query = { ["ä &="] = "+ %&=#?/ö\"\\" } },
  },
  {
    "a path that is encoded already", { path = "/crm/v8/settings/tags/..%2Forg" },
    { "GET", "/settings/tags/..%2Forg" },
  },
  { "a path with characters to encode", { path = "/crm/v8/settings/ä b" }, { "GET", "/settings/%C3%A4%20b" } },
  {
    "POST with a body", { method = "POST", path = "/crm/v8/settings/tags", body = { tags = { { name = "vip" } } } },
    { "POST", "/settings/tags", body = { tags = { { name = "vip" } } } },
  },
  {
    "PUT with a body with null", { method = "PUT", path = "/crm/v8/settings/tags", body = { a = zohocrm.null, b = 1 } },
    { "PUT", "/settings/tags", body = { a = zohocrm.null, b = 1 } },
  },
  {
    "PATCH with a body", { method = "PATCH", path = "/crm/v8/actions/watch", body = { watch = { { a = 1 } } } },
    { "PATCH", "/actions/watch", body = { watch = { { a = 1 } } } },
  },
  { "DELETE", { method = "DELETE", path = "/crm/v8/settings/tags/1" }, { "DELETE", "/settings/tags/1" } },
  {
    "headers", { path = "/crm/v8/org", headers = { ["X-EXTERNAL"] = "Leads.External_Id" } },
    { "GET", "/org", headers = { ["x-external"] = "Leads.External_Id" } },
  },
  {
    "no timeout, deadline and retries", { path = "/crm/v8/org", timeout = 5, deadline = 6, retries = 1 },
    { "GET", "/org" },
  },
  { "another root of the CRM", { path = "/crm/bulk/v8/read/1" }, { "GET", "//zoho-crm/crm/bulk/v8/read/1" } },
}

local MISTAKES = {
  { "no path", {}, "request needs path" },
  { "no options", nil, "request needs path" },
  { "a path without a slash", { path = "crm/v8/org" }, "GET crm/v8/org" },
  { "a path that climbs", { path = "/crm/v8/../../connections" }, "GET /crm/v8/../../connections" },
  { "a path that climbs, encoded", { path = "/crm/v8/%2e%2E/org" }, "GET /crm/v8/%2e%2E/org" },
  { "a query in the path", { path = "/crm/v8/Leads?fields=id" }, "GET /crm/v8/Leads?fields=id" },
  { "an unknown method", { method = "get", path = "/crm/v8/org" }, "'GET', 'POST', 'PUT', 'PATCH', 'DELETE'" },
  { "a body that is text", { path = "/crm/v8/org", body = "{}" }, "body must be a table, not a string" },
  { "a list as query", { path = "/crm/v8/org", query = { "a" } }, "query must map parameter names to values" },
  { "an empty table in the query", { path = "/crm/v8/org", query = { fields = {} } }, "fields" },
  { "a map in the query", { path = "/crm/v8/org", query = { fields = { a = 1 } } }, "fields" },
  { "a function in the query", { path = "/crm/v8/org", query = { fields = print } }, "fields" },
  { "null in the query", { path = "/crm/v8/org", query = { fields = zohocrm.null } }, "fields" },
  { "an inexact id in the query", { path = "/crm/v8/org", query = { ids = 7243485000000597000.0 } }, "ids" },
  { "an inexact id in an array", { path = "/crm/v8/org", query = { ids = { 7243485000000597000.0 } } }, "ids" },
  { "an unknown option", { path = "/crm/v8/org", qurey = {} }, "unknown option 'qurey'; did you mean 'query'?" },
  {
    "a header with a line break", { path = "/crm/v8/org", headers = { ["X-A"] = "b\r\nMaton-Connection: c" } },
    "header 'X-A' has a value with a line break",
  },
  {
    "a header of the client's own", { path = "/crm/v8/org", headers = { Authorization = "Bearer x" } },
    "header 'Authorization' is the client's own",
  },
}

-- What the server itself says where a method would raise: limits and parameters of the seed.
local function list_of(count, value)
  local list = {}
  for i = 1, count do list[i] = value end
  return list
end

local SERVER_LIMITS = {
  { "no fields", { path = "/crm/v8/Leads" }, "REQUIRED_PARAM_MISSING", { param_name = "fields" } },
  {
    "51 fields", { path = "/crm/v8/Leads", query = { fields = list_of(51, "Last_Name") } }, "LIMIT_EXCEEDED",
    { limit = 50, param_name = "fields" },
  },
  { "201 records a page", { path = "/crm/v8/Leads", query = { fields = "id", per_page = 201 } } },
  { "letters in page", { path = "/crm/v8/Leads", query = { fields = "id", page = "two" } }, "PATTERN_NOT_MATCHED" },
  {
    "another field to sort by", { path = "/crm/v8/Leads", query = { fields = "id", sort_by = "Email" } },
    "INVALID_DATA", { param_name = "sort_by", supported_values = { "id", "Created_Time", "Modified_Time" } },
  },
  {
    "page with page_token", { path = "/crm/v8/Leads", query = { fields = "id", page = 1, page_token = "x" } },
    "AMBIGUITY_DURING_PROCESSING",
  },
  {
    "101 records to create",
    { method = "POST", path = "/crm/v8/Leads", body = { data = list_of(101, { Last_Name = "a" }) } }, "LIMIT_EXCEEDED",
  },
  {
    "101 records to update",
    { method = "PUT", path = "/crm/v8/Leads", body = { data = list_of(101, { id = "1" }) } },
    "LIMIT_EXCEEDED",
  },
  {
    "101 ids to delete", { method = "DELETE", path = "/crm/v8/Leads", query = { ids = list_of(101, "1") } },
    "LIMIT_EXCEEDED",
  },
  {
    "no ids to delete", { method = "DELETE", path = "/crm/v8/Leads" }, "REQUIRED_PARAM_MISSING",
    { param_name = "ids" },
  },
  { "no data to create", { method = "POST", path = "/crm/v8/Leads", body = { x = 1 } }, "MANDATORY_NOT_FOUND" },
  { "the wrong case of a module", { path = "/crm/v8/leads", query = { fields = "id" } }, "INVALID_MODULE" },
  { "the wrong method", { method = "PATCH", path = "/crm/v8/Leads", body = { x = 1 } }, "INVALID_REQUEST_METHOD" },
}

-- Statuses and codes of the seed's tables: what, status, body, then the error's kind, code, retryable, words.
local function zoho(code, message)
  return ('{"code":"%s","details":{},"message":"%s","status":"error"}'):format(code, message)
end

local ANSWERS = {
  {
    "400, no connection", 400, '{"message":"no active connection for zoho-crm"}', "invalid", nil, false,
    "crm.connections:create()",
  },
  { "400, missing parameter", 400, zoho("REQUIRED_PARAM_MISSING", "x"), "invalid", "REQUIRED_PARAM_MISSING", false },
  { "400, invalid request", 400, zoho("INVALID_REQUEST", "x"), "invalid", "INVALID_REQUEST", false },
  { "401, wrong key", 401, '{"message":"invalid API key"}', "auth", nil, false, "MATON_API_KEY" },
  {
    "401, OAuth scope", 401, zoho("OAUTH_SCOPE_MISMATCH", "Unauthorized"), "auth", "OAUTH_SCOPE_MISMATCH", false,
    "Maton's support",
  },
  { "404, nothing there", 404, zoho("INVALID_URL_PATTERN", "x"), "not_found", "INVALID_URL_PATTERN", false },
  { "429, too fast", 429, '{"message":"slow down"}', "rate_limited", nil, true, "10 requests per second" },
  { "403, passed on", 403, zoho("NO_PERMISSION", "Permission denied"), "auth", "NO_PERMISSION", false, "profile" },
  { "405, passed on", 405, zoho("INVALID_REQUEST_METHOD", "x"), "invalid", "INVALID_REQUEST_METHOD", false },
  { "412, passed on", 412, zoho("ALREADY_MODIFIED", "x"), "conflict", "ALREADY_MODIFIED", false, "read the record" },
  { "413, passed on", 413, zoho("BODY_SIZE_REACHED", "x"), "too_large", "BODY_SIZE_REACHED", false },
  { "500, passed on", 500, zoho("INTERNAL_ERROR", "Internal Server Error"), "server", "INTERNAL_ERROR", true },
  { "503, passed on", 503, zoho("SERVICE_UNAVAILABLE", "x"), "server", "SERVICE_UNAVAILABLE", true },
  { "a missing field", 400, zoho("MANDATORY_NOT_FOUND", "x"), "invalid", "MANDATORY_NOT_FOUND", false },
  { "wrong data", 400, zoho("INVALID_DATA", "x"), "invalid", "INVALID_DATA", false },
  { "data that is there already", 400, zoho("DUPLICATE_DATA", "x"), "duplicate", "DUPLICATE_DATA", false },
  { "no such record", 404, zoho("RECORD_NOT_FOUND", "x"), "not_found", "RECORD_NOT_FOUND", false },
  { "no such record, 400", 400, zoho("RECORD_NOT_FOUND", "x"), "not_found", "RECORD_NOT_FOUND", false },
}

for _, door in ipairs(doors) do
  describe("request (" .. door.name .. ")", function()
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

    for _, row in ipairs(SENT) do
      it("sends " .. row[1], function()
        crm:request(row[2])
        wire.received(sandbox, row[3])
      end)
    end

    it("sends the headers that every request has", function()
      assert(crm:request({ path = "/crm/v8/org" }))
      local headers = sandbox.requests()[1].headers
      assert.equal("Bearer sandbox", headers.authorization)
      assert.is_nil(headers["content-type"])
      assert.is_nil(headers["maton-connection"])
      if door.name ~= "in process" then
        assert.matches("^zohocrm%-lua/", headers["user-agent"])
        assert.matches("gzip", headers["accept-encoding"])
      end
    end)

    it("goes through the connection chosen for it", function()
      local id = assert(crm.connections:list({ status = "ACTIVE" }))[1].connection_id
      sandbox.clear()
      assert(crm:request({ path = "/crm/v8/org", connection = id }))
      wire.received(sandbox, { "GET", "/org", headers = { ["maton-connection"] = id } })
    end)

    it("gives the decoded body, and the response", function()
      local body, response = crm:request({ path = "/crm/v8/org" })
      assert.equal(assert(crm:org()).id, body.org[1].id)
      assert.equal(200, response.status)
      assert.matches("^application/json", response.headers["content-type"])
    end)

    it("gives an empty table for an answer without a body", function()
      local body, response = crm:request({ path = "/crm/v8/users/" .. wire.UNKNOWN_ID })
      assert.same({}, body)
      assert.equal(204, response.status)
      body, response = crm:request({
        path = "/crm/v8/Leads", query = { fields = "id" },
        headers = { ["If-Modified-Since"] = "2036-02-06T01:10:56-08:00" },
      })
      assert.same({}, body)
      assert.equal(304, response.status)
    end)

    it("gives the body as it came when raw", function()
      local body = assert(crm:request({ path = "/crm/v8/org", raw = true }))
      assert.equal("string", type(body))
      assert.equal(assert(crm:org()).id, wire.decoded(body).org[1].id)
      assert.equal("", (crm:request({ path = "/crm/v8/users/" .. wire.UNKNOWN_ID, raw = true })))
    end)

    it("writes, and gives the items as they are", function()
      local body, response = crm:request({
        method = "POST", path = "/crm/v8/Leads", body = { data = { { Last_Name = "Ek" } } },
      })
      assert.equal(201, response.status)
      assert.same({ "SUCCESS", "record added", "success" },
        { body.data[1].code, body.data[1].message, body.data[1].status })
      wire.written(body.data[1].details)
      local id = body.data[1].details.id
      body = assert(crm:request({
        method = "PUT", path = "/crm/v8/Leads/" .. id, body = { data = { { City = "Oslo" } } },
      }))
      assert.equal("record updated", body.data[1].message)
      assert.equal("Oslo", assert(crm.Leads:get(id)).City)
      body = assert(crm:request({ method = "DELETE", path = "/crm/v8/Leads/" .. id }))
      assert.same({ { code = "SUCCESS", details = { id = id }, message = "record deleted", status = "success" } },
        body.data)
    end)

    it("gives nil and the error of a path that there is not", function()
      local err = wire.fails({
        kind = "not_found", code = "INVALID_URL_PATTERN", status = 404, method = "GET",
        path = "/crm/v8/nothing/here/at/all",
      }, crm:request({ path = "/crm/v8/nothing/here/at/all" }))
      assert.matches("^GET /crm/v8/nothing/here/at/all: INVALID_URL_PATTERN, ", tostring(err))
    end)

    for _, row in ipairs(MISTAKES) do
      it("never goes out with " .. row[1], function()
        wire.raises(function() crm:request(row[2]) end, row[3])
        wire.received(sandbox)
      end)
    end

    describe("is refused by the server", function()
      for _, row in ipairs(SERVER_LIMITS) do
        it("for " .. row[1], function()
          wire.fails({ kind = "invalid", code = row[3], status = 400, details = row[4] }, crm:request(row[2]))
        end)
      end

      it("never for what is just at the limit", function()
        assert(crm:request({
          path = "/crm/v8/Leads", query = { fields = list_of(50, "Last_Name"), per_page = 200 },
        }))
        local body = assert(crm:request({
          method = "POST", path = "/crm/v8/Leads", body = { data = list_of(100, { Last_Name = "a" }) },
        }))
        local ids = {}
        for i, item in ipairs(body.data) do ids[i] = item.details.id end
        assert.equal(100, #ids)
        body = assert(crm:request({ method = "DELETE", path = "/crm/v8/Leads", query = { ids = ids } }))
        assert.equal(100, #body.data)
      end)

      it("for a wrong key", function()
        local other = wire.client(sandbox, { api_key = "wrong" })
        local err = wire.fails({ kind = "auth", status = 401 }, other:org())
        assert.matches("MATON_API_KEY or api_key %(https://maton%.ai/settings%)", tostring(err))
        assert.is_nil(tostring(err):find("wrong", 1, true))
        other:close()
      end)

      it("for an address without the app's name", function()
        local base = sandbox.client_options.gateway_url
        local other = wire.client(sandbox, {
          gateway_url = base and base:gsub("/zoho%-crm$", "") or "https://gateway.maton.ai",
        })
        local err = wire.fails({ kind = "not_found", status = 404 }, other:org())
        wire.received(sandbox, { "GET", "//crm/v8/org" })
        assert.matches("gateway_url should end in /zoho%-crm", tostring(err))
        other:close()
      end)
    end)

    describe("is answered with", function()
      for _, row in ipairs(ANSWERS) do
        it(row[1], function()
          sandbox.fail_next({ status = row[2], body = row[3], headers = { ["content-type"] = "application/json" } })
          local body, err = crm:request({ path = "/crm/v8/Leads", query = { fields = "id" } })
          wire.fails({ kind = row[4], code = row[5], status = row[2], retryable = row[6], attempts = 1 }, body, err)
          if row[5] == nil then assert.is_nil(err.code) end
          if row[7] then assert.is_truthy(tostring(err):find(row[7], 1, true), tostring(err)) end
          assert.equal(1, #sandbox.requests())
        end)

        it(row[1] .. ", and a list with the same", function()
          sandbox.fail_next({ status = row[2], body = row[3], headers = { ["content-type"] = "application/json" } })
          wire.fails({ kind = row[4], code = row[5], status = row[2], retryable = row[6] },
            crm.Leads:list({ fields = "id" }))
        end)
      end

      it("how long to wait", function()
        sandbox.fail_next({ status = 429, body = '{"message":"slow down"}', headers = { ["retry-after"] = "7" } })
        assert.equal(7, wire.fails({ kind = "rate_limited" }, crm:org()).retry_after)
      end)
    end)
  end)
end
