/* zohocrm.core: the one door between Lua and the C core. */
#define _POSIX_C_SOURCE 200809L
#include "lzc.h"
#include "lzc_json.h"
#include "zc_number.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

void lzc_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc, lua_CFunction tostring)
{
    /* filled also when it is there already: an earlier try may have run out of memory half-way */
    luaL_newmetatable(L, name);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__close");
    lua_pushcfunction(L, tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

zc_status lzc_check(lua_State *L, zc_status status)
{
    if (status == ZC_ENOMEM)
        luaL_error(L, "not enough memory");
    return status;
}

int lzc_refuse(lua_State *L, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    lua_pushnil(L);
    lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    return 2;
}

/* core.now() -> seconds of a clock that only ever goes on. */
static int l_now(lua_State *L)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
    return 1;
}

/* Above what glibc's malloc keeps in lists of chunks of one size. */
#define LARGE 2000

/* core.gather_freed(): lets the system's malloc gather what was freed. glibc's does so when it is asked for a large
 * chunk, all at once: after a piece of the collector's work that takes little, after many of them milliseconds. */
static int l_gather_freed(lua_State *L)
{
    (void)L;
    void *volatile chunk = malloc(LARGE);
    free(chunk);
    return 0;
}

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    zc_number_open();
}

#ifdef __GNUC__
#define LZC_EXPORT __attribute__((visibility("default")))
#else
#define LZC_EXPORT
#endif

LZC_EXPORT int luaopen_zohocrm_core(lua_State *L);

LZC_EXPORT int luaopen_zohocrm_core(lua_State *L)
{
    /* never undone: other users of libcurl in this process share the count, and the module stays
     * mapped (-z nodelete) */
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, global_init);
    lzc_client_class(L);
    lzc_call_class(L);
    lzc_pager_class(L);
    lzc_clock_class(L);
    lua_createtable(L, 0, 8);
    lua_pushcfunction(L, lzc_client_new);
    lua_setfield(L, -2, "client");
    lua_pushcfunction(L, lzc_pager_new);
    lua_setfield(L, -2, "pager");
    lua_pushcfunction(L, lzc_clock_new);
    lua_setfield(L, -2, "clock");
    lua_pushcfunction(L, l_gather_freed);
    lua_setfield(L, -2, "gather_freed");
    lua_pushcfunction(L, l_now);
    lua_setfield(L, -2, "now");
    lua_pushstring(L, curl_version_info(CURLVERSION_NOW)->version);
    lua_setfield(L, -2, "libcurl_version");
    lzc_json_open(L);
    return 1;
}
