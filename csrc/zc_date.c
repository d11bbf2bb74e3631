/* curl_getdate is no help here: made for what people type, it takes "S 6 Feb 2026", the 31st of February and the year
 * 444444446 for dates. */
#include "zc_date.h"

#include <stdbool.h>
#include <string.h>

/* The three forms, in the notation of strftime. They are the same in every locale, so strptime will not do. */
static const char *const forms[] = {
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
};

static const char *const days[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

typedef struct moment {
    int year;
    int month; /* from 0 */
    int day;
    int hour;
    int minute;
    int second;
} moment;

/* Each reader returns the place behind what it read; NULL where something else stands. */

static const char *read_digits(const char *p, int count, int *number)
{
    *number = 0;
    for (; count > 0; count--, p++) {
        if (*p < '0' || *p > '9')
            return NULL;
        *number = *number * 10 + (*p - '0');
    }
    return p;
}

/* letters: of each name; 0: all of them. */
static const char *read_name(const char *p, const char *const *names, int count, size_t letters, int *which)
{
    for (int i = 0; i < count; i++) {
        size_t n = letters > 0 ? letters : strlen(names[i]);
        if (strncmp(p, names[i], n) == 0) {
            *which = i;
            return p + n;
        }
    }
    return NULL;
}

static const char *read_field(const char *p, char field, moment *at)
{
    int weekday = 0; /* it follows from the date, so it is not compared */
    switch (field) {
    case 'a':
        return read_name(p, days, 7, 3, &weekday);
    case 'A':
        return read_name(p, days, 7, 0, &weekday);
    case 'b':
        return read_name(p, months, 12, 3, &at->month);
    case 'e':
        return *p == ' ' ? read_digits(p + 1, 1, &at->day) : read_digits(p, 2, &at->day);
    case 'd':
        return read_digits(p, 2, &at->day);
    case 'H':
        return read_digits(p, 2, &at->hour);
    case 'M':
        return read_digits(p, 2, &at->minute);
    case 'S':
        return read_digits(p, 2, &at->second);
    case 'Y':
        return read_digits(p, 4, &at->year);
    case 'y':
        p = read_digits(p, 2, &at->year);
        at->year += at->year > 70 ? 1900 : 2000;
        return p;
    default:
        return NULL;
    }
}

static bool read_form(const char *p, const char *form, moment *at)
{
    for (; *form != '\0'; form++) {
        if (*form == '%')
            p = read_field(p, *++form, at);
        else
            p = *p == *form ? p + 1 : NULL;
        if (p == NULL)
            return false;
    }
    return *p == '\0';
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool exists(const moment *at)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int length = lengths[at->month] + (at->month == 1 && is_leap(at->year));
    /* 60: a leap second */
    return at->day >= 1 && at->day <= length && at->hour <= 23 && at->minute <= 59 && at->second <= 60;
}

static double seconds_since_epoch(const moment *at)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int last = at->year - 1;
    int leap_days = last / 4 - last / 100 + last / 400 - 477 + (at->month > 1 && is_leap(at->year)); /* 477: to 1969 */
    double day = 365.0 * (at->year - 1970) + leap_days + before[at->month] + at->day - 1;
    return day * 86400 + at->hour * 3600 + at->minute * 60 + at->second;
}

double zc_date_parse(const char *value, size_t n)
{
    char text[40]; /* the longest date has 33 characters */
    if (n >= sizeof text || memchr(value, '\0', n) != NULL)
        return -1;
    memcpy(text, value, n);
    text[n] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        moment at = {0};
        if (read_form(text, forms[i], &at))
            return exists(&at) && at.year >= 1970 ? seconds_since_epoch(&at) : -1;
    }
    return -1;
}
