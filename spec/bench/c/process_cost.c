/* Usage: process_cost SECONDS PROGRAM [ARGUMENT…]
 *
 * Runs a program to its end, or kills it after so many seconds, and then prints what it cost as a line of JSON: its CPU
 * time and its peak of resident memory (what /proc calls VmHWM). Nothing of the caller or the server is in it. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: process_cost SECONDS PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    pid_t child = fork();
    if (child == 0) {
        alarm((unsigned)strtoul(argv[1], NULL, 10)); /* outlives exec */
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (child < 0 || waitpid(child, &status, 0) != child || getrusage(RUSAGE_CHILDREN, &usage) != 0) {
        perror("process_cost");
        return 2;
    }
    printf("{\"user\":%.6f,\"system\":%.6f,\"peak_kib\":%ld,\"exit\":%d}\n", seconds(usage.ru_utime),
           seconds(usage.ru_stime), usage.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return 0;
}
