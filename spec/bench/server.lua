--- The server of the benchmark: nginx, one worker, sending the recorded answers (see record_answers.lua) from files,
--- compressed beforehand for those who accept it. So its own work is small and the same for every contender.

local nginx_conf = require "zohocrm.sandbox.server.nginx_conf"
local ports = require "zohocrm.sandbox.server.ports"
local shell = require "zohocrm.sandbox.server.shell"

local M = {}

local TEMPLATE = [[
$load_modules
$user
worker_processes 1;
pid $folder/nginx.pid;
error_log $folder/error.log notice;
events { worker_connections 1024; }
http {
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  log_format arrival "$arrived";
  access_log $folder/arrivals.log arrival if=$logged;
  keepalive_timeout 75s;
  keepalive_requests 1000000;
  client_max_body_size 32m;
  client_body_buffer_size 1m;
  sendfile on;
  tcp_nopush on;
  if_modified_since off;
  etag off;
  open_file_cache max=2000;
  open_file_cache_valid 600s;
  types { }
  default_type "application/json;charset=UTF-8";
  init_by_lua_block {
    package.path = "$root/?.lua;" .. package.path
    require("spec.bench.server_answers").load("$answers")
  }
  init_worker_by_lua_block { require("spec.bench.server_answers").watch("$parent") }
  server {
    listen 127.0.0.1:$port;
    location /answers/ {
      internal;
      alias $answers/;
      gzip_static on;
    }
    location ~ "^/(?<records>[0-9]+)-records/(?<latency>[0-9]+)-ms(?<logged>-logged|)/zoho-crm(?<path>/.*)$" {
      set $arrived "";
      content_by_lua_block { require("spec.bench.server_answers").serve() }
    }
  }
}
]]

local function write_file(name, text)
  local file = assert(io.open(name, "w"))
  file:write(text)
  file:close()
end

local function read_file(name)
  local file = io.open(name)
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

---@class bench.Server
---@field url string `http://127.0.0.1:PORT`
local Server = {}
Server.__index = Server

--- Starts it. It stops by `stop`, and by itself when this process has gone.
---@param root string absolute path of the project
---@param answers string absolute path of the recorded answers
---@param folder string absolute path for its logs
---@return bench.Server
function M.start(root, answers, folder)
  local nginx = assert(nginx_conf.find())
  local parent = shell.own_pid()
  local port = ports.choose(1, parent)[1]
  local modules = {}
  for i, file in ipairs(nginx.modules) do modules[i] = ('load_module "%s";'):format(file) end
  local values = {
    load_modules = table.concat(modules, "\n"), folder = folder, answers = answers, root = root, parent = parent,
    port = port, user = select(2, shell.capture("id -u")):match("^0") and "user root root;" or "",
  }
  shell.capture(("rm -rf '%s' && mkdir -p '%s'"):format(folder, folder))
  -- what is not ours is nginx's: $arrived and the like
  write_file(folder .. "/nginx.conf", (TEMPLATE:gsub("%$([%w_]+)", values)))
  local status, output = shell.capture(("'%s' -p '%s/' -c '%s/nginx.conf'"):format(nginx.binary, folder, folder))
  assert(status == 0, output)
  return setmetatable({ url = "http://127.0.0.1:" .. port, folder = folder }, Server)
end

--- When the requests to logged addresses arrived, in seconds, ascending.
---@return number[]
function Server:arrivals()
  local list = {}
  for time in read_file(self.folder .. "/arrivals.log"):gmatch("[%d.]+") do list[#list + 1] = tonumber(time) end
  table.sort(list)
  return list
end

--- Empties the log of arrivals.
function Server:forget_arrivals()
  write_file(self.folder .. "/arrivals.log", "")
end

--- What nginx complained of.
---@return string
function Server:errors()
  local lines = {}
  for line in read_file(self.folder .. "/error.log"):gmatch("[^\n]+") do
    if line:find("%[[ecaw]%a+%]") then lines[#lines + 1] = line end
  end
  return table.concat(lines, "\n")
end

function Server:stop()
  local pid = read_file(self.folder .. "/nginx.pid"):match("%d+")
  if pid then shell.capture("kill -TERM " .. pid) end
end

return M
