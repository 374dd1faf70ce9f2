// SPDX-License-Identifier: BSD-2-Clause
/* deliveries.c - Passes each decision of the queue to the function that carries it out, and ends
 * everything at shutdown. */
#include "deliveries.h"

#include "attempt.h"
#include "clock.h"
#include "dial.h"
#include "dispatch_parts.h"
#include "incidents.h"
#include "log.h"
#include "next_hop.h"
#include "outbound.h"
#include "standing.h"
#include "works.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void run(struct deliveries *home, struct dispatch_work *work)
{
    if (attempt_holds_back(home, work))
        return;
    switch (work->kind) {
    case QUEUE_RESOLVE:
        next_hop_find(home, work);
        break;
    case QUEUE_OPEN:
        outbound_open(home, work);
        break;
    case QUEUE_SEND:
        outbound_send(home, work);
        break;
    case QUEUE_CLOSE:
        outbound_close(home, work);
        break;
    case QUEUE_HURRY:
        outbound_hurry(home, work);
        break;
    case QUEUE_SETTLE:
        if (attempt_read(home, work))
            attempt_start(work);
        break;
    case QUEUE_EVENT:
        UNREACHABLE();
    }
}

static void on_arrived(struct inbox_item *item)
{
    struct dispatch_work *work = (struct dispatch_work *)item;
    works_add(work->home, work);
}

void deliveries_init(struct deliveries *home, struct worker *worker,
                     const struct deliveries_shared *shared)
{
    home->worker = worker;
    home->shared = shared;
    home->arrived = on_arrived;
    works_init(home, run);
}

/* ---- DNS as a whole ---- */

/* What the operator hears of DNSSEC, once in an hour for all threads. Where validation fails
 * nothing is believed, and mail waits: whoever could make it fail must not turn DANE off by
 * that. */
static const struct {
    enum log_level level;
    bool alert;
    const char *event, *text, *state; /* state: of `status` */
} dnssec_notes[] = {
    [DNSSEC_VALIDATES] = {LOG_INFO, false, "dnssec_validates", "DNSSEC works again", "validates"},
    [DNSSEC_ABSENT] = {LOG_ERROR, true, "dane_off",
                       "the keys of the root are not secure by dns.trust_anchor: mail goes without "
                       "DANE",
                       "absent"},
    [DNSSEC_FAILS] = {LOG_ERROR, true, "dnssec_fails",
                      "the keys of the root cannot be validated: mail waits; look for what changes "
                      "or strips the answers of DNS, and at the clock",
                      "fails"},
};

static void note_dnssec(struct deliveries *home, enum dnssec_state state)
{
    bool mended = home->dnssec == DNSSEC_FAILS;
    char text[600];
    if (state == home->dnssec)
        return;
    home->dnssec = state;
    standing_dnssec(home->shared->standing, dnssec_notes[state].state,
                    home->worker->settings->config->trust_anchor);
    if (state == DNSSEC_VALIDATES && !mended)
        return;
    bool alert = dnssec_notes[state].alert;
    snprintf(text, sizeof(text), "%s%s%.300s", dnssec_notes[state].text,
             alert ? "; dns { trust_anchor } is " : "",
             alert ? home->worker->settings->config->trust_anchor : "");
    if (alert &&
        !incidents_add(home->shared->incidents, ALERT_DNSSEC, dnssec_notes[state].event, text))
        return;
    log_end(
        log_text(log_begin(dnssec_notes[state].level, dnssec_notes[state].event), "what", text));
}

/* Each time that it begins and ends: when it began tells one from another. */
static bool tell_outage(const struct deliveries *home, bool lasts, int64_t since_ms,
                        const char *text)
{
    char began[32];
    char about[60];
    char over[100];
    struct tm tm;
    time_t since = (time_t)((since_ms + clock_offset_ms()) / 1000);
    strftime(began, sizeof(began), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&since, &tm));
    snprintf(about, sizeof(about), "since %s", began);
    if (lasts)
        return incidents_add(home->shared->incidents, ALERT_DNS, about, text);
    snprintf(about, sizeof(about), "there was none from %s", began);
    snprintf(over, sizeof(over), "for %lld s", (long long)(clock_steady_ms() - since_ms) / 1000);
    return incidents_add_end(home->shared->incidents, ALERT_DNS, about, over);
}

