/* libcurl's easy handles of a client, with the options that all of its requests share. Handles that ended well serve
 * again, which spares making them, and setting all of that, for each request. */
#define _POSIX_C_SOURCE 200809L
#include "zc_client_private.h"
#include "zc_inflate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An idle handle is some 7 KB. */
#define IDLE_MAX ((size_t)128)

/* Below the keep-alive times that servers commonly use (60 to 75 s): a write that is sent on a
 * connection which the server is just closing cannot be told from one that it acted on. */
#define CONNECTION_IDLE_MAX 50L

struct zc_easies {
    size_t capacity;
    size_t count;
    struct {
        CURL *easy;
        bool plain;
    } idle[];
};

/* A program that the host starts does not get the connections: it would keep them open long after they were closed. */
static int on_open(void *user, curl_socket_t socket, curlsocktype purpose)
{
    (void)purpose;
    const zc_client *client = user;
    fcntl(socket, F_SETFD, FD_CLOEXEC);
    if (client->watch != NULL)
        zc_watch_opened(client->watch, socket);
    return CURL_SOCKOPT_OK;
}

static int on_close(void *user, curl_socket_t socket)
{
    const zc_client *client = user;
    if (client->watch != NULL)
        zc_watch_closing(client->watch, socket);
    return close(socket);
}

/* Plain http may only ever reach this machine, whatever a name resolves to. */
static curl_socket_t open_loopback(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)user, (void)purpose;
    bool loopback = false;
    if (address->family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &address->addr, sizeof v4);
        loopback = (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
    } else if (address->family == AF_INET6 && address->addrlen >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &address->addr, sizeof v6);
        loopback = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
    if (!loopback)
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype, address->protocol);
}

static CURLcode set_security(CURL *easy, const zc_client *client, bool plain)
{
    CURLcode code = CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075500
    ZC_SET(CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
#else
    ZC_SET(CURLOPT_PROTOCOLS, plain ? (long)CURLPROTO_HTTP : (long)CURLPROTO_HTTPS);
#endif
    ZC_SET(CURLOPT_FOLLOWLOCATION, 0L); /* a redirect would carry the key to another place */
    ZC_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    ZC_SET(CURLOPT_SSL_VERIFYPEER, 1L);
    ZC_SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (client->ca_file != NULL)
        ZC_SET(CURLOPT_CAINFO, client->ca_file);
    if (plain) {
        ZC_SET(CURLOPT_OPENSOCKETFUNCTION, open_loopback);
        ZC_SET(CURLOPT_NOPROXY, "*");
    } else if (client->proxy != NULL) {
        ZC_SET(CURLOPT_PROXY, client->proxy);
    }
    return code;
}

static CURLcode set_shared_options(CURL *easy, zc_client *client)
{
    CURLcode code = CURLE_OK;
    ZC_SET(CURLOPT_PATH_AS_IS, 1L);
    ZC_SET(CURLOPT_USERAGENT, client->user_agent);
    if (zc_inflate_accepts() == NULL)
        ZC_SET(CURLOPT_ACCEPT_ENCODING, ""); /* libcurl decompresses */
    ZC_SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name that is still being looked up is not waited for when its call ends, which could take half a minute. The
     * thread that does it ends by itself; this library stays mapped, and libcurl with it. */
    ZC_SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    ZC_SET(CURLOPT_SOCKOPTFUNCTION, on_open);
    ZC_SET(CURLOPT_SOCKOPTDATA, client);
    ZC_SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
    ZC_SET(CURLOPT_CLOSESOCKETDATA, client);
    ZC_SET(CURLOPT_TCP_KEEPALIVE, 1L);
    ZC_SET(CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_MAX);
    ZC_SET(CURLOPT_SHARE, client->share);
    /* all limits are kept by zc_schedule.c; libcurl divides this one among the addresses of a name */
    ZC_SET(CURLOPT_CONNECTTIMEOUT_MS, (long)fmin(fmax(ceil(client->connect_timeout * 1000), 1), 1e9));
    return code;
}

/* Takes the last idle handle that fits; NULL: there is none. */
static CURL *take_idle(zc_easies *easies, bool plain)
{
    for (size_t i = easies != NULL ? easies->count : 0; i-- > 0;) {
        if (easies->idle[i].plain == plain) {
            CURL *easy = easies->idle[i].easy;
            easies->idle[i] = easies->idle[--easies->count];
            return easy;
        }
    }
    return NULL;
}

CURLcode zc_easy_take(zc_client *client, bool plain, CURL **out)
{
    CURL *easy = take_idle(client->easies, plain);
    CURLcode code = CURLE_OK;
    if (easy == NULL) {
        easy = curl_easy_init();
        code = easy != NULL ? set_shared_options(easy, client) : CURLE_OUT_OF_MEMORY;
        if (code == CURLE_OK)
            code = set_security(easy, client, plain);
    }
    if (code != CURLE_OK) {
        curl_easy_cleanup(easy);
        easy = NULL;
    }
    *out = easy;
    return code;
}

void zc_easy_give(zc_client *client, CURL *easy, bool plain)
{
    if (client->easies == NULL) {
        size_t capacity = client->pace.most < IDLE_MAX ? client->pace.most : IDLE_MAX;
        client->easies = calloc(1, sizeof *client->easies + capacity * sizeof *client->easies->idle);
        if (client->easies != NULL)
            client->easies->capacity = capacity;
    }
    zc_easies *easies = client->easies;
    /* Nothing of the request that it served may be reached by it any more; nor may it keep its buffer, as libcurl 7.88
     * lets it where others use its connection (HTTP/2), and refuses to resize it then. */
    if (easies == NULL || easies->count == easies->capacity ||
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 1024L) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, (void *)NULL) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, (void *)NULL) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, (void *)NULL) != CURLE_OK) {
        curl_easy_cleanup(easy);
        return;
    }
    easies->idle[easies->count].easy = easy;
    easies->idle[easies->count++].plain = plain;
}

void zc_easy_drop_idle(zc_client *client)
{
    for (size_t i = client->easies != NULL ? client->easies->count : 0; i-- > 0;)
        curl_easy_cleanup(client->easies->idle[i].easy);
    free(client->easies);
    client->easies = NULL;
}
