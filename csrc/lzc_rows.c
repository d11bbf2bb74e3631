/* Reading the records of a page in pieces: who walks a list drops each record soon, so that few are alive at once, and
 * what the collector has to go through stays in the processor's caches. */
#include "lzc.h"
#include "lzc_json.h"
#include "zc_skim.h"

/* Pushes the page's `info`, or nothing and gives false: only where that says whether there are more pages can the end
 * of the page wait. `hold`: stack index of a table to work with. */
static bool push_info(lua_State *L, zc_call *call, int hold)
{
    size_t n = 0;
    const char *text = zc_skim_info(call->reply.data, call->reply.len, &n);
    if (text == NULL)
        return false;
    int top = lua_gettop(L);
    lzc_decoding info;
    lzc_decode_begin(&info, text, n, &call->body);
    lzc_progress progress = lzc_json_step(L, &info, hold, 0);
    lua_settop(L, progress == LZC_PAUSED ? top : top + 1);
    if (progress == LZC_DECODED) {
        lua_getfield(L, top + 1, "more_records");
        bool telling = lua_isboolean(L, -1);
        lua_settop(L, top + 1);
        if (telling)
            return true;
    }
    lua_settop(L, top);
    return false;
}

/* Pushes a sentence where something is wrong with this member of the document. */
static bool push_flaw(lua_State *L, int hold, const char *name)
{
    lua_rawgeti(L, hold, LZC_DECODE_FLAWS);
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, name);
        if (lua_isstring(L, -1)) {
            lua_pushfstring(L, "its %s %s", name, lua_tostring(L, -1));
            return true;
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return false;
}

/* Reads the next records, and all that follows them where these are the last. LZC_PAUSED: an array is pushed, and more
 * will follow. LZC_DECODED: an array is pushed. LZC_FAILED: a sentence is pushed. */
static lzc_progress read_piece(lua_State *L, lzc_call *box, int n, int hold)
{
    int top = lua_gettop(L);
    lzc_progress progress = lzc_json_step(L, &box->decoding, hold, n);
    if (progress != LZC_PAUSED)
        return progress; /* it has failed: it pauses before its end */
    lua_settop(L, top);
    if (!lzc_decode_piece(L, &box->decoding, hold))
        return LZC_PAUSED;
    progress = lzc_json_step(L, &box->decoding, hold, 0);
    if (progress == LZC_DECODED) {
        /* the last one of a name counts, and here the first data was read, and the last info alone */
        if (push_flaw(L, hold, "data") || push_flaw(L, hold, "info"))
            progress = LZC_FAILED;
    }
    if (progress == LZC_FAILED)
        lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return progress;
}

bool lzc_rows_open(lua_State *L, lzc_call *box, int n, bool *left)
{
    zc_call *call = box->call;
    int top = lua_gettop(L);
    if (call->verdict.status != 200)
        return false;
    luaL_checkstack(L, 6, NULL);
    lzc_check(L, zc_buf_pad(&call->reply, LZC_DECODE_PAD));
    zc_buf_clear(&call->body); /* the request is over: its buffer is ours to use */
    lua_createtable(L, 0, 2);
    lua_createtable(L, LZC_DECODE_HOLD, 0);
    if (!push_info(L, call, top + 2)) {
        lua_settop(L, top);
        return false;
    }
    lua_setfield(L, top + 1, "info");
    lua_createtable(L, LZC_DECODE_HOLD, 0); /* what is wrong in info is none of the page's business */
    lua_replace(L, top + 2);
    lzc_decode_begin(&box->decoding, call->reply.data, call->reply.len, &call->body);
    box->decoding.piece = n;
    lzc_progress progress = read_piece(L, box, n, top + 2);
    if (progress == LZC_FAILED) {
        lua_settop(L, top);
        return false;
    }
    lua_setfield(L, top + 1, "data");
    *left = progress == LZC_PAUSED;
    if (*left) {
        lua_getuservalue(L, 1);
        lua_pushvalue(L, top + 2);
        lua_rawseti(L, -2, ANCHOR_HOLD);
        lua_pop(L, 1);
    }
    lua_settop(L, top + 1);
    return true;
}

/* Lets go of what was read. */
static void finish(lua_State *L, lzc_call *box)
{
    zc_call *call = box->call;
    lua_getuservalue(L, 1);
    lua_pushnil(L);
    lua_rawseti(L, -2, ANCHOR_HOLD);
    lua_pop(L, 1);
    box->call = NULL;
    zc_call_free(call);
}

/* call:rows(n) -> the next records of an answer that has some `left`, an array of at most n; nothing where all were
 * read. Or nil, problem, excerpt, as call:take gives them, where the rest of the answer cannot be read. */
int lzc_call_rows(lua_State *L)
{
    lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    lua_Number n = luaL_checknumber(L, 2);
    luaL_argcheck(L, n >= 1 && n <= 1e6, 2, "not a number of records");
    lua_settop(L, 1);
    if (!box->taken || box->busy)
        return luaL_error(L,
                          "there are no records to read in pieces, or they are being read, or an error broke that off");
    if (box->call == NULL)
        return 0;
    box->busy = true;
    lua_getuservalue(L, 1);
    lua_rawgeti(L, 2, ANCHOR_HOLD);
    lua_replace(L, 2);
    box->decoding.piece = (int)n;
    lzc_progress progress = read_piece(L, box, (int)n, 2);
    if (progress == LZC_FAILED) {
        lua_pushnil(L);
        lua_insert(L, 3);
        lzc_push_excerpt(L, box->call);
    }
    if (progress != LZC_PAUSED)
        finish(L, box);
    box->busy = false;
    return progress == LZC_FAILED ? 3 : 1;
}

/* call:drop_rows(): frees the records that are left, which cannot be read then. */
int lzc_call_drop_rows(lua_State *L)
{
    lzc_call *box = luaL_checkudata(L, 1, LZC_CALL);
    if (!box->taken || box->busy)
        return 0;
    if (box->call != NULL)
        finish(L, box);
    box->taken = false;
    return 0;
}
