/* Values of JSON as Lua values: everything but strings, which are in lzc_strings.c. */
#include "lzc_shape.h"
#include "zc_number.h"

#include <math.h>

#define DEPTH_MAX 128
#define EXACT_MAX 9007199254740992.0
#define BATCH LZC_VALUE_BATCH
#define MEMBERS_MAX 512 /* the largest object that is made at its guessed size */

static got read_number(reader *r)
{
    zc_number number;
    const char *end = zc_number_parse(r->p, &number);
    if (end == NULL)
        return lzc_fault(r, "no value");
    r->p = end;
#if LUA_VERSION_NUM >= 503
    if (number.is_integer)
        lua_pushinteger(r->L, (lua_Integer)number.integer);
    else if (number.real > -EXACT_MAX && number.real < EXACT_MAX && floor(number.real) == number.real)
        lua_pushinteger(r->L, (lua_Integer)number.real);
    else
        lua_pushnumber(r->L, number.real);
#else
    lua_pushnumber(r->L, number.is_integer ? (lua_Number)number.integer : number.real);
#endif
    return GOT_VALUE;
}

static got read_literal(reader *r, const char *text, size_t n, int boolean)
{
    if (strncmp(r->p, text, n) != 0)
        return lzc_fault(r, "no value");
    r->p += n;
    if (boolean < 0)
        return GOT_NULL;
    lua_pushboolean(r->L, boolean);
    return GOT_VALUE;
}

static bool deeper(reader *r)
{
    luaL_checkstack(r->L, BATCH + 8, "answer nested too deep");
    return ++r->depth <= DEPTH_MAX;
}

/* The guess rises to the largest object at once and sinks slowly: one large object must not make every later one under
 * the same key as large. */
static void learn_members(slot *owner, unsigned members)
{
    if (members > MEMBERS_MAX)
        members = MEMBERS_MAX;
    if (members > owner->members)
        owner->members = (uint16_t)members;
    else
        owner->members = (uint16_t)(owner->members - (owner->members - members) / 4);
}

/* The members of the object whose table is on top, of which it has some already; r->p is at a name (more) or behind a
 * value. Notes its keys where they are of interest. */
static got read_members(reader *r, slot *owner, track *keys, unsigned members, bool more)
{
    lua_State *L = r->L;
    slot *name = NULL;
    while (more) {
        if (lzc_read_name(r, &name) == GOT_FAULT)
            return GOT_FAULT;
        if (keys != NULL)
            lzc_track_key(r, keys, name);
        skip_blanks(r);
        got value = lzc_read_value(r, name);
        if (value == GOT_FAULT)
            return value;
        if (value == GOT_VALUE) {
            lua_rawset(L, -3);
            members++;
        } else {
            lua_pop(L, 1);
        }
        skip_blanks(r);
        more = *r->p == ',';
        if (more) {
            r->p++;
            skip_blanks(r);
        }
    }
    if (*r->p != '}')
        return lzc_fault(r, "an object without its end");
    r->p++;
    if (owner != NULL) /* the slot may have been given to another key meanwhile: it is a guess in any case */
        learn_members(owner, members);
    if (keys != NULL)
        lzc_track_end(r, keys, members);
    return GOT_VALUE;
}

got lzc_read_object(reader *r, slot *owner, bool is_record)
{
    track keys;
    unsigned members = 0;
    if (!deeper(r))
        return lzc_fault(r, "it is nested too deep");
    r->p++;
    skip_blanks(r);
    bool more = *r->p != '}';
    lzc_track_begin(&keys);
    fit found = is_record && more ? lzc_shape_read(r, &keys, &members, &more) : FIT_NOT;
    if (found == FIT_NOT)
        lua_createtable(r->L, 0, !more ? 0 : owner != NULL ? owner->members : 4);
    if (found == FIT_FAULT ||
        (found != FIT_WHOLE && read_members(r, owner, is_record ? &keys : NULL, members, more) == GOT_FAULT))
        return GOT_FAULT;
    r->depth--;
    return GOT_VALUE;
}

/* Moves `n` values from the top of the stack into the table below them, behind its first `filled` positions. */
static void flush(lua_State *L, int n, int filled)
{
    for (int i = n; i > 0; i--)
        lua_rawseti(L, -1 - i, filled + i);
}

void lzc_mark_array(reader *r)
{
    lua_rawgeti(r->L, r->cache, CACHE_ARRAY_MT);
    lua_setmetatable(r->L, -2);
}

static got read_array(reader *r, slot *owner)
{
    lua_State *L = r->L;
    int waiting = 0;
    int filled = 0;
    bool made = false;
    bool empty = true;
    if (!deeper(r))
        return lzc_fault(r, "it is nested too deep");
    r->p++;
    skip_blanks(r);
    if (*r->p == ']') {
        lua_createtable(L, 0, 0);
        lzc_mark_array(r);
        r->p++;
        r->depth--;
        return GOT_VALUE;
    }
    for (;;) {
        skip_blanks(r);
        got value = lzc_read_value(r, owner);
        if (value == GOT_FAULT)
            return value;
        if (value == GOT_NULL)
            lua_pushnil(L);
        else
            empty = false;
        waiting++;
        skip_blanks(r);
        bool more = *r->p == ',';
        if (!more || waiting == BATCH) {
            if (!made) {
                lua_createtable(L, more ? 4 * BATCH : waiting, 0);
                lua_insert(L, -1 - waiting);
                made = true;
            }
            flush(L, waiting, filled);
            filled += waiting;
            waiting = 0;
        }
        if (!more)
            break;
        r->p++;
    }
    if (*r->p != ']')
        return lzc_fault(r, "an array without its end");
    if (empty)
        lzc_mark_array(r);
    r->p++;
    r->depth--;
    return GOT_VALUE;
}

got lzc_read_value(reader *r, slot *owner)
{
    switch (*r->p) {
    case '"':
        return lzc_read_string(r);
    case '{':
        return lzc_read_object(r, owner, false);
    case '[':
        return read_array(r, owner);
    case 't':
        return read_literal(r, "true", 4, 1);
    case 'f':
        return read_literal(r, "false", 5, 0);
    case 'n':
        return read_literal(r, "null", 4, -1);
    default:
        return read_number(r);
    }
}
