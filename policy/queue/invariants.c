// SPDX-License-Identifier: BSD-2-Clause
/* invariants.c - What is true of the queue's core between two events, in builds that check it.
 *
 *   1. Each recipient is in one place: the heap that its state says, or one attempt.
 *   2. A line is there while it has recipients, and stands where its domain's state says.
 *   3. What is counted (of domains, destinations, providers, tenants, all) is the sum of its parts.
 *   4. A connection carries one attempt at most, which knows it, and is in the list of its state.
 *   5. The first of each heap is the first: no item comes before its parent.
 *   6. What is counted at an address is what connections hold there, and what is known of it has a
 *      use (address_book.c).
 *
 * The sums of all are compared after each event, the parts when as many events have passed as there
 * are parts: so a check costs the same whatever waits.
 */
#include "queue_moves.h"

#include "address_parts.h"

/* ---- order ---- */

static void check_heap(const struct heap *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        const uint32_t *place = (const void *)((const char *)h->items[i] + h->place_at);
        CHECK(*place == i + 1);
        CHECK(i == 0 || !h->before(h->items[i], h->items[(i - 1) / 2]));
    }
}

static void check_fair(const struct fair *f)
{
    size_t items = 0;
    check_heap(&f->parties);
    for (uint32_t i = 0; i < f->parties.count; i++) {
        const struct fair_party *p = f->parties.items[i];
        CHECK(p->fair == f && p->items.count > 0);
        check_heap(&p->items);
        items += p->items.count;
        for (uint32_t k = 0; k < p->items.count; k++)
            CHECK(((const struct fair_item *)p->items.items[k])->party == p);
    }
    CHECK(items == f->count);
}

static void check_turns(const struct class_turns *t)
{
    check_heap(&t->all);
    for (uint32_t i = 0; i < t->all.count; i++)
        CHECK(((const struct turn_party *)t->all.items[i])->place_of_gone == 0);
    for (size_t class = 0; class < STREAM_CLASSES; class ++) {
        size_t items = 0;
        check_heap(&t->parties[class]);
        for (uint32_t i = 0; i < t->parties[class].count; i++) {
            const struct turn_party *p = t->parties[class].items[i];
            CHECK(p->turns == t && p->items[class].count > 0 && p->place_of_all != 0);
            check_heap(&p->items[class]);
            items += p->items[class].count;
        }
        CHECK(items == t->count[class]);
    }
}

/* ---- who waits ---- */

struct sums {
    size_t entries, entry_lines, ready, attempts, tenant_users, lane_users, lanes;
    size_t counted, in_use, plain, under_way;
    uint64_t answers, unused; /* bytes */
};

static void check_entries(const struct queue *q)
{
    size_t at = 0;
    size_t states[ENTRY_UNDER_WAY + 1] = {0};
    for (const struct entry *e = pointer_table_next(&q->entries, &at); e;
         e = pointer_table_next(&q->entries, &at)) {
        states[e->state]++;
        CHECK(!entry_line(e) || entry_line(e)->entries > 0);
        CHECK(e->state != ENTRY_HELD || (e->place != 0 && e->deadline_place != 0));
        CHECK(e->state != ENTRY_READY || e->place != 0);
        CHECK(e->state != ENTRY_READY || (e->deadline_place != 0) == !e->line->late);
    }
    CHECK(states[ENTRY_WAITING] == q->waiting.count);
    CHECK(states[ENTRY_READY] == q->ready);
    CHECK(states[ENTRY_HELD] == held_count(q));
    CHECK(states[ENTRY_UNDER_WAY] == q->under_way);
}

static void check_line(const struct line *l, struct sums *sums)
{
    const struct domain *d = l->domain;
    bool due = l->ready.count > 0;
    bool settles = l->late || d->state == DOMAIN_UNRESOLVABLE;
    bool leads = !settles && d->state == DOMAIN_LEADS;
    CHECK(l->entries > 0 || l->attempts > 0);
    CHECK(l->ready.count <= l->entries);
    CHECK((l->turn.party || l->held) == (due && leads));
    CHECK((l->settle.party != NULL) == (due && settles));
    CHECK((l->lane_turn.party != NULL) == (due && leads));
    CHECK(!l->held || (leads && lane_sets_aside(l) && !l->turn.party));
    CHECK(!l->lane_turn.party || (l->turn_at >= l->head_arrival && l->turn_at >= l->behind));
    CHECK(l->counted == (leads ? l->ready.count : 0));
    check_heap(&l->ready);
    sums->ready += l->ready.count;
    sums->entry_lines += l->entries;
    sums->attempts += l->attempts;
    sums->counted += l->counted;
}

