--- What a caller gets when something goes wrong between the call and its answer: fields for programs, a sentence for
--- people. The answers are played by a stand-in for the server, so that every shape of body can be tried.
local cjson = require("cjson")
local zohocrm = require("zohocrm")

local ID = "7243485000000597000"

-- A client whose next answer is (status, body); the body a string, or a table to encode.
local function client(status, body, headers, options)
  if type(body) == "table" then
    body = cjson.encode(body)
  end
  local given = {
    retries = 0,
    sandbox = {
      api_key = "sandbox",
      handle = function(_, request)
        if request.path:find("/settings/modules", 1, true) then
          return { status = 200, body = '{"modules":[{"api_name":"Leads"},{"api_name":"My_Module"},{"api_name":"Deals"}]}' }
        end
        return { status = status, body = body or "", headers = headers }
      end,
    },
  }
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  return zohocrm.new(given)
end

local function zoho(code, details, message)
  return { code = code, details = details or {}, message = message or "some message", status = "error" }
end

describe("the kind of an error", function()
  -- reference section 11: code, status, kind, retryable for a read
  local rows = {
    { "INVALID_TOKEN", 401, "auth" }, { "AUTHENTICATION_FAILURE", 401, "auth" }, { "OAUTH_SCOPE_MISMATCH", 401, "auth" },
    { "OAUTH_SCOPE_MISMATCH", 403, "auth" }, { "NO_PERMISSION", 403, "auth" }, { "PERMISSION_DENIED", 400, "auth" },
    { "AUTHORIZATION_FAILED", 400, "auth" }, { "INVALID_URL_PATTERN", 404, "not_found" },
    { "RECORD_NOT_FOUND", 404, "not_found" }, { "RECORD_NOT_FOUND", 400, "not_found" },
    { "RESOURCE_NOT_FOUND", 404, "not_found" }, { "INVALID_MODULE", 400, "invalid" },
    { "INVALID_REQUEST_METHOD", 400, "invalid" }, { "INVALID_REQUEST_METHOD", 405, "invalid" },
    { "INVALID_DATA", 400, "invalid" }, { "MANDATORY_NOT_FOUND", 400, "invalid" },
    { "REQUIRED_PARAM_MISSING", 400, "invalid" }, { "EXPECTED_PARAM_MISSING", 400, "invalid" },
    { "DUPLICATE_DATA", 400, "duplicate" }, { "LIMIT_EXCEEDED", 400, "invalid" }, { "LIMIT_REACHED", 400, "invalid" },
    { "DISCRETE_PAGINATION_LIMIT_EXCEEDED", 400, "invalid" }, { "EXPIRED_VALUE", 400, "invalid" },
    { "TOKEN_BOUND_DATA_MISMATCH", 400, "invalid" }, { "AMBIGUITY_DURING_PROCESSING", 400, "invalid" },
    { "PATTERN_NOT_MATCHED", 400, "invalid" }, { "INVALID_QUERY", 400, "invalid" }, { "SYNTAX_ERROR", 400, "invalid" },
    { "ALREADY_MODIFIED", 412, "conflict" }, { "RECORD_LOCKED", 400, "conflict" }, { "CONVERTED_RECORD", 400, "conflict" },
    { "FEATURE_NOT_SUPPORTED", 400, "invalid" }, { "FILE_SIZE_MORE_THAN_ALLOWED_SIZE", 413, "too_large" },
    { "TOO_MANY_REQUESTS", 429, "rate_limited", true }, { "TOO_MANY_REQUESTS", 400, "rate_limited", true },
    { "RATE_LIMIT_EXCEEDED", 429, "rate_limited", true }, { "INTERNAL_ERROR", 500, "server", true },
    { "SERVICE_UNAVAILABLE", 503, "server", true }, { "A_CODE_OF_TOMORROW", 400, "invalid" },
    { "A_CODE_OF_TOMORROW", 403, "auth" }, { "A_CODE_OF_TOMORROW", 409, "conflict" },
    { "A_CODE_OF_TOMORROW", 502, "server", true },
  }
  for _, row in ipairs(rows) do
    local code, status, kind, retryable = row[1], row[2], row[3], row[4] or false
    for _, shape in ipairs { "flat", "wrapped in data", "wrapped in users" } do
      it(("is %s for %s with status %d, %s"):format(kind, code, status, shape), function()
        local fault = zoho(code)
        local body = shape == "flat" and fault or { [shape:match("%a+$")] = { fault } }
        local page, err = client(status, body).Leads:list { fields = "id" }
        assert.is_nil(page)
        assert.equal(kind, err.kind)
        assert.equal(code, err.code)
        assert.equal(status, err.status)
        assert.equal(retryable, err.retryable)
        assert.equal("some message", err.message)
        assert.equal("GET", err.method)
        assert.equal("/crm/v8/Leads", err.path)
        assert.equal(1, err.attempts)
        assert.is_nil(err.may_have_happened)
      end)
    end
  end

  it("is an error also when the status says that all is well", function()
    local page, err = client(200, zoho("OAUTH_SCOPE_MISMATCH")).Leads:list { fields = "id" }
    assert.is_nil(page)
    assert.equal("auth", err.kind)
  end)

  for name, body in pairs {
    ["in an array"] = { data = { zoho("INVALID_DATA") } }, ["in an object"] = { data = zoho("INVALID_DATA") },
  } do
    it("is an error of a read also when it comes " .. name .. " with a good status", function()
      local page, err = client(200, body).Leads:list { fields = "id" }
      assert.is_nil(page)
      assert.equal("INVALID_DATA", err.code)
      assert.is_nil((client(200, body).Leads:get(ID)))
    end)
  end

  for _, body in ipairs { "", "123", '"maintenance"', "null", "[]", '{"data":{"x":1}}', '{"data":"x"}' } do
    it("is protocol for a good status with the body '" .. body .. "'", function()
      local crm = client(200, body)
      for _, call in ipairs { function() return crm.Leads:list { fields = "id" } end,
        function() return crm.Leads:all { fields = "id" } end, function() return crm.Leads:get(ID) end,
        function() return crm:org() end, function() return crm:users() end,
        function() return crm.connections:list() end } do
        local result, err = call()
        assert.is_nil(result)
        assert.equal("protocol", err.kind)
      end
    end)
  end

  it("has a sentence whatever the server's message is", function()
    for _, message in ipairs { "true", "12", '{"a":1}', "[1]", "null" } do
      local _, err = client(400, '{"code":"X","message":' .. message .. ',"status":"error"}').Leads:list { fields = "id" }
      assert.matches("^list Leads: X", tostring(err))
    end
  end)

  it("has a sentence that does not steer the terminal", function()
    local _, err = client(400, '{"code":"X","message":"a\\u001b[2Jb","status":"error"}').Leads:list { fields = "id" }
    assert.equal("list Leads: X, a [2Jb", tostring(err))
  end)

  it("is not an error when an object of the API merely has a code", function()
    local body = assert(client(200, { code = "EUR", symbol = "€" }):request { path = "/crm/v8/org/currencies/1" })
    assert.equal("EUR", body.code)
  end)

  -- the gateway's own bodies are documented nowhere (reference 1.4): all of these are read
  local bodies = {
    { '{"message":"no way"}', "no way" }, { '{"error":"no way"}', "no way" }, { '{"detail":"no way"}', "no way" },
    { '{"error":{"message":"no way"}}', "no way" }, { "no way", "no way" }, { "", "the server gave no reason" },
    { "{}", "the server gave no reason" }, { "[]", "the server gave no reason" }, { '"no way"', "no way" },
    { '{"message":{"odd":1}}', "the server gave no reason" },
  }
  local kinds = { [400] = "invalid", [401] = "auth", [403] = "auth", [404] = "not_found", [429] = "rate_limited",
    [500] = "server", [502] = "server", [503] = "server" }
  for status, kind in pairs(kinds) do
    for _, row in ipairs(bodies) do
      it(("is %s for a gateway's %d with the body '%s'"):format(kind, status, row[1]), function()
        local page, err = client(status, row[1]).Leads:list { fields = "id" }
        assert.is_nil(page)
        assert.equal(kind, err.kind)
        assert.equal(row[2], err.message)
        assert.is_nil(err.code)
      end)
    end
  end

  it("is read from the older shape of a 429", function()
    local _, err = client(429, '{"code":429,"error":"TOO_MANY_REQUESTS","message":"slowly"}').Leads:list { fields = "id" }
    assert.equal("rate_limited", err.kind)
    assert.equal("TOO_MANY_REQUESTS", err.code)
  end)

  for _, status in ipairs { 401, 403, 404, 429 } do
    it("follows an unmistakable status even when a proxy's web page comes with it: " .. status, function()
      local _, err = client(status, "<html><title>no</title></html>").Leads:list { fields = "id" }
      assert.equal(kinds[status], err.kind)
    end)
  end
end)

