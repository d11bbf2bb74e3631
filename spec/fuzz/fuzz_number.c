/* The parser of numbers against strtod and strtoll. */
#include "target.h"
#include "zc_number.h"

#include <errno.h>
#include <string.h>

/* RFC 8259 section 6, read anew: the length of the number at `text`, 0 where there is none. */
static size_t number_length(const char *text)
{
    static const char digits[] = "0123456789";
    const char *p = text + (*text == '-');
    size_t whole = strspn(p, digits);
    if (whole == 0)
        return 0;
    p += *p == '0' ? 1 : whole;
    if (*p == '.') {
        size_t fraction = strspn(p + 1, digits);
        if (fraction == 0)
            return 0;
        p += 1 + fraction;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        size_t exponent = strspn(p, digits);
        if (exponent == 0)
            return 0;
        p += exponent;
    }
    return (size_t)(p - text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int opened;
    if (!opened++)
        zc_number_open();
    char *text = input_text(data, n);
    zc_number number = {0};
    size_t length = number_length(text);
    const char *end = zc_number_parse(text, &number);
    MUST((end == NULL) == (length == 0));
    if (end != NULL) {
        MUST(end == text + length);
        text[length] = '\0';
        errno = 0;
        long long integer = strtoll(text, NULL, 10);
        int is_integer = strpbrk(text, ".eE") == NULL && errno == 0 && (integer != 0 || *text != '-');
        MUST(number.is_integer == (is_integer != 0));
        if (is_integer)
            MUST(number.integer == integer);
        else {
            double real = strtod(text, NULL);
            MUST(memcmp(&real, &number.real, sizeof real) == 0);
        }
    }
    free(text);
    return 0;
}
