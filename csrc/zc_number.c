#define _POSIX_C_SOURCE 200809L
#ifdef __linux__
#define _GNU_SOURCE /* strtod_l */
#endif
#include "zc_number.h"

#include <locale.h>
#include <stdlib.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#define MANTISSA_DIGITS 19 /* as many always fit into 64 bits */
#define EXACT_MANTISSA ((uint64_t)1 << 53)
#define EXACT_POWER 22 /* 10^22 is the largest power of ten that a double holds exactly */

static locale_t c_locale; /* immutable once made; never freed, as a thread may be parsing */

void zc_number_open(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What the scan collects: value = mantissa * 10^exponent, unless digits were dropped. */
typedef struct decimal {
    uint64_t mantissa;
    int digits; /* significant ones in mantissa */
    int64_t exponent;
    bool dropped;
    bool fraction_or_exponent;
} decimal;

static void add_digit(decimal *d, char c, bool fraction)
{
    if (d->digits < MANTISSA_DIGITS) {
        d->mantissa = d->mantissa * 10 + (uint64_t)(c - '0');
        if (d->mantissa != 0)
            d->digits++;
        if (fraction)
            d->exponent--;
    } else {
        d->dropped = true;
    }
}

static const char *scan_exponent(const char *p, decimal *d)
{
    bool negative = *p == '-';
    int64_t exponent = 0;
    if (*p == '+' || *p == '-')
        p++;
    if (!is_digit(*p))
        return NULL;
    for (; is_digit(*p); p++)
        if (exponent < INT64_MAX / 100) /* no text has digits enough to make up for more */
            exponent = exponent * 10 + (*p - '0');
    d->exponent += negative ? -exponent : exponent;
    return p;
}

static const char *scan(const char *p, decimal *d)
{
    if (*p == '0')
        p++;
    else if (is_digit(*p))
        for (; is_digit(*p); p++)
            add_digit(d, *p, false);
    else
        return NULL;
    if (*p == '.') {
        d->fraction_or_exponent = true;
        if (!is_digit(*++p))
            return NULL;
        for (; is_digit(*p); p++)
            add_digit(d, *p, true);
    }
    if (*p == 'e' || *p == 'E') {
        d->fraction_or_exponent = true;
        p = scan_exponent(p + 1, d);
    }
    return p;
}

/* Exact where mantissa and power are exact doubles: one correctly rounded operation remains. */
static bool fast_real(const decimal *d, double *out)
{
    static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->dropped || d->mantissa > EXACT_MANTISSA || d->exponent < -EXACT_POWER || d->exponent > EXACT_POWER)
        return false;
    double mantissa = (double)d->mantissa;
    *out = d->exponent < 0 ? mantissa / powers[-d->exponent] : mantissa * powers[d->exponent];
    return true;
}

const char *zc_number_parse(const char *text, zc_number *out)
{
    decimal d = {0};
    bool negative = *text == '-';
    const char *end = scan(negative ? text + 1 : text, &d);
    if (end == NULL)
        return NULL;
    bool whole = !d.fraction_or_exponent && !d.dropped;
    /* -0 is left to the doubles, which have it */
    out->is_integer = whole && (negative ? d.mantissa - 1 <= (uint64_t)INT64_MAX : d.mantissa <= (uint64_t)INT64_MAX);
    if (out->is_integer) {
        out->integer = negative ? -(int64_t)(d.mantissa - 1) - 1 : (int64_t)d.mantissa;
        return end;
    }
    if (fast_real(&d, &out->real))
        out->real = negative ? -out->real : out->real;
    else
        out->real = c_locale != (locale_t)0 ? strtod_l(text, NULL, c_locale) : strtod(text, NULL);
    return end;
}
