/* Many sockets and a timer behind one descriptor, which is readable when one of them has something to say: what a loop
 * of somebody else's has to watch. It stays the same whatever sockets come and go, so that no loop can be left with the
 * number of a socket that was closed, and taken by another file, behind its back. */
#ifndef ZC_WATCH_H
#define ZC_WATCH_H

#include "zc_buf.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct zc_watched zc_watched;

typedef struct zc_watch {
    int fd; /* negative: not open */
    int timer;
    pid_t owner; /* the process that opened it */
    bool blind;  /* the system refused to watch a socket */
    zc_watched *sockets;
    size_t count;
    size_t capacity;
} zc_watch;

/* A socket with something to say. */
typedef struct zc_event {
    int fd;
    bool read; /* both for an error, too: who tries will meet it */
    bool write;
} zc_event;

/* The longest time that a timer is set to, in seconds. */
#define ZC_WATCH_SECONDS_MAX 86400.0

#define ZC_WATCH_CLOSED ((zc_watch){.fd = -1, .timer = -1})

/* Opens it, without sockets and with the timer off. ZC_EINVAL: the system refuses, see errno. */
zc_status zc_watch_open(zc_watch *watch);
/* Closes it, unless that was done. In a forked child the parent's stays what it is. */
void zc_watch_close(zc_watch *watch);
/* In a forked child: a watch of its own in place of the parent's; on Linux it keeps the number, for loops that know it
 * by that. ZC_EINVAL: it is closed then. */
zc_status zc_watch_reopen(zc_watch *watch);
/* From now on a socket is watched for this; for neither: not any more. A socket must be let go before it is closed. */
void zc_watch_socket(zc_watch *watch, int fd, bool read, bool write);
/* Says that a socket was opened whose end will be told by zc_watch_closing. While nobody wants to hear of it, the
 * system may go on watching it, as it does when a connection is kept for the next request: that saves telling the
 * system twice for each. */
void zc_watch_opened(zc_watch *watch, int fd);
/* Says that a socket is about to be closed. */
void zc_watch_closing(zc_watch *watch, int fd);
/* Sets the timer: so many seconds from now, ZC_WATCH_SECONDS_MAX at most; 0: the descriptor is readable at once;
 * HUGE_VAL: off. It stays readable until the next zc_watch_take or zc_watch_timer. */
void zc_watch_timer(zc_watch *watch, double seconds);
/* Fills in what sockets have to say now, at most n, and calms the timer. What does not fit is there the next time. */
size_t zc_watch_take(zc_watch *watch, zc_event *events, size_t n);
/* Sleeps until there is something, at most for so long. */
void zc_watch_sleep(const zc_watch *watch, double seconds);

#endif
