-- The end of a page before it is decoded: what call:page_end says, against the page itself.
local answered_call = require("spec.support.answered")
local core = require("zohocrm.core")
local random_json = require("spec.support.random_json")

local SEED = tonumber(os.getenv("SPEC_SEED") or "") or os.time()

describe("the end of a page (SPEC_SEED=" .. SEED .. ")", function()
  local client

  setup(function()
    math.randomseed(SEED)
    client = core.client { offline = true, api_key = "k", rate = 0 }
  end)
  teardown(function() client:close() end)

  local function answered(body, status) return answered_call(client, body, status) end

  local function page_end(body, status)
    return { answered(body, status):page_end() }
  end

  it("is the id of the last record, and whether more follow", function()
    assert.same({ "2", true }, page_end '{"data":[{"id":"1"},{"id":"2"}],"info":{"more_records":true}}')
    assert.same({ "2", false }, page_end '{"data":[{"id":"2"}],"info":{"more_records":false}}')
    assert.same({ "2", false }, page_end '{"data":[{"id":"2"}]}')
    assert.same({ "2", true }, page_end '\n{ "data" : [ { "id" : "1" } , { "id" : "2" , "a" : "x" } ] , "info" : { "more_records" : true } }\n')
    assert.same({ "2", false }, page_end '{"info":{"more_records":true},"data":[{"id":"2"}]}') -- it looks at the end only
  end)

  it("is not taken from anything else", function()
    assert.same({ "1", true }, page_end('{"data":[{"id":"1","Owner":{"id":"9"},"list":[{"id":"8"}],"a":"\\"id\\":\\"7\\"","b":"id"}],'
      .. '"numbers":[1,[2]],"object":{"x":{"id":"6"}},"info":{"more_records":true,"x":{"more_records":false}},"more_records":false}'))
    assert.same({ "1", false }, page_end '{"data":[{"id":"1"}],"more_records":true,"info":{"a":{"more_records":true},"b":"more_records"}}')
  end)

  it("is unknown where there is none", function()
    for _, body in ipairs { "", "{}", "[]", '"', '{"data":[]}', '{"data":[{"id":1}]}', '{"data":[{"id":"1\\u0030"}]}', '{"data":[{"Id":"1"}]}',
      '{"data":[{"id"', '{"data":[{"id":',
      '{"data":[{"id":"', '{"data":[{"id":"1', '{"info":{"more_records":true}}', "}}}]]]", '{"data":[{"id":"1"},{"id":2}]}',
      '{"data":[{"id":"1\\"}]', ("["):rep(1e5) } do
      assert.same({}, page_end(body), body:sub(1, 40))
    end
    assert.same({}, page_end('{"data":[{"id":"1"}]}', 500))
    assert.same({}, page_end("", 204))
  end)

  it("of an answer that failed, is being waited for or was taken is no answer", function()
    local call = assert(client:start { path = "/x" })
    assert.same({}, { call:page_end() })
    call:cancel()
    client:poll(0)
    assert.same({}, { call:page_end() })
    call:take()
    assert.has_error(function() call:page_end() end, "the call was taken already")
  end)

  it("leaves the answer as it is", function()
    local call = answered '{"data":[{"id":"1"},{"id":"2"}],"info":{"more_records":true}}'
    call:decode(1)
    assert.equal("2", (call:page_end()))
    local body = call:take().body
    assert.same({ "1", "2", true }, { body.data[1].id, body.data[2].id, body.info.more_records })
  end)

  it("is what the decoded page says, of random records", function()
    local cjson = require("cjson")
    for round = 1, random_json.rounds(300) do
      local records = {}
      for i = 1, math.random(1, 4) do
        local before, after = random_json.value(3), random_json.value(3)
        records[i] = ('{"a":%s,"id":"%d","b":%s}'):format(before, math.random(1, 10 ^ 9), after)
      end
      local body = ('{"x":%s,"data":[%s],"info":{"y":%s,"more_records":%s}}'):format(random_json.value(3),
        table.concat(records, ","), random_json.value(3), tostring(math.random(1, 2) == 1))
      local decoded = cjson.decode(body)
      assert.same({ decoded.data[#decoded.data].id, decoded.info.more_records }, page_end(body), ("round %d: %s"):format(round, body))
    end
  end)

  it("of broken text is anything, but no crash", function()
    local good = '{"data":[{"id":"1","a":"\\\\\\""},{"id":"2","b":{"id":[1,null]}}],"info":{"more_records":true}}'
    for _ = 1, random_json.rounds(2000) do
      local at, byte = math.random(1, #good), string.char(math.random(0, 255))
      local broken = good:sub(1, at - 1) .. (math.random(1, 2) == 1 and byte or "") .. good:sub(at + math.random(0, 3))
      local found = page_end(broken:sub(1, math.random(1, #broken)))
      assert.is_true(#found == 0 or type(found[1]) == "string" and type(found[2]) == "boolean")
    end
  end)
end)
