#define _POSIX_C_SOURCE 200809L
#include "zc_env.h"

#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the system's ----------------------------------------------------------------------- */

static double system_now(void *data)
{
    (void)data;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double system_date(void *data)
{
    (void)data;
    return (double)time(NULL);
}

/* splitmix64 over the clock: jitter needs spread, not secrecy. */
static double system_uniform(void *data)
{
    (void)data;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t z = (uint64_t)t.tv_nsec + ((uint64_t)t.tv_sec << 30) + ((uint64_t)getpid() << 20);
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

const zc_env zc_env_system = {.now = system_now, .date = system_date, .uniform = system_uniform};

/* ---- a test's --------------------------------------------------------------------------- */

static double virtual_now(void *data)
{
    return ((zc_virtual *)data)->time;
}

static double virtual_date(void *data)
{
    zc_virtual *virtual = data;
    return virtual->epoch + virtual->time;
}

static double virtual_uniform(void *data)
{
    zc_virtual *virtual = data;
    double number = 0.5;
    if (virtual->random.len == 0)
        return number;
    memcpy(&number, virtual->random.data + virtual->random_next, sizeof number);
    virtual->random_next = (virtual->random_next + sizeof number) % virtual->random.len;
    return number;
}

static void virtual_sleep_until(void *data, double time)
{
    zc_virtual *virtual = data;
    double seconds = time - virtual->time;
    zc_buf_append(&virtual->waits, &seconds, sizeof seconds); /* a wait that finds no memory is not noted */
    virtual->time = time;
}

zc_env zc_virtual_env(zc_virtual *virtual)
{
    return (zc_env){virtual_now, virtual_date, virtual_uniform, virtual_sleep_until, virtual};
}

void zc_virtual_advance(zc_virtual *virtual, double seconds)
{
    virtual->time += seconds;
}

void zc_virtual_free(zc_virtual *virtual)
{
    zc_buf_free(&virtual->random);
    zc_buf_free(&virtual->waits);
    virtual->waits.limit = 1; /* a client may still wait by it, but that is not noted, as nobody would free it */
}
