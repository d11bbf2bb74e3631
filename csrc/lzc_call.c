/* Userdata of a call: built from a Lua description, taken as a Lua answer. */
#include "lzc.h"
#include "lzc_json.h"
#include "zc_text.h"
#include "zc_url.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define EXCERPT_MAX 120

/* Positions in the table that hangs on a call. */
enum { ANCHOR_CLIENT = 1, ANCHOR_HOLD };

/* Headers that are the client's own, and the ones by which a request could be split. */
static const char *const reserved_headers[] = {
    "Authorization",   "Host",       "Content-Length",     "Transfer-Encoding",
    "Accept-Encoding", "Connection", "Proxy-Authorization"};

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};

static lzc_call *check_call(lua_State *L)
{
    lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    if (box->call == NULL)
        luaL_error(L, "the call was taken already");
    return box;
}

/* The call, for a function that works on its answer. Such a function allocates, so that the collector may run anybody's
 * finalizers meanwhile: these must not find the answer half taken. Nor may who comes after an error. */
static lzc_call *check_idle(lua_State *L)
{
    lzc_call *box = check_call(L);
    if (box->busy)
        luaL_error(L, "the call is being taken, or an error broke that off");
    return box;
}

/* ---- start -------------------------------------------------------------------------------- */

/* Each of these reads one field of the description at stack index 2 into the call. They give 0, or the
 * number of results of lzc_refuse. */

static int read_path(lua_State *L, zc_call *call)
{
    size_t n = 0;
    lua_getfield(L, 2, "path");
    if (lua_type(L, -1) == LUA_TSTRING) {
        const char *path = lua_tolstring(L, -1, &n);
        if (lzc_check(L, zc_url_path(&call->url, path, n)) == ZC_OK)
            return 0;
        return lzc_refuse(L,
                          "path '%s' cannot be used: it must start with '/', have no '.' or '..' pieces, and no '?' or "
                          "'#' (parameters go into query)",
                          path);
    }
    if (!lua_istable(L, -1))
        return lzc_refuse(L, "path must be a string such as '/crm/v8/org' or an array of its pieces, not a %s",
                          luaL_typename(L, -1));
    int pieces = (int)lua_rawlen(L, -1);
    for (int i = 1; i <= pieces; i++) {
        lua_rawgeti(L, -1, i);
        if (lua_type(L, -1) != LUA_TSTRING)
            return lzc_refuse(L, "piece %d of the path is a %s, not a string", i, luaL_typename(L, -1));
        const char *piece = lua_tolstring(L, -1, &n);
        if (lzc_check(L, zc_url_segment(&call->url, piece, n)) != ZC_OK)
            return lzc_refuse(L, "'%s' cannot be a piece of a path (an id or a module name is missing)", piece);
        lua_pop(L, 1);
    }
    return 0;
}

/* query: a flat array of name, value, name, value, all strings. */
static int read_query(lua_State *L, zc_call *call)
{
    lua_getfield(L, 2, "query");
    if (lua_isnil(L, -1))
        return 0;
    luaL_checktype(L, -1, LUA_TTABLE);
    int list = lua_gettop(L);
    for (int i = 1; i < (int)lua_rawlen(L, list); i += 2) {
        size_t name_len = 0;
        size_t value_len = 0;
        lua_rawgeti(L, list, i);
        lua_rawgeti(L, list, i + 1);
        const char *name = luaL_checklstring(L, -2, &name_len);
        const char *value = luaL_checklstring(L, -1, &value_len);
        lzc_check(L, zc_url_query(&call->url, &call->query_count, name, name_len, value, value_len));
        lua_pop(L, 2);
    }
    return 0;
}

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof reserved_headers / sizeof *reserved_headers; i++)
        if (strcasecmp(name, reserved_headers[i]) == 0)
            return true;
    return false;
}

static int read_header(lua_State *L, zc_call *call)
{
    size_t name_len = 0;
    size_t value_len = 0;
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
        return lzc_refuse(L, "headers must map names to strings");
    const char *name = lua_tolstring(L, -2, &name_len);
    const char *value = lua_tolstring(L, -1, &value_len);
    if (!zc_header_name_valid(name, name_len))
        return lzc_refuse(L, "'%s' is not a header name", name);
    if (is_reserved(name))
        return lzc_refuse(L, "header '%s' is the client's own and cannot be set", name);
    if (!zc_header_value_valid(value, value_len))
        return lzc_refuse(L, "header '%s' has a value with a line break or another control character", name);
    lzc_check(L, zc_call_header(call, name, value));
    return 0;
}

static int read_headers(lua_State *L, zc_call *call)
{
    lua_getfield(L, 2, "headers");
    if (lua_isnil(L, -1))
        return 0;
    luaL_checktype(L, -1, LUA_TTABLE);
    int map = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, map) != 0) {
        int refused = read_header(L, call);
        if (refused != 0)
            return refused;
        lua_pop(L, 1);
    }
    return 0;
}

