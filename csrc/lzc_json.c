#include "lzc_json.h"

#include "zc_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE "zohocrm.json"
#define DECODE_DEPTH 128
#define ENCODE_DEPTH 64
#define EXACT_MAX 9007199254740992.0 /* 2^53: a whole double below it is what was written */

/* Positions in the state table, which the registry holds. */
enum { SLOT_DECODE = 1, SLOT_ENCODE, SLOT_ARRAY_MT, SLOT_FOREIGN_ARRAY_MT, SLOT_FOREIGN_EMPTY_MT, SLOT_FOREIGN_EMPTY };

/* ---- decoding ----------------------------------------------------------------------------- */

static bool is_null(lua_State *L, int i)
{
    return lua_islightuserdata(L, i) && lua_touserdata(L, i) == NULL; /* lua-cjson's null */
}

/* Replaces, in the table at `table`, nulls by nothing and whole floats by integers. */
static void settle(lua_State *L, int table)
{
    luaL_checkstack(L, 5, "answer nested too deep");
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        if (lua_istable(L, -1)) {
            settle(L, lua_gettop(L));
        } else if (is_null(L, -1)) {
            lua_pushvalue(L, -2);
            lua_pushnil(L);
            lua_rawset(L, table);
        }
#if LUA_VERSION_NUM >= 503
        else if (lua_type(L, -1) == LUA_TNUMBER && !lua_isinteger(L, -1)) {
            lua_Number x = lua_tonumber(L, -1);
            if (x > -EXACT_MAX && x < EXACT_MAX && floor(x) == x) {
                lua_pushvalue(L, -2);
                lua_pushinteger(L, (lua_Integer)x);
                lua_rawset(L, table);
            }
        }
#endif
        lua_pop(L, 1);
    }
}

bool lzc_json_decode(lua_State *L, const char *text, size_t n)
{
    size_t bad = 0;
    luaL_checkstack(L, 4, NULL);
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        n -= 3;
    }
    if (!zc_utf8_valid(text, n, &bad)) {
        lua_pushfstring(L, "it is not UTF-8 (byte %d)", (int)(bad + 1));
        return false;
    }
    int top = lua_gettop(L);
    lua_getfield(L, LUA_REGISTRYINDEX, STATE);
    lua_rawgeti(L, -1, SLOT_DECODE);
    lua_pushlstring(L, text, n);
    int status = lua_pcall(L, 1, 1, 0);
    lua_remove(L, top + 1);
    if (status == LUA_ERRMEM)
        lua_error(L);
    if (status != LUA_OK) {
        const char *why = lua_tostring(L, -1);
        lua_pushfstring(L, "it is not JSON (%s)", why != NULL ? why : "unknown error");
        lua_replace(L, top + 1);
        return false;
    }
    /* the value sits in a table while it is settled, so that a bare null or number is settled too */
    lua_createtable(L, 1, 0);
    lua_insert(L, -2);
    lua_rawseti(L, top + 1, 1);
    settle(L, top + 1);
    lua_rawgeti(L, top + 1, 1);
    lua_remove(L, top + 1);
    return true;
}

/* ---- encoding ----------------------------------------------------------------------------- */

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
    luaL_checkstack(e->L, 8, NULL);
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
    bool id = at->name != NULL && strcmp(at->name, "id") == 0; /* Zoho's ids are strings, always */
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

bool lzc_json_encode(lua_State *L, int index, zc_buf *out)
{
    int top = lua_gettop(L);
    encoder e = {L, out, top + 2, 0};
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

/* core.encode(value): JSON text, or nil and a sentence. */
static int l_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    /* the buffer belongs to a call object, so that an error cannot lose it */
    zc_buf *out = lua_newuserdata(L, sizeof *out);
    memset(out, 0, sizeof *out);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_setmetatable(L, 2);
    if (!lzc_json_encode(L, 1, out)) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushlstring(L, zc_buf_str(out), out->len);
    zc_buf_free(out);
    return 1;
}

static int buffer_gc(lua_State *L)
{
    zc_buf_free(lua_touserdata(L, 1));
    return 0;
}

/* core.decode(text): value, or nil and a sentence (null: nil alone). */
static int l_decode(lua_State *L)
{
    size_t n = 0;
    const char *text = luaL_checklstring(L, 1, &n);
    if (lzc_json_decode(L, text, n))
        return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* Calls a setting of the instance at `codec` if this release has it. */
static void configure(lua_State *L, int codec, const char *name, double number, bool is_number)
{
    lua_getfield(L, codec, name);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    if (is_number)
        lua_pushnumber(L, number);
    else
        lua_pushboolean(L, number != 0);
    lua_call(L, 1, 0);
}

static void fill_state(lua_State *L, int state, int codec)
{
    static const struct {
        int slot;
        const char *name;
    } wanted[] = {
        {SLOT_DECODE, "decode"},
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
    configure(L, codec, "decode_max_depth", DECODE_DEPTH, true);
    configure(L, codec, "decode_invalid_numbers", 0, false);
    lua_createtable(L, 5, 0);
    fill_state(L, codec + 1, codec);
    lua_rawgeti(L, codec + 1, SLOT_ARRAY_MT);
    lua_setfield(L, module, "array_mt");
    lua_setfield(L, LUA_REGISTRYINDEX, STATE);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, module, "null");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, buffer_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcclosure(L, l_encode, 1);
    lua_setfield(L, module, "encode");
    lua_pushcfunction(L, l_decode);
    lua_setfield(L, module, "decode");
    lua_settop(L, module);
}
