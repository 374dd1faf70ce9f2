// SPDX-License-Identifier: BSD-2-Clause
/* alerts.c - Reads the audit trail, sorts its rows by kind, and sends alerts for each kind
 * separately.
 *
 *   row of the trail -> batch of its kind -> (due) -> alert -> command, then webhook -> told
 *
 * Each kind has its own batch, current alert, program and position in the trail. So many rows of
 * one kind, or an alert that is retried, do not delay alerts of other kinds.
 *
 * Failure modes: the command or webhook fails (retried, then given up for this alert) - the relay
 * stops (the next one continues behind the last row that was told, for each kind).
 */
#include "alerts.h"

#include "audit_reader.h"
#include "clock.h"
#include "fetcher.h"
#include "log.h"
#include "program.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 1000,
    BEHIND_MS = 20, /* until the next rows, while there are more */
    ROWS = 1000,
    TRIES = 8,
    FIRST_WAIT_MS = 5 * 1000,
    TEXT_MAX = 1400,
    WEBHOOK_ANSWER_MAX = 64 * 1024, /* of what is not looked at */
    WEBHOOK_TIMEOUT_S = 20
};

/* What one kind may take. */
struct share {
    struct alerter *alerter;
    enum alert_kind kind;
    struct alert_batch batch;
    json_t *last;          /* its last row, as an alert; NULL: the batch is empty */
    int64_t last_seq;      /* of that row */
    int64_t told, written; /* rows of this kind: done with; known to be done with by the store */
    /* The alert that is being told. */
    char *text; /* JSON; NULL: none */
    int64_t seq;
    struct program *program; /* the command that is being run */
    struct fetch *fetch;     /* or the webhook that is being posted to */
    bool to_webhook;
    unsigned tries;
    int64_t next_ms;
};

struct alerter {
    uv_loop_t *loop;
    uv_timer_t timer;
    const struct companions *companions;
    const struct config *config;
    struct store *store;
    struct audit_reader *trail;
    struct share shares[ALERT_KINDS];
    int64_t read; /* the last row that was looked at */
    int64_t from; /* the same before these rows */
    bool closing;
};

/* ---- what has been told ---- */

static bool write_told(struct database *db, void *context, struct err *err)
{
    const int64_t *told = context;
    for (unsigned i = 0; i < ALERT_KINDS; i++)
        if (told[i] >= 0 && !database_set_alerted(db, alert_name((enum alert_kind)i), told[i], err))
            return false;
    return true;
}

static void write_down(struct alerter *a)
{
    int64_t *told = xcalloc(ALERT_KINDS, sizeof(*told));
    struct store_change *change = store_change_new(write_told, told);
    for (unsigned i = 0; i < ALERT_KINDS; i++) {
        struct share *s = &a->shares[i];
        told[i] = s->told == s->written ? -1 : s->told;
        s->written = s->told;
    }
    change->forget = free;
    change->repeatable = true;
    store_put(a->store, &change->job);
}

/* A kind of which nothing waits is done with all that was looked at. */
static void settle(struct alerter *a)
{
    bool behind = false;
    for (unsigned i = 0; i < ALERT_KINDS; i++) {
        struct share *s = &a->shares[i];
        if (!s->text && s->batch.count == 0 && s->told < a->read)
            s->told = a->read;
        behind = behind || s->told - s->written >= ROWS;
    }
    if (behind)
        write_down(a);
}

/* ---- telling ---- */

static void done_with_it(struct share *s)
{
    s->told = s->seq;
    free(s->text);
    s->text = NULL;
    settle(s->alerter);
    write_down(s->alerter);
}

static void next_target(struct share *s)
{
    s->tries = 0;
    s->next_ms = 0;
    if (!s->to_webhook && s->alerter->config->alert_webhook[0])
        s->to_webhook = true;
    else
        done_with_it(s);
}

static void on_told(struct share *s, const char *why)
{
    const char *name = alert_name(s->kind);
    const char *to = s->to_webhook ? "webhook" : "command";
    if (s->alerter->closing)
        return; /* it is told again by the next one */
    if (!why) {
        log_end(log_text(log_text(log_begin(LOG_INFO, "alerted"), "what", name), "to", to));
        next_target(s);
        return;
    }
    bool last = ++s->tries == TRIES;
    log_end(log_text(
        log_text(log_text(log_begin(last ? LOG_ERROR : LOG_WARN, "alert_failed"), "what", name),
                 "to", to),
        "reply", why));
    s->next_ms = clock_steady_ms() + ((int64_t)FIRST_WAIT_MS << (s->tries - 1));
    if (last)
        next_target(s);
}

