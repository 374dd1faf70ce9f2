// SPDX-License-Identifier: BSD-2-Clause
/* click.c - Mail programs that post to links: a connection each, at a steady rate.
 *
 * bench-click --to ADDRESS:PORT --paths FILE [--rate N] [--seconds N]
 *
 * FILE has a path a line; they are taken in turn. Prints JSON: how many were answered with 200, in how long, and the percentiles of
 * one.
 */
#include "check.h"
#include "latency.h"
#include "wire.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS = 4, PATHS_MAX = 100000, PATH = 800 };

struct clicker {
    pthread_t thread;
    const struct sockaddr_in *to;
    char (*paths)[PATH];
    size_t path_count, first;
    double rate, seconds;
    unsigned long ok, failed;
    struct latency took;
};

static bool click(struct wire *w, const struct sockaddr_in *to, const char *path)
{
    char request[PATH + 300];
    struct span line;
    int length = snprintf(request, sizeof(request),
                          "POST %s HTTP/1.1\r\nHost: u.bench.test\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                          "Content-Length: 26\r\n\r\nList-Unsubscribe=One-Click",
                          path);
    if (!wire_connect(w, to, 10))
        return false;
    bool ok = wire_write(w, (struct span){request, (size_t)length}) && wire_line(w, &line) &&
              span_starts_nocase(line, SPAN("HTTP/1.1 200"));
    while (wire_line(w, &line))
        ;
    wire_close(w);
    return ok;
}

static void wait_until(int64_t ns)
{
    int64_t left = ns - wire_now_ns();
    struct timespec pause = {left / 1000000000, left % 1000000000};
    if (left > 0)
        nanosleep(&pause, NULL);
}

static void *run(void *context)
{
    struct clicker *c = context;
    struct wire *w = xcalloc(1, sizeof(*w));
    int64_t began_ns = wire_now_ns();
    for (unsigned long i = 0; (double)i < c->rate * c->seconds; i++) {
        wait_until(began_ns + (int64_t)((double)i / c->rate * 1e9));
        int64_t before_ns = wire_now_ns();
        if (click(w, c->to, c->paths[(c->first + i * THREADS) % c->path_count])) {
            c->ok++;
            latency_add(&c->took, wire_now_ns() - before_ns);
        } else {
            c->failed++;
        }
    }
    free(w);
    return NULL;
}

static size_t read_paths(const char *file, char (*paths)[PATH])
{
    FILE *f = fopen(file, "re");
    size_t count = 0;
    CHECK(f != NULL);
    while (count < PATHS_MAX && fgets(paths[count], PATH, f)) {
        paths[count][strcspn(paths[count], "\n")] = '\0';
        count++;
    }
    fclose(f);
    return count;
}

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return otherwise;
}

int main(int argc, char **argv)
{
    static struct clicker clickers[THREADS];
    struct sockaddr_in to;
    struct latency all = {0};
    unsigned long ok = 0;
    unsigned long failed = 0;
    char(*paths)[PATH] = xcalloc(PATHS_MAX, sizeof(*paths));
    double rate = strtod(option(argc, argv, "--rate", "500"), NULL);
    double seconds = strtod(option(argc, argv, "--seconds", "10"), NULL);
    if (!wire_address(option(argc, argv, "--to", ""), &to)) {
        fprintf(stderr, "bench-click --to ADDRESS:PORT --paths FILE [--rate N] [--seconds N]\n");
        return 2;
    }
    wire_set_up();
    size_t count = read_paths(option(argc, argv, "--paths", ""), paths);
    CHECK(count > 0);
    int64_t began_ns = wire_now_ns();
    for (size_t i = 0; i < THREADS; i++) {
        clickers[i] = (struct clicker){
            .to = &to, .paths = paths, .path_count = count, .first = i, .rate = rate / THREADS, .seconds = seconds};
        CHECK(pthread_create(&clickers[i].thread, NULL, run, &clickers[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(clickers[i].thread, NULL);
        ok += clickers[i].ok;
        failed += clickers[i].failed;
        latency_merge(&all, &clickers[i].took);
    }
    latency_sort(&all);
    printf("{\"ok\": %lu, \"failed\": %lu, \"seconds\": %.2f, \"p50_ms\": %.2f, \"p99_ms\": %.2f}\n", ok, failed,
           (double)(wire_now_ns() - began_ns) / 1e9, latency_percentile_ms(&all, 50), latency_percentile_ms(&all, 99));
    free(paths);
    return 0;
}
