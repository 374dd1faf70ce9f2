// SPDX-License-Identifier: BSD-2-Clause
/* domains.c - Domains, and the lines of recipients in them.
 *
 *   UNRESOLVED ─▶ RESOLVING ─▶ LEADS (to a lane) ─▶ looked up again while it is used
 *        ▲                └─▶ UNRESOLVABLE ─(retry_ms)─┐
 *        └─────────────────────────────────────────────┘
 *
 * A line with recipients that are due stands: of a domain that leads somewhere in the turns of the
 * destination and of the lane; of one that is unresolvable, and of recipients whose time is over,
 * in the turns of what is settled without a connection; else nowhere, and its domain waits for a
 * lookup. line_changed() sees to that.
 */
#include "queue_moves.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { FEW_LOOKUPS = 4 };

/* ---- tables ---- */

static uint64_t hash_domain(const void *item)
{
    return pointer_table_text(((const struct domain *)item)->name);
}

static bool same_domain(const void *a, const void *b)
{
    return strcmp(((const struct domain *)a)->name, ((const struct domain *)b)->name) == 0;
}

static uint64_t hash_line(const void *item)
{
    const struct line *l = item;
    uint64_t kind = (uint64_t)l->class * 2 + l->late;
    return pointer_table_mix((uint64_t)(uintptr_t)l->domain * 31 +
                             pointer_table_mix((uint64_t)(uintptr_t)l->tenant + kind));
}

static bool same_line(const void *a, const void *b)
{
    const struct line *l = a;
    const struct line *m = b;
    return l->domain == m->domain && l->tenant == m->tenant && l->class == m->class &&
           l->late == m->late;
}

/* Lines that wait to be settled: by arrival. */
static bool settles_before(const void *a, const void *b)
{
    return OWNER_OF(a, struct line, settle)->head_arrival <
           OWNER_OF(b, struct line, settle)->head_arrival;
}

static bool asks_before(const void *a, const void *b)
{
    return OWNER_OF(a, struct domain, lookup)->since < OWNER_OF(b, struct domain, lookup)->since;
}

void domains_init(struct queue *q)
{
    pointer_table_init(&q->domains, hash_domain, same_domain);
    pointer_table_init(&q->lines, hash_line, same_line);
    fair_init(&q->settle, FAIR_HELD, &q->parties, settles_before);
    for (size_t i = 0; i < COUNT_OF(q->lookup); i++)
        fair_init(&q->lookup[i], FAIR_HELD, &q->parties, asks_before);
}

void domains_fini(struct queue *q)
{
    size_t at = 0;
    for (struct line *l = pointer_table_next(&q->lines, &at); l;
         l = pointer_table_next(&q->lines, &at)) {
        fair_take(&l->settle);
        class_turns_take(&l->turn);
        class_turns_take(&l->lane_turn);
        heap_fini(&l->ready);
        free(l);
    }
    at = 0;
    for (struct domain *d = pointer_table_next(&q->domains, &at); d;
         d = pointer_table_next(&q->domains, &at)) {
        fair_take(&d->lookup);
        free(d);
    }
    pointer_table_fini(&q->lines);
    pointer_table_fini(&q->domains);
    fair_fini(&q->settle);
    for (size_t i = 0; i < COUNT_OF(q->lookup); i++)
        fair_fini(&q->lookup[i]);
}

struct domain *domain_find(const struct queue *q, const char *name)
{
    struct domain key = {.name = name};
    return pointer_table_find(&q->domains, &key);
}

struct domain *domain_need(struct queue *q, const char *name)
{
    struct domain *domain = domain_find(q, name);
    if (!domain) {
        const char *copy = NULL;
        domain = names_struct(sizeof(*domain), name, &copy);
        domain->name = copy;
        pointer_table_add(&q->domains, domain);
    }
    return domain;
}

void domain_set_why(struct queue *q, struct domain *domain, const char *why)
{
    uint32_t before = domain->why;
    domain->why = why && *why ? names_hold(&q->names, why) : 0;
    if (before != 0)
        names_drop(&q->names, before);
}

const char *domain_why(const struct queue *q, const struct domain *domain)
{
    return domain->why != 0 ? names_text(&q->names, domain->why) : "";
}

int64_t line_arrival(const struct entry *e)
{
    return e->message + ((int64_t)e->behind << 16);
}

/* Recipients of one message that break connections are not among those that do not. */
static bool arrived_before(const void *a, const void *b)
{
    const struct entry *e = a;
    const struct entry *f = b;
    if (line_arrival(e) != line_arrival(f))
        return line_arrival(e) < line_arrival(f);
    if (e->suspect != f->suspect)
        return f->suspect;
    return e->message != f->message ? e->message < f->message : e->number < f->number;
}

