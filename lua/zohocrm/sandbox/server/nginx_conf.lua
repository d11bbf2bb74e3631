--- Where nginx and its Lua module are, and the configuration the sandbox runs with.
-- @module zohocrm.sandbox.server.nginx_conf

local shell = require("zohocrm.sandbox.server.shell")

local M = {}

local FIND_BINARY = [[
command -v nginx || command -v openresty && exit
for file in /usr/sbin/nginx /usr/local/sbin/nginx /usr/local/nginx/sbin/nginx \
    /usr/local/openresty/nginx/sbin/nginx /opt/openresty/nginx/sbin/nginx /opt/homebrew/bin/nginx; do
  if [ -x "$file" ]; then echo "$file"; exit; fi
done
exit 1
]]

-- In load order: the Lua module needs the development kit.
local MODULES = { "ndk_http_module.so", "ngx_http_lua_module.so" }
local MODULE_FOLDERS = {
  "/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/lib/nginx/modules",
  "/usr/local/nginx/modules", "/usr/share/nginx/modules", "/etc/nginx/modules",
}

local REMEDY = "; on Debian: apt-get install nginx libnginx-mod-http-lua openssl"

local function readable(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

-- The module files to load; {} where they are built in, as in OpenResty; nil where there are none.
local function find_modules(build)
  local folders = { build:match("%-%-modules%-path=(%S+)") }
  for _, folder in ipairs(MODULE_FOLDERS) do folders[#folders + 1] = folder end
  for _, folder in ipairs(folders) do
    local files = {}
    for _, name in ipairs(MODULES) do
      if readable(folder .. "/" .. name) then files[#files + 1] = folder .. "/" .. name end
    end
    if #files == #MODULES then return files end
  end
  if build:find("%-%-add%-module=%S*lua") then return {} end
  return nil
end

--- Finds nginx with its Lua module, and openssl.
---@return { binary: string, modules: string[], version: integer }? found version as 1022001 for 1.22.1
---@return string? message what is missing and how to get it
function M.find()
  local status, binary = shell.capture(FIND_BINARY)
  if status ~= 0 then return nil, "the sandbox server needs nginx, which was not found" .. REMEDY end
  binary = binary:match("[^\n]+")
  if shell.capture("command -v openssl") ~= 0 then
    return nil, "the sandbox server needs the openssl command, which was not found" .. REMEDY
  end
  local _, build = shell.capture(shell.quote(binary) .. " -V")
  local major, minor, patch = build:match("version: %S-/(%d+)%.(%d+)%.(%d+)")
  local modules = find_modules(build)
  if not major or not modules then
    return nil, ("the sandbox server needs nginx's Lua module, which %s does not have%s"):format(binary, REMEDY)
  end
  return { binary = binary, modules = modules, version = major * 1000000 + minor * 1000 + patch }
end

local function quoted(text)
  return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

-- `master_process` stays on: with it nginx answers what it has begun before it stops.
-- `ignore_invalid_headers off` and the large buffers: the engine is to see what the client sent, not nginx's view.
-- `lingering_timeout`: an idle client would hold up the end by five seconds otherwise.
-- The location answers every path, as `serve` reads the undecoded one.
local TEMPLATE = [[
$load_modules
$user
daemon on;
worker_processes 1;
worker_shutdown_timeout 5s;
pid $folder/nginx.pid;
error_log $folder/error.log notice;
events { worker_connections 1024; }
http {
  access_log off;
  server_tokens off;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  init_by_lua_file $folder/boot.lua;
  init_worker_by_lua_block { require("zohocrm.sandbox.nginx").start_worker() }
  keepalive_timeout $keepalive_timeout;
  keepalive_requests 1000000;
  lingering_timeout 100ms;
  client_max_body_size 32m;
  client_body_buffer_size 1m;
  large_client_header_buffers 8 64k;
  ignore_invalid_headers off;
  underscores_in_headers on;
  merge_slashes off;
  gzip $gzip;
  gzip_types application/json;
  gzip_min_length 256;
  gzip_comp_level 1;
  server {
    listen 127.0.0.1:$port;
    listen 127.0.0.1:$tls_port ssl$http2_listen;
    $http2_directive
    ssl_certificate $folder/server.pem;
    ssl_certificate_key $folder/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:1m;
    default_type application/json;
    location / { content_by_lua_block { require("zohocrm.sandbox.nginx").serve() } }
  }
}
]]

--- The text of nginx.conf.
---@param nginx table what `find` gave
---@param settings table `folder`, `port`, `tls_port`, `gzip` (boolean), `keepalive_timeout` (seconds), `root` (boolean)
---@return string
function M.text(nginx, settings)
  local load_modules = {}
  for i, file in ipairs(nginx.modules) do load_modules[i] = "load_module " .. quoted(file) .. ";" end
  local own_directive = nginx.version >= 1025001 -- since then `listen … http2` is deprecated
  local values = {
    load_modules = table.concat(load_modules, "\n"),
    -- started by root, nginx would run its worker as another user, who may not read the caller's files
    user = settings.root and "user root root;" or "",
    port = tostring(settings.port),
    tls_port = tostring(settings.tls_port),
    http2_listen = own_directive and "" or " http2",
    http2_directive = own_directive and "http2 on;" or "",
    gzip = settings.gzip and "on" or "off",
    keepalive_timeout = ("%dms"):format(math.floor(settings.keepalive_timeout * 1000)),
  }
  local text = TEMPLATE:gsub("$folder(/[%w_.]+)", function(name) return quoted(settings.folder .. name) end)
  return (text:gsub("$([%w_]+)", values))
end

return M
