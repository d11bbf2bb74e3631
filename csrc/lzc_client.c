/* Userdata of a client. */
#include "lzc.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_GATEWAY "https://gateway.maton.ai/zoho-crm"
#define DEFAULT_CONTROL "https://ctrl.maton.ai"

zc_client *lzc_client_check(lua_State *L, int i)
{
    lzc_client *box = luaL_checkudata(L, i, LZC_CLIENT);
    if (box->client == NULL)
        luaL_error(L, "the client is closed");
    return box->client;
}

/* Whether one of the options is a string that C would see cut short. Gives its name, or NULL. */
static const char *option_with_nul(lua_State *L)
{
    static const char *const names[] = {"api_key", "connection", "gateway_url", "control_url",
                                        "ca_file", "proxy",      "user_agent"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = 0;
        lua_getfield(L, 1, names[i]);
        const char *text = lua_tolstring(L, -1, &n);
        bool cut = text != NULL && strlen(text) != n;
        lua_pop(L, 1);
        if (cut)
            return names[i];
    }
    return NULL;
}

/* A string option, from the table at 1, else the environment, else a default. The string stays on the stack, which
 * keeps it alive. */
static const char *text_option(lua_State *L, const char *name, const char *variable, const char *otherwise)
{
    lua_getfield(L, 1, name);
    const char *text = lua_tostring(L, -1);
    if (text == NULL && variable != NULL)
        text = getenv(variable);
    return text != NULL && text[0] != '\0' ? text : otherwise;
}

static double number_option(lua_State *L, const char *name, double otherwise)
{
    lua_getfield(L, 1, name);
    double number = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : otherwise;
    lua_pop(L, 1);
    return number;
}

/* The same, for a whole number that has to fit where it goes, whoever calls. */
static double whole_option(lua_State *L, const char *name, double otherwise, double most)
{
    return fmin(fmax(number_option(L, name, otherwise), 0), most); /* 0 for nan */
}

/* Positions in the table that hangs on a client: the clock; the addresses, by zc_target. */
enum { ANCHOR_CLOCK = 1, ANCHOR_BASES };

/* The environment that the option `clock` stands for. The client at 2 keeps the clock alive. false: it is no clock. */
static bool clock_option(lua_State *L, zc_env *env)
{
    *env = zc_env_system;
    lua_getfield(L, 1, "clock");
    bool usable = lua_isnil(L, -1) || lzc_clock_env(L, -1, env);
    lua_createtable(L, 3, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, ANCHOR_CLOCK);
    lua_setuservalue(L, 2);
    return usable;
}

/* Keeps the addresses as Lua strings. Who would make a string of the client's own text could find it gone: on LuaJIT
 * making one may run finalizers, one of which closes the client, before the text is read. */
static void keep_bases(lua_State *L, const lzc_client *box)
{
    lua_getuservalue(L, 2);
    for (int target = ZC_GATEWAY; target <= ZC_CONTROL && box->client != NULL; target++) {
        lua_pushstring(L, zc_client_base(box->client, (zc_target)target));
        lua_rawseti(L, -2, ANCHOR_BASES + target);
    }
    lua_pop(L, 1);
}

/* Pushes an address of the client at 1. */
static void push_base(lua_State *L, int target)
{
    lua_getuservalue(L, 1);
    lua_rawgeti(L, -1, ANCHOR_BASES + target);
    lua_remove(L, -2);
}

/* core.client(options) -> client | nil, sentence, option at fault. The options are those of zc_settings, checked by
 * the Lua layer for type and range; the key is read from the environment here, so that it need not pass through Lua. */
