/* One attempt of a call on libcurl: options, callbacks, and what its end means. The callbacks only
 * collect bytes; nothing above this file is called from below a libcurl function. */
#define _POSIX_C_SOURCE 200809L
#include "zc_client_private.h"
#include "zc_date.h"
#include "zc_inflate.h"
#include "zc_text.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#if LIBCURL_VERSION_NUM < 0x074400
#error "zohocrm needs libcurl 7.68.0 or newer (Debian: apt-get install libcurl4-openssl-dev)"
#endif

#define HEAD_MAX ((size_t)256 * 1024)

zc_status zc_http_open(zc_client *client)
{
    if (client->multi != NULL)
        return ZC_OK;
    CURLM *multi = curl_multi_init();
    CURLSH *share = curl_share_init();
    if (multi == NULL || share == NULL || curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != 0 ||
        curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != 0) {
        curl_multi_cleanup(multi);
        curl_share_cleanup(share);
        return ZC_ENOMEM;
    }
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    /* one more than calls: that of HTTP/2 may be idle while all of them are writes */
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)client->pace.most + 1);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)client->pace.most + 1);
    client->multi = multi;
    client->share = share;
    if (client->watch != NULL)
        zc_drive_open(client);
    return ZC_OK;
}

/* What forked children have let go of. Freeing it would end the parent's connections (TLS says goodbye), and might wait
 * for threads that only the parent has. */
typedef struct forsaken {
    CURLM *multi;
    CURLSH *share;
    zc_easies *easies;
    struct forsaken *next;
} forsaken;

static _Atomic(forsaken *) all_forsaken; /* for leak checkers: nobody looks at it */

static void forsake(const zc_client *client)
{
    forsaken *one = malloc(sizeof *one);
    if (one == NULL)
        return;
    *one = (forsaken){client->multi, client->share, client->easies, atomic_load(&all_forsaken)};
    while (!atomic_compare_exchange_weak(&all_forsaken, &one->next, one)) {
    }
}

void zc_http_close(zc_client *client, bool forked)
{
    if (forked && client->multi != NULL) {
        forsake(client);
    } else if (!forked) {
        zc_easy_drop_idle(client);
        curl_multi_cleanup(client->multi);
        curl_share_cleanup(client->share);
    }
    client->multi = NULL;
    client->share = NULL;
    client->easies = NULL;
}

