#include "lzc_json.h"

#include "zc_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE "zohocrm.json"
#define ENCODE_DEPTH 64
#define PLACE_MAX 6                  /* names in a message */
#define EXACT_MAX 9007199254740992.0 /* 2^53: a whole double below it is what was written */

/* Positions in the state table, which the registry holds. */
enum {
    SLOT_ENCODE = 1,
    SLOT_CACHE,
    SLOT_RECORD_MT,
    SLOT_ARRAY_MT,
    SLOT_FOREIGN_ARRAY_MT,
    SLOT_FOREIGN_EMPTY_MT,
    SLOT_FOREIGN_EMPTY
};

/* ---- decoding ----------------------------------------------------------------------------- */

lzc_progress lzc_json_step(lua_State *L, lzc_decoding *d, int hold, int elements)
{
    int top = lua_gettop(L);
    luaL_checkstack(L, 4, NULL);
    lua_getfield(L, LUA_REGISTRYINDEX, STATE);
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

/* ---- encoding ----------------------------------------------------------------------------- */

static bool is_null(lua_State *L, int i)
{
    return lua_islightuserdata(L, i) && lua_touserdata(L, i) == NULL; /* lua-cjson's null */
}

/* Where we are in the value, for messages: a list that lives on the C stack. */
typedef struct place {
    const struct place *outer;
    const char *name; /* NULL: an index */
    size_t index;
} place;

typedef struct encoder {
    lua_State *L;
    zc_buf *out;
    int state; /* stack index of the state table */
    bool records;
    int depth;
} encoder;

static bool encode_value(encoder *e, int value, const place *at);

static void put(encoder *e, const char *text, size_t n)
{
    if (zc_buf_append(e->out, text, n) != ZC_OK)
        luaL_error(e->L, "not enough memory");
}

static void push_place(lua_State *L, const place *at)
{
    if (at->outer == NULL) {
        lua_pushliteral(L, "the value");
        return;
    }
    luaL_Buffer text;
    const place *chain[ENCODE_DEPTH + 2];
    size_t n = 0;
    for (const place *p = at; p->outer != NULL; p = p->outer)
        chain[n++] = p;
    luaL_buffinit(L, &text);
    for (size_t i = n; i-- > 0;) {
        char index[32];
        if (n - i > PLACE_MAX) { /* a table that contains itself goes on like this */
            luaL_addstring(&text, "...");
            break;
        }
        if (chain[i]->name != NULL) {
            if (i + 1 < n)
                luaL_addchar(&text, '.');
            luaL_addstring(&text, chain[i]->name);
        } else {
            snprintf(index, sizeof index, "[%zu]", chain[i]->index);
            luaL_addstring(&text, index);
        }
    }
    luaL_pushresult(&text);
}

/* Pushes "<place> <what>" and gives false. */
static bool refuse(encoder *e, const place *at, const char *what)
{
    luaL_checkstack(e->L, LUA_MINSTACK, NULL); /* a buffer of Lua 5.1 takes ten or so */
    push_place(e->L, at);
    lua_pushfstring(e->L, "%s %s", lua_tostring(e->L, -1), what);
    lua_remove(e->L, -2);
    return false;
}

/* Whether a string goes out as it stands between quotes. */
static bool is_plain(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\')
            return false;
    }
    return true;
}

static bool encode_string(encoder *e, int value, const place *at)
{
    lua_State *L = e->L;
    size_t n = 0;
    const char *text = lua_tolstring(L, value, &n);
    if (is_plain(text, n)) {
        put(e, "\"", 1);
        put(e, text, n);
        put(e, "\"", 1);
        return true;
    }
    if (!zc_utf8_valid(text, n, NULL))
        return refuse(e, at, "is not UTF-8; convert the text before sending it");
    lua_rawgeti(L, e->state, SLOT_ENCODE);
    lua_pushvalue(L, value);
    lua_call(L, 1, 1);
    text = lua_tolstring(L, -1, &n);
    put(e, text, n);
    lua_pop(L, 1);
    return true;
}

