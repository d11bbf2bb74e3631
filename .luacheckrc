-- What every Lua from 5.1 to 5.4 and LuaJIT has, and nothing else.
std = "min"
max_line_length = 120
exclude_files = { "build" }

files["lua/zohocrm/sandbox/nginx.lua"] = { globals = { "ngx" } }
-- runs in nginx, which is LuaJIT
files["examples/openresty/leadform"] = { std = "ngx_lua" }
-- one row of a table a line, where that reads best
files["spec"] = { std = "+busted", max_line_length = 160 }
files[".busted"] = { std = "min" }
files["*.rockspec"] = { std = "rockspec" }
files["spec/desktop"] = { std = "+busted", max_line_length = 160 }
files["examples/love"] = { std = "+love", max_line_length = 130 }
