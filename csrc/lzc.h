/* The binding: what its files share, and the differences between Lua 5.1 (as LuaJIT 2.1) and 5.4. */
#ifndef LZC_H
#define LZC_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "lzc_decode.h"
#include "zc_buf.h"
#include "zc_client.h"

#if LUA_VERSION_NUM < 502
#ifndef LUAJIT_VERSION_NUM
#include <luajit.h> /* of the Lua 5.1 family only LuaJIT 2.1 has the functions that are used here */
#endif
#define LUA_OK 0
#define lua_rawlen(L, i) lua_objlen(L, i)
#define lua_setuservalue(L, i) lua_setfenv(L, i)
#define lua_getuservalue(L, i) lua_getfenv(L, i)
#endif
#if LUA_VERSION_NUM < 503
#define lua_isinteger(L, i) 0
#endif

#if LUA_VERSION_NUM >= 503
/* record ids have 63 bits */
_Static_assert(sizeof(lua_Integer) >= 8 && sizeof(lua_Number) >= 8, "zohocrm needs a Lua with integers of 64 bits");
#endif

#define LZC_CLIENT "zohocrm.client"
#define LZC_CALL "zohocrm.call"
#define LZC_PAGER "zohocrm.pager"
#define LZC_CLOCK "zohocrm.clock"

/* Userdata of a client: closed when the pointer is NULL. */
typedef struct lzc_client {
    zc_client *client;
    zc_watch watch; /* opened when it is asked for; it outlives the client, as loops may still have its descriptor */
} lzc_client;

/* Userdata of a call. */
typedef struct lzc_call {
    zc_call *call; /* NULL once taken or closed */
    bool raw;      /* the body is wanted as the bytes that came */
    bool begun;    /* decoding has */
    bool busy;     /* decoding or taking it is under way, or was when an error broke it off */
    bool taken;    /* it was, but records are left to read */
    lzc_decoding decoding;
} lzc_call;

/* Makes a metatable with these methods (hidden from the methods' table: __gc, __close, __tostring,
 * __name, __metatable) unless it exists. Leaves the stack as it was. */
void lzc_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc, lua_CFunction tostring);

/* Raises "not enough memory" for ZC_ENOMEM; returns any other status. */
zc_status lzc_check(lua_State *L, zc_status status);

/* Pushes nil and a message; the number of results. For input that can never be right: the Lua layer
 * raises it at its caller's line. */
int lzc_refuse(lua_State *L, const char *format, ...);

/* lzc_client.c: core.client(options). */
int lzc_client_new(lua_State *L);
/* The open client at stack index i, or raises. */
zc_client *lzc_client_check(lua_State *L, int i);
void lzc_client_class(lua_State *L);

/* Positions in the table that hangs on a call. */
enum { ANCHOR_CLIENT = 1, ANCHOR_HOLD };

/* lzc_answer.c: what an answer that cannot be read looks like. Pushes a string. */
void lzc_push_excerpt(lua_State *L, zc_call *call);

/* lzc_call.c: client:start(spec). */
int lzc_call_start(lua_State *L);
/* The call at stack index 1, or raises: that it was taken; that it is being read, too. */
lzc_call *lzc_call_check(lua_State *L);
lzc_call *lzc_call_check_idle(lua_State *L);

/* lzc_rows.c: call:rows(n) and call:drop_rows(). */
int lzc_call_rows(lua_State *L);
int lzc_call_drop_rows(lua_State *L);
/* For call:take, of a call whose answer is not being decoded yet. Where the answer is a page that can be read in pieces
 * of `n` records: pushes its body with the first of them, and gives true; *left: there are more. */
bool lzc_rows_open(lua_State *L, lzc_call *box, int n, bool *left);

/* lzc_answer.c: call:take(n), call:decode(records) and call:page_end(). */
int lzc_call_take(lua_State *L);
int lzc_call_page_end(lua_State *L);
int lzc_call_decode(lua_State *L);
void lzc_call_class(lua_State *L);

/* lzc_clock.c: core.clock(options). */
int lzc_clock_new(lua_State *L);
/* The environment of the clock at stack index i, which must outlive what uses it; false when it is none. */
bool lzc_clock_env(lua_State *L, int i, zc_env *env);
void lzc_clock_class(lua_State *L);

/* lzc_pager.c: core.pager(kind, per_page, page, token). */
int lzc_pager_new(lua_State *L);
void lzc_pager_class(lua_State *L);

#endif
