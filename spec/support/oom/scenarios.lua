--- What `make oom` runs with every allocation failing in turn, see oom.c. Texts and tables are made beforehand, so that
--- mostly the core's own allocations count. lua-cjson is called for no string: its own allocations may end the process.

local parts = {}
for i = 1, 40 do
  parts[i] = ('{"id":"72434850000%08d","Last_Name":"Name \\u00e5 %d","Owner":{"name":"Ann","id":"1"},"Tag":[],'
    .. '"Text":"%s","Amount":%d.25,"Email":null,"Parts":[%s]}'):format(i, i, ("long "):rep(20), i, ("1,"):rep(i) .. "2")
end
local PAGE = '{"data":[' .. table.concat(parts, ",") .. '],"info":{"count":40,"more_records":true,"next_page_token":"tk"}}'
local HEAD = "Content-Type: application/json\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-Long: " .. ("h"):rep(600) .. "\r\n"
local RECORDS = { data = { { Last_Name = "Smith", id = 42, Amount = 1.5, Tag = { { name = "a" } }, Done = true }, { Phone = ("7"):rep(300) } } }
local LOOP = {}
LOOP.again = { LOOP }
local LONG = ("x"):rep(2000)
local FLAWED = '{"data":[{"id":"1"}],"users":[null,{"a":{"b":[1,{"c":[]}]}},3],"":[null],"data":[{"id":"2"},{"id":"3","id":"4"}]}'
local TWICE = '{"data":[' .. table.concat(parts, ",") .. '],"data":[{"id":"1"}],"info":{"more_records":true}}'

