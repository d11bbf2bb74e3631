/* Documents of JSON, straight from the received bytes to Lua values, in steps between the elements of an array. */
#include "lzc_shape.h"
#include "zc_text.h"

#include <limits.h>
#include <string.h>

#define NO_RECORD "record" /* the fault that has a sentence of its own */
#define BYTES_PER_GUESS 16 /* guesses at the sizes of arrays take no more than a position for so many bytes of text */

/* Positions in the table `hold`. */
enum { HOLD_ROOT = 1, HOLD_KEY, HOLD_ARRAY, HOLD_FLAWS = LZC_DECODE_FLAWS };

enum { PHASE_START, PHASE_FIRST_KEY, PHASE_KEY, PHASE_ELEMENT, PHASE_AFTER_VALUE, PHASE_DONE };

void lzc_decode_open(lua_State *L, int array_mt, int record_mt)
{
    lua_createtable(L, CACHE_SHAPES + 2 * SHAPES, 0);
    lua_pushvalue(L, array_mt);
    lua_rawseti(L, -2, CACHE_ARRAY_MT);
    lua_pushvalue(L, record_mt);
    lua_rawseti(L, -2, CACHE_RECORD_MT);
    memset(lua_newuserdata(L, sizeof(cache)), 0, sizeof(cache));
    lua_rawseti(L, -2, CACHE_SLOTS);
}

void lzc_decode_begin(lzc_decoding *d, const char *text, size_t n, zc_buf *scratch)
{
    *d = (lzc_decoding){.start = text, .p = text, .end = text + n, .scratch = scratch, .phase = PHASE_START};
    d->allowance = n / BYTES_PER_GUESS + 4;
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        d->p += 3;
}

/* The first element tells how many may follow: records of a list are of much the same size. A document of many small
 * arrays could make every one a large table, if it were not for what is left of the document's allowance. */
static int expected_elements(const reader *r, const char *first)
{
    size_t one = (size_t)(r->p - first) + 1;
    size_t all = (size_t)(r->d->end - first) / one + 1;
    size_t expected = all > 10000 ? 10000 : all;
    if (r->d->piece > 0 && expected > (size_t)r->d->piece)
        expected = (size_t)r->d->piece;
    if (expected > r->d->allowance)
        expected = r->d->allowance;
    r->d->allowance -= expected;
    return (int)expected;
}

/* An element of the array that is under way. */
static got read_element(reader *r, slot *owner)
{
    lzc_decoding *d = r->d;
    const char *first = r->p;
    if (*first == '{') {
        got value = lzc_read_object(r, owner, true);
        if (value == GOT_FAULT)
            return value;
        lua_rawgeti(r->L, r->cache, CACHE_RECORD_MT);
        lua_setmetatable(r->L, -2);
        return value;
    }
    got value = lzc_read_value(r, owner);
    if (value != GOT_FAULT && d->piece > 0) { /* what is no JSON is called that */
        r->p = first;
        return lzc_fault(r, NO_RECORD);
    }
    d->mixed = true;
    return value;
}

/* Keeps what is wrong with a member of the document. key: stack index. */
static void note_flaw(lua_State *L, int hold, int key, const char *flaw)
{
    lua_rawgeti(L, hold, HOLD_FLAWS);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, hold, HOLD_FLAWS);
    }
    lua_pushvalue(L, key);
    lua_pushstring(L, flaw);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* Sets a member of the document, whose key and value (nil for null) are on top, and pops them. The last one of a name
 * that is not null counts. */
static void set_member(lua_State *L, int hold, bool mixed)
{
    int key = lua_gettop(L) - 1;
    lua_rawgeti(L, hold, HOLD_ROOT);
    lua_pushvalue(L, key);
    lua_rawget(L, -2);
    bool twice = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (twice)
        note_flaw(L, hold, key, "is there twice");
    else if (mixed)
        note_flaw(L, hold, key, "has an element that is no object");
    if (lua_isnil(L, key + 1)) {
        lua_pop(L, 3);
        return;
    }
    lua_insert(L, key);
    lua_rawset(L, key);
    lua_pop(L, 1);
}

/* One element of the array in hold[HOLD_ARRAY], or its end. */
static got step_element(reader *r, int hold)
{
    lua_State *L = r->L;
    lzc_decoding *d = r->d;
    const char *first = r->p;
    slot *owner = d->owner < SLOTS ? &r->slots[d->owner] : NULL;
    got value = read_element(r, owner);
    if (value == GOT_FAULT)
        return value;
    if (d->count == 0) {
        lua_createtable(L, expected_elements(r, first), 0);
        lua_rawseti(L, hold, HOLD_ARRAY);
    }
    d->count++;
    if (value == GOT_VALUE) {
        lua_rawgeti(L, hold, HOLD_ARRAY);
        lua_insert(L, -2);
        lua_rawseti(L, -2, d->count);
        lua_pop(L, 1);
        d->empty = false;
    }
    skip_blanks(r);
    if (*r->p == ',') {
        r->p++;
        skip_blanks(r);
        return GOT_VALUE;
    }
    if (*r->p != ']')
        return lzc_fault(r, "an array without its end");
    r->p++;
    d->phase = PHASE_AFTER_VALUE;
    if (d->piece > 0)
        return GOT_VALUE;
    lua_rawgeti(L, hold, HOLD_KEY);
    lua_rawgeti(L, hold, HOLD_ARRAY);
    if (d->empty)
        lzc_mark_array(r);
    set_member(L, hold, d->mixed);
    return GOT_VALUE;
}

