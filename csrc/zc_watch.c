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

/* The longest time that is set; a timer that ends too early costs but a look. */
#define SECONDS_MAX 86400.0

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
    poll(&one, 1, (int)ceil(fmin(fmax(seconds, 0), SECONDS_MAX) * 1000));
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

void zc_watch_socket(zc_watch *watch, int fd, bool read, bool write)
{
    struct epoll_event event = {.events = (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u), .data.fd = fd};
    if (!read && !write) {
        epoll_ctl(watch->fd, EPOLL_CTL_DEL, fd, &event);
    } else if (epoll_ctl(watch->fd, EPOLL_CTL_MOD, fd, &event) != 0) {
        if (errno != ENOENT || epoll_ctl(watch->fd, EPOLL_CTL_ADD, fd, &event) != 0)
            watch->blind = true;
    }
}

void zc_watch_timer(zc_watch *watch, double seconds)
{
    struct itimerspec spec = {{0, 0}, {0, 0}};
    if (seconds < HUGE_VAL) {
        double whole = 0;
        double part = modf(fmin(fmax(seconds, 1e-9), SECONDS_MAX), &whole); /* 0 would turn it off */
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
        events[count++] = (zc_event){ready[i].data.fd, broken || (ready[i].events & EPOLLIN) != 0,
                                     broken || (ready[i].events & EPOLLOUT) != 0};
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

void zc_watch_socket(zc_watch *watch, int fd, bool read, bool write)
{
    bool reads = change(watch, (uintptr_t)fd, EVFILT_READ, read, 0);
    bool writes = change(watch, (uintptr_t)fd, EVFILT_WRITE, write, 0);
    watch->blind = watch->blind || !reads || !writes;
}

void zc_watch_timer(zc_watch *watch, double seconds)
{
    change(watch, 0, EVFILT_TIMER, false, 0);
    if (seconds < HUGE_VAL) /* in milliseconds, the unit that all systems share */
        change(watch, 0, EVFILT_TIMER, true, (intptr_t)ceil(fmin(fmax(seconds, 0), SECONDS_MAX) * 1000));
}

size_t zc_watch_take(zc_watch *watch, zc_event *events, size_t n)
{
    struct kevent ready[TAKE_MAX];
    const struct timespec none = {0, 0};
    size_t count = 0;
    int found = kevent(watch->fd, NULL, 0, ready, (int)(n < TAKE_MAX ? n : TAKE_MAX), &none);
    for (int i = 0; i < found; i++) {
        if (ready[i].filter != EVFILT_TIMER)
            events[count++] =
                (zc_event){(int)ready[i].ident, ready[i].filter == EVFILT_READ, ready[i].filter == EVFILT_WRITE};
    }
    return count;
}

#endif