static void check_domain(const struct domain *d, struct sums *sums)
{
    size_t ready = 0;
    size_t attempts = 0;
    bool waits = false; /* for an answer */
    bool is_looked_up = d->state == DOMAIN_RESOLVING || d->refreshing;
    for (const struct line *l = d->lines; l; l = l->next) {
        CHECK(l->domain == d);
        ready += l->ready.count;
        attempts += l->attempts;
        waits = waits || (l->ready.count > 0 && !l->late && d->state == DOMAIN_UNRESOLVED);
    }
    CHECK(d->ready == ready && d->attempts == attempts);
    CHECK((d->state == DOMAIN_LEADS) == (d->lane != NULL));
    CHECK(!waits || d->lookup.party);
    CHECK(!(is_looked_up && d->lookup.party) && !d->lookup.party == !d->lookup_too.party);
    CHECK(!d->unused || (ready == 0 && attempts == 0 && !is_looked_up));
    CHECK((d->payer != NULL) == (d->state != DOMAIN_UNRESOLVED));
    CHECK(d->lane ? d->lane->domains && d->prev_of_lane : !d->prev_of_lane);
    CHECK((d->lane_bytes > 0) == (d->lane && d->lane->domains == d) && d->lane_bytes <= d->bytes);
    sums->answers += d->unused ? 0 : d->bytes;
    sums->unused += d->unused ? d->bytes : 0;
    sums->tenant_users += d->payer != NULL;
    CHECK((d->asked_by != NULL) == (d->lookup.party || is_looked_up));
    sums->tenant_users += d->asked_by != NULL;
    sums->lane_users += d->lane != NULL;
}

static void check_lookups(const struct queue *q, size_t urgent)
{
    check_fair(&q->lookup[urgent]);
    check_fair(&q->lookup_best[urgent]);
    check_fair(&q->lookup_last[urgent]);
    CHECK(q->lookup[urgent].count == q->lookup_best[urgent].count + q->lookup_last[urgent].count);
}

static void check_waiting(const struct queue *q, struct sums *sums)
{
    size_t at = 0;
    for (const struct line *l = pointer_table_next(&q->lines, &at); l;
         l = pointer_table_next(&q->lines, &at))
        check_line(l, sums);
    at = 0;
    for (const struct domain *d = pointer_table_next(&q->domains, &at); d;
         d = pointer_table_next(&q->domains, &at))
        check_domain(d, sums);
    CHECK(sums->ready == q->ready);
    CHECK(sums->entry_lines == q->ready + q->under_way);
    CHECK(sums->attempts == q->attempt_count);
    CHECK(sums->unused == q->unused_bytes);
    check_heap(&q->unused_holders);
    check_heap(&q->waiting);
    check_heap(&q->deadlines);
    check_fair(&q->settle);
    for (size_t i = 0; i < COUNT_OF(q->lookup); i++)
        check_lookups(q, i);
    for (size_t i = 0; i < COUNT_OF(q->held); i++)
        check_fair(&q->held[i]);
}

/* ---- where to ---- */

static void check_destination(const struct destination *d, struct sums *sums)
{
    unsigned connections = 0;
    unsigned plain = 0;
    unsigned trying = 0;
    unsigned carrying = 0;
    unsigned stuck = 0;
    unsigned states[CONNECTION_STATES] = {0};
    window_check(&d->window);
    spacing_check(&d->spacing);
    window_check(&d->own);
    rate_limits_check(d);
    pauses_check(d);
    shuns_check(d);
    for (const struct connection *c = d->connections; c; c = c->next_of) {
        CHECK(c->lane->destination == d);
        states[c->state]++;
        connections++;
        plain += c->carries && !c->urgent;
        trying += c->trier != NULL;
        carrying += c->carries;
        stuck += c->stuck;
    }
    for (size_t i = 0; i < CONNECTION_STATES; i++)
        CHECK(d->count[i] == states[i]);
    check_turns(&d->turns);
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        sums->counted -= d->ready[i];
    CHECK(d->in_use == connections && d->plain == plain && d->trying_count == trying);
    CHECK(d->places.held == carrying && d->stuck == stuck);
    CHECK((d->unused.of != NULL) == (d->lanes == 0));
    CHECK(!d->unused.of || (!d->dirty && connections == 0));
    sums->lanes += d->lanes;
    sums->in_use += d->in_use;
    sums->plain += d->plain;
}

