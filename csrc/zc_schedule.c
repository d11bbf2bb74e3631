/* The way of calls through their client, from waiting to done: who may leave, what has come, what took too long, and
 * what follows. */
#define _POSIX_C_SOURCE 200809L
#include "zc_client_private.h"
#include "zc_sigpipe.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* libcurl 7.88.1 now and then sleeps through data that it has already buffered (HTTP/2 with gzip), so
 * no single sleep may be long. */
#define SLEEP_MAX 0.02

/* Seconds of its deadline that a call needs to have left for an attempt: no answer comes in less, and a write sent for
 * nothing may happen all the same. */
#define ATTEMPT_MIN 0.001

static double now(const zc_client *client)
{
    return client->env.now(client->env.data);
}

/* ---- the end of a call --------------------------------------------------------------------- */

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

/* The attempt is over, if there is one. */
static void land(zc_call *call)
{
    zc_client *client = call->client;
    if (call->state != ZC_SENDING && call->state != ZC_PARKED)
        return;
    zc_http_drop(call);
    zc_rate_release(&client->rate, &call->slot);
    client->in_flight--;
    client->limits_stale = true; /* one that waited for its connection may leave */
}

/* Ends the call with the verdict that stands in it. */
static void finish(zc_call *call)
{
    land(call);
    unlink_call(call);
    call->state = ZC_DONE;
    call->client->news = true;
}

static bool under_way(const zc_call *call)
{
    return call->state == ZC_PARKED || (call->state == ZC_SENDING && zc_http_has_left(call));
}

static void fail(zc_call *call, zc_failure failure, const char *message)
{
    call->verdict = (zc_verdict){.failure = failure, .sent = under_way(call), .retry_after = -1};
    snprintf(call->message, sizeof call->message, "%s", message);
    finish(call);
}

void zc_call_cancel(zc_call *call, const char *why)
{
    if (call->state == ZC_NEW || call->state == ZC_DONE)
        return;
    zc_sigpipe signals;
    zc_sigpipe_hold(&signals);
    fail(call, ZC_FAIL_CANCELLED, why);
    zc_sigpipe_restore(&signals);
    zc_client_rouse(call->client); /* there is room for another one */
}

bool zc_call_may_have_happened(const zc_call *call)
{
    if (call->state != ZC_DONE)
        return call->uncertain || under_way(call);
    return call->uncertain || zc_policy_judge(&call->verdict, call->repeatable).uncertain;
}

void zc_client_check_fork(zc_client *client)
{
    pid_t self = getpid();
    if (client->watch != NULL && client->watch->owner != self) {
        if (zc_watch_reopen(client->watch) != ZC_OK)
            client->watch = NULL;
        zc_client_rouse(client);
    }
    if (client->owner == self || client->offline) /* a sandbox in this process was forked with its calls */
        return;
    zc_http_close(client, true);
    for (zc_call *call = client->first; call != NULL;) {
        zc_call *next = call->next;
        call->easy = NULL;
        zc_call_cancel(call, "the process was forked while the call was under way; it belongs to the parent");
        call = next;
    }
    client->owner = self;
}

/* ---- leaving ------------------------------------------------------------------------------- */

/* When the attempt under way has taken too long, and by which limit. */
static double next_limit(const zc_call *call, zc_limit *limit)
{
    bool left = zc_http_has_left(call);
    const struct {
        double at;
        zc_limit limit;
    } limits[] = {
        {call->expires, ZC_LIMIT_DEADLINE},
        {call->sent_at + call->timeout, ZC_LIMIT_ATTEMPT},
        {call->moved_at + call->stall_timeout, left ? ZC_LIMIT_STALL : ZC_LIMIT_NONE},
        {call->sent_at + call->client->connect_timeout, left ? ZC_LIMIT_NONE : ZC_LIMIT_CONNECT},
    };
    double due = HUGE_VAL;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (limits[i].limit != ZC_LIMIT_NONE && limits[i].at < due) {
            due = limits[i].at;
            *limit = limits[i].limit;
        }
    }
    return due;
}

