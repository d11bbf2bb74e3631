/* When a request may leave (rate, pace) and what follows from the end of an attempt (retry). Pure
 * arithmetic: clocks and random numbers are arguments. */
#ifndef ZC_POLICY_H
#define ZC_POLICY_H

#include "zc_buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- rate ------------------------------------------------------------------------------- */

/* The departures of the last second: one slot each, free again `span` seconds after it was used. This
 * bounds every window of a second, where a bucket that refills while it is used lets twice the rate
 * through; the gateway refuses the eleventh request of *any* second (reference 1.4). */
typedef struct zc_rate {
    double *left_at; /* by slot: when its request left; HUGE_VAL: admitted, but not on its way yet */
    size_t slots;    /* 0: no limit */
    double span;
    bool leased;     /* somebody else counts, for several clients, and gives permits */
    size_t permits;  /* given, and not used by an admission yet */
    size_t left;     /* requests that left since this was asked for */
    size_t returned; /* permits that ended with requests which never left, since this was asked for */
} zc_rate;

#define ZC_NO_SLOT SIZE_MAX

/* per_second: requests per second, fractions allowed; 0: no limit. */
zc_status zc_rate_init(zc_rate *rate, double per_second);
/* A rate whose requests need a permit each. most: how many may be under way at once. */
zc_status zc_rate_init_leased(zc_rate *rate, size_t most);
/* The earliest time at which the next request may leave: it may be past; HUGE_VAL: once an admitted one has left. */
double zc_rate_ready_at(const zc_rate *rate);
/* Takes the slot that has been free for longest. It counts as used from now on, as its request leaves at a time to
 * come: when its connection stands. */
size_t zc_rate_admit(zc_rate *rate);
/* The request of a slot has left. The slot is not its own any more: another one may have it before this one ends. */
void zc_rate_depart(zc_rate *rate, size_t *slot, double now);
/* The request of a slot has ended; one that never left gives its slot back. */
void zc_rate_release(zc_rate *rate, size_t *slot);
void zc_rate_free(zc_rate *rate);

/* ---- pace ------------------------------------------------------------------------------- */

/* How many calls may be under way at once. A 429 slows the whole client down: nothing leaves during the pause that it
 * asks for; then one call goes alone, and each good answer lets one more go with it, up to `most` again. */
typedef struct zc_pace {
    size_t most;
    size_t allowed;
    double paused_until;
} zc_pace;

void zc_pace_init(zc_pace *pace, size_t most);
/* A 429 came. until: the end of the pause. */
void zc_pace_refused(zc_pace *pace, double until);
/* Another answer came, to a request that left at sent_at: those from before the pause say nothing. */
void zc_pace_answered(zc_pace *pace, double sent_at);

/* ---- retry ------------------------------------------------------------------------------ */

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

/* Which limit a ZC_FAIL_TIMEOUT passed. */
typedef enum zc_limit {
    ZC_LIMIT_NONE = 0,
    ZC_LIMIT_CONNECT, /* name, TCP and TLS of an attempt */
    ZC_LIMIT_STALL,   /* no byte came or went for so long */
    ZC_LIMIT_ATTEMPT, /* one attempt */
    ZC_LIMIT_DEADLINE /* the call with all its attempts and waits */
} zc_limit;

typedef struct zc_verdict {
    zc_failure failure;
    zc_limit limit;     /* of a timeout */
    long status;        /* HTTP status when failure is ZC_FAIL_NONE */
    bool sent;          /* bytes of the request may have reached the server */
    bool transient;     /* the same attempt may fare better (no refused certificate, no wrong name) */
    double retry_after; /* seconds the server asked to wait; negative: it said nothing */
} zc_verdict;

/* What follows from a verdict; the table is in zc_policy.c. */
typedef struct zc_consequence {
    bool repeat;    /* another attempt may be made */
    bool slow_down; /* the client has to pause */
    bool uncertain; /* the server may have acted on the request, and its answer does not tell */
} zc_consequence;

/* repeatable: the call changes nothing on the server, or doing it twice is the same as doing it once. */
zc_consequence zc_policy_judge(const zc_verdict *verdict, bool repeatable);

/* Seconds to wait after the attempt number `attempt` (from 1): exponential with full jitter, that is `uniform` (in
 * [0, 1)) times min(0.5 * 2^(attempt-1), 30, most), but at least what the server asked for. */
double zc_policy_wait(const zc_verdict *verdict, unsigned attempt, double uniform, double most);

/* Reads a Retry-After value (RFC 9110 10.2.3: whole seconds or a date) into seconds; negative when it is neither. now:
 * seconds since the epoch, by the server's clock if it is known. */
double zc_policy_retry_after(const char *value, size_t n, double now);

#endif
