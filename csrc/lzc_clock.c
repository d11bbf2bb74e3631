/* Userdata of a virtual clock: time and chance in the hands of a test. */
#include "lzc.h"

#include <math.h>
#include <string.h>

static zc_virtual *check_clock(lua_State *L)
{
    return luaL_checkudata(L, 1, LZC_CLOCK);
}

bool lzc_clock_env(lua_State *L, int i, zc_env *env)
{
    zc_virtual *clock = lua_touserdata(L, i);
    if (clock == NULL || lua_getmetatable(L, i) == 0)
        return false;
    luaL_getmetatable(L, LZC_CLOCK);
    bool is_clock = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2);
    if (is_clock)
        *env = zc_virtual_env(clock);
    return is_clock;
}

/* core.clock{ date =, random = } -> clock, for the option `clock` of clients whose waits a test wants to see.
 *   date     seconds since the epoch at the start; default 0
 *   random   array of numbers in [0, 1), given out in turn, over and over; default { 0.5 }
 * It stands still but for `advance`, and when a client with nothing under way has to wait: that takes no time, is noted
 * in `waits`, and moves the clock on to where the wait ends. */
int lzc_clock_new(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    zc_virtual *clock = lua_newuserdata(L, sizeof *clock);
    *clock = (zc_virtual){0};
    luaL_getmetatable(L, LZC_CLOCK);
    lua_setmetatable(L, 2);
    lua_getfield(L, 1, "date");
    clock->epoch = luaL_optnumber(L, 3, 0);
    lua_getfield(L, 1, "random");
    int count = lua_istable(L, 4) ? (int)lua_rawlen(L, 4) : 0;
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, 4, i);
        double number = luaL_checknumber(L, 5);
        luaL_argcheck(L, number >= 0 && number < 1, 1, "random has a number outside of [0, 1)");
        lzc_check(L, zc_buf_append(&clock->random, &number, sizeof number));
        lua_settop(L, 4);
    }
    lua_settop(L, 2);
    return 1;
}

/* clock:now() -> seconds since it was made. */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, check_clock(L)->time);
    return 1;
}

/* clock:advance(seconds). */
static int l_advance(lua_State *L)
{
    zc_virtual *clock = check_clock(L);
    double seconds = luaL_checknumber(L, 2);
    luaL_argcheck(L, seconds >= 0 && !isinf(seconds), 2, "a clock goes forward only");
    zc_virtual_advance(clock, seconds);
    return 0;
}

/* clock:waits() -> array of the seconds that were waited, oldest first. */
static int l_waits(lua_State *L)
{
    const zc_virtual *clock = check_clock(L);
    size_t count = clock->waits.len / sizeof(double);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < clock->waits.len / sizeof(double); i++) { /* fewer, if a finalizer has closed it just now */
        double seconds;
        memcpy(&seconds, clock->waits.data + i * sizeof seconds, sizeof seconds);
        lua_pushnumber(L, seconds);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static int l_gc(lua_State *L)
{
    zc_virtual_free(check_clock(L));
    return 0;
}

static int l_tostring(lua_State *L)
{
    lua_pushfstring(L, LZC_CLOCK " (%f s)", check_clock(L)->time);
    return 1;
}

void lzc_clock_class(lua_State *L)
{
    static const luaL_Reg methods[] = {{"now", l_now}, {"advance", l_advance}, {"waits", l_waits}, {NULL, NULL}};
    lzc_class(L, LZC_CLOCK, methods, l_gc, l_tostring);
}
