#include "zc_inflate.h"

#ifdef ZC_LIBDEFLATE

#include <libdeflate.h>
#include <stdint.h>

#define MEMBER_MIN 18 /* bytes of header and trailer: nothing shorter is gzip */

const char *zc_inflate_accepts(void)
{
    return "gzip";
}

/* The last four bytes tell the size, if there is one member and it is below 4 GiB: a first guess, not a promise. */
static size_t guess_size(const zc_buf *body)
{
    const unsigned char *tail = (const unsigned char *)body->data + body->len - 4;
    size_t told = (size_t)tail[0] | (size_t)tail[1] << 8 | (size_t)tail[2] << 16 | (size_t)tail[3] << 24;
    size_t plausible = body->len * 1032; /* deflate's best ratio: a larger number is a lie */
    return told < plausible ? told : plausible;
}

/* One member of the gzip file, from *at, appended to `out`. */
static zc_status inflate_member(struct libdeflate_decompressor *machine, const zc_buf *body, size_t *at, zc_buf *out,
                                size_t room)
{
    for (;;) {
        size_t taken = 0;
        size_t made = 0;
        if (out->limit != 0 && room > out->limit - out->len)
            room = out->limit - out->len;
        zc_status status = zc_buf_room(out, room);
        if (status != ZC_OK)
            return status;
        enum libdeflate_result result = libdeflate_gzip_decompress_ex(machine, body->data + *at, body->len - *at,
                                                                      out->data + out->len, room, &taken, &made);
        if (result == LIBDEFLATE_SUCCESS) {
            zc_buf_grown(out, made);
            *at += taken;
            return ZC_OK;
        }
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
            return ZC_EINVAL;
        if (out->limit != 0 && out->len + room >= out->limit)
            return ZC_ETOOBIG;
        room = room < 4096 ? 8192 : room * 2;
    }
}

zc_status zc_inflate(zc_buf *body, zc_buf *spare)
{
    if (body->len < MEMBER_MIN)
        return ZC_EINVAL;
    struct libdeflate_decompressor *machine = libdeflate_alloc_decompressor();
    if (machine == NULL)
        return ZC_ENOMEM;
    zc_buf_clear(spare);
    spare->limit = body->limit;
    size_t at = 0;
    size_t room = guess_size(body);
    zc_status status = ZC_OK;
    while (status == ZC_OK && at < body->len) {
        status = inflate_member(machine, body, &at, spare, room);
        room = 0;
    }
    libdeflate_free_decompressor(machine);
    if (status == ZC_OK) {
        zc_buf made = *spare;
        *spare = *body;
        *body = made;
    }
    return status;
}

#else

const char *zc_inflate_accepts(void)
{
    return NULL;
}

zc_status zc_inflate(zc_buf *body, zc_buf *spare)
{
    (void)body;
    (void)spare;
    return ZC_EINVAL; /* nobody was told that we could */
}

#endif
