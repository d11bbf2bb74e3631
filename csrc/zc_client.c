/* The client: what it is made of, and what it knows. What its calls go through is in zc_schedule.c. */
#include "zc_client_private.h"
#include "zc_sigpipe.h"
#include "zc_text.h"
#include "zc_url.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void zc_client_release(zc_client *client)
{
    if (--client->references > 0)
        return;
    if (client->api_key != NULL)
        zc_wipe(client->api_key, strlen(client->api_key));
    free(client->api_key);
    free(client->connection);
    free(client->ca_file);
    free(client->proxy);
    free(client->user_agent);
    zc_buf_free(&client->base[ZC_GATEWAY]);
    zc_buf_free(&client->base[ZC_CONTROL]);
    zc_rate_free(&client->rate);
    zc_buf_free(&client->spare);
    free(client);
}

static zc_status copy_text(char **out, const char *text, const char *name, const char **what, const char **why)
{
    if (text == NULL || text[0] == '\0')
        return ZC_OK;
    *what = name;
    if (!zc_header_value_valid(text, strlen(text))) {
        *why = "it contains a line break or another control character";
        return ZC_EINVAL;
    }
    *out = zc_strndup(text, strlen(text));
    return *out != NULL ? ZC_OK : ZC_ENOMEM;
}

static zc_status copy_settings(zc_client *client, const zc_settings *settings, const char **what, const char **why)
{
    const struct {
        char **field;
        const char *text;
        const char *name;
    } texts[] = {
        {&client->api_key, settings->api_key, "api_key"},
        {&client->connection, settings->connection, "connection"},
        {&client->ca_file, settings->ca_file, "ca_file"},
        {&client->proxy, settings->proxy, "proxy"},
        {&client->user_agent, settings->user_agent, "user_agent"},
    };
    zc_status status = ZC_OK;
    for (size_t i = 0; i < sizeof texts / sizeof *texts && status == ZC_OK; i++)
        status = copy_text(texts[i].field, texts[i].text, texts[i].name, what, why);
    if (status == ZC_OK && client->proxy != NULL) {
        *what = "proxy";
        status = zc_url_proxy(client->proxy, why);
    }
    const char *bases[] = {settings->gateway_url, settings->control_url};
    const char *names[] = {"gateway_url", "control_url"};
    for (size_t i = 0; i < 2 && status == ZC_OK; i++) {
        *what = names[i];
        status = zc_url_base(&client->base[i], bases[i], why);
    }
    if (status == ZC_OK)
        status = settings->leased && !settings->offline
                     ? zc_rate_init_leased(&client->rate, settings->concurrency)
                     : zc_rate_init(&client->rate, settings->offline ? 0 : settings->rate);
    client->timeout = settings->timeout;
    client->connect_timeout = settings->connect_timeout;
    client->stall_timeout = settings->stall_timeout;
    client->max_retry_wait = settings->max_retry_wait;
    client->retries = settings->retries;
    client->per_second = settings->rate;
    zc_pace_init(&client->pace, settings->concurrency);
    client->max_response_bytes = settings->max_response_bytes;
    client->offline = settings->offline;
    return status;
}

zc_status zc_client_new(zc_client **out, const zc_settings *settings, const zc_env *env, const char **what,
                        const char **why)
{
    zc_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return ZC_ENOMEM;
    client->references = 1;
    client->owner = getpid();
    client->env = env != NULL ? *env : zc_env_system;
    client->due = client->wake_at = client->look_at = client->limits_due = HUGE_VAL;
    client->limits_seen = -HUGE_VAL;
    for (size_t i = 0; i < ZC_SIGNALS; i++)
        client->signals[i].value = -1;
    zc_status status = copy_settings(client, settings, what, why);
    if (status != ZC_OK) {
        zc_client_release(client);
        return status;
    }
    *out = client;
    return ZC_OK;
}

bool zc_client_key_is(const zc_client *client, const char *key, size_t n)
{
    size_t own = client->api_key != NULL ? strlen(client->api_key) : 0;
    unsigned difference = own != n;
    for (size_t i = 0; i < n && own > 0; i++)
        difference |= (unsigned char)(key[i] ^ client->api_key[i % own]);
    return difference == 0;
}

const char *zc_client_base(const zc_client *client, zc_target target)
{
    return zc_buf_str(&client->base[target]);
}

void zc_client_permit(zc_client *client, long change, zc_demand *demand)
{
    zc_rate *rate = &client->rate;
    if (change >= 0)
        rate->permits += (size_t)change;
    else
        rate->permits -= rate->permits < 0 - (size_t)change ? rate->permits : 0 - (size_t)change;
    size_t room = client->pace.allowed > client->in_flight ? client->pace.allowed - client->in_flight : 0;
    *demand = (zc_demand){client->wanting < room ? client->wanting : room, rate->permits, rate->left, rate->returned};
    rate->left = rate->returned = 0;
}

/* ---- limits -------------------------------------------------------------------------------- */

static const char *const signal_headers[ZC_SIGNALS] = {
    [ZC_CREDITS_REMAINING] = "x-api-credits-remaining",
    [ZC_RATELIMIT_LIMIT] = "x-ratelimit-limit",
    [ZC_RATELIMIT_REMAINING] = "x-ratelimit-remaining",
    [ZC_RATELIMIT_RESET] = "x-ratelimit-reset",
};

void zc_client_note_signals(zc_client *client, const char *head)
{
    for (size_t i = 0; i < ZC_SIGNALS; i++) {
        size_t n = 0;
        const char *text = zc_header_find(head, signal_headers[i], &n);
        double value = 0;
        size_t digits = 0;
        while (digits < n && digits < 15 && text[digits] >= '0' && text[digits] <= '9')
            value = value * 10 + (text[digits++] - '0');
        if (n > 0 && digits == n)
            client->signals[i] = (zc_signal){value, client->env.now(client->env.data)};
    }
}

void zc_client_limits(const zc_client *client, zc_limits *limits)
{
    double now = client->env.now(client->env.data);
    for (size_t i = 0; i < ZC_SIGNALS; i++)
        limits->signals[i] = (zc_signal){client->signals[i].value, now - client->signals[i].at};
    limits->rate = client->rate.slots > 0 ? client->per_second : 0;
    limits->concurrency = client->pace.most;
    limits->allowed = client->pace.allowed;
    limits->in_flight = client->in_flight;
    limits->waiting = client->live - client->in_flight;
    limits->paused_for = fmax(client->pace.paused_until - now, 0);
}

/* ---- the end ------------------------------------------------------------------------------- */

void zc_client_close(zc_client *client)
{
    if (client->closed)
        return;
    client->closed = true;
    zc_client_check_fork(client);
    while (client->first != NULL) {
        zc_call *call = client->first;
        zc_call_cancel(call, "the client was closed");
        if (!client->offline)
            zc_call_forget_headers(call);
    }
    zc_sigpipe signals;
    zc_sigpipe_hold(&signals);
    zc_http_close(client, false);
    zc_sigpipe_restore(&signals);
    if (client->api_key != NULL) /* calls that nobody has taken may keep the client's memory */
        zc_wipe(client->api_key, strlen(client->api_key));
    if (client->watch != NULL)
        zc_watch_timer(client->watch, 0); /* who waits is to see it */
    client->watch = NULL;
    zc_client_release(client);
}
