/* Every allocation fails in turn: Lua's, those of our C files, libcurl's and libdeflate's.
 *
 *     oom SCENARIOS.lua
 *
 * The file gives an array of { name, function }, and under `page` what a server on the port PORT answers. Each function
 * is run over and over in a state of its own: first with the first allocation failing, then with the second, and so on
 * until it goes through; once with only that one failing, once with all from there on. It must go through, giving what
 * it should, or end in "not enough memory"; it must go through when it is run again with memory; and when the state is
 * closed nothing may be left.
 *
 * Our files are linked into this program with malloc, calloc, realloc and free wrapped by the linker, so that others'
 * are not: lua-cjson ends the process when its own fail. */
#define _POSIX_C_SOURCE 200809L
#include "page_server.h"

#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef ZC_LIBDEFLATE
#include <libdeflate.h>
#endif

#if LUA_VERSION_NUM < 502
#define LUA_OK 0
#define lua_rawlen(L, i) lua_objlen(L, i)
#endif

#define STUCK_AFTER 60 /* seconds of one run */
#define FAULTS_SHOWN 5 /* of a scenario; then the next one's turn has come */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t n);
void __real_free(void *block);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t n);
void __wrap_free(void *block);
int luaopen_zohocrm_core(lua_State *L);

/* libcurl looks up names in a thread, and an address, too, where its own reading of that fails for want of memory. */
typedef _Atomic long count;

static struct {
    _Atomic bool armed;
    bool onward; /* not only that allocation fails but all from there on */
    unsigned long fail_at;
    _Atomic unsigned long made; /* allocations asked for while armed */
    _Atomic unsigned long failed;
    count lua; /* blocks that live, of each owner */
    count own;
    count curl;
    count deflate;
} memory;

static bool refused(void)
{
    if (!memory.armed)
        return false;
    unsigned long number = ++memory.made;
    bool refuse = memory.onward ? number >= memory.fail_at : number == memory.fail_at;
    memory.failed += refuse;
    return refuse;
}

/* ---- whose allocations ---------------------------------------------------------------------- */

static void *counted(void *block, count *live)
{
    *live += block != NULL;
    return block;
}

static void *grown(void *block, size_t n, count *live)
{
    if (refused())
        return NULL;
    void *made = __real_realloc(block, n);
    *live += block == NULL && made != NULL;
    return made;
}

static void dropped(void *block, count *live)
{
    *live -= block != NULL;
    __real_free(block);
}

void *__wrap_malloc(size_t n)
{
    return refused() ? NULL : counted(__real_malloc(n), &memory.own);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refused() ? NULL : counted(__real_calloc(n, size), &memory.own);
}

void *__wrap_realloc(void *block, size_t n)
{
    return grown(block, n, &memory.own);
}

void __wrap_free(void *block)
{
    dropped(block, &memory.own);
}

static void *curl_malloc(size_t n)
{
    return refused() ? NULL : counted(__real_malloc(n), &memory.curl);
}

static void *curl_calloc(size_t n, size_t size)
{
    return refused() ? NULL : counted(__real_calloc(n, size), &memory.curl);
}

static void *curl_realloc(void *block, size_t n)
{
    return grown(block, n, &memory.curl);
}

static void curl_release(void *block)
{
    dropped(block, &memory.curl);
}

static char *curl_copy(const char *text)
{
    size_t n = strlen(text) + 1;
    char *made = curl_malloc(n);
    return made != NULL ? memcpy(made, text, n) : NULL;
}

#ifdef ZC_LIBDEFLATE
static void *deflate_malloc(size_t n)
{
    return refused() ? NULL : counted(__real_malloc(n), &memory.deflate);
}

static void deflate_release(void *block)
{
    dropped(block, &memory.deflate);
}
#endif

/* The state's own allocator, which ours stands before: LuaJIT may insist on its own. */
typedef struct original {
    lua_Alloc allocate;
    void *data;
} original;

static void *lua_allocate(void *data, void *block, size_t old, size_t n)
{
    const original *below = data;
    if (n == 0) {
        memory.lua -= block != NULL;
        return below->allocate(below->data, block, old, n);
    }
    /* a block that shrinks must not fail: Lua relies on it */
    if ((block == NULL || n > old) && refused())
        return NULL;
    void *made = below->allocate(below->data, block, old, n);
    memory.lua += block == NULL && made != NULL;
    return made;
}

/* ---- running ---------------------------------------------------------------------------------- */

static int fail_count;

static void complain(const char *name, const char *what)
{
    fail_count++;
    fprintf(stderr, "oom: %s, %s allocation %lu: %s\n", name, memory.onward ? "from" : "only", memory.fail_at, what);
}

