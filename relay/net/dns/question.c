// SPDX-License-Identifier: BSD-2-Clause
/* question.c - Looks up what a pure evaluation asks for (dns.h).
 *
 * Happy path: evaluate - start the lookups that it asked for - an answer - evaluate again … - the
 * owner is content and closes it. What comes late serves the next question, from libunbound's
 * cache.
 *
 * Failure mode: too slow: evaluated once more with what is known by then.
 *
 * A lookup has no timeout: ours is the question's timer. Each waits for its turn: libunbound has a
 * limited number of sockets, and lets further lookups wait until one is free. Half of them are used
 * at most, as it may ask several servers for one. It goes on for some seconds with lookups that
 * nobody wants any more: until then their turns are kept. The same of those past the caches, which
 * have sockets of their own. A tenant has fewer while its answers are costly to validate
 * (party_turns_meter()). The time of a question begins with its first lookup, as what waits for its
 * turn is nobody's silence; that of a patient one runs while something is asked.
 */
#include "question.h"

#include "clock.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 100 };

/* ---- the end ---- */

static void on_question_closed(uv_handle_t *handle)
{
    struct question *q = handle->data;
    for (size_t i = 0; i < q->part_count; i++) {
        dns_answer_free(q->parts[i].answer);
        free(q->parts[i].name);
    }
    free(q->parts);
    free(q);
}

/* ---- its time ---- */

static bool is_under_way(const struct question *q)
{
    for (size_t i = 0; i < q->part_count; i++)
        if (q->parts[i].lookup)
            return true;
    return false;
}

static void on_timeout(uv_timer_t *timer);

/* Something is asked from now on, or nothing any more. */
static void run_or_stop(struct question *q)
{
    bool runs = uv_is_active((uv_handle_t *)&q->timer);
    if (runs == is_under_way(q) || (q->timed && !q->patient))
        return;
    if (!runs) {
        q->timed = true;
        uv_timer_start(&q->timer, on_timeout, q->timeout_ms, 0);
        return;
    }
    q->timeout_ms = uv_timer_get_due_in(&q->timer);
    uv_timer_stop(&q->timer);
}

static void on_begin(uv_timer_t *timer);

/* Somebody waits, or a turn has ended: soon, and not from inside of what is going on. */
static void begin_soon(struct resolver *r)
{
    if (!r->begins_soon)
        uv_timer_start(r->begin, on_begin, 0, 0);
    r->begins_soon = true;
}

static struct party_turns *turns_of(const struct question *q)
{
    return q->fresh ? q->resolver->fresh_turns : q->resolver->turns;
}

static void charge(struct resolver *r)
{
    dns_queries_charge(r->lookups, r->turns);
    if (r->fresh)
        dns_queries_charge(r->fresh, r->fresh_turns);
}

/* Answered, left, or it could not be asked. */
static void end_part(struct question_part *p)
{
    struct resolver *r = p->question->resolver;
    if (p->turn && party_turn_has_begun(p->turn))
        charge(r);
    party_turns_end(turns_of(p->question), p->turn);
    p->turn = NULL;
    p->lookup = NULL;
    run_or_stop(p->question);
    begin_soon(r);
}

static void on_left(void *context, struct party_turn *turn)
{
    struct resolver *r = context;
    charge(r);
    party_turns_end(r->turns, turn);
    begin_soon(r);
}

static void on_left_fresh(void *context, struct party_turn *turn)
{
    struct resolver *r = context;
    charge(r); /* what could not be asked afresh was asked of the others */
    party_turns_end(r->fresh_turns, turn);
    begin_soon(r);
}

static void leave(struct question_part *p)
{
    const struct question *q = p->question;
    dns_query_leave(p->lookup, p->turn, q->fresh ? on_left_fresh : on_left, q->resolver);
    p->turn = NULL;
}

void question_cancel_lookups(struct question *q)
{
    for (size_t i = 0; i < q->part_count; i++) {
        if (q->parts[i].lookup)
            leave(&q->parts[i]);
        end_part(&q->parts[i]);
    }
    q->pending = 0;
}

void question_close(struct question *q)
{
    question_cancel_lookups(q);
    if (q->next)
        q->next->previous = q->previous;
    if (q->previous)
        q->previous->next = q->next;
    else
        q->resolver->questions = q->next;
    uv_close((uv_handle_t *)&q->timer, on_question_closed);
}

static void on_timeout(uv_timer_t *timer)
{
    struct question *q = timer->data;
    question_cancel_lookups(q);
    q->last = true;
    q->evaluate(q);
}

void question_set_timeout(struct question *q, uint64_t timeout_ms)
{
    q->timed = true;
    uv_timer_start(&q->timer, on_timeout, timeout_ms, 0);
}

/* ---- lookups ---- */

static void on_answer(void *context, struct dns_answer *answer)
{
    struct question_part *p = context;
    struct question *q = p->question;
    charge(q->resolver);
    party_turn_leads_to(turns_of(q), p->turn, answer->canonical);
    end_part(p);
    p->answer = answer;
    q->pending--;
    if (q->resolver->watch.answered)
        q->resolver->watch.answered(q->resolver, answer);
    q->evaluate(q);
}

/* Few need it, so it is made for the first. */
static struct dns_queries *fresh_lookups(struct resolver *r, const struct config *config)
{
    struct err err = {0};
    if (!r->fresh && !dns_queries_fresh(r->loop, config, &r->fresh, &err))
        log_fault("dns_failed", &err);
    return r->fresh ? r->fresh : r->lookups;
}

