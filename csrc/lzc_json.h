/* JSON: the only place that knows how answers are decoded and bodies are encoded, and what the
 * releases of lua-cjson do differently. */
#ifndef LZC_JSON_H
#define LZC_JSON_H

#include "lzc.h"

/* Loads lua-cjson, makes the private instance and adds `null`, `array_mt`, `encode` and `decode` to
 * the table on top of the stack. Raises when lua-cjson is not installed. */
void lzc_json_open(lua_State *L);

/* Decodes a document. true: its value is pushed (null: nil), with nulls left out of tables and, on
 * Lua 5.3+, whole numbers as integers. false: a sentence without position that says what is wrong is pushed.
 * Raises only when memory is out. */
bool lzc_json_decode(lua_State *L, const char *text, size_t n);

/* Appends the value at `index` as JSON. true: done. false: a sentence that names the faulty value is pushed.
 * Raises only when memory is out; then `out` holds a part. */
bool lzc_json_encode(lua_State *L, int index, zc_buf *out);

#endif
