/* The client: its calls' state machine, from waiting to done. */
#define _POSIX_C_SOURCE 200809L
#include "zc_client_private.h"
#include "zc_sigpipe.h"
#include "zc_text.h"
#include "zc_url.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* libcurl 7.88.1 now and then sleeps through data that it has already buffered (HTTP/2 with gzip), so
 * no single sleep may be long. */
#define SLEEP_MAX 0.02

static double system_now(void *data)
{
    (void)data;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* splitmix64 over the clock: jitter needs spread, not secrecy. */
static double system_uniform(void *data)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t z = (uint64_t)t.tv_nsec + ((uint64_t)t.tv_sec << 30) + (uint64_t)(uintptr_t)data + (uint64_t)getpid();
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static double now(const zc_client *client)
{
    return client->env.now(client->env.data);
}

/* ---- making and unmaking ------------------------------------------------------------------ */

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
        status = zc_rate_init(&client->rate, settings->offline ? 0 : settings->rate);
    client->timeout = settings->timeout;
    client->connect_timeout = settings->connect_timeout;
    client->max_retry_wait = settings->max_retry_wait;
    client->retries = settings->retries;
    client->concurrency = settings->concurrency < 1 ? 1 : settings->concurrency;
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
    client->env.now = env != NULL ? env->now : system_now;
    client->env.uniform = env != NULL ? env->uniform : system_uniform;
    client->env.data = env != NULL ? env->data : client;
    client->paused_until = -HUGE_VAL;
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

/* ---- a call's life ------------------------------------------------------------------------ */

static void unlink_call(zc_call *call)
{
    zc_client *client = call->client;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        client->first = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    else
        client->last = call->previous;
    call->previous = call->next = NULL;
    client->live--;
}

/* Ends the call with the verdict that stands in it. */
static void finish(zc_call *call)
{
    if (call->state == ZC_SENDING || call->state == ZC_PARKED)
        call->client->in_flight--;
    zc_http_drop(call);
    unlink_call(call);
    call->state = ZC_DONE;
}

static void fail(zc_call *call, zc_failure failure, const char *message)
{
    call->verdict.failure = failure;
    call->verdict.transient = false;
    call->verdict.retry_after = -1;
    snprintf(call->message, sizeof call->message, "%s", message);
    finish(call);
}

void zc_call_cancel(zc_call *call, const char *why)
{
    if (call->state == ZC_NEW || call->state == ZC_DONE)
        return;
    zc_sigpipe signals;
    zc_sigpipe_hold(&signals);
    call->verdict.sent = call->state == ZC_SENDING;
    fail(call, ZC_FAIL_CANCELLED, why);
    zc_sigpipe_restore(&signals);
}

/* ---- moving calls forward ----------------------------------------------------------------- */

/* After a fork the connections belong to the parent: the child lets go of them, untouched. */
static void check_fork(zc_client *client)
{
    if (client->multi == NULL || client->owner == getpid())
        return;
    zc_http_close(client, true);
    for (zc_call *call = client->first; call != NULL;) {
        zc_call *next = call->next;
        call->easy = NULL;
        zc_call_cancel(call, "the process was forked while the call was under way; it belongs to the parent");
        call = next;
    }
}

static void send_call(zc_call *call)
{
    zc_client *client = call->client;
    double at = now(client);
    zc_status status = client->offline ? ZC_OK : zc_http_send(call);
    if (status != ZC_OK) {
        fail(call, ZC_FAIL_MEMORY, "not enough memory");
        return;
    }
    client->owner = getpid();
    zc_rate_note(&client->rate, at);
    call->sent_at = at;
    call->state = client->offline ? ZC_PARKED : ZC_SENDING;
    call->attempts++;
    client->in_flight++;
}

/* Sends what may leave now, in the order of starting. Returns when the next one may, HUGE_VAL for
 * "when another one has ended" or "none waits". */
static double admit(zc_client *client)
{
    double due = HUGE_VAL;
    for (zc_call *call = client->first; call != NULL;) {
        zc_call *next = call->next;
        double at = now(client);
        if (call->state == ZC_WAITING && at >= call->expires) {
            fail(call, ZC_FAIL_TIMEOUT, "the deadline passed before the request could be sent");
        } else if (call->state == ZC_WAITING && client->in_flight < client->concurrency) {
            double ready = fmax(fmax(call->not_before, client->paused_until), zc_rate_ready_at(&client->rate));
            if (ready <= at)
                send_call(call);
            else
                due = fmin(due, fmin(ready, call->expires));
        } else if (call->state == ZC_WAITING) {
            due = fmin(due, call->expires);
        }
        call = next;
    }
    return due;
}

/* An attempt has ended: repeat it later, or be done. */
static void conclude(zc_call *call)
{
    zc_client *client = call->client;
    zc_verdict *verdict = &call->verdict;
    double at = now(client);
    if (call->attempts <= ZC_ATTEMPTS_MAX)
        call->log[call->attempts - 1] = (zc_attempt){verdict->failure, verdict->status, at - call->sent_at};
    bool again = call->attempts <= call->retries && call->attempts < ZC_ATTEMPTS_MAX &&
                 zc_policy_may_repeat(verdict, call->repeatable);
    double delay = zc_policy_delay(verdict, call->attempts, client->env.uniform(client->env.data));
    if (!again || delay > client->max_retry_wait || at + delay >= call->expires) {
        finish(call);
        return;
    }
    if (verdict->failure == ZC_FAIL_NONE && verdict->status == 429)
        client->paused_until = fmax(client->paused_until, at + delay);
    zc_http_drop(call);
    client->in_flight--;
    call->not_before = at + delay;
    call->state = ZC_WAITING;
}

static void transfer(zc_client *client)
{
    int running = 0;
    int left = 0;
    CURLMsg *message;
    if (client->multi == NULL)
        return;
    curl_multi_perform(client->multi, &running);
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; /* the message dies with the handle */
        char *owner = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
        zc_http_judge((zc_call *)(void *)owner, code);
        conclude((zc_call *)(void *)owner);
    }
}

