// SPDX-License-Identifier: BSD-2-Clause
/* receiving.c - Shares of the disk before a message is there.
 *
 * A tenant takes at most twice what it leaves, of half as much again as the room for mail and of
 * what the disk has: so one alone may be receiving as much as it may ever store, and whatever it
 * sends and does not finish, the others find a third. What is finished counts in its share of the
 * queue (quota.c) instead.
 */
#include "receiving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { PARTS = 2 }; /* of what it leaves */

struct receiver {
    char tenant[64];
    uint64_t bytes;
    unsigned refused;
    UT_hash_handle hh;
};

void receiving_init(struct receiving *r)
{
    *r = (struct receiving){0};
    pthread_mutex_init(&r->mutex, NULL);
}

void receiving_fini(struct receiving *r)
{
    struct receiver *one;
    struct receiver *next;
    HASH_ITER (hh, r->by_tenant, one, next) {
        HASH_DEL(r->by_tenant, one);
        free(one);
    }
    pthread_mutex_destroy(&r->mutex);
}

static struct receiver *find(const struct receiving *r, const char *tenant)
{
    struct receiver *found = NULL;
    HASH_FIND_STR(r->by_tenant, tenant, found);
    return found;
}

static struct receiver *need(struct receiving *r, const char *tenant)
{
    struct receiver *one = find(r, tenant);
    if (one)
        return one;
    one = xcalloc(1, sizeof(*one));
    snprintf(one->tenant, sizeof(one->tenant), "%s", tenant);
    HASH_ADD_STR(r->by_tenant, tenant, one);
    return one;
}

static void drop_unused(struct receiving *r, struct receiver *one)
{
    if (one->bytes > 0 || one->refused > 0)
        return;
    HASH_DEL(r->by_tenant, one);
    free(one);
}

static void count(struct receiving *r, const char *tenant, uint64_t bytes)
{
    need(r, tenant)->bytes += bytes;
    r->bytes += bytes;
}

static void count_refused(struct receiving *r, const char *tenant)
{
    need(r, tenant)->refused++;
    r->refusing = true;
}

/* What would be left of the room and of the disk, whichever is less, when it has them. */
static uint64_t left_of(const struct receiving *r, const struct database_room *room,
                        uint64_t free_bytes, uint64_t bytes)
{
    uint64_t most = room->all + room->all / 2;
    uint64_t left = most > r->bytes ? most - r->bytes : 0;
    if (room->all == 0 || free_bytes < left)
        left = free_bytes;
    return left > bytes ? left - bytes : 0;
}

/* Who has nothing yet has not used its share up: it is the disk that has no more. */
static bool refuse(const char *tenant, uint64_t has, bool disk, uint64_t free_bytes,
                   struct err *err)
{
    return disk ? err_set(err, ERR_FULL,
                          "the disk has %llu KB left for new mail, too little for a large message",
                          (unsigned long long)free_bytes / 1024)
                : err_set(err, ERR_FULL,
                          "tenant \"%s\" has %llu KB of unfinished messages, which is its share",
                          tenant, (unsigned long long)has / 1024);
}

bool receiving_take(struct receiving *r, const char *tenant, const struct database_room *room,
                    uint64_t free_bytes, uint64_t bytes, struct err *err)
{
    pthread_mutex_lock(&r->mutex);
    const struct receiver *one = find(r, tenant);
    uint64_t own = (one ? one->bytes : 0) + bytes;
    uint64_t left = left_of(r, room, free_bytes, bytes);
    bool may = own / PARTS < left && (room->tenant == 0 || own <= room->tenant);
    bool disk =
        own == bytes && own / PARTS >= left_of(r, &(struct database_room){0}, free_bytes, bytes);
    if (may)
        count(r, tenant, bytes);
    else if (!disk)
        count_refused(r, tenant);
    pthread_mutex_unlock(&r->mutex);
    return may || refuse(tenant, own - bytes, disk, free_bytes, err);
}

void receiving_give(struct receiving *r, const char *tenant, uint64_t bytes)
{
    pthread_mutex_lock(&r->mutex);
    struct receiver *one = find(r, tenant);
    CHECK(bytes == 0 || (one && one->bytes >= bytes && r->bytes >= bytes));
    if (one) {
        one->bytes -= bytes;
        r->bytes -= bytes;
    }
    if (one)
        drop_unused(r, one);
    pthread_mutex_unlock(&r->mutex);
}

bool receiving_refused(struct receiving *r, char tenant_r[64], unsigned *count_r, uint64_t *bytes_r)
{
    struct receiver *one = NULL;
    pthread_mutex_lock(&r->mutex);
    for (one = r->refusing ? r->by_tenant : NULL; one && one->refused == 0;)
        one = one->hh.next;
    bool found = one != NULL;
    r->refusing = found;
    if (one) {
        memcpy(tenant_r, one->tenant, sizeof(one->tenant));
        *count_r = one->refused;
        *bytes_r = one->bytes;
        one->refused = 0;
        drop_unused(r, one);
    }
    pthread_mutex_unlock(&r->mutex);
    return found;
}
