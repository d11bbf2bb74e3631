/* Strings and names of a JSON document, as Lua strings. */
#include "lzc_reader.h"
#include "zc_text.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define WAYS 8 /* slots that a key may have */

#ifndef __SSE2__
#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u
#endif

/* The first byte that is no plain part of a string: a quote, a backslash, a control character (the end's NUL among
 * them). Sixteen bytes at a time where the processor surely can, else eight. *ascii turns false where bytes from 0x80
 * on may have been among those passed over. */
static const char *skip_plain(const char *p, bool *ascii)
{
#ifdef __SSE2__
    const __m128i quotes = _mm_set1_epi8('"');
    const __m128i slashes = _mm_set1_epi8('\\');
    const __m128i controls = _mm_set1_epi8(0x1F);
    for (;; p += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, quotes), _mm_cmpeq_epi8(bytes, slashes));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(bytes, controls), bytes));
        unsigned mask = (unsigned)_mm_movemask_epi8(found);
        unsigned high = (unsigned)_mm_movemask_epi8(bytes);
        if (mask != 0) {
            *ascii = *ascii && (high & (mask ^ (mask - 1))) == 0;
            return p + __builtin_ctz(mask);
        }
        *ascii = *ascii && high == 0;
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
        *ascii = *ascii && (w & HIGHS) == 0;
        p += sizeof w;
    }
    while (*p != '"' && *p != '\\' && (unsigned char)*p >= 0x20) {
        *ascii = *ascii && (unsigned char)*p < 0x80;
        p++;
    }
    return p;
#endif
}

/* Passes over the plain part of a string at r->p. Only strings are checked for UTF-8: elsewhere a byte from 0x80 on is
 * no JSON anyway. */
static bool pass_plain(reader *r)
{
    const char *from = r->p;
    bool ascii = true;
    size_t bad = 0;
    r->p = skip_plain(from, &ascii);
    if (ascii || zc_utf8_valid(from, (size_t)(r->p - from), &bad))
        return true;
    r->p = from + bad;
    lzc_fault(r, NOT_UTF8);
    return false;
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
            return lzc_fault(r, *r->p == '\\' ? "a wrong escape" : "a string without its end");
        lzc_check(r->L, zc_buf_append(scratch, bytes, n));
        from = r->p;
        if (!pass_plain(r))
            return GOT_FAULT;
    }
    r->p++;
    lua_pushlstring(r->L, zc_buf_str(scratch), scratch->len);
    return GOT_VALUE;
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

/* A string value; r->p is at its opening quote. */
got lzc_read_string(reader *r)
{
    const char *from = ++r->p;
    if (!pass_plain(r))
        return GOT_FAULT;
    if (*r->p != '"')
        return read_escaped(r, from);
    lua_pushlstring(r->L, from, (size_t)(r->p - from));
    r->p++;
    return GOT_VALUE;
}

static void push_key(reader *r, unsigned i)
{
    lua_rawgeti(r->L, r->cache, (int)(CACHE_KEYS + i));
    r->p += r->slots[i].len + 1;
    r->slots[r->last].next = (uint16_t)i;
    r->last = i;
}

/* The slot of a key, or else the one that it shall have: the keys of one record must not drive each other out. */
static unsigned find_slot(const reader *r, const char *p, size_t n)
{
    unsigned home = hash_text(p, n) % SLOTS;
    unsigned free_one = SLOTS;
    for (unsigned k = 0; k < WAYS; k++) {
        unsigned i = (home + k) % SLOTS;
        const slot *s = &r->slots[i];
        if (s->used && s->len == n && same_text(p, s->text, n))
            return i;
        if (!s->used && free_one == SLOTS)
            free_one = i;
    }
    return free_one < SLOTS ? free_one : home;
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
    if (!pass_plain(r))
        return GOT_FAULT;
    const char *stop = r->p;
    size_t n = (size_t)(stop - from);
    *found = NULL;
    if (*stop != '"')
        return read_escaped(r, from);
    if (n > TEXT_MAX) {
        lua_pushlstring(r->L, from, n);
        r->p = stop + 1;
        return GOT_VALUE;
    }
    r->p = from;
    unsigned i = find_slot(r, from, n);
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
got lzc_read_name(reader *r, slot **found)
{
    if (*r->p != '"')
        return lzc_fault(r, "a name is missing");
    if (read_key(r, found) == GOT_FAULT)
        return GOT_FAULT;
    skip_blanks(r);
    if (*r->p != ':')
        return lzc_fault(r, "a colon is missing");
    r->p++;
    return GOT_VALUE;
}
