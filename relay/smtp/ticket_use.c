// SPDX-License-Identifier: BSD-2-Clause
/* ticket_use.c - A table in which an address has one place; whose it is last, has it. */
#include "ticket_use.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* FNV-1a. Who chooses its address well only has others' counts begin anew. */
static size_t place_of(const char *address)
{
    uint32_t hash = 2166136261;
    for (const char *c = address; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619;
    return hash % TICKET_USE_PLACES;
}

bool ticket_use_next(struct ticket_use *u, const char *address, bool resumed)
{
    size_t at = place_of(address);
    unsigned in_vain = strcmp(u->places[at].address, address) == 0 ? u->places[at].in_vain : 0;
    snprintf(u->places[at].address, sizeof(u->places[at].address), "%s", address);
    u->places[at].in_vain = resumed ? 0 : in_vain + 1;
    return resumed || in_vain < TICKET_USE_FIRST || in_vain % TICKET_USE_EACH == 0;
}
