// SPDX-License-Identifier: BSD-2-Clause
/* align.c - What a verdict that is known costs a message: finding it, and making of it an answer.
 *
 *   bench-align [PAIRS] [LOOKUPS]
 *
 * Pairs of domains are looked up in random order. Prints one line of JSON.
 */
#include "alignment_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    size_t pairs = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    size_t lookups = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000000;
    struct alignment_cache *verdicts = alignment_cache_new();
    char(*names)[64] = xcalloc(pairs, sizeof(*names));
    const struct alignment pass = {.state = ALIGNMENT_PASS, .ttl_s = 3600};
    const struct alignment *found = NULL;
    uint32_t random = 1;
    size_t accepted = 0;
    for (size_t i = 0; i < pairs; i++) {
        snprintf(names[i], sizeof(names[i]), "mail%zu.customer-of-the-relay.example", i);
        const struct alignment_pair pair = {names[i], names[i], ""};
        alignment_cache_put(verdicts, &pair, 0, 1, &pass);
    }
    int64_t began = now_ns();
    for (size_t i = 0; i < lookups; i++) {
        random = random * 1664525U + 1013904223U;
        const char *name = names[(random >> 8) % pairs];
        const struct alignment_pair pair = {name, name, ""};
        if (alignment_cache_find(verdicts, &pair, 1000, 1, &found) == ALIGNMENT_CACHE_USE)
            accepted += alignment_verdict(found, ALIGNMENT_ENFORCE).what == VERDICT_ACCEPT;
    }
    double each_ns = (double)(now_ns() - began) / (double)lookups;
    CHECK(accepted == lookups);
    printf("{\"pairs\": %zu, \"lookups\": %zu, \"ns\": %.1f}\n", pairs, lookups, each_ns);
    alignment_cache_free(verdicts);
    free(names);
    return 0;
}
