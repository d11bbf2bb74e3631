#include "lzc.h"

#include "zc_number.h"
#include "zc_text.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define DEPTH_MAX 128
#define SLOTS 256   /* of keys; a power of two */
#define VALUES 1024 /* of string values; a power of two */
#define TEXT_MAX 40 /* longest text that is cached: Lua interns strings up to here; a multiple of 8 */
#define EXACT_MAX 9007199254740992.0
#define BATCH 32           /* elements of an inner array that wait on the stack for its size */
#define MEMBERS_MAX 512    /* the largest object that is made at its guessed size */
#define BYTES_PER_GUESS 16 /* of a document: guesses at its arrays' sizes take no more than one position for so many   \
                            */

/* Positions in the table `hold`. */
enum { HOLD_ROOT = 1, HOLD_KEY, HOLD_ARRAY };

/* Positions in the table that lzc_decode_open makes. */
enum { CACHE_SLOTS = 1, CACHE_ARRAY_MT };
#define CACHE_KEYS 16                     /* the string of key slot i is at CACHE_KEYS + i */
#define CACHE_VALUES (CACHE_KEYS + SLOTS) /* the string of value slot i is at CACHE_VALUES + i */

enum { PHASE_START, PHASE_FIRST_KEY, PHASE_KEY, PHASE_ELEMENT, PHASE_AFTER_VALUE, PHASE_DONE };

/* A key seen before. Records repeat their keys in the same order, so that the key after this one is most often the one
 * that came after it last time; a glance at the bytes then replaces scanning, hashing and interning. */
typedef struct slot {
    char text[TEXT_MAX]; /* zeros behind its end */
    uint8_t len;
    bool used;
    uint16_t next;    /* slot of the key that followed last */
    uint16_t members; /* of the objects under this key: a guess, see learn_members */
} slot;

/* Lua 5.4 looks at every byte of a string to hash it, LuaJIT at twelve: there the cache costs what it saves (measured
 * on pages of 200 leads: 5 % less time on 5.4, none less on LuaJIT). */
#ifdef LUAJIT_VERSION_NUM
#define CACHES_VALUES false
#else
#define CACHES_VALUES true
#endif

/* A string value seen before. Records share many (owners, stages, countries), and comparing one with its last
 * occurrence is cheaper than having Lua hash it. A string is kept when it comes for the second time, so that those
 * which occur once cost no more than a note of their hash. */
typedef struct value_slot {
    char text[TEXT_MAX];
    uint8_t len; /* 0: nothing kept */
    uint32_t hash;
} value_slot;

/* Lives as long as the Lua state: one decoding profits from what another has seen. */
typedef struct cache {
    slot keys[SLOTS];
    value_slot values[VALUES];
} cache;

typedef struct reader {
    lua_State *L;
    lzc_decoding *d;
    const char *p;
    slot *slots;
    value_slot *values;
    int cache; /* stack index */
    int depth;
    unsigned last; /* slot of the key before */
} reader;

typedef enum got { GOT_VALUE, GOT_NULL, GOT_FAULT } got; /* a value was pushed; nothing was pushed, twice */

/* `owner`: slot of the key under which the value stands, also where it is an element of an array there; NULL: unknown.
 */
static got read_value(reader *r, slot *owner);

static got fault(reader *r, const char *what)
{
    r->d->fault = what;
    return GOT_FAULT;
}

static void skip_blanks(reader *r)
{
    while (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t')
        r->p++;
}

/* ---- strings ------------------------------------------------------------------------------ */

#ifndef __SSE2__
#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u
#endif

/* The first byte that is no plain part of a string: a quote, a backslash, a control character (the end's NUL among
 * them). Sixteen bytes at a time where the processor surely can, else eight. */
static const char *skip_plain(const char *p)
{
#ifdef __SSE2__
    const __m128i quotes = _mm_set1_epi8('"');
    const __m128i slashes = _mm_set1_epi8('\\');
    const __m128i controls = _mm_set1_epi8(0x1F);
    for (;; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, slashes));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(bytes, controls), bytes));
        int mask = _mm_movemask_epi8(found);
        if (mask != 0)
            return p + __builtin_ctz((unsigned)mask);
    }
