#define _POSIX_C_SOURCE 200809L
#include "page_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef ZC_LIBDEFLATE
#include <libdeflate.h>
#endif

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n"
#define BODY_MAX 65536

static pid_t child;

typedef struct answer {
    char bytes[BODY_MAX + 256];
    size_t n;
} answer;

static void compose(answer *out, const char *coding, const char *body, size_t n)
{
    int head = snprintf(out->bytes, sizeof out->bytes, HEAD, coding, n);
    memcpy(out->bytes + head, body, n);
    out->n = (size_t)head + n;
}

/* Answers requests, one after the other, until the client goes. Requests have no body. */
static void serve(int connection, const answer *plain, const answer *compressed)
{
    char request[8192];
    size_t have = 0;
    for (;;) {
        ssize_t n = read(connection, request + have, sizeof request - 1 - have);
        if (n <= 0)
            return;
        have += (size_t)n;
        request[have] = '\0';
        if (strstr(request, "\r\n\r\n") == NULL)
            continue;
        const answer *reply = strncmp(request, "GET /gzip", 9) == 0 ? compressed : plain;
        for (size_t sent = 0; sent < reply->n;) {
            n = write(connection, reply->bytes + sent, reply->n - sent);
            if (n <= 0)
                return;
            sent += (size_t)n;
        }
        have = 0;
    }
}

/* Waits for clients; `parent` is a pipe that ends with the parent. */
static void accept_clients(int listener, int parent, const answer *plain, const answer *compressed)
{
    struct pollfd watched[2] = {{.fd = listener, .events = POLLIN}, {.fd = parent, .events = POLLIN}};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    while (poll(watched, 2, -1) > 0 && watched[1].revents == 0) {
        int connection = accept(listener, NULL, NULL);
        /* a process for each: clients come before others have gone */
        if (connection >= 0 && fork() == 0) {
            serve(connection, plain, compressed);
            _exit(0);
        }
        close(connection);
    }
    _exit(0);
}

int start_page_server(const char *page, size_t n)
{
    static answer plain;
    static answer compressed;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int life[2];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (n > BODY_MAX || listener < 0 || pipe(life) != 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 64) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return 0;
    compose(&plain, "", page, n);
    compressed = plain;
#ifdef ZC_LIBDEFLATE
    static char small[BODY_MAX];
    struct libdeflate_compressor *machine = libdeflate_alloc_compressor(6);
    if (machine != NULL) {
        compose(&compressed, "Content-Encoding: gzip\r\n", small,
                libdeflate_gzip_compress(machine, page, n, small, sizeof small));
        libdeflate_free_compressor(machine);
    }
#endif
    child = fork();
    if (child == 0) {
        close(life[1]);
        accept_clients(listener, life[0], &plain, &compressed);
    }
    close(listener);
    close(life[0]);
    return child > 0 ? ntohs(address.sin_port) : 0;
}

void stop_page_server(void)
{
    if (child > 0 && kill(child, SIGTERM) == 0)
        waitpid(child, NULL, 0);
    child = 0;
}
