#define _POSIX_C_SOURCE 200809L
#include "zc_sigpipe.h"

#include <stddef.h>
#include <time.h>
#include <unistd.h>

/* Takes the signal, which is blocked, if it has come. */
static void take_pending(void)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGPIPE);
#if defined _POSIX_REALTIME_SIGNALS && _POSIX_REALTIME_SIGNALS > 0
    struct timespec none = {0, 0};
    while (sigtimedwait(&ours, NULL, &none) > 0) {
    }
#else
    /* macOS and OpenBSD have no sigtimedwait. Writing to a lost connection signals the thread that wrote, so that no
     * other can take the signal between the question and the wait. */
    sigset_t pending;
    int number = 0;
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1)
        sigwait(&ours, &number);
#endif
}

void zc_sigpipe_hold(zc_sigpipe *saved)
{
    struct sigaction action;
    saved->ignored = sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
    if (saved->ignored)
        return;
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
    if (saved->ignored)
        return;
    if (!saved->pending)
        take_pending();
    pthread_sigmask(SIG_SETMASK, &saved->mask, NULL);
}