static int read_body(lua_State *L, zc_call *call)
{
    size_t n = 0;
    lua_getfield(L, 2, "json");
    const char *json = lua_tolstring(L, -1, &n);
    if (json != NULL) {
        call->has_body = true;
        lzc_check(L, zc_buf_append(&call->body, json, n));
        return 0;
    }
    lua_getfield(L, 2, "body");
    if (lua_isnil(L, -1))
        return 0;
    call->has_body = true;
    if (lzc_json_encode(L, lua_gettop(L), false, &call->body))
        return 0;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

static void read_numbers(lua_State *L, zc_call *call)
{
    lua_getfield(L, 2, "timeout");
    if (lua_isnumber(L, -1))
        call->timeout = lua_tonumber(L, -1);
    lua_getfield(L, 2, "stall_timeout");
    if (lua_isnumber(L, -1))
        call->stall_timeout = lua_tonumber(L, -1);
    lua_getfield(L, 2, "deadline");
    if (lua_isnumber(L, -1))
        call->deadline = lua_tonumber(L, -1);
    lua_getfield(L, 2, "retries");
    if (lua_isnumber(L, -1))
        call->retries = (unsigned)lua_tonumber(L, -1);
    lua_getfield(L, 2, "repeatable");
    if (lua_isboolean(L, -1))
        call->repeatable = lua_toboolean(L, -1) != 0;
    lua_pop(L, 5);
}

/* client:start(description) -> call | nil, sentence. The description:
 *   target      "gateway" (default) or "control"
 *   method      "GET" (default), "POST", "PUT", "PATCH", "DELETE"
 *   path        array of pieces, each encoded as one segment, or a string as it goes over the wire
 *   query       flat array of name, value, … (strings)
 *   headers     map of strings
 *   body        value to encode as JSON
 *   json        or a body that was encoded before
 *   raw         true: the body of the answer is wanted as a string
 *   timeout, stall_timeout, deadline (seconds), retries: else the client's
 *   repeatable  doing it twice is the same as doing it once: it is sent again also when its answer was lost; default:
 *               for GET */
int lzc_call_start(lua_State *L)
{
    static const char *const targets[] = {"gateway", "control", NULL};
    lzc_client_check(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_getfield(L, 2, "method");
    int method = luaL_checkoption(L, 3, "GET", methods);
    lua_getfield(L, 2, "target");
    int target = luaL_checkoption(L, 4, "gateway", targets);

    lzc_call *box = lua_newuserdata(L, sizeof *box);
    memset(box, 0, sizeof *box);
    luaL_getmetatable(L, LZC_CALL);
    lua_setmetatable(L, 5);
    lua_createtable(L, 2, 0); /* the call keeps its client alive */
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, ANCHOR_CLIENT);
    lua_setuservalue(L, 5);
    lua_getfield(L, 2, "raw");
    box->raw = lua_toboolean(L, -1) != 0;

    zc_client *client = lzc_client_check(L, 1); /* once more: a finalizer may have closed it */
    zc_call *call = box->call = zc_call_new(client, (zc_method)method);
    if (call == NULL)
        return luaL_error(L, "not enough memory");
    lzc_check(L, zc_call_target(call, (zc_target)target));
    static int (*const readers[])(lua_State *, zc_call *) = {read_path, read_query, read_headers, read_body};
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        lua_settop(L, 5);
        int refused = readers[i](L, call);
        if (refused != 0)
            return refused;
    }
    read_numbers(L, call);
    if (lzc_check(L, zc_client_start(client, call)) != ZC_OK)
        return luaL_error(L, "the client is closed");
    lua_settop(L, 5);
    return 1;
}

/* ---- take --------------------------------------------------------------------------------- */

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

