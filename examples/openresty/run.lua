-- A lead form and a dashboard inside nginx, on http://127.0.0.1:8080/ until Ctrl-C:
--
--     make example-openresty        or, with the library installed:   luajit examples/openresty/run.lua [PORT]
--
-- With MATON_API_KEY set the leads go into your own account; without, into a sandbox started for it.

local nginx_conf = require "zohocrm.sandbox.server.nginx_conf"
local sandbox_server = require "zohocrm.sandbox.server"
local shell = require "zohocrm.sandbox.server.shell"

local port = tonumber(arg[1] or 8080) or error("the argument is a port, such as 8080", 0)

local function output(command)
  local status, text = shell.capture(command)
  assert(status == 0, text)
  return text:match("[^\n]*")
end

local function absolute(path)
  return (path:gsub("[^;]+", function(template)
    return template:sub(1, 1) == "/" and template or output "pwd" .. "/" .. template:gsub("^%./", "")
  end))
end

local function write_conf(folder)
  local found = assert(nginx_conf.find())
  local modules = {}
  for i, file in ipairs(found.modules) do
    modules[i] = ('load_module "%s";'):format(file)
  end
  local here = absolute(arg[0]:match("^(.*)/[^/]*$") or ".")
  local values = {
    modules = table.concat(modules, "\n"), folder = folder, here = here, port = tostring(port), error_log = "stderr",
    user = output "id -u" == "0" and "user root root;" or "", -- so that the workers can read what root can
    lua_path = absolute(package.path), lua_cpath = absolute(package.cpath),
  }
  local template = assert(io.open(here .. "/nginx.conf"))
  local conf = assert(io.open(folder .. "/nginx.conf", "w"))
  conf:write((template:read("*a"):gsub("@([%w_]+)@", values)))
  template:close()
  conf:close()
  return found.binary
end

local environment, sandbox = "", nil
if (os.getenv "MATON_API_KEY" or "") == "" then
  sandbox = sandbox_server.start()
  for _, pair in ipairs(sandbox:environment()) do
    environment = ("%s %s=%s"):format(environment, pair[1], shell.quote(pair[2]))
  end
end

local folder = output "umask 077; mktemp -d"
local binary = write_conf(folder)
print(("Lead form:  http://127.0.0.1:%d/\nDashboard:  http://127.0.0.1:%d/pipeline\nLeads go into %s. Ctrl-C ends it.")
  :format(port, port, sandbox and "the sandbox, " .. sandbox.gateway_url or "your account"))
io.stdout:flush()
local status = shell.execute(("exec env %s %s -p %s/ -c %s/nginx.conf"):format(environment, shell.quote(binary),
  shell.quote(folder), shell.quote(folder)))
shell.capture("rm -rf " .. shell.quote(folder))
if sandbox then
  sandbox:stop()
end
os.exit(status)
