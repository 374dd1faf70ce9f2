// SPDX-License-Identifier: BSD-2-Clause
/* queue.c - Events: what the shell tells the core of the queue. What follows from them is decided
 * in decide.c, at a message's end in boundary.c, and at a connection's failure in failures.c. */
#include "queue_moves.h"

#include <stdlib.h>

/* ---- birth and death ---- */

static void use_settings(struct queue *q, const struct queue_settings *given)
{
    struct queue_settings *s = &q->settings;
    *s = *given;
    s->connections = s->connections ? s->connections : 400;
    s->per_destination = s->per_destination ? s->per_destination : 20;
    s->idle_max = s->idle_max ? s->idle_max : 100;
    s->lookups = s->lookups ? s->lookups : 100;
    s->settling = s->settling ? s->settling : 64;
    s->shards = s->shards ? s->shards : 1;
    s->standing = s->standing ? s->standing : 1024 + 2 * s->connections;
    s->answers = s->answers ? s->answers : 16 * 1024 * 1024;
    s->idle_ms = s->idle_ms ? s->idle_ms : 5000;
    s->give_up_ms = s->give_up_ms ? s->give_up_ms : 5000;
    if (s->shards > q->shard_room) {
        q->by_shard = xgrow(q->by_shard, s->shards, sizeof(*q->by_shard));
        for (unsigned i = q->shard_room; i < s->shards; i++)
            q->by_shard[i] = 0;
        q->shard_room = s->shards;
    }
}

struct queue *queue_new(const struct queue_settings *settings, int64_t now_ms)
{
    struct queue *q = xcalloc(1, sizeof(*q));
    q->wake_ms = q->now_ms = now_ms;
    q->urgent_ms = NEVER_MS;
    use_settings(q, settings);
    fair_table_init(&q->parties);
    turn_table_init(&q->turn_parties);
    tenants_init(q);
    entries_init(q);
    held_init(q);
    domains_init(q);
    answers_init(q);
    lanes_init(q);
    destinations_init(q);
    rate_limits_init(q);
    pauses_init(q);
    shuns_init(q);
    wants_init(q);
    connections_init(q);
    return q;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    rate_limits_fini(q);
    pauses_fini(q);
    shuns_fini(q);
    domains_fini(q);
    answers_fini(q);
    tenants_fini(q);
    destinations_fini(q);
    wants_fini(q);
    host_rests_fini(q);
    lanes_fini(q);
    connections_fini(q);
    held_fini(q);
    entries_fini(q);
    fair_table_fini(&q->parties);
    turn_table_fini(&q->turn_parties);
    decisions_fini(q);
    free(q);
}

void queue_configure(struct queue *q, const struct queue_settings *settings, int64_t now_ms)
{
    q->wake_ms = now_ms;
    use_settings(q, settings);
}

/* ---- what waits ---- */

static void assign(struct queue *q, struct entry *e, const struct queue_entry *given)
{
    struct tenant *tenant = tenant_need(q, given->tenant);
    struct domain *domain = domain_need(q, given->domain);
    entry_assign(q, e, line_need(q, domain, tenant, given->class, false));
}

static void place(struct queue *q, struct entry *e, const struct queue_entry *given, int64_t now_ms)
{
    e->expires_ms = given->expires_ms;
    if (given->due_ms > now_ms) {
        entry_label(q, e, given->domain, given->tenant, given->class);
        entry_wait(q, e, given->due_ms);
    } else if (held_few_stand(q)) {
        assign(q, e, given);
        entry_ready(q, e, given->due_ms);
        line_changed(q, e->line, now_ms);
        rate_limit_hastens(q, e->line, now_ms);
    } else {
        entry_label(q, e, given->domain, given->tenant, given->class);
        entry_is_due(q, e, given->due_ms, now_ms);
    }
}

/* It is known: it takes the new times and line. */
static void renew(struct queue *q, struct entry *e, const struct queue_entry *given, int64_t now_ms)
{
    struct line *old = entry_line(e);
    entry_out(q, e);
    if (e->state == ENTRY_UNDER_WAY) {
        assign(q, e, given);
        e->again = true;
        e->dropped = false;
        e->due_ms = given->due_ms;
        e->expires_ms = given->expires_ms;
        line_changed(q, e->line, now_ms);
    } else {
        place(q, e, given, now_ms);
    }
    if (old && old != entry_line(e))
        line_changed(q, old, now_ms);
}

void queue_add(struct queue *q, const struct queue_entry *entries, size_t count, int64_t now_ms)
{
    q->now_ms = now_ms;
    for (size_t i = 0; i < count; i++) {
        const struct queue_entry *given = &entries[i];
        struct entry *e = entry_find(q, given->message, given->number);
        if (given->message > q->last_message)
            q->last_message = given->message;
        if (e)
            renew(q, e, given, now_ms);
        else
            place(q, entry_new(q, given->message, given->number), given, now_ms);
    }
}

