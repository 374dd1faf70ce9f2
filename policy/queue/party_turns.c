// SPDX-License-Identifier: BSD-2-Clause
/* party_turns.c - Two fairs, as the queue has for its domains: for class security, and for other
 * mail. One question of a domain's becomes many lookups here, and each of them counts.
 *
 * What stands in them is not a turn but a subject: what a tenant asks about one domain, with a heap
 * of its turns. It stands twice, in two orders, of which its tenant goes by one or the other; who
 * goes is told by the first.
 */
#include "party_turns.h"

#include "fair.h"
#include "party_load.h"
#include "shares.h"
#include "unclaimed_cost.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { PLAIN, URGENT, KINDS };
enum { TURNS = 4, GAP_MAX_MS = 1000, QUICK_MS = 1000, LOOK_MS = 100 };

struct asker {
    const char *tenant;
    size_t users; /* subjects */
    struct party_load load;
    uint64_t cost_us;       /* since the last look */
    size_t charged;         /* of its turns, by the charge that goes on */
    unsigned turn[KINDS];   /* one of TURNS is that of who has waited longest */
    int64_t next_ms[KINDS]; /* none begins before then beyond half of what it may have */
};

struct subject {
    struct asker *asker;
    const char *domain;
    unsigned kind;
    size_t users, under_way;
    struct heap waiting; /* turns */
    uint64_t merit;      /* the highest of what was asked of it */
    uint64_t came;       /* to wait, as the serial counts */
    uint64_t since;      /* the same, or when it last had a turn */
    struct fair_item by_wait, by_merit;
};

struct party_turn {
    struct party_turn *next, *prev; /* party_turns.begun */
    struct subject *subject;
    const char *name;
    uint32_t place; /* subject->waiting */
    unsigned rank;
    bool begun, spread; /* spread: it has put off the next one */
    int64_t begun_ms;
    uint64_t serial;
    void *what;
};

struct party_turns {
    unsigned most;
    bool metered;
    uint64_t cost_us; /* since the last look */
    struct unclaimed_cost unclaimed;
    int64_t looked_ms;
    struct party_turn *begun;
    int64_t lasts_ms, now_ms;              /* lasts_ms: 0: turns are not spread */
    size_t under_way[KINDS], count[KINDS]; /* count: that wait */
    uint64_t serial;
    struct pointer_table askers, subjects, parties;
    struct fair waiting[KINDS]; /* subjects: who has waited longest first */
    struct fair best[KINDS];    /* the same: of most merit first; of one tenant's only */
    struct wide_look look[KINDS];
};

/* ---- tables ---- */

static uint64_t hash_asker(const void *item)
{
    return pointer_table_text(((const struct asker *)item)->tenant);
}

static bool same_asker(const void *a, const void *b)
{
    return strcmp(((const struct asker *)a)->tenant, ((const struct asker *)b)->tenant) == 0;
}

static uint64_t hash_subject(const void *item)
{
    const struct subject *s = item;
    return pointer_table_mix(pointer_table_text(s->domain) +
                             pointer_table_mix((uint64_t)(uintptr_t)s->asker + s->kind));
}

static bool same_subject(const void *a, const void *b)
{
    const struct subject *s = a;
    const struct subject *r = b;
    return s->asker == r->asker && s->kind == r->kind && strcmp(s->domain, r->domain) == 0;
}

static bool turn_before(const void *a, const void *b)
{
    const struct party_turn *t = a;
    const struct party_turn *u = b;
    return t->rank != u->rank ? t->rank < u->rank : t->serial < u->serial;
}

static unsigned rank_of(const struct subject *s)
{
    return ((const struct party_turn *)heap_first(&s->waiting))->rank;
}

/* By how much of it is under way, and by rank: below 0, 0, above 0. */
static int compare_had(const struct subject *s, const struct subject *r)
{
    if (s->under_way != r->under_way)
        return s->under_way < r->under_way ? -1 : 1;
    return (rank_of(s) > rank_of(r)) - (rank_of(s) < rank_of(r));
}

static bool has_waited_longer(const void *a, const void *b)
{
    const struct subject *s = OWNER_OF(a, struct subject, by_wait);
    const struct subject *r = OWNER_OF(b, struct subject, by_wait);
    int had = compare_had(s, r);
    return had != 0 ? had < 0 : s->since < r->since;
}

