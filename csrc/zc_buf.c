#include "zc_buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static zc_status reserve(zc_buf *buf, size_t extra)
{
    if (extra >= SIZE_MAX - buf->len)
        return ZC_ETOOBIG;
    if (buf->limit != 0 && buf->len + extra > buf->limit)
        return ZC_ETOOBIG;
    size_t need = buf->len + extra + 1;
    if (need <= buf->cap)
        return ZC_OK;
    size_t cap = buf->cap < 256 ? 256 : buf->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    char *data = realloc(buf->data, cap);
    if (data == NULL)
        return ZC_ENOMEM;
    buf->data = data;
    buf->cap = cap;
    return ZC_OK;
}

zc_status zc_buf_append(zc_buf *buf, const void *bytes, size_t n)
{
    zc_status status = reserve(buf, n);
    if (status != ZC_OK)
        return status;
    if (n > 0)
        memcpy(buf->data + buf->len, bytes, n);
    buf->len += n;
    buf->data[buf->len] = '\0';
    return ZC_OK;
}

zc_status zc_buf_puts(zc_buf *buf, const char *text)
{
    return zc_buf_append(buf, text, strlen(text));
}

zc_status zc_buf_putc(zc_buf *buf, char c)
{
    return zc_buf_append(buf, &c, 1);
}

zc_status zc_buf_room(zc_buf *buf, size_t n)
{
    return reserve(buf, n);
}

void zc_buf_grown(zc_buf *buf, size_t n)
{
    buf->len += n;
    buf->data[buf->len] = '\0';
}

zc_status zc_buf_pad(zc_buf *buf, size_t n)
{
    size_t limit = buf->limit;
    buf->limit = 0;
    zc_status status = reserve(buf, n);
    buf->limit = limit;
    if (status == ZC_OK)
        memset(buf->data + buf->len, 0, n + 1);
    return status == ZC_OK ? ZC_OK : ZC_ENOMEM;
}

void zc_buf_clear(zc_buf *buf)
{
    buf->len = 0;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

void zc_buf_free(zc_buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
}

const char *zc_buf_str(const zc_buf *buf)
{
    return buf->data != NULL ? buf->data : "";
}

void zc_wipe(void *memory, size_t n)
{
    volatile unsigned char *p = memory;
    while (n-- > 0)
        *p++ = 0;
}

char *zc_strndup(const char *text, size_t n)
{
    char *copy = malloc(n + 1);
    if (copy == NULL)
        return NULL;
    if (n > 0)
        memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}