void queue_drop(struct queue *q, int64_t message, unsigned number, int64_t now_ms)
{
    struct entry *e = entry_find(q, message, number);
    if (!e)
        return;
    if (e->state == ENTRY_UNDER_WAY) {
        e->dropped = true;
        e->again = false;
        return;
    }
    struct line *line = entry_line(e);
    entry_out(q, e);
    entry_free(q, e);
    if (line)
        line_changed(q, line, now_ms);
}

static void touch_all(struct queue *q)
{
    size_t at = 0;
    for (struct destination *d = pointer_table_next(&q->destinations, &at); d;
         d = pointer_table_next(&q->destinations, &at))
        destination_touch(q, d);
}

void queue_pause(struct queue *q, bool paused, int64_t now_ms)
{
    (void)now_ms;
    if (q->paused != paused)
        touch_all(q);
    q->paused = paused;
}

void queue_drain(struct queue *q, int64_t now_ms)
{
    (void)now_ms;
    q->draining = true;
    touch_all(q);
}

/* ---- names ---- */

/* The domain that this is the answer for. NULL: it is none; or it was asked before the domain was
 * doubted, which another answer is for. */
static struct domain *looked_up(struct queue *q, const char *name, bool anew)
{
    struct domain *domain = domain_find(q, name);
    bool awaited = domain && (domain->state == DOMAIN_RESOLVING || domain->refreshing);
    if (!awaited || (domain->asks_anew && !anew))
        return NULL;
    domain_lookup_ends(q, domain);
    if (!domain->anew)
        return domain;
    domain_look_again(q, domain);
    return NULL;
}

bool queue_resolved(struct queue *q, const char *name, const struct queue_answer *answer,
                    int64_t now_ms)
{
    int64_t least_ms = answer->anew ? QUEUE_DOUBT_MS : 1000;
    struct domain *domain = looked_up(q, name, answer->anew);
    if (!domain)
        return false;
    int64_t valid_ms = answer->valid_ms > least_ms ? answer->valid_ms : least_ms;
    struct lane *lane = lane_need(q, answer);
    lane_answered(lane, answer, now_ms);
    domain_leads(q, domain, lane, answer->bytes, now_ms + valid_ms);
    return true;
}

/* There are other questions, which may know more. */
static bool waits_for_more(struct domain *domain, bool anew)
{
    bool waits = domain->state == DOMAIN_RESOLVING && domain->asks_anew == anew &&
                 domain->failures + 1 < domain->questions;
    if (waits)
        domain->failures++;
    return waits;
}

void queue_unresolvable(struct queue *q, const char *name, const struct queue_no_answer *answer,
                        int64_t now_ms)
{
    struct domain *domain = domain_find(q, name);
    if (!domain || waits_for_more(domain, answer->anew))
        return;
    domain = looked_up(q, name, answer->anew);
    if (!domain)
        return;
    domain_set_why(q, domain, answer->text);
    domain->result = answer->result;
    domain_unresolvable(q, domain, now_ms + answer->retry_ms);
}

void queue_forget_answers(struct queue *q, const char *domain_or_null, int64_t now_ms)
{
    struct domain *domain = domain_or_null ? domain_find(q, domain_or_null) : NULL;
    (void)now_ms;
    if (domain)
        domain_forget(q, domain);
    if (!domain_or_null)
        domains_forget_all(q);
}

/* ---- connections ---- */

bool queue_opened(struct queue *q, uint64_t connection, const struct queue_address *a,
                  int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    if (!c || c->state == CONNECTION_CLOSING)
        return false;
    struct address_hold *hold = address_book_held(c->holds, a);
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        if (&c->holds[i] != hold)
            address_book_release(&q->addresses, &c->holds[i], now_ms);
    if (hold)
        address_book_opened(hold, now_ms);
    c->opened_ms = now_ms;
    if (c->state == CONNECTION_OPENING)
        connection_move(q, c, CONNECTION_BUSY, now_ms);
    lane_works(q, c->lane);
    destination_works(q, c->lane->destination, now_ms);
    return true;
}

/* A message has gone through, or the server has refused it. */
static void server_answers(struct queue *q, struct connection *c, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    d->worked_ms = now_ms;
    d->manner = MANNER_ANSWERS;
    c->lane->broken = c->lane->broken_good = 0;
    destination_answers(q, d, now_ms);
    if (!c->attempt)
        return;
    if (c->at_mail == MAIL_SAID)
        rate_limit_takes(q, c, now_ms);
    if (c->at_mail != MAIL_TURNED_AWAY) {
        lane_answers(c->lane, c);
        domain_answered(q, c->attempt->line->domain, c->lane);
    }
    bool taken = c->at_mail == MAIL_SAID || c->at_mail == MAIL_TAKEN;
    if ((taken || !c->stuck) && line_is_behind(c->attempt->line))
        line_keeps_up(c->attempt->line);
    connection_uncarry(q, c, now_ms);
    c->messages++;
    connection_has_worked(q, c);
    if (c->at_mail == MAIL_TURNED_AWAY)
        return;
    c->lane->worked = true;
    destination_forget_why(d, now_ms);
    window_succeeded(&d->window, d->in_use - d->count[CONNECTION_CLOSING], now_ms);
}

