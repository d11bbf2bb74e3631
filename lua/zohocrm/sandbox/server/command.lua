--- The command line of the sandbox server.
-- @module zohocrm.sandbox.server.command

local shell = require("zohocrm.sandbox.server.shell")

local M = {}

local function set(name)
  return function(options, value) options[name] = value end
end

local function set_leads(options, value)
  options.records = type(options.records) == "table" and options.records or {}
  options.records.Leads = value
end

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
  { "--rate", "N", set("rate"), "requests per second before 429 (default: no limit)" },
}

local function usage()
  local lines = { "Serves the Zoho CRM sandbox on loopback ports until Ctrl-C.", "" }
  for _, argument in ipairs(ARGUMENTS) do
    lines[#lines + 1] = ("  %-24s %s"):format(argument[1] .. " " .. argument[2], argument[4])
  end
  return table.concat(lines, "\n")
end

local function find(name)
  for _, argument in ipairs(ARGUMENTS) do
    if argument[1] == name then return argument end
  end
end

-- Returns the options for `start`, or nil where help is asked for.
local function parse(words)
  local options = {}
  local i = 1
  while i <= #words do
    local name, value = words[i]:match("^(%-%-[%w-]+)=(.*)$")
    name = name or words[i]
    if name == "--help" or name == "-h" then return nil end
    local argument = find(name)
    if not argument then error(("unknown argument '%s'\n%s"):format(name, usage()), 0) end
    if not value then
      i = i + 1
      value = words[i]
    end
    if argument[2] ~= "KEY" then value = tonumber(value) end
    if not value then error(("%s needs a value: %s"):format(name, argument[2]), 0) end
    argument[3](options, value)
    i = i + 1
  end
  return options
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
  lines[#lines + 1] = ""
  lines[#lines + 1] = "Ctrl-C stops it."
  print(table.concat(lines, "\n"))
  io.stdout:flush()
end

local WAIT = shell.ALIVE .. [[
while alive %d; do sleep 0.5; done
exit 3
]]

--- See `zohocrm.sandbox.server.run`.
---@param server table the module zohocrm.sandbox.server
---@param arguments? string|string[]
---@return integer status
function M.run(server, arguments)
  local options = parse(split(arguments))
  if not options then
    print(usage())
    return 0
  end
  local handle = server.start(options)
  print_addresses(handle)
  -- Ctrl-C ends the waiting shell, not Lua, which then stops the server in its own time.
  local status = shell.execute(WAIT:format(handle:pid()))
  local log = status == 3 and handle:error_log()
  handle:stop()
  if log then error("the sandbox server ended by itself; its error log:\n" .. log, 0) end
  return 0
end

return M
