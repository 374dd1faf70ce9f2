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

void domains_init(struct queue *q)
{
    pointer_table_init(&q->domains, hash_domain, same_domain);
    pointer_table_init(&q->lines, hash_line, same_line);
    fair_init(&q->settle, FAIR_HELD, &q->parties, settles_before);
    lookups_init(q);
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
        domain_asks_no_more(d);
        free(d);
    }
    pointer_table_fini(&q->lines);
    pointer_table_fini(&q->domains);
    fair_fini(&q->settle);
    lookups_fini(q);
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
        else {
            lane_unhold(domain->lane, line);
            stand_in(&d->turns, line, &line->turn);
        }
        stand_in(&domain->lane->turns, line, &line->lane_turn);
        d->ready[line->class] += line->ready.count;
        d->ready[line->class] -= line->counted;
        line->counted = line->ready.count;
        destination_touch(q, d);
    } else {
        domain_ask(q, domain, line);
    }
}

/* Nothing is due there, nothing under way: it is freed, or its answer is kept for a while. */
static void settle_domain(struct queue *q, struct domain *domain)
{
    bool is_looked_up = domain->state == DOMAIN_RESOLVING || domain->refreshing;
    if (domain->ready > 0 || domain->attempts > 0 || is_looked_up)
        return;
    domain_withdraw(q, domain);
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
    domain_withdraw(q, domain);
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
    if (domain->manner == ANSWERS_UNKNOWN)
        domain->manner = ANSWERS_NOT;
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