void queue_names_sender(struct queue *q, uint64_t connection, const char *sender)
{
    struct connection *c = connection_find(q, connection);
    if (c && c->attempt)
        c->sender = (uint32_t)pointer_table_text(sender) | 1;
}

void queue_mail_taken(struct queue *q, uint64_t connection, int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    if (!c || !c->attempt || c->at_mail != MAIL_SAID)
        return;
    c->at_mail = MAIL_TAKEN;
    rate_limit_takes(q, c, now_ms);
}

bool queue_turned_away(struct queue *q, uint64_t connection, enum queue_refusal what,
                       const char *why, int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    bool known = false;
    if (!c || c->state != CONNECTION_BUSY || !c->attempt)
        return false;
    switch (what) {
    case QUEUE_REFUSES_MESSAGE:
        if (c->at_mail == MAIL_SAID)
            c->at_mail = MAIL_REFUSED;
        break;
    case QUEUE_REFUSES_FIRST:
        c->at_mail = MAIL_TURNED_AWAY;
        known = rate_limit_refuses(q, c, why, now_ms);
        break;
    case QUEUE_REFUSES_LATER:
        known = rate_limit_rests(c);
        break;
    }
    if (known)
        attempt_behind(q, connection_uncarry(q, c, now_ms), now_ms);
    return known;
}

enum queue_next queue_message_done(struct queue *q, uint64_t connection, enum queue_spoken spoken,
                                   bool reusable, const struct queue_attempt **next_r,
                                   int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    struct line *line = NULL;
    *next_r = NULL;
    q->now_ms = now_ms;
    shuns_wake(q, now_ms); /* what is over just now bars nothing that goes next */
    if (!c || c->state != CONNECTION_BUSY)
        return QUEUE_NEXT_CLOSE;
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++) /* it is left with one */
        address_book_serves(&c->holds[i], now_ms);
    speed_answers(q, c, spoken, now_ms);
    if (spoken != QUEUE_NOT_SPOKEN)
        server_answers(q, c, now_ms);
    else
        connection_uncarry(q, c, now_ms);
    enum queue_next next = reusable ? boundary_next(q, c, &line, now_ms) : QUEUE_NEXT_CLOSE;
    if (next == QUEUE_NEXT_IDLE && c->at_mail == MAIL_TURNED_AWAY)
        next = QUEUE_NEXT_CLOSE; /* what asks would be said twice: a fresh one tells more */
    switch (next) {
    case QUEUE_NEXT_SEND: {
        struct attempt *attempt = attempt_make(q, line, now_ms);
        c->run++;
        connection_carry(q, c, attempt, now_ms);
        *next_r = &attempt->public;
        break;
    }
    case QUEUE_NEXT_IDLE:
        connection_move(q, c, CONNECTION_IDLE, now_ms);
        break;
    case QUEUE_NEXT_CLOSE:
        q->leaving++;
        connection_move(q, c, CONNECTION_CLOSING, now_ms);
        break;
    }
    return next;
}

bool queue_rest_waits(struct queue *q, uint64_t connection, int64_t now_ms)
{
    const struct connection *c = connection_find(q, connection);
    if (!c || c->state != CONNECTION_BUSY)
        return false;
    bool paused = c->attempt && pause_bars(c->attempt->line, c);
    return paused || slowed_bars_rest(c, now_ms) || boundary_is_urgent(q, c, now_ms);
}

bool queue_connection_failed(struct queue *q, uint64_t connection, enum queue_failure how,
                             const char *why, int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    if (!c)
        return false;
    bool back = failure_gives_back(q, c, how, why, now_ms);
    struct attempt *attempt = connection_uncarry(q, c, now_ms);
    connection_end(q, c, now_ms);
    if (attempt && back)
        attempt_back(q, attempt, now_ms);
    return attempt && back;
}

void queue_connection_closed(struct queue *q, uint64_t connection, int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    if (!c)
        return;
    if (c->state == CONNECTION_CLOSING) /* one that was given up shows something */
        failure_gives_up(q, c, now_ms);
    struct attempt *attempt = connection_uncarry(q, c, now_ms);
    connection_end(q, c, now_ms);
    if (attempt)
        attempt_back(q, attempt, now_ms);
}

/* ---- attempts come back ---- */

static struct attempt *own(struct queue *q, const struct queue_attempt *attempt, int64_t now_ms)
{
    struct attempt *a = (struct attempt *)(uintptr_t)attempt;
    if (a->connection)
        connection_uncarry(q, a->connection, now_ms);
    return a;
}

void queue_settled(struct queue *q, const struct queue_attempt *attempt, const int64_t *due_ms,
                   int64_t now_ms)
{
    attempt_over(q, own(q, attempt, now_ms), due_ms, now_ms);
}

void queue_gave_back(struct queue *q, const struct queue_attempt *attempt, int64_t again_in_ms,
                     int64_t now_ms)
{
    int64_t due_ms[QUEUE_RECIPIENTS_MAX];
    for (size_t i = 0; i < attempt->count; i++)
        due_ms[i] = now_ms + again_in_ms;
    attempt_over(q, own(q, attempt, now_ms), due_ms, now_ms);
}