static void begin_lookup(struct question_part *p)
{
    struct question *q = p->question;
    struct resolver *r = q->resolver;
    struct dns_queries *lookups = q->fresh ? fresh_lookups(r, q->fresh) : r->lookups;
    p->lookup = dns_query_start(lookups, p->name, p->type, on_answer, p);
    if (p->lookup) {
        run_or_stop(q);
        return;
    }
    end_part(p);
    p->answer = dns_answer_new(DNS_FAILED, 0);
    q->pending--;
    if (q->pending == 0)
        question_set_timeout(q, 0);
}

static void look(struct resolver *r)
{
    int64_t now_ms = clock_steady_ms();
    charge(r);
    party_turns_look(r->turns, now_ms);
    party_turns_look(r->fresh_turns, now_ms);
}

static bool begin_those_that_may(struct resolver *r)
{
    struct question_part *p;
    while ((p = party_turns_next(r->turns)) || (p = party_turns_next(r->fresh_turns)))
        begin_lookup(p);
    return party_turns_wait_there(r->turns) || party_turns_wait_there(r->fresh_turns);
}

/* Those that still wait may begin later, without an answer before. */
static void on_begin(uv_timer_t *timer)
{
    struct resolver *r = timer->data;
    r->begins_soon = false;
    look(r);
    if (begin_those_that_may(r) && !r->begins_soon)
        uv_timer_start(r->begin, on_begin, WAIT_MS, 0);
}

static struct question_part *add_part(struct question *q, const char *name, enum dns_type type)
{
    CHECK(q->part_count < q->part_max);
    struct question_part *p = &q->parts[q->part_count++];
    *p = (struct question_part){.question = q, .name = xstrdup(name), .type = type};
    q->pending++;
    return p;
}

/* Of lookups those about the first hosts of a domain come first. */
static void look_up(struct question *q, const char *name, enum dns_type type)
{
    unsigned before = q->part_count > 0 ? q->behind : 0;
    unsigned host = (unsigned)(q->part_count - before) / 2; /* each has A and AAAA */
    struct question_part *p = add_part(q, name, type);
    const struct party_ask ask = {.tenant = q->tenant,
                                  .domain = q->about,
                                  .name = name,
                                  .urgent = q->urgent,
                                  .rank = host,
                                  .merit = q->merit,
                                  .what = p};
    p->turn = party_turns_wait(turns_of(q), &ask);
    begin_soon(q->resolver);
}

void question_look_up_now(struct question *q, const char *name, enum dns_type type)
{
    begin_lookup(add_part(q, name, type));
}

/* What the evaluation asks. */
static const struct dns_answer *on_ask(void *context, const char *name, enum dns_type type)
{
    static const struct dns_answer pending = {.status = DNS_PENDING};
    struct question *q = context;
    for (size_t i = 0; i < q->part_count; i++)
        if (q->parts[i].type == type && strcmp(q->parts[i].name, name) == 0)
            return q->parts[i].answer ? q->parts[i].answer : &pending;
    if (!q->last)
        look_up(q, name, type);
    return &pending;
}

/* ---- the beginning ---- */

static void on_asked(uv_timer_t *timer)
{
    struct question *q = timer->data;
    q->evaluate(q);
}

void question_open(struct question *q, struct resolver *r, size_t part_max, uint64_t timeout_ms)
{
    q->resolver = r;
    q->part_max = part_max;
    q->timeout_ms = timeout_ms;
    q->parts = xcalloc(part_max, sizeof(*q->parts));
    q->dns = (struct dns){on_ask, q};
    q->next = r->questions;
    if (q->next)
        q->next->previous = q;
    r->questions = q;
    uv_timer_init(r->loop, &q->timer);
    q->timer.data = q;
    uv_timer_start(&q->timer, on_asked, q->after_ms, 0); /* never answered from inside the call */
}

/* ---- the resolver ---- */

void resolver_change_config(struct resolver *r, const struct config *config)
{
    snprintf(r->hostname, sizeof(r->hostname), "%s", config->hostname);
}

bool resolver_new(uv_loop_t *loop, const struct config *config, struct resolver **resolver_r,
                  struct err *err)
{
    struct resolver *r = xcalloc(1, sizeof(*r));
    if (!dns_queries_new(loop, config, NULL, &r->lookups, err)) {
        free(r);
        return false;
    }
    r->loop = loop;
    r->turns = party_turns_new(dns_queries_most(config, NULL) / 2);
    party_turns_spread(r->turns, DNS_QUERY_LASTS_MS);
    r->fresh_turns = party_turns_new(DNS_QUERIES_FRESH / 2);
    party_turns_meter(r->turns);
    party_turns_meter(r->fresh_turns);
    r->begin = xcalloc(1, sizeof(*r->begin));
    r->begin->data = r;
    uv_timer_init(loop, r->begin);
    resolver_change_config(r, config);
    *resolver_r = r;
    return true;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    while (r->questions)
        question_close(r->questions);
    dns_queries_free(r->fresh);
    r->fresh = NULL; /* what ends with the others charges it, too */
    dns_queries_free(r->lookups);
    party_turns_free(r->turns);
    party_turns_free(r->fresh_turns);
    uv_close((uv_handle_t *)r->begin, (uv_close_cb)free);
    free(r);
}
