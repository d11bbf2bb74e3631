/* Dates as HTTP writes them. */
#ifndef ZC_DATE_H
#define ZC_DATE_H

#include <stddef.h>

/* Reads an HTTP date (RFC 9110 5.6.7: IMF-fixdate, or one of the two obsolete forms) into seconds since the epoch;
 * negative when it is none, or one before 1970. A year of two digits is one of 1971 to 2070. */
double zc_date_parse(const char *value, size_t n);

#endif
