/* Checks on foreign text: UTF-8, header fields, printable excerpts. */
#ifndef ZC_TEXT_H
#define ZC_TEXT_H

#include "zc_buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether the bytes are UTF-8 as of RFC 3629 (no surrogates, no overlong forms, at most U+10FFFF).
 * *bad, unless NULL, receives the offset of the first wrong byte. */
bool zc_utf8_valid(const char *text, size_t n, size_t *bad);

/* Whether text is a header field name (RFC 9110 section 5.1: a token). */
bool zc_header_name_valid(const char *text, size_t n);

/* Whether text may be a header field value: no CR, LF, NUL or other control character but TAB. */
bool zc_header_value_valid(const char *text, size_t n);

/* Appends a short, one-line, printable piece of a body: at most max bytes of it, blanks folded,
 * anything but printable ASCII as '?', "..." where it was cut. */
zc_status zc_excerpt(zc_buf *out, const char *text, size_t n, size_t max);

/* Finds a field in a block of "Name: value\r\n" lines; case-insensitive. Returns the trimmed value
 * (not NUL-terminated, its length in *len), or NULL. */
const char *zc_header_find(const char *block, const char *name, size_t *len);

#endif