static void on_command(void *context, const char *why)
{
    struct share *s = context;
    s->program = NULL;
    on_told(s, why);
}

static void on_webhook(void *context, const struct fetch_result *result)
{
    struct share *s = context;
    s->fetch = NULL;
    on_told(s, result->why);
}

static struct fetch *post(struct share *s, struct buf *body)
{
    const struct alerter *a = s->alerter;
    struct fetch_order order = {.content_type = "application/json",
                                .answer_max = WEBHOOK_ANSWER_MAX,
                                .timeout_s = WEBHOOK_TIMEOUT_S,
                                .clear = true};
    snprintf(order.url, sizeof(order.url), "%s", a->config->alert_webhook);
    snprintf(order.authorities, sizeof(order.authorities), "%s", a->config->ca_file);
    return fetch_start(a->loop, a->companions->fetcher, &order, body, on_webhook, s);
}

static void tell(struct share *s)
{
    const struct alerter *a = s->alerter;
    struct buf input;
    if (!s->to_webhook && !a->config->alert_command[0]) {
        next_target(s);
        return;
    }
    buf_init(&input, 64 * 1024);
    buf_add(&input, span_of(s->text));
    if (s->to_webhook)
        s->fetch = post(s, &input);
    else
        s->program = program_start(a->loop, a->companions->helper, HELPER_COMMAND,
                                   alert_name(s->kind), -1, &input, on_command, s);
}

/* ---- an alert ---- */

/* As JSON, which is UTF-8; what is none (of a peer, or cut) is shown with question marks. */
static json_t *as_json(const char *value)
{
    char plain[TEXT_MAX];
    json_t *made = json_string(value);
    if (made)
        return made;
    snprintf(plain, sizeof(plain), "%s", value);
    for (char *p = plain; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return json_string(plain);
}

/* "text" is what chat programs show. */
static json_t *describe(const struct alerter *a, const struct audit_row *row, enum alert_kind kind)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof(text), "%s: %s: %s%s%s (by %s)", a->config->hostname,
             alert_sentence(kind, span_of(row->what)), kind == ALERT_ADMIN ? row->what : "",
             kind == ALERT_ADMIN ? " " : "", row->about, row->who);
    json_t *made = json_pack(
        "{s:s, s:I, s:I, s:s, s:s, s:o, s:o, s:o}", "relay", a->config->hostname, "number",
        (json_int_t)row->seq, "at", (json_int_t)row->at_ms, "alert", alert_name(kind), "what",
        row->what, "who", as_json(row->who), "about", as_json(row->about), "text", as_json(text));
    CHECK(made != NULL);
    return made;
}

/* The different things that several events are about, or some of them. */
static void add_named(const struct alert_batch *b, struct buf *text)
{
    for (size_t i = 0; b->named_count > 1 && i < b->named_count; i++)
        buf_addf(text, "%s%s%s%s%s", i ? ", " : "; among them: ", b->named[i].about,
                 *b->named[i].whose ? " (mail of tenant " : "", b->named[i].whose,
                 *b->named[i].whose ? ")" : "");
}

/* Several events: the last one, and how many of what there were since when. */
static void summarize(const struct share *s)
{
    const struct alert_batch *b = &s->batch;
    struct buf text;
    json_t *counts = json_object();
    const char *what = json_string_value(json_object_get(s->last, "what"));
    buf_init(&text, 2 * TEXT_MAX);
    buf_addf(&text, "%s: %u alerts \"%s\" (", s->alerter->config->hostname, b->count,
             alert_name(s->kind));
    for (size_t i = 0; i < b->verb_count; i++) {
        buf_addf(&text, "%s%u %s", i ? ", " : "", b->verbs[i].count, b->verbs[i].name);
        json_object_set_new(counts, b->verbs[i].name, json_integer(b->verbs[i].count));
    }
    buf_addf(&text, "), the last: %s: %s %s (by %s)", alert_sentence(s->kind, span_of(what)), what,
             json_string_value(json_object_get(s->last, "about")),
             json_string_value(json_object_get(s->last, "who")));
    add_named(b, &text);
    json_object_set_new(s->last, "since", json_integer((json_int_t)b->first_ms));
    json_object_set_new(s->last, "counts", counts);
    json_object_set_new(s->last, "text", as_json(buf_text(&text)));
    buf_fini(&text);
}