#else
    for (;;) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        uint64_t quote = w ^ (ONES * '"');
        uint64_t slash = w ^ (ONES * '\\');
        uint64_t found = ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) | ((w - ONES * 0x20) & ~w);
        if ((found & HIGHS) != 0)
            break;
        p += sizeof w;
    }
    while (*p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
#endif
}

static int hex4(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (c >= 'a' && c <= 'f')
            digit = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
            digit = c - 'A' + 10;
        else
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* The escape whose backslash is at *p, as UTF-8; its length, or 0 where there is none. */
static size_t read_escape(const char **p, char *out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const char *at = *p + 1;
    const char *simple = *at != '\0' ? strchr(from, *at) : NULL;
    if (simple != NULL) {
        out[0] = to[simple - from];
        *p = at + 1;
        return 1;
    }
    int unit = *at == 'u' ? hex4(at + 1) : -1;
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return 0;
    uint32_t c = (uint32_t)unit;
    at += 5;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        int low = at[0] == '\\' && at[1] == 'u' ? hex4(at + 2) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return 0;
        c = 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
        at += 6;
    }
    *p = at;
    return put_utf8(out, c);
}

/* The rest of a string with escapes: `from` is its first byte, r->p its first backslash. Pushes it. */
static got read_escaped(reader *r, const char *from)
{
    zc_buf *scratch = r->d->scratch;
    zc_buf_clear(scratch);
    for (;;) {
        char bytes[4];
        lzc_check(r->L, zc_buf_append(scratch, from, (size_t)(r->p - from)));
        if (*r->p == '"')
            break;
        size_t n = *r->p == '\\' ? read_escape(&r->p, bytes) : 0;
        if (n == 0)
            return fault(r, *r->p == '\\' ? "a wrong escape" : "a string without its end");
        lzc_check(r->L, zc_buf_append(scratch, bytes, n));
        from = r->p;
        r->p = skip_plain(r->p);
    }
    r->p++;
    lua_pushlstring(r->L, zc_buf_str(scratch), scratch->len);
    return GOT_VALUE;
}

/* Whether n bytes at p are those at `kept`. */
static bool same_text(const char *p, const char *kept, size_t n)
{
    uint64_t a;
    uint64_t b;
    while (n >= sizeof a) {
        memcpy(&a, p, sizeof a);
        memcpy(&b, kept, sizeof b);
        if (a != b)
            return false;
        p += sizeof a;
        kept += sizeof b;
        n -= sizeof a;
    }
    for (size_t i = 0; i < n; i++)
        if (p[i] != kept[i])
            return false;
    return true;
}

static void keep_text(char *kept, const char *p, size_t n)
{
    memset(kept, 0, TEXT_MAX);
    memcpy(kept, p, n);
}

/* A hash from the length and at most 16 bytes, enough for a cache. */
static uint32_t hash_text(const char *p, size_t n)
{
    uint64_t head = 0;
    uint64_t tail = 0;
    if (n >= sizeof head) {
        memcpy(&head, p, sizeof head);
        memcpy(&tail, p + n - sizeof tail, sizeof tail);
    } else {
        for (size_t i = 0; i < n; i++)
            head = head << 8 | (unsigned char)p[i];
    }
    uint64_t mixed = (head ^ (tail * 0x9E3779B97F4A7C15u) ^ n) * 0xBF58476D1CE4E5B9u;
    return (uint32_t)(mixed >> 32);
}

/* Pushes a string value of 1 to TEXT_MAX bytes. */
static void push_value(reader *r, const char *p, size_t n)
{
    uint32_t hash = hash_text(p, n);
    int i = (int)(hash % VALUES);
    value_slot *v = &r->values[i];
    if (v->hash == hash && v->len == n && same_text(p, v->text, n)) {
        lua_rawgeti(r->L, r->cache, CACHE_VALUES + i);
        return;
    }
    bool again = v->hash == hash && v->len == 0;
    lua_pushlstring(r->L, p, n);
    v->len = 0; /* until the new string is safely kept */
    v->hash = hash;
    if (again) {
        lua_pushvalue(r->L, -1);
        lua_rawseti(r->L, r->cache, CACHE_VALUES + i);
        keep_text(v->text, p, n);
        v->len = (uint8_t)n;
    }
}

