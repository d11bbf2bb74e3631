#include "lzc.h"
#include "zc_pager.h"

static zc_pager *check_pager(lua_State *L)
{
    return luaL_checkudata(L, 1, LZC_PAGER);
}

/* core.pager(kind, per_page, page or nil, page_token or nil) -> pager. kind: "list", "search", "plain". */
int lzc_pager_new(lua_State *L)
{
    static const char *const kinds[] = {"list", "search", "plain", NULL};
    int kind = luaL_checkoption(L, 1, NULL, kinds);
    lua_Number per_page = luaL_checknumber(L, 2);
    lua_Number page = luaL_optnumber(L, 3, 1);
    size_t n = 0;
    const char *token = luaL_optlstring(L, 4, "", &n);
    luaL_argcheck(L, per_page >= 1 && per_page <= 1e6, 2, "not a number of records");
    luaL_argcheck(L, page >= 1 && page <= 1e9, 3, "not a page number");
    zc_pager *pager = lua_newuserdata(L, sizeof *pager);
    *pager = (zc_pager){0};
    luaL_getmetatable(L, LZC_PAGER);
    lua_setmetatable(L, -2);
    lzc_check(L, zc_pager_init(pager, (zc_pager_kind)kind, (uint32_t)per_page, (uint32_t)page, token, n));
    return 1;
}

/* pager:next() -> "page", number | "page_token", text | nil (the end) | nil, "limit" or "no_token". */
static int l_next(lua_State *L)
{
    zc_pager *pager = check_pager(L);
    switch (zc_pager_next(pager)) {
    case ZC_ASK_PAGE:
        lua_pushliteral(L, "page");
        lua_pushinteger(L, (lua_Integer)pager->page);
        return 2;
    case ZC_ASK_TOKEN:
        lua_pushliteral(L, "page_token");
        lua_pushlstring(L, zc_buf_str(&pager->token), pager->token.len);
        return 2;
    case ZC_ASK_END:
        return 0;
    case ZC_ASK_LIMIT:
        lua_pushnil(L);
        lua_pushliteral(L, "limit");
        return 2;
    case ZC_ASK_NO_TOKEN:
        lua_pushnil(L);
        lua_pushliteral(L, "no_token");
        return 2;
    }
    return 0;
}

/* pager:ahead(n) -> page number or nil: the page n after the next one, if it can be asked already. */
static int l_ahead(lua_State *L)
{
    zc_pager *pager = check_pager(L);
    lua_Number n = luaL_checknumber(L, 2);
    luaL_argcheck(L, n >= 0 && n <= 1e6, 2, "not a number of pages");
    uint32_t page = zc_pager_ahead(pager, (uint32_t)n);
    if (page == 0)
        return 0;
    lua_pushinteger(L, (lua_Integer)page);
    return 1;
}

/* pager:feed(more_records, next_page_token or nil). */
static int l_feed(lua_State *L)
{
    zc_pager *pager = check_pager(L);
    size_t n = 0;
    const char *token = luaL_optlstring(L, 3, "", &n);
    lzc_check(L, zc_pager_feed(pager, lua_toboolean(L, 2) != 0, token, n));
    return 0;
}

/* It is none any more then: what another finalizer would feed it, nobody would free. */
static int l_gc(lua_State *L)
{
    zc_pager_free(check_pager(L));
    lua_pushnil(L);
    lua_setmetatable(L, 1);
    return 0;
}

static int l_tostring(lua_State *L)
{
    zc_pager *pager = check_pager(L);
    lua_pushfstring(L, "%s (%s)", LZC_PAGER, pager->by_token ? "by token" : "by page");
    return 1;
}

void lzc_pager_class(lua_State *L)
{
    static const luaL_Reg methods[] = {{"next", l_next}, {"ahead", l_ahead}, {"feed", l_feed}, {NULL, NULL}};
    lzc_class(L, LZC_PAGER, methods, l_gc, l_tostring);
}
