// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_errand.c - One report, made and sent.
 *
 * Happy path: ASKING (the domain's record) - READING (what was counted, by the store) - MAKING it,
 * once, off the loop - place after place: POSTING (https), or QUEUEING (the mail, which the store
 * takes together with the mark that it is sent) - MARKING (what became of it).
 *
 * Failure modes:
 * - DNS does not answer, no place takes it: later, for a day; then it is dropped
 * - a place is somebody who must not have it: suppressed, over a limit of its own, or one who has
 *   had enough reports today (tls_report_places.c): the next place, later, or never
 * - the domain has no record, or no usable one: what was counted is forgotten
 * - the relay ends at any point: the next one begins at the first; by mail the report is sent once,
 *   by https it may come twice under the same id
 * - the mail comes back: tlsrpt_rows.c, and another errand
 */
#include "tls_report_errand.h"

#include "clock.h"
#include "dns_cache.h"
#include "log.h"
#include "tls_report_mail.h"
#include "tls_report_places.h"
#include "tls_report_post.h"
#include "tlsrpt_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAIL_MAX = 16 * 1024 * 1024 };

enum stage { ASKING, READING, MAKING, CHOOSING, POSTING, QUEUEING, MARKING, ENDED };

struct errand {
    struct errand_owner *owner;
    struct tlsrpt_entry entry;
    enum stage stage;
    struct places places;
    size_t turn;
    struct tls_report_making making;
    char sign[ADDRESS_DOMAIN_MAX + 1]; /* the domain that signs */
    struct fetch *fetch;
    char addresses[sizeof(((struct fetch_order *)0)->addresses)]; /* that it is posted to */
    struct throttle_settings limits;                              /* that its mail is counted by */
    bool unwanted, places_only, abandoned;
    unsigned nowhere; /* places that lead to no public host */
};

/* ---- the end ---- */

static void end(struct errand *e)
{
    e->stage = ENDED;
    e->owner->ended(e->owner->context, e);
}

static void log_end_of(const struct errand *e, enum log_level level, const char *event,
                       const char *to, const char *why)
{
    struct log_line *line = log_text(log_begin(level, event), "domain", e->entry.domain);
    if (to[0])
        line = log_text(line, "to", to);
    log_end(why[0] ? log_text(line, "reply", why) : line);
}

static struct tlsrpt_place place_of(const struct errand *e, size_t i)
{
    return (struct tlsrpt_place){.domain = e->entry.domain, .uri = e->places.all[i].uri};
}

static bool is_bad(const struct errand *e, size_t i)
{
    return e->places.all[i].standing == PLACE_BAD;
}

/* What is to be written down of it: the places that were tried, and the entry. */
static bool run_mark(struct database *db, void *context, struct err *err)
{
    struct errand *e = context;
    int64_t now_ms = clock_now_ms();
    bool paused = false;
    for (size_t i = 0; i < e->places.count; i++) {
        const struct tlsrpt_place place = place_of(e, i);
        bool good = e->entry.state == TLSRPT_SENT && e->entry.place == i;
        if ((is_bad(e, i) || good) &&
            !database_tlsrpt_place(db, &place, good, now_ms, &paused, err))
            return false;
        e->places.all[i].paused = paused;
        paused = false;
    }
    if (e->places_only)
        return true;
    if (e->unwanted)
        return database_tlsrpt_unwanted(db, e->entry.day, e->entry.domain, err);
    return database_tlsrpt_mark(db, &e->entry, err);
}

static void on_marked(void *context, struct store_job *job)
{
    struct errand *e = context;
    struct store_change *change = OWNER_OF(job, struct store_change, job);
    if (change->result != STORE_CHANGED) /* it stays due, and is tried again */
        log_end_of(e, LOG_WARN, "tls_report_failed", "", job->err.text);
    for (size_t i = 0; change->result == STORE_CHANGED && i < e->places.count; i++)
        if (e->places.all[i].paused && is_bad(e, i))
            log_end_of(e, LOG_WARN, "tls_report_paused", e->places.all[i].uri,
                       "no report on the domain has reached it on three days: none is sent "
                       "there for a week");
    store_job_free(job);
    end(e);
}

static void mark(struct errand *e)
{
    e->stage = MARKING;
    for (size_t i = 0; i < e->places.count; i++)
        e->places.all[i].paused = false; /* from here on: it is now */
    struct store_change *change = store_change_new(run_mark, e);
    store_call(&e->owner->calls, &change->job, on_marked, e);
}

static void drop(struct errand *e, const char *why)
{
    e->entry.state = TLSRPT_DROPPED;
    e->entry.ended_ms = clock_now_ms();
    snprintf(e->entry.why, sizeof(e->entry.why), "%s", why);
    log_end_of(e, LOG_INFO, "tls_report_dropped", "", why);
    mark(e);
}

/* Nobody has it yet: later, unless it has been tried for a day. */
static void defer(struct errand *e, const char *why)
{
    int64_t now_ms = clock_now_ms();
    e->entry.first_ms = e->entry.first_ms > 0 ? e->entry.first_ms : now_ms;
    int64_t wait_ms = tlsrpt_gather_wait_ms(e->entry.tries, e->entry.first_ms, now_ms);
    if (wait_ms < 0) {
        drop(e, why);
        return;
    }
    e->entry.tries++;
    e->entry.due_ms = now_ms + wait_ms;
    snprintf(e->entry.why, sizeof(e->entry.why), "%s", why);
    log_end_of(e, LOG_INFO, "tls_report_deferred", "", why);
    mark(e);
}

/* ---- what it tells ---- */

static void choose(struct errand *e);

static void on_made(void *context, struct tls_report_making *m)
{
    struct errand *e = context;
    if (e->abandoned)
        end(e);
    else if (m->made)
        choose(e);
    else
        drop(e, "the report is too large");
}

/* Once, for all places. */
static void make(struct errand *e)
{
    const struct config_tlsrpt *t = &e->owner->config->tlsrpt;
    struct tls_report_making *m = &e->making;
    tlsrpt_report_id(e->entry.day * (TLSRPT_DAY_MS / 1000), e->entry.domain, e->sign, m->id);
    m->organization = xstrdup(t->reporter);
    m->contact = xstrdup(t->contact);
    m->day = e->entry.day;
    e->stage = MAKING;
    tls_report_maker_ask(&e->owner->maker, m, on_made, e);
}

/* ---- the next place ---- */

/* Not the one whose turn it was. */
static void go_on(struct errand *e, enum place_standing standing, const char *why)
{
    places_set(&e->places, e->turn, standing);
    snprintf(e->entry.why, sizeof(e->entry.why), "%.159s", why);
    e->turn++;
    choose(e);
}

static void pass_by(struct errand *e, enum place_standing standing, const char *why)
{
    log_end_of(e, standing == PLACE_BAD ? LOG_WARN : LOG_INFO, "tls_report_refused",
               e->places.all[e->turn].uri, why);
    go_on(e, standing, why);
}

/* False: it is passed by, as it must not have one now. */
static bool take_budget(struct errand *e, const char *addresses, int cost)
{
    char why[sizeof(e->entry.why)];
    enum place_standing standing =
        place_take(&e->places.all[e->turn], addresses, cost, e->owner->bounds, clock_now_ms(), why);
    if (standing != PLACE_OPEN)
        pass_by(e, standing, why);
    return standing == PLACE_OPEN;
}

/* ---- by mail ---- */

/* All there is to mark is where it was refused before. */
static void end_queued(struct errand *e)
{
    bool some = false;
    for (size_t i = 0; i < e->places.count; i++)
        some = some || is_bad(e, i);
    e->places_only = true;
    if (some)
        mark(e);
    else
        end(e);
}

static void on_queued(void *context, struct store_job *job)
{
    struct errand *e = context;
    struct store_accept *a = OWNER_OF(job, struct store_accept, job);
    char why[sizeof(job->err.text)];
    bool queued = store_has_accepted(a);
    bool before = a->result == STORE_DUPLICATE;
    bool refused = a->result == STORE_REFUSED;
    bool suppressed = refused && a->decisions && a->decisions[0].what == THROTTLE_SUPPRESSED;
    snprintf(why, sizeof(why), "%.199s", refused ? a->refusal.text : job->err.text);
    if (!queued)
        place_charge(&e->places.all[e->turn], "", -TLSRPT_COST, e->owner->bounds, clock_now_ms());
    if (queued)
        log_end(log_text(log_text(log_id(log_begin(LOG_INFO, "tls_report_queued"), a->mail->id),
                                  "domain", e->entry.domain),
                         "to", e->places.all[e->entry.place].uri));
    store_job_free(job);
    if (queued || before)
        end_queued(e);
    else if (refused && !e->abandoned)
        pass_by(e, suppressed ? PLACE_CLOSED : PLACE_RESTS, why);
    else
        defer(e, why[0] ? why : "the store has not taken it");
}

static void queue_mail(struct errand *e)
{
    const struct config_tlsrpt *t = &e->owner->config->tlsrpt;
    const struct place *place = &e->places.all[e->turn];
    struct store_accept *a = store_accept_new();
    const struct tlsrpt_letter letter = {.submitter = e->sign,
                                         .domain = e->entry.domain,
                                         .from = t->sender,
                                         .to = place->mailbox,
                                         .date_ms = clock_now_ms(),
                                         .ok = e->entry.ok,
                                         .failed = e->entry.bad,
                                         .packed = buf_span(&e->making.packed)};
    a->body.limit = MAIL_MAX;
    const struct tls_report_envelope envelope = {.id = store_new_id(e->owner->calls.store),
                                                 .now_ms = clock_now_ms(),
                                                 .tenant = e->entry.tenant,
                                                 .sign = e->sign,
                                                 .mailbox = place->mailbox};
    a->mail = tls_report_mail(&envelope);
    if (!a->mail || !tlsrpt_report_message(&e->making.report, &letter, &a->body)) {
        store_job_free(&a->job);
        place_charge(place, "", -TLSRPT_COST, e->owner->bounds, clock_now_ms());
        pass_by(e, PLACE_CLOSED, "the report cannot be written as mail there");
        return;
    }
    a->mail->body_8bit = !span_is_ascii(buf_span(&a->body));
    a->mail->header_utf8 = a->mail->body_8bit;
    e->limits = tls_report_limits(&e->owner->config->throttle);
    a->throttle = &e->limits;
    a->on_limit = STREAM_PACE;
    a->tls_report = xcalloc(1, sizeof(*a->tls_report));
    *a->tls_report = e->entry;
    a->tls_report->state = TLSRPT_QUEUED;
    a->tls_report->place = e->entry.place = (unsigned)e->turn;
    a->tls_report->message = a->mail->id;
    snprintf(a->tls_report->uri, sizeof(a->tls_report->uri), "%s", place->uri);
    a->tls_report->why[0] = '\0';
    e->stage = QUEUEING;
    store_call(&e->owner->calls, &a->job, on_queued, e);
}

/* ---- by https ---- */

static void on_posted(void *context, const struct fetch_result *result)
{
    struct errand *e = context;
    const struct place *place = &e->places.all[e->turn];
    int64_t now_ms = clock_now_ms();
    e->fetch = NULL;
    if (e->abandoned) {
        end(e);
        return;
    }
    enum place_standing standing =
        place_posted(place, e->addresses, result, e->owner->bounds, now_ms);
    if (standing != PLACE_OPEN) {
        pass_by(e, standing, result->why);
        return;
    }
    log_end_of(e, LOG_INFO, "tls_report_sent", place->uri, "");
    e->entry.state = TLSRPT_SENT;
    e->entry.place = (unsigned)e->turn;
    e->entry.ended_ms = now_ms;
    snprintf(e->entry.uri, sizeof(e->entry.uri), "%s", place->uri);
    e->entry.why[0] = '\0';
    mark(e);
}

static void post(struct errand *e, const struct fetch_order *order)
{
    struct buf copy;
    tls_report_making_copy(&e->making, &copy); /* there may be another place */
    e->stage = POSTING;
    e->fetch =
        fetch_start(e->owner->loop, e->owner->companions->fetcher, order, &copy, on_posted, e);
    buf_fini(&copy);
}

static void try_post(struct errand *e)
{
    struct fetch_order *order = xcalloc(1, sizeof(*order));
    const struct place *place = &e->places.all[e->turn];
    char why[160];
    dns_cache_ask_for(e->owner->answers, e->entry.tenant);
    enum tls_report_post what =
        tls_report_post_make(e->owner->config, e->owner->dns, place->uri, order, why);
    snprintf(e->addresses, sizeof(e->addresses), "%s", order->addresses);
    if (what == POST_NOWHERE)
        (e->nowhere++ == 0 ? pass_by : go_on)(e, PLACE_BAD, why); /* told once: it costs nothing */
    else if (what == POST_READY && take_budget(e, e->addresses, TLSRPT_COST_REFUSED))
        post(e, order);
    free(order);
}

/* ---- where to ---- */

/* Nobody has taken it in this round. */
static void end_round(struct errand *e)
{
    char why[sizeof(e->entry.why)];
    bool some = false;
    for (size_t i = 0; i < e->places.count; i++)
        some = some || places_may_have(&e->places, &e->entry, i);
    snprintf(why, sizeof(why), "%s",
             e->entry.why[0] ? e->entry.why : "no report has reached its places on three days");
    if (some)
        defer(e, why);
    else
        drop(e, why);
}

/* The place whose turn it is, or the next that may have it: by mail, or https. */
static void choose(struct errand *e)
{
    while (e->turn < e->places.count && !(places_may_have(&e->places, &e->entry, e->turn) &&
                                          places_has_turn(&e->places, &e->entry, e->turn)))
        e->turn++;
    e->stage = CHOOSING;
    if (e->turn == e->places.count) {
        end_round(e);
    } else if (e->places.all[e->turn].mailbox[0]) {
        if (take_budget(e, "", TLSRPT_COST))
            queue_mail(e);
    } else {
        try_post(e);
    }
}

/* ---- what was counted ---- */

static bool run_read(struct database *db, void *context, struct err *err)
{
    struct errand *e = context;
    bool ok = database_tlsrpt_counts(db, e->entry.day, e->entry.domain, e->making.counts, err);
    for (size_t i = 0; ok && i < e->places.count; i++) {
        const struct tlsrpt_place place = place_of(e, i);
        ok = database_tlsrpt_paused(db, &place, clock_now_ms(), &e->places.all[i].paused, err);
    }
    return ok;
}

static void on_read(void *context, struct store_job *job)
{
    struct errand *e = context;
    bool ok = OWNER_OF(job, struct store_change, job)->result == STORE_CHANGED;
    if (!ok)
        log_end_of(e, LOG_WARN, "tls_report_failed", "", job->err.text);
    store_job_free(job);
    if (!ok || e->abandoned) {
        end(e);
        return;
    }
    e->entry.ok = (int64_t)tlsrpt_gather_ok(e->making.counts);
    e->entry.bad = (int64_t)tlsrpt_gather_failed(e->making.counts);
    e->entry.first_ms = e->entry.first_ms > 0 ? e->entry.first_ms : clock_now_ms();
    if (e->entry.ok + e->entry.bad == 0)
        drop(e, "nothing was counted");
    else if (e->entry.bad == 0 && !e->owner->config->tlsrpt.success_reports)
        drop(e, "no session failed, and tlsrpt.success_reports is off");
    else
        make(e);
}

static void read_counts(struct errand *e)
{
    struct store_change *change = store_change_new(run_read, e);
    change->reads = true;
    e->making.counts = tlsrpt_gather_new();
    e->stage = READING;
    store_call(&e->owner->calls, &change->job, on_read, e);
}

/* ---- who wants it ---- */

static void note_places(struct errand *e, const struct tlsrpt_record *record)
{
    struct tlsrpt_entry *entry = &e->entry;
    bool returned = entry->failed != 0 && entry->uri[0];
    places_note(&e->places, record, entry, e->owner->suffixes);
    if (returned && !places_returned(&e->places, entry, e->owner->bounds, clock_now_ms()))
        entry->failed = 0; /* nobody knows any more of which ones it tells */
    entry->uri[0] = '\0';
}

static void ask(struct errand *e)
{
    char name[DNS_NAME_MAX + 16];
    struct tlsrpt_record record;
    snprintf(name, sizeof(name), "_smtp._tls.%s", e->entry.domain);
    const struct dns *dns = e->owner->dns;
    dns_cache_ask_for(e->owner->answers, e->entry.tenant);
    const struct dns_answer *answer =
        dns_name_valid(span_of(name)) ? dns->ask(dns->context, name, DNS_TXT) : NULL;
    if (answer && answer->status == DNS_PENDING)
        return;
    if (answer && answer->status == DNS_FAILED) {
        defer(e, "DNS does not say whether the domain wants reports");
        return;
    }
    if (answer && tlsrpt_record_read(answer, &record) == TLSRPT_WANTS_REPORTS)
        note_places(e, &record);
    if (e->places.count > 0) {
        read_counts(e);
        return;
    }
    e->unwanted = true;
    mark(e);
}

/* ---- the whole ---- */

struct errand *errand_new(struct errand_owner *owner, const struct tlsrpt_entry *entry)
{
    struct errand *e = xcalloc(1, sizeof(*e));
    e->owner = owner;
    e->entry = *entry;
    snprintf(e->sign, sizeof(e->sign), "%s", owner->config->tlsrpt.submitter);
    return e;
}

void errand_step(struct errand *e)
{
    if (e->stage == ASKING)
        ask(e);
    else if (e->stage == CHOOSING)
        try_post(e);
}

bool errand_is_about(const struct errand *e, int64_t day, const char *domain)
{
    return e->entry.day == day && strcmp(e->entry.domain, domain) == 0;
}

const char *errand_tenant(const struct errand *e)
{
    return e->entry.tenant;
}

void errand_abandon(struct errand *e)
{
    e->abandoned = true;
    if (e->fetch)
        fetch_kill(e->fetch);
    else if (e->stage == ASKING || e->stage == CHOOSING ||
             (e->stage == MAKING && tls_report_maker_take_back(&e->owner->maker, &e->making)))
        end(e);
}

void errand_free(struct errand *e)
{
    tls_report_making_fini(&e->making);
    free(e);
}
