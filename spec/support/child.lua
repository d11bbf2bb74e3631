--- Lua programs in an interpreter of their own, of the kind that runs the specs, with the same modules and whatever is
--- preloaded into it (a sanitizer, which then looks for leaks there, too).
---
---     local status, output = child.run [[ print(require("zohocrm").version) ]]
local shell = require("zohocrm.sandbox.server.shell")

local M = {}

-- The interpreter that runs the specs, by its own command line.
local function interpreter()
  local i = 0
  while arg and arg[i - 1] do i = i - 1 end
  return arg and arg[i] or "lua5.4"
end

--- Runs a program.
---@param program string
---@param options? table `preload`: a shared object that is loaded before all others; `environment`: of a shell, such as
--- "TZ=Europe/Berlin"
---@return integer status of its end; 128 + n when signal n ended it
---@return string output both streams
function M.run(program, options)
  local preload = options and options.preload
  local command = ("%s %sLUA_PATH=%s LUA_CPATH=%s timeout 120 %s -e %s 2>&1; printf '\\nstatus %%d' $?"):format(
    options and options.environment or "", preload and ('LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}%s" '):format(preload) or "", shell.quote(package.path),
    shell.quote(package.cpath), interpreter(), shell.quote(program))
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.*)\nstatus (%d+)$")
  return tonumber(status), output
end

--- A file that `make spec` builds, in the folder of the modules under test.
---@param name string of `spec/support/edges`
---@return string path
function M.built(name)
  local build = os.getenv("ZOHOCRM_BUILD")
  local path = assert(build, "ZOHOCRM_BUILD is not set: run the specs by make") .. "/spec/" .. name .. ".so"
  return path:sub(1, 1) == "/" and path or select(2, shell.capture("pwd")):match("[^\n]+") .. "/" .. path
end

return M
