// SPDX-License-Identifier: BSD-2-Clause
/* pauses.c - A server has refused mail for what we are, for its sending domain, or as its mailbox
 * gets too much: such mail waits, and then one message at a time finds out whether it still has to.
 *
 *   COUNTS ──(often enough)──▶ RESTS ──(its time)──▶ ASKS ──(taken)──▶ GROWS ──▶ gone
 *                                ▲                    │                 │
 *                                ╰─(refused: twice as long, up to two hours)
 *
 * Whose mail that is must not be up to who receives it (S48). Whoever has a domain can lead it to a
 * large provider's hosts, often says there what is answered to its mail, and can have any tenant
 * send him some. So what was said after a recipient was named holds for mail to that domain only;
 * what a server says before it knows one, for all there. When a tenant's mail to three domains has
 * met it in a row, and none of his was taken between them, his other mail there goes on by one
 * connection, and one more for each message that is taken: it is not stopped, and whoever else
 * refuses it is met by one message.
 *
 * And it must not be up to other tenants: what one meets may be about what he sends. So it holds
 * for his mail, until another one meets the same (as in speed.c), while nobody else's was taken
 * there since. What is everybody's rests again only when two tenants are refused in a row.
 */
#include "pause.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { DOMAINS_TO_SHOW = 3 };

/* ---- a table of them at each destination ---- */

static uint64_t hash_pause(const void *item)
{
    const struct pause *p = item;
    uint64_t who = p->tenant ? p->tenant->id : 0;
    return pointer_table_mix(who + (uint64_t)p->kind) ^ pointer_table_text(p->domain) ^
           pointer_table_mix(pointer_table_text(p->about));
}

static bool same_pause(const void *a, const void *b)
{
    const struct pause *p = a;
    const struct pause *o = b;
    return p->tenant == o->tenant && p->kind == o->kind && strcmp(p->domain, o->domain) == 0 &&
           strcmp(p->about, o->about) == 0;
}

static bool by_wake(const void *a, const void *b)
{
    return ((const struct pause *)a)->wake_ms < ((const struct pause *)b)->wake_ms;
}

void pauses_init(struct queue *q)
{
    heap_init(&q->pause_wakes, by_wake, offsetof(struct pause, place));
}

void pauses_begin(struct destination *d)
{
    pointer_table_init(&d->pauses, hash_pause, same_pause);
}

static struct pause_list *list_of(struct queue *q, struct tenant *tenant)
{
    return tenant ? &tenant->pauses : &q->pauses;
}

struct pause *pause_add(struct queue *q, struct destination *d, const struct pause_key *key)
{
    const char *domain = NULL;
    struct pause *p = names_struct(sizeof(*p), key->domain, &domain);
    p->destination = d;
    p->tenant = (struct tenant *)(uintptr_t)key->tenant;
    p->kind = key->kind;
    p->domain = domain;
    p->about = xstrdup(key->about);
    p->row = xstrdup("");
    p->why = xstrdup("");
    p->wake_ms = INT64_MAX;
    struct pause_list *list = list_of(q, p->tenant);
    if (p->tenant)
        p->tenant->users++;
    DL_APPEND(list->first, p);
    pointer_table_add(&d->pauses, p);
    heap_push(&q->pause_wakes, p);
    if (++list->count > PAUSES_MAX)
        pause_drop(q, list->first);
    return p;
}

/* What it has set aside stands again, and is set aside once more where that is so. */
static void lets_go(struct queue *q, const struct pause *p)
{
    const struct domain key = {.name = p->domain};
    const struct domain *domain = p->domain[0] ? pointer_table_find(&q->domains, &key) : NULL;
    if (domain && domain->lane)
        lane_puts_back(q, domain->lane);
    destination_touch_all(q, p->destination);
}

/* One that bars lines in turns of its destination is counted there. */
static void count(struct pause *p, bool begins)
{
    if (pause_is_active(p) && p->kind == QUEUE_PAUSE_SOURCE)
        p->destination->paused += begins ? 1 : -1U;
}

void pause_move(struct queue *q, struct pause *p, enum queue_pause_state state, int64_t wake_ms)
{
    struct pause_list *list = list_of(q, p->tenant);
    bool was_active = pause_is_active(p);
    count(p, false);
    p->state = state;
    count(p, true);
    p->serial = ++q->serial;
    p->wake_ms = wake_ms;
    heap_moved(&q->pause_wakes, p);
    DL_DELETE(list->first, p); /* the last one that has changed is the last to be lost */
    DL_APPEND(list->first, p);
    if (was_active || pause_is_active(p))
        pause_changed(q, p);
    lets_go(q, p);
}