static bool deserves_more(const void *a, const void *b)
{
    const struct subject *s = OWNER_OF(a, struct subject, by_merit);
    const struct subject *r = OWNER_OF(b, struct subject, by_merit);
    int had = compare_had(s, r);
    if (had != 0)
        return had < 0;
    return s->merit != r->merit ? s->merit > r->merit : s->came > r->came;
}

struct party_turns *party_turns_new(unsigned most)
{
    struct party_turns *t = xcalloc(1, sizeof(*t));
    t->most = most;
    pointer_table_init(&t->askers, hash_asker, same_asker);
    pointer_table_init(&t->subjects, hash_subject, same_subject);
    fair_table_init(&t->parties);
    for (size_t i = 0; i < KINDS; i++) {
        fair_init(&t->waiting[i], FAIR_HELD, &t->parties, has_waited_longer);
        fair_init(&t->best[i], FAIR_HELD, &t->parties, deserves_more);
    }
    return t;
}

/* Those that have nothing here any more, and of whom there is nothing to remember; or all. */
static void forget_askers(struct party_turns *t, bool all)
{
    size_t at = 0;
    struct asker *a = pointer_table_next(&t->askers, &at);
    while (a) {
        if (a->users > 0 || (!all && party_load_counts(&a->load, t->now_ms))) {
            a = pointer_table_next(&t->askers, &at);
            continue;
        }
        pointer_table_drop(&t->askers, a);
        free(a);
        at = 0;
        a = pointer_table_next(&t->askers, &at);
    }
}

void party_turns_free(struct party_turns *t)
{
    if (!t)
        return;
    forget_askers(t, true);
    CHECK(t->askers.count == 0 && t->subjects.count == 0);
    for (size_t i = 0; i < KINDS; i++) {
        fair_fini(&t->waiting[i]);
        fair_fini(&t->best[i]);
    }
    fair_table_fini(&t->parties);
    pointer_table_fini(&t->subjects);
    pointer_table_fini(&t->askers);
    free(t);
}

static void *with_text(size_t size, const char *text, const char **copy_r)
{
    size_t len = strlen(text) + 1;
    char *room = xcalloc(1, size + len);
    *copy_r = memcpy(room + size, text, len);
    return room;
}

static struct asker *need_asker(struct party_turns *t, const char *tenant)
{
    struct asker key = {.tenant = tenant};
    struct asker *a = pointer_table_find(&t->askers, &key);
    if (a)
        return a;
    const char *copy = NULL;
    a = with_text(sizeof(*a), tenant, &copy);
    a->tenant = copy;
    party_load_init(&a->load, t->now_ms);
    pointer_table_add(&t->askers, a);
    return a;
}

static struct subject *need_subject(struct party_turns *t, const struct party_ask *ask)
{
    struct subject key = {.asker = need_asker(t, ask->tenant),
                          .domain = ask->domain ? ask->domain : "",
                          .kind = ask->urgent ? URGENT : PLAIN};
    struct subject *s = pointer_table_find(&t->subjects, &key);
    if (s)
        return s;
    const char *copy = NULL;
    s = with_text(sizeof(*s), key.domain, &copy);
    *s = key;
    s->domain = copy;
    s->asker->users++;
    heap_init(&s->waiting, turn_before, offsetof(struct party_turn, place));
    pointer_table_add(&t->subjects, s);
    return s;
}

static void drop_subject(struct party_turns *t, struct subject *s)
{
    struct asker *a = s->asker;
    if (s->users > 0)
        return;
    pointer_table_drop(&t->subjects, s);
    heap_fini(&s->waiting);
    free(s);
    if (--a->users > 0 || party_load_counts(&a->load, t->now_ms))
        return;
    pointer_table_drop(&t->askers, a);
    free(a);
}

/* ---- where a subject stands ---- */

/* What waits of it, or is under way, has changed. */
static void stand(struct party_turns *t, struct subject *s)
{
    bool waits = s->waiting.count > 0;
    if (waits && s->by_wait.party) {
        fair_moved(&s->by_wait);
        fair_moved(&s->by_merit);
    } else if (waits) {
        s->came = s->since = ++t->serial;
        fair_put(&t->waiting[s->kind], s->asker, &s->by_wait);
        fair_put(&t->best[s->kind], s->asker, &s->by_merit);
    }
}