struct line *line_need(struct queue *q, struct domain *domain, struct tenant *tenant,
                       enum stream_class class, bool late)
{
    struct line key = {.domain = domain, .tenant = tenant, .class = class, .late = late};
    struct line *line = pointer_table_find(&q->lines, &key);
    if (!line) {
        line = xcalloc(1, sizeof(*line));
        *line = key;
        heap_init(&line->ready, arrived_before, offsetof(struct entry, place));
        pointer_table_add(&q->lines, line);
        DL_APPEND(domain->lines, line);
        tenant->users++;
    }
    return line;
}

/* ---- where a line stands ---- */

static void leave(struct queue *q, struct line *line)
{
    struct lane *lane = line->domain->lane;
    if (line->held)
        lane_unhold(lane, line);
    fair_take(&line->settle);
    class_turns_take(&line->turn);
    class_turns_take(&line->lane_turn);
    if (line->counted > 0) {
        lane->destination->ready[line->class] -= line->counted;
        destination_touch(q, lane->destination);
    }
    line->counted = 0;
}

static void stand_in(struct class_turns *t, const struct line *line, struct turn_item *item)
{
    if (item->party)
        class_turns_moved(item);
    else
        class_turns_put(t, line->tenant->id, line->class, item);
}

static void note_urgent(struct queue *q, struct destination *d)
{
    q->urgent_ms = d->urgent_ms = q->now_ms;
    if (d->provider)
        d->provider->urgent_ms = q->now_ms;
}

static void stand(struct queue *q, struct line *line)
{
    struct domain *domain = line->domain;
    if (line->late || domain->state == DOMAIN_UNRESOLVABLE) {
        if (line->settle.party)
            fair_moved(&line->settle);
        else
            fair_put(&q->settle, line->tenant, &line->settle);
    } else if (domain->state == DOMAIN_LEADS) {
        struct destination *d = domain->lane->destination;
        if (line->class == STREAM_SECURITY)
            note_urgent(q, d);
        if (lane_sets_aside(line))
            lane_hold(domain->lane, line);
        else
            stand_in(&d->turns, line, &line->turn);
        stand_in(&domain->lane->turns, line, &line->lane_turn);
        d->ready[line->class] += line->ready.count;
        d->ready[line->class] -= line->counted;
        line->counted = line->ready.count;
        destination_touch(q, d);
    } else {
        domain_ask(q, domain, line);
    }
}

static void let_go_of_tenant(struct queue *q, struct domain *domain)
{
    struct tenant *t = domain->asked_by;
    domain->asked_by = NULL;
    t->users--;
    tenant_drop(q, t);
}

/* It wants no lookup any more. */
static void withdraw(struct queue *q, struct domain *domain)
{
    if (!domain->lookup.party)
        return;
    fair_take(&domain->lookup);
    let_go_of_tenant(q, domain);
}

/* Nothing is due there, nothing under way: it is freed, or its answer is kept for a while. */
static void settle_domain(struct queue *q, struct domain *domain)
{
    bool is_looked_up = domain->state == DOMAIN_RESOLVING || domain->refreshing;
    if (domain->ready > 0 || domain->attempts > 0 || is_looked_up)
        return;
    withdraw(q, domain);
    if (domain->state != DOMAIN_UNRESOLVED) {
        answer_is_unused(q, domain, true);
    } else if (!domain->lines) {
        pointer_table_drop(&q->domains, domain);
        domain_set_why(q, domain, NULL);
        free(domain);
    }
}

static void free_line(struct queue *q, struct line *line)
{
    DL_DELETE(line->domain->lines, line);
    pointer_table_drop(&q->lines, line);
    heap_fini(&line->ready);
    line->tenant->users--;
    tenant_drop(q, line->tenant);
    free(line);
}

void line_changed(struct queue *q, struct line *line, int64_t now_ms)
{
    struct domain *domain = line->domain;
    const struct entry *head = heap_first(&line->ready);
    if (head) {
        bool stale = domain->until_ms <= now_ms && !line->late &&
                     (domain->state == DOMAIN_UNRESOLVABLE ||
                      (domain->state == DOMAIN_LEADS && domain->unused));
        if (domain->unused)
            answer_is_found(q, domain, line->tenant);
        line->head_arrival = line_arrival(head);
        line->head_number =
            head->suspect ? UINT_MAX : head->number; /* after those of that message */
        line_finds_turn(line);
        if (stale)
            domain_forget(q, domain);
        else
            stand(q, line);
        return;
    }
    leave(q, line);
    if (line->entries == 0 && line->attempts == 0)
        free_line(q, line);
    settle_domain(q, domain);
}

/* ---- answers ---- */

