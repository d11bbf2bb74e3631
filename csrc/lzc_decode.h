/* Answers straight from the received bytes to Lua values: no copy of the body, no tree in between. */
#ifndef LZC_DECODE_H
#define LZC_DECODE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "zc_buf.h"

/* A document being decoded. It can pause between the elements of an array that is the value of the top-level object:
 * the array of records. */
typedef struct lzc_decoding {
    const char *start; /* the document; LZC_DECODE_PAD readable zero bytes follow it */
    const char *p;     /* what is next */
    const char *end;
    zc_buf *scratch; /* for strings with escapes; owned by whoever owns the document */
    int phase;
    int count;         /* elements in the array that is under way */
    bool empty;        /* all of them were null */
    bool mixed;        /* one of them was no object */
    int piece;         /* not 0: the array is one of records, and is taken in pieces of so many, see lzc_decode_piece */
    size_t allowance;  /* positions that guesses at sizes may still take */
    int owner;         /* slot of its key */
    const char *fault; /* static text, once it has failed */
} lzc_decoding;

#define LZC_DECODE_PAD 16
/* Positions of the table `hold`, and the one of what is wrong with members of the document though it is JSON, where
 * there is anything: a table from their names to texts such as "is there twice". */
#define LZC_DECODE_HOLD 4
#define LZC_DECODE_FLAWS 4

typedef enum lzc_progress { LZC_DECODED, LZC_PAUSED, LZC_FAILED } lzc_progress;

/* Pushes a cache of strings, for lzc_decode_step's `keys`. Stack indices of metatables: array_mt is what empty arrays
 * get, record_mt what the objects in top-level arrays get. */
void lzc_decode_open(lua_State *L, int array_mt, int record_mt);

/* Begins. */
void lzc_decode_begin(lzc_decoding *d, const char *text, size_t n, zc_buf *scratch);

/* Goes on for at most `elements` elements of top-level arrays (0: to the end). `keys`: stack index of what
 * lzc_decode_open left; `hold`: stack index of a table that keeps the unfinished value between steps. LZC_DECODED: the
 * value is pushed (nil for null). LZC_PAUSED: nothing is pushed. LZC_FAILED: a sentence is pushed. */
lzc_progress lzc_decode_step(lua_State *L, lzc_decoding *d, int keys, int hold, int elements);

/* For decodings with a `piece`, which pause at the end of their array, too: pushes the records that came since the last
 * piece, as an array, which is not part of the document any more. True: the array has ended, and there is no more
 * `piece`. */
bool lzc_decode_piece(lua_State *L, lzc_decoding *d, int hold);

#endif
