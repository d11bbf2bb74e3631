/* When a request may leave (rate) and whether a failed attempt is repeated (retry). Pure arithmetic:
 * the clock and the random number are arguments. */
#ifndef ZC_POLICY_H
#define ZC_POLICY_H

#include "zc_buf.h"

#include <stdbool.h>
#include <stddef.h>

/* The last `slots` departures; the next may leave `span` seconds after the oldest of them. A sliding
 * window rather than a leaky bucket, because the gateway refuses the eleventh request of *any* second. */
typedef struct zc_rate {
    double *sent; /* ring of departure times */
    size_t slots; /* 0: no limit */
    size_t next;  /* where the next departure is written: the oldest one */
    double span;
} zc_rate;

/* per_second: requests per second, fractions allowed; 0: no limit. */
zc_status zc_rate_init(zc_rate *rate, double per_second);
/* The earliest time at which the next request may leave; it may be past. */
double zc_rate_ready_at(const zc_rate *rate);
/* Notes a departure. */
void zc_rate_note(zc_rate *rate, double now);
void zc_rate_free(zc_rate *rate);

/* How an attempt ended. */
typedef enum zc_failure {
    ZC_FAIL_NONE = 0, /* the server answered, whatever the status */
    ZC_FAIL_NETWORK,
    ZC_FAIL_TIMEOUT,
    ZC_FAIL_PROTOCOL,
    ZC_FAIL_TOO_LARGE,
    ZC_FAIL_CANCELLED,
    ZC_FAIL_MEMORY
} zc_failure;

typedef struct zc_verdict {
    zc_failure failure;
    long status;        /* HTTP status when failure is ZC_FAIL_NONE */
    bool sent;          /* bytes of the request may have reached the server */
    bool transient;     /* the same attempt may fare better (no refused certificate, no wrong name) */
    double retry_after; /* seconds the server asked to wait; negative: it said nothing */
} zc_verdict;

/* Whether the attempt may be repeated. repeatable: the call changes nothing on the server, or the
 * same thing twice is once. A request that never left, or that was refused with 429, did nothing and
 * may always be repeated; one whose fate is unknown only if it is repeatable (reference 4.7, 11). */
bool zc_policy_may_repeat(const zc_verdict *verdict, bool repeatable);

/* Seconds to wait after the attempt number `attempt` (from 1): exponential with full jitter
 * (uniform in [0, min(30, 0.5 * 2^(attempt-1)))), but at least what the server asked for. */
double zc_policy_delay(const zc_verdict *verdict, unsigned attempt, double uniform);

/* Reads a Retry-After value (RFC 9110 10.2.3: seconds or a date); negative when it is neither. */
double zc_policy_retry_after(const char *value, size_t n);

#endif