/* A string value; r->p is at its opening quote. */
static got read_string(reader *r)
{
    const char *from = ++r->p;
    r->p = skip_plain(from);
    if (*r->p != '"')
        return read_escaped(r, from);
    size_t n = (size_t)(r->p - from);
    if (CACHES_VALUES && n > 0 && n <= TEXT_MAX)
        push_value(r, from, n);
    else
        lua_pushlstring(r->L, from, n);
    r->p++;
    return GOT_VALUE;
}

/* ---- keys --------------------------------------------------------------------------------- */

static void push_key(reader *r, unsigned i)
{
    lua_rawgeti(r->L, r->cache, (int)(CACHE_KEYS + i));
    r->p += r->slots[i].len + 1;
    r->slots[r->last].next = (uint16_t)i;
    r->last = i;
}

/* A member's name; r->p is at its opening quote. Pushes it. *found is its slot, NULL when it is not cached. */
static got read_key(reader *r, slot **found)
{
    const char *from = ++r->p;
    unsigned guess = r->slots[r->last].next;
    const slot *guessed = &r->slots[guess];
    /* the document's end is padded, but a cached key may be longer than the rest */
    if (guessed->used && guessed->len < (size_t)(r->d->end - from) && from[guessed->len] == '"' &&
        same_text(from, guessed->text, guessed->len)) {
        push_key(r, guess);
        *found = &r->slots[guess];
        return GOT_VALUE;
    }
    const char *stop = skip_plain(from);
    size_t n = (size_t)(stop - from);
    *found = NULL;
    if (*stop != '"') {
        r->p = stop;
        return read_escaped(r, from);
    }
    if (n > TEXT_MAX) {
        lua_pushlstring(r->L, from, n);
        r->p = stop + 1;
        return GOT_VALUE;
    }
    unsigned i = hash_text(from, n) % SLOTS;
    slot *s = &r->slots[i];
    if (!s->used || s->len != n || !same_text(from, s->text, n)) {
        s->used = false; /* until the new string is safely kept */
        lua_pushlstring(r->L, from, n);
        lua_rawseti(r->L, r->cache, (int)(CACHE_KEYS + i));
        keep_text(s->text, from, n);
        s->len = (uint8_t)n;
        s->members = 0;
        s->used = true;
    }
    push_key(r, i);
    *found = s;
    return GOT_VALUE;
}

/* A key and its colon. */
static got read_name(reader *r, slot **found)
{
    if (*r->p != '"')
        return fault(r, "a name is missing");
    if (read_key(r, found) == GOT_FAULT)
        return GOT_FAULT;
    skip_blanks(r);
    if (*r->p != ':')
        return fault(r, "a colon is missing");
    r->p++;
    return GOT_VALUE;
}

/* ---- values ------------------------------------------------------------------------------- */

