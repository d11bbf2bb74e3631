/* The end of a page, found without reading the page: what a walk needs to ask for the next one. */
#ifndef ZC_SKIM_H
#define ZC_SKIM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct zc_page_end {
    const char *id; /* of the last record: within the text, not terminated; NULL: there is none */
    size_t id_len;
    bool more; /* the server says that there are more records */
} zc_page_end;

/* Skims the end of a document such as {"data":[{"id":"1"},{"id":"2"}],"info":{"more_records":true}}: of the last record
 * and what follows it, whatever the array is called. It only follows strings and brackets, and does not look at the
 * rest at all: of other text it gives whatever that looks like, so that who goes by it has to compare with the page
 * once that is read. */
zc_page_end zc_skim_page(const char *text, size_t n);

/* Finds the object `info` of a page where the page begins with its records and ends with that: {"data":[{…}],"info":
 * {…}}. NULL where it does not. The same caution as above. *length: of the object. */
const char *zc_skim_info(const char *text, size_t n, size_t *length);

#endif
