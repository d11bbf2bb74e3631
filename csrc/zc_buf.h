/* Growable byte buffer with an upper limit. Part of the core: knows nothing of Lua. */
#ifndef ZC_BUF_H
#define ZC_BUF_H

#include <stddef.h>

typedef enum zc_status {
    ZC_OK = 0,
    ZC_ENOMEM,  /* an allocation failed; the object is unchanged */
    ZC_ETOOBIG, /* a limit would be passed; the object is unchanged */
    ZC_EINVAL   /* the input can never be right */
} zc_status;

typedef struct zc_buf {
    char *data; /* NUL-terminated once anything was appended; NULL before */
    size_t len;
    size_t cap;
    size_t limit; /* largest len allowed; 0: no limit of its own */
} zc_buf;

/* Appends n bytes. ZC_OK, ZC_ENOMEM or ZC_ETOOBIG. */
zc_status zc_buf_append(zc_buf *buf, const void *bytes, size_t n);
/* Appends a NUL-terminated string. */
zc_status zc_buf_puts(zc_buf *buf, const char *text);
/* Appends one byte. */
zc_status zc_buf_putc(zc_buf *buf, char c);
/* Makes sure that n bytes can be written behind the content, at data + len; zc_buf_grown then counts them in. */
zc_status zc_buf_room(zc_buf *buf, size_t n);
void zc_buf_grown(zc_buf *buf, size_t n);
/* Makes sure that n zero bytes that are not part of the content follow it. ZC_OK or ZC_ENOMEM. */
zc_status zc_buf_pad(zc_buf *buf, size_t n);
/* Forgets the content, keeps the memory. */
void zc_buf_clear(zc_buf *buf);
/* Frees the memory; the limit stays. */
void zc_buf_free(zc_buf *buf);
/* The content as a C string, never NULL. */
const char *zc_buf_str(const zc_buf *buf);

/* Overwrites memory in a way that the compiler may not drop (for secrets). */
void zc_wipe(void *memory, size_t n);
/* Copies n bytes into a NUL-terminated block; NULL when memory is out. */
char *zc_strndup(const char *text, size_t n);

#endif
