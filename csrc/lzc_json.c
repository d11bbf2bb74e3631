#include "lzc_json.h"

#include <string.h>

#define KEPT_MAX 65536 /* bytes of memory that stay with the encoder */

/* ---- decoding ----------------------------------------------------------------------------- */

lzc_progress lzc_json_step(lua_State *L, lzc_decoding *d, int hold, int elements)
{
    int top = lua_gettop(L);
    luaL_checkstack(L, 4, NULL);
    lua_getfield(L, LUA_REGISTRYINDEX, LZC_JSON_STATE);
    lua_rawgeti(L, -1, SLOT_CACHE);
    lzc_progress progress = lzc_decode_step(L, d, top + 2, hold, elements);
    if (progress == LZC_PAUSED)
        lua_settop(L, top);
    else
        lua_replace(L, top + 1);
    lua_settop(L, progress == LZC_PAUSED ? top : top + 1);
    return progress;
}

/* Two buffers that an error cannot lose. */
typedef struct text_pair {
    zc_buf document;
    zc_buf scratch;
    bool busy;
} text_pair;

static int pair_gc(lua_State *L)
{
    text_pair *pair = lua_touserdata(L, 1);
    zc_buf_free(&pair->document);
    zc_buf_free(&pair->scratch);
    return 0;
}

/* Pushes a pair; the metatable is the calling function's first upvalue. */
static text_pair *push_pair(lua_State *L)
{
    text_pair *pair = lua_newuserdata(L, sizeof *pair);
    memset(pair, 0, sizeof *pair);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_setmetatable(L, -2);
    return pair;
}

/* core.decode(text): value, or nil and a sentence (null: nil alone). */
static int l_decode(lua_State *L)
{
    size_t n = 0;
    const char *text = luaL_checklstring(L, 1, &n);
    lua_settop(L, 1);
    text_pair *pair = push_pair(L);
    lzc_check(L, zc_buf_append(&pair->document, text, n));
    lzc_check(L, zc_buf_pad(&pair->document, LZC_DECODE_PAD));
    lua_newtable(L);
    lzc_decoding d;
    lzc_decode_begin(&d, pair->document.data, n, &pair->scratch);
    lzc_progress progress = lzc_json_step(L, &d, 3, 0);
    zc_buf_free(&pair->document);
    zc_buf_free(&pair->scratch);
    if (progress == LZC_DECODED)
        return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* ---- the module's face -------------------------------------------------------------------- */

/* core.encode(value, records): JSON text, or nil and a sentence. records: see lzc_json_encode. Upvalues: the metatable
 * of pairs, and the pair for all calls but those that a finalizer makes while another one is under way. */
static int l_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    bool records = lua_toboolean(L, 2) != 0;
    lua_settop(L, 1);
    text_pair *pair = lua_touserdata(L, lua_upvalueindex(2));
    if (pair->busy)
        pair = push_pair(L);
    zc_buf *out = &pair->document;
    pair->busy = true; /* for good where memory runs out */
    zc_buf_clear(out);
    bool done = lzc_json_encode(L, 1, records, out);
    if (done) {
        lua_pushlstring(L, zc_buf_str(out), out->len);
    } else {
        lua_pushnil(L);
        lua_insert(L, -2);
    }
    if (out->cap > KEPT_MAX)
        zc_buf_free(out);
    pair->busy = false;
    return done ? 1 : 2;
}

static void fill_state(lua_State *L, int state, int codec)
{
    static const struct {
        int slot;
        const char *name;
    } wanted[] = {
        {SLOT_ENCODE, "encode"},
        {SLOT_NEW, "new"},
        {SLOT_FOREIGN_ARRAY_MT, "array_mt"},
        {SLOT_FOREIGN_EMPTY_MT, "empty_array_mt"},
        {SLOT_FOREIGN_EMPTY, "empty_array"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        lua_getfield(L, codec, wanted[i].name);
        if (lua_isnil(L, -1)) { /* absent from this release: nothing equals false */
            lua_pop(L, 1);
            lua_pushboolean(L, 0);
        }
        lua_rawseti(L, state, wanted[i].slot);
    }
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "zohocrm.array");
    lua_setfield(L, -2, "__name");
    lua_createtable(L, 0, 4);
    lzc_decode_open(L, lua_gettop(L) - 1, lua_gettop(L));
    lua_rawseti(L, state, SLOT_CACHE);
    lua_rawseti(L, state, SLOT_RECORD_MT);
    lua_rawseti(L, state, SLOT_ARRAY_MT);
}

void lzc_json_open(lua_State *L)
{
    int module = lua_gettop(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cjson");
    lua_call(L, 1, 1);
    lua_getfield(L, module + 1, "new");
    lua_call(L, 0, 1);
    int codec = module + 2;
    lua_createtable(L, SLOT_FOREIGN_EMPTY, 0);
    fill_state(L, codec + 1, codec);
    lua_rawgeti(L, codec + 1, SLOT_ARRAY_MT);
    lua_setfield(L, module, "array_mt");
    lua_rawgeti(L, codec + 1, SLOT_RECORD_MT);
    lua_setfield(L, module, "record_mt");
    lua_setfield(L, LUA_REGISTRYINDEX, LZC_JSON_STATE);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, module, "null");
    lua_createtable(L, 0, 1); /* metatable of the buffers */
    lua_pushcfunction(L, pair_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, l_decode, 1);
    lua_setfield(L, module, "decode");
    memset(lua_newuserdata(L, sizeof(text_pair)), 0, sizeof(text_pair));
    lua_pushvalue(L, -2);
    lua_setmetatable(L, -2);
    lua_pushcclosure(L, l_encode, 2);
    lua_setfield(L, module, "encode");
    lua_settop(L, module);
}