/* The same of one that gives no answer: told by the first thread whose time it is, and later, if
 * too much was told by then. */
static void note_outage(struct deliveries *home, bool silent, bool wanted)
{
    static const struct {
        enum log_level level;
        const char *event, *text;
    } notes[] = {
        [DNS_OUTAGE_NO_NEWS] = {LOG_INFO, NULL, NULL},
        [DNS_OUTAGE_LASTS] =
            {LOG_ERROR, "dns_silent",
             "DNS gives no answer at all, and mail waits: look at the network, and "
             "at the resolvers of dns { forward }"},
        [DNS_OUTAGE_IS_OVER] = {LOG_INFO, "dns_answers", "DNS answers again"},
    };
    const struct config *config = home->worker->settings->config;
    int64_t since_ms = 0;
    enum dns_outage_news news = standing_dns(home->shared->standing, home, silent, wanted,
                                             (int64_t)config->dns_silent_s * 1000, &since_ms);
    if (news == DNS_OUTAGE_NO_NEWS)
        return;
    bool lasts = news == DNS_OUTAGE_LASTS;
    if (!tell_outage(home, lasts, since_ms, notes[news].text) && lasts) {
        standing_dns_untold(home->shared->standing);
        return;
    }
    log_end(log_text(log_begin(notes[news].level, notes[news].event), "what", notes[news].text));
}

static void on_dns(void *context, enum dnssec_state state, bool wanted)
{
    struct deliveries *home = context;
    bool validates = home->worker->settings->config->dnssec != CONFIG_DNSSEC_OFF;
    note_outage(home, state == DNSSEC_SILENT, wanted);
    if (validates && state != DNSSEC_UNKNOWN && state != DNSSEC_SILENT)
        note_dnssec(home, state);
}

bool deliveries_open(struct deliveries *home, struct err *err)
{
    const struct config *config = home->worker->settings->config;
    if (!resolver_new(&home->worker->loop, config, &home->resolver, err))
        return false;
    if (config->dnssec == CONFIG_DNSSEC_OFF) {
        home->dnssec = DNSSEC_ABSENT;
        standing_dnssec(home->shared->standing, "off", "");
    }
    dns_watch_start(home->resolver, config, on_dns, home);
    return true;
}

void deliveries_change_settings(struct deliveries *home)
{
    const struct config *config = home->worker->settings->config;
    resolver_change_config(home->resolver, config);
    dns_watch_change_config(home->resolver, config);
}

void deliveries_drain(struct deliveries *home)
{
    outbound_close_idle(home);
    outbound_close_opening(home);
    next_hop_abandon_all(home);
}

bool deliveries_are_under_way(const struct deliveries *home)
{
    return home->attempts || home->reading || home->works.first;
}

void deliveries_end_all(struct deliveries *home)
{
    outbound_close_all(home);
}

bool deliveries_have_ended(struct deliveries *home)
{
    outbound_close_all(home);
    dial_close_probes(home);
    return !home->outbounds && !home->tries;
}

void deliveries_close(struct deliveries *home)
{
    next_hop_abandon_all(home);
    works_close(home);
}

/* ---- rows that a person has ended ---- */

struct order {
    struct inbox_item item;
    struct deliveries *home;
};

static void on_check_rows(struct inbox_item *item)
{
    struct deliveries *home = ((struct order *)item)->home;
    free(item);
    outbound_check_rows(home);
}

void deliveries_check_rows(struct dispatch *d)
{
    dispatch_begin(d);
    for (size_t i = 0; d->running && i < d->shard_count; i++) {
        struct order *o = xcalloc(1, sizeof(*o));
        *o =
            (struct order){.item = {.run = on_check_rows, .drop = inbox_free}, .home = d->homes[i]};
        inbox_post(&o->home->worker->inbox, &o->item);
    }
    pthread_mutex_unlock(&d->mutex);
}