static void send_call(zc_call *call)
{
    zc_client *client = call->client;
    double at = now(client);
    call->slot = zc_rate_admit(&client->rate);
    zc_status status = client->offline ? ZC_OK : zc_http_send(call);
    if (status != ZC_OK) {
        zc_rate_release(&client->rate, &call->slot);
        if (status == ZC_EINVAL)
            finish(call); /* the verdict is there */
        else
            fail(call, ZC_FAIL_MEMORY, "not enough memory");
        return;
    }
    call->sent_at = call->moved_at = at;
    call->moved = 0;
    call->state = client->offline ? ZC_PARKED : ZC_SENDING;
    call->attempts++;
    client->in_flight++;
    zc_limit which = ZC_LIMIT_NONE;
    client->limits_due = fmin(client->limits_due, next_limit(call, &which));
    client->limits_stale = true;
    zc_drive_stirred(client);
}

/* Sends what may leave now, in the order of starting: nothing overtakes, but a call that has to wait before it is
 * repeated lets others go first. Returns when the next one may leave; HUGE_VAL: when another one has ended, or none
 * waits. */
static double admit(zc_client *client)
{
    double at = now(client);
    double due = HUGE_VAL;
    client->wanting = 0;
    if (client->live == client->in_flight) /* none waits */
        return due;
    for (zc_call *call = client->first; call != NULL;) {
        zc_call *next = call->next;
        if (call->state == ZC_WAITING && at >= call->expires) {
            fail(call, ZC_FAIL_TIMEOUT, "the deadline passed before the request could be sent");
            call->verdict.limit = ZC_LIMIT_DEADLINE;
            call->verdict.transient = true;
        } else if (call->state == ZC_WAITING && client->in_flight < client->pace.allowed) {
            double free_at = fmax(call->not_before, client->pace.paused_until);
            double ready = fmax(free_at, zc_rate_ready_at(&client->rate));
            if (call->expires - at < ATTEMPT_MIN)
                ready = HUGE_VAL;
            if (ready <= at) {
                send_call(call);
            } else {
                client->wanting += free_at <= at;
                due = fmin(due, fmin(ready, call->expires));
            }
        } else if (call->state == ZC_WAITING) {
            due = fmin(due, call->expires);
        }
        call = next;
    }
    return due;
}

/* ---- the end of an attempt ----------------------------------------------------------------- */

/* An attempt has ended: repeat it later, or be done. */
static void conclude(zc_call *call)
{
    zc_client *client = call->client;
    const zc_verdict *verdict = &call->verdict;
    double at = now(client);
    if (call->attempts <= ZC_ATTEMPTS_MAX)
        call->log[call->attempts - 1] =
            (zc_attempt){verdict->failure, verdict->limit, verdict->status, at - call->sent_at};
    zc_consequence then = zc_policy_judge(verdict, call->repeatable);
    if (verdict->failure == ZC_FAIL_NONE)
        zc_client_note_signals(client, zc_buf_str(&call->head));
    if (verdict->failure == ZC_FAIL_NONE && !then.slow_down)
        zc_pace_answered(&client->pace, call->sent_at);
    bool again = then.repeat && call->attempts <= call->retries && call->attempts < ZC_ATTEMPTS_MAX;
    double wait = 0;
    if (again || then.slow_down)
        wait = zc_policy_wait(verdict, call->attempts, client->env.uniform(client->env.data), client->max_retry_wait);
    bool patient = wait <= client->max_retry_wait;
    /* a pause longer than anyone here would wait is not kept: every call then hears for itself how long it is */
    if (then.slow_down)
        zc_pace_refused(&client->pace, patient ? at + wait : -HUGE_VAL);
    if (!again || !patient || call->expires - (at + wait) < ATTEMPT_MIN) {
        finish(call);
        return;
    }
    call->uncertain = call->uncertain || then.uncertain;
    land(call);
    call->not_before = at + wait;
    call->state = ZC_WAITING;
}

