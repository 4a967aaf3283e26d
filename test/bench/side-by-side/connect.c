/*
 * Connections per second: eight threads open TCP connections one after the other, send a byte,
 * wait until it is back, and close by reset, so that no port stays reserved.
 *
 * Usage: connect serve ADDRESS PORT            (prints "ready", runs until killed)
 *        connect dial ADDRESS PORT SECONDS     (prints how many were made)
 * A connection or a byte that fails ends it with status 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS = 8,
    BACKLOG = 1024,
};

static struct sockaddr_in place = {.sin_family = AF_INET};
static int listener;
static double end_at;

static void die(const char *what)
{
    fprintf(stderr, "connect: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static void *serve(void *unused)
{
    char byte;

    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) die("accept");
        /* The other end resets when it has its byte, or is killed: both end here. */
        while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1) continue;
        close(fd);
    }
    return unused;
}

static void *dial(void *counter)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    long *made = counter;
    char byte = 'a' + *made % 16, back = 0;

    for (*made = 0; now() < end_at; ++*made) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0) die("socket");
        if (connect(fd, (struct sockaddr *)&place, sizeof place) != 0) die("connect");
        if (write(fd, &byte, 1) != 1 || read(fd, &back, 1) != 1) die("byte");
        if (back != byte) die("another byte came back");
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    return NULL;
}

static void start_listening(void)
{
    int yes = 1;

    listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&place, sizeof place) != 0) die("bind");
    if (listen(listener, BACKLOG) != 0) die("listen");
    puts("ready");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    long counts[THREADS], sum = 0;
    int is_server = argc == 4 && strcmp(argv[1], "serve") == 0;

    if (!is_server && (argc != 5 || strcmp(argv[1], "dial") != 0)) return 2;
    if (inet_pton(AF_INET, argv[2], &place.sin_addr) != 1) die(argv[2]);
    place.sin_port = htons(atoi(argv[3]));
    if (is_server) start_listening();
    else end_at = now() + atof(argv[4]);
    for (int i = 0; i < THREADS; i++) {
        counts[i] = i;
        if (pthread_create(&threads[i], NULL, is_server ? serve : dial, &counts[i]) != 0)
            die("thread");
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) sum += counts[i];
    printf("%ld\n", sum);
    return 0;
}
