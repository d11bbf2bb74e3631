/* The client (one account, one set of connections) and its calls (one logical request each, which
 * survives retries). Everything is non-blocking but zc_client_poll with a timeout. One OS thread at
 * a time may use a client and its calls.
 *
 * Ownership: whoever holds a zc_client pointer from zc_client_new or a zc_call pointer from
 * zc_call_new owns a reference. A call keeps its client's memory alive; a client knows its unfinished
 * calls but does not own them. */
#ifndef ZC_CLIENT_H
#define ZC_CLIENT_H

#include "zc_buf.h"
#include "zc_env.h"
#include "zc_policy.h"
#include "zc_watch.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#define ZC_ATTEMPTS_MAX 32

typedef struct zc_client zc_client;
typedef struct zc_call zc_call;

/* What a client is made of. Strings are copied; NULL or "" means absent. Seconds throughout. */
typedef struct zc_settings {
    const char *api_key;
    const char *connection;  /* Maton-Connection of every call */
    const char *gateway_url; /* checked bases, see zc_url_base */
    const char *control_url;
    const char *ca_file;
    const char *proxy;
    const char *user_agent;
    double timeout;         /* one attempt */
    double connect_timeout; /* name, TCP and TLS of one attempt */
    double stall_timeout;   /* no byte for so long, once connected */
    double rate;            /* requests per second; 0: no limit */
    bool leased;            /* each departure needs a permit instead: zc_client_permit */
    double max_retry_wait;  /* the longest wait; a longer Retry-After is reported instead */
    unsigned retries;       /* further attempts after the first */
    unsigned concurrency;   /* calls in flight at once, at least 1 */
    size_t max_response_bytes;
    bool offline; /* no network: calls wait for zc_call_answer (the in-process sandbox) */
} zc_settings;

typedef enum zc_method { ZC_GET, ZC_POST, ZC_PUT, ZC_PATCH, ZC_DELETE } zc_method;
typedef enum zc_target { ZC_GATEWAY, ZC_CONTROL } zc_target;

typedef enum zc_state {
    ZC_NEW,     /* being filled in */
    ZC_WAITING, /* for its turn, or for the end of a back-off */
    ZC_SENDING, /* libcurl has it */
    ZC_PARKED,  /* offline client: waits for zc_call_answer */
    ZC_DONE     /* answered, failed or cancelled */
} zc_state;

typedef struct zc_attempt {
    zc_failure failure;
    zc_limit limit;
    long status;
    double seconds;
} zc_attempt;

/* One logical request. The fields up to `state` are the caller's to fill before zc_client_start; the
 * others are for reading once it is done. */
struct zc_call {
    zc_method method;
    zc_target target;   /* by zc_call_target */
    zc_buf url;         /* begun by zc_call_target */
    size_t query_count; /* parameters in url so far */
    zc_buf body;
    bool has_body;
    bool repeatable; /* see zc_policy_judge; zc_call_new sets it for GET */
    unsigned retries;
    double timeout;
    double stall_timeout;
    double deadline;            /* seconds for everything, waits included; 0: none */
    struct curl_slist *headers; /* by zc_call_header */

    zc_state state;
    zc_verdict verdict;                 /* of the last attempt */
    char message[CURL_ERROR_SIZE + 64]; /* of a failure */
    zc_buf head;                        /* header lines of the answer */
    zc_buf reply;                       /* its body, see zc_call_unpack */
    bool uncertain;                     /* the server may have acted on an attempt that was repeated */
    unsigned attempts;
    zc_attempt log[ZC_ATTEMPTS_MAX];

    /* private to zc_schedule.c and zc_http.c */
    zc_client *client;
    zc_call *previous;
    zc_call *next;
    CURL *easy;
    char error_text[CURL_ERROR_SIZE];
    unsigned departures;    /* times that libcurl began to send in this attempt (7.80) */
    const zc_buf *overflow; /* head or reply, whichever passed its limit */
    bool out_of_memory;
    bool plain;      /* http, not https */
    bool ended_well; /* easy can serve again */
    bool packed;     /* reply is compressed */
    double not_before;
    double expires; /* absolute form of deadline; HUGE_VAL: never */
    double sent_at;
    double moved; /* bytes of this attempt, both ways, when they were last looked at */
    double moved_at;
    size_t slot; /* of the rate, until the request leaves */
};

/* What the headers of answers say of limits. Those named after rates are not documented for the CRM, but have been
 * seen with relatives of it (reference 7.3). */
