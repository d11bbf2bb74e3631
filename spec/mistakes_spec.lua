--- Calls that can never be right raise at the caller's own line, name the fault and list what would be right. Nothing is sent.
local zohocrm = require("zohocrm")

local c, coql = zohocrm.criteria, zohocrm.coql

local sent
local crm = zohocrm.new {
  sandbox = {
    api_key = "sandbox",
    handle = function()
      sent = true
      return { status = 204 }
    end,
  },
}

local page = crm.Leads:list { fields = "id" }
local many_fields, many_ids = {}, {}
for i = 1, 51 do
  many_fields[i] = "Field_" .. i
end
for i = 1, 101 do
  many_ids[i] = tostring(1000 + i)
end

-- what is called, what the message says, whether the mistake comes after a call
local mistakes = {
  { "an unknown option", function() crm.Leads:list { feilds = "id" } end, "list: unknown option 'feilds'; did you mean 'fields'%?" },
  { "an unknown option, listing all", function() crm.Leads:get("1", { zzz = 1 }) end,
    "get: unknown option 'zzz' %(it takes connection, deadline, fields, headers, retries, stall_timeout, timeout%)" },
  { "an option by a name of other libraries", function() crm.Leads:list { fields = "id", limit = 5 } end,
    "list: unknown option 'limit'; did you mean 'per_page'%? %(it takes" },
  { "criteria in a list", function() crm.Leads:list { fields = "id", criteria = c.City:equals "Oslo" } end,
    "list: unknown option 'criteria'; crm%.Leads:search{…} and crm%.Leads:each{…} find by it" },
  { "a condition for a list", function() crm.Leads:list(c.City:equals "Oslo") end,
    "list takes a table of options, not a condition; crm%.Leads:search{…} and" },
  { "where in a walk", function() crm.Leads:each { fields = "id", where = c.City:equals "Oslo" } end,
    "each: unknown option 'where'; did you mean 'criteria'%?" },
  { "criteria in a scan", function() crm.Leads:scan { fields = "id", criteria = c.City:equals "Oslo" } end,
    "scan: unknown option 'criteria'; did you mean 'where'%?" },
  { "a condition for a scan", function() crm.Leads:scan(c.City:equals "Oslo") end,
    "scan takes a table of options, not a condition; did you mean { where = … }%?" },
  { "a condition without its name", function() crm.Leads:search { c.City:equals "Oslo" } end,
    "search: unknown option '1'; options have names: criteria = … %(it takes" },
  { "fields without their name", function() crm.Leads:list { "Last_Name", "Email" } end,
    "list: unknown option '%d'; options have names: fields = …" },
  { "an option of the client", function() crm.Leads:create({ Last_Name = "a" }, { concurrency = 5 }) end,
    "create: unknown option 'concurrency'; it is an option of zohocrm%.new %(it takes" },
  { "no fields", function() crm.Leads:list {} end, 'list needs fields, the API names of the fields you want: fields = {"Last_Name"' },
  { "no options at all", function() crm.Leads:list() end, "list needs fields" },
  { "51 fields", function() crm.Leads:list { fields = many_fields } end, "list: fields has 51 fields; the API takes at most 50" },
  { "51 fields in a string", function() crm.Leads:list { fields = table.concat(many_fields, ",") } end, "has 51 fields" },
  { "no field in a string", function() crm.Leads:list { fields = "id, ," } end, "fields has an empty element in 'id, ,'" },
  { "an empty list of fields", function() crm.Leads:list { fields = {} } end, "list: fields is empty" },
  { "a field that is a number", function() crm.Leads:list { fields = { 12 } } end, "fields%[1%] must be the API name of a field, not a number" },
  { "a field with a comma", function() crm.Leads:list { fields = { "a,b" } } end, "fields%[1%] contains a comma" },
  { "201 records a page", function() crm.Leads:list { fields = "id", per_page = 201 } end, "per_page must be a whole number from 1 to 200, not 201" },
  { "page 0", function() crm.Leads:list { fields = "id", page = 0 } end, "page must be a whole number from 1" },
  { "page 1.5", function() crm.Leads:list { fields = "id", page = 1.5 } end, "page must be a whole number" },
  { "page and page_token", function() crm.Leads:list { fields = "id", page = 1, page_token = "x" } end, "page and page_token exclude each other" },
  { "sorting by any field", function() crm.Leads:list { fields = "id", sort_by = "City" } end,
    "sort_by cannot be 'City'; choose one of 'id', 'Created_Time', 'Modified_Time'" },
  { "a wrong sort order", function() crm.Leads:list { fields = "id", sort_order = "ascc" } end, "choose one of 'asc', 'desc'; did you mean 'asc'%?" },
  { "101 ids", function() crm.Leads:list { fields = "id", ids = many_ids } end, "ids has 101 ids; the API takes at most 100" },
  { "a wrong type of converted", function() crm.Leads:list { fields = "id", converted = 1 } end,
    "converted cannot be 1; choose one of 'true', 'false', 'both'" },
  { "options that are no table", function() crm.Leads:list("id") end, "list takes a table of options, not a string" },
  { "a dot for a colon", function() crm.Leads.list { fields = "id" } end, "call it as crm%.Leads:list%(…%), with a colon" },
  { "a dot for a colon on the client", function() crm.org() end, "call it as crm:org%(…%), with a colon" },
  { "a dot for a colon on connections", function() crm.connections.list() end, "call it as crm%.connections:list" },
  { "a timeout of 0", function() crm:org { timeout = 0 } end, "timeout must be a number above 0, not 0" },
  { "a header with a line break", function() crm:org { headers = { ["X-A"] = "a\r\nHost: b" } } end, "header 'X%-A' has a value with a line break" },
  { "a header with NUL", function() crm:org { headers = { ["X-A"] = "a\0b" } } end, "header 'X%-A' has a value" },
  { "a header name with a blank", function() crm:org { headers = { ["X A"] = "a" } } end, "'X A' is not a header name" },
  { "the key's header", function() crm:org { headers = { authorization = "Bearer x" } } end, "header 'authorization' is the client's own" },
  { "a header that is a table", function() crm:org { headers = { A = {} } } end, "headers must map names to strings" },
  { "a connection with a line break", function() crm:org { connection = "a\nb" } end, "header 'Maton%-Connection' has a value" },
  { "no id", function() crm.Leads:get() end, 'get: the id must be a record id, a string such as "7243485000000597000", not nil' },
  { "an empty id", function() crm.Leads:get("") end, "the id must be a record id, .* not an empty string" },
  { "an id that lost its digits", function() crm.Leads:get(7243485000000597000.0) end, 'cannot hold a record id exactly; write it as a string' },
  { "a record for an id", function() crm.Leads:get { id = "1" } end, "get: the id is a record; pass its id, record%.id" },
  { "a page to delete", function() crm.Leads:delete(page) end, "delete: this is a page of records; pass an array of their ids" },
  { "a record among the ids to delete", function() crm.Leads:delete { "1", { id = "2" } } end, "delete: id 2 is a record; pass its id" },
  { "columns that are no array", function() coql.select("Last_Name", "City") end, "many columns go into an array, coql%.select{ \"Last_Name\", … }" },
  { "a colon for a dot on select", function() coql:select { "City" } end, "call it as coql%.select{…}, with a dot" },
  { "a colon for a dot on count", function() coql:count("id") end, "call it as coql%.count%(…%), with a dot" },
  { "a colon for a dot on gather", function() zohocrm:gather(print) end, "call it as zohocrm%.gather%(…%), with a dot" },
  { "a colon for a dot on date", function() zohocrm:date { year = 2026, month = 1, day = 1 } end, "call it as zohocrm%.date%(…%), with a dot" },
  { "a colon for a dot on datetime", function() zohocrm:datetime(0) end, "call it as zohocrm%.datetime%(…%), with a dot" },
  { "a task of nothing", function() crm:spawn() end, "spawn takes a function and its arguments, not nil" },
  { "a task of a call's result", function() crm:spawn(crm.Leads:list { fields = "id" }) end,
    "not the result of a call; wrap the call, function%(%) return … end", true },
  { "gathering results", function() zohocrm.gather(page) end, "argument 1 is the result of a call; wrap the call" },
  { "a fraction as id", function() crm.Leads:get(1.5) end, "cannot hold a record id exactly" },
  { "a negative id", function() crm.Leads:get(-1) end, "cannot hold a record id exactly" },
  { "an id that is a piece of a path", function() crm.Leads:get("..") end, "'%.%.' cannot be a piece of a path" },
  { "a record that is a string", function() crm.Leads:create("Smith") end, "create takes a record %(a table of fields%) or an array of records, not a string" },
  { "a record in a list that is a number", function() crm.Leads:create { { Last_Name = "a" }, 3 } end, "create: record 2 is a number, not a table of fields" },
  { "a value that JSON has not", function() crm.Leads:create { { Last_Name = "a" }, { Last_Name = print } } end,
    "create Leads: record 2: Last_Name is a function, which JSON does not have" },
  { "the same in the third request of many", function()
    local list = {}
    for i = 1, 250 do
      list[i] = { Last_Name = i == 233 and (0 / 0) or "x" }
    end
    crm.Leads:create(list)
  end, "create Leads: record 233: Last_Name is not a number" },
  { "an update without id", function() crm.Leads:update { Last_Name = "a" } end, "update: the record has no id" },
  { "an update without id in a list", function() crm.Leads:update { { id = "1" }, { City = "x" } } end, "update: record 2 has no id" },
  { "an update with an id that lost its digits", function() crm.Leads:update { id = 7243485000000597000.0 } end, "cannot hold a record id exactly" },
  { "a delete of nothing", function() crm.Leads:delete() end, "delete: the id must be a record id" },
  { "a delete of ids in one string", function() crm.Leads:delete("1,2") end, "contains a comma; pass many ids as an array" },
  { "an option of another call", function() crm.Leads:create({ Last_Name = "a" }, { duplicate_check_fields = { "Email" } }) end,
    "create: unknown option 'duplicate_check_fields'" },
  { "a search for nothing", function() crm.Leads:search {} end, "search needs one of criteria, email, phone and word, and has none" },
  { "options beside the condition of a search", function() crm.Leads:search(c.City:equals "Oslo", { fields = "id" }) end,
    "search takes one argument: .* search{ criteria = …, fields = … }" },
  { "options beside the condition of a walk", function() crm.Leads:each("(City:equals:Oslo)", { fields = "id" }) end,
    "each takes one argument: .* each{ criteria = …, fields = … }" },
  { "a search by Lua's own ==", function() crm.Leads:search(c.City == "Oslo") end,
    "search: criteria is false instead of a condition; Lua's own == gives these: write c.City:equals" },
  { "a walk by Lua's own ==", function() crm.Leads:each(c.City == "Oslo") end, "each: criteria is false instead of a condition" },
  { "a scan by Lua's own ==", function() crm.Leads:scan { fields = "id", where = c.City == "Oslo" } end, "scan: where is false instead" },
  { "a query by Lua's own ==", function() coql.select { "id" }:from("Leads"):where(c.City == "Oslo") end, "where is false instead" },
  { "a check by Lua's own ==", function() crm.Leads:check(c.City == "Oslo") end, "check: criteria is false instead" },
  { "a search by a field", function() crm.Leads:search(c.City) end, "search: criteria is a field, not a condition: say what holds for it" },
  { "a scan by a field", function() crm.Leads:scan { fields = "id", where = c.City } end, "scan: where is a field, not a condition" },
  { "a search for two things", function() crm.Leads:search { email = "a@b", word = "xx" } end, "and has email and word" },
  { "a word of one letter", function() crm.Leads:search { word = "x" } end, "word must have at least 2 characters" },
  { "a phone of two digits", function() crm.Leads:search { phone = "12" } end, "phone must have at least 3 characters" },
  { "a wrong user type", function() crm:users { type = "AllUser" } end, "type cannot be 'AllUser'; choose one of 'AllUsers'.*did you mean 'AllUsers'%?" },
  { "a wrong module status", function() crm:modules { status = "hidden" } end, "choose one of 'user_hidden', 'system_hidden'" },
  { "fields of no module", function() crm:fields() end, 'the module must be the API name of a module such as "Leads", not nil' },
  { "a layout without its module", function() crm:layout("1") end, "layout: the module must be" },
  { "a module without a name", function() crm:module("") end, "must be the API name of a module" },
  { "a method that is not there", function() return crm.uesrs end, "the client has no 'uesrs'; did you mean 'users'%?" },
  { "a module in lower case", function() return crm.leads end, "the client has no 'leads'; did you mean the module crm%.Leads%?" },
  { "a method of a module that is not there", function() crm.Leads:lits {} end, "a module has no 'lits'; did you mean 'list'%?" },
  { "a method by a name of other libraries", function() crm.Leads:insert {} end, "a module has no 'insert'; did you mean 'create'%?" },
  { "a method of modules on the client", function() crm:list("Leads") end,
    "the client has no 'list', but modules have: crm%.Leads:list%(…%)" },
  { "a module that is called", function() crm.Leads { fields = "id" } end,
    "'Leads' is a module, not a call; its calls are crm%.Leads:list{…}, crm%.Leads:get%(id%), …" },
  { "a method of modules with a capital", function() crm:List("Leads") end,
    "'List' is a module, not a call; did you mean crm%.Leads:list%(…%)%?" },
  { "a method of the client with a capital", function() crm:Org() end, "'Org' is a module, not a call; .*crm:org%(%)" },
  { "a number as a string", function() crm.Leads:list { fields = "id", per_page = "10" } end, 'not the string "10"' },
  { "an endpoint for an id", function() crm.Leads:get("search") end, 'the id must be a record id, .* not the string "search"' },
  { "a blank for an id", function() crm.Leads:get(" ") end, 'the id must be a record id' },
  { "a sandbox with a wrong option", function() zohocrm.new { sandbox = { recrods = 1 } } end, "zohocrm%.new: .*recrods" },
  { "a connection without an id", function() crm.connections:get() end, "connections:get: the id must be a string, not nil" },
  { "a method of connections that is not there", function() crm.connections:lst() end,
    "crm%.connections has no 'lst'; did you mean 'list'%? %(it has create, delete, get, list%)" },
  { "a write of nothing", function() crm.Leads:create() end, "create takes a record .* or an array of records, not nil;" },
  { "a record in the envelope of the API", function() crm.Leads:create { data = { { Last_Name = "a" } } } end,
    "create: pass the records themselves, create{.*'data' is put around them for you" },
  { "the same in an update", function() crm.Leads:update { data = { { id = "1" } }, trigger = {} } end, "'data' is put around them" },
  { "an option among the fields", function() crm.Leads:upsert { Last_Name = "a", duplicate_check_fields = { "Email" } } end,
    "upsert: duplicate_check_fields is an option, not a field: upsert%({ … }, { duplicate_check_fields = { … } }%)" },
  { "a record to check", function() crm.Leads:check { Company = "Acme" } end,
    "check: unknown option 'Company'; a record is checked by check{ create = { … } }" },
  { "an update with its id beside the fields", function() crm.Leads:update("1", { City = "Oslo" }) end,
    'update takes a record .*, not a string; the id is one of the fields: update{ id = "' },
  { "a user type that is no option", function() crm:users("ActiveUsers") end,
    'users takes a table of options, not a string; did you mean { type = "ActiveUsers" }%?' },
  { "fields that are no option", function() crm.Leads:list("id") end, 'list takes a table .*did you mean { fields = "id" }%?' },
  { "fields of one record that are no option", function() crm.Leads:get("1", "City") end, 'did you mean { fields = "City" }%?' },
  { "a path that is no option", function() crm:request("/crm/v8/org") end, 'did you mean { path = "/crm/v8/org" }%?' },
  { "a string that fits no option", function() crm:org("x") end, "org takes a table of options, not a string$" },
  { "a string that cannot be shown in a line", function() crm.Leads:list('a\n"b"') end, "list takes a table of options, not a string$" },
  { "a page for an iterator", function() for _ in page do error("never") end end, "a page is an array: for _, record in ipairs%(page%) do" },
  { "a module assigned", function() crm.Contacts = {} end, "the client takes no assignments: 'Contacts'" },
  { "a module assigned that has been used", function() crm.Leads = 5 end, "the client takes no assignments: 'Leads'" },
  { "connections assigned", function() crm.connections = 5 end, "the client takes no assignments: 'connections'" },
  { "a method of the client assigned", function() crm.org = print end, "the client takes no assignments: 'org'" },
  { "a field of a module assigned", function() crm.Leads.note = 5 end, "a module takes no assignments: 'note'" },
  { "the name of a module assigned", function() crm.Leads.name = "Deals" end, "a module takes no assignments: 'name'" },
  { "a field of connections assigned", function() crm.connections.app = "x" end, "crm%.connections takes no assignments: 'app'" },
  { "a wrong connection status", function() crm.connections:list { status = "active" } end, "choose one of 'ACTIVE', 'PENDING', 'FAILED'" },
  { "a request without a path", function() crm:request {} end, 'request needs path, such as path = "/crm/v8/org"' },
  { "a relative path", function() crm:request { path = "crm/v8/org" } end, "must start with '/'" },
  { "a path that climbs", function() crm:request { path = "/crm/v8/../../connections" } end, "no '%.' or '%.%.' pieces" },
  { "a path that climbs in disguise", function() crm:request { path = "/crm/v8/%2E%2e/x" } end, "no '%.' or '%.%.' pieces" },
  { "a path with a query", function() crm:request { path = "/crm/v8/Leads?fields=id" } end, "parameters go into query" },
  { "a wrong method", function() crm:request { path = "/x", method = "get" } end, "method cannot be 'get'; choose one of 'GET'" },
  { "a query that is a list", function() crm:request { path = "/x", query = { "a" } } end, "query must map parameter names" },
  { "a colon for a dot", function() zohocrm:new { sandbox = true } end, "call it as zohocrm%.new{…}, with a dot" },
  { "a colon for a dot on array", function() zohocrm:array { "x" } end, "call it as zohocrm%.array{…}, with a dot" },
  { "an unknown option of the client", function() zohocrm.new { apikey = "x" } end, "zohocrm%.new: unknown option 'apikey'; did you mean 'api_key'%?" },
  { "options of the client that are a string", function() zohocrm.new("key") end,
    "zohocrm%.new takes a table of options, not a string; did you mean { api_key = … }%?" },
  { "a host that is no event loop", function() zohocrm.new { sandbox = true, host = "nginx" } end,
    "host cannot be 'nginx'; choose one of 'luv', 'cqueues', 'copas', or leave it out in scripts and in nginx" },
  { "a key with a line break", function() zohocrm.new { api_key = "abc\n" } end, "api_key cannot be used: it contains a line break" },
  { "a key with NUL", function() zohocrm.new { api_key = "abc\0d" } end, "api_key cannot be used: it contains a NUL byte" },
  { "an address with NUL", function() zohocrm.new { api_key = "k", gateway_url = "https://127.0.0.1\0.example" } end,
    "gateway_url cannot be used: it contains a NUL byte" },
  { "a proxy of an unknown kind", function() zohocrm.new { api_key = "k", proxy = "htp://127.0.0.1:9" } end,
    "proxy cannot be used: it must look like http://host:port" },
  { "an array that is a string", function() zohocrm.array("x") end, "zohocrm%.array takes a table, not a string" },
  { "a sandbox that is a number", function() zohocrm.new { sandbox = 5 } end, "sandbox must be true, a table of options, or a sandbox" },
  { "plain http to another machine", function() zohocrm.new { api_key = "k", gateway_url = "http://gateway.maton.ai/zoho-crm" } end,
    "gateway_url cannot be used: plain http would send the key unprotected" },
  { "plain http to a name that looks like loopback", function() zohocrm.new { api_key = "k", gateway_url = "http://127.0.0.1.example.com" } end,
    "plain http" },
  { "another scheme", function() zohocrm.new { api_key = "k", control_url = "ftp://127.0.0.1/" } end, "control_url cannot be used: only https is allowed" },
  { "an address without a scheme", function() zohocrm.new { api_key = "k", gateway_url = "gateway.maton.ai" } end, "it is no address" },
  { "an address with a password", function() zohocrm.new { api_key = "k", gateway_url = "https://u:p@127.0.0.1" } end, "must not contain a" },
  { "an address with a query", function() zohocrm.new { api_key = "k", gateway_url = "https://127.0.0.1/?a=b" } end, "must not contain a query" },
}

