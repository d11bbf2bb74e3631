/* The end of a page: whatever the text is, what is found lies in it, as a string without escapes, or as an object. */
#include "target.h"
#include "zc_skim.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n > 0 ? n : 1); /* not terminated: a sanitizer sees reads past its end */
    MUST(text != NULL);
    if (n > 0)
        memcpy(text, data, n);
    zc_page_end found = zc_skim_page(text, n);
    if (found.id != NULL) {
        MUST(found.id > text && found.id + found.id_len < text + n);
        MUST(found.id[-1] == '"' && found.id[found.id_len] == '"');
        MUST(memchr(found.id, '\\', found.id_len) == NULL && memchr(found.id, '"', found.id_len) == NULL);
    }
    size_t length = 0;
    const char *info = zc_skim_info(text, n, &length);
    if (info != NULL) {
        MUST(info > text && info + length < text + n);
        MUST(info[0] == '{' && info[length - 1] == '}');
    }
    free(text);
    return 0;
}
