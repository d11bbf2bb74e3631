/* JSON: the door to the decoder of answers, and the encoder of bodies on lua-cjson; the only place that knows what its
 * releases do differently. */
#ifndef LZC_JSON_H
#define LZC_JSON_H

#include "lzc.h"
#include "lzc_decode.h"

/* Name in the registry, and positions in the table there. */
#define LZC_JSON_STATE "zohocrm.json"
enum {
    SLOT_ENCODE = 1, /* false while it is called */
    SLOT_NEW,
    SLOT_CACHE,
    SLOT_RECORD_MT,
    SLOT_ARRAY_MT,
    SLOT_FOREIGN_ARRAY_MT,
    SLOT_FOREIGN_EMPTY_MT,
    SLOT_FOREIGN_EMPTY
};

/* Loads lua-cjson, makes the private instance and adds `null`, `array_mt`, `record_mt`, `encode` and `decode` to the
 * table on top of the stack. The objects in an answer's top-level arrays get record_mt, whose methods are Lua's to
 * add (lua/zohocrm/results.lua). Raises when lua-cjson is not installed. */
void lzc_json_open(lua_State *L);

/* lzc_decode_step with this state's cache of keys. */
lzc_progress lzc_json_step(lua_State *L, lzc_decoding *d, int hold, int elements);

/* lzc_encode.c. Appends the value at `index` as JSON. records: it holds records, whose `id` is a string even where it
 * was given as a number (Zoho's are, always). true: done. false: a sentence that names the faulty value is pushed.
 * Raises only when memory is out; then `out` holds a part. */
bool lzc_json_encode(lua_State *L, int index, bool records, zc_buf *out);

#endif
