--- The README's snippets and the examples run as they stand, against the sandbox over HTTP, and print what they say.
local server = require("zohocrm.sandbox.server")

local function read(path)
  local file = assert(io.open(path, "r"))
  local text = file:read("*a")
  file:close()
  return text
end

-- The interpreter that runs this spec, by its own command line.
local function interpreter()
  local i = 0
  while arg and arg[i - 1] do
    i = i - 1
  end
  return arg and arg[i] or "lua5.4"
end

local function pack(...)
  return { n = select("#", ...), ... }
end

local PREAMBLE = 'local zohocrm = require "zohocrm"\nlocal crm = zohocrm.new()\n'

local function snippets(text)
  local found = {}
  for before, code in text:gmatch("()\n```lua\n(.-)\n```") do
    local _, line = text:sub(1, before):gsub("\n", "")
    found[#found + 1] = { line = line + 2, code = code }
  end
  return found
end

describe("the documentation", function()
  local readme = read("README.md")
  local sandbox

  setup(function()
    sandbox = server.start { records = 30 }
  end)

  teardown(function()
    sandbox:stop()
  end)

  local function quote(text)
    return "'" .. text:gsub("'", "'\\''") .. "'"
  end

  -- Runs a file of Lua as a user would; gives what it printed and whether it ended well.
  local function run(path)
    local pipe = assert(io.popen(("MATON_API_KEY=%s ZOHOCRM_GATEWAY_URL=%s ZOHOCRM_CONTROL_URL=%s %s %s 2>&1; echo status $?")
      :format(quote(sandbox.api_key), quote(sandbox.gateway_url), quote(sandbox.control_url), interpreter(), quote(path))))
    local output = pipe:read("*a")
    pipe:close()
    local text, status = output:match("^(.*)status (%d+)\n$")
    return text, status == "0"
  end

  local list = snippets(readme)

  it("has snippets", function()
    assert.is_true(#list >= 12)
  end)

  for _, snippet in ipairs(list) do
    it("has a snippet that runs at line " .. snippet.line, function()
      local path = os.tmpname()
      local file = assert(io.open(path, "w"))
      local whole = snippet.code:find('require%(?"zohocrm')
      file:write(whole and "" or PREAMBLE, snippet.code, "\n")
      file:close()
      local output, fine = run(path)
      os.remove(path)
      assert.is_true(fine, output)
      local position = 1
      for expected in snippet.code:gmatch("%-%->%s*([^\n]+)") do
        local pattern = expected:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("%s+", "%%s+")
        local start, stop = output:find(pattern, position)
        assert.truthy(start, ("'%s' is not in:\n%s"):format(expected, output))
        position = stop + 1
      end
    end)
  end

  it("shows a session as it is", function()
    local session = assert(readme:match("<!%-%- session.-\n```\n(.-)\n```"))
    local lines, environment = {}, setmetatable({}, { __index = _G })
    environment.print = function(...)
      local parts = {}
      for i = 1, select("#", ...) do
        parts[i] = tostring((select(i, ...)))
      end
      lines[#lines + 1] = table.concat(parts, "\t")
    end

    local function compile(code)
      local chunk = (loadstring or load)(code) -- luacheck: ignore 113
      if chunk and setfenv then -- luacheck: ignore 113
        return setfenv(chunk, environment) -- luacheck: ignore 113
      end
      return chunk and load(code, "=stdin", "t", environment)
    end
    for line in session:gmatch("[^\n]+") do
      local code = line:match("^> (.*)$")
      if code then
        lines[#lines + 1] = line
        local chunk = compile("return " .. code)
        local results = chunk and pack(chunk()) or pack()
        if not chunk then
          assert(compile(code), code)()
        elseif results.n > 0 and results[1] ~= nil or results.n > 1 then
          environment.print((table.unpack or unpack)(results, 1, results.n)) -- luacheck: ignore 113 143
        end
      end
    end
    assert.equal(session, table.concat(lines, "\n"))
  end)

  it("has a quickstart that lists, creates, updates, searches and deletes", function()
    local output, fine = run("examples/quickstart.lua")
    assert.is_true(fine, output)
    -- readers are invited to change the fields and the number
    assert.matches("^The newest %d+ leads:\n\nid [^\n]*\n[%- ]+\n%d+", output)
    assert.matches("\ncreated  %d+\nupdated  %+1%-555%-9999\nfound    1 by quickstart%-%d+@example%.com\ndeleted  not_found\n$",
      output)
  end)

  it("names every option that zohocrm.new takes", function()
    local _, message = pcall(function()
      require("zohocrm").new { no_such_option = 1 }
    end)
    for name in message:match("it takes (.-)%)$"):gmatch("[%w_]+") do
      assert.truthy(readme:find(name, 1, true), name)
    end
  end)
end)