describe("a caller's mistake raises:", function()
  before_each(function()
    sent = nil
  end)

  for _, case in ipairs(mistakes) do
    it(case[1], function()
      local fine, message = pcall(case[2])
      assert.is_false(fine)
      message = tostring(message)
      assert.matches("^[^:]*mistakes_spec%.lua:%d+: ", message)
      assert.matches(case[3], message)
      assert.equal(case[4], sent)
    end)
  end

  it("at the very line", function()
    local line = debug.getinfo(1, "l").currentline + 2
    local _, message = pcall(function()
      crm.Leads:list { fields = "id", per_page = 0 }
    end)
    assert.matches("mistakes_spec%.lua:" .. line .. ": ", message)
  end)

  it("a missing key, and says where to get one", function()
    if os.getenv("MATON_API_KEY") and os.getenv("MATON_API_KEY") ~= "" then
      return
    end
    local _, message = pcall(function()
      zohocrm.new()
    end)
    assert.matches("no API key: set the environment variable MATON_API_KEY, or pass api_key to zohocrm%.new", message)
    assert.matches("https://maton%.ai/settings%); to try without an account: zohocrm%.new{ sandbox = true }$", message)
  end)

  it("an assignment, and changes nothing", function()
    assert.is_false(pcall(function() crm.Leads = 5 end))
    assert.is_false(pcall(function() crm.Leads.name = "Deals" end))
    assert.equal("Leads", crm.Leads.name)
    assert.equal(crm.Leads, crm.Leads)
    assert.is_nil(getmetatable(zohocrm))
  end)

  it("a client that is closed", function()
    local closed = zohocrm.new { sandbox = { api_key = "x", handle = function() return { status = 204 } end } }
    closed:close()
    closed:close()
    assert.equal("zohocrm client (closed)", tostring(closed))
    local fine, message = pcall(function()
      closed:org()
    end)
    assert.is_false(fine)
    assert.matches("mistakes_spec%.lua:%d+: the client is closed", message)
  end)
end)

