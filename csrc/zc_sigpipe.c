#define _POSIX_C_SOURCE 200809L
#include "zc_sigpipe.h"

#include <stddef.h>
#include <time.h>

void zc_sigpipe_hold(zc_sigpipe *saved)
{
    sigset_t blocked;
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    saved->pending = sigismember(&pending, SIGPIPE) == 1;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &blocked, &saved->mask);
}

void zc_sigpipe_restore(const zc_sigpipe *saved)
{
    if (!saved->pending) {
        sigset_t ours;
        struct timespec none = {0, 0};
        sigemptyset(&ours);
        sigaddset(&ours, SIGPIPE);
        while (sigtimedwait(&ours, NULL, &none) > 0) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &saved->mask, NULL);
}
