--- Programs in an environment that a process can only be born with: a time zone, a locale.
local assert = require("luassert")
local child = require("spec.support.child")
local shell = require("zohocrm.sandbox.server.shell")

local M = {}

--- @param environment string of a shell, such as "TZ=Europe/Berlin"
--- @param program string Lua; finds what this process finds
--- @return string output of both kinds, without blanks at its end
function M.run(environment, program)
  -- glibc leaks what belongs to a locale
  local _, output = child.run(program, { environment = "ASAN_OPTIONS=detect_leaks=0 " .. environment })
  return (output:gsub("%s+$", ""))
end

--- The same in a locale with decimal commas, which is made where the machine has none.
--- @param program string
--- @return string output
function M.run_with_commas(program)
  local made, output = shell.capture("mkdir -p build/locale; test -d build/locale/de_DE.UTF-8"
    .. " || localedef -i de_DE -f UTF-8 build/locale/de_DE.UTF-8")
  assert.equal(0, made, "localedef (Debian: apt install locales) says: " .. output)
  return M.run("LOCPATH=build/locale", 'assert(os.setlocale("de_DE.UTF-8")) '
    .. 'assert(rawget(_G, "jit") or ("%.1f"):format(0.5) == "0,5", "the locale has no comma") ' .. program)
end

return M
