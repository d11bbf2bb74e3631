/* Clients that wait in a loop of somebody else's: libcurl says which sockets it waits for, and a watch has them. The
 * callbacks only note; libcurl is moved on by zc_client_poll, as ever. */
#define _POSIX_C_SOURCE 200809L
#include "zc_client_private.h"
#include "zc_sigpipe.h"

#include <math.h>
#include <strings.h>
#include <unistd.h>

/* Sockets that are served in one look. The others are served in the next one, after the host's other work. */
#define EVENTS_MAX 16

/* libcurl 7.88.1 now and then sleeps through data that it has already buffered (HTTP/2 with gzip): no socket tells of
 * that. So where HTTP/2 is possible it is made to look at all transfers so many seconds after the last byte, then after
 * twice that, and so on. */
#define LOOK_FIRST 0.02
#define LOOK_MAX 1.0

static double system_now(void)
{
    return zc_env_system.now(NULL);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *data)
{
    (void)easy, (void)data;
    const zc_client *client = user;
    bool removed = what == CURL_POLL_REMOVE;
    zc_watch_socket(client->watch, fd, !removed && (what & CURL_POLL_IN) != 0, !removed && (what & CURL_POLL_OUT) != 0);
    return 0;
}

/* Lets libcurl look at every transfer and every socket, whatever it knows of them. */
static void look_at_all(zc_client *client)
{
    int running = 0;
    client->limits_stale = true;
#if defined __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#endif
    /* Deprecated as something to do each time. Nothing else tells of the sockets of transfers that are under way. */
    curl_multi_socket_all(client->multi, &running);
#if defined __GNUC__
#pragma GCC diagnostic pop
#endif
}

void zc_drive_open(zc_client *client)
{
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    if (client->in_flight > 0)
        look_at_all(client);
}

void zc_client_watch(zc_client *client, zc_watch *watch)
{
    zc_client_check_fork(client);
    if (client->watch == watch)
        return;
    client->watch = watch;
    zc_drive_stirred(client);
    zc_sigpipe signals;
    zc_sigpipe_hold(&signals);
    if (client->multi != NULL)
        zc_drive_open(client);
    zc_sigpipe_restore(&signals);
    client->news = client->news && client->live > 0;
    if (client->live > 0)
        zc_client_rouse(client);
}

static bool may_speak_http2(const zc_client *client)
{
    return strncasecmp(zc_client_base(client, ZC_GATEWAY), "https:", 6) == 0 ||
           strncasecmp(zc_client_base(client, ZC_CONTROL), "https:", 6) == 0;
}

void zc_drive_stirred(zc_client *client)
{
    if (client->watch == NULL)
        return;
    client->look_after = LOOK_FIRST;
    client->look_at = may_speak_http2(client) ? system_now() + LOOK_FIRST : HUGE_VAL;
}

void zc_drive(zc_client *client, bool sockets)
{
    zc_event events[EVENTS_MAX];
    int running = 0;
    size_t count = sockets ? zc_watch_take(client->watch, events, EVENTS_MAX) : 0;
    if (client->multi == NULL)
        return;
    if (count > 0) {
        client->limits_stale = true;
        zc_drive_stirred(client);
    }
    for (size_t i = 0; i < count; i++) {
        int what = (events[i].read ? CURL_CSELECT_IN : 0) | (events[i].write ? CURL_CSELECT_OUT : 0);
        curl_multi_socket_action(client->multi, events[i].fd, what, &running);
    }
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    double at = system_now();
    if (client->watch->blind || (client->in_flight > 0 && at >= client->look_at)) {
        look_at_all(client);
        client->look_after = fmin(client->look_after * 2, LOOK_MAX);
        client->look_at = at + client->look_after;
    }
}

/* Seconds until something is to be done by the clock. */
static double seconds_to_wait(const zc_client *client)
{
    if (client->news || (client->offline && client->in_flight > 0)) /* its host has parked calls to answer */
        return 0;
    double at = system_now();
    double seconds = client->due - client->env.now(client->env.data);
    if (client->multi != NULL && client->in_flight > 0) {
        long milliseconds = -1;
        curl_multi_timeout(client->multi, &milliseconds);
        if (milliseconds >= 0)
            seconds = fmin(seconds, (double)milliseconds / 1000);
        seconds = fmin(seconds, client->watch->blind ? LOOK_FIRST : client->look_at - at);
    }
    return fmax(seconds, 0);
}

void zc_drive_alarm(zc_client *client)
{
    double seconds = seconds_to_wait(client);
    double at = system_now();
    double wake_at = seconds < HUGE_VAL ? at + fmin(seconds, ZC_WATCH_SECONDS_MAX) : HUGE_VAL;
    /* A timer that ends too early costs a look; setting it anew at each step would cost more, as most of what is waited
     * for is a limit that is moved on before it is reached. */
    if (wake_at >= client->wake_at && client->wake_at > at)
        return;
    if (wake_at == HUGE_VAL && client->wake_at == HUGE_VAL)
        return;
    client->wake_at = wake_at;
    zc_watch_timer(client->watch, seconds);
}

void zc_drive_sleep(zc_client *client, double seconds)
{
    bool news = client->news; /* not for who sleeps here */
    client->news = false;
    zc_drive_alarm(client);
    zc_watch_sleep(client->watch, seconds);
    client->news = news;
}

bool zc_client_attend(zc_client *client)
{
    bool news = client->news;
    client->news = false;
    if (news && client->watch != NULL)
        zc_drive_alarm(client);
    return news;
}

void zc_client_rouse(zc_client *client)
{
    if (client->watch == NULL || client->watch->owner != getpid())
        return;
    client->wake_at = -HUGE_VAL;
    zc_watch_timer(client->watch, 0);
}

double zc_client_timeout(const zc_client *client)
{
    if (client->watch == NULL)
        return HUGE_VAL;
    return client->wake_at > system_now() ? seconds_to_wait(client) : 0;
}