static void transfer(zc_client *client, bool sockets)
{
    int running = 0;
    int left = 0;
    CURLMsg *message;
    if (client->watch != NULL)
        zc_drive(client, sockets);
    else if (client->multi != NULL)
        curl_multi_perform(client->multi, &running);
    if (client->multi == NULL)
        return;
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

/* ---- what took too long --------------------------------------------------------------------- */

/* Ends the attempts that took too long; what came in time was read before, however late we are. Returns when the next
 * one will have. Hosts that look a thousand times a second do not go over all attempts each time: none has taken too
 * long before limits_due, and when a request left or bytes came need not be known any better than to SLEEP_MAX. That it
 * must be, as other limits follow from it. */
static double enforce_limits(zc_client *client)
{
    double at = now(client);
    double due = HUGE_VAL;
    if (client->in_flight == 0)
        return client->limits_due = HUGE_VAL;
    double look_at = client->limits_seen + SLEEP_MAX;
    if (client->watch != NULL && at < fmin(client->limits_due, look_at))
        return client->limits_stale ? fmin(client->limits_due, look_at) : client->limits_due;
    client->limits_seen = at;
    client->limits_stale = false;
    size_t left = client->offline ? 0 : client->in_flight;
    for (zc_call *call = client->first; call != NULL && left > 0;) {
        zc_call *next = call->next;
        if (call->state == ZC_SENDING) {
            zc_limit limit = ZC_LIMIT_NONE;
            double moved = zc_http_moved(call);
            if (moved != call->moved) {
                call->moved_at = at;
                zc_drive_stirred(client);
            }
            call->moved = moved;
            left--;
            double limit_at = next_limit(call, &limit);
            if (at >= limit_at) {
                zc_http_timed_out(call, limit);
                conclude(call);
            } else {
                due = fmin(due, limit_at);
            }
        }
        call = next;
    }
    client->limits_due = due;
    return due;
}

/* ---- moving on ------------------------------------------------------------------------------- */

/* Does all that can be done now; with a watch and without `sockets` only what needs no look at them. Returns when the
 * clock alone makes something possible. */
static double move(zc_client *client, bool sockets)
{
    admit(client);
    transfer(client, sockets);
    double limit = enforce_limits(client);
    client->due = fmin(limit, admit(client)); /* an attempt that ended may have made room */
    if (client->watch != NULL)
        zc_drive_alarm(client);
    return client->due;
}

static void wait_for(zc_client *client, double due, double seconds)
{
    if (client->in_flight == 0 && client->env.sleep_until != NULL) {
        client->env.sleep_until(client->env.data, due);
        return;
    }
    if (client->watch != NULL) {
        zc_drive_sleep(client, seconds);
        return;
    }
    double wait =
        fmin(fmin(seconds, SLEEP_MAX), client->env.sleep_until != NULL ? SLEEP_MAX : fmax(0, due - now(client)));
    curl_multi_poll(client->multi, NULL, 0, (int)ceil(wait * 1000), NULL);
}

size_t zc_client_poll(zc_client *client, double seconds)
{
    if (client->live == 0 && client->watch == NULL)
        return 0;
    zc_sigpipe signals;
    zc_sigpipe_hold(&signals);
    zc_client_check_fork(client);
    size_t before = client->live;
    double due = move(client, true);
    bool host_is_next = client->offline && client->in_flight > 0; /* it has parked calls to answer */
    if (seconds > 0 && client->live == before && client->live > 0 && !host_is_next && zc_http_open(client) == ZC_OK) {
        wait_for(client, due, seconds);
        move(client, true);
    }
    zc_sigpipe_restore(&signals);
    return client->live;
}

zc_status zc_client_start(zc_client *client, zc_call *call)
{
    if (client->closed || call->client != client || call->state != ZC_NEW)
        return ZC_EINVAL;
    zc_client_check_fork(client); /* before this call is one of those that are given up */
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
    /* what comes for others is their hosts' business: who starts a hundred calls does not look a hundred times */
    zc_sigpipe signals;
    zc_sigpipe_hold(&signals);
    move(client, false);
    zc_sigpipe_restore(&signals);
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
    zc_client_rouse(call->client);
    return ZC_OK;
}
