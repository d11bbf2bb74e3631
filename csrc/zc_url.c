#define _POSIX_C_SOURCE 200809L
#include "zc_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

static zc_status put_escaped(zc_buf *out, unsigned char c)
{
    static const char hex[] = "0123456789ABCDEF";
    char triple[3] = {'%', hex[c >> 4], hex[c & 15]};
    return zc_buf_append(out, triple, sizeof triple);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

zc_status zc_url_escape(zc_buf *out, const char *text, size_t n)
{
    zc_status status = ZC_OK;
    for (size_t i = 0; i < n && status == ZC_OK; i++) {
        unsigned char c = (unsigned char)text[i];
        status = is_unreserved(c) ? zc_buf_putc(out, text[i]) : put_escaped(out, c);
    }
    return status;
}

/* Whether a segment means "here" or "up", also when its dots come as %2E. */
static bool is_dots(const char *text, size_t n)
{
    size_t dots = 0;
    for (size_t i = 0; i < n; dots++) {
        if (text[i] == '.') {
            i++;
        } else if (n - i >= 3 && text[i] == '%' && text[i + 1] == '2' && (text[i + 2] == 'e' || text[i + 2] == 'E')) {
            i += 3;
        } else {
            return false;
        }
    }
    return dots == 1 || dots == 2;
}

zc_status zc_url_segment(zc_buf *out, const char *text, size_t n)
{
    bool dots = (n == 1 && text[0] == '.') || (n == 2 && text[0] == '.' && text[1] == '.');
    if (n == 0 || dots)
        return ZC_EINVAL;
    zc_status status = zc_buf_putc(out, '/');
    return status == ZC_OK ? zc_url_escape(out, text, n) : status;
}

zc_status zc_url_path(zc_buf *out, const char *text, size_t n)
{
    if (n == 0 || text[0] != '/')
        return ZC_EINVAL;
    for (size_t start = 1; start <= n;) {
        const char *slash = memchr(text + start, '/', n - start);
        size_t end = slash != NULL ? (size_t)(slash - text) : n;
        if (is_dots(text + start, end - start))
            return ZC_EINVAL;
        start = end + 1;
    }
    zc_status status = ZC_OK;
    for (size_t i = 0; i < n && status == ZC_OK; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '?' || c == '#')
            return ZC_EINVAL;
        bool triple = c == '%' && n - i >= 3 && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
        bool kept = is_unreserved(c) || triple || (c != '\0' && strchr("/!$&'()*+,;=:@", c) != NULL);
        status = kept ? zc_buf_putc(out, text[i]) : put_escaped(out, c);
    }
    return status;
}

zc_status zc_url_query(zc_buf *out, size_t *count, const char *name, size_t name_len, const char *value,
                       size_t value_len)
{
    zc_status status = zc_buf_putc(out, *count == 0 ? '?' : '&');
    if (status == ZC_OK)
        status = zc_url_escape(out, name, name_len);
    if (status == ZC_OK)
        status = zc_buf_putc(out, '=');
    if (status == ZC_OK)
        status = zc_url_escape(out, value, value_len);
    if (status == ZC_OK)
        (*count)++;
    return status;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

/* Checks a parsed address that is to be a base: ZC_OK; ZC_EINVAL and why not; ZC_ENOMEM. */
static zc_status check_base(CURLU *parsed, const char **why)
{
    static const struct {
        CURLUPart part;
        const char *why;
    } forbidden[] = {
        {CURLUPART_USER, "it must not contain a user name"},
        {CURLUPART_PASSWORD, "it must not contain a password"},
        {CURLUPART_QUERY, "it must not contain a query"},
        {CURLUPART_FRAGMENT, "it must not contain a fragment"},
    };
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        char *part = NULL;
        CURLUcode code = curl_url_get(parsed, forbidden[i].part, &part, 0);
        curl_free(part);
        if (code == CURLUE_OUT_OF_MEMORY)
            return ZC_ENOMEM;
        if (code == CURLUE_OK) {
            *why = forbidden[i].why;
            return ZC_EINVAL;
        }
    }
    char *scheme = NULL;
    char *host = NULL;
    *why = NULL;
    CURLUcode code = curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parsed, CURLUPART_HOST, &host, 0);
    if (code != CURLUE_OK || host[0] == '\0') {
        *why = "it needs a scheme and a host, such as https://gateway.maton.ai/zoho-crm";
    } else {
        bool plain = strcmp(scheme, "http") == 0;
        if (plain && !is_loopback(host))
            *why = "plain http would send the key unprotected; use https (http is allowed to 127.0.0.1 only)";
        else if (!plain && strcmp(scheme, "https") != 0)
            *why = "only https is allowed (and http to 127.0.0.1)";
    }
    curl_free(scheme);
    curl_free(host);
    if (code == CURLUE_OUT_OF_MEMORY)
        return ZC_ENOMEM;
    return *why != NULL ? ZC_EINVAL : ZC_OK;
}

zc_status zc_url_base(zc_buf *out, const char *url, const char **why)
{
    CURLU *parsed = curl_url();
    if (parsed == NULL)
        return ZC_ENOMEM;
    /* a scheme is required: libcurl would otherwise guess http for a bare host name */
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    *why = NULL;
    if (code == CURLUE_OUT_OF_MEMORY) {
        curl_url_cleanup(parsed);
        return ZC_ENOMEM;
    }
    zc_status status = ZC_EINVAL;
    if (code == CURLUE_OK)
        status = check_base(parsed, why);
    else
        *why = "it is no address; it must look like https://gateway.maton.ai/zoho-crm";
    char *whole = NULL;
    if (status == ZC_OK && curl_url_get(parsed, CURLUPART_URL, &whole, 0) != CURLUE_OK)
        status = ZC_ENOMEM;
    curl_url_cleanup(parsed);
    if (status == ZC_OK) {
        size_t n = strlen(whole);
        while (n > 0 && whole[n - 1] == '/')
            n--;
        status = zc_buf_append(out, whole, n);
    }
    curl_free(whole);
    return status;
}

zc_status zc_url_proxy(const char *url, const char **why)
{
    static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
    CURLU *parsed = curl_url();
    char *scheme = NULL;
    if (parsed == NULL)
        return ZC_ENOMEM;
    bool known = false;
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
    if (code == CURLUE_OK)
        code = curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0);
    if (code == CURLUE_OK)
        for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
            known = known || strcmp(scheme, schemes[i]) == 0;
    curl_free(scheme);
    curl_url_cleanup(parsed);
    if (code == CURLUE_OUT_OF_MEMORY)
        return ZC_ENOMEM;
    *why = "it must look like http://host:port (or https, socks4, socks4a, socks5, socks5h)";
    return known ? ZC_OK : ZC_EINVAL;
}
