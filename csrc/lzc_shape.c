/* Records of a list have the same keys in the same order. Once enough of them have come, a Lua function that makes such
 * a record of its values, `return {key = value, …}`, spares setting each key through Lua's C API: the interpreter makes
 * the table at its size, and knows the keys. */
#include "lzc_shape.h"

#include <stdio.h>
#include <string.h>

#define KEYS_MIN 4
#define RUN_FIRST 8     /* records in a row with the same keys, until a function is made of them */
#define RUN_MAX 1000000 /* the number doubles with each function that drives another one out */

typedef struct shape_key {
    char text[TEXT_MAX]; /* zeros behind its end */
    uint8_t len;
    uint16_t slot; /* of the key, where it was last: a guess */
} shape_key;

/* A userdata that never changes: who reads by it has it on the stack, though a finalizer that decodes, too, may put
 * another one in its place meanwhile. */
typedef struct shape {
    unsigned keys;
    shape_key key[SHAPE_KEYS];
} shape;

void lzc_track_begin(track *t)
{
    t->keys = 0;
    t->hash = 2166136261u;
}

void lzc_track_key(const reader *r, track *t, const slot *name)
{
    if (name == NULL || t->keys >= SHAPE_KEYS) {
        t->keys = SHAPE_KEYS + 1;
        return;
    }
    uint16_t i = (uint16_t)(name - r->slots);
    t->slots[t->keys++] = i;
    t->hash = (t->hash ^ i) * 16777619u;
}

/* Keys become part of a program: only names that need no thought do. */
static bool is_plain(const slot *key)
{
    for (unsigned i = 0; i < key->len; i++) {
        char c = key->text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
        if (!plain)
            return false;
    }
    return key->used && key->len > 0;
}

/* False for keys of which no function is made; also when one stands there twice (the last one that is not null counts),
 * or when two have shared a slot, of which only the later one is left. */
static bool copy_keys(const reader *r, const track *t, shape *s)
{
    for (unsigned k = 0; k < t->keys; k++) {
        const slot *key = &r->slots[t->slots[k]];
        if (!is_plain(key))
            return false;
        for (unsigned j = 0; j < k; j++)
            if (t->slots[j] == t->slots[k])
                return false;
        memcpy(s->key[k].text, key->text, TEXT_MAX);
        s->key[k].len = key->len;
        s->key[k].slot = t->slots[k];
    }
    s->keys = t->keys;
    return true;
}

/* Pushes the function. */
static void push_function(lua_State *L, const shape *s)
{
    luaL_Buffer source;
    char name[24];
    luaL_buffinit(L, &source);
    luaL_addstring(&source, "return function(");
    for (unsigned k = 0; k < s->keys; k++) {
        snprintf(name, sizeof name, k == 0 ? "v%u" : ",v%u", k);
        luaL_addstring(&source, name);
    }
    luaL_addstring(&source, ") return {");
    for (unsigned k = 0; k < s->keys; k++) {
        luaL_addstring(&source, "[\"");
        luaL_addlstring(&source, s->key[k].text, s->key[k].len);
        snprintf(name, sizeof name, "\"]=v%u,", k);
        luaL_addstring(&source, name);
    }
    luaL_addstring(&source, "} end");
    luaL_pushresult(&source);
    size_t n = 0;
    const char *text = lua_tolstring(L, -1, &n);
    if (luaL_loadbuffer(L, text, n, "=zohocrm record") != 0)
        lua_error(L);
    lua_remove(L, -2);
    lua_call(L, 0, 1);
}

static void learn(reader *r, const track *t)
{
    lua_State *L = r->L;
    shape_list *all = r->shapes;
    unsigned place = 0; /* an empty one, else the one that was of use longest ago */
    for (unsigned i = 1; i < SHAPES; i++)
        if (all->shape[i].used < all->shape[place].used)
            place = i;
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    shape *s = lua_newuserdata(L, sizeof *s);
    if (!copy_keys(r, t, s)) {
        lua_pop(L, 1);
        return;
    }
    push_function(L, s);
    lua_rawseti(L, r->cache, (int)(CACHE_SHAPES + 2 * place + 1));
    lua_rawseti(L, r->cache, (int)(CACHE_SHAPES + 2 * place));
    if (all->shape[place].keys != 0 && all->needed < RUN_MAX)
        all->needed *= 2;
    all->shape[place].keys = t->keys;
    all->shape[place].hash = t->hash;
    all->shape[place].used = ++all->uses;
    all->next = place;
}

