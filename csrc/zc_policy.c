#include "zc_policy.h"

#include <curl/curl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RATE_SLOTS_MAX 1000
#define BACKOFF_BASE 0.5
#define BACKOFF_CAP 30.0

/* Widens the window a little: departures are timed here, but arrivals are what the gateway counts. */
#define RATE_MARGIN 1.02

zc_status zc_rate_init(zc_rate *rate, double per_second)
{
    memset(rate, 0, sizeof *rate);
    if (!(per_second > 0) || isinf(per_second))
        return ZC_OK;
    double slots = per_second < 1 ? 1 : floor(per_second);
    if (slots > RATE_SLOTS_MAX)
        slots = RATE_SLOTS_MAX;
    rate->sent = malloc((size_t)slots * sizeof *rate->sent);
    if (rate->sent == NULL)
        return ZC_ENOMEM;
    rate->slots = (size_t)slots;
    rate->span = slots / per_second * RATE_MARGIN;
    for (size_t i = 0; i < rate->slots; i++)
        rate->sent[i] = -HUGE_VAL;
    return ZC_OK;
}

double zc_rate_ready_at(const zc_rate *rate)
{
    return rate->slots == 0 ? -HUGE_VAL : rate->sent[rate->next] + rate->span;
}

void zc_rate_note(zc_rate *rate, double now)
{
    if (rate->slots == 0)
        return;
    rate->sent[rate->next] = now;
    rate->next = (rate->next + 1) % rate->slots;
}

void zc_rate_free(zc_rate *rate)
{
    free(rate->sent);
    memset(rate, 0, sizeof *rate);
}

bool zc_policy_may_repeat(const zc_verdict *verdict, bool repeatable)
{
    switch (verdict->failure) {
    case ZC_FAIL_NONE:
        if (verdict->status == 429)
            return true;
        return repeatable && (verdict->status == 502 || verdict->status == 503 || verdict->status == 504);
    case ZC_FAIL_NETWORK:
    case ZC_FAIL_TIMEOUT:
        return verdict->transient && (repeatable || !verdict->sent);
    case ZC_FAIL_PROTOCOL:
    case ZC_FAIL_TOO_LARGE:
    case ZC_FAIL_CANCELLED:
    case ZC_FAIL_MEMORY:
        return false;
    }
    return false;
}

double zc_policy_delay(const zc_verdict *verdict, unsigned attempt, double uniform)
{
    double ceiling = BACKOFF_BASE;
    for (unsigned i = 1; i < attempt && ceiling < BACKOFF_CAP; i++)
        ceiling *= 2;
    double delay = uniform * (ceiling < BACKOFF_CAP ? ceiling : BACKOFF_CAP);
    return delay > verdict->retry_after ? delay : verdict->retry_after;
}

double zc_policy_retry_after(const char *value, size_t n)
{
    char text[64];
    if (n == 0 || n >= sizeof text)
        return -1;
    memcpy(text, value, n);
    text[n] = '\0';
    if (strspn(text, "0123456789") == n)
        return n > 9 ? 1e9 : (double)strtol(text, NULL, 10);
    time_t at = curl_getdate(text, NULL);
    if (at == (time_t)-1)
        return -1;
    double wait = difftime(at, time(NULL));
    return wait > 0 ? wait : 0;
}