void pause_drop(struct queue *q, struct pause *p)
{
    struct tenant *tenant = p->tenant;
    struct pause_list *list = list_of(q, tenant);
    count(p, false);
    p->state = QUEUE_PAUSE_OVER;
    heap_take(&q->pause_wakes, p);
    pointer_table_drop(&p->destination->pauses, p);
    DL_DELETE(list->first, p);
    list->count--;
    lets_go(q, p);
    if (tenant) {
        tenant->users--;
        tenant_drop(q, tenant);
    }
    free(p->about);
    free(p->row);
    free(p->why);
    free(p);
}

void pauses_free(struct queue *q, struct destination *d)
{
    for (size_t at = 0; d->pauses.count > 0; at = 0)
        pause_drop(q, pointer_table_next(&d->pauses, &at));
    pointer_table_fini(&d->pauses);
}

void pauses_fini(struct queue *q)
{
    while (q->pause_wakes.count > 0)
        pause_drop(q, heap_first(&q->pause_wakes));
    heap_fini(&q->pause_wakes);
}

/* ---- its end ---- */

static void tell(struct queue *q, const struct pause *p, enum queue_reason reason, int64_t rest_ms)
{
    char text[PAUSE_TEXT];
    if (p->kind == QUEUE_PAUSE_MAILBOX) /* as many as there are mailboxes: who asks is shown them */
        return;
    pause_print(p, text);
    decide(q, (struct queue_decision){.kind = QUEUE_EVENT,
                                      .reason = reason,
                                      .destination = p->destination->name,
                                      .tenant = p->tenant ? p->tenant->name : "",
                                      .text = text,
                                      .count = p->count,
                                      .rest_ms = rest_ms});
}

/* It stays until nothing of it is kept. */
static void end(struct queue *q, struct pause *p, int64_t now_ms)
{
    pause_move(q, p, QUEUE_PAUSE_OVER, now_ms + PAUSE_PROBE_MS);
}

static void asks(struct queue *q, struct pause *p, int64_t now_ms)
{
    p->by = p->probe = 0;
    p->until_ms = now_ms;
    pause_move(q, p, QUEUE_PAUSE_ASKS, now_ms + PAUSE_FORGET_MS);
}

/* A message that it holds for was taken. */
static void takes(struct queue *q, struct pause *p, const struct connection *c, int64_t now_ms)
{
    if (p->state == QUEUE_PAUSE_COUNTS) {
        pause_drop(q, p);
        return;
    }
    if (c->carried <= p->serial)
        return;
    p->by = 0;
    if (p->state == QUEUE_PAUSE_ASKS) {
        p->allowed = 1;
        pause_move(q, p, QUEUE_PAUSE_GROWS, now_ms + PAUSE_FORGET_MS);
        tell(q, p, QUEUE_PAUSE_ENDS, 0);
    } else if (p->state == QUEUE_PAUSE_GROWS) {
        p->allowed++;
        lets_go(q, p);
        if (p->allowed >= PAUSE_GROWN)
            end(q, p, now_ms);
    }
}

/* Of a sending domain one message tells. */
static void sender_takes(struct queue *q, struct tenant *tenant, const struct connection *c,
                         int64_t now_ms)
{
    struct pause *p;
    struct pause *next;
    DL_FOREACH_SAFE (tenant->pauses.first, p, next)
        if (p->kind == QUEUE_PAUSE_SENDER && p->state == QUEUE_PAUSE_ASKS &&
            p->probe == c->carried && c->carried > p->serial) {
            tell(q, p, QUEUE_PAUSE_ENDS, 0);
            end(q, p, now_ms);
        }
}

/* Whose mail was taken there last: of three tenants. */
static void note_taken(struct destination *d, const struct connection *c)
{
    size_t i = 0;
    while (i < COUNT_OF(d->took) - 1 && d->took[i].tenant != c->holder->id)
        i++;
    memmove(&d->took[1], &d->took[0], i * sizeof(d->took[0]));
    d->took[0] = (struct lane_answer){c->holder->id, c->carried};
}

void pauses_taken(struct queue *q, const struct connection *c, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    if (!c->attempt)
        return;
    note_taken(d, c);
    if (d->pauses.count == 0)
        return;
    const char *domains[] = {c->attempt->line->domain->name, ""};
    struct tenant *tenants[] = {c->holder, NULL};
    for (size_t i = 0; i < 4; i++) {
        const struct pause_key key = {tenants[i / 2], QUEUE_PAUSE_SOURCE, domains[i % 2], ""};
        struct pause *p = pause_find(d, &key);
        if (p)
            takes(q, p, c, now_ms);
    }
    sender_takes(q, c->holder, c, now_ms);
}