void lzc_track_end(reader *r, const track *t, unsigned members)
{
    shape_list *all = r->shapes;
    /* a record of many nulls is better off with a table of its own size */
    bool worthy = t->keys >= KEYS_MIN && t->keys <= SHAPE_KEYS && members >= t->keys / 2;
    all->run = worthy && t->hash == all->run_hash ? all->run + 1 : 1;
    all->run_hash = t->hash;
    if (!worthy)
        return;
    for (unsigned i = 0; i < SHAPES; i++) {
        if (all->shape[i].keys == t->keys && all->shape[i].hash == t->hash) {
            all->next = i;
            return;
        }
    }
    if (all->needed == 0)
        all->needed = RUN_FIRST;
    if (all->run >= all->needed) {
        all->run = 0;
        learn(r, t);
    }
}

/* Whether the key at r->p is this one; then it is passed, with its colon. */
static bool pass_key(reader *r, const shape_key *key)
{
    const char *p = r->p;
    /* the document's end is padded, but the key may be longer than the rest */
    if (*p != '"' || key->len + 2u >= (size_t)(r->d->end - p) || !same_text(p + 1, key->text, key->len) ||
        p[key->len + 1] != '"')
        return false;
    p += key->len + 2;
    while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
        p++;
    if (*p != ':')
        return false;
    r->p = p + 1;
    skip_blanks(r);
    return true;
}

/* Turns what is on the stack from `base` (shape, function, values) into a table of these values; their number. */
static unsigned give_up(reader *r, const shape *s, track *t, int base)
{
    lua_State *L = r->L;
    int values = lua_gettop(L) - base - 1;
    unsigned members = 0;
    lua_createtable(L, 0, (int)s->keys);
    lua_replace(L, base + 1);
    for (int k = 0; k < values; k++) {
        lzc_track_key(r, t, &r->slots[s->key[k].slot]);
        if (lua_isnil(L, base + 2 + k))
            continue;
        lua_pushlstring(L, s->key[k].text, s->key[k].len);
        lua_pushvalue(L, base + 2 + k);
        lua_rawset(L, base + 1);
        members++;
    }
    lua_settop(L, base + 1);
    lua_remove(L, base); /* the shape, which was needed until now */
    return members;
}

fit lzc_shape_read(reader *r, track *t, unsigned *members, bool *more)
{
    lua_State *L = r->L;
    unsigned place = r->shapes->next;
    if (r->shapes->shape[place].keys == 0)
        return FIT_NOT;
    luaL_checkstack(L, SHAPE_KEYS + LUA_MINSTACK, "a record of many fields");
    lua_rawgeti(L, r->cache, (int)(CACHE_SHAPES + 2 * place));
    const shape *s = lua_touserdata(L, -1);
    int base = lua_gettop(L);
    lua_rawgeti(L, r->cache, (int)(CACHE_SHAPES + 2 * place + 1));
    for (unsigned k = 0; k < s->keys; k++) {
        if (!pass_key(r, &s->key[k])) {
            *more = true;
            *members = give_up(r, s, t, base);
            return FIT_PARTLY;
        }
        got value = lzc_read_value(r, &r->slots[s->key[k].slot]);
        if (value == GOT_FAULT)
            return FIT_FAULT;
        if (value == GOT_NULL)
            lua_pushnil(L);
        skip_blanks(r);
        if (*r->p != (k + 1 < s->keys ? ',' : '}')) {
            *more = *r->p == ',';
            if (*more) {
                r->p++;
                skip_blanks(r);
            }
            *members = give_up(r, s, t, base);
            return FIT_PARTLY;
        }
        r->p++;
        skip_blanks(r);
    }
    r->shapes->shape[place].used = ++r->shapes->uses;
    lua_call(L, (int)s->keys, 1);
    lua_remove(L, base);
    return FIT_WHOLE;
}
