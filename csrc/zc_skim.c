#include "zc_skim.h"

#include <string.h>

/* How deep names stand in a page: of the root, of info, and of the records in data. */
enum { ROOT = 1, INFO = 2, RECORD = 3 };

typedef enum part { OTHER_PART, DATA_PART, INFO_PART } part;

static bool is_name(const char *name, size_t n, const char *wanted)
{
    return n == strlen(wanted) && memcmp(name, wanted, n) == 0;
}

/* The closing quote of the string that begins at p, or NULL. */
static const char *string_end(const char *p, const char *end)
{
    const char *begin = p;
    while ((p = memchr(p, '"', (size_t)(end - p))) != NULL) {
        const char *before = p;
        while (before > begin && before[-1] == '\\')
            before--;
        if ((p - before) % 2 == 0)
            return p;
        p++;
    }
    return NULL;
}

/* The opening quote of the string whose closing one is at p, or NULL. */
static const char *string_begin(const char *text, const char *p)
{
    while (p > text) {
        if (*--p != '"')
            continue;
        const char *before = p;
        while (before > text && before[-1] == '\\')
            before--;
        if ((p - before) % 2 == 0)
            return p;
        p = before;
    }
    return NULL;
}

/* The place before p, where a string is passed to its opening quote; NULL where it has none. */
static const char *step_back(const char *text, const char *p)
{
    p--;
    return *p == '"' ? string_begin(text, p) : p;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Whether what begins at p is an element of an array. */
static bool is_element(const char *text, const char *p)
{
    while (p > text && is_blank(p[-1]))
        p--;
    return p > text && (p[-1] == ',' || p[-1] == '[');
}

/* The last object in an array of the root, or NULL. From the end on, as the page is long; there, too, a quote that is
 * not escaped is where a string ends. */
static const char *last_record(const char *text, const char *end)
{
    size_t depth = 0;
    for (const char *p = end; p > text && (p = step_back(text, p)) != NULL;) {
        if (*p == '}' || *p == ']') {
            depth++;
        } else if (*p == '{' || *p == '[') {
            if (*p == '{' && depth == RECORD && is_element(text, p))
                return p;
            if (depth-- == 0)
                return NULL;
        }
    }
    return NULL;
}

static const char *past_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* Notes an id that is a string without escapes; any other one is none. */
static void note_id(zc_page_end *found, const char *p, const char *end)
{
    *found = (zc_page_end){.more = found->more};
    if (p == end || *p != '"')
        return;
    const char *close = string_end(p + 1, end);
    if (close == NULL || memchr(p, '\\', (size_t)(close - p)) != NULL)
        return;
    found->id = p + 1;
    found->id_len = (size_t)(close - p - 1);
}

zc_page_end zc_skim_page(const char *text, size_t n)
{
    zc_page_end found = {0};
    part where = DATA_PART;
    size_t depth = RECORD - 1;
    const char *end = text + n;
    const char *begin = last_record(text, end);
    for (const char *p = begin != NULL ? begin : end; p < end;) {
        char c = *p++;
        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        } else if (c == '"') {
            const char *close = string_end(p, end);
            if (close == NULL)
                break;
            const char *name = p;
            size_t length = (size_t)(close - p);
            p = past_blanks(close + 1, end);
            if (p == end || *p != ':')
                continue;
            p = past_blanks(p + 1, end);
            if (depth == ROOT)
                where = is_name(name, length, "info") ? INFO_PART : OTHER_PART;
            else if (depth == RECORD && where == DATA_PART && is_name(name, length, "id"))
                note_id(&found, p, end);
            else if (depth == INFO && where == INFO_PART && is_name(name, length, "more_records"))
                found.more = end - p >= 4 && memcmp(p, "true", 4) == 0;
        }
    }
    return found;
}

/* Passes a piece of text that stands at *p, and blanks before it. */
static bool pass(const char **p, const char *end, const char *what)
{
    size_t n = strlen(what);
    *p = past_blanks(*p, end);
    if ((size_t)(end - *p) < n || memcmp(*p, what, n) != 0)
        return false;
    *p += n;
    return true;
}

/* The same backwards: a piece of text that ends before *end, and blanks behind it. */
static bool pass_back(const char *text, const char **end, const char *what)
{
    size_t n = strlen(what);
    while (*end > text && is_blank((*end)[-1]))
        --*end;
    if ((size_t)(*end - text) < n || memcmp(*end - n, what, n) != 0)
        return false;
    *end -= n;
    return true;
}

/* The bracket that opens the object whose closing one is at `last`, or NULL. */
static const char *object_begin(const char *text, const char *last)
{
    size_t depth = 0;
    for (const char *p = last + 1; p > text && (p = step_back(text, p)) != NULL;) {
        if (*p == '}' || *p == ']')
            depth++;
        else if ((*p == '{' || *p == '[') && --depth == 0)
            return *p == '{' ? p : NULL;
    }
    return NULL;
}

const char *zc_skim_info(const char *text, size_t n, size_t *length)
{
    const char *p = text;
    const char *end = text + n;
    if (!pass(&p, end, "{") || !pass(&p, end, "\"data\"") || !pass(&p, end, ":") || !pass(&p, end, "[") ||
        !pass(&p, end, "{") || !pass_back(p, &end, "}") || !pass_back(p, &end, "}"))
        return NULL;
    const char *begin = object_begin(p, end);
    if (begin == NULL)
        return NULL;
    const char *stop = begin;
    if (!pass_back(p, &stop, ":") || !pass_back(p, &stop, "\"info\"") || !pass_back(p, &stop, ",") ||
        !pass_back(p, &stop, "]"))
        return NULL;
    *length = (size_t)(end - begin) + 1;
    return begin;
}