static void begin(struct share *s, int64_t now_ms)
{
    if (s->batch.count > 1)
        summarize(s);
    json_object_set_new(s->last, "count", json_integer(s->batch.count));
    s->text = json_dumps(s->last, JSON_COMPACT | JSON_ENSURE_ASCII);
    CHECK(s->text != NULL);
    json_decref(s->last);
    s->last = NULL;
    s->seq = s->last_seq;
    s->to_webhook = false;
    s->tries = 0;
    s->next_ms = 0;
    alert_batch_take(&s->batch, now_ms, (int64_t)s->alerter->config->alert_interval_s * 1000);
}

/* ---- the trail ---- */

static void on_row(void *context, const struct audit_row *row)
{
    struct alerter *a = context;
    enum alert_kind kind = alert_kind_of(span_of(row->what));
    struct share *s = &a->shares[kind];
    a->read = row->seq;
    if (row->seq <= s->told || !(a->config->alert_on & 1U << kind))
        return;
    json_decref(s->last);
    s->last = describe(a, row, kind);
    s->last_seq = row->seq;
    alert_batch_add(&s->batch, span_of(row->what), span_of(row->about), row->at_ms);
    if (!s->text && alert_batch_due(&s->batch, clock_steady_ms()))
        begin(s, clock_steady_ms());
}

static void on_tick(uv_timer_t *timer);

static void on_rows_read(void *context, const struct err *err)
{
    struct alerter *a = context;
    int64_t now_ms = clock_steady_ms();
    if (err->kind != ERR_NONE)
        log_event(LOG_ERROR, "alert_failed", "reply", err->text);
    for (unsigned i = 0; i < ALERT_KINDS; i++) {
        struct share *s = &a->shares[i];
        if (!s->text && alert_batch_due(&s->batch, now_ms))
            begin(s, now_ms);
        if (s->text && !s->program && !s->fetch && now_ms >= s->next_ms)
            tell(s);
    }
    settle(a);
    uv_timer_start(&a->timer, on_tick, a->read - a->from >= ROWS ? BEHIND_MS : TICK_MS, 0);
}

static void on_tick(uv_timer_t *timer)
{
    struct alerter *a = timer->data;
    a->from = a->read;
    audit_reader_ask(a->trail, a->read, ROWS);
}

void alerter_change_config(struct alerter *a, const struct config *config)
{
    if (a)
        a->config = config;
}

/* Where each kind was left; for the first time, behind all that is there: that is history. */
static bool find_place(struct alerter *a, struct database *db, struct err *err)
{
    int64_t last = 0;
    if (!database_audit_last(db, &last, err))
        return false;
    a->read = last;
    for (unsigned i = 0; i < ALERT_KINDS; i++) {
        struct share *s = &a->shares[i];
        if (!database_alerted(db, alert_name((enum alert_kind)i), &s->written, err))
            return false;
        s->told = s->written < 0 ? last : s->written;
        a->read = s->told < a->read ? s->told : a->read;
    }
    write_down(a);
    return true;
}

bool alerter_new(uv_loop_t *loop, const struct companions *companions, const struct config *config,
                 struct store *store, struct alerter **alerter_r, struct err *err)
{
    struct alerter *a = xcalloc(1, sizeof(*a));
    a->loop = loop;
    a->companions = companions;
    a->config = config;
    a->store = store;
    for (unsigned i = 0; i < ALERT_KINDS; i++) {
        a->shares[i].alerter = a;
        a->shares[i].kind = (enum alert_kind)i;
    }
    uv_timer_init(loop, &a->timer);
    a->timer.data = a;
    a->trail = audit_reader_new(loop, store, on_row, on_rows_read, a);
    *alerter_r = a;
    struct database *db = NULL;
    bool ok = database_open(config->state_dir, DATABASE_READ, &db, err) && find_place(a, db, err);
    database_close(db);
    if (ok)
        uv_timer_start(&a->timer, on_tick, TICK_MS, 0);
    return ok;
}

void alerter_close(struct alerter *a)
{
    if (!a)
        return;
    a->closing = true;
    for (unsigned i = 0; i < ALERT_KINDS; i++) {
        if (a->shares[i].program)
            program_kill(a->shares[i].program);
        if (a->shares[i].fetch)
            fetch_kill(a->shares[i].fetch);
    }
    audit_reader_close(a->trail);
    uv_close((uv_handle_t *)&a->timer, NULL);
}

void alerter_free(struct alerter *a)
{
    if (!a)
        return;
    audit_reader_free(a->trail);
    for (unsigned i = 0; i < ALERT_KINDS; i++) {
        json_decref(a->shares[i].last);
        free(a->shares[i].text);
    }
    free(a);
}
