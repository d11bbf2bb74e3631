/* On Linux by epoll and a timerfd, elsewhere (macOS, BSD) by kqueue. */
#if defined __linux__
#define _POSIX_C_SOURCE 200809L
#endif
#include "zc_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if defined __linux__
#include <sys/epoll.h>
#include <sys/timerfd.h>
#else
#include <sys/event.h>
#include <sys/time.h>
#endif

#define TAKE_MAX 64

#define READ 1u
#define WRITE 2u

struct zc_watched {
    int fd;
    unsigned wanted;  /* by who called zc_watch_socket */
    unsigned watched; /* by the system */
    bool lasting;     /* see zc_watch_opened */
};

void zc_watch_close(zc_watch *watch)
{
#if defined __linux__
    bool ours = true;
#else
    bool ours = watch->owner == getpid(); /* a forked child has no copy of a kqueue */
#endif
    if (watch->timer >= 0)
        close(watch->timer);
    if (watch->fd >= 0 && ours)
        close(watch->fd);
    free(watch->sockets);
    *watch = ZC_WATCH_CLOSED;
}

zc_status zc_watch_reopen(zc_watch *watch)
{
#if defined __linux__
    zc_watch fresh;
    zc_status status = zc_watch_open(&fresh);
    if (status != ZC_OK || dup2(fresh.fd, watch->fd) < 0 || fcntl(watch->fd, F_SETFD, FD_CLOEXEC) != 0) {
        zc_watch_close(&fresh);
        zc_watch_close(watch);
        return ZC_EINVAL;
    }
    close(fresh.fd);
    close(watch->timer);
    free(watch->sockets);
    fresh.fd = watch->fd;
    *watch = fresh;
    return ZC_OK;
#else
    zc_watch_close(watch);
    return zc_watch_open(watch);
#endif
}

void zc_watch_sleep(const zc_watch *watch, double seconds)
{
    struct pollfd one = {.fd = watch->fd, .events = POLLIN};
    poll(&one, 1, (int)ceil(fmin(fmax(seconds, 0), ZC_WATCH_SECONDS_MAX) * 1000));
}

/* Changes what the system watches a socket for, from one set of READ and WRITE to another. */
static bool system_watches(const zc_watch *watch, int fd, unsigned from, unsigned to);

/* There are no more sockets than connections: a look at each costs less than a question to the system. */
static zc_watched *find(const zc_watch *watch, int fd)
{
    for (size_t i = 0; i < watch->count; i++)
        if (watch->sockets[i].fd == fd)
            return &watch->sockets[i];
    return NULL;
}

static zc_watched *find_or_add(zc_watch *watch, int fd)
{
    zc_watched *socket = find(watch, fd);
    if (socket != NULL)
        return socket;
    if (watch->count == watch->capacity) {
        size_t capacity = watch->capacity * 2 + 8;
        zc_watched *longer = realloc(watch->sockets, capacity * sizeof *longer);
        if (longer == NULL)
            return NULL;
        watch->sockets = longer;
        watch->capacity = capacity;
    }
    watch->sockets[watch->count] = (zc_watched){.fd = fd};
    return &watch->sockets[watch->count++];
}

static void set(zc_watch *watch, zc_watched *socket, unsigned to)
{
    if (socket->watched == to)
        return;
    if (system_watches(watch, socket->fd, socket->watched, to))
        socket->watched = to;
    else
        watch->blind = true;
}

static void forget(zc_watch *watch, zc_watched *socket)
{
    set(watch, socket, 0);
    *socket = watch->sockets[--watch->count];
}

void zc_watch_socket(zc_watch *watch, int fd, bool read, bool write)
{
    unsigned wanted = (read ? READ : 0u) | (write ? WRITE : 0u);
    zc_watched *socket = wanted != 0 ? find_or_add(watch, fd) : find(watch, fd);
    if (socket == NULL) {
        watch->blind = watch->blind || wanted != 0;
        return;
    }
    socket->wanted = wanted;
    if (wanted != 0)
        set(watch, socket, wanted);
    else if (!socket->lasting)
        forget(watch, socket);
}

void zc_watch_opened(zc_watch *watch, int fd)
{
    /* An older one of the number, whose end was not told: the system has forgotten it. For the caller nothing may have
     * changed, as with an address that libcurl tries after another one, so that what was wanted of it still is. */
    const zc_watched *older = find(watch, fd);
    unsigned wanted = older != NULL ? older->wanted : 0;
    zc_watch_closing(watch, fd);
    zc_watched *socket = find_or_add(watch, fd);
    if (socket == NULL)
        return;
    socket->lasting = true;
    socket->wanted = wanted;
    set(watch, socket, wanted);
}

void zc_watch_closing(zc_watch *watch, int fd)
{
    zc_watched *socket = find(watch, fd);
    if (socket != NULL)
        forget(watch, socket);
}

/* Of what the system says of a socket, that which is wanted. A socket that has something to say while nobody wants to
 * hear it, such as a connection that ends while it is idle, is not watched any more. */
static bool wanted_event(zc_watch *watch, zc_event *event)
{
    zc_watched *socket = find(watch, event->fd);
    if (socket == NULL)
        return false;
    event->read = event->read && (socket->wanted & READ) != 0;
    event->write = event->write && (socket->wanted & WRITE) != 0;
    if (socket->wanted == 0)
        set(watch, socket, 0);
    return event->read || event->write;
}

