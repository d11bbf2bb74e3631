/* What zc_client.c and zc_http.c share. */
#ifndef ZC_CLIENT_PRIVATE_H
#define ZC_CLIENT_PRIVATE_H

#include "zc_client.h"

#include <sys/types.h>

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
    double max_retry_wait;
    unsigned retries;
    unsigned concurrency;
    size_t max_response_bytes;
    bool offline;

    zc_rate rate;
    double paused_until; /* after a 429 nothing leaves before */
    zc_call *first;      /* unfinished calls, in the order of their start */
    zc_call *last;
    size_t live;
    size_t in_flight;

    CURLM *multi; /* made when the first call leaves, so that a fork before it costs nothing */
    CURLSH *share;
    pid_t owner; /* the process that made multi */
};

/* Gives a reference back; the last one wipes the key and frees the memory. */
void zc_client_release(zc_client *client);
/* Adds the headers that every request has, the key among them. */
zc_status zc_call_finish_headers(zc_call *call);

/* Makes multi and share if there are none. */
zc_status zc_http_open(zc_client *client);
/* Closes them. In a forked child they are dropped instead: the connections are the parent's. */
void zc_http_close(zc_client *client, bool forked);
/* Hands the call to libcurl. */
zc_status zc_http_send(zc_call *call);
/* Takes the call back from libcurl. */
void zc_http_drop(zc_call *call);
/* Fills in the verdict of a whole answer, whose header stands in head. */
void zc_http_answered(zc_call *call, long status);
/* Reads off how the attempt ended and fills in verdict, message, head and reply. */
void zc_http_judge(zc_call *call, CURLcode code);

/* Makes the verdict "too large" (reply) or "protocol" (head), with its message. */
void zc_http_overflow(zc_call *call, const zc_buf *which);

#endif