/* Prints a finite double with the fewest digits that read back as the same; any locale's decimal point becomes '.'. */
static void put_double(encoder *e, double x)
{
    char text[64];
    if (floor(x) == x && fabs(x) <= EXACT_MAX) {
        snprintf(text, sizeof text, "%.0f", x);
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, x);
            if (strtod(text, NULL) == x) /* same locale on both sides */
                break;
        }
    }
    bool foreign = false; /* a decimal point may be several bytes */
    for (const char *p = text; *p != '\0'; p++) {
        if (strchr("0123456789+-eE", *p) != NULL) {
            put(e, p, 1);
            foreign = false;
        } else if (!foreign) {
            put(e, ".", 1);
            foreign = true;
        }
    }
}

static bool encode_number(encoder *e, int value, const place *at)
{
    lua_State *L = e->L;
    bool id = e->records && at->name != NULL && strcmp(at->name, "id") == 0;
#if LUA_VERSION_NUM >= 503
    if (lua_isinteger(L, value)) {
        char text[32];
        int n = snprintf(text, sizeof text, id ? "\"%lld\"" : "%lld", (long long)lua_tointeger(L, value));
        put(e, text, (size_t)n);
        return true;
    }
#endif
    double x = lua_tonumber(L, value);
    if (!isfinite(x))
        return refuse(e, at, "is not a number that JSON has (nan or infinity)");
    if (!id) {
        put_double(e, x);
        return true;
    }
    if (floor(x) != x || fabs(x) >= EXACT_MAX)
        return refuse(e, at,
                      "is a number that cannot hold a record id exactly; write the id as a string, "
                      "\"7243485000000597000\"");
    put(e, "\"", 1);
    put_double(e, x);
    put(e, "\"", 1);
    return true;
}

typedef enum shape { SHAPE_OBJECT, SHAPE_ARRAY, SHAPE_MIXED, SHAPE_HOLES } shape;

/* Whether the table carries one of the metatables that mark arrays. */
static bool is_marked(encoder *e, int table)
{
    lua_State *L = e->L;
    bool marked = false;
    if (lua_getmetatable(L, table) == 0)
        return false;
    for (int slot = SLOT_ARRAY_MT; slot <= SLOT_FOREIGN_EMPTY_MT && !marked; slot++) {
        lua_rawgeti(L, e->state, slot);
        marked = lua_rawequal(L, -1, -2) != 0;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return marked;
}

static shape shape_of(encoder *e, int table, size_t *length)
{
    lua_State *L = e->L;
    size_t names = 0;
    size_t positions = 0;
    double highest = 0;
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        lua_pop(L, 1);
        double key = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        if (key >= 1 && floor(key) == key) {
            positions++;
            highest = key > highest ? key : highest;
        } else {
            names++;
        }
    }
    *length = positions;
    bool marked = is_marked(e, table);
    if (names > 0)
        return positions > 0 || marked ? SHAPE_MIXED : SHAPE_OBJECT;
    if (highest > (double)positions)
        return SHAPE_HOLES;
    return positions > 0 || marked ? SHAPE_ARRAY : SHAPE_OBJECT;
}

static bool encode_array(encoder *e, int table, size_t length, const place *at)
{
    lua_State *L = e->L;
    put(e, "[", 1);
    for (size_t i = 1; i <= length; i++) {
        place inner = {at, NULL, i};
        if (i > 1)
            put(e, ",", 1);
        lua_rawgeti(L, table, (int)i);
        if (!encode_value(e, lua_gettop(L), &inner))
            return false;
        lua_pop(L, 1);
    }
    put(e, "]", 1);
    return true;
}

static bool encode_object(encoder *e, int table, const place *at)
{
    lua_State *L = e->L;
    bool first = true;
    put(e, "{", 1);
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        int key = lua_gettop(L) - 1;
        if (lua_type(L, key) != LUA_TSTRING)
            return refuse(e, at, "has a key that is neither a name nor a position from 1");
        place inner = {at, lua_tostring(L, key), 0};
        if (!first)
            put(e, ",", 1);
        first = false;
        if (!encode_string(e, key, &inner))
            return false;
        put(e, ":", 1);
        if (!encode_value(e, key + 1, &inner))
            return false;
        lua_pop(L, 1);
    }
    put(e, "}", 1);
    return true;
}

