--- The key is wiped from memory with its client, which only the memory itself can tell. Nothing is sent here: what
--- libcurl frees is its own affair.
local socket = require("socket")

-- The sanitizer has a copy of the environment of its own.
if (os.getenv("ZOHOCRM_BUILD") or ""):find("asan", 1, true) then return end

-- The interpreter that runs this spec, by its own command line.
local function interpreter()
  local i = 0
  while arg and arg[i - 1] do
    i = i - 1
  end
  return arg and arg[i] or "lua5.4"
end

-- How often a text stands in the writable memory of a process; the environment, which is on the stack, aside.
local function occurrences(pid, text)
  local memory = assert(io.open(("/proc/%s/mem"):format(pid), "rb"))
  local count = 0
  for line in io.lines(("/proc/%s/maps"):format(pid)) do
    local from, to, rights, name = line:match("^(%x+)%-(%x+) (%S+) %S+ %S+ %S+%s*(.*)$")
    from, to = tonumber(from, 16), tonumber(to, 16)
    if rights:find("^rw") and not name:find("^%[[sv]") and to - from < 2 ^ 28 and memory:seek("set", from) then
      local bytes = memory:read(to - from) or ""
      for _ in bytes:gmatch(text) do
        count = count + 1
      end
    end
  end
  memory:close()
  return count
end

describe("the key of a client", function()
  it("is in memory as long as the client, and no longer", function()
    local name = os.tmpname()
    local script = name .. ".lua"
    local file = assert(io.open(script, "w"))
    file:write(([[
      local socket, name = require("socket"), %q
      local stat = io.open("/proc/self/stat")
      local pid = stat:read("*a"):match("^%%d+")
      stat:close()
      local function tell(step)
        local file = io.open(name .. step, "w")
        file:write(pid)
        file:close()
        while io.open(name .. step) do socket.sleep(0.01) end
      end
      local crm = require("zohocrm").new()
      tell(".open")
      crm:close()
      tell(".closed")
    ]]):format(name))
    file:close()
    -- what is freed loses its first bytes anyway, so it is the end that counts
    local ending = ("%.0f"):format(socket.gettime() * 1000)
    local key = ("k"):rep(100) .. ending
    os.execute(("MATON_API_KEY=%s ZOHOCRM_GATEWAY_URL= %s %s &"):format(key, interpreter(), script))
    local function at(step)
      local told
      for _ = 1, 1000 do
        local note = io.open(name .. step)
        told = note and note:read("*a")
        if note then
          note:close()
        end
        if told and told ~= "" then
          break
        end
        socket.sleep(0.01)
      end
      local count = occurrences(assert(told, "the process came to no " .. step), "kkk" .. ending)
      os.remove(name .. step)
      return count
    end
    local open, closed = at(".open"), at(".closed")
    os.remove(script)
    os.remove(name)
    assert.is_true(open >= 1)
    assert.equal(0, closed)
  end)
end)