int lzc_client_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_checkstack(L, 20, NULL);
    const char *cut = option_with_nul(L);
    if (cut != NULL)
        return lzc_refuse(L, "%s cannot be used: it contains a NUL byte", cut);
    lzc_client *box = lua_newuserdata(L, sizeof *box);
    box->client = NULL;
    box->watch = ZC_WATCH_CLOSED;
    luaL_getmetatable(L, LZC_CLIENT);
    lua_setmetatable(L, 2);

    zc_settings settings = {
        .timeout = number_option(L, "timeout", 60),
        .connect_timeout = number_option(L, "connect_timeout", 10),
        .stall_timeout = number_option(L, "stall_timeout", 30),
        .rate = number_option(L, "rate", 10),
        .max_retry_wait = number_option(L, "max_retry_wait", 60),
        .retries = (unsigned)whole_option(L, "retries", 3, ZC_ATTEMPTS_MAX),
        .concurrency = (unsigned)whole_option(L, "concurrency", 10, 1e6),
        .max_response_bytes = (size_t)whole_option(L, "max_response_bytes", 64.0 * 1024 * 1024, (double)(SIZE_MAX / 2)),
    };
    lua_getfield(L, 1, "offline");
    settings.offline = lua_toboolean(L, -1) != 0;
    lua_getfield(L, 1, "leased");
    settings.leased = lua_toboolean(L, -1) != 0;
    settings.api_key = text_option(L, "api_key", settings.offline ? NULL : "MATON_API_KEY", NULL);
    settings.connection = text_option(L, "connection", NULL, NULL);
    settings.ca_file = text_option(L, "ca_file", NULL, NULL);
    settings.proxy = text_option(L, "proxy", NULL, NULL);
    settings.user_agent = text_option(L, "user_agent", NULL, NULL);
    /* the in-process sandbox has no address: what the environment says of the real one is not for it */
    bool online = !settings.offline;
    settings.gateway_url = text_option(L, "gateway_url", online ? "ZOHOCRM_GATEWAY_URL" : NULL, DEFAULT_GATEWAY);
    settings.control_url = text_option(L, "control_url", online ? "ZOHOCRM_CONTROL_URL" : NULL, DEFAULT_CONTROL);
    if (settings.api_key == NULL && online) {
        lua_pushliteral(L, "api_key");
        lzc_refuse(L, "no API key: set the environment variable MATON_API_KEY, or pass api_key to zohocrm.new "
                      "(get one at https://maton.ai/settings); to try without an account: "
                      "zohocrm.new{ sandbox = true }");
        lua_pushvalue(L, -3);
        return 3;
    }
    zc_env env;
    if (!clock_option(L, &env))
        return lzc_refuse(L, "clock cannot be used: it is none of zohocrm.core's");
    const char *what = "";
    const char *why = "";
    if (lzc_check(L, zc_client_new(&box->client, &settings, &env, &what, &why)) != ZC_OK) {
        lzc_refuse(L, "%s cannot be used: %s", what, why);
        lua_pushstring(L, what);
        return 3;
    }
    keep_bases(L, box);
    lua_settop(L, 2);
    return 1;
}

/* client:poll(seconds) -> number of unfinished calls. Waits at most so long, 0 (default) not at all; with a virtual
 * clock and nothing under way, to the end of the wait. */
static int l_poll(lua_State *L)
{
    zc_client *client = lzc_client_check(L, 1);
    lua_Number seconds = luaL_optnumber(L, 2, 0);
    lua_pushinteger(L, (lua_Integer)zc_client_poll(client, seconds));
    return 1;
}

/* client:fd() -> integer: a descriptor that is readable when client:poll(0) has something to do, or when calls have
 * become ready that client:attend() has not heard of. It stays the same until the userdata is collected, or the process
 * forks. Once the client is closed it is always readable; nil where it was never asked for before. */
static int l_fd(lua_State *L)
{
    lzc_client *box = luaL_checkudata(L, 1, LZC_CLIENT);
    if (box->client != NULL && box->watch.fd < 0 && zc_watch_open(&box->watch) != ZC_OK)
        return luaL_error(L, "nothing can be watched: %s", strerror(errno));
    if (box->client != NULL)
        zc_client_watch(box->client, &box->watch);
    if (box->watch.fd < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, box->watch.fd);
    return 1;
}

/* client:timeout() -> seconds until client:poll(0) has something to do, whatever comes; nil: never. Only known once
 * client:fd was asked for. */
static int l_timeout(lua_State *L)
{
    double seconds = zc_client_timeout(lzc_client_check(L, 1));
    if (seconds < HUGE_VAL)
        lua_pushnumber(L, seconds);
    else
        lua_pushnil(L);
    return 1;
}

/* client:attend() -> boolean: the caller looks at every call that is ready by now; whether any became so since the
 * last time. */
static int l_attend(lua_State *L)
{
    lua_pushboolean(L, zc_client_attend(lzc_client_check(L, 1)));
    return 1;
}

/* client:rouse(): makes the descriptor readable until the next poll. */
static int l_rouse(lua_State *L)
{
    lzc_client *box = luaL_checkudata(L, 1, LZC_CLIENT);
    if (box->client != NULL)
        zc_client_rouse(box->client);
    return 0;
}

