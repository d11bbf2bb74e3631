/* The floor for Lua: `bench_fetch.open(key)` gives a handle with `get(url)` and `post(url, json)`, which return the
 * body or nil and what went wrong. */
#include "fetch.h"

#include <lauxlib.h>
#include <lua.h>

#define HANDLE "bench_fetch"

static int push_answer(lua_State *L, const bench_fetch *fetch, const char *failure)
{
    if (failure != NULL) {
        lua_pushnil(L);
        lua_pushstring(L, failure);
        return 2;
    }
    lua_pushlstring(L, fetch->body, fetch->length);
    return 1;
}

static bench_fetch *check_open(lua_State *L)
{
    bench_fetch *fetch = luaL_checkudata(L, 1, HANDLE);
    luaL_argcheck(L, fetch->curl != NULL, 1, "is closed");
    return fetch;
}

static int get(lua_State *L)
{
    bench_fetch *fetch = check_open(L);
    return push_answer(L, fetch, bench_fetch_send(fetch, luaL_checkstring(L, 2), NULL, 0));
}

static int post(lua_State *L)
{
    bench_fetch *fetch = check_open(L);
    size_t length;
    const char *json = luaL_checklstring(L, 3, &length);
    return push_answer(L, fetch, bench_fetch_send(fetch, luaL_checkstring(L, 2), json, length));
}

static int collect(lua_State *L)
{
    bench_fetch_close(luaL_checkudata(L, 1, HANDLE));
    return 0;
}

static int open_handle(lua_State *L)
{
    const char *key = luaL_checkstring(L, 1);
    bench_fetch *fetch = lua_newuserdata(L, sizeof *fetch);
    if (bench_fetch_open(fetch, key) != 0)
        return luaL_error(L, "out of memory");
    luaL_getmetatable(L, HANDLE);
    lua_setmetatable(L, -2);
    return 1;
}

static void add(lua_State *L, const char *name, lua_CFunction function)
{
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
}

int luaopen_bench_fetch(lua_State *L);
__attribute__((visibility("default"))) int luaopen_bench_fetch(lua_State *L)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    luaL_newmetatable(L, HANDLE);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    add(L, "get", get);
    add(L, "post", post);
    add(L, "__gc", collect);
    lua_newtable(L);
    add(L, "open", open_handle);
    return 1;
}
