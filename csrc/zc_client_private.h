/* What zc_client.c and zc_http.c share. */
#ifndef ZC_CLIENT_PRIVATE_H
#define ZC_CLIENT_PRIVATE_H

#include "zc_client.h"
#include "zc_watch.h"

#include <sys/types.h>

typedef struct zc_easies zc_easies;

struct zc_client {
    size_t references; /* the owner and every call */
    bool closed;
    zc_env env;
    char *api_key;
    char *connection;
    char *ca_file;
    char *proxy;
    char *user_agent;
    zc_buf base[2]; /* by zc_target */
    double timeout;
    double connect_timeout;
    double stall_timeout;
    double max_retry_wait;
    unsigned retries;
    size_t max_response_bytes;
    bool offline;

    zc_buf spare; /* memory for decompressing, kept from call to call */
    zc_rate rate;
    double per_second;
    size_t wanting; /* calls that could leave, had they a permit */
    zc_pace pace;
    zc_signal signals[ZC_SIGNALS];
    zc_call *first; /* unfinished calls, in the order of their start */
    zc_call *last;
    size_t live;
    size_t in_flight;

    CURLM *multi; /* made when the first call leaves, so that a fork before it costs nothing */
    CURLSH *share;
    zc_easies *easies; /* see zc_easy.c */
    pid_t owner;       /* the process whose calls and connections these are */

    zc_watch *watch;    /* lent by who waits in a loop of his own; NULL: nobody does */
    double limits_due;  /* no attempt under way has taken too long before this */
    double limits_seen; /* when that was found out */
    double due;         /* when the clock alone makes something possible, as it was last known */
    double wake_at;     /* what the watch's timer is set to, by the system's clock; HUGE_VAL: off */
    double look_after;  /* see zc_drive.c */
    double look_at;
    bool limits_stale; /* bytes may have come or gone since limits_seen */
    bool news;         /* a call was done, and who waits has not been told */
};

/* Gives a reference back; the last one wipes the key and frees the memory. */
void zc_client_release(zc_client *client);
/* After a fork the calls and connections belong to the parent: the child gives the calls up and lets go of the
 * connections, untouched. */
void zc_client_check_fork(zc_client *client);
/* Remembers what the headers of an answer say of limits. */
void zc_client_note_signals(zc_client *client, const char *head);
/* Adds the headers that every request has, the key among them. */
zc_status zc_call_finish_headers(zc_call *call);

/* Frees the headers of a call that is done or was never started, and wipes the key in them. */
void zc_call_forget_headers(zc_call *call);

/* Makes multi and share if there are none. */
zc_status zc_http_open(zc_client *client);
/* Closes them. In a forked child they are dropped instead: the connections are the parent's. */
void zc_http_close(zc_client *client, bool forked);
/* Hands the call to libcurl. ZC_ENOMEM; ZC_EINVAL when libcurl refuses, with the verdict filled in. */
zc_status zc_http_send(zc_call *call);
/* Takes the call back from libcurl. */
void zc_http_drop(zc_call *call);
/* Fills in the verdict of a whole answer, whose header stands in head. */
void zc_http_answered(zc_call *call, long status);
/* Reads off how the attempt ended and fills in verdict, message, head and reply. */
void zc_http_judge(zc_call *call, CURLcode code);

/* Sets an option of `easy`, unless one before was refused: `code` tells. */
#define ZC_SET(option, value)                                                                                          \
    do {                                                                                                               \
        if (code == CURLE_OK)                                                                                          \
            code = curl_easy_setopt(easy, option, value);                                                              \
    } while (0)

/* zc_easy.c: a handle with the options that all requests of the client share. Others may be left from the request that
 * it served before. `plain`: for http. */
CURLcode zc_easy_take(zc_client *client, bool plain, CURL **out);
/* Gives back a handle that is in no multi any more. */
void zc_easy_give(zc_client *client, CURL *easy, bool plain);
/* Frees those that nobody uses. */
void zc_easy_drop_idle(zc_client *client);

/* zc_drive.c, for a client with a watch: lets libcurl tell which sockets it waits for, from now on. */
void zc_drive_open(zc_client *client);
/* Lets libcurl do what its timers call for, and `sockets`, too. */
void zc_drive(zc_client *client, bool sockets);
/* Notes that bytes came or went, or that a request left. */
void zc_drive_stirred(zc_client *client);
/* Sleeps until there is something to do, at most for so long. */
void zc_drive_sleep(zc_client *client, double seconds);
/* Sets the watch's timer to when there is something to do again. */
void zc_drive_alarm(zc_client *client);

/* Makes the verdict a timeout, with its message. The attempt still has to be dropped. */
void zc_http_timed_out(zc_call *call, zc_limit limit);
/* Whether a byte of the attempt may have gone out. What went to a proxy to open a tunnel does not count. */
bool zc_http_has_left(const zc_call *call);
/* The bytes of the attempt so far, both ways. */
double zc_http_moved(const zc_call *call);
/* Makes the verdict "too large" (reply) or "protocol" (head), with its message. */
void zc_http_overflow(zc_call *call, const zc_buf *which);

#endif
