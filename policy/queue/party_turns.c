// SPDX-License-Identifier: BSD-2-Clause
/* party_turns.c - Two fairs, as the queue has for its domains: for class security, and for other
 * mail. One question of a domain's becomes many lookups here, and each of them counts. */
#include "party_turns.h"

#include "fair.h"
#include "shares.h"

#include <stdlib.h>
#include <string.h>

enum { PLAIN, URGENT, KINDS };

struct asker {
    const char *tenant;
    size_t users;
};

struct party_turn {
    struct fair_item item;
    struct asker *asker;
    unsigned kind, rank;
    bool begun;
    uint64_t serial;
    void *what;
};

struct party_turns {
    unsigned most, most_each;
    size_t under_way[KINDS];
    uint64_t serial;
    struct pointer_table askers, parties;
    struct fair waiting[KINDS];
};

static uint64_t hash_asker(const void *item)
{
    return pointer_table_text(((const struct asker *)item)->tenant);
}

static bool same_asker(const void *a, const void *b)
{
    return strcmp(((const struct asker *)a)->tenant, ((const struct asker *)b)->tenant) == 0;
}

static bool goes_before(const void *a, const void *b)
{
    const struct party_turn *x = OWNER_OF(a, struct party_turn, item);
    const struct party_turn *y = OWNER_OF(b, struct party_turn, item);
    return x->rank != y->rank ? x->rank < y->rank : x->serial < y->serial;
}

struct party_turns *party_turns_new(unsigned most)
{
    struct party_turns *t = xcalloc(1, sizeof(*t));
    t->most = most;
    t->most_each = most;
    pointer_table_init(&t->askers, hash_asker, same_asker);
    fair_table_init(&t->parties);
    for (size_t i = 0; i < KINDS; i++)
        fair_init(&t->waiting[i], FAIR_HELD, &t->parties, goes_before);
    return t;
}

void party_turns_free(struct party_turns *t)
{
    if (!t)
        return;
    CHECK(t->askers.count == 0);
    for (size_t i = 0; i < KINDS; i++)
        fair_fini(&t->waiting[i]);
    fair_table_fini(&t->parties);
    pointer_table_fini(&t->askers);
    free(t);
}

static struct asker *need_asker(struct party_turns *t, const char *tenant)
{
    struct asker key = {.tenant = tenant};
    struct asker *a = pointer_table_find(&t->askers, &key);
    if (a)
        return a;
    size_t len = strlen(tenant) + 1;
    char *room = xcalloc(1, sizeof(*a) + len);
    a = (struct asker *)(void *)room;
    a->tenant = memcpy(room + sizeof(*a), tenant, len);
    pointer_table_add(&t->askers, a);
    return a;
}

struct party_turn *party_turns_wait(struct party_turns *t, const char *tenant, bool urgent,
                                    unsigned rank, void *what)
{
    struct party_turn *turn = xcalloc(1, sizeof(*turn));
    turn->asker = need_asker(t, tenant);
    turn->asker->users++;
    turn->kind = urgent ? URGENT : PLAIN;
    turn->rank = rank;
    turn->serial = ++t->serial;
    turn->what = what;
    fair_put(&t->waiting[turn->kind], turn->asker, &turn->item);
    return turn;
}

/* The first of those of this kind, when it may be one more. */
static struct party_turn *first_of(struct party_turns *t, unsigned kind)
{
    const struct fair *f = &t->waiting[kind];
    size_t under_way = t->under_way[PLAIN] + t->under_way[URGENT];
    size_t own = t->most - reserve_of(t->most); /* the rest is kept for the other kind */
    size_t rest = own > t->under_way[kind] ? own - t->under_way[kind] : 0;
    size_t left = t->most > under_way ? t->most - under_way : 0;
    left = rest < left ? rest : left;
    if (left == 0 || f->count == 0 || !is_within_share(fair_first_used(f), left) ||
        fair_first_used(f) >= t->most_each)
        return NULL;
    return OWNER_OF(fair_first(f), struct party_turn, item);
}

void party_turns_allow_each(struct party_turns *t, unsigned most_each)
{
    t->most_each = most_each;
}

bool party_turns_wait_there(const struct party_turns *t)
{
    return t->waiting[PLAIN].count + t->waiting[URGENT].count > 0;
}

void *party_turns_next(struct party_turns *t)
{
    struct party_turn *turn = first_of(t, URGENT);
    if (!turn)
        turn = first_of(t, PLAIN);
    if (!turn)
        return NULL;
    fair_take(&turn->item);
    fair_charge(&t->waiting[turn->kind], turn->asker, 1);
    t->under_way[turn->kind]++;
    turn->begun = true;
    return turn->what;
}

bool party_turn_has_begun(const struct party_turn *turn)
{
    return turn->begun;
}

void party_turns_end(struct party_turns *t, struct party_turn *turn)
{
    if (!turn)
        return;
    fair_take(&turn->item);
    if (turn->begun) {
        fair_refund(&t->waiting[turn->kind], turn->asker, 1);
        t->under_way[turn->kind]--;
    }
    if (--turn->asker->users == 0) {
        pointer_table_drop(&t->askers, turn->asker);
        free(turn->asker);
    }
    free(turn);
}