#if defined __linux__

zc_status zc_watch_open(zc_watch *watch)
{
    *watch = (zc_watch){.fd = epoll_create1(EPOLL_CLOEXEC), .timer = -1, .owner = getpid()};
    if (watch->fd >= 0)
        watch->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = watch->timer};
    if (watch->timer >= 0 && epoll_ctl(watch->fd, EPOLL_CTL_ADD, watch->timer, &event) == 0)
        return ZC_OK;
    int why = errno;
    zc_watch_close(watch);
    errno = why;
    return ZC_EINVAL;
}

static bool system_watches(const zc_watch *watch, int fd, unsigned from, unsigned to)
{
    struct epoll_event event = {.events = ((to & READ) != 0 ? EPOLLIN : 0u) | ((to & WRITE) != 0 ? EPOLLOUT : 0u),
                                .data.fd = fd};
    int how = from == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (to == 0) { /* it is no mistake to let go of what was closed */
        epoll_ctl(watch->fd, EPOLL_CTL_DEL, fd, &event);
        return true;
    }
    if (epoll_ctl(watch->fd, how, fd, &event) == 0)
        return true;
    return (errno == ENOENT || errno == EEXIST) &&
           epoll_ctl(watch->fd, how == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0;
}

void zc_watch_timer(zc_watch *watch, double seconds)
{
    struct itimerspec spec = {{0, 0}, {0, 0}};
    if (seconds < HUGE_VAL) {
        double whole = 0;
        double part = modf(fmin(fmax(seconds, 1e-9), ZC_WATCH_SECONDS_MAX), &whole); /* 0 would turn it off */
        spec.it_value.tv_sec = (time_t)whole;
        spec.it_value.tv_nsec = (long)fmin(ceil(part * 1e9), 999999999.0);
    }
    timerfd_settime(watch->timer, 0, &spec, NULL);
}

size_t zc_watch_take(zc_watch *watch, zc_event *events, size_t n)
{
    struct epoll_event ready[TAKE_MAX];
    size_t count = 0;
    int found = epoll_wait(watch->fd, ready, (int)(n < TAKE_MAX ? n : TAKE_MAX), 0);
    for (int i = 0; i < found; i++) {
        bool broken = (ready[i].events & (EPOLLERR | EPOLLHUP)) != 0;
        if (ready[i].data.fd == watch->timer) {
            uint64_t times;
            while (read(watch->timer, &times, sizeof times) < 0 && errno == EINTR) {
            }
            continue;
        }
        events[count] = (zc_event){ready[i].data.fd, broken || (ready[i].events & EPOLLIN) != 0,
                                   broken || (ready[i].events & EPOLLOUT) != 0};
        count += wanted_event(watch, &events[count]);
    }
    return count;
}

#else

zc_status zc_watch_open(zc_watch *watch)
{
    *watch = (zc_watch){.fd = kqueue(), .timer = -1, .owner = getpid()};
    if (watch->fd < 0)
        return ZC_EINVAL;
    fcntl(watch->fd, F_SETFD, FD_CLOEXEC);
    return ZC_OK;
}

/* Changes one thing that is watched. It is no mistake to let go of what is not watched. */
static bool change(const zc_watch *watch, uintptr_t ident, short filter, bool on, intptr_t data)
{
    struct kevent event;
    unsigned short flags = on ? EV_ADD : EV_DELETE;
    if (on && filter == EVFILT_TIMER)
        flags |= EV_ONESHOT;
    EV_SET(&event, ident, filter, flags, 0, data, NULL);
    return kevent(watch->fd, &event, 1, NULL, 0, NULL) == 0 || !on;
}

static bool system_watches(const zc_watch *watch, int fd, unsigned from, unsigned to)
{
    unsigned differ = from ^ to;
    bool reads = (differ & READ) == 0 || change(watch, (uintptr_t)fd, EVFILT_READ, (to & READ) != 0, 0);
    bool writes = (differ & WRITE) == 0 || change(watch, (uintptr_t)fd, EVFILT_WRITE, (to & WRITE) != 0, 0);
    return reads && writes;
}

void zc_watch_timer(zc_watch *watch, double seconds)
{
    change(watch, 0, EVFILT_TIMER, false, 0);
    if (seconds < HUGE_VAL) /* in milliseconds, the unit that all systems share */
        change(watch, 0, EVFILT_TIMER, true, (intptr_t)ceil(fmin(fmax(seconds, 0), ZC_WATCH_SECONDS_MAX) * 1000));
}

size_t zc_watch_take(zc_watch *watch, zc_event *events, size_t n)
{
    struct kevent ready[TAKE_MAX];
    const struct timespec none = {0, 0};
    size_t count = 0;
    int found = kevent(watch->fd, NULL, 0, ready, (int)(n < TAKE_MAX ? n : TAKE_MAX), &none);
    for (int i = 0; i < found; i++) {
        if (ready[i].filter == EVFILT_TIMER)
            continue;
        events[count] =
            (zc_event){(int)ready[i].ident, ready[i].filter == EVFILT_READ, ready[i].filter == EVFILT_WRITE};
        count += wanted_event(watch, &events[count]);
    }
    return count;
}

#endif