static void set_excerpt(lua_State *L, zc_call *call)
{
    zc_buf_clear(&call->body);
    lzc_check(L, zc_excerpt(&call->body, zc_buf_str(&call->reply), call->reply.len, EXCERPT_MAX));
    lua_pushlstring(L, zc_buf_str(&call->body), call->body.len);
    lua_setfield(L, -2, "excerpt");
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

static void set_body(lua_State *L, lzc_call *box)
{
    zc_call *call = box->call;
    if (call->reply.len == 0)
        return;
    if (box->raw) {
        lua_pushlstring(L, call->reply.data, call->reply.len);
        lua_setfield(L, -2, "body");
    } else if (decode_on(L, box, 0) == LZC_DECODED) {
        lua_setfield(L, -2, "body");
    } else {
        lua_setfield(L, -2, "problem");
        set_excerpt(L, call);
    }
}

/* call:decode(records) -> boolean: decodes at most so many records of a ready call ahead of call:take, so that a host
 * can spread the work; whether nothing is left to decode. */
static int l_decode(lua_State *L)
{
    lzc_call *box = check_idle(L);
    lua_Number records = luaL_checknumber(L, 2);
    luaL_argcheck(L, records >= 1 && records <= 1e9, 2, "not a number of records");
    lua_settop(L, 1);
    bool readable = box->call->state == ZC_DONE && box->call->verdict.failure == ZC_FAIL_NONE;
    box->busy = true;
    bool left = readable && !box->raw && box->call->reply.len > 0 && decode_on(L, box, (int)records) == LZC_PAUSED;
    box->busy = false;
    lua_pushboolean(L, !left);
    return 1;
}

/* call:take() -> the answer, once:
 *   status, headers, body          when the server answered; body is absent when it was empty
 *   problem, excerpt               instead of body when it could not be decoded
 *   failure, message               instead of all these when no answer came ("network", "timeout", …)
 *   timeout                        of the failure "timeout": "connect", "stall", "attempt" or "deadline"
 *   sent                           bytes of the last attempt may have reached the server
 *   uncertain                      the server may have acted on an earlier attempt
 *   repeatable                     see client:start
 *   transient                      a later attempt may fare better
 *   retry_after                    seconds, when the server said so
 *   attempts, log                  how many, and each one's status or failure, and seconds */
static int l_take(lua_State *L)
{
    lzc_call *box = check_idle(L);
    zc_call *call = box->call;
    if (call->state != ZC_DONE)
        return luaL_error(L, "the call is not ready yet");
    const zc_verdict *verdict = &call->verdict;
    if (verdict->failure == ZC_FAIL_MEMORY)
        return luaL_error(L, "not enough memory");
    box->busy = true;
    lua_settop(L, 1);
    lua_createtable(L, 0, 12);
    if (verdict->failure == ZC_FAIL_NONE) {
        lua_pushinteger(L, (lua_Integer)verdict->status);
        lua_setfield(L, 2, "status");
        set_headers(L, zc_buf_str(&call->head));
        set_body(L, box);
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
    box->call = NULL;
    zc_call_free(call);
    return 1;
}

/* ---- the rest ----------------------------------------------------------------------------- */

/* call:ready() -> boolean: whether there is nothing to wait for; also true once it was taken. */
static int l_ready(lua_State *L)
{
    const lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    lua_pushboolean(L, box->call == NULL || box->call->state == ZC_DONE);
    return 1;
}

/* call:parked() -> boolean: whether an offline client's call waits for call:answer. */
static int l_parked(lua_State *L)
{
    const lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    lua_pushboolean(L, box->call != NULL && box->call->state == ZC_PARKED);
    return 1;
}

/* call:sent() -> boolean: the server may have acted on some attempt. false: nothing has happened. */
static int l_sent(lua_State *L)
{
    lua_pushboolean(L, zc_call_may_have_happened(check_call(L)->call));
    return 1;
}

/* call:cancel(): the call ends with the failure "cancelled" unless it is done. */
static int l_cancel(lua_State *L)
{
    lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    if (box->call != NULL)
        zc_call_cancel(box->call, "the call was cancelled");
    return 0;
}

/* call:request() -> { method=, url=, headers=, body= }: what an offline client would have sent. */
static int l_request(lua_State *L)
{
    zc_call *call = check_call(L)->call;
    lua_createtable(L, 0, 4);
    lua_pushstring(L, methods[call->method]);
    lua_setfield(L, -2, "method");
    lua_pushlstring(L, zc_buf_str(&call->url), call->url.len);
    lua_setfield(L, -2, "url");
    if (call->has_body) {
        lua_pushlstring(L, zc_buf_str(&call->body), call->body.len);
        lua_setfield(L, -2, "body");
    }
    lua_newtable(L);
    for (struct curl_slist *node = call->headers; node != NULL; node = node->next) {
        const char *colon = strchr(node->data, ':');
        size_t n = colon != NULL ? (size_t)(colon - node->data) : strcspn(node->data, ";");
        lua_pushlstring(L, node->data, n);
        lua_pushstring(L, colon != NULL ? colon + 2 : "");
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "headers");
    return 1;
}

/* call:answer(status, head, body): answers the call of an offline client. head: "Name: value\r\n" lines. */
static int l_answer(lua_State *L)
{
    zc_call *call = check_call(L)->call;
    size_t head_len = 0;
    size_t body_len = 0;
    lua_Number status = luaL_checknumber(L, 2);
    const char *head = luaL_checklstring(L, 3, &head_len);
    const char *body = luaL_checklstring(L, 4, &body_len);
    if (lzc_check(L, zc_call_answer(call, (long)status, head, head_len, body, body_len)) != ZC_OK)
        return luaL_error(L, "the call does not wait for an answer");
    return 0;
}

static int l_gc(lua_State *L)
{
    lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    zc_call *call = box->call;
    box->call = NULL;
    if (call != NULL)
        zc_call_free(call);
    return 0;
}

static int l_tostring(lua_State *L)
{
    static const char *const states[] = {"new", "waiting", "sending", "parked", "done"};
    lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    lua_pushfstring(L, LZC_CALL " (%s)", box->call == NULL ? "taken" : states[box->call->state]);
    return 1;
}

void lzc_call_class(lua_State *L)
{
    static const luaL_Reg list[] = {
        {"ready", l_ready},   {"sent", l_sent},       {"parked", l_parked}, {"decode", l_decode}, {"take", l_take},
        {"cancel", l_cancel}, {"request", l_request}, {"answer", l_answer}, {NULL, NULL},
    };
    lzc_class(L, LZC_CALL, list, l_gc, l_tostring);
}
