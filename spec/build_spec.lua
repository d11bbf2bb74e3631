--- What make says to who builds and installs: refusals in a sentence, and where things go.

-- The interpreter that runs this spec, by its own command line.
local function interpreter()
  local i = 0
  while arg and arg[i - 1] do
    i = i - 1
  end
  return arg and arg[i] or "lua5.4"
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- What a command prints, and whether it ended well. The loader's settings of sanitizers are not for make.
local function run(command)
  local pipe = assert(io.popen(("unset LD_PRELOAD MAKEFLAGS MAKELEVEL; { %s; } 2>&1; echo status $?"):format(command)))
  local output = pipe:read("*a")
  pipe:close()
  local text, status = output:match("^(.*)status (%d+)\n$")
  return text, status == "0"
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  file:close()
end

local ABI = _VERSION:match("%d+%.%d+")
local LUA = quote(interpreter())

describe("make", function()
  local folder

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(run(("mkdir -p %s/curl"):format(folder)))
  end)

  teardown(function()
    run("rm -rf " .. quote(folder))
  end)

  it("lists its targets: every one that is meant for people", function()
    local help, fine = run("make --no-print-directory help")
    assert.is_true(fine)
    for _, target in ipairs { "all", "install", "uninstall", "clean", "demo", "sandbox", "bench", "test", "asan", "valgrind",
      "lint", "doc", "help" } do
      assert.matches("\n  " .. target .. " +%S", "\n" .. help)
    end
  end)

  describe("refuses to build", function()
    local REFUSALS = {
      { "with a libcurl that is too old", "LUA=" .. LUA .. " CURL_CFLAGS=-I%s",
        "libcurl 7%.67%.1 is older than 7%.68%.0, the oldest that zohocrm supports" },
      { "without libcurl", "LUA=" .. LUA .. " CURL_CFLAGS=-nostdinc", "libcurl's headers are missing" },
      { "for a Lua that is not there", "LUA=no-such-lua", "LUA=no%-such%-lua does not run" },
      { "without lua.h", "LUA=" .. LUA .. " LUA_INCDIR=%s", "lua%.h of %S+ " .. ABI:gsub("%.", "%%.") .. " is missing" },
      { "without a compiler", "LUA=" .. LUA .. " CC=no-such-cc", "the compiler no%-such%-cc is missing" },
    }

    setup(function()
      write(folder .. "/curl/curl.h", '#include "curlver.h"\n')
      write(folder .. "/curl/curlver.h", '#define LIBCURL_VERSION "7.67.1"\n#define LIBCURL_VERSION_NUM 0x074301\n')
    end)

    for _, row in ipairs(REFUSALS) do
      it(row[1] .. ", and says so", function()
        local output, fine = run(("make --no-print-directory BUILD=%s/build %s")
          :format(folder, row[2]:gsub("%%s", folder)))
        assert.is_false(fine)
        assert.matches("error: " .. row[3], output)
        assert.is_nil(output:find("fatal error", 1, true))
      end)
    end
  end)

  it("installs under DESTDIR and PREFIX what require finds, and uninstall takes it all away", function()
    local build = os.getenv("ZOHOCRM_BUILD") or ("build/" .. ABI)
    local settings = ("LUA=%s BUILD=%s DESTDIR=%s/root PREFIX=/opt/crm"):format(LUA, quote(build), folder)
    -- what was built for these specs is not built again, whatever its flags
    local output, fine = run(("make --no-print-directory -o all install %s"):format(settings))
    assert.is_true(fine, output)
    local root = folder .. "/root/opt/crm"
    local listing = run(("cd %s && find . -type f | sort"):format(root))
    local modules = run("cd lua && find . -name '*.lua' | sort")
    local expected = { ("./lib/lua/%s/zohocrm/core.so"):format(ABI) }
    for name in modules:gmatch("%./(%S+)") do
      expected[#expected + 1] = ("./share/lua/%s/%s"):format(ABI, name)
    end
    assert.equal(table.concat(expected, "\n") .. "\n", listing)
    if not build:find("asan") then -- whose library this environment is without
      local script = quote('print(require("zohocrm").new{ sandbox = true }:org().company_name)')
      output, fine = run(("cd / && LUA_PATH='%s/?.lua;%s/?/init.lua;;' LUA_CPATH='%s/lib/lua/%s/?.so;;' %s -e %s")
        :format(root .. "/share/lua/" .. ABI, root .. "/share/lua/" .. ABI, root, ABI, LUA, script))
      assert.is_true(fine, output)
    end
    assert(select(2, run(("make --no-print-directory uninstall %s"):format(settings))))
    assert.equal("", (run(("find %s/root -type f; find %s/root -name 'zohocrm*'"):format(folder, folder))))
  end)
end)
