#include "lua_target.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int luaopen_zohocrm_core(lua_State *L);

static lua_State *open_state(const char *path)
{
    static const char prepare[] = "package.path = './?.lua;lua/?.lua;lua/?/init.lua;' .. package.path";
    lua_State *L = luaL_newstate();
    MUST(L != NULL);
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_zohocrm_core);
    lua_setfield(L, -2, "zohocrm.core");
    lua_settop(L, 0);
    if (luaL_dostring(L, prepare) != 0 || luaL_loadfile(L, path) != 0 || lua_pcall(L, 0, 1, 0) != 0) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        exit(1);
    }
    return L;
}

void check_by_lua(const char *path, const uint8_t *data, size_t n)
{
    static lua_State *L;
    if (L == NULL)
        L = open_state(path);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, (const char *)data, n);
    if (lua_pcall(L, 1, 0, 0) != 0) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        abort();
    }
}
