/* Records that have the keys of the records before. */
#ifndef LZC_SHAPE_H
#define LZC_SHAPE_H

#include "lzc_reader.h"

/* The keys of the object that is being read, as far as they have come: slots of the cache of keys. */
typedef struct track {
    unsigned keys; /* more than SHAPE_KEYS: they make no shape */
    uint32_t hash;
    uint16_t slots[SHAPE_KEYS];
} track;

typedef enum fit { FIT_NOT, FIT_PARTLY, FIT_WHOLE, FIT_FAULT } fit;

void lzc_track_begin(track *t);
/* Notes a key; NULL: one that is not in the cache. */
void lzc_track_key(const reader *r, track *t, const slot *name);
/* The object is whole, `members` of its values were not null: its keys may become a shape. */
void lzc_track_end(reader *r, const track *t, unsigned members);

/* Reads an object as a record of the shape that came last; r->p is at its first key.
 * FIT_NOT: there is no shape; nothing was read or pushed.
 * FIT_PARTLY: a table with the first *members values is pushed, their keys are noted in `t`; r->p is at the next key
 * (*more) or behind a value (not *more).
 * FIT_WHOLE: the record is pushed, r->p behind it. FIT_FAULT: as for all readers. */
fit lzc_shape_read(reader *r, track *t, unsigned *members, bool *more);

#endif