bool lzc_decode_piece(lua_State *L, lzc_decoding *d, int hold)
{
    lua_rawgeti(L, hold, HOLD_ARRAY);
    lua_pushnil(L);
    lua_rawseti(L, hold, HOLD_ARRAY);
    d->count = 0;
    if (d->phase == PHASE_ELEMENT)
        return false;
    d->piece = 0;
    lua_rawgeti(L, hold, HOLD_KEY); /* the document has it, even so: a second one is noticed */
    lua_pushboolean(L, 1);
    set_member(L, hold, false);
    return true;
}

/* A member of the top-level object; an array that is not empty is entered, everything else read whole. */
static got step_member(reader *r, int hold)
{
    lua_State *L = r->L;
    slot *found = NULL;
    if (lzc_read_name(r, &found) == GOT_FAULT)
        return GOT_FAULT;
    skip_blanks(r);
    if (*r->p == '[') {
        const char *inside = r->p + 1;
        while (*inside == ' ' || *inside == '\n' || *inside == '\r' || *inside == '\t')
            inside++;
        if (*inside != ']') {
            r->p = inside;
            lua_rawseti(L, hold, HOLD_KEY);
            r->d->owner = found != NULL ? (int)(found - r->slots) : SLOTS;
            r->d->count = 0;
            r->d->empty = true;
            r->d->mixed = false;
            r->d->phase = PHASE_ELEMENT;
            return GOT_VALUE;
        }
    }
    got value = lzc_read_value(r, found);
    if (value == GOT_NULL)
        lua_pushnil(L);
    if (value != GOT_FAULT)
        set_member(L, hold, false);
    r->d->phase = PHASE_AFTER_VALUE;
    return value;
}

/* The comma or the end after a member of the top-level object. */
static got step_separator(reader *r)
{
    skip_blanks(r);
    if (*r->p == ',') {
        r->p++;
        skip_blanks(r);
        r->d->phase = PHASE_KEY;
        return GOT_VALUE;
    }
    if (*r->p != '}')
        return lzc_fault(r, "an object without its end");
    r->p++;
    r->d->phase = PHASE_DONE;
    return GOT_VALUE;
}

/* Moves on by one piece of the top level. */
static got step(reader *r, int hold)
{
    lua_State *L = r->L;
    switch (r->d->phase) {
    case PHASE_START:
        skip_blanks(r);
        if (*r->p == '{') {
            lua_createtable(L, 0, 4);
            lua_rawseti(L, hold, HOLD_ROOT);
            r->p++;
            skip_blanks(r);
            r->d->phase = PHASE_FIRST_KEY;
            return GOT_VALUE;
        }
        r->d->phase = PHASE_DONE;
        got value = lzc_read_value(r, NULL);
        if (value == GOT_VALUE)
            lua_rawseti(L, hold, HOLD_ROOT);
        return value;
    case PHASE_FIRST_KEY:
        if (*r->p == '}') {
            r->p++;
            r->d->phase = PHASE_DONE;
            return GOT_VALUE;
        }
        return step_member(r, hold);
    case PHASE_KEY:
        return step_member(r, hold);
    case PHASE_ELEMENT:
        return step_element(r, hold);
    default:
        return step_separator(r);
    }
}

/* How deep the values stand that come next. */
static int depth_of_phase(int phase)
{
    switch (phase) {
    case PHASE_START:
        return 0;
    case PHASE_ELEMENT:
        return 2;
    default:
        return 1;
    }
}

lzc_progress lzc_decode_step(lua_State *L, lzc_decoding *d, int keys, int hold, int elements)
{
    int top = lua_gettop(L);
    luaL_checkstack(L, LZC_VALUE_BATCH + 8, NULL);
    lua_rawgeti(L, keys, CACHE_SLOTS);
    cache *seen = lua_touserdata(L, -1);
    reader r = {.L = L, .d = d, .p = d->p, .slots = seen->keys, .shapes = &seen->shapes, .cache = keys};
    int done = 0;
    while (d->fault == NULL && d->phase != PHASE_DONE) {
        bool element = d->phase == PHASE_ELEMENT;
        bool ended = d->piece > 0 && d->phase == PHASE_AFTER_VALUE; /* what comes first is the array */
        if (ended || (element && elements > 0 && done++ == elements)) {
            d->p = r.p;
            lua_settop(L, top);
            return LZC_PAUSED;
        }
        r.depth = depth_of_phase(d->phase);
        step(&r, hold);
        d->p = r.p;
    }
    skip_blanks(&r);
    if (d->fault == NULL && r.p != d->end) {
        d->p = r.p;
        d->fault = "something follows the value";
    }
    lua_settop(L, top);
    if (d->fault != NULL) {
        int byte = d->p - d->start < INT_MAX ? (int)(d->p - d->start) + 1 : INT_MAX;
        size_t bad = 1;
        bool foreign = d->p < d->end && !zc_utf8_valid(d->p, (size_t)(d->end - d->p), &bad) && bad == 0;
        if (foreign || strcmp(d->fault, NOT_UTF8) == 0)
            lua_pushfstring(L, "it is not UTF-8 (byte %d)", byte);
        else if (strcmp(d->fault, NO_RECORD) == 0)
            lua_pushfstring(L, "its data is no list of records (byte %d)", byte);
        else
            lua_pushfstring(L, "it is not JSON (%s, byte %d)", d->fault, byte);
        return LZC_FAILED;
    }
    lua_rawgeti(L, hold, HOLD_ROOT);
    return LZC_DECODED;
}