typedef enum zc_signal_name {
    ZC_CREDITS_REMAINING,
    ZC_RATELIMIT_LIMIT,
    ZC_RATELIMIT_REMAINING,
    ZC_RATELIMIT_RESET,
    ZC_SIGNALS
} zc_signal_name;

typedef struct zc_signal {
    double value; /* negative: never seen */
    double at;
} zc_signal;

/* How much may still be asked for, as far as it is known. */
typedef struct zc_limits {
    zc_signal signals[ZC_SIGNALS]; /* at: seconds ago */
    double rate;                   /* requests per second; 0: no limit */
    size_t concurrency;
    size_t allowed; /* how many may be under way now: fewer after a 429 */
    size_t in_flight;
    size_t waiting;
    double paused_for; /* seconds */
} zc_limits;

/* Makes a client. The environment is copied; NULL: the system's. ZC_ENOMEM, or ZC_EINVAL with *why
 * (static text) and *what, the setting at fault ("gateway_url", "api_key", …). */
zc_status zc_client_new(zc_client **out, const zc_settings *settings, const zc_env *env, const char **what,
                        const char **why);
/* Cancels all unfinished calls, closes the connections, wipes the key, gives the reference back. */
void zc_client_close(zc_client *client);
/* Compares with the client's key without revealing it by time. */
bool zc_client_key_is(const zc_client *client, const char *key, size_t n);
/* The base address of a target, without the trailing slash. */
const char *zc_client_base(const zc_client *client, zc_target target);
/* What whoever counts for several clients needs to know of one. */
typedef struct zc_demand {
    size_t wanting;  /* calls that could leave now, had they a permit */
    size_t permits;  /* given, and not used */
    size_t left;     /* requests that left since the last time */
    size_t returned; /* permits used since the last time for requests that never left */
} zc_demand;

/* Permits `change` further departures; a negative one takes back what is not used. They are used at the next poll. */
void zc_client_permit(zc_client *client, long change, zc_demand *demand);
/* What the last answers and the client itself know of limits. */
void zc_client_limits(const zc_client *client, zc_limits *limits);
/* Moves every call forward; waits at most `seconds` (0: not at all) for something to happen. Returns
 * the number of unfinished calls. */
size_t zc_client_poll(zc_client *client, double seconds);
/* Lends the client an open watch, until it is closed: the watch's descriptor is from now on readable when
 * zc_client_poll has something to do, or when a call was done that zc_client_attend has not heard of. For good once the
 * client is closed. Twice is harmless. */
void zc_client_watch(zc_client *client, zc_watch *watch);
/* Says that all calls which are done by now will be looked at: the descriptor need not call for them. Returns whether
 * any became so since the last time. */
bool zc_client_attend(zc_client *client);
/* Makes the descriptor readable until the next poll. */
void zc_client_rouse(zc_client *client);
/* Seconds until the clock alone makes the descriptor readable; HUGE_VAL: never. Without a watch HUGE_VAL. */
double zc_client_timeout(const zc_client *client);
/* Puts a filled-in call on its way. ZC_EINVAL when the client is closed. */
zc_status zc_client_start(zc_client *client, zc_call *call);

/* Makes a call of this client with its defaults. NULL when memory is out. */
zc_call *zc_call_new(zc_client *client, zc_method method);
/* Begins the url with a target's base address. */
zc_status zc_call_target(zc_call *call, zc_target target);
/* Adds a header. The value must have passed zc_header_value_valid. */
zc_status zc_call_header(zc_call *call, const char *name, const char *value);
/* Answers a parked call: head is a block of "Name: value\r\n" lines. */
zc_status zc_call_answer(zc_call *call, long status, const char *head, size_t head_len, const char *body,
                         size_t body_len);
/* Decompresses the reply of a call that is done, unless that was done: a piece of work of its own, which belongs to who
 * reads the answer, not to who polls. Where it cannot be, the verdict becomes a failure. */
void zc_call_unpack(zc_call *call);
/* Whether the server may have acted on the call, by an attempt whose outcome is not known. */
bool zc_call_may_have_happened(const zc_call *call);
/* Ends an unfinished call with ZC_FAIL_CANCELLED; nothing happens to a finished one. */
void zc_call_cancel(zc_call *call, const char *why);
/* Cancels if need be and gives the reference back. */
void zc_call_free(zc_call *call);

#endif
