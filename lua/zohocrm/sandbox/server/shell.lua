--- Shell commands from pure Lua: quoting, output and exit status, the same on Lua 5.1 to 5.4.
-- @module zohocrm.sandbox.server.shell

local M = {}

-- What is preloaded into the caller (a sanitizer, an allocator under test) is meant for the caller, not for the
-- programs it starts.
local PREAMBLE = "unset LD_PRELOAD\n"

--- Quotes a text as one word of a POSIX shell.
---@param text string|number
---@return string
function M.quote(text)
  text = tostring(text)
  if text:find("\0", 1, true) then error("a shell word cannot hold a NUL byte", 2) end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Runs a script and collects what it prints (both streams).
--- The status is printed by the shell, because on Lua 5.1 a closed pipe does not tell it.
---@param script string
---@return integer status exit status, 128 + n when ended by signal n
---@return string output
function M.capture(script)
  local pipe = assert(io.popen(PREAMBLE .. "exec 2>&1\n(\n" .. script .. "\n)\nprintf '\\n%d' $?", "r"))
  local text = pipe:read("*a") or ""
  pipe:close()
  local output, status = text:match("^(.*)\n(%d+)$")
  if not output then return 127, text end
  return tonumber(status), output
end

--- Runs a script in the foreground, with the caller's streams. While it runs, Ctrl-C goes to it and not to Lua.
---@param script string
---@return integer status exit status, 128 + n when ended by signal n
function M.execute(script)
  local first, how, code = os.execute(PREAMBLE .. script)
  if type(first) == "number" then -- Lua 5.1, LuaJIT: the status as wait(2) gives it
    if first < 0 then return 127 end
    if first % 256 ~= 0 then return 128 + first % 128 end
    return math.floor(first / 256)
  end
  return how == "signal" and 128 + code or code
end

--- The process id of this Lua process, as its own children see it.
---@return integer
function M.own_pid()
  local _, output = M.capture("echo $PPID")
  return assert(tonumber(output), "cannot find out this process's id")
end

--- Shell function `alive PID`. In containers nobody may collect a dead daemon: a zombie is not alive.
M.ALIVE = [=[
alive() {
  kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}
]=]

return M
