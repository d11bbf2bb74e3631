/* Taking a finished call as a Lua answer. */
#include "lzc.h"
#include "lzc_json.h"
#include "zc_skim.h"
#include "zc_text.h"

#include <string.h>

#define EXCERPT_MAX 120

/* Sets field `name` of the table on top: the headers of an answer, names in lower case, repeated ones joined by ", ".
 */
static void set_headers(lua_State *L, const char *block)
{
    lua_newtable(L);
    for (const char *line = block; *line != '\0';) {
        const char *end = strchr(line, '\n');
        size_t n = end != NULL ? (size_t)(end - line) : strlen(line);
        const char *colon = memchr(line, ':', n);
        bool folded = *line == ' ' || *line == '\t'; /* obsolete; its name would be a blank */
        if (colon != NULL && colon > line && !folded) {
            luaL_Buffer name;
            luaL_buffinit(L, &name);
            for (const char *p = line; p < colon; p++)
                luaL_addchar(&name, (char)(*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p));
            luaL_pushresult(&name);
            const char *value = colon + 1;
            const char *stop = line + n;
            while (value < stop && (*value == ' ' || *value == '\t'))
                value++;
            while (stop > value && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
                stop--;
            lua_pushlstring(L, value, (size_t)(stop - value));
            lua_pushvalue(L, -2);
            lua_rawget(L, -4);
            if (lua_isnil(L, -1)) {
                lua_pop(L, 1);
            } else {
                lua_pushliteral(L, ", ");
                lua_pushvalue(L, -3);
                lua_concat(L, 3);
                lua_remove(L, -2);
            }
            lua_rawset(L, -3);
        }
        line = end != NULL ? end + 1 : line + n;
    }
    lua_setfield(L, -2, "headers");
}

static const char *failure_name(zc_failure failure)
{
    switch (failure) {
    case ZC_FAIL_NETWORK:
        return "network";
    case ZC_FAIL_TIMEOUT:
        return "timeout";
    case ZC_FAIL_PROTOCOL:
        return "protocol";
    case ZC_FAIL_TOO_LARGE:
        return "too_large";
    case ZC_FAIL_CANCELLED:
        return "cancelled";
    case ZC_FAIL_NONE:
    case ZC_FAIL_MEMORY:
        break;
    }
    return NULL;
}

static const char *limit_name(zc_limit limit)
{
    switch (limit) {
    case ZC_LIMIT_CONNECT:
        return "connect";
    case ZC_LIMIT_STALL:
        return "stall";
    case ZC_LIMIT_ATTEMPT:
        return "attempt";
    case ZC_LIMIT_DEADLINE:
        return "deadline";
    case ZC_LIMIT_NONE:
        break;
    }
    return NULL;
}

/* Sets fields of the table on top: what failed and, of a timeout, which. */
static void set_failure(lua_State *L, zc_failure failure, zc_limit limit)
{
    lua_pushstring(L, failure_name(failure));
    lua_setfield(L, -2, "failure");
    lua_pushstring(L, limit_name(limit)); /* nil for NULL */
    lua_setfield(L, -2, "timeout");
}

static void set_log(lua_State *L, const zc_call *call)
{
    lua_createtable(L, (int)call->attempts, 0);
    for (unsigned i = 0; i < call->attempts && i < ZC_ATTEMPTS_MAX; i++) {
        const zc_attempt *attempt = &call->log[i];
        lua_createtable(L, 0, 3);
        if (attempt->failure == ZC_FAIL_NONE) {
            lua_pushinteger(L, (lua_Integer)attempt->status);
            lua_setfield(L, -2, "status");
        } else {
            set_failure(L, attempt->failure, attempt->limit);
        }
        lua_pushnumber(L, attempt->seconds);
        lua_setfield(L, -2, "seconds");
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "log");
}

void lzc_push_excerpt(lua_State *L, zc_call *call)
{
    zc_buf_clear(&call->body);
    lzc_check(L, zc_excerpt(&call->body, zc_buf_str(&call->reply), call->reply.len, EXCERPT_MAX));
    lua_pushlstring(L, zc_buf_str(&call->body), call->body.len);
}

/* Decodes on, at most `elements` records (0: all). Pushes what lzc_decode_step does. The unfinished value waits in the
 * table that hangs on the call. */
static lzc_progress decode_on(lua_State *L, lzc_call *box, int elements)
{
    zc_call *call = box->call;
    int top = lua_gettop(L);
    lua_getuservalue(L, 1);
    lua_rawgeti(L, -1, ANCHOR_HOLD);
    if (!box->begun) {
        lua_pop(L, 1);
        lua_createtable(L, LZC_DECODE_HOLD, 0);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, ANCHOR_HOLD);
        lzc_check(L, zc_buf_pad(&call->reply, LZC_DECODE_PAD));
        zc_buf_clear(&call->body); /* the request is over: its buffer is ours to use */
        lzc_decode_begin(&box->decoding, call->reply.data, call->reply.len, &call->body);
        box->begun = true;
    }
    lzc_progress progress = lzc_json_step(L, &box->decoding, top + 2, elements);
    if (progress != LZC_PAUSED)
        lua_replace(L, top + 1);
    lua_settop(L, progress == LZC_PAUSED ? top : top + 1);
    return progress;
}

