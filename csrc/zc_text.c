#define _POSIX_C_SOURCE 200809L
#include "zc_text.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define ASCII_MASK 0x8080808080808080u

/* Length of the well-formed sequence at p (n bytes left), 0 when there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    unsigned char lead = p[0];
    if (lead < 0x80)
        return 1;
    size_t len;
    unsigned char low = 0x80;
    unsigned char high = 0xBF; /* bounds of the second byte shut out overlong forms and surrogates */
    if (lead >= 0xC2 && lead <= 0xDF) {
        len = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        len = 3;
        if (lead == 0xE0)
            low = 0xA0;
        if (lead == 0xED)
            high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        len = 4;
        if (lead == 0xF0)
            low = 0x90;
        if (lead == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (n < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

bool zc_utf8_valid(const char *text, size_t n, size_t *bad)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    while (i < n) {
        uint64_t four[4]; /* most text is ASCII */
        uint64_t eight;
        while (n - i >= sizeof four &&
               (memcpy(four, p + i, sizeof four), ((four[0] | four[1] | four[2] | four[3]) & ASCII_MASK) == 0))
            i += sizeof four;
        while (n - i >= sizeof eight && (memcpy(&eight, p + i, sizeof eight), (eight & ASCII_MASK) == 0))
            i += sizeof eight;
        if (i == n)
            break;
        size_t len = utf8_sequence(p + i, n - i);
        if (len == 0) {
            if (bad != NULL)
                *bad = i;
            return false;
        }
        i += len;
    }
    return true;
}

static bool is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool zc_header_name_valid(const char *text, size_t n)
{
    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!is_alnum(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return true;
}

bool zc_header_value_valid(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return false;
    }
    return true;
}

zc_status zc_excerpt(zc_buf *out, const char *text, size_t n, size_t max)
{
    size_t written = 0;
    bool blank = true; /* drops leading blanks too */
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool space = c == ' ' || (c >= '\t' && c <= '\r');
        if (space && blank)
            continue;
        if (written == max)
            return zc_buf_puts(out, "...");
        blank = space;
        char shown = '?';
        if (space)
            shown = ' ';
        else if (c > 0x20 && c < 0x7F)
            shown = text[i];
        zc_status status = zc_buf_putc(out, shown);
        if (status != ZC_OK)
            return status;
        written++;
    }
    return ZC_OK;
}

const char *zc_header_find(const char *block, const char *name, size_t *len)
{
    size_t name_len = strlen(name);
    for (const char *line = block; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        size_t line_len = end != NULL ? (size_t)(end - line) : strlen(line);
        if (line_len > name_len && line[name_len] == ':' && strncasecmp(line, name, name_len) == 0) {
            const char *value = line + name_len + 1;
            const char *stop = line + line_len;
            while (value < stop && (*value == ' ' || *value == '\t'))
                value++;
            while (stop > value && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
                stop--;
            *len = (size_t)(stop - value);
            return value;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return NULL;
}
