/* Decompressing what a server sent: never beyond the limit, and nothing changed where it fails. */
#include "target.h"
#include "zc_inflate.h"

#include <string.h>

#define LIMIT 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static zc_buf spare;
    zc_buf body = {.limit = LIMIT};
    if (n > LIMIT || zc_buf_append(&body, data, n) != ZC_OK)
        return 0;
    zc_status status = zc_inflate(&body, &spare);
    MUST(status != ZC_ENOMEM && body.limit == LIMIT && body.len <= LIMIT);
    if (status == ZC_OK)
        MUST(body.data[body.len] == '\0');
    else
        MUST(body.len == n && memcmp(body.data, data, n) == 0);
    zc_buf_free(&body);
    return 0;
}