/* What is taken is the caller's alone: a call is an object with a finalizer, and what hangs on such an object outlives
 * it by a whole round of the collector, page after page. */
static void drop_hold(lua_State *L, const lzc_call *box)
{
    if (!box->begun)
        return;
    lua_getuservalue(L, 1);
    lua_pushnil(L);
    lua_rawseti(L, -2, ANCHOR_HOLD);
    lua_pop(L, 1);
}

/* Tells, in the table on top, what is wrong with members of a decoded answer. */
static void set_flaws(lua_State *L)
{
    lua_getuservalue(L, 1);
    lua_rawgeti(L, -1, ANCHOR_HOLD);
    lua_rawgeti(L, -1, LZC_DECODE_FLAWS);
    lua_setfield(L, -4, "flaws");
    lua_pop(L, 2);
}

/* `piece`: records at once, where it can be read in pieces; 0: whole. Gives whether records are left. */
static bool set_body(lua_State *L, lzc_call *box, int piece)
{
    zc_call *call = box->call;
    bool left = false;
    if (call->reply.len == 0)
        return false;
    if (piece > 0 && !box->raw && !box->begun && lzc_rows_open(L, box, piece, &left)) {
        lua_setfield(L, -2, "body");
        if (left) {
            lua_pushboolean(L, 1);
            lua_setfield(L, -2, "left");
        }
    } else if (box->raw) {
        lua_pushlstring(L, call->reply.data, call->reply.len);
        lua_setfield(L, -2, "body");
    } else if (decode_on(L, box, 0) == LZC_DECODED) {
        lua_setfield(L, -2, "body");
        set_flaws(L);
    } else {
        lua_setfield(L, -2, "problem");
        lzc_push_excerpt(L, call);
        lua_setfield(L, -2, "excerpt");
    }
    return left;
}

/* call:decode(records) -> boolean: decompresses the answer of a ready call, or decodes at most so many records of it,
 * ahead of call:take, so that a host can spread the work; whether nothing is left to do. */
int lzc_call_decode(lua_State *L)
{
    lzc_call *box = lzc_call_check_idle(L);
    lua_Number records = luaL_checknumber(L, 2);
    luaL_argcheck(L, records >= 1 && records <= 1e9, 2, "not a number of records");
    lua_settop(L, 1);
    if (box->call->state == ZC_DONE && box->call->packed) {
        zc_call_unpack(box->call);
        lua_pushboolean(L, false);
        return 1;
    }
    bool readable = box->call->state == ZC_DONE && box->call->verdict.failure == ZC_FAIL_NONE;
    box->busy = true;
    bool left = readable && !box->raw && box->call->reply.len > 0 && decode_on(L, box, (int)records) == LZC_PAUSED;
    box->busy = false;
    lua_pushboolean(L, !left);
    return 1;
}

