/* Decompressing whole answers. libcurl would do it as the bytes come, with zlib; libdeflate needs the answer whole and
 * takes less than half of the time (spec/bench: 0.4 instead of 1.1 microseconds a record). Where it is not installed,
 * libcurl does it. */
#ifndef ZC_INFLATE_H
#define ZC_INFLATE_H

#include "zc_buf.h"

#include <stdbool.h>

/* What this build asks servers for: an Accept-Encoding value, or NULL where libcurl is to decide and to decompress. */
const char *zc_inflate_accepts(void);

/* Replaces the content of `body`, gzip, by what it says. `spare` gives and keeps memory for it. At most body->limit
 * bytes come out: ZC_ETOOBIG beyond; ZC_EINVAL when it is not gzip or broken; ZC_ENOMEM. In these cases `body` is
 * unchanged. */
zc_status zc_inflate(zc_buf *body, zc_buf *spare);

#endif