local function check_page(page)
  assert(#page.data == 40, "records are missing")
  for i, record in ipairs(page.data) do
    assert(record.id == ("72434850000%08d"):format(i), "an id is wrong")
    assert(record.Last_Name == "Name å " .. i and record.Amount == i + 0.25 and record.Email == nil, "a record is wrong")
    assert(record.Owner.name == "Ann" and record.Owner.id == "1" and #record.Tag == 0, "an inner table is wrong")
    assert(#record.Parts == i + 1 and record.Parts[i] == 1 and record.Parts[i + 1] == 2, "an array is wrong")
    assert(#record.Text == 100, "a text is wrong")
  end
  assert(page.info.count == 40 and page.info.next_page_token == "tk", "info is wrong")
end

local function made(client, why)
  return assert(client, why)
end

local function offline_call()
  local core = require("zohocrm.core")
  local client = made(core.client { offline = true, rate = 0, user_agent = "oom" })
  local call = made(client:start {
    method = "POST", path = { "crm", "v8", "Leads" }, query = { "a", "b c", "d", "ø" }, body = RECORDS,
    headers = { ["X-One"] = "1", ["X-Two"] = LONG },
  })
  client:poll(0)
  return call, client
end

-- A call may end with a lack of memory as its outcome, which take raises.
local function wait(client, call)
  for _ = 1, 2000 do
    if call:ready() then return end
    client:poll(0.1)
  end
  error("stuck")
end

local function over_http(path, check)
  return function()
    local core = require("zohocrm.core")
    local client = made(core.client { api_key = "k", gateway_url = "http://127.0.0.1:" .. PORT, rate = 0, retries = 0 }) -- luacheck: ignore 113
    local call = made(client:start { path = path, query = { "page", "1" }, headers = { ["X-One"] = "1" } })
    wait(client, call)
    local answer = call:take()
    -- libcurl has no word for it where a connection could not be made for want of memory
    if answer.failure then error("not enough memory, as " .. answer.failure .. ": " .. answer.message, 0) end
    check(answer)
    client:close()
  end
end

return {
  { "loading the module", function()
    assert(require("zohocrm.core").decode("[1]")[1] == 1)
  end },
  { "decoding", function()
    check_page(assert(require("zohocrm.core").decode(PAGE)))
  end },
  { "refusing to decode", function()
    local core = require("zohocrm.core")
    assert(select(2, core.decode('{"a\\n":["b\\x')) == "it is not JSON (a wrong escape, byte 11)")
    assert(select(2, core.decode('{"\255')) == "it is not UTF-8 (byte 3)")
  end },
  { "encoding", function()
    local core = require("zohocrm.core")
    assert(core.decode(core.encode(RECORDS, true)).data[1].id == "42")
    assert(select(2, core.encode(LOOP)):find("nested too deep"))
  end },
  { "a call", function()
    local call = offline_call()
    local request = call:request()
    assert(request.headers["X-Two"] == LONG and request.url:find("/crm/v8/Leads%?a=b%%20c&d=%%C3%%B8$"), "the request is wrong")
    call:answer(200, HEAD, PAGE)
    local answer = call:take()
    assert(answer.headers["set-cookie"] == "a, b" and #answer.headers["x-long"] == 600, "a header is wrong")
    check_page(answer.body)
  end },
  { "a call decoded in pieces", function()
    local call, client = offline_call()
    call:answer(200, HEAD, PAGE)
    repeat until call:decode(9)
    check_page(call:take().body)
    client:close()
  end },
  { "a page taken in pieces", function()
    local call, client = offline_call()
    call:answer(200, HEAD, PAGE)
    local body, data = call:take(7).body, {}
    local piece = body.data
    while piece do
      for _, record in ipairs(piece) do data[#data + 1] = record end
      piece = call:rows(9)
    end
    check_page { data = data, info = body.info }
    client:close()
  end },
  { "a page taken in pieces, which breaks off", function()
    local call = offline_call()
    call:answer(200, HEAD, (PAGE:gsub("Ann", "\\x", 30):gsub("\\x", "Ann", 29)))
    assert(#call:take(20).body.data == 20)
    local piece, problem, excerpt = call:rows(20)
    assert(piece == nil and problem:find("a wrong escape") and excerpt:find('^{"data"'))
    call = offline_call()
    call:answer(200, HEAD, PAGE)
    assert(call:take(20).left)
    call:drop_rows()
  end },
  { "answers that are JSON, but not what they should be", function()
    for _, records in ipairs { 0, 1, 3 } do -- at a time; 0: all
      local call = offline_call()
      call:answer(200, HEAD, FLAWED)
      if records > 0 then repeat until call:decode(records) end
      local answer = call:take()
      assert(answer.flaws.data == "is there twice" and answer.flaws.users:find("no object") and answer.flaws[""])
      assert(#answer.body.data == 2)
    end
    local call = offline_call()
    call:answer(200, HEAD, TWICE)
    assert(call:take(7).left)
    local records, problem
    repeat records, problem = call:rows(9) until not records
    assert(problem:find("data is there twice"), problem)
  end },
  { "a call that is answered with something else", function()
    local call = offline_call()
    call:answer(502, HEAD, "<html>" .. LONG)
    local answer = call:take()
    assert(answer.problem and answer.excerpt:find("^<html>x+%.%.%.$"))
  end },
  { "calls that are abandoned, cancelled and closed", function()
    local call, client = offline_call()
    call:cancel()
    assert(call:take().failure == "cancelled")
    call = client:start { path = "/crm/v8/org" }
    client:close()
    assert(call:take().failure == "cancelled")
    call = offline_call()
    call:answer(200, HEAD, PAGE)
    call:decode(3)
  end },
  -- the clock, a tool of specs, may lose the note of a wait
  { "a call that is tried again, on a clock", function()
    local core = require("zohocrm.core")
    local clock = core.clock { date = 1770340256, random = { 0.5, 0.25 } }
    local client = made(core.client { offline = true, rate = 10, retries = 2, clock = clock })
    local call = made(client:start { path = "/crm/v8/org" })
    for _ = 1, 2 do
      for _ = 1, 100 do
        if call:parked() then break end
        client:poll(1)
      end
      call:answer(429, "Retry-After: 2\r\nX-RateLimit-Remaining: 5\r\n", "")
    end
    for _ = 1, 100 do
      if call:parked() then break end
      client:poll(1)
    end
    call:answer(200, HEAD, PAGE)
    local answer = call:take()
    assert(answer.attempts == 3 and #answer.log == 3 and client:limits().ratelimit_remaining == 5)
    check_page(answer.body)
  end },
  { "a pager", function()
    local core = require("zohocrm.core")
    local pager = core.pager("list", 200, 9)
    assert(pager:next() == "page")
    pager:feed(true, LONG)
    assert(pager:next() == "page")
    pager:feed(true, LONG)
    local what, token = pager:next()
    assert(what == "page_token" and token == LONG)
    assert(pager:ahead(1) == nil)
    tostring(pager)
  end },
  { "a wrong client", function()
    local core = require("zohocrm.core")
    local client, why, option = core.client { api_key = "k", gateway_url = "http://example.com" }
    assert(client == nil and option == "gateway_url" and why:find("plain http"))
    assert(core.client { api_key = "k", proxy = "gopher://x" } == nil)
  end },
  { "a request over HTTP", over_http("/page", function(answer)
    assert(answer.status == 200 and answer.headers["content-type"] == "application/json")
    check_page(answer.body)
  end) },
  { "a request over HTTP, compressed", over_http("/gzip", function(answer)
    assert(answer.status == 200)
    check_page(answer.body)
  end) },
  page = PAGE,
}
