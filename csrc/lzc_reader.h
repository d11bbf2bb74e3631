/* What the files of the decoder share: the reader, and the strings it has seen. */
#ifndef LZC_READER_H
#define LZC_READER_H

#include "lzc.h"

#include <stdint.h>
#include <string.h>

#define SLOTS 256   /* of keys; a power of two */
#define TEXT_MAX 40 /* longest text that is cached: Lua interns strings up to here; a multiple of 8 */

#define SHAPES 8      /* see lzc_shape.c */
#define SHAPE_KEYS 64 /* keys of a record that can have a shape */

#define NOT_UTF8 "UTF-8" /* the fault that has a sentence of its own */

/* Positions in the table that lzc_decode_open makes. */
enum { CACHE_SLOTS = 1, CACHE_ARRAY_MT, CACHE_RECORD_MT };
#define CACHE_KEYS 16                     /* the string of key slot i is at CACHE_KEYS + i */
#define CACHE_SHAPES (CACHE_KEYS + SLOTS) /* of shape i: the shape at CACHE_SHAPES + 2 * i, its function behind it */

/* A key seen before. Records repeat their keys in the same order, so that the key after this one is most often the one
 * that came after it last time; a glance at the bytes then replaces scanning, hashing and interning. */
typedef struct slot {
    char text[TEXT_MAX]; /* zeros behind its end */
    uint8_t len;
    bool used;
    uint16_t next;    /* slot of the key that followed last */
    uint16_t members; /* of the objects under this key: a guess, see learn_members */
} slot;

/* What is known of the shapes, and when to make the next one. */
typedef struct shape_list {
    struct {
        unsigned keys; /* 0: there is none */
        uint32_t hash;
        uint64_t used; /* when it was last of use: a count of uses */
    } shape[SHAPES];
    uint64_t uses;
    unsigned next;     /* the one that the next record is likely to have */
    uint32_t run_hash; /* of the keys of the last record without a shape */
    unsigned run;      /* records in a row that had them */
    unsigned needed;
} shape_list;

/* Lives as long as the Lua state: one decoding profits from what another has seen. */
typedef struct cache {
    slot keys[SLOTS];
    shape_list shapes;
} cache;

typedef struct reader {
    lua_State *L;
    lzc_decoding *d;
    const char *p;
    slot *slots;
    shape_list *shapes;
    int cache; /* stack index */
    int depth;
    unsigned last; /* slot of the key before */
} reader;

typedef enum got { GOT_VALUE, GOT_NULL, GOT_FAULT } got; /* a value was pushed; nothing was pushed, twice */

/* Notes what is wrong with the document. */
static inline got lzc_fault(reader *r, const char *what)
{
    r->d->fault = what;
    return GOT_FAULT;
}

static inline void skip_blanks(reader *r)
{
    while (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t')
        r->p++;
}

/* Whether n bytes at p are those at `kept`. */
static inline bool same_text(const char *p, const char *kept, size_t n)
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

/* lzc_value.c. Pushes a value (not a null). `owner`: slot of the key under which it stands, also where it is an
 * element of an array there; NULL: unknown. */
got lzc_read_value(reader *r, slot *owner);

/* The same for an object; r->p is at its brace. `is_record`: it is one of many that are likely to have the same keys.
 */
got lzc_read_object(reader *r, slot *owner, bool is_record);

/* The table on top, which nothing is in, goes out as [] when it is sent back. */
void lzc_mark_array(reader *r);

#define LZC_VALUE_BATCH 32 /* elements of an inner array that wait on the stack for its size */

/* lzc_strings.c. Pushes a string; r->p is at its opening quote. Values are not kept for their next occurrence, however
 * few there are of a kind: what that spares in hashing, it costs Lua 5.4 in collecting, where each minor collection
 * goes through the table of them. */
got lzc_read_string(reader *r);

/* Pushes a member's name and passes its colon. *found is its slot, NULL when it is not cached. */
got lzc_read_name(reader *r, slot **found);

#endif
