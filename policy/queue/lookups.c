// SPDX-License-Identifier: BSD-2-Clause
/* lookups.c - Which domain is looked up next, for whom, and until when that counts.
 *
 * Tenants go in turn, by what they have under way. Of one tenant's domains two turns of four go to
 * the best: those that were answered in time when last asked about, then those whose mail came
 * last. One goes to who has waited longest; and one to domains that were not answered at all, and
 * slowly, which have none of the others, and half of their tenant's share at most. So many that are
 * never answered hold up none that comes later, nor one that is known, and each is asked.
 *
 * A lookup that takes long counts no more, so that others begin: of a tenant's one after the other,
 * as all that began together would end together. Of so many as a tenant may have beside those that
 * count, half are let go soon, so that it gets through many; the other half in ALL_MS, by when the
 * first have ended, and there is room again: so there is soon a turn for who comes. Where there may
 * be few, one a second. One whose domain was not answered the last time counts to its end, while
 * there may be many.
 */
#include "queue_moves.h"

#include "party_turns.h"

#include <utlist.h>

enum { FEW_LOOKUPS = 4, MANY_LOOKUPS = 50 };
enum { SLOW_MS = 2000, SLOW_LOOKUPS = 4, ALL_MS = 50 * 1000, GAP_MAX_MS = 1000 };

/* ---- orders ---- */

static bool has_waited_longer(const void *a, const void *b)
{
    const struct domain *d = OWNER_OF(a, struct domain, lookup);
    const struct domain *e = OWNER_OF(b, struct domain, lookup);
    bool slow = d->manner == ANSWERS_NOT;
    return slow != (e->manner == ANSWERS_NOT) ? !slow : d->since < e->since;
}

static bool is_better(const void *a, const void *b)
{
    const struct domain *d = OWNER_OF(a, struct domain, lookup_too);
    const struct domain *e = OWNER_OF(b, struct domain, lookup_too);
    return d->manner != e->manner ? d->manner < e->manner : d->arrival > e->arrival;
}

static bool asked_before(const void *a, const void *b)
{
    return OWNER_OF(a, struct domain, lookup_too)->since <
           OWNER_OF(b, struct domain, lookup_too)->since;
}

static bool uncounts_before(const void *a, const void *b)
{
    return ((const struct lookup_turns *)a)->next_ms < ((const struct lookup_turns *)b)->next_ms;
}

uint64_t domain_merit(const struct domain *domain, int64_t arrival)
{
    switch (domain->manner) {
    case ANSWERS_IN_TIME:
        return PARTY_MERIT_MOST;
    case ANSWERS_UNKNOWN:
        return (uint64_t)arrival;
    case ANSWERS_NOT:
        return 0;
    }
    UNREACHABLE();
}

void lookups_init(struct queue *q)
{
    heap_init(&q->late_lookups, uncounts_before, offsetof(struct lookup_turns, place));
    for (size_t i = 0; i < COUNT_OF(q->lookup); i++) {
        fair_init(&q->lookup[i], FAIR_HELD, &q->parties, has_waited_longer);
        fair_init(&q->lookup_best[i], FAIR_HELD, &q->parties, is_better);
        fair_init(&q->lookup_last[i], FAIR_HELD, &q->parties, asked_before);
    }
}

void lookups_fini(struct queue *q)
{
    for (size_t i = 0; i < COUNT_OF(q->lookup); i++) {
        fair_fini(&q->lookup[i]);
        fair_fini(&q->lookup_best[i]);
        fair_fini(&q->lookup_last[i]);
    }
    heap_fini(&q->late_lookups);
}

/* ---- who waits ---- */

static void put(struct queue *q, struct domain *domain, const struct tenant *tenant)
{
    struct fair *too = domain->manner == ANSWERS_NOT ? q->lookup_last : q->lookup_best;
    fair_put(&q->lookup[domain->urgent], tenant, &domain->lookup);
    fair_put(&too[domain->urgent], tenant, &domain->lookup_too);
}