/* It gives up the turn that it waits for. */
static void take_out(struct party_turns *t, struct party_turn *turn)
{
    struct subject *s = turn->subject;
    if (s->waiting.count == 1) { /* an order looks at the first of what waits */
        fair_take(&s->by_wait);
        fair_take(&s->by_merit);
    }
    heap_take(&s->waiting, turn);
    t->count[s->kind]--;
}

struct party_turn *party_turns_wait(struct party_turns *t, const struct party_ask *ask)
{
    const char *name = NULL;
    struct party_turn *turn = with_text(sizeof(*turn), ask->name ? ask->name : "", &name);
    struct subject *s = need_subject(t, ask);
    turn->name = name;
    s->users++;
    s->merit = ask->merit > s->merit ? ask->merit : s->merit;
    turn->subject = s;
    turn->rank = ask->rank;
    turn->serial = ++t->serial;
    turn->what = ask->what;
    heap_push(&s->waiting, turn);
    t->count[s->kind]++;
    stand(t, s);
    return turn;
}

/* ---- whose turn it is ---- */

static struct subject *subject_of_next(struct party_turns *t, struct subject *oldest)
{
    struct asker *a = oldest->asker;
    if (a->turn[oldest->kind]++ % TURNS == 0)
        return oldest;
    return OWNER_OF(fair_first_by(&t->best[oldest->kind], a), struct subject, by_merit);
}

/* Half of what one tenant alone may have begins at once; the other half so that it has all begun
 * when the first of it may end. */
static int64_t gap_ms(const struct party_turns *t)
{
    int64_t half = (t->most - reserve_of(t->most)) / 3;
    return half > 0 && t->lasts_ms / half < GAP_MAX_MS ? t->lasts_ms / half : GAP_MAX_MS;
}

/* What was missed, as nobody looked, is made good. */
static void put_off(const struct party_turns *t, struct party_turn *turn)
{
    int64_t *next_ms = &turn->subject->asker->next_ms[turn->subject->kind];
    int64_t from_ms = *next_ms > t->now_ms - GAP_MAX_MS ? *next_ms : t->now_ms;
    *next_ms = from_ms + gap_ms(t);
    turn->spread = true;
}

/* It was quick: another one may begin for it. */
static void make_good(const struct party_turns *t, const struct party_turn *turn)
{
    if (turn->spread && t->now_ms - turn->begun_ms < QUICK_MS)
        turn->subject->asker->next_ms[turn->subject->kind] -= gap_ms(t);
}

struct beginning {
    const struct party_turns *turns;
    unsigned kind;
    size_t left;
};

static bool may_begin(const struct fair_item *item, const void *context)
{
    const struct beginning *b = context;
    const struct party_turns *t = b->turns;
    const struct asker *a = item->party->who;
    uint64_t used = item->party->used;
    bool waits = t->lasts_ms > 0 && a->next_ms[b->kind] > t->now_ms;
    return (!t->metered || used < a->load.each) && is_within_share(used, b->left) &&
           (!waits || is_within_half(used, b->left));
}

/* The first of those of this kind, when it may be one more. */
static struct party_turn *first_of(struct party_turns *t, unsigned kind)
{
    size_t under_way = t->under_way[PLAIN] + t->under_way[URGENT];
    size_t own = t->most - reserve_of(t->most); /* the rest is kept for the other kind */
    size_t rest = own > t->under_way[kind] ? own - t->under_way[kind] : 0;
    size_t left = t->most > under_way ? t->most - under_way : 0;
    const struct beginning b = {t, kind, rest < left ? rest : left};
    if (b.left == 0)
        return NULL;
    const struct fair_item *item =
        fair_first_of(&t->waiting[kind], may_begin, &b, &t->look[kind], t->now_ms);
    if (!item)
        return NULL;
    struct subject *s = subject_of_next(t, OWNER_OF(item, struct subject, by_wait));
    struct party_turn *turn = heap_first(&s->waiting);
    if (t->lasts_ms > 0 && !is_within_half(item->party->used, b.left))
        put_off(t, turn);
    return turn;
}

/* ---- what turns cost ---- */

void party_turns_meter(struct party_turns *t)
{
    t->metered = true;
}

