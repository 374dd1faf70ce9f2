// SPDX-License-Identifier: BSD-2-Clause
/* resolver.c - Looks up what the evaluation of a domain's mail hosts (mx.h) asks for.
 *
 * Happy path: evaluate - start the lookups that it asked for - an answer - evaluate again … -
 * answered. What comes late serves the next question, from libunbound's cache.
 *
 * Failure modes:
 * - MX_FAILED: the root is asked, too. If it does not answer either: MX_DOWN
 * - too slow: evaluated once more with what is known by then
 *
 * A lookup has no timeout: ours is the question's timer. Each waits for its turn: libunbound has a
 * limited number of sockets, and lets further lookups wait until one is free. Half of them are used
 * at most, as it continues for some seconds with lookups that were cancelled, and may ask several
 * servers for one.
 */
#include "resolver.h"

#include "dns_query.h"
#include "lookup_turns.h"
#include "reachable.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = MX_QUESTIONS_MAX + 1, QUESTION_TIMEOUT_MS = 20000 };

/* One of the lookups that a question is made of. */
struct part {
    struct question *question;
    struct lookup_turn *turn;  /* NULL: it has ended, or needs none */
    struct dns_query *lookup;  /* NULL: it has not begun, or has ended */
    struct dns_answer *answer; /* NULL: none yet */
    char *name;
    enum dns_type type;
};

struct question {
    struct question *next, *previous;
    struct resolver *resolver;
    uv_timer_t timer;
    const struct config *config; /* borrowed */
    char domain[ADDRESS_DOMAIN_MAX + 1], tenant[64];
    char hostname[256]; /* ours, as it was: each evaluation comes to the same choice of hosts */
    unsigned port;
    bool urgent, probing; /* probing: the root is asked */
    struct mx_query query;
    struct dns dns; /* for the evaluation */
    struct part parts[PARTS_MAX];
    size_t part_count, pending;
    unsigned waits_ms; /* for those that are missing; 0: for all, by the question's timer */
    resolver_on_hosts *done;
    void *context;
};

struct resolver {
    uv_loop_t *loop;
    struct dns_queries *lookups;
    struct lookup_turns *turns;
    struct question *questions;
    uv_timer_t *begin; /* gives turns; freed in its close callback */
    char hostname[256];
};

static void probe_root(struct question *q);

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
    r->turns = lookup_turns_new(dns_queries_most(config, NULL) / 2);
    r->begin = xcalloc(1, sizeof(*r->begin));
    r->begin->data = r;
    uv_timer_init(loop, r->begin);
    resolver_change_config(r, config);
    *resolver_r = r;
    return true;
}

/* ---- the end of a question ---- */

static void on_question_closed(uv_handle_t *handle)
{
    struct question *q = handle->data;
    for (size_t i = 0; i < q->part_count; i++) {
        dns_answer_free(q->parts[i].answer);
        free(q->parts[i].name);
    }
    free(q);
}

static void on_begin(uv_timer_t *timer);

/* Somebody waits, or a turn has ended: soon, and not from inside of what is going on. */
static void begin_soon(struct resolver *r)
{
    if (!uv_is_active((uv_handle_t *)r->begin))
        uv_timer_start(r->begin, on_begin, 0, 0);
}

/* Answered, cancelled, or it could not be asked. */
static void end_part(struct part *p)
{
    struct resolver *r = p->question->resolver;
    lookup_turns_end(r->turns, p->turn);
    p->turn = NULL;
    p->lookup = NULL;
    begin_soon(r);
}

static void cancel_lookups(struct question *q)
{
    for (size_t i = 0; i < q->part_count; i++) {
        dns_query_cancel(q->parts[i].lookup);
        end_part(&q->parts[i]);
    }
    q->pending = 0;
}

static void close_question(struct question *q)
{
    cancel_lookups(q);
    if (q->next)
        q->next->previous = q->previous;
    if (q->previous)
        q->previous->next = q->next;
    else
        q->resolver->questions = q->next;
    uv_close((uv_handle_t *)&q->timer, on_question_closed);
}

/* Whoever is told owns the hosts. */
static void finish(struct question *q, struct mx_answer *answer)
{
    resolver_on_hosts *done = q->done;
    void *context = q->context;
    close_question(q);
    done(context, answer);
}

static void finish_without(struct question *q, enum mx_result result)
{
    struct mx_answer answer = {.result = result};
    finish(q, &answer);
}

static void evaluate(struct question *q);

static void on_timeout(uv_timer_t *timer)
{
    struct question *q = timer->data;
    cancel_lookups(q);
    q->query.last = true;
    if (q->probing)
        finish_without(q, MX_DOWN);
    else
        evaluate(q);
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    while (r->questions)
        close_question(r->questions);
    uv_close((uv_handle_t *)r->begin, (uv_close_cb)free);
    lookup_turns_free(r->turns);
    dns_queries_free(r->lookups);
    free(r);
}

/* ---- lookups ---- */

static void on_answer(void *context, struct dns_answer *answer);

