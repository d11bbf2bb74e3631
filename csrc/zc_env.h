/* Time and chance: the system's, or a test's own. */
#ifndef ZC_ENV_H
#define ZC_ENV_H

#include "zc_buf.h"

#include <stddef.h>

typedef struct zc_env {
    double (*now)(void *data);     /* seconds of a clock that only goes forward */
    double (*date)(void *data);    /* seconds since the epoch */
    double (*uniform)(void *data); /* in [0, 1) */
    /* Called when nothing is under way and nothing can happen before that time. NULL: time passes by itself. */
    void (*sleep_until)(void *data, double time);
    void *data;
} zc_env;

extern const zc_env zc_env_system;

/* An environment for tests: a clock that moves only when it is told to, or when a client sleeps, which takes no time
 * and is noted; and chosen random numbers. */
typedef struct zc_virtual {
    double time;   /* seconds since it was made */
    double epoch;  /* the date at time 0 */
    zc_buf random; /* of double: given out in turn, over and over; none: 0.5 */
    size_t random_next;
    zc_buf waits; /* of double: the lengths of all sleeps */
} zc_virtual;

/* The environment around a zc_virtual, which must outlive its users' activity. */
zc_env zc_virtual_env(zc_virtual *virtual);
/* Moves the clock on. */
void zc_virtual_advance(zc_virtual *virtual, double seconds);
void zc_virtual_free(zc_virtual *virtual);

#endif
