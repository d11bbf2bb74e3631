/* Userdata of a call: built from a Lua description, taken as a Lua answer. */
#include "lzc.h"
#include "lzc_json.h"
#include "zc_text.h"
#include "zc_url.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* Headers that are the client's own, and the ones by which a request could be split. */
static const char *const reserved_headers[] = {
    "Authorization",   "Host",       "Content-Length",     "Transfer-Encoding",
    "Accept-Encoding", "Connection", "Proxy-Authorization"};

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};

lzc_call *lzc_call_check(lua_State *L)
{
    lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    if (box->call == NULL || box->taken)
        luaL_error(L, "the call was taken already");
    return box;
}

/* The call, for a function that works on its answer. Such a function allocates, so that the collector may run anybody's
 * finalizers meanwhile: these must not find the answer half taken. Nor may who comes after an error. */
lzc_call *lzc_call_check_idle(lua_State *L)
{
    lzc_call *box = lzc_call_check(L);
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
        call->retries = (unsigned)fmin(fmax(lua_tonumber(L, -1), 0), ZC_ATTEMPTS_MAX);
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

/* call:packed() -> boolean: it is ready, and the next call:decode decompresses it. */
static int l_packed(lua_State *L)
{
    const zc_call *call = lzc_call_check(L)->call;
    lua_pushboolean(L, call->state == ZC_DONE && call->packed);
    return 1;
}

/* call:sent() -> boolean: the server may have acted on some attempt. false: nothing has happened. */
static int l_sent(lua_State *L)
{
    lua_pushboolean(L, zc_call_may_have_happened(lzc_call_check(L)->call));
    return 1;
}

/* call:request() -> { method=, url=, headers=, body= }: what an offline client would have sent. */
static int l_request(lua_State *L)
{
    lzc_call *box = lzc_call_check(L);
    zc_call *call = box->call;
    bool busy = box->busy;
    box->busy = true; /* nobody's finalizer may answer, take and so free it meanwhile */
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
    box->busy = busy;
    return 1;
}

/* call:answer(status, head, body): answers the call of an offline client. head: "Name: value\r\n" lines. */
static int l_answer(lua_State *L)
{
    zc_call *call = lzc_call_check(L)->call;
    size_t head_len = 0;
    size_t body_len = 0;
    lua_Number status = luaL_checknumber(L, 2);
    const char *head = luaL_checklstring(L, 3, &head_len);
    const char *body = luaL_checklstring(L, 4, &body_len);
    luaL_argcheck(L, status >= 0 && status <= 999, 2, "not a status");
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

/* call:cancel(): the call ends with the failure "cancelled" unless it is done. */
static int l_cancel(lua_State *L)
{
    lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    if (box->call != NULL)
        zc_call_cancel(box->call, "the call was cancelled");
    return 0;
}

/* A to-be-closed variable in a finalizer may hold a call that is being taken just then: that stays. */
static int l_close(lua_State *L)
{
    const lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    return box->busy ? 0 : l_gc(L);
}

static int l_tostring(lua_State *L)
{
    static const char *const states[] = {"new", "waiting", "sending", "parked", "done"};
    lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    lua_pushfstring(L, LZC_CALL " (%s)", box->call == NULL || box->taken ? "taken" : states[box->call->state]);
    return 1;
}

void lzc_call_class(lua_State *L)
{
    static const luaL_Reg list[] = {
        {"ready", l_ready},
        {"sent", l_sent},
        {"parked", l_parked},
        {"packed", l_packed},
        {"decode", lzc_call_decode},
        {"take", lzc_call_take},
        {"rows", lzc_call_rows},
        {"drop_rows", lzc_call_drop_rows},
        {"cancel", l_cancel},
        {"request", l_request},
        {"answer", l_answer},
        {"page_end", lzc_call_page_end},
        {NULL, NULL},
    };
    lzc_class(L, LZC_CALL, list, l_gc, l_tostring);
    luaL_getmetatable(L, LZC_CALL);
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
}
