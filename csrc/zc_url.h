/* Building addresses: percent-encoding (RFC 3986) and the checks on a base address. */
#ifndef ZC_URL_H
#define ZC_URL_H

#include "zc_buf.h"

#include <stddef.h>

/* Appends text with everything outside RFC 3986's unreserved set (A-Z a-z 0-9 - . _ ~) as %XX. */
zc_status zc_url_escape(zc_buf *out, const char *text, size_t n);

/* Appends "/" and the text encoded as exactly one path segment. ZC_EINVAL for an empty segment and
 * for "." and "..", which no encoding can protect (RFC 3986 section 6.2.2.3 removes them even when
 * they come as %2E). */
zc_status zc_url_segment(zc_buf *out, const char *text, size_t n);

/* Appends a path that starts with "/", as it stands; bytes that may not appear in a path are encoded,
 * well-formed %XX are kept. ZC_EINVAL when it does not start with "/", contains "?" or "#", or
 * a segment is "." or ".." (encoded or not). */
zc_status zc_url_path(zc_buf *out, const char *text, size_t n);

/* Appends "?name=value", or "&name=value" when *count is not 0, and counts it. */
zc_status zc_url_query(zc_buf *out, size_t *count, const char *name, size_t name_len, const char *value,
                       size_t value_len);

/* Checks a base address and appends it without a trailing slash: https, or http to a loopback host;
 * no user, password, query or fragment. Otherwise ZC_EINVAL and *why, a static text; ZC_ENOMEM. */
zc_status zc_url_base(zc_buf *out, const char *url, const char **why);

/* Checks the address of a proxy: a scheme that libcurl knows for proxies, or none, and a host. Otherwise ZC_EINVAL and
 * *why, which does not repeat the address: it may hold a password. */
zc_status zc_url_proxy(const char *url, const char **why);

#endif
