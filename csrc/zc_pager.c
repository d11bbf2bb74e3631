#include "zc_pager.h"

zc_status zc_pager_init(zc_pager *pager, zc_pager_kind kind, uint32_t per_page, uint32_t page, const char *token,
                        size_t token_len)
{
    pager->kind = kind;
    pager->per_page = per_page;
    pager->page = page == 0 ? 1 : page;
    pager->by_token = token_len != 0;
    pager->started = false;
    pager->more = true;
    zc_buf_clear(&pager->token);
    return zc_buf_append(&pager->token, token, token_len);
}

zc_pager_ask zc_pager_next(const zc_pager *pager)
{
    if (!pager->more)
        return ZC_ASK_END;
    if (pager->by_token)
        return pager->token.len > 0 ? ZC_ASK_TOKEN : ZC_ASK_NO_TOKEN;
    /* the first page is the caller's own choice: the server judges it */
    bool within = (uint64_t)pager->page * pager->per_page <= ZC_PAGER_REACH;
    if (!pager->started || within || pager->kind == ZC_PAGER_PLAIN)
        return ZC_ASK_PAGE;
    if (pager->kind == ZC_PAGER_SEARCH)
        return ZC_ASK_LIMIT;
    return pager->token.len > 0 ? ZC_ASK_TOKEN : ZC_ASK_NO_TOKEN;
}

uint32_t zc_pager_ahead(const zc_pager *pager, uint32_t ahead)
{
    uint64_t page = (uint64_t)pager->page + ahead;
    if (pager->by_token || !pager->started || !pager->more)
        return 0;
    if (pager->kind != ZC_PAGER_PLAIN && page * pager->per_page > ZC_PAGER_REACH)
        return 0;
    return page <= UINT32_MAX ? (uint32_t)page : 0;
}

zc_status zc_pager_feed(zc_pager *pager, bool more, const char *token, size_t token_len)
{
    zc_pager_ask asked = zc_pager_next(pager);
    zc_buf next = {0};
    zc_status status = zc_buf_append(&next, token, token_len);
    if (status != ZC_OK)
        return status;
    zc_buf_free(&pager->token);
    pager->token = next;
    if (asked == ZC_ASK_TOKEN)
        pager->by_token = true;
    else
        pager->page++;
    pager->started = true;
    pager->more = more;
    return ZC_OK;
}

void zc_pager_free(zc_pager *pager)
{
    zc_buf_free(&pager->token);
}
