-- The headers that call:take gives, against the same rules in Lua.
local core = require("zohocrm.core")

local client = core.client { offline = true, rate = 0 }

local function lower(text)
  return (text:gsub("%u", function(letter) return string.char(letter:byte() + 32) end))
end

local function expected_headers(block)
  local headers = {}
  for line in (block:match("^[^%z]*") .. "\n"):gmatch("(.-)\n") do
    local name, value = line:match("^([^ \t:][^:]*):[ \t]*(.-)[ \t\r]*$")
    if name then
      name = lower(name)
      headers[name] = headers[name] and headers[name] .. ", " .. value or value
    end
  end
  return headers
end

return function(block)
  local call = client:start { path = "/", raw = true, retries = 0 }
  client:poll(0)
  call:answer(200, block, "")
  assert(call:ready(), "it is not ready")
  local answer = call:take()
  local expected = expected_headers(block)
  for name, value in pairs(expected) do
    assert(answer.headers[name] == value, ("%q is %q instead of %q"):format(name, tostring(answer.headers[name]), value))
  end
  for name in pairs(answer.headers) do assert(expected[name], "a header out of nowhere") end
  for name, value in pairs(client:limits()) do
    assert(type(value) == "number" and value == value and value >= 0, name)
  end
end
