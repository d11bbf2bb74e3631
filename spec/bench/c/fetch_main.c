/* Usage: fetch walk|create COUNT GATEWAY_URL KEY FIELDS
 *
 * The floor as a program of its own: downloads every page of Leads, or posts COUNT records, and decodes nothing. The
 * token of the next page is found by looking for its name. */
#include "fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_REACH = 10, PER_CREATE = 100, URL_SIZE = 4096, RECORD_SIZE = 512 };

static void give_up(const char *what)
{
    fprintf(stderr, "fetch: %s\n", what);
    exit(1);
}

/* Only what base64 has in it needs escaping. */
static void escape(char *out, size_t size, const char *text, size_t length)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t used = 0;
    for (size_t i = 0; i < length && used + 4 < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '+' || c == '/' || c == '=') {
            out[used++] = '%';
            out[used++] = hex[c >> 4];
            out[used++] = hex[c & 15];
        } else {
            out[used++] = (char)c;
        }
    }
    out[used] = '\0';
}

static const char *find_last(const bench_fetch *fetch, const char *text)
{
    /* the page's info comes last, within a few hundred bytes */
    const char *at = fetch->length > 1000 ? fetch->body + fetch->length - 1000 : fetch->body;
    return strstr(at, text);
}

static void next_query(const bench_fetch *fetch, int page, char *query, size_t size)
{
    static const char name[] = "\"next_page_token\":\"";
    if (page <= PAGE_REACH) {
        snprintf(query, size, "page=%d", page);
        return;
    }
    const char *token = find_last(fetch, name);
    const char *end = token != NULL ? strchr(token + sizeof name - 1, '"') : NULL;
    if (end == NULL)
        give_up("a page has no next_page_token");
    token += sizeof name - 1;
    int head = snprintf(query, size, "page_token=");
    escape(query + head, size - (size_t)head, token, (size_t)(end - token));
}

/* Returns when the first page was there. */
static double walk(bench_fetch *fetch, const char *gateway_url, const char *fields)
{
    double first = 0;
    for (int page = 1;; page++) {
        char query[URL_SIZE / 2], url[URL_SIZE];
        next_query(fetch, page, query, sizeof query);
        snprintf(url, sizeof url, "%s/crm/v8/Leads?fields=%s&%s", gateway_url, fields, query);
        const char *failure = bench_fetch_send(fetch, url, NULL, 0);
        if (failure != NULL)
            give_up(failure);
        if (page == 1)
            first = bench_now();
        if (find_last(fetch, "\"more_records\":true") == NULL)
            return first;
    }
}

/* The same bytes as spec/bench/subject.lua's records, give or take the order of the names. */
static size_t write_records(char *json, size_t size, int from)
{
    size_t used = (size_t)snprintf(json, size, "{\"data\":[");
    for (int n = from; n < from + PER_CREATE; n++)
        used += (size_t)snprintf(
            json + used, size - used,
            "%s{\"Last_Name\":\"Lead %d\",\"First_Name\":\"Bench\",\"Company\":\"Company %d\",\"Email\":\"lead.%d"
            "@example.com\",\"Phone\":\"555-000-%d\",\"Website\":\"https://www.example.com/%d\",\"City\":\"Oslo\","
            "\"Country\":\"Norway\",\"No_of_Employees\":%d,\"Annual_Revenue\":%d,\"Email_Opt_Out\":false,"
            "\"Description\":\"Comparing three suppliers, decides this quarter.\"}",
            n > from ? "," : "", n, n, n, n, n, n, n * 1000);
    return used + (size_t)snprintf(json + used, size - used, "]}");
}

static void create(bench_fetch *fetch, const char *gateway_url, int count)
{
    static char json[PER_CREATE * RECORD_SIZE];
    char url[URL_SIZE];
    snprintf(url, sizeof url, "%s/crm/v8/Leads", gateway_url);
    for (int from = 1; from <= count; from += PER_CREATE) {
        const char *failure = bench_fetch_send(fetch, url, json, write_records(json, sizeof json, from));
        if (failure != NULL)
            give_up(failure);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6)
        give_up("usage: fetch walk|create COUNT GATEWAY_URL KEY FIELDS");
    int count = (int)strtol(argv[2], NULL, 10);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    double start = bench_now(), first = 0;
    bench_fetch fetch;
    if (bench_fetch_open(&fetch, argv[4]) != 0)
        give_up("out of memory");
    if (strcmp(argv[1], "create") == 0)
        create(&fetch, argv[3], count);
    else
        first = walk(&fetch, argv[3], argv[5]);
    double end = bench_now();
    bench_fetch_close(&fetch);
    printf("{\"records\":%d,\"start\":%.6f,\"first\":%.6f,\"end\":%.6f}\n", count, start, first, end);
    return 0;
}
