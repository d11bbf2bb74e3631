--- TLS, HTTP/2 and connection reuse, against the sandbox served by nginx.
local server = require("zohocrm.sandbox.server")
local doors = require("spec.support.doors")
local zohocrm = require("zohocrm")

local https
for _, door in ipairs(doors) do
  if door.name == "https" then
    https = door
  end
end

describe("over TLS", function()
  local sandbox

  setup(function()
    sandbox = https.start { records = 300 }
  end)

  teardown(function()
    sandbox.stop()
  end)

  before_each(function()
    sandbox.reset()
  end)

  local function client(options)
    local given = sandbox.client_options
    local copy = { rate = 0, retries = 0 }
    for name, value in pairs(given) do
      copy[name] = value
    end
    for name, value in pairs(options or {}) do
      copy[name] = value or nil
    end
    return zohocrm.new(copy)
  end

  it("speaks HTTP/2 over one connection, for the gateway and the control endpoint each", function()
    local crm = client()
    for _ = 1, 5 do
      assert(crm.Leads:list { fields = "Last_Name" })
    end
    local requests = sandbox.requests()
    assert.equal(5, #requests)
    for _, request in ipairs(requests) do
      assert.equal("2", tostring(request.http_version):match("^%d"))
      assert.equal(requests[1].connection, request.connection)
      assert.equal("Bearer sandbox", request.headers.authorization)
    end
  end)

  it("offers compression and reads it", function()
    local page = assert(client().Leads:list { fields = "Last_Name,Email,City,Company" })
    assert.equal(200, #page)
    assert.matches("gzip", sandbox.requests()[1].headers["accept-encoding"])
  end)

  it("refuses a certificate that nobody vouches for, and sends nothing", function()
    local given = sandbox.client_options
    local crm = zohocrm.new { api_key = given.api_key, gateway_url = given.gateway_url, control_url = given.control_url }
    local page, err = crm.Leads:list { fields = "id" }
    assert.is_nil(page)
    assert.equal("network", err.kind)
    assert.equal(1, err.attempts)
    assert.is_false(err.retryable)
    assert.matches("certificate", tostring(err))
    assert.matches("ca_file", tostring(err))
    assert.equal(0, #sandbox.requests())
  end)

  it("refuses a certificate for another name", function()
    -- libcurl has every name under .localhost for this machine, and the certificate has only localhost itself
    local function url_of(host)
      return (sandbox.client_options.gateway_url:gsub("127%.0%.0%.1", host))
    end
    assert(client { gateway_url = url_of("localhost") }.Leads:list { fields = "id" })
    sandbox.reset()
    local _, err = client { gateway_url = url_of("other.localhost") }.Leads:list { fields = "id" }
    assert.same({ "network", false }, { err.kind, err.retryable })
    assert.matches("other.localhost", tostring(err), 1, true)
    assert.matches("certificate", tostring(err))
    assert.equal(0, #sandbox.requests())
  end)

  it("says so where what answers does not speak TLS", function()
    local plain = server.start { records = 1 }
    local url = plain.gateway_url:gsub("^http:", "https:")
    local _, err = client { gateway_url = url }.Leads:list { fields = "id" }
    plain:stop()
    assert.equal("network", err.kind)
    assert.matches("what answers there does not speak TLS", err.advice)
  end)

  it("says that ca_file is wrong when it is", function()
    local _, err = client { ca_file = "/nowhere/ca.pem" }.Leads:list { fields = "id" }
    assert.equal("network", err.kind)
    assert.matches("ca_file", tostring(err))
  end)

  it("sends large bodies and reads many pages", function()
    local crm = client()
    local records = {}
    for i = 1, 100 do
      records[i] = { Last_Name = "Large " .. i, Description = ("å"):rep(10000) }
    end
    local outcome = crm.Leads:create(records)
    assert.equal(100, outcome.succeeded)
    assert.equal(400, #assert(crm.Leads:all { fields = "Last_Name" }))
  end)

  it("works for two clients at once", function()
    local one, two = client(), client()
    assert(one.Leads:list { fields = "id" })
    assert(two.Leads:list { fields = "id" })
    one:close()
    assert(two.Leads:list { fields = "id" })
  end)
end)

describe("the sandbox's server", function()
  it("is gone once stopped, and a client says so", function()
    local handle = server.start { records = 5 }
    local crm = zohocrm.new { api_key = handle.api_key, gateway_url = handle.gateway_url, control_url = handle.control_url,
      retries = 0 }
    assert(crm:org())
    handle:stop()
    local org, err = crm:org()
    assert.is_nil(org)
    assert.equal("network", err.kind)
  end)
end)
