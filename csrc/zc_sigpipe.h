/* Keeps SIGPIPE away from the host while libcurl works. TLS libraries write to sockets that the peer
 * may have closed; how the host handles the signal is not ours to change, so it is held back in this
 * thread, and taken if it came. */
#ifndef ZC_SIGPIPE_H
#define ZC_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

typedef struct zc_sigpipe {
    sigset_t mask; /* the thread's mask before */
    bool pending;  /* the signal was there before us: it is the host's */
    bool ignored;  /* the host ignores it: there is nothing to do */
} zc_sigpipe;

/* Begins to hold the signal back. Pairs may be nested. */
void zc_sigpipe_hold(zc_sigpipe *saved);
/* Ends it. */
void zc_sigpipe_restore(const zc_sigpipe *saved);

#endif