/* client:permit(change) -> wanting, permits, left, returned: see zc_client_permit. */
static int l_permit(lua_State *L)
{
    zc_demand demand;
    zc_client_permit(lzc_client_check(L, 1), (long)luaL_checkinteger(L, 2), &demand);
    lua_pushinteger(L, (lua_Integer)demand.wanting);
    lua_pushinteger(L, (lua_Integer)demand.permits);
    lua_pushinteger(L, (lua_Integer)demand.left);
    lua_pushinteger(L, (lua_Integer)demand.returned);
    return 4;
}

/* Sets a field of the table on top, unless the number is negative: unknown. */
static void set_known(lua_State *L, const char *name, double number)
{
    if (number < 0)
        return;
#if LUA_VERSION_NUM >= 503
    if (number == floor(number) && number < 9007199254740992.0)
        lua_pushinteger(L, (lua_Integer)number);
    else
#endif
        lua_pushnumber(L, number); /* LuaJIT has no other, and its lua_Integer may be too short */
    lua_setfield(L, -2, name);
}

/* client:limits() -> table, see `crm:limits` in client.lua. */
static int l_limits(lua_State *L)
{
    static const char *const names[ZC_SIGNALS] = {
        [ZC_CREDITS_REMAINING] = "credits_remaining",
        [ZC_RATELIMIT_LIMIT] = "ratelimit_limit",
        [ZC_RATELIMIT_REMAINING] = "ratelimit_remaining",
        [ZC_RATELIMIT_RESET] = "ratelimit_reset",
    };
    zc_limits limits;
    zc_client_limits(lzc_client_check(L, 1), &limits);
    lua_createtable(L, 0, 8);
    for (size_t i = 0; i < ZC_SIGNALS; i++)
        set_known(L, names[i], limits.signals[i].value);
    if (limits.signals[ZC_CREDITS_REMAINING].value >= 0) {
        lua_pushnumber(L, limits.signals[ZC_CREDITS_REMAINING].at);
        lua_setfield(L, -2, "credits_age");
    }
    set_known(L, "rate", limits.rate > 0 ? limits.rate : -1);
    set_known(L, "concurrency", (double)limits.concurrency);
    set_known(L, "allowed", (double)limits.allowed);
    set_known(L, "in_flight", (double)limits.in_flight);
    set_known(L, "waiting", (double)limits.waiting);
    lua_pushnumber(L, limits.paused_for);
    lua_setfield(L, -2, "paused_for");
    return 1;
}

/* client:key_is(text) -> boolean. */
static int l_key_is(lua_State *L)
{
    zc_client *client = lzc_client_check(L, 1);
    size_t n = 0;
    const char *text = luaL_checklstring(L, 2, &n);
    lua_pushboolean(L, zc_client_key_is(client, text, n));
    return 1;
}

/* client:base("gateway" | "control") -> address without a trailing slash. */
static int l_base(lua_State *L)
{
    static const char *const targets[] = {"gateway", "control", NULL};
    lzc_client_check(L, 1);
    push_base(L, luaL_checkoption(L, 2, NULL, targets));
    return 1;
}

/* client:close(): cancels what is under way, closes the connections, wipes the key. Twice is harmless. */
static int l_close(lua_State *L)
{
    lzc_client *box = luaL_checkudata(L, 1, LZC_CLIENT);
    zc_client *client = box->client;
    box->client = NULL;
    if (client != NULL)
        zc_client_close(client);
    return 0;
}

static int l_gc(lua_State *L)
{
    lzc_client *box = luaL_checkudata(L, 1, LZC_CLIENT);
    l_close(L);
    zc_watch_close(&box->watch);
    return 0;
}

/* client:closed() -> boolean. */
static int l_closed(lua_State *L)
{
    lzc_client *box = luaL_checkudata(L, 1, LZC_CLIENT);
    lua_pushboolean(L, box->client == NULL);
    return 1;
}

static int l_tostring(lua_State *L)
{
    lzc_client *box = luaL_checkudata(L, 1, LZC_CLIENT);
    if (box->client == NULL) {
        lua_pushliteral(L, LZC_CLIENT " (closed)");
    } else {
        push_base(L, ZC_GATEWAY);
        lua_pushfstring(L, LZC_CLIENT " (%s)", lua_tostring(L, -1));
    }
    return 1;
}

void lzc_client_class(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"start", lzc_call_start},
        {"poll", l_poll},
        {"limits", l_limits},
        {"key_is", l_key_is},
        {"base", l_base},
        {"close", l_close},
        {"closed", l_closed},
        {"permit", l_permit},
        {"fd", l_fd},
        {"timeout", l_timeout},
        {"attend", l_attend},
        {"rouse", l_rouse},
        {NULL, NULL},
    };
    lzc_class(L, LZC_CLIENT, methods, l_gc, l_tostring);
}
