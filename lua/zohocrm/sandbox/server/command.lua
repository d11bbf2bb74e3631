--- The command line of the sandbox server.
-- @module zohocrm.sandbox.server.command

local shell = require("zohocrm.sandbox.server.shell")
local suggest = require("zohocrm.suggest")

local M = {}

local MISUSED, ENDED_BY_ITSELF = 2, 1 -- exit statuses

local function set(name)
  return function(options, value) options[name] = value end
end

local function set_leads(options, value)
  options.records = type(options.records) == "table" and options.records or {}
  options.records.Leads = value
end

-- By the word that --help shows: what it is, and how it is read from a text; nil where it cannot be.
local VALUES = {
  N = { "a whole number", function(text)
    local value = tonumber(text)
    return value and value % 1 == 0 and value or nil
  end },
  NUMBER = { "a number", tonumber },
  SECONDS = { "a number of seconds", tonumber },
  KEY = { "a text", function(text) return text ~= "" and text or nil end },
}

-- In the order in which --help lists them.
local ARGUMENTS = {
  { "--records", "N", set("records"), "records in each module" },
  { "--leads", "N", set_leads, "leads (the other modules as by default)" },
  { "--seed", "N", set("seed"), "seed of the generated records" },
  { "--api-key", "KEY", set("api_key"), "the key that is accepted (default: sandbox)" },
  { "--port", "N", set("port"), "port of plain HTTP (default: a free one)" },
  { "--tls-port", "N", set("tls_port"), "port of HTTPS (default: a free one)" },
  { "--latency", "SECONDS", set("latency"), "hold each answer back (default: 0)" },
  { "--search-delay", "SECONDS", set("search_delay"), "until a write is found by search (default: 0)" },
  { "--credits", "N", set("credits"), "API credits of 24 hours before 429 (default: not counted)" },
  { "--rate", "NUMBER", set("rate"), "requests per second before 429 (default: no limit)" },
}

local function usage()
  local lines = { "Serves the Zoho CRM sandbox on loopback ports until Ctrl-C.", "" }
  for _, argument in ipairs(ARGUMENTS) do
    lines[#lines + 1] = ("  %-24s %s"):format(argument[1] .. " " .. argument[2], argument[4])
  end
  return table.concat(lines, "\n")
end

local function find(name)
  local names = { "--help" }
  for _, argument in ipairs(ARGUMENTS) do
    if argument[1] == name then return argument end
    names[#names + 1] = argument[1]
  end
  return nil, ("unknown argument '%s'%s (--help lists them)"):format(name, suggest.hint(name, names))
end

-- Returns the options for `start`, or nil and what is wrong.
local function parse(words)
  local options = {}
  local i = 1
  while i <= #words do
    local name, text = words[i]:match("^(%-%-[%w-]+)=(.*)$")
    local argument, unknown = find(name or words[i])
    if not argument then return nil, unknown end
    if not text then
      i = i + 1
      text = words[i]
    end
    local what, read = VALUES[argument[2]][1], VALUES[argument[2]][2]
    if not text then return nil, ("%s needs %s"):format(argument[1], what) end
    local value = read(text)
    if not value then return nil, ("%s takes %s, not '%s'"):format(argument[1], what, text) end
    argument[3](options, value)
    i = i + 1
  end
  return options
end

local function asks_for_help(words)
  for _, word in ipairs(words) do
    if word == "--help" or word == "-h" then return true end
  end
  return false
end

local function split(arguments)
  if type(arguments) == "table" then return arguments end
  local words = {}
  for word in (arguments or ""):gmatch("%S+") do words[#words + 1] = word end
  return words
end

local function print_addresses(handle)
  local lines = {
    "Zoho CRM sandbox: " .. handle.url,
    "with TLS, HTTP/2: " .. handle.tls_url .. " (ca_file " .. handle.ca_file .. ")",
    "",
    "In another shell:",
  }
  local words = {}
  for i, pair in ipairs(handle:environment()) do
    local plain = pair[2]:find("^[%w%-_.:/]+$")
    words[i] = pair[1] .. "=" .. (plain and pair[2] or shell.quote(pair[2]))
  end
  lines[#lines + 1] = "  export " .. table.concat(words, " ")
  lines[#lines + 1] = ("  curl -H %s %s"):format(shell.quote("Authorization: Bearer " .. handle.api_key),
    shell.quote(handle.gateway_url .. "/crm/v8/Leads?fields=Last_Name&per_page=3"))
  lines[#lines + 1] = ""
  lines[#lines + 1] = "Ctrl-C stops it."
  print(table.concat(lines, "\n"))
  io.stdout:flush()
end

local WAIT = shell.ALIVE .. [[
while alive %d; do sleep 0.5; done
exit 3
]]

local function complain(message)
  io.stderr:write("zohocrm sandbox: ", message, "\n")
end

--- See `zohocrm.sandbox.server.run`.
---@param start fun(options: table): zohocrm.sandbox.Server|nil, string|nil nil and the reason where it cannot start
---@param arguments? string|string[]
---@return integer status
function M.run(start, arguments)
  local words = split(arguments)
  if asks_for_help(words) then
    print(usage())
    return 0
  end
  local options, mistake = parse(words)
  local handle
  if options then handle, mistake = start(options) end
  if not handle then
    complain(mistake)
    return MISUSED
  end
  print_addresses(handle)
  -- Ctrl-C ends the waiting shell, not Lua, which then stops the server in its own time.
  local status = shell.execute(WAIT:format(handle:pid()))
  local log = status == 3 and handle:error_log()
  handle:stop()
  if log then
    complain("the server ended by itself; its error log:\n" .. log)
    return ENDED_BY_ITSELF
  end
  return 0
end

return M
