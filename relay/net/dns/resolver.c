// SPDX-License-Identifier: BSD-2-Clause
/* resolver.c - Finds the hosts of a domain, as mx.h evaluates them.
 *
 * Failure modes:
 * - MX_FAILED: the root is asked, too. If it does not answer either: MX_DOWN; if its answer cannot
 *   be validated either: MX_BOGUS
 * - too slow: evaluated once more with what is known by then
 */
#include "resolver.h"

#include "question.h"
#include "reachable.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = MX_QUESTIONS_MAX + 1, QUESTION_TIMEOUT_MS = 20000 };

struct hosts_question {
    struct question base;
    const struct config *config; /* borrowed */
    char domain[ADDRESS_DOMAIN_MAX + 1];
    char hostname[256]; /* ours, as it was: each evaluation comes to the same choice of hosts */
    unsigned port;
    struct mx_query query;
    char why[sizeof(((struct mx_answer *)0)->why)]; /* it has failed */
    unsigned waits_ms; /* for those that are missing; 0: for all, by the question's timer */
    resolver_on_hosts *done;
    void *context;
};

/* Whoever is told owns the hosts. */
static void finish(struct hosts_question *q, struct mx_answer *answer)
{
    resolver_on_hosts *done = q->done;
    void *context = q->context;
    question_close(&q->base);
    done(context, answer);
}

static void finish_without(struct hosts_question *q, enum mx_result result)
{
    struct mx_answer answer = {.result = result};
    memcpy(answer.why, q->why, sizeof(answer.why));
    finish(q, &answer);
}

static enum mx_reach on_reach(void *context, const struct ip *ip, const char **why_r)
{
    const struct hosts_question *q = context;
    return reachable(q->config, ip, q->port, why_r);
}

static uint64_t random_number(void)
{
    uint64_t number = 0;
    secret_random(&number, sizeof(number));
    return number;
}

/* Some are missing. How long are they waited for? */
static void wait_for_others(struct hosts_question *q, unsigned wait_ms)
{
    if (wait_ms == 0 || (q->waits_ms > 0 && q->waits_ms <= wait_ms))
        return;
    q->waits_ms = wait_ms;
    question_set_timeout(&q->base, wait_ms);
}

/* ---- is it this domain, or is it our network? ---- */

static void on_root(struct question *base)
{
    struct hosts_question *q = OWNER_OF(base, struct hosts_question, base);
    const struct dns_answer *a = base->parts[base->part_count - 1].answer;
    enum dnssec_state state = watch_root(base->resolver, a);
    finish_without(q, state == DNSSEC_SILENT  ? MX_DOWN
                      : state == DNSSEC_FAILS ? MX_BOGUS
                                              : MX_FAILED);
}

/* The root tells, one name; it waits for no turn. */
static void probe_root(struct hosts_question *q)
{
    question_cancel_lookups(&q->base);
    q->base.evaluate = on_root;
    question_set_timeout(&q->base, QUESTION_TIMEOUT_MS / 4);
    question_look_up_now(&q->base, "", DNS_NS);
}

static void on_evaluate(struct question *base)
{
    struct hosts_question *q = OWNER_OF(base, struct hosts_question, base);
    struct mx_answer answer;
    q->query.last = base->last;
    mx_evaluate(&q->query, &base->dns, &answer);
    if (answer.result != MX_PENDING && answer.result != MX_FAILED) {
        finish(q, &answer);
        return;
    }
    hosts_fini(&answer.hosts);
    memcpy(q->why, answer.why, sizeof(q->why));
    if (answer.result == MX_FAILED)
        probe_root(q);
    else
        wait_for_others(q, answer.wait_ms);
}

void resolver_find(struct resolver *r, const struct resolver_query *query, resolver_on_hosts *done,
                   void *context)
{
    struct hosts_question *q = xcalloc(1, sizeof(*q));
    q->config = query->config;
    q->port = query->port;
    q->done = done;
    q->context = context;
    snprintf(q->domain, sizeof(q->domain), "%s", query->domain);
    snprintf(q->hostname, sizeof(q->hostname), "%s", r->hostname);
    q->query = (struct mx_query){.domain = q->domain,
                                 .hostname = q->hostname,
                                 .direct = query->direct,
                                 .patient = query->patient,
                                 .random = random_number(),
                                 .reach = on_reach,
                                 .context = q};
    q->base.about = q->domain;
    q->base.urgent = query->urgent;
    q->base.merit = query->merit;
    q->base.behind = query->direct ? 0 : 1;
    q->base.evaluate = on_evaluate;
    snprintf(q->base.tenant, sizeof(q->base.tenant), "%s", query->tenant);
    question_open(&q->base, r, PARTS_MAX, QUESTION_TIMEOUT_MS);
}
