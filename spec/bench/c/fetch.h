/* The floor of every comparison: libcurl's easy interface, one connection kept alive, gzip accepted. */
#ifndef BENCH_FETCH_H
#define BENCH_FETCH_H

#include <curl/curl.h>
#include <stddef.h>

typedef struct {
    CURL *curl;
    struct curl_slist *headers;
    char *body; /* NUL-terminated, reused from answer to answer */
    size_t length, capacity;
    long status;
} bench_fetch;

int bench_fetch_open(bench_fetch *fetch, const char *key);
void bench_fetch_close(bench_fetch *fetch);

/* Gets url, or posts json to it where that is not NULL. Returns NULL, or what went wrong. */
const char *bench_fetch_send(bench_fetch *fetch, const char *url, const char *json, size_t json_length);

double bench_now(void); /* seconds, monotonic */

#endif
