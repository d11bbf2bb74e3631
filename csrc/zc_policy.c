#include "zc_policy.h"
#include "zc_date.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RATE_SLOTS_MAX 1000
#define BACKOFF_BASE 0.5
#define BACKOFF_CAP 30.0

/* Seconds by which a window is wider than it need be: departures are timed here, but arrivals are what the gateway
 * counts, and the way there is not always equally long. */
#define RATE_MARGIN 0.05

/* ---- rate ------------------------------------------------------------------------------- */

zc_status zc_rate_init(zc_rate *rate, double per_second)
{
    memset(rate, 0, sizeof *rate);
    if (!(per_second > 0) || isinf(per_second))
        return ZC_OK;
    double slots = per_second < 1 ? 1 : floor(per_second);
    if (slots > RATE_SLOTS_MAX)
        slots = RATE_SLOTS_MAX;
    rate->left_at = malloc((size_t)slots * sizeof *rate->left_at);
    if (rate->left_at == NULL)
        return ZC_ENOMEM;
    rate->slots = (size_t)slots;
    rate->span = slots / per_second + RATE_MARGIN;
    for (size_t i = 0; i < rate->slots; i++)
        rate->left_at[i] = -HUGE_VAL;
    return ZC_OK;
}

zc_status zc_rate_init_leased(zc_rate *rate, size_t most)
{
    zc_status status = zc_rate_init(rate, (double)most);
    rate->leased = true;
    return status;
}

static size_t oldest(const zc_rate *rate)
{
    size_t best = 0;
    for (size_t i = 1; i < rate->slots; i++)
        if (rate->left_at[i] < rate->left_at[best])
            best = i;
    return best;
}

double zc_rate_ready_at(const zc_rate *rate)
{
    if (rate->leased)
        return rate->permits > 0 ? -HUGE_VAL : HUGE_VAL;
    return rate->slots == 0 ? -HUGE_VAL : rate->left_at[oldest(rate)] + rate->span;
}

size_t zc_rate_admit(zc_rate *rate)
{
    if (rate->slots == 0)
        return 0;
    size_t slot = oldest(rate);
    rate->left_at[slot] = HUGE_VAL;
    if (rate->permits > 0)
        rate->permits--;
    return slot;
}

void zc_rate_depart(zc_rate *rate, size_t *slot, double now)
{
    if (rate->slots > 0 && *slot != ZC_NO_SLOT)
        rate->left_at[*slot] = rate->leased ? -HUGE_VAL : now;
    *slot = ZC_NO_SLOT;
    rate->left++;
}

void zc_rate_release(zc_rate *rate, size_t *slot)
{
    /* a request that libcurl sent a second time may have used the slot of one that is not on its way yet */
    if (rate->slots > 0 && *slot != ZC_NO_SLOT && rate->left_at[*slot] == HUGE_VAL) {
        rate->left_at[*slot] = -HUGE_VAL;
        rate->returned++;
    }
    *slot = ZC_NO_SLOT;
}

void zc_rate_free(zc_rate *rate)
{
    free(rate->left_at);
    memset(rate, 0, sizeof *rate);
}

/* ---- pace ------------------------------------------------------------------------------- */

void zc_pace_init(zc_pace *pace, size_t most)
{
    pace->most = pace->allowed = most < 1 ? 1 : most;
    pace->paused_until = -HUGE_VAL;
}

void zc_pace_refused(zc_pace *pace, double until)
{
    pace->allowed = 1;
    if (until > pace->paused_until)
        pace->paused_until = until;
}

void zc_pace_answered(zc_pace *pace, double sent_at)
{
    if (pace->allowed < pace->most && sent_at >= pace->paused_until)
        pace->allowed++;
}

/* ---- retry ------------------------------------------------------------------------------ */

typedef enum left { LEFT_OR_NOT, NOT_LEFT, LEFT } left;
typedef enum repeat { NEVER, IF_REPEATABLE, ALWAYS } repeat;

/* What follows from the end of an attempt: the first row that fits counts, and what fits none is final. A request that
 * never left did nothing on the server, nor did one that was refused with 429 (reference 7.3); one whose answer was
 * lost, or is a 5xx, may have been acted upon (reference 11), and there is no key by which Zoho would know it again
 * (reference 4.7). */
static const struct {
    zc_failure failure;
    int first_status;
    int last_status;
    left sent;
    repeat again;
    bool uncertain;
    bool slow_down;
} rules[] = {
    {ZC_FAIL_NONE, 429, 429, LEFT_OR_NOT, ALWAYS, false, true},
    {ZC_FAIL_NONE, 502, 504, LEFT_OR_NOT, IF_REPEATABLE, true, false},
    {ZC_FAIL_NONE, 500, 599, LEFT_OR_NOT, NEVER, true, false},
    {ZC_FAIL_NETWORK, 0, 999, NOT_LEFT, ALWAYS, false, false},
    {ZC_FAIL_NETWORK, 0, 999, LEFT, IF_REPEATABLE, true, false},
    {ZC_FAIL_TIMEOUT, 0, 999, NOT_LEFT, ALWAYS, false, false},
    {ZC_FAIL_TIMEOUT, 0, 999, LEFT, IF_REPEATABLE, true, false},
    {ZC_FAIL_PROTOCOL, 0, 999, LEFT, NEVER, true, false},
    {ZC_FAIL_TOO_LARGE, 0, 999, LEFT, NEVER, true, false},
    {ZC_FAIL_CANCELLED, 0, 999, LEFT, NEVER, true, false},
};

zc_consequence zc_policy_judge(const zc_verdict *verdict, bool repeatable)
{
    left sent = verdict->sent ? LEFT : NOT_LEFT;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].failure != verdict->failure || (rules[i].sent != LEFT_OR_NOT && rules[i].sent != sent) ||
            verdict->status < rules[i].first_status || verdict->status > rules[i].last_status)
            continue;
        return (zc_consequence){
            .repeat =
                verdict->transient && (rules[i].again == ALWAYS || (rules[i].again == IF_REPEATABLE && repeatable)),
            .uncertain = rules[i].uncertain,
            .slow_down = rules[i].slow_down,
        };
    }
    return (zc_consequence){0};
}

double zc_policy_wait(const zc_verdict *verdict, unsigned attempt, double uniform, double most)
{
    double ceiling = BACKOFF_BASE;
    for (unsigned i = 1; i < attempt && ceiling < BACKOFF_CAP; i++)
        ceiling *= 2;
    double wait = uniform * fmin(fmin(ceiling, BACKOFF_CAP), most);
    return fmax(wait, verdict->retry_after);
}

double zc_policy_retry_after(const char *value, size_t n, double now)
{
    double seconds = 0;
    size_t digits = 0;
    while (digits < n && value[digits] >= '0' && value[digits] <= '9')
        seconds = fmin(seconds * 10 + (value[digits++] - '0'), 1e9);
    if (n > 0 && digits == n)
        return seconds;
    double at = zc_date_parse(value, n);
    return at < 0 ? -1 : fmax(at - now, 0);
}
