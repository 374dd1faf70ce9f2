// SPDX-License-Identifier: BSD-2-Clause
/* place.h - For fuzzers of what is read from files: a directory of the process's own, in memory where there is such a place. */
#ifndef PLACE_H
#define PLACE_H

#include "check.h"

#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[64];

static int place_remove_one(const char *path, const struct stat *s, int kind, struct FTW *walk)
{
    (void)s;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void place_remove(void)
{
    nftw(place, place_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Its path; made at the first call. */
static inline const char *place_path(void)
{
    if (place[0])
        return place;
    snprintf(place, sizeof(place), "%s",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm/fuzz-XXXXXX" : "/tmp/fuzz-XXXXXX");
    CHECK(mkdtemp(place) != NULL);
    atexit(place_remove);
    return place;
}

static inline void place_write(const char *path, const uint8_t *data, size_t size)
{
    FILE *f = fopen(path, "w");
    CHECK(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
}

#endif
