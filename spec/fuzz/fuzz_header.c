/* What reads header blocks: the finder of fields, dates and waits, and the excerpt of a body; then the table of headers
 * that callers get, see fuzz_header.lua. */
#define _POSIX_C_SOURCE 200809L
#include "lua_target.h"
#include "zc_date.h"
#include "zc_policy.h"
#include "zc_text.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* What libcurl takes for a date is more, but what we take for one is the same second to it. */
static void check_date(const char *value, size_t n)
{
    double date = zc_date_parse(value, n);
    MUST(date == -1 || (date >= 0 && date < 253402300801)); /* the leap second that ends the year 9999 */
    if (date < 0)
        return;
    char *text = input_text((const uint8_t *)value, n);
    MUST((double)curl_getdate(text, NULL) == date);
    free(text);
}

static void check_find(const char *block, const char *name)
{
    size_t n = 0;
    const char *value = zc_header_find(block, name, &n);
    if (value == NULL)
        return;
    MUST(value > block && value + n <= block + strlen(block));
    MUST(memchr(value, '\n', n) == NULL);
    MUST(n == 0 || (strchr(" \t", value[0]) == NULL && strchr(" \t\r", value[n - 1]) == NULL));
    const char *line = value;
    while (line > block && line[-1] != '\n')
        line--;
    MUST(strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':');
    check_date(value, n);
    double wait = zc_policy_retry_after(value, n, 1770340256);
    MUST(wait == -1 || (wait >= 0 && wait < 253402300800));
    MUST(!zc_header_value_valid(value, n) || memchr(value, '\r', n) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"date", "retry-after", "x", "content-encoding", "x-api-credits-remaining"};
    char *text = input_text(data, n);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_find(text, names[i]);
    zc_buf shown = {0};
    MUST(zc_excerpt(&shown, text, n, 40) == ZC_OK);
    MUST(shown.len <= 43);
    for (size_t i = 0; i < shown.len; i++)
        MUST(shown.data[i] >= ' ' && shown.data[i] < 0x7F);
    zc_buf_free(&shown);
    bool name = zc_header_name_valid(text, n);
    MUST(!name || (strpbrk(text, " :\r\n") == NULL && zc_header_value_valid(text, n)));
    free(text);
    check_by_lua("spec/fuzz/fuzz_header.lua", data, n);
    return 0;
}