void domain_asks_no_more(struct domain *domain)
{
    fair_take(&domain->lookup);
    fair_take(&domain->lookup_too);
}

static void let_go_of_tenant(struct queue *q, struct domain *domain)
{
    struct tenant *t = domain->asked_by;
    domain->asked_by = NULL;
    t->users--;
    tenant_drop(q, t);
}

void domain_withdraw(struct queue *q, struct domain *domain)
{
    if (!domain->lookup.party)
        return;
    domain_asks_no_more(domain);
    let_go_of_tenant(q, domain);
}

/* It is being looked up for less urgent mail, or for a tenant that may have no turn for it, as it
 * has many others, or is slow. */
static bool may_be_too_late_for(const struct queue *q, struct domain *domain,
                                const struct line *line)
{
    bool urgent = line->class == STREAM_SECURITY;
    uint64_t tenant = line->tenant->id;
    if (urgent && domain->asked_for[1] == 0)
        return true;
    bool own = domain->asked_for[1] == tenant || (!urgent && domain->asked_for[0] == tenant);
    bool of_few = domain->progress != LOOKUP_NEW ||
                  fair_used(&q->lookup[domain->urgent], domain->asked_by) > FEW_LOOKUPS;
    return !own && of_few && !domain->asked_others[urgent];
}

/* So it is asked once more: urgently in any case, and for one tenant that has few others, of each
 * urgency. The first answer counts. */
static void ask_once_more(struct queue *q, struct domain *domain, const struct line *line)
{
    bool urgent = line->class == STREAM_SECURITY;
    if (domain->state != DOMAIN_RESOLVING || q->paused || q->draining ||
        !may_be_too_late_for(q, domain, line))
        return;
    if (urgent && domain->asked_for[1] == 0)
        domain->asked_for[1] = line->tenant->id;
    else
        domain->asked_others[urgent] = true;
    domain->questions++;
    decide(q, (struct queue_decision){.kind = QUEUE_RESOLVE,
                                      .domain = domain->name,
                                      .tenant = line->tenant->name,
                                      .urgent = urgent,
                                      .anew = domain->asks_anew,
                                      .merit = domain_merit(domain, line->head_arrival)});
}

/* A domain that waits for the sake of a tenant with many others goes over to one with few; and from
 * one that may have no more answers to one that may. */
void domain_ask(struct queue *q, struct domain *domain, const struct line *line)
{
    bool urgent = line->class == STREAM_SECURITY;
    if (domain->state == DOMAIN_RESOLVING || domain->refreshing) {
        ask_once_more(q, domain, line);
        return;
    }
    if (domain->lookup.party) {
        struct fair *f = domain->lookup.party->fair;
        bool more_urgent = urgent && f != &q->lookup[1];
        bool fewer = f == &q->lookup[urgent] &&
                     fair_waiting(f, line->tenant) < domain->lookup.party->items.count &&
                     fair_used(f, line->tenant) <= domain->lookup.party->used;
        bool in_vain = !answer_may_come(q, domain->asked_by, f == &q->lookup[1]);
        if (!answer_may_come(q, line->tenant, urgent) || !(more_urgent || fewer || in_vain))
            return;
        domain_withdraw(q, domain);
    }
    domain->since = ++q->serial;
    domain->arrival = line->head_arrival;
    domain->urgent = urgent;
    domain->asked_by = line->tenant;
    line->tenant->users++;
    put(q, domain, line->tenant);
}

/* ---- who is next ---- */

struct may_look_up {
    const struct queue *queue;
    size_t left;
    bool urgent;
};

/* A new answer to an old question takes no more than that did. */
static bool may_begin(const struct domain *d, const struct may_look_up *ask)
{
    size_t last = d->asked_by->lookups[ask->urgent].last;
    return (d->manner != ANSWERS_NOT || is_within_half(last, ask->left)) &&
           (d->state == DOMAIN_LEADS || answer_may_come(ask->queue, d->asked_by, ask->urgent));
}

