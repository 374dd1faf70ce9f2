// SPDX-License-Identifier: BSD-2-Clause
/* leases.c - What a domain or a tenant has had changes with each message to it, and lies on another
 * page than what its recipient has had. So the disk has it some messages ahead, and is written
 * again when these are used up; meanwhile it is counted here.
 *
 * After a crash what the disk has is what counts: there may be less than the limit says, by no more
 * than one lease, and never more. A clean stop writes each down as it is.
 *
 * There are few places. Who comes when all that it might have are in use has its count written with
 * each message. Who has not been in use for a while gives up its place, and is written as it is.
 *
 * What the open transaction changes can be undone, as in shares.c; others see it with the commit.
 */
#include "leases.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 64, WAYS = 4, IN_USE_MS = 10 * 1000 };

struct lease {
    unsigned char name[LEASE_NAME_MAX];
    size_t len; /* 0: nobody has this place */
    struct sent_row exact, stored;
    int64_t used_ms;
    bool committed;       /* others may see it: */
    struct sent_row seen; /* so */
};

struct change {
    size_t place;
    struct lease before;
};

struct leases {
    pthread_mutex_t mutex; /* others look while the store's thread, which alone writes, does */
    struct lease places[SETS * WAYS];
    struct change *changes; /* of the open transaction, in order */
    size_t count, size;
};

struct leases *leases_new(void)
{
    struct leases *l = xcalloc(1, sizeof(*l));
    pthread_mutex_init(&l->mutex, NULL);
    return l;
}

void leases_free(struct leases *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->mutex);
    free(l->changes);
    free(l);
}

/* Names are MACs. */
static size_t first_place(struct span name)
{
    size_t set = 0;
    for (size_t i = 0; i < name.len; i++)
        set = set * 31 + (unsigned char)name.ptr[i];
    return set % SETS * WAYS;
}

static bool has_name(const struct lease *lease, struct span name)
{
    return lease->len == name.len && memcmp(lease->name, name.ptr, name.len) == 0;
}

/* SETS * WAYS: none. */
static size_t find(const struct leases *l, struct span name)
{
    size_t first = first_place(name);
    CHECK(name.len > 0 && name.len <= LEASE_NAME_MAX);
    for (size_t i = first; i < first + WAYS; i++)
        if (has_name(&l->places[i], name))
            return i;
    return COUNT_OF(l->places);
}

bool leases_find(const struct leases *l, struct span name, struct sent_row *exact_r,
                 struct sent_row *stored_r)
{
    size_t place = l ? find(l, name) : COUNT_OF(l->places);
    if (place == COUNT_OF(l->places))
        return false;
    *exact_r = l->places[place].exact;
    *stored_r = l->places[place].stored;
    return true;
}

/* Empty, or that which was not in use for longest. COUNT_OF: all are in use. */
static size_t find_room(const struct leases *l, struct span name, int64_t now_ms)
{
    size_t first = first_place(name);
    size_t found = first;
    for (size_t i = first; i < first + WAYS; i++)
        if (l->places[i].len == 0)
            return i;
        else if (l->places[i].used_ms < l->places[found].used_ms)
            found = i;
    int64_t idle_ms = now_ms - l->places[found].used_ms;
    return idle_ms >= 0 && idle_ms < IN_USE_MS ? COUNT_OF(l->places) : found;
}

static void note_change(struct leases *l, size_t place)
{
    if (l->count == l->size) {
        l->size = l->size ? l->size * 2 : 64;
        l->changes = xgrow(l->changes, l->size, sizeof(*l->changes));
    }
    l->changes[l->count++] = (struct change){place, l->places[place]};
}

static void put(struct leases *l, size_t place, const struct lease *lease)
{
    pthread_mutex_lock(&l->mutex);
    l->places[place] = *lease;
    pthread_mutex_unlock(&l->mutex);
}

bool leases_set(struct leases *l, struct span name, const struct sent_row *exact,
                const struct sent_row *stored, int64_t now_ms, struct leases_left *left_r)
{
    *left_r = (struct leases_left){0};
    if (!l)
        return false;
    size_t place = find(l, name);
    if (place == COUNT_OF(l->places))
        place = find_room(l, name, now_ms);
    if (place == COUNT_OF(l->places))
        return false;
    note_change(l, place);
    struct lease lease = l->places[place];
    if (!has_name(&lease, name)) {
        left_r->len = lease.len;
        left_r->exact = lease.exact;
        memcpy(left_r->name, lease.name, lease.len);
        lease = (struct lease){.len = name.len};
        memcpy(lease.name, name.ptr, name.len);
    }
    lease.exact = *exact;
    lease.stored = *stored;
    lease.used_ms = now_ms;
    put(l, place, &lease);
    return true;
}

void leases_drop(struct leases *l, struct span name)
{
    size_t place = l ? find(l, name) : COUNT_OF(l->places);
    if (place == COUNT_OF(l->places))
        return;
    note_change(l, place);
    put(l, place, &(struct lease){0});
}

void leases_keep(struct leases *l)
{
    if (!l || l->count == 0)
        return;
    pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < l->count; i++) {
        struct lease *lease = &l->places[l->changes[i].place];
        lease->committed = lease->len > 0;
        lease->seen = lease->exact;
    }
    pthread_mutex_unlock(&l->mutex);
    l->count = 0;
}

size_t leases_changes(const struct leases *l)
{
    return l ? l->count : 0;
}

void leases_undo(struct leases *l, size_t changes)
{
    while (l && l->count > changes) {
        const struct change *last = &l->changes[--l->count];
        put(l, last->place, &last->before);
    }
}

bool leases_take(struct leases *l, struct leases_left *left_r)
{
    for (size_t i = 0; l && i < COUNT_OF(l->places); i++) {
        struct lease lease = l->places[i];
        if (lease.len == 0)
            continue;
        put(l, i, &(struct lease){0});
        left_r->len = lease.len;
        left_r->exact = lease.exact;
        memcpy(left_r->name, lease.name, lease.len);
        return true;
    }
    return false;
}

bool leases_look(struct leases *l, struct span name, struct sent_row *exact_r)
{
    if (!l)
        return false;
    pthread_mutex_lock(&l->mutex);
    size_t place = find(l, name);
    bool found = place < COUNT_OF(l->places) && l->places[place].committed;
    if (found)
        *exact_r = l->places[place].seen;
    pthread_mutex_unlock(&l->mutex);
    return found;
}
