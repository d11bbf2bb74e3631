/* What the fuzz targets share. Each target is a program of one LLVMFuzzerTestOneInput: libFuzzer drives it in
 * `make fuzz`, replay.c in `make fuzz-seeds`. */
#ifndef TARGET_H
#define TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Ends the process, and with it the search, when something that must be true is not. */
#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* The input as a C string: a copy that the target frees, so that a sanitizer sees reads past its end. */
char *input_text(const uint8_t *data, size_t n);

#endif