static void begin_lookup(struct part *p)
{
    struct question *q = p->question;
    p->lookup = dns_query_start(q->resolver->lookups, p->name, p->type, on_answer, p);
    if (p->lookup)
        return;
    end_part(p);
    p->answer = dns_answer_new(DNS_FAILED, 0);
    q->pending--;
    if (q->pending == 0)
        uv_timer_start(&q->timer, on_timeout, 0, 0);
}

static void on_begin(uv_timer_t *timer)
{
    struct resolver *r = timer->data;
    struct part *p;
    while ((p = lookup_turns_next(r->turns)))
        begin_lookup(p);
}

static struct part *add_part(struct question *q, const char *name, enum dns_type type)
{
    CHECK(q->part_count < PARTS_MAX);
    struct part *p = &q->parts[q->part_count++];
    *p = (struct part){.question = q, .name = xstrdup(name), .type = type};
    q->pending++;
    return p;
}

/* Of a tenant's lookups those about the first hosts of a domain come first. */
static void look_up(struct question *q, const char *name, enum dns_type type)
{
    struct resolver *r = q->resolver;
    bool behind_mx = q->part_count > 0 && !q->query.direct;
    unsigned host = (unsigned)(q->part_count - behind_mx) / 2; /* each has A and AAAA */
    struct part *p = add_part(q, name, type);
    p->turn = lookup_turns_wait(r->turns, q->tenant, q->urgent, host, p);
    begin_soon(r);
}

/* What the evaluation asks. */
static const struct dns_answer *on_ask(void *context, const char *name, enum dns_type type)
{
    static const struct dns_answer pending = {.status = DNS_PENDING};
    struct question *q = context;
    for (size_t i = 0; i < q->part_count; i++)
        if (q->parts[i].type == type && strcmp(q->parts[i].name, name) == 0)
            return q->parts[i].answer ? q->parts[i].answer : &pending;
    if (!q->query.last)
        look_up(q, name, type);
    return &pending;
}

static enum mx_reach on_reach(void *context, const struct ip *ip, const char **why_r)
{
    const struct question *q = context;
    return reachable(q->config, ip, q->port, why_r);
}

static uint64_t random_number(void)
{
    uint64_t number = 0;
    secret_random(&number, sizeof(number));
    return number;
}

/* Some are missing. How long are they waited for? */
static void wait_for_others(struct question *q, unsigned wait_ms)
{
    if (wait_ms == 0 || (q->waits_ms > 0 && q->waits_ms <= wait_ms))
        return;
    q->waits_ms = wait_ms;
    uv_timer_start(&q->timer, on_timeout, wait_ms, 0);
}

static void evaluate(struct question *q)
{
    struct mx_answer answer;
    mx_evaluate(&q->query, &q->dns, &answer);
    if (answer.result != MX_PENDING && answer.result != MX_FAILED) {
        finish(q, &answer);
        return;
    }
    hosts_fini(&answer.hosts);
    if (answer.result == MX_FAILED)
        probe_root(q);
    else
        wait_for_others(q, answer.wait_ms);
}

static void on_answer(void *context, struct dns_answer *answer)
{
    struct part *p = context;
    struct question *q = p->question;
    end_part(p);
    p->answer = answer;
    q->pending--;
    if (!q->probing)
        evaluate(q);
    else
        finish_without(q, answer->status == DNS_FAILED && !answer->refused ? MX_DOWN : MX_FAILED);
}

/* Is it this domain, or is it our network? The root tells, one name; it waits for no turn. */
static void probe_root(struct question *q)
{
    cancel_lookups(q);
    q->probing = true;
    uv_timer_start(&q->timer, on_timeout, QUESTION_TIMEOUT_MS / 4, 0);
    begin_lookup(add_part(q, "", DNS_NS));
}

static struct question *new_question(struct resolver *r, const struct resolver_query *query)
{
    struct question *q = xcalloc(1, sizeof(*q));
    q->resolver = r;
    q->config = query->config;
    q->port = query->port;
    q->urgent = query->urgent;
    snprintf(q->tenant, sizeof(q->tenant), "%s", query->tenant);
    snprintf(q->domain, sizeof(q->domain), "%s", query->domain);
    snprintf(q->hostname, sizeof(q->hostname), "%s", r->hostname);
    q->dns = (struct dns){on_ask, q};
    q->query = (struct mx_query){.domain = q->domain,
                                 .hostname = q->hostname,
                                 .direct = query->direct,
                                 .random = random_number(),
                                 .reach = on_reach,
                                 .context = q};
    q->next = r->questions;
    if (q->next)
        q->next->previous = q;
    r->questions = q;
    uv_timer_init(r->loop, &q->timer);
    q->timer.data = q;
    return q;
}

static void on_asked(uv_timer_t *timer)
{
    struct question *q = timer->data;
    uv_timer_start(&q->timer, on_timeout, QUESTION_TIMEOUT_MS, 0);
    evaluate(q);
}

void resolver_find(struct resolver *r, const struct resolver_query *query, resolver_on_hosts *done,
                   void *context)
{
    struct question *q = new_question(r, query);
    q->done = done;
    q->context = context;
    uv_timer_start(&q->timer, on_asked, 0, 0); /* never answered from inside the call */
}
