/* Preloaded, makes every look-up of a name take its time and fail, as a resolver does that nobody answers. */
#define _POSIX_C_SOURCE 200809L
#include <netdb.h>
#include <time.h>

#define SECONDS 3

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    (void)name, (void)service, (void)hints, (void)result;
    struct timespec pause = {SECONDS, 0};
    nanosleep(&pause, NULL);
    return EAI_AGAIN;
}
