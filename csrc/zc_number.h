/* JSON numbers (RFC 8259 section 6), whatever the locale. */
#ifndef ZC_NUMBER_H
#define ZC_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct zc_number {
    bool is_integer; /* written without fraction and exponent, and within 64 bits */
    int64_t integer;
    double real; /* the nearest double, when it is no integer */
} zc_number;

/* Prepares the slow path. Once a process, before any thread parses. */
void zc_number_open(void);

/* Reads a number from NUL-terminated text. Returns the byte after it, NULL where there is none. */
const char *zc_number_parse(const char *text, zc_number *out);

#endif
