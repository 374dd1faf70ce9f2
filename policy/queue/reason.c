// SPDX-License-Identifier: BSD-2-Clause
/* reason.c - Why a destination rests, or has less than it might have. */
#include "queue_moves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One that lasts is as old as when it was first said. */
void destination_set_why_of(struct destination *d, const struct tenant *tenant_or_null,
                            const char *why, int64_t now_ms)
{
    char text[QUEUE_WHY_MAX];
    snprintf(text, sizeof(text), "%s", why);
    if (!d->why || strcmp(d->why, text) != 0)
        d->why_ms = now_ms;
    free(d->why);
    d->why = xstrdup(text);
    d->why_of = tenant_or_null ? tenant_or_null->id : 0;
}

void destination_set_why(struct destination *d, const char *why, int64_t now_ms)
{
    destination_set_why_of(d, NULL, why, now_ms);
}
