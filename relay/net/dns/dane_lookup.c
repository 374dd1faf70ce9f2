// SPDX-License-Identifier: BSD-2-Clause
/* dane_lookup.c - Asks for the TLSA records of one host, as dane.h evaluates them, and whether
 * DNSSEC works here at all.
 *
 * Failure mode: too slow, by its own time, in which its turn has come: DANE_FAILED.
 */
#include "dane_lookup.h"

#include "question.h"

#include <stdio.h>
#include <stdlib.h>

enum { PARTS_MAX = 3, TIMEOUT_MS = 10000, CHECK_TIMEOUT_MS = 15000, CHECK_AGAIN_MS = 60000 };

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

/* ---- the root's keys ---- */

struct check {
    struct question base;
    dnssec_on_checked *done;
    void *context;
};

/* Never what a forwarder says of itself: libunbound has followed the signatures to the anchor. */
static enum dnssec_state read_root(const struct dns_answer *a)
{
    if (a->bogus)
        return DNSSEC_FAILS;
    if (a->status == DNS_PENDING || a->status == DNS_FAILED)
        return DNSSEC_UNKNOWN;
    return a->status == DNS_FOUND && a->secure ? DNSSEC_VALIDATES : DNSSEC_ABSENT;
}

static void check_after(struct resolver *r, uint64_t after_ms, dnssec_on_checked *done,
                        void *context);

static void on_root(struct question *base)
{
    struct check *c = OWNER_OF(base, struct check, base);
    dnssec_on_checked *done = c->done;
    void *context = c->context;
    const struct dns_answer *a = base->dns.ask(base->dns.context, "", DNS_DNSKEY);
    if (a->status == DNS_PENDING && !base->last)
        return;
    enum dnssec_state state = read_root(a);
    if (state == DNSSEC_FAILS || state == DNSSEC_UNKNOWN)
        check_after(base->resolver, CHECK_AGAIN_MS, done, context);
    question_close(base);
    done(context, state);
}

static void check_after(struct resolver *r, uint64_t after_ms, dnssec_on_checked *done,
                        void *context)
{
    struct check *c = xcalloc(1, sizeof(*c));
    c->done = done;
    c->context = context;
    c->base.urgent = true;
    c->base.patient = true;
    c->base.after_ms = after_ms;
    c->base.evaluate = on_root;
    question_open(&c->base, r, 1, CHECK_TIMEOUT_MS);
}

void dnssec_check(struct resolver *r, dnssec_on_checked *done, void *context)
{
    check_after(r, 0, done, context);
}