static void check_lane(const struct lane *lane, struct sums *sums)
{
    CHECK(lane->users > 0);
    CHECK(lane->resting == (lane->wake_place != 0));
    CHECK(!lane->held || lane->resting || lane->shuns > 0 || lane->limits > 0 ||
          lane->destination->paused > 0);
    check_turns(&lane->turns);
    sums->lane_users -= lane->users;
}

static void check_provider(const struct provider *p)
{
    unsigned in_use = 0;
    unsigned plain = 0;
    for (const struct destination *d = p->destinations; d; d = d->next) {
        CHECK(d->provider == p);
        in_use += d->in_use;
        plain += d->plain;
    }
    CHECK(p->in_use == in_use && p->plain == plain);
}

static void check_pool(const struct queue *q, size_t pool)
{
    check_fair(&q->connect[pool]);
    for (size_t i = 0; i < BEYOND_KINDS; i++)
        check_fair(&q->beyond[pool][i]);
}

static void check_destinations(const struct queue *q, struct sums *sums)
{
    size_t at = 0;
    for (const struct destination *d = pointer_table_next(&q->destinations, &at); d;
         d = pointer_table_next(&q->destinations, &at))
        check_destination(d, sums);
    at = 0;
    for (const struct provider *p = pointer_table_next(&q->providers, &at); p;
         p = pointer_table_next(&q->providers, &at))
        check_provider(p);
    at = 0;
    for (const struct lane *lane = pointer_table_next(&q->lanes, &at); lane;
         lane = pointer_table_next(&q->lanes, &at))
        check_lane(lane, sums);
    CHECK(sums->lanes == q->lanes.count && sums->counted == 0);
    CHECK(sums->in_use == q->in_use && sums->plain == q->plain);
    check_heap(&q->wakes);
    check_heap(&q->lane_wakes);
    for (size_t i = 0; i < POOLS; i++)
        check_pool(q, i);
}

/* ---- connections and what they carry ---- */

static void check_connection(const struct connection *c)
{
    CHECK(c->carries == (c->attempt != NULL) && c->carries == (c->holder != NULL));
    CHECK(!c->attempt || (c->attempt->connection == c && c->attempt->public.connection == c->id));
    CHECK(!c->attempt || c->attempt->public.trust == c->lane->trust);
    CHECK(c->state != CONNECTION_IDLE || (!c->attempt && !c->payer));
    CHECK(!c->slow || c->state == CONNECTION_OPENING);
    CHECK(!c->stuck || c->state == CONNECTION_BUSY);
    CHECK(!c->hurried || c->stuck);
    CHECK((c->kept.of != NULL) == (c->state == CONNECTION_IDLE));
    CHECK(!c->answering || (c->holder && !c->stuck));
}

static void check_attempts(const struct queue *q, struct sums *sums)
{
    for (const struct attempt *a = q->attempts; a; a = a->next) {
        CHECK(a->public.count > 0 && a->public.count <= QUEUE_RECIPIENTS_MAX);
        CHECK(!a->settling || !a->connection);
        sums->lane_users += a->lane != NULL;
        sums->under_way += a->public.count;
        for (size_t i = 0; i < a->public.count; i++) {
            const struct entry *e = entry_find(q, a->public.message, a->public.numbers[i]);
            CHECK(e && e->state == ENTRY_UNDER_WAY);
            CHECK(i == 0 || a->public.numbers[i - 1] < a->public.numbers[i]);
        }
    }
    CHECK(sums->under_way == q->under_way);
}

static void check_held(const struct tenant *t)
{
    bool any[2] = {false};
    for (size_t i = 0; i < STREAM_CLASSES; i++) {
        check_heap(&t->held[i]);
        any[i == STREAM_SECURITY] |= t->held[i].count > 0;
    }
    for (size_t i = 0; i < COUNT_OF(any); i++)
        CHECK((t->held_item[i].party != NULL) == any[i]);
}

static void check_tenant(const struct queue *q, const struct tenant *t, struct sums *sums)
{
    CHECK(t->users > 0);
    CHECK(t->stuck + t->answering <= capacity_held(q, t));
    CHECK((t->unused != NULL) == (t->unused_place != 0));
    check_held(t);
    sums->tenant_users -= t->users;
    sums->answers -= t->answer_bytes;
    sums->unused -= t->unused_bytes;
}