/* Stores bytes of an answer; a short count makes libcurl end the transfer. */
static size_t collect(zc_call *call, zc_buf *buf, const char *data, size_t n)
{
    switch (zc_buf_append(buf, data, n)) {
    case ZC_OK:
        return n;
    case ZC_ETOOBIG:
        call->overflow = buf;
        return 0;
    case ZC_ENOMEM:
    case ZC_EINVAL:
        break;
    }
    call->out_of_memory = true;
    return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    zc_call *call = user;
    return collect(call, &call->reply, data, size * n);
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
    zc_call *call = user;
    /* a new status line: what came before was an interim answer (100, 103) or a proxy's */
    if (size * n >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        zc_buf_clear(&call->head);
        return size * n;
    }
    return collect(call, &call->head, data, size * n);
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* Called right before a request is written to its connection. libcurl repeats a request by itself when a reused
 * connection dies before the first byte of the answer; over HTTP/2 also when the stream was refused (which a GOAWAY
 * does to streams that crossed it) or the server asks for HTTP/1.1. Each repetition comes by here. The server may have
 * acted on the first copy, and libcurl does not tell why it repeats, so only repeatable calls may go out again. */
static int on_departure(void *user, char *ip, char *local_ip, int port, int local_port)
{
    (void)ip, (void)local_ip, (void)port, (void)local_port;
    zc_call *call = user;
    if (call->departures > 0 && !call->repeatable)
        return CURL_PREREQFUNC_ABORT;
    zc_client *client = call->client;
    if (call->departures++ > 0) /* the first copy keeps its slot */
        call->slot = zc_rate_admit(&client->rate);
    zc_rate_depart(&client->rate, &call->slot, client->env.now(client->env.data));
    return CURL_PREREQFUNC_OK;
}
#endif

/* An easy handle remembers the options of the request before: each that may differ is set for each. */
static CURLcode set_method(CURL *easy, zc_call *call)
{
    static const char *const names[] = {NULL, NULL, "PUT", "PATCH", "DELETE"};
    CURLcode code = CURLE_OK;
    bool writes = call->method == ZC_POST || call->method == ZC_PUT || call->method == ZC_PATCH;
    if (call->has_body || writes) { /* without a body these need a Content-Length of 0 */
        ZC_SET(CURLOPT_POST, 1L);
        ZC_SET(CURLOPT_POSTFIELDS, zc_buf_str(&call->body));
        ZC_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    } else {
        ZC_SET(CURLOPT_HTTPGET, 1L);
    }
    ZC_SET(CURLOPT_CUSTOMREQUEST, call->method == ZC_GET && call->has_body ? "GET" : names[call->method]);
#if LIBCURL_VERSION_NUM >= 0x075000
    ZC_SET(CURLOPT_PREREQFUNCTION, on_departure);
    ZC_SET(CURLOPT_PREREQDATA, call);
#else
    ZC_SET(CURLOPT_FRESH_CONNECT, call->repeatable ? 0L : 1L); /* no reused connection, no silent repetition */
#endif
    return code;
}

static CURLcode set_options(CURL *easy, zc_call *call)
{
    const zc_client *client = call->client;
    CURLcode code = CURLE_OK;
    ZC_SET(CURLOPT_URL, zc_buf_str(&call->url));
    ZC_SET(CURLOPT_HTTPHEADER, call->headers);
    if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2) != 0)
        /* Over HTTP/2 a server that retires a connection refuses the streams that cross its GOAWAY on their way.
         * libcurl does not tell them from those that were lost, so that what must not be repeated would be reported as
         * lost. Over HTTP/1.1 nothing crosses: the last answer of a connection says that it is the last. */
        ZC_SET(CURLOPT_HTTP_VERSION, call->repeatable ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    /* wait for the first connection: over HTTP/2 one is enough */
    ZC_SET(CURLOPT_PIPEWAIT, !call->plain && call->repeatable ? 1L : 0L);
    /* A page comes in few pieces; but who waits in a loop may have many calls under way, each with a buffer. */
    ZC_SET(CURLOPT_BUFFERSIZE, (client->watch != NULL ? 32L : 512L) * 1024L);
    ZC_SET(CURLOPT_PRIVATE, call);
    ZC_SET(CURLOPT_ERRORBUFFER, call->error_text);
    ZC_SET(CURLOPT_WRITEFUNCTION, on_body);
    ZC_SET(CURLOPT_WRITEDATA, call);
    ZC_SET(CURLOPT_HEADERFUNCTION, on_header);
    ZC_SET(CURLOPT_HEADERDATA, call);
    return code;
}

static void describe(zc_call *call, CURLcode code, const char *hint)
{
    const char *text = call->error_text[0] != '\0' ? call->error_text : curl_easy_strerror(code);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        text = "the connection was lost after the request had been sent";
    snprintf(call->message, sizeof call->message, "%s%s", text, hint);
}

zc_status zc_http_send(zc_call *call)
{
    zc_client *client = call->client;
    zc_status opened = zc_http_open(client);
    if (opened != ZC_OK)
        return opened;
    call->plain = strncasecmp(zc_buf_str(&call->url), "http:", 5) == 0;
    call->error_text[0] = '\0';
    call->departures = 0;
    call->overflow = NULL;
    call->out_of_memory = false;
    call->ended_well = false;
    call->packed = false;
    zc_buf_clear(&call->head);
    zc_buf_clear(&call->reply);
    call->head.limit = HEAD_MAX;
    call->reply.limit = client->max_response_bytes;
    CURL *easy = NULL;
    CURLcode code = zc_easy_take(client, call->plain, &easy);
    if (code == CURLE_OK)
        code = set_options(easy, call);
    if (code == CURLE_OK)
        code = set_method(easy, call);
    if (code == CURLE_OK && curl_multi_add_handle(client->multi, easy) != CURLM_OK)
        code = CURLE_OUT_OF_MEMORY;
    if (code != CURLE_OK) {
        curl_easy_cleanup(easy);
        call->verdict = (zc_verdict){.failure = ZC_FAIL_NETWORK, .retry_after = -1};
        describe(call, code, " (libcurl refused an option)");
        return code == CURLE_OUT_OF_MEMORY ? ZC_ENOMEM : ZC_EINVAL;
    }
    call->easy = easy;
#if LIBCURL_VERSION_NUM < 0x075000
    zc_rate_depart(&client->rate, &call->slot, client->env.now(client->env.data));
#endif
    return ZC_OK;
}

