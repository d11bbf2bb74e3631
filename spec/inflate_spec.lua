--- Compressed answers: read whatever way they are compressed, bounded, and refused when they are broken.
local fault_server = require("spec.support.fault_server")
local zohocrm = require("zohocrm")

-- gzip files as bytes: made by the gzip command, so that they are somebody else's.
local function gzip(text, options)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(text)
  file:close()
  local pipe = assert(io.popen(("gzip -c %s %s"):format(options or "", name), "r"))
  local packed = pipe:read("*a")
  pipe:close()
  os.remove(name)
  return packed
end

local PAGE = '{"data":[{"id":"1","Last_Name":"' .. ("å"):rep(2000) .. '"}],"info":{"more_records":false,"count":1}}'

describe("a compressed answer", function()
  local faults

  setup(function()
    faults = fault_server.start()
  end)

  teardown(function()
    faults:stop()
  end)

  local function list(body, encoding, options)
    faults:script { fault_server.reply { body = body, headers = { ["Content-Encoding"] = encoding } } }
    local given = { api_key = "k", gateway_url = faults.url, control_url = faults.url, rate = 0, retries = 0 }
    for name, value in pairs(options or {}) do
      given[name] = value
    end
    return zohocrm.new(given).Leads:list { fields = "id" }
  end

  it("is asked for", function()
    assert(list(gzip(PAGE), "gzip"))
    assert.matches("\r\nAccept%-Encoding: [^\r]*gzip", faults:received()[1].head)
  end)

  for _, encoding in ipairs { "gzip", "GZIP", "x-gzip" } do
    it("is read: " .. encoding, function()
      local page = assert(list(gzip(PAGE), encoding))
      assert.equal(("å"):rep(2000), page[1].Last_Name)
    end)
  end

  it("is read at every level and with a file name in its header", function()
    for level = 1, 9, 4 do
      assert.equal(1, #assert(list(gzip(PAGE, "-" .. level .. " -N"), "gzip")))
    end
  end)

  it("is read when nothing was compressed after all", function()
    assert.equal(1, #assert(list(PAGE, "identity")))
  end)

  it("is read when it is long and repeats itself", function()
    local big = '{"data":[{"id":"1","x":"' .. ("0123456789"):rep(200000) .. '"}],"info":{}}'
    assert.equal(2000000, #assert(list(gzip(big), "gzip"))[1].x)
  end)

  it("is no way around max_response_bytes", function()
    local bomb = gzip('{"data":"' .. ("0"):rep(5000000) .. '"}')
    assert.is_true(#bomb < 20000)
    local page, err = list(bomb, "gzip", { max_response_bytes = 1000000 })
    assert.is_nil(page)
    assert.equal("too_large", err.kind)
    assert.matches("larger than max_response_bytes %(1000000%)", tostring(err))
  end)

  it("may lie about its size at its end", function()
    local packed = gzip(PAGE)
    for _, told in ipairs { "\0\0\0\0", "\1\0\0\0", "\255\255\255\127" } do
      local _, err = list(packed:sub(1, -5) .. told, "gzip")
      assert.equal("protocol", err.kind) -- the size is part of what a gzip file has to get right
    end
  end)

  local packed = gzip(PAGE)
  local broken = {
    ["cut short"] = packed:sub(1, #packed - 20),
    ["only its header"] = packed:sub(1, 10),
    ["of one byte"] = "\31",
    ["changed in the middle"] = packed:sub(1, 60) .. "\0\0\0\0" .. packed:sub(65),
    ["no gzip at all"] = PAGE,
  }
  for name, bytes in pairs(broken) do
    it("that is " .. name .. " is kind protocol", function()
      local page, err = list(bytes, "gzip")
      assert.is_nil(page)
      assert.equal("protocol", err.kind)
    end)
  end

  it("to a write that cannot be read may have happened", function()
    faults:script { fault_server.reply { status = 201, body = PAGE, headers = { ["Content-Encoding"] = "gzip" } } }
    local crm = zohocrm.new { api_key = "k", gateway_url = faults.url, control_url = faults.url, rate = 0, retries = 0 }
    local made, err = crm.Leads:create { Last_Name = "Ek" }
    assert.is_nil(made)
    assert.equal("protocol", err.kind)
    assert.is_true(err.may_have_happened)
  end)
end)