/* call:page_end() -> the id of the last record in a ready answer, and whether more are said to follow, before anything
 * is decoded; nothing where there is no such thing. Only what call:take gives is certain. */
int lzc_call_page_end(lua_State *L)
{
    lzc_call *box = lzc_call_check_idle(L);
    zc_call *call = box->call;
    if (call->state == ZC_DONE)
        zc_call_unpack(call);
    if (call->state != ZC_DONE || call->verdict.failure != ZC_FAIL_NONE || call->verdict.status != 200 ||
        call->reply.len == 0)
        return 0;
    zc_page_end end = zc_skim_page(call->reply.data, call->reply.len);
    if (end.id == NULL)
        return 0;
    lua_pushlstring(L, end.id, end.id_len);
    lua_pushboolean(L, end.more);
    return 2;
}

/* call:take(n) -> the answer, once:
 *   status, headers, body          when the server answered; body is absent when it was empty
 *   flaws                          what is wrong with members of body, where anything is: name -> "is there twice", or
 *                                  "has an element that is no object" (null, say) of an array
 *   problem, excerpt               instead of body when it could not be decoded
 *   left                           where n was given, and body is a page whose `data` holds the first n records only:
 *                                  call:rows reads the others
 *   failure, message               instead of all these when no answer came ("network", "timeout", …)
 *   timeout                        of the failure "timeout": "connect", "stall", "attempt" or "deadline"
 *   sent                           bytes of the last attempt may have reached the server
 *   uncertain                      the server may have acted on an earlier attempt
 *   repeatable                     see client:start
 *   transient                      a later attempt may fare better
 *   retry_after                    seconds, when the server said so
 *   attempts, log                  how many, and each one's status or failure, and seconds */
int lzc_call_take(lua_State *L)
{
    lzc_call *box = lzc_call_check_idle(L);
    zc_call *call = box->call;
    if (call->state != ZC_DONE)
        return luaL_error(L, "the call is not ready yet");
    lua_Number piece = luaL_optnumber(L, 2, 0);
    luaL_argcheck(L, piece >= 0 && piece <= 1e6, 2, "not a number of records");
    const zc_verdict *verdict = &call->verdict;
    bool left = false;
    zc_call_unpack(call);
    if (verdict->failure == ZC_FAIL_MEMORY)
        return luaL_error(L, "not enough memory");
    box->busy = true;
    lua_settop(L, 1);
    lua_createtable(L, 0, 12);
    if (verdict->failure == ZC_FAIL_NONE) {
        lua_pushinteger(L, (lua_Integer)verdict->status);
        lua_setfield(L, 2, "status");
        set_headers(L, zc_buf_str(&call->head));
        left = set_body(L, box, (int)piece);
    } else {
        set_failure(L, verdict->failure, verdict->limit);
        lua_pushstring(L, call->message);
        lua_setfield(L, 2, "message");
    }
    if (verdict->retry_after >= 0) {
        lua_pushnumber(L, verdict->retry_after);
        lua_setfield(L, 2, "retry_after");
    }
    lua_pushboolean(L, verdict->sent);
    lua_setfield(L, 2, "sent");
    lua_pushboolean(L, call->uncertain);
    lua_setfield(L, 2, "uncertain");
    lua_pushboolean(L, call->repeatable);
    lua_setfield(L, 2, "repeatable");
    lua_pushboolean(L, verdict->transient);
    lua_setfield(L, 2, "transient");
    lua_pushinteger(L, (lua_Integer)call->attempts);
    lua_setfield(L, 2, "attempts");
    set_log(L, call);
    if (left) {
        box->taken = true;
        box->busy = false;
        return 1;
    }
    drop_hold(L, box);
    box->call = NULL;
    zc_call_free(call);
    return 1;
}