void zc_http_drop(zc_call *call)
{
    if (call->easy == NULL)
        return;
    /* in a forked child the connection is the parent's: ending the transfer would end it there */
    if (call->client->owner == getpid()) {
        curl_multi_remove_handle(call->client->multi, call->easy);
        if (call->ended_well)
            zc_easy_give(call->client, call->easy, call->plain);
        else
            curl_easy_cleanup(call->easy);
    }
    call->easy = NULL;
}

/* What libcurl's codes mean for the caller; those not listed are network failures that may pass. */
static const struct {
    CURLcode code;
    zc_failure failure;
    bool transient;
    const char *hint;
} code_table[] = {
    {CURLE_OUT_OF_MEMORY, ZC_FAIL_MEMORY, false, ""},
    {CURLE_PEER_FAILED_VERIFICATION, ZC_FAIL_NETWORK, false,
     " (the server's certificate was not accepted; see ca_file)"},
    {CURLE_SSL_CACERT_BADFILE, ZC_FAIL_NETWORK, false, " (check the option ca_file)"},
    {CURLE_SSL_CERTPROBLEM, ZC_FAIL_NETWORK, false, ""},
    {CURLE_SSL_CIPHER, ZC_FAIL_NETWORK, false, ""},
    {CURLE_COULDNT_RESOLVE_PROXY, ZC_FAIL_NETWORK, true, " (check the option proxy)"},
    {CURLE_UNSUPPORTED_PROTOCOL, ZC_FAIL_PROTOCOL, false, ""},
    {CURLE_URL_MALFORMAT, ZC_FAIL_PROTOCOL, false, ""},
    {CURLE_WEIRD_SERVER_REPLY, ZC_FAIL_PROTOCOL, false, ""},
    {CURLE_BAD_CONTENT_ENCODING, ZC_FAIL_PROTOCOL, false, ""},
    {CURLE_HTTP2, ZC_FAIL_NETWORK, true, ""},
};

bool zc_http_has_left(const zc_call *call)
{
#if LIBCURL_VERSION_NUM >= 0x075000
    return call->departures > 0;
#else
    curl_off_t began = 0;
    if (call->easy != NULL)
        curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &began);
    return began > 0;
#endif
}