size_t zc_client_poll(zc_client *client, double seconds)
{
    if (client->live == 0)
        return 0;
    zc_sigpipe signals;
    zc_sigpipe_hold(&signals);
    check_fork(client);
    size_t before = client->live;
    admit(client);
    transfer(client);
    double due = admit(client);                                   /* an attempt that ended may have made room */
    bool host_is_next = client->offline && client->in_flight > 0; /* it has parked calls to answer */
    if (seconds > 0 && client->live == before && client->live > 0 && !host_is_next && zc_http_open(client) == ZC_OK) {
        double wait = fmin(fmin(seconds, SLEEP_MAX), fmax(0, due - now(client)));
        client->owner = getpid();
        curl_multi_poll(client->multi, NULL, 0, (int)ceil(wait * 1000), NULL);
        admit(client);
        transfer(client);
        admit(client);
    }
    zc_sigpipe_restore(&signals);
    return client->live;
}

zc_status zc_client_start(zc_client *client, zc_call *call)
{
    if (client->closed || call->client != client || call->state != ZC_NEW)
        return ZC_EINVAL;
    zc_status status = zc_call_finish_headers(call);
    if (status != ZC_OK)
        return status;
    call->expires = call->deadline > 0 ? now(client) + call->deadline : HUGE_VAL;
    call->not_before = -HUGE_VAL;
    call->state = ZC_WAITING;
    call->previous = client->last;
    if (client->last != NULL)
        client->last->next = call;
    else
        client->first = call;
    client->last = call;
    client->live++;
    zc_client_poll(client, 0);
    return ZC_OK;
}

zc_status zc_call_answer(zc_call *call, long status, const char *head, size_t head_len, const char *body,
                         size_t body_len)
{
    if (call->state != ZC_PARKED)
        return ZC_EINVAL;
    call->reply.limit = call->client->max_response_bytes;
    zc_buf_clear(&call->head);
    zc_buf_clear(&call->reply);
    zc_status stored = zc_buf_append(&call->head, head, head_len);
    if (stored == ZC_OK)
        stored = zc_buf_append(&call->reply, body, body_len);
    if (stored == ZC_ENOMEM)
        return stored;
    call->verdict.sent = true;
    zc_http_answered(call, status);
    if (stored == ZC_ETOOBIG)
        zc_http_overflow(call, &call->reply);
    conclude(call);
    return ZC_OK;
}

void zc_client_close(zc_client *client)
{
    if (client->closed)
        return;
    client->closed = true;
    check_fork(client);
    while (client->first != NULL)
        zc_call_cancel(client->first, "the client was closed");
    zc_sigpipe signals;
    zc_sigpipe_hold(&signals);
    zc_http_close(client, false);
    zc_sigpipe_restore(&signals);
    zc_client_release(client);
}