static bool encode_table(encoder *e, int table, const place *at)
{
    size_t length = 0;
    if (e->depth >= ENCODE_DEPTH)
        return refuse(e, at, "is nested too deep (does a table contain itself?)");
    luaL_checkstack(e->L, 12, "value nested too deep");
    e->depth++;
    bool done = false;
    switch (shape_of(e, table, &length)) {
    case SHAPE_OBJECT:
        done = encode_object(e, table, at);
        break;
    case SHAPE_ARRAY:
        done = encode_array(e, table, length, at);
        break;
    case SHAPE_MIXED:
        done = refuse(e, at, "mixes names with positions; JSON has either an object or an array");
        break;
    case SHAPE_HOLES:
        done = refuse(e, at, "has holes between its positions; use zohocrm.null for an empty element");
        break;
    }
    e->depth--;
    return done;
}

static bool encode_value(encoder *e, int value, const place *at)
{
    lua_State *L = e->L;
    switch (lua_type(L, value)) {
    case LUA_TSTRING:
        return encode_string(e, value, at);
    case LUA_TNUMBER:
        return encode_number(e, value, at);
    case LUA_TBOOLEAN:
        put(e, lua_toboolean(L, value) ? "true" : "false", lua_toboolean(L, value) ? 4 : 5);
        return true;
    case LUA_TTABLE:
        return encode_table(e, value, at);
    case LUA_TLIGHTUSERDATA:
        if (is_null(L, value)) {
            put(e, "null", 4);
            return true;
        }
        lua_rawgeti(L, e->state, SLOT_FOREIGN_EMPTY);
        if (lua_rawequal(L, -1, value) != 0) {
            lua_pop(L, 1);
            put(e, "[]", 2);
            return true;
        }
        lua_pop(L, 1);
        break;
    default:
        break;
    }
    lua_pushfstring(L, "is a %s, which JSON does not have", luaL_typename(L, value));
    return refuse(e, at, lua_tostring(L, -1));
}

bool lzc_json_encode(lua_State *L, int index, bool records, zc_buf *out)
{
    int top = lua_gettop(L);
    encoder e = {.L = L, .out = out, .state = top + 2, .records = records};
    place root = {NULL, NULL, 0};
    luaL_checkstack(L, 12, NULL);
    lua_pushvalue(L, index);
    lua_getfield(L, LUA_REGISTRYINDEX, STATE);
    bool done = encode_value(&e, top + 1, &root);
    if (!done)
        lua_replace(L, top + 1); /* the sentence */
    lua_settop(L, done ? top : top + 1);
    return done;
}

/* ---- the module's face -------------------------------------------------------------------- */

/* core.encode(value, records): JSON text, or nil and a sentence. records: see lzc_json_encode. */
static int l_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    bool records = lua_toboolean(L, 2) != 0;
    lua_settop(L, 1);
    zc_buf *out = &push_pair(L)->document;
    if (!lzc_json_encode(L, 1, records, out)) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushlstring(L, zc_buf_str(out), out->len);
    zc_buf_free(out);
    return 1;
}

static void fill_state(lua_State *L, int state, int codec)
{
    static const struct {
        int slot;
        const char *name;
    } wanted[] = {
        {SLOT_ENCODE, "encode"},
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
    lua_setfield(L, LUA_REGISTRYINDEX, STATE);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, module, "null");
    lua_createtable(L, 0, 1); /* metatable of the buffers */
    lua_pushcfunction(L, pair_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, l_encode, 1);
    lua_setfield(L, module, "encode");
    lua_pushcclosure(L, l_decode, 1);
    lua_setfield(L, module, "decode");
    lua_settop(L, module);
}
