#include "target.h"

#include <string.h>

char *input_text(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);
    MUST(text != NULL);
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    return text;
}