describe("an unreadable body", function()
  local bodies = {
    { "a web page", "<html>\n<head><title>502 Bad Gateway</title></head>\0\255</html>", "<html> <head><title>502 Bad Gateway" },
    { "truncated", '{"data":[{"id":"1', '{"data":[{"id":"1' },
    { "not UTF-8", '{"data":[{"id":"\255"}]}', '{"data":[{"id":"?"}]}' },
    { "nested too deep", ("["):rep(500) .. ("]"):rep(500), "[[[[" },
  }
  for _, row in ipairs(bodies) do
    for _, status in ipairs { 200, 502 } do
      it(("that is %s is kind protocol, with the status %d and a printable excerpt"):format(row[1], status), function()
        local page, err = client(status, row[2]).Leads:list { fields = "id" }
        assert.is_nil(page)
        assert.equal("protocol", err.kind)
        assert.equal(status, err.status)
        assert.equal(status == 502, err.retryable)
        assert.truthy(err.message:find(row[3], 1, true), err.message)
        assert.is_nil(err.message:find("[%c\127-\255]"))
        assert.is_true(#err.message < 300)
      end)
    end
  end

  it("to a write may mean that it happened", function()
    local made, err = client(200, "<html>").Leads:create { Last_Name = "Ek" }
    assert.is_nil(made)
    assert.equal("protocol", err.kind)
    assert.is_true(err.may_have_happened)
    assert.is_false(err.retryable)
  end)

  it("without the array that belongs there is kind protocol", function()
    local _, err = client(200, { hello = 1 }).Leads:list { fields = "id" }
    assert.equal("protocol", err.kind)
    assert.matches("no array 'data'", tostring(err))
  end)

  it("with a redirect is refused and names the target", function()
    local _, err = client(302, "<html>Found</html>", { location = "https://elsewhere.example/" }).Leads:list { fields = "id" }
    assert.equal("protocol", err.kind)
    assert.matches("redirects to https://elsewhere%.example/", tostring(err))
  end)
end)

describe("may_have_happened", function()
  for _, status in ipairs { 500, 502, 503, 504 } do
    it("is set for a write that met a " .. status, function()
      local _, err = client(status, zoho("INTERNAL_ERROR")).Leads:create { Last_Name = "Ek" }
      assert.equal("server", err.kind)
      assert.is_true(err.may_have_happened)
      assert.is_false(err.retryable)
      assert.matches("may have acted on it", tostring(err))
    end)
  end

  for _, status in ipairs { 400, 401, 429 } do
    it("is not set for a write that was refused with " .. status, function()
      local _, err = client(status, zoho("SOME_CODE")).Leads:create { Last_Name = "Ek" }
      assert.is_nil(err.may_have_happened)
    end)
  end

  it("is set for the records that an answer says nothing about", function()
    local outcome = client(207, { data = { { code = "SUCCESS", status = "success", details = { id = ID } } } })
      .Leads:create { { Last_Name = "A" }, { Last_Name = "B" } }
    assert.equal(1, outcome.succeeded)
    assert.equal(1, outcome.failed)
    assert.equal("protocol", outcome[2].error.kind)
    assert.is_true(outcome[2].error.may_have_happened)
  end)
end)

describe("the sentence of an error", function()
  local function sentence(status, body, call, options)
    local result, err = call(client(status, body, nil, options))
    if type(result) == "table" and result.failed then
      return tostring(result[#result].error)
    end
    assert.is_nil(result)
    return tostring(err)
  end
  local function ok()
    return { code = "SUCCESS", status = "success", details = { id = ID }, message = "record added" }
  end
  local function list(crm)
    return crm.Leads:list { fields = "id" }
  end
  local function create(crm)
    return crm.Leads:create { Last_Name = "x" }
  end

  it("names the record, the code and the field", function()
    assert.equal("create Leads: record 3: MANDATORY_NOT_FOUND, required field not found: Last_Name",
      sentence(207, { data = { ok(), ok(), zoho("MANDATORY_NOT_FOUND", { api_name = "Last_Name",
        json_path = "$.data[2].Last_Name" }, "required field not found") } }, function(crm)
        return crm.Leads:create { { Last_Name = "a" }, { Last_Name = "b" }, { Company = "c" } }
      end))
  end)

  it("names no record number when just one was passed", function()
    assert.equal("create Leads: MANDATORY_NOT_FOUND, required field not found: Last_Name",
      sentence(400, { data = { zoho("MANDATORY_NOT_FOUND", { api_name = "Last_Name" }, "required field not found") } },
        create))
  end)

  local details = {
    { { api_name = "Email", expected_data_type = "email" }, "invalid data: Email %(expected email%)" },
    { { api_name = "City", maximum_length = 100 }, "invalid data: City %(at most 100%)" },
    { { api_name = "Rating", supported_values = { "Hot", "Cold" } }, "invalid data: Rating %(one of Hot, Cold%)" },
    { { param_name = "cvid" }, "invalid data: cvid" },
    { { limit = 50, param_name = "fields" }, "invalid data: fields %(at most 50%)" },
    { { param_names = { "criteria", "word" } }, "invalid data: one of criteria, word" },
    { { ambiguity_due_to = { { param_name = "cvid" }, { param_name = "sort_by" } } }, "invalid data: cvid, sort_by" },
    { { permissions = { "Crm_Implied_View_Leads" } }, "%(Crm_Implied_View_Leads%)" },
    { { errors = { zoho("INVALID_DATA", { api_name = "A" }, "bad"), zoho("DUPLICATE_DATA", { api_name = "B" }, "dup") } },
      "INVALID_DATA, bad: A; DUPLICATE_DATA, dup: B" },
    { { supported_values = { { odd = 1 } }, api_name = "X" }, "invalid data: X" },
    { cjson.null, "invalid data$" },
  }
  for i, row in ipairs(details) do
    it("says what the details say, case " .. i, function()
      assert.matches(row[2], sentence(400, { data = { zoho("INVALID_DATA", row[1], "invalid data") } }, create))
    end)
  end

  it("names the record that has a unique value already", function()
    assert.matches("DUPLICATE_DATA, duplicate data: Email %(record " .. ID .. " has it%)",
      sentence(400, { data = { zoho("DUPLICATE_DATA", { api_name = "Email", id = ID }, "duplicate data") } }, create))
  end)

  it("says where to get a key", function()
    local text = sentence(401, '{"message":"Invalid API key"}', list)
    assert.matches("^list Leads: HTTP 401, Invalid API key", text)
    assert.matches("MATON_API_KEY or api_key", text)
    assert.matches("maton%.ai/settings", text)
  end)

  it("tells a missing scope from a wrong key", function()
    local text = sentence(401, zoho("OAUTH_SCOPE_MISMATCH", nil, "Unauthorized"), list)
    assert.matches("OAUTH_SCOPE_MISMATCH, Unauthorized; .*scope", text)
    assert.is_nil(text:find("MATON_API_KEY", 1, true))
  end)

  it("says how to connect when there is no connection", function()
    assert.matches("crm%.connections:create%(%)", sentence(400, '{"message":"No active connection found"}', list))
  end)

  it("names the cause of a 404 for an address without the app name", function()
    local text = sentence(404, '{"error":"invalid app name"}', list, { gateway_url = "https://gateway.maton.ai" })
    assert.matches("should end in /zoho%-crm", text)
    assert.matches("and is https://gateway%.maton%.ai$", text)
  end)

  it("does not blame the address of a 404 when it is right", function()
    assert.is_nil(sentence(404, '{"error":"not found"}', list):find("should end", 1, true))
  end)

  it("offers the nearest modules that the server has", function()
    local text = sentence(400, zoho("INVALID_MODULE", {}, "the module name given seems to be invalid"), function(crm)
      return crm:module("My_Modul"):list { fields = "id" }
    end)
    assert.matches("INVALID_MODULE", text)
    assert.matches("there is no module 'My_Modul'; did you mean My_Module%?", text)
  end)

  it("offers the right case of a module", function()
    assert.matches("did you mean Leads", sentence(400, zoho("INVALID_MODULE"), function(crm)
      return crm:module("leads"):list { fields = "id" }
    end))
  end)

  it("points at crm:modules() when no module is near", function()
    assert.matches("crm:modules%(%) lists", sentence(400, zoho("INVALID_MODULE"), function(crm)
      return crm:module("Zebras_And_Lions"):list { fields = "id" }
    end))
  end)

  it("can be put together with other text", function()
    local _, err = client(401, '{"message":"Invalid API key"}').Leads:list { fields = "id" }
    assert.equal("failed: " .. tostring(err), "failed: " .. err)
    assert.equal(tostring(err) .. "!", err .. "!")
    assert.equal(("%s%s"):format(tostring(err), tostring(err)), err .. err)
    assert.equal("attempt 1: " .. tostring(err), "attempt " .. 1 .. ": " .. err)
  end)

  it("is what assert and error print", function()
    local crm = client(401, '{"message":"Invalid API key"}')
    local fine, message = pcall(function()
      assert(crm.Leads:list { fields = "id" })
    end)
    assert.is_false(fine)
    assert.matches("Invalid API key", tostring(message))
  end)
end)

describe("a record that is not there", function()
  local shapes = {
    { 204, "" }, { 404, zoho("RECORD_NOT_FOUND") }, { 400, zoho("INVALID_DATA", {}, "the id given seems to be invalid") },
    { 400, zoho("INVALID_DATA", { resource_path_index = 1 }, "invalid data") },
    { 400, zoho("INVALID_DATA", { id = ID }, "the id given seems to be invalid") },
  }
  for i, shape in ipairs(shapes) do
    it("is kind not_found, whichever way the server says so, case " .. i, function()
      local lead, err = client(shape[1], shape[2]).Leads:get(ID)
      assert.is_nil(lead)
      assert.equal("not_found", err.kind)
      assert.equal("/crm/v8/Leads/" .. ID, err.path)
      assert.matches("^get Leads " .. ID .. ": ", tostring(err))
    end)
  end

  it("is not_found for the record of an update too", function()
    local outcome = client(400, { data = { zoho("INVALID_DATA", { api_name = "id", json_path = "$.data[0].id" },
      "the id given seems to be invalid") } }).Leads:update { { id = ID, City = "Rome" } }
    assert.equal("not_found", outcome[1].error.kind)
  end)

  it("does not hide another fault of a get", function()
    local _, err = client(400, zoho("INVALID_DATA", { param_name = "fields" }, "invalid data")).Leads:get(ID)
    assert.equal("invalid", err.kind)
  end)
end)

describe("an error of the whole request", function()
  local wrapped = { data = { zoho("LIMIT_EXCEEDED", { limit = 100 }) } }
  for name, body in pairs { wrapped = wrapped, flat = wrapped.data[1] } do
    it("holds for every record when it is " .. name, function()
      local outcome = client(400, body).Leads:create { { Last_Name = "a" }, { Last_Name = "b" } }
      assert.equal(2, #outcome)
      assert.equal(2, outcome.failed)
      for i = 1, 2 do
        assert.equal("LIMIT_EXCEEDED", outcome[i].error.code)
        assert.equal(i, outcome[i].error.record)
      end
      assert.matches("^0 succeeded, 2 failed\ncreate Leads: record 1: LIMIT_EXCEEDED", tostring(outcome))
    end)
  end
end)

describe("the key", function()
  local KEY = "mk-secret-6f1ad6c3"

  it("appears in no error, no tostring and no table that can be reached", function()
    local seen = {}
    local crm = client(401, '{"message":"Invalid API key"}', nil, { api_key = KEY, on_request = function(info)
      seen[#seen + 1] = info
    end })
    local _, err = crm.Leads:list { fields = "id" }
    local visited = {}
    local function walk(value)
      assert.is_nil(tostring(value):find(KEY, 1, true))
      if type(value) ~= "table" or visited[value] then
        return
      end
      visited[value] = true
      for k, v in next, value do
        walk(k)
        walk(v)
      end
      walk(getmetatable(value))
    end
    for _, value in ipairs { crm, err, crm.Leads, crm.connections, seen } do
      walk(value)
    end
  end)
end)

describe("the password of a proxy", function()
  it("appears in no error", function()
    local fine, message = pcall(zohocrm.new, { api_key = "k", proxy = "htp://user:s3cret@127.0.0.1:9" })
    assert.is_false(fine)
    assert.is_nil(message:find("s3cret", 1, true))
    local crm = zohocrm.new { api_key = "k", proxy = "http://user:s3cret@127.0.0.1:1", retries = 0 }
    local _, err = crm:org()
    assert.equal("network", err.kind)
    assert.is_nil(tostring(err):find("s3cret", 1, true))
  end)
end)

describe("the sandbox in this process", function()
  it("is asked again like a server, after the same waits", function()
    local sandbox = require("zohocrm.sandbox").new()
    local seen = {}
    local crm = zohocrm.new { sandbox = sandbox, on_request = function(info)
      seen[#seen + 1] = info.status
    end }
    sandbox:fail_next { status = 429, headers = { ["retry-after"] = "0" } }
    assert(crm.Leads:create { Last_Name = "Ek" })
    sandbox:fail_next { status = 503 }
    assert(crm:org())
    assert.same({ 429, 201, 503, 200 }, seen)
  end)
end)

describe("an observer", function()
  it("sees method, path, status, attempt and seconds", function()
    local seen = {}
    local crm = client(204, "", nil, { on_request = function(info)
      seen[#seen + 1] = info
    end })
    assert(crm.Leads:list { fields = "id" })
    assert.equal(1, #seen)
    assert.equal("GET", seen[1].method)
    assert.equal("/crm/v8/Leads", seen[1].path)
    assert.equal(204, seen[1].status)
    assert.equal(1, seen[1].attempt)
    assert.is_number(seen[1].seconds)
  end)

  it("may call the client itself, unobserved", function()
    local crm, count
    count = 0
    crm = client(204, "", nil, { on_request = function()
      count = count + 1
      crm:request { path = "/crm/v8/org" }
    end })
    assert(crm.Leads:list { fields = "id" })
    assert.equal(1, count)
  end)

  it("cannot keep a client alive that nobody else knows", function()
    local gone = setmetatable({}, { __mode = "v" })
    do
      local crm
      crm = client(204, "", nil, { on_request = function()
        return crm
      end })
      gone[1] = crm
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(gone[1])
  end)

  it("cannot cost the answer by failing", function()
    local crm = client(204, "", nil, { on_request = function()
      error("observer's mistake")
    end })
    assert.equal(0, #assert(crm.Leads:list { fields = "id" }))
  end)
end)
