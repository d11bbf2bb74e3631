#define _POSIX_C_SOURCE 200809L
#include "fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static size_t on_bytes(char *bytes, size_t size, size_t count, void *user)
{
    bench_fetch *fetch = user;
    size_t length = size * count;
    if (fetch->length + length + 1 > fetch->capacity) {
        size_t capacity = (fetch->length + length + 1) * 2;
        char *body = realloc(fetch->body, capacity);
        if (body == NULL)
            return 0;
        fetch->body = body;
        fetch->capacity = capacity;
    }
    memcpy(fetch->body + fetch->length, bytes, length);
    fetch->length += length;
    fetch->body[fetch->length] = '\0';
    return length;
}

int bench_fetch_open(bench_fetch *fetch, const char *key)
{
    char authorization[256];
    memset(fetch, 0, sizeof *fetch);
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", key);
    fetch->headers = curl_slist_append(NULL, authorization);
    fetch->curl = curl_easy_init();
    if (fetch->headers == NULL || fetch->curl == NULL ||
        curl_slist_append(fetch->headers, "Content-Type: application/json") == NULL) {
        bench_fetch_close(fetch);
        return -1;
    }
    curl_easy_setopt(fetch->curl, CURLOPT_HTTPHEADER, fetch->headers);
    curl_easy_setopt(fetch->curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(fetch->curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(fetch->curl, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(fetch->curl, CURLOPT_NOSIGNAL, 1L);
    return 0;
}

void bench_fetch_close(bench_fetch *fetch)
{
    if (fetch->curl != NULL)
        curl_easy_cleanup(fetch->curl);
    curl_slist_free_all(fetch->headers);
    free(fetch->body);
    memset(fetch, 0, sizeof *fetch);
}

const char *bench_fetch_send(bench_fetch *fetch, const char *url, const char *json, size_t json_length)
{
    fetch->length = 0;
    curl_easy_setopt(fetch->curl, CURLOPT_URL, url);
    if (json != NULL) {
        curl_easy_setopt(fetch->curl, CURLOPT_POSTFIELDS, json);
        curl_easy_setopt(fetch->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)json_length);
    } else {
        curl_easy_setopt(fetch->curl, CURLOPT_HTTPGET, 1L);
    }
    CURLcode code = curl_easy_perform(fetch->curl);
    if (code != CURLE_OK)
        return curl_easy_strerror(code);
    curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &fetch->status);
    return fetch->status / 100 == 2 && fetch->length > 0 ? NULL : "the server did not answer with 2xx and a body";
}

double bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
