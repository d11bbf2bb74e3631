/* What a frame loop measures of the thread that it runs in:
 *   now()            monotonic seconds
 *   usage()          CPU seconds of the thread, how often it was put off the processor against its will, page faults
 *   sleep_until(at)  sleeps until now() is `at` */
#define _GNU_SOURCE
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <sys/resource.h>
#include <time.h>

static lua_Number seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec * 1e-9;
}

static int l_now(lua_State *L)
{
    lua_pushnumber(L, seconds_of(CLOCK_MONOTONIC));
    return 1;
}

static int l_usage(lua_State *L)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    lua_pushnumber(L, seconds_of(CLOCK_THREAD_CPUTIME_ID));
    lua_pushnumber(L, (lua_Number)usage.ru_nivcsw);
    lua_pushnumber(L, (lua_Number)usage.ru_minflt);
    return 3;
}

static int l_sleep_until(lua_State *L)
{
    lua_Number at = luaL_checknumber(L, 1);
    struct timespec till = {.tv_sec = (time_t)at};
    till.tv_nsec = (long)((at - (lua_Number)till.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &till, NULL) == EINTR)
        continue;
    return 0;
}

int luaopen_bench_thread(lua_State *L);
__attribute__((visibility("default"))) int luaopen_bench_thread(lua_State *L)
{
    static const struct luaL_Reg functions[] = {{"now", l_now}, {"usage", l_usage}, {"sleep_until", l_sleep_until}};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_pushcfunction(L, functions[i].func);
        lua_setfield(L, -2, functions[i].name);
    }
    return 1;
}