/* ---- its beginning ---- */

static void rests(struct queue *q, struct pause *p, int64_t for_ms, int64_t now_ms)
{
    bool anew = !pause_is_active(p);
    for_ms = for_ms < PAUSE_MAX_MS ? for_ms : PAUSE_MAX_MS;
    p->since_ms = anew ? now_ms : p->since_ms;
    p->count = anew || p->state == QUEUE_PAUSE_GROWS ? 1 : p->count + 1;
    p->for_ms = for_ms;
    p->until_ms = now_ms + for_ms;
    p->by = p->probe = 0;
    pause_move(q, p, QUEUE_PAUSE_RESTS, p->until_ms);
    p->refused = p->serial;
    tell(q, p, p->kind == QUEUE_PAUSE_ALARM ? QUEUE_ALARM : QUEUE_PAUSE_BEGINS, for_ms);
}

static void learns(struct pause *p, const char *row, const char *why)
{
    free(p->row);
    free(p->why);
    p->row = xstrdup(row);
    p->why = xstrdup(why);
}

static bool is_often(struct pause *p, const struct queue_refusal_said *said, int64_t now_ms)
{
    if (p->count == 0 || p->since_ms + said->within_ms <= now_ms) {
        p->since_ms = now_ms;
        p->count = 0;
    }
    return ++p->count >= said->times;
}

/* True: it rests from now on. What was under way when it began does not make it longer. */
static bool refused(struct queue *q, struct pause *p, const struct queue_refusal_said *said,
                    int64_t now_ms)
{
    switch (p->state) {
    case QUEUE_PAUSE_COUNTS:
    case QUEUE_PAUSE_OVER:
        p->count = p->state == QUEUE_PAUSE_OVER ? 0 : p->count;
        learns(p, said->row, said->why);
        if (!is_often(p, said, now_ms)) {
            pause_move(q, p, QUEUE_PAUSE_COUNTS, p->since_ms + said->within_ms);
            return false;
        }
        rests(q, p, said->for_ms, now_ms);
        return true;
    case QUEUE_PAUSE_ASKS:
    case QUEUE_PAUSE_GROWS:
        learns(p, said->row, said->why);
        rests(q, p, 2 * p->for_ms > said->for_ms ? 2 * p->for_ms : said->for_ms, now_ms);
        return true;
    case QUEUE_PAUSE_RESTS:
        return false;
    case QUEUE_PAUSE_STATES:
        break;
    }
    UNREACHABLE();
}

/* Was mail of a third one taken since this one's was refused? Then it is about theirs. One that is
 * under way will show it: two who are refused at one moment say nothing for the others. */
static bool others_are_taken(const struct destination *d, const struct pause *p, uint64_t tenant)
{
    for (const struct connection *c = d->connections; c; c = c->next_of)
        if (c->attempt && !c->stuck && c->holder->id != tenant && c->holder != p->tenant)
            return true;
    for (size_t i = 0; i < COUNT_OF(d->took); i++)
        if (d->took[i].tenant != 0 && d->took[i].tenant != tenant &&
            d->took[i].tenant != p->tenant->id && d->took[i].carried > p->refused)
            return true;
    return false;
}

/* Has another tenant met the same? */
static bool another_has_met(const struct destination *d, const struct pause *own)
{
    const struct pause *p;
    for (size_t at = 0; (p = pointer_table_next(&d->pauses, &at));)
        if (p != own && p->tenant && p->tenant != own->tenant && p->kind == own->kind &&
            (p->state == QUEUE_PAUSE_RESTS || p->state == QUEUE_PAUSE_ASKS) && p->row[0] &&
            strcmp(p->domain, own->domain) == 0 && !others_are_taken(d, p, own->tenant->id))
            return true;
    return false;
}

/* Everybody's, after one more tenant was refused. */
static void share(struct queue *q, const struct pause *own, const struct queue_refusal_said *said,
                  int64_t now_ms)
{
    struct destination *d = own->destination;
    const struct pause_key key = {NULL, own->kind, own->domain, ""};
    struct pause *all = pause_find(d, &key);
    if (all && pause_is_active(all)) {
        if (all->state == QUEUE_PAUSE_RESTS)
            return;
        bool second = all->by != 0 && all->by != own->tenant->id;
        all->by = own->tenant->id;
        if (second)
            (void)refused(q, all, said, now_ms);
        return;
    }
    if (!another_has_met(d, own))
        return;
    if (!all)
        all = pause_add(q, d, &key);
    learns(all, said->row, said->why);
    rests(q, all, said->for_ms, now_ms);
}