/* A state in which lua-cjson is loaded already and zohocrm.core is to be. */
static lua_State *open_state(const char *path, int port)
{
    lua_State *L = luaL_newstate();
    if (L == NULL)
        return NULL;
    original *below = __real_malloc(sizeof *below);
    if (below == NULL)
        return NULL;
    below->allocate = lua_getallocf(L, &below->data);
    lua_setallocf(L, lua_allocate, below);
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_zohocrm_core);
    lua_setfield(L, -2, "zohocrm.core");
    lua_pushinteger(L, port);
    lua_setglobal(L, "PORT");
    lua_settop(L, 0);
    if (luaL_loadstring(L, "require('cjson').encode{ 'a\\n' }") != LUA_OK || lua_pcall(L, 0, 0, 0) != LUA_OK ||
        luaL_loadfile(L, path) != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK) {
        fprintf(stderr, "oom: %s\n", lua_tostring(L, -1));
        exit(1);
    }
    return L; /* the array of scenarios is on top */
}

static void close_state(lua_State *L)
{
    void *below = NULL;
    lua_getallocf(L, &below);
    lua_close(L);
    __real_free(below);
}

/* Calls the scenario on top of the array on top. true: it went through. Anything but that and want of memory is
 * complained of. */
static bool call_scenario(lua_State *L, int index, const char *name)
{
    lua_rawgeti(L, 1, index);
    lua_rawgeti(L, -1, 2);
    unsigned long fail_at = memory.fail_at;
    memory.armed = fail_at > 0;
    int status = lua_pcall(L, 0, 0, 0);
    memory.armed = false;
    if (status != LUA_OK) {
        const char *message = lua_tostring(L, -1);
        if (fail_at == 0 || message == NULL || strstr(message, "not enough memory") == NULL || memory.failed == 0)
            complain(name, message != NULL ? message : "an error without a message");
    }
    lua_settop(L, 1);
    return status == LUA_OK;
}

/* One run in a state of its own. true: no allocation failed any more. */
static bool run(const char *path, int port, int index, const char *name, unsigned long fail_at)
{
    long lua = memory.lua;
    long own = memory.own;
    long curl = memory.curl;
    long deflate = memory.deflate;
    lua_State *L = open_state(path, port);
    memory.fail_at = fail_at;
    memory.made = 0;
    memory.failed = 0;
    alarm(STUCK_AFTER);
    call_scenario(L, index, name);
    bool through = memory.failed == 0;
    memory.fail_at = 0;
    /* where loading failed, Lua 5.1 would not let it be tried again */
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded");
    lua_pushnil(L);
    lua_setfield(L, -2, "zohocrm.core");
    lua_settop(L, 1);
    if (!call_scenario(L, index, name)) {
        memory.fail_at = fail_at;
        complain(name, "it does not recover");
    }
    alarm(0);
    close_state(L);
    memory.fail_at = fail_at;
    static long before_us; /* blocks that a state has before our allocator comes: the same for each */
    if (before_us == 0)
        before_us = lua - memory.lua;
    if (lua - memory.lua != before_us)
        complain(name, "blocks of Lua are left");
    if (memory.own != own)
        complain(name, "blocks of zohocrm are left");
    if (memory.curl != curl && fail_at > 0) /* without failures: what libcurl keeps for the process */
        complain(name, "blocks of libcurl are left");
    if (memory.deflate != deflate)
        complain(name, "blocks of libdeflate are left");
    return through;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "";
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_release, curl_realloc, curl_copy, curl_calloc);
#ifdef ZC_LIBDEFLATE
    libdeflate_set_memory_allocator(deflate_malloc, deflate_release);
#endif
    lua_State *L = open_state(path, 0);
    lua_getfield(L, 1, "page");
    int port = start_page_server(lua_tostring(L, -1), lua_rawlen(L, -1));
    if (port == 0) {
        fprintf(stderr, "oom: the server cannot be started\n");
        return 1;
    }
    for (int i = 1;; i++) {
        lua_settop(L, 1);
        lua_rawgeti(L, 1, i);
        if (lua_isnil(L, -1))
            break;
        lua_rawgeti(L, -1, 1);
        const char *name = lua_tostring(L, -1);
        unsigned long tried = 0;
        for (int onward = 0; onward <= 1; onward++) {
            memory.onward = onward != 0;
            run(path, port, i, name, 0);
            int before = fail_count;
            for (unsigned long n = 1; fail_count < before + FAULTS_SHOWN && !run(path, port, i, name, n); n++)
                tried++;
        }
        printf("%s: %lu failures survived\n", name, tried);
        fflush(stdout);
        if (tried == 0) {
            memory.fail_at = 0;
            complain(name, "no allocation was made to fail");
        }
    }
    close_state(L);
    stop_page_server();
    printf("%d faults\n", fail_count);
    return fail_count == 0 ? 0 : 1;
}
