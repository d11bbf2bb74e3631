/* `bench_clock()` gives monotonic seconds, on the clock that Python's time.monotonic and Node's process.hrtime have. */
#define _POSIX_C_SOURCE 200809L
#include <lauxlib.h>
#include <lua.h>
#include <time.h>

static int read_clock(lua_State *L)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec * 1e-9);
    return 1;
}

int luaopen_bench_clock(lua_State *L);
__attribute__((visibility("default"))) int luaopen_bench_clock(lua_State *L)
{
    lua_pushcfunction(L, read_clock);
    return 1;
}
