--- A walk holds a few pages, however many there are.
local server = require("zohocrm.sandbox.server")
local zohocrm = require("zohocrm")

-- Kilobytes of memory that this process has, as the system counts them; nil under tools that keep what was freed.
local function resident()
  local build = os.getenv("ZOHOCRM_BUILD") or ""
  local file = not build:find("asan") and not build:find("valgrind") and io.open("/proc/self/status")
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return tonumber(text:match("VmRSS:%s+(%d+)"))
end

describe("a walk over 15,000 records", function()
  local sandbox

  setup(function()
    sandbox = server.start { records = { Leads = 15000 } }
  end)

  teardown(function()
    sandbox:stop()
  end)

  for _, prefetch in ipairs { false, 9 } do
    it("needs no more memory at its end than at its beginning" .. (prefetch and ", also with nine pages ahead" or ""), function()
      local crm = zohocrm.new { api_key = sandbox.api_key, gateway_url = sandbox.gateway_url, rate = 0 }
      local count, base, base_resident, most, most_resident = 0, nil, nil, 0, 0
      for _ in crm.Leads:each { fields = "Last_Name,Email,City,Company,Phone,Owner", prefetch = prefetch or nil } do
        count = count + 1
        if count % 1000 == 0 and count >= 3000 then
          collectgarbage()
          collectgarbage()
          local lua, all = collectgarbage("count"), resident()
          base, base_resident = base or lua, base_resident or all
          most, most_resident = math.max(most, lua - base), math.max(most_resident, (all or 0) - (base_resident or 0))
        end
      end
      crm:close()
      assert.equal(15000, count)
      assert.is_true(most < 1024, ("Lua's memory grew by %.0f kB"):format(most))
      assert.is_true(most_resident < 8192, ("the process grew by %d kB"):format(most_resident))
    end)
  end
end)