double zc_http_moved(const zc_call *call)
{
    curl_off_t up = 0;
    curl_off_t down = 0;
    long head = 0;
    curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(call->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    curl_easy_getinfo(call->easy, CURLINFO_HEADER_SIZE, &head);
    return (double)up + (double)down + (double)head + (zc_http_has_left(call) ? 1 : 0);
}

/* Writes " (30 s)" or " (250 ms)": whatever the locale makes of a decimal point. */
static void put_seconds(char *out, size_t n, double seconds)
{
    if (seconds == floor(seconds))
        snprintf(out, n, " (%.0f s)", seconds);
    else
        snprintf(out, n, " (%.0f ms)", ceil(seconds * 1000));
}

void zc_http_timed_out(zc_call *call, zc_limit limit)
{
    const struct {
        const char *text;
        double seconds;
    } texts[] = {
        [ZC_LIMIT_NONE] = {"it took too long", 0},
        [ZC_LIMIT_CONNECT] = {"no connection within connect_timeout", call->client->connect_timeout},
        [ZC_LIMIT_STALL] = {"no byte came or went within stall_timeout", call->stall_timeout},
        [ZC_LIMIT_ATTEMPT] = {"no whole answer within timeout", call->timeout},
        [ZC_LIMIT_DEADLINE] = {"no whole answer before the deadline", 0}, /* of which this is but the rest */
    };
    char seconds[330] = "";
    if (texts[limit].seconds > 0)
        put_seconds(seconds, sizeof seconds, texts[limit].seconds);
    call->verdict = (zc_verdict){.failure = ZC_FAIL_TIMEOUT,
                                 .limit = limit,
                                 .sent = zc_http_has_left(call),
                                 .transient = true,
                                 .retry_after = -1};
    snprintf(call->message, sizeof call->message, "%s%.40s", texts[limit].text, seconds);
}

void zc_http_overflow(zc_call *call, const zc_buf *which)
{
    bool head = which == &call->head;
    call->verdict.failure = head ? ZC_FAIL_PROTOCOL : ZC_FAIL_TOO_LARGE;
    call->verdict.transient = false;
    if (head)
        snprintf(call->message, sizeof call->message, "the answer's header is longer than %zu bytes", HEAD_MAX);
    else
        snprintf(call->message, sizeof call->message,
                 "the answer is larger than max_response_bytes (%zu); ask for fewer fields or records, or raise it",
                 call->client->max_response_bytes);
}

/* Whether the reply is compressed, and to be decompressed by us; its coding. */
static const char *coding_of(const zc_call *call, size_t *n)
{
    const char *coding = zc_header_find(zc_buf_str(&call->head), "content-encoding", n);
    bool plain = coding == NULL || (*n == 8 && strncasecmp(coding, "identity", *n) == 0);
    return zc_inflate_accepts() == NULL || plain || call->reply.len == 0 ? NULL : coding;
}

void zc_call_unpack(zc_call *call)
{
    size_t n = 0;
    const char *coding = call->packed ? coding_of(call, &n) : NULL;
    call->packed = false;
    if (coding == NULL)
        return;
    zc_status status = ZC_EINVAL;
    if ((n == 4 && strncasecmp(coding, "gzip", n) == 0) || (n == 6 && strncasecmp(coding, "x-gzip", n) == 0))
        status = zc_inflate(&call->reply, &call->client->spare);
    if (status == ZC_OK)
        return;
    call->verdict.failure = status == ZC_ENOMEM ? ZC_FAIL_MEMORY : ZC_FAIL_PROTOCOL;
    call->verdict.transient = false;
    snprintf(call->message, sizeof call->message,
             "the answer says that it is compressed (%.*s), and cannot be decompressed", (int)(n < 40 ? n : 40),
             coding);
    if (status == ZC_ETOOBIG)
        zc_http_overflow(call, &call->reply);
    if (call->attempts > 0 && call->attempts <= ZC_ATTEMPTS_MAX)
        call->log[call->attempts - 1].failure = call->verdict.failure;
}

void zc_http_answered(zc_call *call, long status)
{
    const zc_env *env = &call->client->env;
    const char *head = zc_buf_str(&call->head);
    size_t n = 0;
    call->verdict.failure = ZC_FAIL_NONE;
    call->verdict.limit = ZC_LIMIT_NONE;
    call->verdict.status = status;
    call->verdict.transient = true;
    call->verdict.retry_after = -1;
    const char *value = zc_header_find(head, "retry-after", &n);
    if (value != NULL) {
        /* a date means the server's clock, which need not agree with ours */
        size_t date_len = 0;
        const char *date = zc_header_find(head, "date", &date_len);
        double at = date != NULL ? zc_date_parse(date, date_len) : -1;
        call->verdict.retry_after = zc_policy_retry_after(value, n, at >= 0 ? at : env->date(env->data));
    }
}

void zc_http_judge(zc_call *call, CURLcode code)
{
    zc_verdict *verdict = &call->verdict;
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    verdict->sent = zc_http_has_left(call);
    zc_http_answered(call, status);
    if (code == CURLE_OK) {
        size_t n = 0;
        /* libcurl before 8.17 counts its own repetitions over the life of a handle, and gives up at the sixth; before
         * 7.80 they cannot be told, nor whether the request of a used handle has left */
        call->ended_well = LIBCURL_VERSION_NUM >= 0x075000 && call->departures == 1;
        call->packed = coding_of(call, &n) != NULL;
        return;
    }
    verdict->retry_after = -1;
    if (call->out_of_memory)
        code = CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        zc_http_timed_out(call, verdict->sent ? ZC_LIMIT_ATTEMPT : ZC_LIMIT_CONNECT);
        return;
    }
    verdict->failure = ZC_FAIL_NETWORK;
    const char *hint = "";
    for (size_t i = 0; i < sizeof code_table / sizeof *code_table; i++) {
        if (code_table[i].code == code) {
            verdict->failure = code_table[i].failure;
            verdict->transient = code_table[i].transient;
            hint = code_table[i].hint;
        }
    }
    describe(call, code, hint);
    if (call->overflow != NULL)
        zc_http_overflow(call, call->overflow);
}
