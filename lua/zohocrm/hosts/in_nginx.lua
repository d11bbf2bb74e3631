--- Whether this is nginx (its Lua module, OpenResty): apart from `zohocrm.hosts.nginx`, which others need not load.

local ngx = rawget(_G, "ngx")

return { serves = type(ngx) == "table" and type(ngx.get_phase) == "function" and type(ngx.timer) == "table" }