static struct domain *owner_too(const struct fair_item *item)
{
    return item ? OWNER_OF(item, struct domain, lookup_too) : NULL;
}

/* Of one tenant, whose first this is; NULL: none may. */
static struct domain *first_of(struct domain *oldest, const struct may_look_up *ask)
{
    enum { BEST, OLDEST, LAST, ORDERS };
    static const unsigned char turns[LOOKUP_TURNS][ORDERS] = {
        {OLDEST, BEST, LAST}, {BEST, OLDEST, LAST}, {LAST, OLDEST, BEST}, {BEST, OLDEST, LAST}};
    const struct tenant *t = oldest->asked_by;
    struct domain *firsts[] = {
        [BEST] = owner_too(fair_first_by(&ask->queue->lookup_best[ask->urgent], t)),
        [OLDEST] = oldest,
        [LAST] = owner_too(fair_first_by(&ask->queue->lookup_last[ask->urgent], t))};
    for (size_t i = 0; i < ORDERS; i++) {
        struct domain *d = firsts[turns[t->lookups[ask->urgent].turn][i]];
        if (d && may_begin(d, ask))
            return d;
    }
    return NULL;
}

static bool may_look_up(const struct fair_item *item, const void *context)
{
    const struct may_look_up *ask = context;
    return is_within_share(item->party->used, ask->left) &&
           first_of(OWNER_OF(item, struct domain, lookup), ask);
}

struct domain *lookup_next(struct queue *q, bool urgent, int64_t now_ms)
{
    unsigned max = q->settings.lookups;
    size_t under_way = q->resolving[0] + q->resolving[1];
    size_t plain = max - reserve_of(max);
    struct may_look_up ask = {q, max > under_way ? max - under_way : 0, urgent};
    if (!urgent && ask.left > 0)
        ask.left = plain > q->resolving[0] ? plain - q->resolving[0] : 0;
    if (ask.left == 0)
        return NULL;
    const struct fair_item *item =
        fair_first_of(&q->lookup[urgent], may_look_up, &ask, &q->lookup_look[urgent], now_ms);
    return item ? first_of(OWNER_OF(item, struct domain, lookup), &ask) : NULL;
}

/* ---- under way ---- */

static struct lookup_turns *turns_of(const struct domain *domain)
{
    return &domain->asked_by->lookups[domain->urgent];
}

void domain_lookup_begins(struct queue *q, struct domain *domain, int64_t now_ms)
{
    struct lookup_turns *t = turns_of(domain);
    domain_asks_no_more(domain);
    if (domain->state == DOMAIN_LEADS)
        domain->refreshing = true;
    else
        domain->state = DOMAIN_RESOLVING;
    domain->asked_ms = now_ms;
    domain->progress = LOOKUP_NEW;
    domain->asked_others[0] = domain->asked_others[1] = false;
    domain->questions = 1;
    domain->failures = 0;
    domain->asks_anew = domain->anew;
    domain->anew = false;
    domain->asked_for[domain->urgent] = domain->asked_by->id;
    domain->asked_for[!domain->urgent] = 0;
    answer_pays(q, domain, domain->asked_by);
    fair_charge(&q->lookup[domain->urgent], domain->asked_by, 1);
    t->turn = (t->turn + 1) % LOOKUP_TURNS;
    t->last += domain->manner == ANSWERS_NOT;
    q->resolving[domain->urgent]++;
    q->lookup_count++;
    DL_APPEND(q->lookups, domain);
}

/* Of what is late, and counts. */
static void leave_late(struct queue *q, struct domain *domain)
{
    struct lookup_turns *t = turns_of(domain);
    DL_DELETE(t->late, domain);
    if (!t->late && t->place != 0)
        heap_take(&q->late_lookups, t);
}

