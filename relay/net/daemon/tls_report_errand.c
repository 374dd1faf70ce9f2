// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_errand.c - One report, made and sent.
 *
 * Happy path: ASKING (the domain's record) - READING (what was counted, by the store) - place after
 * place: POSTING (https), or QUEUEING (the mail, which the store takes together with the mark that
 * it is sent) - MARKING (what became of it).
 *
 * Failure modes:
 * - DNS does not answer, no place takes it: later, for a day; then it is dropped
 * - the domain has no record, or no usable one: what was counted is forgotten
 * - the relay ends at any point: the next one begins at the first; by mail the report is sent once,
 *   by https it may come twice under the same id
 * - the mail comes back: tlsrpt_rows.c, and another errand
 */
#include "tls_report_errand.h"

#include "clock.h"
#include "log.h"
#include "tls_report_post.h"
#include "tlsrpt_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAIL_MAX = 16 * 1024 * 1024 };

enum stage { ASKING, READING, CHOOSING, POSTING, QUEUEING, MARKING, ENDED };

/* A place of the record. */
struct place {
    char uri[TLSRPT_URI_MAX + 1];
    char mailbox[2 * ADDRESS_MAX + 1]; /* ""; it is https */
    bool paused, bad;                  /* bad: it did not take this one */
};

struct errand {
    struct errand_owner *owner;
    struct tlsrpt_entry entry;
    enum stage stage;
    struct place places[TLSRPT_RUA_MAX];
    size_t place_count, turn;
    struct tlsrpt_gather *counts;
    char sign[ADDRESS_DOMAIN_MAX + 1], tenant[64]; /* the domain that signs, and whose it is */
    char id[TLSRPT_ID_MAX];
    struct fetch *fetch;
    bool unwanted, places_only, abandoned;
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
    return (struct tlsrpt_place){.domain = e->entry.domain, .uri = e->places[i].uri};
}

/* What is to be written down of it: the places that were tried, and the entry. */
static bool run_mark(struct database *db, void *context, struct err *err)
{
    struct errand *e = context;
    int64_t now_ms = clock_now_ms();
    bool paused = false;
    for (size_t i = 0; i < e->place_count; i++) {
        const struct tlsrpt_place place = place_of(e, i);
        bool good = e->entry.state == TLSRPT_SENT && e->entry.place == i;
        if ((e->places[i].bad || good) &&
            !database_tlsrpt_place(db, &place, good, now_ms, &paused, err))
            return false;
        e->places[i].paused = paused;
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
    for (size_t i = 0; change->result == STORE_CHANGED && i < e->place_count; i++)
        if (e->places[i].paused && e->places[i].bad)
            log_end_of(e, LOG_WARN, "tls_report_paused", e->places[i].uri,
                       "no report on the domain has reached it on three days: none is sent "
                       "there for a week");
    store_job_free(job);
    end(e);
}

static void mark(struct errand *e)
{
    e->stage = MARKING;
    for (size_t i = 0; i < e->place_count; i++)
        e->places[i].paused = false; /* from here on: it is now */
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

static void make_report(struct errand *e, struct tlsrpt_report *report_r)
{
    const struct config_tlsrpt *t = &e->owner->config->tlsrpt;
    const int64_t begin_s = e->entry.day * (TLSRPT_DAY_MS / 1000);
    tlsrpt_report_id(begin_s, e->entry.domain, e->sign, e->id);
    *report_r = (struct tlsrpt_report){.organization = t->reporter,
                                       .contact = t->contact,
                                       .id = e->id,
                                       .begin_s = begin_s,
                                       .end_s = begin_s + TLSRPT_DAY_MS / 1000 - 1};
    tlsrpt_gather_report(e->counts, report_r);
}

/* ---- by mail ---- */

static void choose(struct errand *e);

static struct mail *make_mail(const struct errand *e, const char *mailbox)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct address to;
    if (!address_parse(span_of(mailbox), &to) || !address_domain_ascii(to.domain, domain))
        return NULL;
    struct mail *m = mail_new();
    m->id = store_new_id(e->owner->calls.store);
    m->created_ms = clock_now_ms();
    m->expires_ms = m->created_ms + TLSRPT_DAY_MS; /* RFC 8460 section 5.5 */
    m->class = STREAM_DIGEST;
    snprintf(m->stream, sizeof(m->stream), "%s", MAIL_TLS_REPORT);
    snprintf(m->tenant, sizeof(m->tenant), "%s", e->tenant);
    snprintf(m->from_domain, sizeof(m->from_domain), "%s", e->sign);
    m->envelope.sender = xstrdup(""); /* what comes back is for nobody to read */
    m->envelope.id = xstrdup("");
    m->envelope.smtputf8 = !span_is_ascii(to.text);
    envelope_add(&m->envelope, to.text, domain, SPAN_NONE, 0);
    return m;
}

/* All there is to mark is where it was refused before. */
static void end_queued(struct errand *e)
{
    bool some = false;
    for (size_t i = 0; i < e->place_count; i++)
        some = some || e->places[i].bad;
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
    snprintf(why, sizeof(why), "%s", job->err.text);
    if (queued)
        log_end(log_text(log_text(log_id(log_begin(LOG_INFO, "tls_report_queued"), a->mail->id),
                                  "domain", e->entry.domain),
                         "to", e->places[e->entry.place].uri));
    store_job_free(job);
    if (queued || before)
        end_queued(e);
    else
        defer(e, why[0] ? why : "the store has not taken it");
}

static void queue_mail(struct errand *e)
{
    const struct config_tlsrpt *t = &e->owner->config->tlsrpt;
    const struct place *place = &e->places[e->turn];
    struct tlsrpt_report report;
    struct store_accept *a = store_accept_new();
    const struct tlsrpt_letter letter = {.submitter = e->sign,
                                         .domain = e->entry.domain,
                                         .from = t->sender,
                                         .to = place->mailbox,
                                         .date_ms = clock_now_ms()};
    make_report(e, &report);
    a->body.limit = MAIL_MAX;
    a->mail = make_mail(e, place->mailbox);
    if (!a->mail || !tlsrpt_report_message(&report, &letter, &a->body)) {
        store_job_free(&a->job);
        drop(e, "the report cannot be written as mail");
        return;
    }
    a->mail->body_8bit = !span_is_ascii(buf_span(&a->body));
    a->mail->header_utf8 = a->mail->body_8bit;
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
    struct place *place = &e->places[e->turn];
    e->fetch = NULL;
    if (e->abandoned) {
        end(e);
        return;
    }
    log_end_of(e, result->why ? LOG_WARN : LOG_INFO,
               result->why ? "tls_report_refused" : "tls_report_sent", place->uri,
               result->why ? result->why : "");
    if (result->why) {
        snprintf(e->entry.why, sizeof(e->entry.why), "%.159s", result->why);
        place->bad = true;
        e->turn++;
        choose(e);
        return;
    }
    e->entry.state = TLSRPT_SENT;
    e->entry.place = (unsigned)e->turn;
    e->entry.ended_ms = clock_now_ms();
    snprintf(e->entry.uri, sizeof(e->entry.uri), "%s", place->uri);
    e->entry.why[0] = '\0';
    mark(e);
}

/* False: it cannot be done. */
static bool post(struct errand *e, const struct fetch_order *order)
{
    struct tlsrpt_report report;
    struct buf packed;
    buf_init(&packed, FETCH_POST_MAX);
    make_report(e, &report);
    bool ok = tlsrpt_report_packed(&report, &packed);
    if (ok) {
        e->stage = POSTING;
        e->fetch = fetch_start(e->owner->loop, e->owner->companions->fetcher, order, &packed,
                               on_posted, e);
    }
    buf_fini(&packed);
    return ok;
}

static void try_post(struct errand *e)
{
    struct fetch_order *order = xcalloc(1, sizeof(*order));
    struct place *place = &e->places[e->turn];
    char why[160];
    enum tls_report_post what =
        tls_report_post_make(e->owner->config, e->owner->dns, place->uri, order, why);
    bool under_way = what == POST_PENDING || (what == POST_READY && post(e, order));
    free(order);
    if (under_way)
        return;
    place->bad = true;
    snprintf(e->entry.why, sizeof(e->entry.why), "%s",
             what == POST_NOWHERE ? why : "the report is too large to be posted");
    log_end_of(e, LOG_WARN, "tls_report_refused", place->uri, e->entry.why);
    e->turn++;
    choose(e);
}

/* ---- where to ---- */

static bool may_have_it(const struct errand *e, size_t i)
{
    return !e->places[i].paused && (e->entry.failed >> i & 1) == 0;
}

/* Nobody has taken it in this round. */
static void end_round(struct errand *e)
{
    char why[sizeof(e->entry.why)];
    bool some = false;
    for (size_t i = 0; i < e->place_count; i++)
        some = some || may_have_it(e, i);
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
    while (e->turn < e->place_count && !may_have_it(e, e->turn))
        e->turn++;
    e->stage = CHOOSING;
    if (e->turn == e->place_count)
        end_round(e);
    else if (e->places[e->turn].mailbox[0])
        queue_mail(e);
    else
        try_post(e);
}

/* ---- what was counted ---- */

static bool run_read(struct database *db, void *context, struct err *err)
{
    struct errand *e = context;
    bool ok = database_tenant_of(db, e->sign, e->tenant, err) &&
              database_tlsrpt_counts(db, e->entry.day, e->entry.domain, e->counts, err);
    for (size_t i = 0; ok && i < e->place_count; i++) {
        const struct tlsrpt_place place = place_of(e, i);
        ok = database_tlsrpt_paused(db, &place, clock_now_ms(), &e->places[i].paused, err);
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
    e->entry.ok = (int64_t)tlsrpt_gather_ok(e->counts);
    e->entry.bad = (int64_t)tlsrpt_gather_failed(e->counts);
    e->entry.first_ms = e->entry.first_ms > 0 ? e->entry.first_ms : clock_now_ms();
    if (e->entry.ok + e->entry.bad == 0)
        drop(e, "nothing was counted");
    else if (e->entry.bad == 0 && !e->owner->config->tlsrpt.success_reports)
        drop(e, "no session failed, and tlsrpt.success_reports is off");
    else
        choose(e);
}

static void read_counts(struct errand *e)
{
    struct store_change *change = store_change_new(run_read, e);
    change->reads = true;
    e->counts = tlsrpt_gather_new();
    e->stage = READING;
    store_call(&e->owner->calls, &change->job, on_read, e);
}

/* ---- who wants it ---- */

static void note_places(struct errand *e, const struct tlsrpt_record *record)
{
    for (size_t i = 0; i < record->count; i++) {
        struct place *place = &e->places[e->place_count];
        const struct tlsrpt_rua *rua = &record->rua[i];
        *place = (struct place){.bad = false};
        if (span_copy(rua->uri, place->uri, sizeof(place->uri)) &&
            (!rua->address[0] || tlsrpt_rua_mailbox(rua, place->mailbox)))
            e->place_count++;
    }
}

static void ask(struct errand *e)
{
    char name[DNS_NAME_MAX + 16];
    struct tlsrpt_record record;
    snprintf(name, sizeof(name), "_smtp._tls.%s", e->entry.domain);
    const struct dns *dns = e->owner->dns;
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
    if (e->place_count > 0) {
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
    else if (e->stage == ASKING || e->stage == CHOOSING)
        end(e);
}

void errand_free(struct errand *e)
{
    tlsrpt_gather_free(e->counts);
    free(e);
}
