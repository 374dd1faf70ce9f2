// SPDX-License-Identifier: BSD-2-Clause
/* dane_lookup.c - Asks for the TLSA records of one host, as dane.h evaluates them.
 *
 * Failure mode: too slow, by its own time, in which its turn has come: DANE_FAILED.
 */
#include "dane_lookup.h"

#include "question.h"

#include <stdio.h>
#include <stdlib.h>

enum { PARTS_MAX = 3, TIMEOUT_MS = 10000 };

struct dane_lookup {
    struct question base;
    struct dane_query query;
    char host[DNS_NAME_MAX + 1], canonical[DNS_NAME_MAX + 1], domain[DNS_NAME_MAX + 1];
    dane_lookup_on_answer *done;
    void *context;
};

static void on_evaluate(struct question *base)
{
    struct dane_lookup *l = OWNER_OF(base, struct dane_lookup, base);
    struct dane_answer answer;
    l->query.last = base->last;
    dane_evaluate(&l->query, &base->dns, &answer);
    if (answer.state == DANE_PENDING) {
        dane_answer_fini(&answer);
        return;
    }
    dane_lookup_on_answer *done = l->done;
    void *context = l->context;
    question_close(base);
    done(context, &answer);
}

struct dane_lookup *dane_lookup_start(struct resolver *r, const struct dane_lookup_query *query,
                                      dane_lookup_on_answer *done, void *context)
{
    const struct host *host = query->host;
    struct dane_lookup *l = xcalloc(1, sizeof(*l));
    snprintf(l->host, sizeof(l->host), "%s", host->name);
    snprintf(l->canonical, sizeof(l->canonical), "%s", host->canonical ? host->canonical : "");
    snprintf(l->domain, sizeof(l->domain), "%s", query->domain);
    dns_name_lower(l->host);
    l->query = (struct dane_query){.host = l->host,
                                   .canonical = host->canonical ? l->canonical : NULL,
                                   .secure = host->secure,
                                   .port = query->port};
    l->done = done;
    l->context = context;
    l->base.about = l->domain;
    l->base.urgent = query->urgent;
    l->base.merit = query->merit;
    l->base.fresh = query->fresh;
    l->base.patient = true;
    l->base.evaluate = on_evaluate;
    snprintf(l->base.tenant, sizeof(l->base.tenant), "%s", query->tenant);
    question_open(&l->base, r, PARTS_MAX, TIMEOUT_MS);
    return l;
}

void dane_lookup_cancel(struct dane_lookup *l)
{
    if (l)
        question_close(&l->base);
}
