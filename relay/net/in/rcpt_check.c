// SPDX-License-Identifier: BSD-2-Clause
/* rcpt_check.c - May this recipient get mail at all? Answered at RCPT when somebody was over a
 * limit lately; in quiet times nobody is looked at before the message is there.
 *
 * Only what no class of mail could get through is refused here; what depends on the message is
 * decided with it, in the store's transaction.
 */
#include "rcpt_check.h"

#include "clock.h"
#include "incidents.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLOOD_MS = 10 * 60 * 1000 };

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

static void on_refused_noted(void *context, struct store_job *job)
{
    struct refused *r = job->context;
    (void)context;
    free(r->recipient);
    free(r);
    store_job_free(job);
}

static void ask_to_note(struct sessions *home, struct settings *settings,
                        const struct submission *sub, const struct envelope_rcpt *rcpt)
{
    struct store_job *job = store_job_new(NULL, NULL);
    struct refused *r = xcalloc(1, sizeof(*r));
    r->settings = &settings->config->throttle;
    r->recipient = xstrdup(rcpt->address);
    snprintf(r->tenant, sizeof(r->tenant), "%s", sub->identity.tenant);
    snprintf(r->credential, sizeof(r->credential), "%s", sub->identity.name);
    snprintf(r->domain, sizeof(r->domain), "%s", rcpt->domain);
    job->run = note_refused;
    job->context = r;
    worker_ask_store_by(home->worker, settings, job, on_refused_noted, NULL);
}

void rcpt_check_flooded(struct sessions *home, const char *recipient, const char *user)
{
    char text[ADDRESS_MAX + 64];
    snprintf(text, sizeof(text), "more mail than the limits allow, last from user %s", user);
    incidents_add(home->shared->incidents, ALERT_FLOOD, recipient, text);
    atomic_store(&home->shared->flood_until_ms, clock_steady_ms() + FLOOD_MS);
}

void rcpt_check_judge(struct sessions *home, struct settings *settings, struct submission *sub)
{
    const struct throttle_settings *throttle = &settings->config->throttle;
    const struct envelope_rcpt *rcpt = &sub->envelope.rcpts[sub->envelope.count - 1];
    struct throttle_decision d = {.what = THROTTLE_PASS};
    struct err err = {0};
    bool look = throttle->mode == THROTTLE_ENFORCE &&
                clock_steady_ms() < atomic_load(&home->shared->flood_until_ms);
    if (look &&
        !database_glance(home->worker->reader, throttle, sub->identity.tenant, rcpt->address,
                         rcpt->domain, &d, &err)) { /* the store decides at the end */
        log_event(LOG_ERROR, "store_unreadable", "reply", err.text);
        d.what = THROTTLE_PASS;
    }
    if (d.what == THROTTLE_PASS) {
        submission_rcpt_decided(sub, NULL);
        return;
    }
    struct verdict v = throttle_verdict(throttle, STREAM_SECURITY, &d);
    v = throttle_about(&v, &d, rcpt->address);
    ask_to_note(home, settings, sub, rcpt);
    rcpt_check_flooded(home, rcpt->address, sub->identity.name);
    submission_rcpt_decided(sub, &v);
}
