/* The builders of addresses: what they accept arrives at the server as it was meant. libcurl, which will read the
 * address, is asked what it understands. */
#define _POSIX_C_SOURCE 200809L
#include "target.h"
#include "zc_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Whether `text`, percent-encoded, is these bytes, and nothing in it means anything in an address. */
static bool says(const char *text, size_t length, const uint8_t *data, size_t n)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (at >= length)
            return false;
        if (text[at] == '%') {
            if (length - at < 3 || hex(text[at + 1]) * 16 + hex(text[at + 2]) != data[i])
                return false;
            at += 3;
        } else {
            if (strchr(unreserved, text[at]) == NULL || (uint8_t)text[at] != data[i])
                return false;
            at++;
        }
    }
    return at == length;
}

/* libcurl removes dot segments when it reads an address: a path that it leaves alone has none. */
static void must_survive_curl(const char *path)
{
    zc_buf url = {0};
    char *understood = NULL;
    char *query = NULL;
    CURLU *parsed = curl_url();
    MUST(zc_buf_puts(&url, "http://127.0.0.1") == ZC_OK && zc_buf_puts(&url, path) == ZC_OK);
    MUST(curl_url_set(parsed, CURLUPART_URL, url.data, 0) == CURLUE_OK);
    MUST(curl_url_get(parsed, CURLUPART_PATH, &understood, 0) == CURLUE_OK);
    MUST(strcmp(understood, path) == 0);
    MUST(curl_url_get(parsed, CURLUPART_QUERY, &query, 0) == CURLUE_NO_QUERY);
    MUST(curl_url_get(parsed, CURLUPART_FRAGMENT, &query, 0) == CURLUE_NO_FRAGMENT);
    curl_free(understood);
    curl_url_cleanup(parsed);
    zc_buf_free(&url);
}

static void check_segment(const char *text, const uint8_t *data, size_t n)
{
    zc_buf out = {0};
    bool dots = (n == 1 && text[0] == '.') || (n == 2 && text[0] == '.' && text[1] == '.');
    zc_status status = zc_url_segment(&out, text, n);
    MUST(status == (n == 0 || dots ? ZC_EINVAL : ZC_OK));
    if (status == ZC_OK) {
        MUST(out.data[0] == '/' && says(out.data + 1, out.len - 1, data, n));
        must_survive_curl(out.data);
    }
    zc_buf_free(&out);
}

static void check_path(const char *text, size_t n)
{
    zc_buf out = {0};
    if (zc_url_path(&out, text, n) == ZC_OK) {
        MUST(text[0] == '/' && out.data[0] == '/' && strlen(out.data) == out.len);
        for (const char *p = out.data; *p != '\0'; p++) {
            MUST(*p > ' ' && *p < 0x7F && strchr("?#\"<>\\^`{|}", *p) == NULL);
            MUST(*p != '%' || (strchr("0123456789abcdefABCDEF", p[1]) != NULL && p[1] != '\0' && p[2] != '\0' &&
                               strchr("0123456789abcdefABCDEF", p[2]) != NULL));
        }
        must_survive_curl(out.data);
    } else {
        MUST(out.data == NULL || n > 0);
    }
    zc_buf_free(&out);
}

static void check_query(const char *text, const uint8_t *data, size_t n)
{
    zc_buf out = {0};
    size_t count = 0;
    size_t half = n / 2;
    MUST(zc_url_query(&out, &count, text, half, text + half, n - half) == ZC_OK && count == 1);
    const char *equals = strchr(out.data, '=');
    MUST(out.data[0] == '?' && equals != NULL && says(out.data + 1, (size_t)(equals - out.data) - 1, data, half));
    MUST(says(equals + 1, out.len - (size_t)(equals + 1 - out.data), data + half, n - half));
    zc_buf_free(&out);
}

static void check_base(const char *text)
{
    zc_buf out = {0};
    const char *why = NULL;
    zc_status status = zc_url_base(&out, text, &why);
    MUST(status == ZC_OK || status == ZC_EINVAL);
    MUST((status == ZC_EINVAL) == (why != NULL));
    if (status == ZC_OK) {
        CURLU *parsed = curl_url();
        char *scheme = NULL;
        char *host = NULL;
        char *none = NULL;
        struct in_addr v4 = {0};
        MUST(out.len > 0 && out.data[out.len - 1] != '/');
        MUST(curl_url_set(parsed, CURLUPART_URL, out.data, 0) == CURLUE_OK);
        MUST(curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK);
        MUST(curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK);
        MUST(curl_url_get(parsed, CURLUPART_USER, &none, 0) == CURLUE_NO_USER);
        MUST(curl_url_get(parsed, CURLUPART_PASSWORD, &none, 0) == CURLUE_NO_PASSWORD);
        MUST(curl_url_get(parsed, CURLUPART_QUERY, &none, 0) == CURLUE_NO_QUERY);
        MUST(curl_url_get(parsed, CURLUPART_FRAGMENT, &none, 0) == CURLUE_NO_FRAGMENT);
        bool loopback = strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
                        (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
        MUST(strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && loopback));
        curl_free(scheme);
        curl_free(host);
        curl_url_cleanup(parsed);
    }
    zc_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *why = NULL;
    if (n > 4096)
        return 0;
    char *text = input_text(data, n);
    check_segment(text, data, n);
    check_path(text, n);
    check_query(text, data, n);
    check_base(text);
    zc_status status = zc_url_proxy(text, &why);
    MUST(status == ZC_OK || (status == ZC_EINVAL && why != NULL));
    free(text);
    return 0;
}
