// SPDX-License-Identifier: BSD-2-Clause
/* dns_watch.c - Tests the root's keys, or where nothing is validated its name servers.
 *
 *   start - test - (well) - a lookup fails - test past the caches - (not well) - again, after a
 *   while …
 *
 * Where nothing is validated the start tests nothing.
 *
 * Caches keep for a day what was secure when the clock was right, or the network was there. So only
 * the first test may use them.
 */
#include "watch.h"

#include "clock.h"
#include "question.h"

#include <stdlib.h>

enum { TIMEOUT_MS = 15000, AGAIN_MS = 15000 };

static bool is_silent(const struct dns_answer *a)
{
    return !a || a->status == DNS_PENDING || (a->status == DNS_FAILED && !a->refused && !a->bogus);
}

static enum dnssec_state read_root(const struct dns_answer *a)
{
    if (is_silent(a))
        return DNSSEC_SILENT;
    if (a->bogus)
        return DNSSEC_FAILS;
    if (a->status == DNS_FAILED)
        return DNSSEC_UNKNOWN;
    return a->status == DNS_FOUND && a->secure ? DNSSEC_VALIDATES : DNSSEC_ABSENT;
}

static bool is_ill(enum dnssec_state state)
{
    return state == DNSSEC_FAILS || state == DNSSEC_SILENT;
}

static void found(struct resolver *r, enum dnssec_state state, bool wanted)
{
    r->watch.state = state;
    r->watch.done(r->watch.context, state, wanted);
}

/* ---- tests ---- */

static void test_after(struct resolver *r, uint64_t after_ms, bool past_caches);

static void on_root(struct question *q)
{
    struct resolver *r = q->resolver;
    bool validates = r->watch.config->dnssec != CONFIG_DNSSEC_OFF;
    const struct dns_answer *a = q->dns.ask(q->dns.context, "", validates ? DNS_DNSKEY : DNS_NS);
    if (a->status == DNS_PENDING && !q->last)
        return;
    enum dnssec_state state = read_root(a);
    r->watch.tests = false;
    r->watch.tested_ms = clock_steady_ms();
    question_close(q);
    if (is_ill(state) || (validates && state == DNSSEC_UNKNOWN))
        test_after(r, AGAIN_MS, true);
    found(r, state, false);
}

static void test_after(struct resolver *r, uint64_t after_ms, bool past_caches)
{
    struct question *q = xcalloc(1, sizeof(*q));
    r->watch.tests = true;
    q->urgent = true;
    q->patient = true;
    q->after_ms = after_ms;
    q->fresh = past_caches ? r->watch.config : NULL;
    q->evaluate = on_root;
    question_open(q, r, 1, TIMEOUT_MS);
}

/* ---- what lookups show ---- */

/* A zone's owner can make lookups of his fail at will: that costs a test now and then. */
static void on_answered(struct resolver *r, const struct dns_answer *a)
{
    struct watch *w = &r->watch;
    bool fails = a->status == DNS_FAILED && !a->refused;
    if (fails && !w->tests && clock_steady_ms() - w->tested_ms >= AGAIN_MS)
        test_after(r, 0, true);
}

enum dnssec_state watch_root(struct resolver *r, const struct dns_answer *a)
{
    enum dnssec_state state = read_root(a);
    if (!is_ill(state)) /* a cache may say so: the last test went past it */
        state = r->watch.state;
    if (!is_ill(state))
        return DNSSEC_UNKNOWN;
    if (!r->watch.done)
        return state;
    if (!r->watch.tests)
        test_after(r, AGAIN_MS, true);
    found(r, state, true);
    return state;
}

/* ---- the watch ---- */

void dns_watch_start(struct resolver *r, const struct config *config, dns_watch_on_state *done,
                     void *context)
{
    r->watch =
        (struct watch){.config = config, .done = done, .context = context, .answered = on_answered};
    if (config->dnssec != CONFIG_DNSSEC_OFF) /* else libunbound has its memory when it is needed */
        test_after(r, 0, false);
}

/* A test that waits for its time would ask by settings that are gone. */
void dns_watch_change_config(struct resolver *r, const struct config *config)
{
    r->watch.config = config;
    for (struct question *q = r->questions; q; q = q->next)
        if (q->evaluate == on_root && q->fresh)
            q->fresh = config;
}
