// SPDX-License-Identifier: BSD-2-Clause
/* reason.c - Why a destination rests, or has less than it might have. */
#include "queue_moves.h"

#include <stdio.h>
#include <stdlib.h>

void destination_set_why(struct destination *d, const char *why)
{
    char text[QUEUE_WHY_MAX];
    snprintf(text, sizeof(text), "%s", why);
    free(d->why);
    d->why = xstrdup(text);
}