static got read_number(reader *r)
{
    zc_number number;
    const char *end = zc_number_parse(r->p, &number);
    if (end == NULL)
        return fault(r, "no value");
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
        return fault(r, "no value");
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

static got read_object(reader *r, slot *owner)
{
    lua_State *L = r->L;
    slot *name = NULL;
    unsigned members = 0;
    if (!deeper(r))
        return fault(r, "it is nested too deep");
    r->p++;
    skip_blanks(r);
    bool more = *r->p != '}';
    lua_createtable(L, 0, !more ? 0 : owner != NULL ? owner->members : 4);
    while (more) {
        if (read_name(r, &name) == GOT_FAULT)
            return GOT_FAULT;
        skip_blanks(r);
        got value = read_value(r, name);
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
        return fault(r, "an object without its end");
    if (owner != NULL) /* the slot may have been given to another key meanwhile: it is a guess in any case */
        learn_members(owner, members);
    r->p++;
    r->depth--;
    return GOT_VALUE;
}

/* Moves `n` values from the top of the stack into the table below them, behind its first `filled` positions. */
static void flush(lua_State *L, int n, int filled)
{
    for (int i = n; i > 0; i--)
        lua_rawseti(L, -1 - i, filled + i);
}

/* The table on top, which nothing is in, goes out as [] when it is sent back. */
static void mark_array(reader *r)
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
        return fault(r, "it is nested too deep");
    r->p++;
    skip_blanks(r);
    if (*r->p == ']') {
        lua_createtable(L, 0, 0);
        mark_array(r);
        r->p++;
        r->depth--;
        return GOT_VALUE;
    }
    for (;;) {
        skip_blanks(r);
        got value = read_value(r, owner);
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
        return fault(r, "an array without its end");
    if (empty)
        mark_array(r);
    r->p++;
    r->depth--;
    return GOT_VALUE;
}

static got read_value(reader *r, slot *owner)
{
    switch (*r->p) {
    case '"':
        return read_string(r);
    case '{':
        return read_object(r, owner);
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

/* ---- the document ------------------------------------------------------------------------- */

void lzc_decode_open(lua_State *L, int array_mt)
{
    lua_createtable(L, CACHE_VALUES + VALUES, 0);
    lua_pushvalue(L, array_mt);
    lua_rawseti(L, -2, CACHE_ARRAY_MT);
    memset(lua_newuserdata(L, sizeof(cache)), 0, sizeof(cache));
    lua_rawseti(L, -2, CACHE_SLOTS);
}

bool lzc_decode_begin(lzc_decoding *d, const char *text, size_t n, zc_buf *scratch)
{
    *d = (lzc_decoding){.start = text, .p = text, .end = text + n, .scratch = scratch, .phase = PHASE_START};
    d->allowance = n / BYTES_PER_GUESS + 4;
    size_t bad = 0;
    if (!zc_utf8_valid(text, n, &bad)) {
        d->p = text + bad;
        d->fault = "UTF-8";
        return false;
    }
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        d->p += 3;
    return true;
}

/* The first element tells how many may follow: records of a list are of much the same size. A document of many small
 * arrays could make every one a large table, if it were not for what is left of the document's allowance. */
static int expected_elements(const reader *r, const char *first)
{
    size_t one = (size_t)(r->p - first) + 1;
    size_t all = (size_t)(r->d->end - first) / one + 1;
    size_t expected = all > 10000 ? 10000 : all;
    if (expected > r->d->allowance)
        expected = r->d->allowance;
    r->d->allowance -= expected;
    return (int)expected;
}

/* One element of the array in hold[HOLD_ARRAY], or its end. */
static got step_element(reader *r, int hold)
{
    lua_State *L = r->L;
    lzc_decoding *d = r->d;
    const char *first = r->p;
    got value = read_value(r, d->owner < SLOTS ? &r->slots[d->owner] : NULL);
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
        return fault(r, "an array without its end");
    r->p++;
    lua_rawgeti(L, hold, HOLD_ROOT);
    lua_rawgeti(L, hold, HOLD_KEY);
    lua_rawgeti(L, hold, HOLD_ARRAY);
    if (d->empty)
        mark_array(r);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    d->phase = PHASE_AFTER_VALUE;
    return GOT_VALUE;
}

/* A member of the top-level object; an array that is not empty is entered, everything else read whole. */
static got step_member(reader *r, int hold)
{
    lua_State *L = r->L;
    slot *found = NULL;
    if (read_name(r, &found) == GOT_FAULT)
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
            r->d->phase = PHASE_ELEMENT;
            return GOT_VALUE;
        }
    }
    got value = read_value(r, found);
    if (value == GOT_VALUE) {
        lua_rawgeti(L, hold, HOLD_ROOT);
        lua_insert(L, -3);
        lua_rawset(L, -3);
    }
    if (value != GOT_FAULT)
        lua_pop(L, 1);
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
        return fault(r, "an object without its end");
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
        got value = read_value(r, NULL);
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
    luaL_checkstack(L, BATCH + 8, NULL);
    lua_rawgeti(L, keys, CACHE_SLOTS);
    cache *seen = lua_touserdata(L, -1);
    reader r = {.L = L, .d = d, .p = d->p, .slots = seen->keys, .values = seen->values, .cache = keys};
    int done = 0;
    while (d->fault == NULL && d->phase != PHASE_DONE) {
        bool element = d->phase == PHASE_ELEMENT;
        if (element && elements > 0 && done++ == elements) {
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
        int byte = (int)(d->p - d->start) + 1;
        if (strcmp(d->fault, "UTF-8") == 0)
            lua_pushfstring(L, "it is not UTF-8 (byte %d)", byte);
        else
            lua_pushfstring(L, "it is not JSON (%s, byte %d)", d->fault, byte);
        return LZC_FAILED;
    }
    lua_rawgeti(L, hold, HOLD_ROOT);
    return LZC_DECODED;
}
