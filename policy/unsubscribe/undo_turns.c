// SPDX-License-Identifier: BSD-2-Clause
/* undo_turns.c - Each hash has a row of places, of which a newcomer takes the one that is soonest
 * free. So one's own others wipe out what one has had only when there are some thousand of them,
 * who may do much more by themselves. */
#include "undo_turns.h"

#include <string.h>

/* FNV-1a, with what ends the text. */
static uint64_t mix(uint64_t hash, const char *text)
{
    for (size_t i = 0; i <= strlen(text); i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t key_of(const struct undo_turns *t, const char *tenant, const char *recipient)
{
    return mix(mix(t->seed, tenant), recipient);
}

static size_t row_of(uint64_t who)
{
    return (who >> 32) % UNDO_ROWS;
}

/* When the next would be due, if each came as late as it may. */
static int64_t due_ms(const struct undo_turns *t, uint64_t who, int64_t now_ms)
{
    const struct undo_turn *row = t->rows[row_of(who)];
    for (size_t i = 0; i < UNDO_PLACES; i++)
        if (row[i].who == who && row[i].at_ms > now_ms)
            return row[i].at_ms;
    return now_ms;
}

bool undo_turns_may(const struct undo_turns *t, const char *tenant, const char *recipient,
                    int64_t now_ms)
{
    return due_ms(t, key_of(t, tenant, recipient), now_ms) - now_ms <=
           (int64_t)(UNDO_BURST - 1) * UNDO_EVERY_MS;
}

void undo_turns_count(struct undo_turns *t, const char *tenant, const char *recipient,
                      int64_t now_ms)
{
    uint64_t who = key_of(t, tenant, recipient);
    struct undo_turn *row = t->rows[row_of(who)];
    struct undo_turn *place = row;
    for (size_t i = 0; i < UNDO_PLACES && place->who != who; i++)
        if (row[i].who == who || row[i].at_ms < place->at_ms)
            place = &row[i];
    *place = (struct undo_turn){who, due_ms(t, who, now_ms) + UNDO_EVERY_MS};
}
