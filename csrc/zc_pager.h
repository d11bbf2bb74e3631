/* Which page to ask for next. Zoho counts the first 2,000 records of a list in pages; past them only
 * the page_token of the answer before leads on (reference section 3.3). A search stops at 2,000
 * (section 5.1); metadata lists such as users are counted in pages without end. */
#ifndef ZC_PAGER_H
#define ZC_PAGER_H

#include "zc_buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZC_PAGER_REACH 2000 /* records that `page` reaches */

typedef enum zc_pager_kind { ZC_PAGER_LIST, ZC_PAGER_SEARCH, ZC_PAGER_PLAIN } zc_pager_kind;

typedef enum zc_pager_ask {
    ZC_ASK_PAGE,    /* ask with page = the number */
    ZC_ASK_TOKEN,   /* ask with page_token */
    ZC_ASK_END,     /* the server said that there is no more */
    ZC_ASK_LIMIT,   /* there is more, but a search cannot reach it */
    ZC_ASK_NO_TOKEN /* there is more, but the server gave no token to reach it */
} zc_pager_ask;

typedef struct zc_pager {
    zc_pager_kind kind;
    uint32_t per_page;
    uint32_t page; /* number of the next page, when counting */
    bool by_token; /* counting has ended */
    bool started;  /* an answer has been fed */
    bool more;     /* info.more_records of the last answer */
    zc_buf token;  /* the next token, empty when none is known */
} zc_pager;

/* Starts at a page number (0: the first) or, when token_len is not 0, at a token. */
zc_status zc_pager_init(zc_pager *pager, zc_pager_kind kind, uint32_t per_page, uint32_t page, const char *token,
                        size_t token_len);
/* What to ask next. Does not change the pager: the same answer until the next feed. */
zc_pager_ask zc_pager_next(const zc_pager *pager);
/* The number of the page that comes `ahead` after the next one, if it can be asked before the answers between are
 * known; else 0. Only counted pages within reach can, and only once an answer said that there are more. */
uint32_t zc_pager_ahead(const zc_pager *pager, uint32_t ahead);
/* Takes in an answer's info.more_records and info.next_page_token (NULL: none). */
zc_status zc_pager_feed(zc_pager *pager, bool more, const char *token, size_t token_len);
void zc_pager_free(zc_pager *pager);

#endif