describe("a Lua that lacks a C module", function()
  -- What the library says of it when it is required.
  local function refusal(preparation)
    local shell = require("zohocrm.sandbox.server.shell")
    local interpreter = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d+%.%d+")
    local program = preparation .. [[ package.cpath = ""; print(select(2, pcall(require, "zohocrm")))]]
    local status, output = shell.capture(("LUA_PATH=%s %s -e %s"):format(shell.quote(package.path), interpreter, shell.quote(program)))
    assert.equal(0, status)
    return output
  end

  it("is told how to build and to find the core", function()
    assert.matches("^zohocrm's core, zohocrm/core%.so, is not found for Lua[^\n]*: build and install it %(make[^\n]* install%), "
      .. "or have build/5%.%d/%?%.so in LUA_CPATH\n$", refusal("package.preload.cjson = function() return {} end"))
  end)

  it("is told that the core is another Lua's", function()
    local message = refusal [[
      package.loaded.cjson = {}
      package.preload["zohocrm.core"] = function() error("error loading module: x.so: undefined symbol: lua_getiuservalue", 0) end
    ]]
    assert.matches("^zohocrm's core, zohocrm/core%.so, is built for another Lua than Lua[^\n]*: make[^\n]* install, or have "
      .. "build/5%.%d/%?%.so in LUA_CPATH; error loading module: x%.so: undefined symbol: lua_getiuservalue", message)
  end)

  it("is told that lua-cjson is missing", function()
    local output = refusal("")
    assert.matches("^zohocrm needs lua%-cjson, which Lua 5%.%d does not find %(Debian: apt install lua%-cjson; [^\n]*\n$", output)
  end)
end)

describe("names near a wrong one", function()
  local suggest = require("zohocrm.suggest")

  it("are found by swapped, missing, added and wrong letters", function()
    local names = { "fields", "page", "per_page", "sort_by" }
    for wrong, right in pairs { feilds = "fields", field = "fields", pagee = "page", perpage = "per_page", sortby = "sort_by" } do
      assert.equal(right, suggest.nearest(wrong, names)[1])
    end
  end)

  it("are none when nothing is near, however long the wrong name", function()
    assert.same({}, suggest.nearest("zzzzzz", { "fields" }))
    assert.same({}, suggest.nearest(("x"):rep(1e6), { "fields" }))
  end)
end)
