/* Lua values as JSON. Strings that need escapes are lua-cjson's; the rest is written here, so that a mistake names its
 * place and arrays are told from objects. */
#include "lzc_json.h"

#include "zc_text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u
#define ENCODE_DEPTH 64
#define PLACE_MAX 6                  /* names in a message */
#define EXACT_MAX 9007199254740992.0 /* 2^53: a whole double below it is what was written */

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

/* Where n bytes can be written, which zc_buf_grown then counts in. */
static char *room(encoder *e, size_t n)
{
    if (zc_buf_room(e->out, n) != ZC_OK)
        luaL_error(e->L, "not enough memory");
    return e->out->data + e->out->len;
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

/* The bit 0x80 of some byte is set where a byte of w is below c, as long as c is at most 0x80. */
static uint64_t below(uint64_t w, unsigned char c)
{
    return (w - ONES * c) & ~w & HIGHS;
}

/* Whether a string goes out as it stands between quotes, if it is UTF-8. Eight bytes at a time. */
static bool is_plain(const char *text, size_t n, bool *ascii)
{
    for (; n >= sizeof(uint64_t); text += sizeof(uint64_t), n -= sizeof(uint64_t)) {
        uint64_t w;
        memcpy(&w, text, sizeof w);
        uint64_t special = below(w, 0x20) | below(w ^ (ONES * '"'), 1) | below(w ^ (ONES * '\\'), 1);
        if ((special | below(w ^ (ONES * 0x7F), 1)) != 0)
            return false;
        *ascii = *ascii && (w & HIGHS) == 0;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7F || c == '"' || c == '\\')
            return false;
        *ascii = *ascii && c < 0x80;
    }
    return true;
}

/* Replaces the string on top by its JSON. An encoder of lua-cjson has one buffer, so that none may be called while it
 * is at work: its allocations let finalizers run, which may encode, too, and then get one of their own. */
static void escape(encoder *e)
{
    lua_State *L = e->L;
    lua_rawgeti(L, e->state, SLOT_ENCODE);
    bool free_one = lua_isfunction(L, -1);
    if (free_one) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, e->state, SLOT_ENCODE);
    } else {
        lua_rawgeti(L, e->state, SLOT_NEW);
        lua_call(L, 0, 1);
        lua_getfield(L, -1, "encode");
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
    lua_pushvalue(L, -1);
    lua_pushvalue(L, -3);
    lua_call(L, 1, 1);
    lua_replace(L, -3);
    if (free_one)
        lua_rawseti(L, e->state, SLOT_ENCODE);
    else
        lua_pop(L, 1);
}

static bool encode_string(encoder *e, int value, const place *at)
{
    lua_State *L = e->L;
    size_t n = 0;
    bool ascii = true;
    const char *text = lua_tolstring(L, value, &n);
    bool plain = is_plain(text, n, &ascii);
    if (!(plain && ascii) && !zc_utf8_valid(text, n, NULL))
        return refuse(e, at, "is not UTF-8; convert the text before sending it");
    if (plain) {
        char *out = room(e, n + 2);
        out[0] = '"';
        memcpy(out + 1, text, n);
        out[n + 1] = '"';
        zc_buf_grown(e->out, n + 2);
        return true;
    }
    lua_pushvalue(L, value);
    escape(e);
    text = lua_tolstring(L, -1, &n);
    put(e, text, n);
    lua_pop(L, 1);
    return true;
}

static void put_whole(encoder *e, long long value)
{
    char text[24];
    char *p = text + sizeof text;
    unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        *--p = '-';
    put(e, p, (size_t)(text + sizeof text - p));
}

/* Prints a finite double with the fewest digits that read back as the same; any locale's decimal point becomes '.'. */
static void put_double(encoder *e, double x)
{
    char text[64];
    if (floor(x) == x && fabs(x) <= EXACT_MAX && !(x == 0 && signbit(x))) {
        put_whole(e, (long long)x);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) /* same locale on both sides */
            break;
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
        put(e, "\"", id ? 1 : 0);
        put_whole(e, (long long)lua_tointeger(L, value));
        put(e, "\"", id ? 1 : 0);
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

/* Whether it is likely to be an object: then one look at its members is enough. */
static bool begins_with_name(encoder *e, int table)
{
    lua_State *L = e->L;
    lua_pushnil(L);
    if (lua_next(L, table) == 0)
        return false;
    bool name = lua_type(L, -2) == LUA_TSTRING;
    lua_pop(L, 2);
    return name && !is_marked(e, table);
}

static bool refuse_mixed(encoder *e, const place *at)
{
    return refuse(e, at, "mixes names with positions; JSON has either an object or an array");
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
        if (lua_type(L, key) != LUA_TSTRING) {
            size_t length = 0;
            return shape_of(e, table, &length) == SHAPE_MIXED
                       ? refuse_mixed(e, at)
                       : refuse(e, at, "has a key that is neither a name nor a position from 1");
        }
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
    switch (begins_with_name(e, table) ? SHAPE_OBJECT : shape_of(e, table, &length)) {
    case SHAPE_OBJECT:
        done = encode_object(e, table, at);
        break;
    case SHAPE_ARRAY:
        done = encode_array(e, table, length, at);
        break;
    case SHAPE_MIXED:
        done = refuse_mixed(e, at);
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
    lua_getfield(L, LUA_REGISTRYINDEX, LZC_JSON_STATE);
    bool done = encode_value(&e, top + 1, &root);
    if (!done)
        lua_replace(L, top + 1); /* the sentence */
    lua_settop(L, done ? top : top + 1);
    return done;
}