/* One more of its domains has refused this tenant's mail: the rest of it goes with care. */
static void take_care(struct queue *q, const struct pause *one, int64_t now_ms)
{
    struct destination *d = one->destination;
    const struct pause_key key = {one->tenant, one->kind, "", ""};
    struct pause *p = pause_find(d, &key);
    if (p && pause_is_active(p))
        return;
    if (!p)
        p = pause_add(q, d, &key);
    if (p->state == QUEUE_PAUSE_OVER)
        p->count = 0;
    p->since_ms = p->count == 0 ? now_ms : p->since_ms;
    learns(p, "", one->why);
    if (++p->count < DOMAINS_TO_SHOW) {
        pause_move(q, p, QUEUE_PAUSE_COUNTS, now_ms + PAUSE_FORGET_MS / 24);
        return;
    }
    p->for_ms = one->for_ms;
    p->until_ms = now_ms;
    p->allowed = 1;
    pause_move(q, p, QUEUE_PAUSE_GROWS, now_ms + PAUSE_FORGET_MS);
}

void queue_was_refused(struct queue *q, const struct queue_attempt *attempt,
                       const struct queue_refusal_said *said, int64_t now_ms)
{
    const struct attempt *a = (const struct attempt *)attempt;
    struct destination *d = a->lane ? a->lane->destination : NULL;
    if (!d)
        return;
    bool wide = said->kind == QUEUE_PAUSE_ALARM || (said->early && !said->narrow);
    const struct pause_key key = {a->line->tenant, said->kind, wide ? "" : a->line->domain->name,
                                  said->about};
    struct pause *p = pause_find(d, &key);
    if (!p)
        p = pause_add(q, d, &key);
    if (!refused(q, p, said, now_ms) || said->kind != QUEUE_PAUSE_SOURCE)
        return;
    share(q, p, said, now_ms);
    if (!wide)
        take_care(q, p, now_ms);
}

/* ---- time, and operators ---- */

static void wake(struct queue *q, struct pause *p, int64_t now_ms)
{
    switch (p->state) {
    case QUEUE_PAUSE_RESTS:
        if (p->kind == QUEUE_PAUSE_ALARM)
            pause_drop(q, p);
        else
            asks(q, p, now_ms);
        return;
    case QUEUE_PAUSE_ASKS: /* for long no mail wanted it */
        if (p->kind != QUEUE_PAUSE_MAILBOX)
            tell(q, p, QUEUE_PAUSE_ENDS, 0);
        end(q, p, now_ms);
        return;
    case QUEUE_PAUSE_GROWS:
        end(q, p, now_ms);
        return;
    case QUEUE_PAUSE_COUNTS:
    case QUEUE_PAUSE_OVER:
        pause_drop(q, p);
        return;
    case QUEUE_PAUSE_STATES:
        break;
    }
    UNREACHABLE();
}

int64_t pauses_wake_ms(const struct queue *q)
{
    const struct pause *first = heap_first(&q->pause_wakes);
    return first ? first->wake_ms : INT64_MAX;
}

void pauses_wake(struct queue *q, int64_t now_ms)
{
    while (pauses_wake_ms(q) <= now_ms)
        wake(q, heap_first(&q->pause_wakes), now_ms);
}

void pauses_forget(struct queue *q, struct destination *d, int64_t now_ms)
{
    struct pause *p;
    for (size_t at = 0; (p = pointer_table_next(&d->pauses, &at));)
        if (pause_is_active(p))
            end(q, p, now_ms);
}

void pauses_ask(struct queue *q, const struct domain *domain, int64_t now_ms)
{
    struct pause *p;
    for (size_t at = 0; (p = pointer_table_next(&domain->lane->destination->pauses, &at));)
        if (p->state == QUEUE_PAUSE_RESTS && p->kind != QUEUE_PAUSE_ALARM &&
            (!p->domain[0] || strcmp(p->domain, domain->name) == 0)) {
            p->for_ms /= 2; /* if it is refused, it goes on as it was */
            asks(q, p, now_ms);
        }
}

void pauses_check(const struct destination *d)
{
    const struct pause *p;
    unsigned paused = 0;
    for (size_t at = 0; (p = pointer_table_next(&d->pauses, &at));) {
        CHECK(p->destination == d && p->place != 0);
        CHECK(p->for_ms <= PAUSE_MAX_MS && p->for_ms >= 0);
        paused += pause_is_active(p) && p->kind == QUEUE_PAUSE_SOURCE;
    }
    CHECK(d->paused == paused);
}