static void check_connections(const struct queue *q, struct sums *sums)
{
    size_t found = 0;
    size_t at = 0;
    for (size_t i = 0; i < q->slot_count; i++) {
        const struct connection *c = q->slots[i].connection;
        if (!c)
            continue;
        CHECK((uint32_t)c->id == i && (uint32_t)(c->id >> 32) == q->slots[i].generation);
        check_connection(c);
        found++;
        sums->lane_users++;
        sums->tenant_users += (size_t)(c->trier != NULL) + (c->payer != NULL);
        sums->answers += c->trier ? c->copied : 0;
    }
    CHECK(sums->answers == q->answer_bytes);
    CHECK(found == q->in_use && found + q->free_slot_count == q->slot_count);
    sums->tenant_users += q->lines.count + held_count(q) + q->limit_wakes.count +
                          q->pause_wakes.count - q->pauses.count;
    for (const struct tenant *t = pointer_table_next(&q->tenants, &at); t;
         t = pointer_table_next(&q->tenants, &at))
        check_tenant(q, t, sums);
    CHECK(sums->tenant_users == 0 && sums->answers == 0 && sums->unused == 0);
}

/* ---- addresses ---- */

struct holds {
    size_t in_use, plain, working, open, probing, serving, waiting, kept;
};

static void add_hold(struct holds *sum, const struct address_hold *hold)
{
    if (!hold->address)
        return;
    CHECK(!hold->open || hold->works);
    sum->in_use++;
    sum->plain += !hold->urgent;
    sum->working += hold->works;
    sum->open += hold->open;
    sum->probing += hold->probes;
    sum->serving += hold->serves;
}

static void take_address(struct holds *sum, const struct address *a)
{
    bool used = a->in_use > 0 || a->waiters[0].count + a->waiters[1].count > 0 || a->turn;
    CHECK(a->plain <= a->in_use && a->open <= a->working && a->working <= a->in_use);
    CHECK(used != (a->kept.of != NULL) && (used || a->failures > 0 || a->bears.ceiling > 0));
    CHECK(!a->turn || a->turn->address == a);
    check_turns(&a->turns);
    sum->in_use -= a->in_use;
    sum->plain -= a->plain;
    sum->working -= a->working;
    sum->open -= a->open;
    sum->probing -= a->probing;
    sum->serving -= a->serving;
    sum->kept += a->kept.of != NULL;
    for (size_t i = 0; i < COUNT_OF(a->waiters); i++) {
        check_fair(&a->waiters[i]);
        sum->waiting += a->waiters[i].count;
    }
    add_hold(sum, &a->detached);
}

static void check_addresses(const struct queue *q)
{
    const struct address_book *book = &q->addresses;
    struct holds sum = {0};
    size_t at = 0;
    for (const struct address *a = pointer_table_next(&book->all, &at); a;
         a = pointer_table_next(&book->all, &at))
        take_address(&sum, a);
    for (size_t i = 0; i < q->slot_count; i++)
        for (size_t k = 0; q->slots[i].connection && k < ADDRESS_HOLDS_MAX; k++)
            add_hold(&sum, &q->slots[i].connection->holds[k]);
    CHECK(sum.in_use == 0 && sum.plain == 0 && sum.working == 0 && sum.open == 0);
    CHECK(sum.probing == 0 && sum.serving == 0);
    CHECK(sum.waiting == book->waiting && sum.kept == book->kept.count);
}

/* ---- all of it ---- */

static void check_counts(const struct queue *q)
{
    const size_t *count = q->count;
    CHECK(q->entries.count == q->waiting.count + held_count(q) + q->ready + q->under_way);
    CHECK(q->in_use == count[CONNECTION_OPENING] + count[CONNECTION_BUSY] + count[CONNECTION_IDLE] +
                           count[CONNECTION_CLOSING]);
    CHECK(q->plain <= q->in_use);
    CHECK(q->slow <= count[CONNECTION_OPENING] && q->stuck_count <= count[CONNECTION_BUSY]);
    CHECK(q->hurried_before <= q->hurried && q->hurried <= q->stuck_count);
    CHECK(q->leaving == count[CONNECTION_CLOSING]);
    CHECK(q->settling <= q->attempt_count && q->attempt_count <= q->under_way);
    CHECK(q->lookup_count == q->resolving[0] + q->resolving[1] + q->slow_lookups);
    CHECK(q->unused_count <= q->domains.count);
}

void queue_check(struct queue *q)
{
    struct sums sums = {0};
    if (!CHECKS_MACHINES)
        return;
    size_t parts = q->entries.count + q->lines.count + q->domains.count + q->lanes.count +
                   q->destinations.count + q->slot_count + q->addresses.all.count;
    check_counts(q);
    if (q->unchecked++ < parts)
        return;
    q->unchecked = 0;
    check_entries(q);
    check_waiting(q, &sums);
    check_connections(q, &sums);
    check_destinations(q, &sums);
    check_attempts(q, &sums);
    CHECK(sums.lane_users == 0);
    check_addresses(q);
}
