// SPDX-License-Identifier: BSD-2-Clause
/* body_hashes.c - A table in which each form of a message has one place, and loses it to the next
 * one there.
 *
 * An id means the same bytes for as long as the process lives, so that nothing in it grows old. It
 * only saves work: with what is not found the body is read and hashed again.
 */
#include "body_hashes.h"

#include <pthread.h>

enum { PLACES_LOG2 = 9, PLACES = 1 << PLACES_LOG2 };

static struct {
    pthread_mutex_t mutex;
    struct place {
        bool taken;
        int64_t id;
        enum compose_form form;
        struct compose_body body;
    } places[PLACES];
} table = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Ids that follow one another lie apart. */
static struct place *place_of(int64_t id, enum compose_form form)
{
    return &table
                .places[((uint64_t)id + form) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - PLACES_LOG2)];
}

bool body_hashes_find(int64_t id, enum compose_form form, struct compose_body *body_r)
{
    pthread_mutex_lock(&table.mutex);
    const struct place *place = place_of(id, form);
    bool found = place->taken && place->id == id && place->form == form;
    if (found)
        *body_r = place->body;
    pthread_mutex_unlock(&table.mutex);
    return found;
}

void body_hashes_keep(int64_t id, enum compose_form form, const struct compose_body *body)
{
    pthread_mutex_lock(&table.mutex);
    *place_of(id, form) = (struct place){.taken = true, .id = id, .form = form, .body = *body};
    pthread_mutex_unlock(&table.mutex);
}