/* How many turns are charged: all in that zone; or, NULL, one of each asker: by how much he has
 * under way he who has much to do would pay for who hides. */
static size_t count_charged(const struct party_turns *t, const char *zone)
{
    struct party_turn *turn;
    size_t count = 0;
    DL_FOREACH (t->begun, turn) {
        struct asker *a = turn->subject->asker;
        bool is = zone ? unclaimed_is_in_zone(turn->name, zone) : a->charged == 0;
        a->charged += is;
        count += is;
    }
    return count;
}

static void spread_cost(struct party_turns *t, uint64_t us, size_t count)
{
    struct party_turn *turn;
    if (count == 0)
        return;
    t->cost_us += us;
    DL_FOREACH (t->begun, turn) {
        struct asker *a = turn->subject->asker;
        a->cost_us += a->charged > 0 ? us * a->charged / count : 0;
        a->charged = 0;
    }
}

void party_turns_charge(struct party_turns *t, const char *zone, uint64_t us)
{
    size_t count = zone[0] ? count_charged(t, zone) : 0;
    if (count == 0)
        unclaimed_add(&t->unclaimed, zone, us, t->now_ms);
    spread_cost(t, us, count);
}

void party_turn_leads_to(struct party_turns *t, struct party_turn *turn, const char *name)
{
    uint64_t us = turn && name ? unclaimed_take(&t->unclaimed, name) : 0;
    if (us == 0)
        return;
    t->cost_us += us;
    turn->subject->asker->cost_us += us;
}

/* Those with half of an equal part, or more, of what the thread is busy with. */
static void look(struct party_turns *t, bool busy)
{
    size_t payers = 0;
    size_t at = 0;
    for (const struct asker *a = pointer_table_next(&t->askers, &at); a;
         a = pointer_table_next(&t->askers, &at))
        payers += a->cost_us > 0;
    at = 0;
    for (struct asker *a = pointer_table_next(&t->askers, &at); a;
         a = pointer_table_next(&t->askers, &at)) {
        bool waits = fair_waiting(&t->waiting[PLAIN], a) + fair_waiting(&t->waiting[URGENT], a) > 0;
        bool much = a->cost_us > 0 && 2 * a->cost_us * payers >= t->cost_us;
        party_load_look(&a->load, busy && much, waits, t->now_ms);
        a->cost_us = 0;
    }
}

void party_turns_look(struct party_turns *t, int64_t now_ms)
{
    int64_t passed_ms = now_ms - t->looked_ms;
    uint64_t us = unclaimed_give_up(&t->unclaimed, now_ms);
    if (us > 0)
        spread_cost(t, us, count_charged(t, NULL));
    bool busy = party_load_is_busy(t->cost_us, passed_ms);
    t->now_ms = now_ms;
    if (!busy && passed_ms < LOOK_MS)
        return;
    look(t, busy);
    forget_askers(t, false);
    t->cost_us = 0;
    t->looked_ms = now_ms;
}

/* ---- all of them ---- */

void party_turns_spread(struct party_turns *t, int64_t lasts_ms)
{
    t->lasts_ms = lasts_ms;
}

bool party_turns_wait_there(const struct party_turns *t)
{
    return t->count[PLAIN] + t->count[URGENT] > 0;
}

void *party_turns_next(struct party_turns *t)
{
    struct party_turn *turn = first_of(t, URGENT);
    if (!turn)
        turn = first_of(t, PLAIN);
    if (!turn)
        return NULL;
    struct subject *s = turn->subject;
    take_out(t, turn);
    fair_charge(&t->waiting[s->kind], s->asker, 1);
    t->under_way[s->kind]++;
    s->under_way++;
    s->since = ++t->serial;
    turn->begun = true;
    DL_APPEND(t->begun, turn);
    turn->begun_ms = t->now_ms;
    stand(t, s);
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
    struct subject *s = turn->subject;
    if (turn->begun) {
        DL_DELETE(t->begun, turn);
        make_good(t, turn);
        fair_refund(&t->waiting[s->kind], s->asker, 1);
        t->under_way[s->kind]--;
        s->under_way--;
    } else {
        take_out(t, turn);
    }
    free(turn);
    s->users--;
    stand(t, s);
    drop_subject(t, s);
}