static void uncount(struct queue *q, struct domain *domain)
{
    turns_of(domain)->last -= domain->manner == ANSWERS_NOT;
    fair_refund(&q->lookup[domain->urgent], domain->asked_by, 1);
    q->resolving[domain->urgent]--;
}

/* So many more may be slow. */
static size_t slow_left(const struct queue *q)
{
    size_t most = (size_t)SLOW_LOOKUPS * q->settings.lookups;
    return most > q->slow_lookups ? most - q->slow_lookups : 0;
}

/* Until the next one of this tenant's counts no more. */
static int64_t gap_ms(const struct queue *q, const struct lookup_turns *t)
{
    int64_t ms = is_within_half(t->slow, slow_left(q)) ? 2 * SLOW_MS / q->settings.lookups
                                                       : ALL_MS / (int64_t)(t->slow + 1);
    return ms < GAP_MAX_MS ? ms : GAP_MAX_MS;
}

/* Others may ask for it, too. */
static void is_late(struct queue *q, struct domain *domain)
{
    struct lookup_turns *t = turns_of(domain);
    struct line *line;
    DL_DELETE(q->lookups, domain);
    bool stays = domain->manner == ANSWERS_NOT && q->settings.lookups >= MANY_LOOKUPS;
    domain->progress = stays ? LOOKUP_STAYS : LOOKUP_LATE;
    if (domain->progress == LOOKUP_LATE) {
        DL_APPEND(t->late, domain);
        if (t->place == 0)
            heap_push(&q->late_lookups, t);
    }
    DL_FOREACH (domain->lines, line)
        if (!line->late && line->ready.count > 0)
            ask_once_more(q, domain, line);
}

static void uncount_first(struct queue *q, struct lookup_turns *t, int64_t now_ms)
{
    struct domain *domain = t->late;
    t->next_ms = now_ms + gap_ms(q, t);
    heap_moved(&q->late_lookups, t);
    if (!is_within_share(t->slow, slow_left(q)))
        return;
    leave_late(q, domain);
    domain->progress = LOOKUP_SLOW;
    t->slow++;
    q->slow_lookups++;
    uncount(q, domain);
}

static int64_t uncounts_at(const struct queue *q)
{
    const struct lookup_turns *t = heap_first(&q->late_lookups);
    return t && slow_left(q) > 0 ? t->next_ms : INT64_MAX;
}

void lookups_get_late(struct queue *q, int64_t now_ms)
{
    while (q->lookups && q->lookups->asked_ms + SLOW_MS <= now_ms)
        is_late(q, q->lookups);
    while (uncounts_at(q) <= now_ms)
        uncount_first(q, heap_first(&q->late_lookups), now_ms);
}

int64_t lookups_get_late_at(const struct queue *q)
{
    int64_t late_ms = q->lookups ? q->lookups->asked_ms + SLOW_MS : INT64_MAX;
    int64_t uncounts_ms = uncounts_at(q);
    return late_ms < uncounts_ms ? late_ms : uncounts_ms;
}

static void leave_lists(struct queue *q, struct domain *domain)
{
    switch (domain->progress) {
    case LOOKUP_NEW:
        DL_DELETE(q->lookups, domain);
        break;
    case LOOKUP_LATE:
        leave_late(q, domain);
        break;
    case LOOKUP_SLOW:
        turns_of(domain)->slow--;
        q->slow_lookups--;
        return;
    case LOOKUP_STAYS:
        break;
    }
    uncount(q, domain);
}

void domain_lookup_ends(struct queue *q, struct domain *domain)
{
    leave_lists(q, domain);
    let_go_of_tenant(q, domain);
    domain->manner = domain->progress == LOOKUP_NEW ? ANSWERS_IN_TIME : ANSWERS_UNKNOWN;
    domain->progress = LOOKUP_NEW;
    q->lookup_count--;
    domain->refreshing = domain->asks_anew = false;
    if (domain->state == DOMAIN_RESOLVING)
        domain->state = DOMAIN_UNRESOLVED;
}
