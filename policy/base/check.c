// SPDX-License-Identifier: BSD-2-Clause
/* check.c - Assertions, and allocation that aborts when memory runs out. Aborting is safe, because
 * nothing is acknowledged before the store has committed it. */
#include "check.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void check_failed(const char *what, const char *file, int line)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&room, 1, 0) == 1) /* to be heard is less than to end */
        fprintf(stderr, "sealpost: broken invariant: %s (%s:%d)\n", what, file, line);
    abort();
}

void *xcalloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    CHECK(memory != NULL);
    return memory;
}

void *xgrow(void *array, size_t count, size_t size)
{
    CHECK(size == 0 || count <= SIZE_MAX / size);
    void *memory = realloc(array, count * size > 0 ? count * size : 1);
    CHECK(memory != NULL);
    return memory;
}

char *xstrdup(const char *text)
{
    char *copy = strdup(text);
    CHECK(copy != NULL);
    return copy;
}
