/* What spec/edges_spec.lua needs of the system and Lua has not: processes that fork, Lua states in threads. */
#define _POSIX_C_SOURCE 200809L
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS_MAX 16
#define PATIENCE 120 /* seconds, also under valgrind; then a child ends by SIGALRM */

int luaopen_spec_edges(lua_State *L);

/* edges.fork() -> 0 in the child, its pid in the parent. */
static int l_fork(lua_State *L)
{
    fflush(NULL); /* what is buffered must not come twice */
    pid_t pid = fork();
    if (pid < 0)
        return luaL_error(L, "fork failed");
    if (pid == 0)
        alarm(PATIENCE);
    lua_pushinteger(L, (lua_Integer)pid);
    return 1;
}

/* edges.exit(status): ends the process at once, without closing the state. */
static int l_exit(lua_State *L)
{
    _exit((int)luaL_checkinteger(L, 1));
}

/* edges.wait(pid) -> exit status, or nil and the number of the signal that ended it. */
static int l_wait(lua_State *L)
{
    int status = 0;
    if (waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0) < 0)
        return luaL_error(L, "waitpid failed");
    if (WIFEXITED(status)) {
        lua_pushinteger(L, WEXITSTATUS(status));
        return 1;
    }
    lua_pushnil(L);
    lua_pushinteger(L, WTERMSIG(status));
    return 2;
}

typedef struct job {
    const char *script;
    const char *argument;
    int number;
    int failed;
    char said[1024];
} job;

static void *work(void *data)
{
    job *mine = data;
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        mine->failed = 1;
        return NULL;
    }
    luaL_openlibs(L);
    mine->failed = luaL_loadbuffer(L, mine->script, strlen(mine->script), "=thread");
    if (mine->failed == 0) {
        lua_pushinteger(L, mine->number);
        lua_pushstring(L, mine->argument);
        mine->failed = lua_pcall(L, 2, 1, 0);
    }
    const char *said = lua_tostring(L, -1);
    snprintf(mine->said, sizeof mine->said, "%s", said != NULL ? said : "(nothing)");
    lua_close(L);
    return NULL;
}

/* edges.threads(count, script, argument) -> array of what each script returned, as strings. Every thread runs the
 * script in a Lua state of its own, with its number and the argument. Raises what the first one that failed raised. */
static int l_threads(lua_State *L)
{
    job jobs[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    int count = (int)luaL_checkinteger(L, 1);
    const char *script = luaL_checkstring(L, 2);
    const char *argument = luaL_checkstring(L, 3);
    luaL_argcheck(L, count >= 1 && count <= THREADS_MAX, 1, "too many threads");
    int started = 0;
    for (; started < count; started++) {
        jobs[started] = (job){.script = script, .argument = argument, .number = started + 1};
        if (pthread_create(&threads[started], NULL, work, &jobs[started]) != 0)
            break;
    }
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started < count)
        return luaL_error(L, "a thread could not be started");
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        if (jobs[i].failed != 0)
            return luaL_error(L, "thread %d: %s", i + 1, jobs[i].said);
        lua_pushstring(L, jobs[i].said);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

int luaopen_spec_edges(lua_State *L)
{
    static const struct {
        const char *name;
        lua_CFunction function;
    } list[] = {{"fork", l_fork}, {"exit", l_exit}, {"wait", l_wait}, {"threads", l_threads}};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        lua_pushcfunction(L, list[i].function);
        lua_setfield(L, -2, list[i].name);
    }
    return 1;
}