static void change_state(struct queue *q, struct domain *domain, enum domain_state state,
                         struct lane *lane)
{
    struct line *line;
    struct lane *old = domain->lane;
    DL_FOREACH (domain->lines, line)
        if (!line->late)
            leave(q, line);
    answer_is_unused(q, domain, false);
    withdraw(q, domain);
    if (old && !lane && q->settings.forgotten)
        q->settings.forgotten(q->settings.context, domain->name);
    domain_leads_good(domain, old, false);
    domain_leads_good(domain, lane, true);
    domain->state = state;
    domain->lane = lane;
    if (lane)
        lane->users++;
    if (old) {
        answer_leaves_lane(q, domain, old);
        old->users--;
        lane_drop(q, old);
    }
    DL_FOREACH (domain->lines, line)
        if (!line->late && line->ready.count > 0) {
            line_finds_turn(line);
            stand(q, line);
        }
}

static size_t bytes_of(const struct domain *domain)
{
    return sizeof(*domain) + strlen(domain->name);
}

void domain_leads(struct queue *q, struct domain *domain, struct lane *lane, size_t bytes,
                  int64_t until_ms)
{
    domain->until_ms = until_ms;
    if (domain->state != DOMAIN_LEADS || domain->lane != lane)
        change_state(q, domain, DOMAIN_LEADS, lane);
    answer_came(q, domain, bytes_of(domain) + bytes);
    answer_joins_lane(q, domain, lane);
    settle_domain(q, domain);
}

void domain_unresolvable(struct queue *q, struct domain *domain, int64_t until_ms)
{
    domain->until_ms = until_ms;
    change_state(q, domain, DOMAIN_UNRESOLVABLE, NULL);
    answer_came(q, domain, bytes_of(domain));
    settle_domain(q, domain);
}

void domain_forget(struct queue *q, struct domain *domain)
{
    if (domain->state == DOMAIN_LEADS || domain->state == DOMAIN_UNRESOLVABLE) {
        enum domain_state state = domain->refreshing ? DOMAIN_RESOLVING : DOMAIN_UNRESOLVED;
        domain->refreshing = false;
        change_state(q, domain, state, NULL);
        if (state == DOMAIN_RESOLVING)
            answer_came(q, domain, 0);
        else
            answer_gone(q, domain);
    }
    settle_domain(q, domain);
}

void domain_look_again(struct queue *q, struct domain *domain)
{
    change_state(q, domain, DOMAIN_UNRESOLVED, NULL);
    answer_gone(q, domain);
    settle_domain(q, domain);
}

void domains_forget_all(struct queue *q)
{
    size_t count = q->domains.count;
    struct domain **all = xcalloc(count + 1, sizeof(struct domain *));
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        all[i] = pointer_table_next(&q->domains, &at);
    for (size_t i = 0; i < count; i++) /* each may be freed by it */
        domain_forget(q, all[i]);
    free(all);
}

/* ---- lookups ---- */

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
    bool of_few =
        !domain->asked_by || fair_used(&q->lookup[domain->urgent], domain->asked_by) > FEW_LOOKUPS;
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
                                      .anew = domain->asks_anew});
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
        withdraw(q, domain);
    }
    domain->since = ++q->serial;
    domain->urgent = urgent;
    domain->asked_by = line->tenant;
    line->tenant->users++;
    fair_put(&q->lookup[urgent], line->tenant, &domain->lookup);
}

void domain_lookup_begins(struct queue *q, struct domain *domain, int64_t now_ms)
{
    fair_take(&domain->lookup);
    if (domain->state == DOMAIN_LEADS)
        domain->refreshing = true;
    else
        domain->state = DOMAIN_RESOLVING;
    domain->asked_ms = now_ms;
    domain->slow = domain->asked_others[0] = domain->asked_others[1] = false;
    domain->questions = 1;
    domain->failures = 0;
    domain->asks_anew = domain->anew;
    domain->anew = false;
    domain->asked_for[domain->urgent] = domain->asked_by->id;
    domain->asked_for[!domain->urgent] = 0;
    answer_pays(q, domain, domain->asked_by);
    fair_charge(&q->lookup[domain->urgent], domain->asked_by, 1);
    q->resolving[domain->urgent]++;
    q->lookup_count++;
    DL_APPEND(q->lookups, domain);
}

static void uncount(struct queue *q, struct domain *domain)
{
    fair_refund(&q->lookup[domain->urgent], domain->asked_by, 1);
    q->resolving[domain->urgent]--;
    let_go_of_tenant(q, domain);
}

void domain_lookup_is_slow(struct queue *q, struct domain *domain)
{
    struct line *line;
    uncount(q, domain);
    domain->slow = true;
    q->slow_lookups++;
    DL_DELETE(q->lookups, domain);
    DL_FOREACH (domain->lines, line)
        if (!line->late && line->ready.count > 0)
            ask_once_more(q, domain, line);
}

void domain_lookup_ends(struct queue *q, struct domain *domain)
{
    if (domain->slow) {
        q->slow_lookups--;
    } else {
        uncount(q, domain);
        DL_DELETE(q->lookups, domain);
    }
    q->lookup_count--;
    domain->refreshing = domain->slow = domain->asks_anew = false;
    if (domain->state == DOMAIN_RESOLVING)
        domain->state = DOMAIN_UNRESOLVED;
}
