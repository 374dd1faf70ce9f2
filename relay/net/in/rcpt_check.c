// SPDX-License-Identifier: BSD-2-Clause
/* rcpt_check.c - Checks at RCPT whether a recipient can get mail, but only if somebody was over a
 * limit recently; otherwise recipients are checked with the message.
 *
 * The store's reader is asked, about all recipients that a client has sent ahead at once; the
 * machine takes them one after the other, so that the answers are in the order of the commands.
 *
 * Only what no class of mail could pass is refused here. What depends on the message is decided in
 * the store's transaction.
 */
#include "session_parts.h"

#include "clock.h"
#include "incidents.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { FLOOD_MS = 10 * 60 * 1000, TOGETHER_MAX = 100, GLANCE_MS = 5000 };

/* A recipient that was refused at RCPT, on its way to the store. */
struct refused {
    const struct throttle_settings *settings;
    char tenant[64], credential[ADDRESS_MAX + 1], domain[ADDRESS_DOMAIN_MAX + 1];
    char *recipient;
};

static bool note_refused(struct database *db, void *context, struct err *err)
{
    const struct refused *r = context;
    return database_refused(db, r->settings, r->tenant, r->credential, r->recipient, r->domain,
                            err);
}

static void forget_refused(void *context)
{
    struct refused *r = context;
    free(r->recipient);
    free(r);
}

static void on_refused_noted(void *context, struct store_job *job)
{
    (void)context;
    store_job_free(job);
}

static void ask_to_note(struct sessions *home, struct settings *settings,
                        const struct submission *sub, const struct envelope_rcpt *rcpt)
{
    struct refused *r = xcalloc(1, sizeof(*r));
    struct store_change *change = store_change_new(note_refused, r);
    r->settings = &settings->config->throttle;
    r->recipient = xstrdup(rcpt->address);
    snprintf(r->tenant, sizeof(r->tenant), "%s", sub->identity.tenant);
    snprintf(r->credential, sizeof(r->credential), "%s", sub->identity.name);
    snprintf(r->domain, sizeof(r->domain), "%s", rcpt->domain);
    change->forget = forget_refused;
    change->repeatable = true;
    worker_ask_store_by(home->worker, settings, &change->job, on_refused_noted, NULL);
}

void rcpt_check_flooded(struct sessions *home, const char *recipient, const char *user)
{
    char text[ADDRESS_MAX + 64];
    snprintf(text, sizeof(text), "more mail than the limits allow, last from user %s", user);
    incidents_add(home->shared->incidents, ALERT_FLOOD, recipient, text);
    atomic_store(&home->shared->flood_until_ms, clock_steady_ms() + FLOOD_MS);
}

/* ---- what the store says of each ---- */

struct rcpt_glance {
    struct rcpt_glance *next;
    int64_t asked_ms; /* an answer that waits for longer says nothing any more */
    bool answered;
    struct throttle_decision decision;
    char address[]; /* as it stands in the envelope */
};

static struct rcpt_glance *find(struct session *s, const char *address)
{
    struct rcpt_glance *g = s->glances;
    while (g && strcmp(g->address, address) != 0)
        g = g->next;
    return g;
}

void rcpt_check_forget(struct session *s)
{
    while (s->glances) {
        struct rcpt_glance *g = s->glances;
        s->glances = g->next;
        free(g);
    }
}

static void take_out(struct session *s, struct rcpt_glance *g)
{
    LL_DELETE(s->glances, g);
    free(g);
}

static const struct envelope_rcpt *last_rcpt(const struct session *s)
{
    const struct envelope *e = &s->submission.envelope;
    return &e->rcpts[e->count - 1];
}

static void decide(struct session *s, const struct throttle_decision *d)
{
    struct submission *sub = &s->submission;
    const struct throttle_settings *throttle = &s->settings->config->throttle;
    const struct envelope_rcpt *rcpt = last_rcpt(s);
    if (d->what == THROTTLE_PASS) {
        submission_rcpt_decided(sub, NULL);
        return;
    }
    struct verdict v = throttle_verdict(throttle, STREAM_SECURITY, d);
    v = throttle_about(&v, d, rcpt->address);
    ask_to_note(s->home, s->settings, sub, rcpt);
    rcpt_check_flooded(s->home, rcpt->address, sub->identity.name);
    submission_rcpt_decided(sub, &v);
}

static void decide_by(struct session *s, struct rcpt_glance *g)
{
    struct throttle_decision d = g->decision;
    take_out(s, g);
    decide(s, &d);
}

/* When the store could not look, it decides at the end. */
static void on_looked(void *context, struct store_question *q)
{
    struct sessions *home = context;
    struct session *s = session_find(home, q->session);
    struct rcpt_glance *g = s ? find(s, q->recipient) : NULL;
    if (!q->ok)
        log_event(LOG_ERROR, "store_unreadable", "reply", q->err.text);
    if (g && !g->answered) {
        g->answered = true;
        g->decision = q->ok ? q->decision : (struct throttle_decision){.what = THROTTLE_PASS};
        if (s->asking && s->submission.want == SUBMISSION_LIMIT &&
            strcmp(g->address, last_rcpt(s)->address) == 0) {
            s->asking = false;
            decide_by(s, g);
            home->go_on(s);
        }
    }
    store_question_free(q);
}

static void ask(struct session *s, struct span address)
{
    struct address parts;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct rcpt_glance *g = xcalloc(1, sizeof(*g) + address.len + 1);
    g->asked_ms = clock_steady_ms();
    memcpy(g->address, address.ptr, address.len);
    if (find(s, g->address) || !address_parse(address, &parts) ||
        !address_domain_ascii(parts.domain, domain)) {
        free(g);
        return;
    }
    LL_APPEND(s->glances, g);
    struct store_question *q = store_glance(&s->settings->config->throttle,
                                            s->submission.identity.tenant, g->address, domain);
    q->session = s->id;
    worker_ask_reader(s->home->worker, s->settings, q, on_looked, s->home);
}

/* Of recipients that were refused before it came to that, or are of a transaction that is over. */
static size_t forget_old(struct session *s)
{
    struct rcpt_glance *g;
    struct rcpt_glance *next;
    size_t left = 0;
    LL_FOREACH_SAFE(s->glances, g, next)
    {
        if (g->answered && g->asked_ms + GLANCE_MS < clock_steady_ms())
            take_out(s, g);
        else
            left++;
    }
    return left;
}

/* About the last one, and about those that the client has named behind it. */
static void ask_for_all(struct session *s, size_t held)
{
    struct span address = span_of(last_rcpt(s)->address);
    size_t at = 0;
    s->asking = true;
    ask(s, address);
    CHECK(find(s, last_rcpt(s)->address)); /* the machine has read the address, too */
    for (size_t i = held + 1;
         i < TOGETHER_MAX && submission_next_rcpt(&s->submission, &at, &address); i++)
        ask(s, address);
}

void rcpt_check_judge(struct session *s)
{
    size_t held = forget_old(s);
    struct rcpt_glance *g = find(s, last_rcpt(s)->address);
    bool look = s->settings->config->throttle.mode == THROTTLE_ENFORCE &&
                clock_steady_ms() < atomic_load(&s->home->shared->flood_until_ms);
    if (!look)
        decide(s, &(struct throttle_decision){.what = THROTTLE_PASS});
    else if (!g)
        ask_for_all(s, held);
    else if (g->answered)
        decide_by(s, g);
    else
        s->asking = true;
}
