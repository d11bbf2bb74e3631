--- The README's configuration of nginx serves what it says, against the sandbox.
local build = os.getenv("ZOHOCRM_BUILD") or ""

-- nginx runs LuaJIT, and loads no module that wants a sanitizer loaded before it.
if not rawget(_G, "jit") or build:find("asan", 1, true) then return end

local nginx_host = require("spec.support.nginx_host")
local sandbox_server = require("zohocrm.sandbox.server")

-- The README's block, taken apart as nginx_host wants it.
local function configuration()
  local file = assert(io.open("README.md"))
  local text = file:read("*a"):match("\n```nginx\n(.-)\n```")
  file:close()
  local http = assert(text:match("\nhttp (%b{})")):sub(2, -2)
  local server = assert(http:match("server (%b{})"))
  local init = assert(http:match("init_by_lua_block (%b{})"))
  local rest = http:gsub("server %b{}", ""):gsub("init_by_lua_block %b{}", "")
  return { http = rest, server = server:sub(2, -2):gsub("listen %d+;", ""), init = init:sub(2, -2) }
end

describe("the README's nginx", function()
  local sandbox, nginx

  setup(function()
    sandbox = sandbox_server.start { records = 12 }
    local options = configuration()
    options.environment = sandbox:environment()
    options.main = "env ZOHOCRM_GATEWAY_URL; env ZOHOCRM_CONTROL_URL;"
    nginx = nginx_host.start(options)
  end)

  teardown(function()
    if nginx then nginx:stop() end
    sandbox:stop()
  end)

  it("lists leads", function()
    local status, body = nginx:get("/leads")
    assert.equal(200, status, body .. nginx:error_log())
    local _, lines = body:gsub("[^\n]+\n", "")
    assert.equal(10, lines)
  end)

  it("says in its log what went wrong, and that it is not served", function()
    sandbox:stop()
    local status = nginx:get("/leads")
    assert.equal(503, status)
    assert.truthy(nginx:error_log():find("list Leads: ", 1, true))
  end)
end)
