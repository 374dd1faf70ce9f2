// SPDX-License-Identifier: BSD-2-Clause
/* alerter.c - One timer, and one errand at a time. */
#include "alerter.h"

#include "audit.h"
#include "clock.h"
#include "errand.h"
#include "log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 1000, ROWS = 100, TRIES = 8, FIRST_WAIT_MS = 5 * 1000 };

struct alerter {
    uv_loop_t *loop;
    uv_timer_t timer;
    int helper;
    const struct config *config;
    struct store *store;
    struct database *reader;
    struct errand *errand;
    int64_t told, written; /* rows of the trail: done with; known to be done with by the store */
    /* The one that is being told. */
    int64_t seq;
    char kind[64];
    char *text; /* JSON; NULL: none */
    bool to_webhook;
    unsigned tries;
    int64_t next_ms;
    bool closing;
};

/* ---- what has been told ---- */

static bool write_told(struct database *db, void *context, struct err *err)
{
    return database_set_alerted(db, *(const int64_t *)context, err);
}

static void on_written(struct store_job *job)
{
    free(job->context);
    store_job_free(job);
}

static void write_down(struct alerter *a)
{
    struct store_job *job = store_job_new(on_written, NULL);
    int64_t *seq = xcalloc(1, sizeof(*seq));
    *seq = a->written = a->told;
    job->run = write_told;
    job->context = seq;
    store_put(a->store, job);
}

/* ---- telling ---- */

static void done_with_it(struct alerter *a)
{
    a->told = a->seq;
    free(a->text);
    a->text = NULL;
    write_down(a);
}

static void next_target(struct alerter *a)
{
    a->tries = 0;
    a->next_ms = 0;
    if (!a->to_webhook && a->config->alert_webhook[0])
        a->to_webhook = true;
    else
        done_with_it(a);
}

static void on_told(void *context, const char *why)
{
    struct alerter *a = context;
    a->errand = NULL;
    if (a->closing)
        return; /* it is told again by the next one */
    if (!why) {
        log_end(log_text(log_text(log_begin(LOG_INFO, "alerted"), "what", a->kind), "to",
                         a->to_webhook ? "webhook" : "command"));
        next_target(a);
        return;
    }
    bool last = ++a->tries == TRIES;
    log_end(log_text(
        log_text(log_text(log_begin(last ? LOG_ERROR : LOG_WARN, "alert_failed"), "what", a->kind),
                 "to", a->to_webhook ? "webhook" : "command"),
        "reply", why));
    a->next_ms = clock_steady_ms() + ((int64_t)FIRST_WAIT_MS << (a->tries - 1));
    if (last)
        next_target(a);
}

static void tell(struct alerter *a)
{
    struct buf input;
    if (!a->to_webhook && !a->config->alert_command[0]) {
        next_target(a);
        return;
    }
    buf_init(&input, 64 * 1024);
    buf_add(&input, span_of(a->text));
    a->errand = errand_start(a->loop, a->helper, a->to_webhook ? HELPER_WEBHOOK : HELPER_COMMAND,
                             a->to_webhook ? "" : a->kind, &input, on_told, a);
}

/* ---- the trail ---- */

/* As JSON, which is UTF-8; what is none (of a peer, or cut) is shown with question marks. */
static json_t *as_json(const char *value)
{
    char plain[1400];
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
static char *describe(const struct alerter *a, const struct audit_row *row, const char *kind)
{
    char text[1400];
    snprintf(text, sizeof(text), "%s: %s: %s (%s)", a->config->hostname, row->what, row->about,
             row->who);
    json_t *made = json_pack(
        "{s:s, s:I, s:I, s:s, s:s, s:o, s:o, s:o}", "relay", a->config->hostname, "number",
        (json_int_t)row->seq, "at", (json_int_t)row->at_ms, "alert", kind, "what", row->what, "who",
        as_json(row->who), "about", as_json(row->about), "text", as_json(text));
    char *line = made ? json_dumps(made, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(made);
    return line;
}

static void on_row(void *context, const struct audit_row *row)
{
    struct alerter *a = context;
    enum alert_kind kind = alert_kind_of(span_of(row->what));
    if (a->text)
        return; /* one at a time */
    if (a->config->alert_on & 1U << kind)
        a->text = describe(a, row, alert_name(kind));
    if (!a->text) {
        a->told = row->seq;
        return;
    }
    a->seq = row->seq;
    a->to_webhook = false;
    a->tries = 0;
    a->next_ms = 0;
    snprintf(a->kind, sizeof(a->kind), "%s", alert_name(kind));
}

static void on_tick(uv_timer_t *timer)
{
    struct alerter *a = timer->data;
    struct err err = {0};
    if (a->errand)
        return;
    if (!a->text && !database_audit_rows(a->reader, a->told, ROWS, on_row, a, &err))
        log_event(LOG_ERROR, "alert_failed", "reply", err.text);
    if (a->text && clock_steady_ms() >= a->next_ms)
        tell(a);
    else if (!a->text && a->told - a->written >= ROWS) /* much that nobody wanted to hear */
        write_down(a);
}

void alerter_change_config(struct alerter *a, const struct config *config)
{
    a->config = config;
}

bool alerter_new(uv_loop_t *loop, int helper, const struct config *config, struct store *store,
                 struct alerter **alerter_r, struct err *err)
{
    struct alerter *a = xcalloc(1, sizeof(*a));
    a->loop = loop;
    a->helper = helper;
    a->config = config;
    a->store = store;
    uv_timer_init(loop, &a->timer);
    a->timer.data = a;
    *alerter_r = a;
    if (!database_open(config->state_dir, DATABASE_READ, &a->reader, err) ||
        !database_alerted(a->reader, &a->written, err))
        return false;
    a->told = a->written;
    if (a->told < 0) { /* for the first time: what was before is history */
        if (!database_audit_last(a->reader, &a->told, err))
            return false;
        write_down(a);
    }
    uv_timer_start(&a->timer, on_tick, TICK_MS, TICK_MS);
    return true;
}

void alerter_close(struct alerter *a)
{
    a->closing = true;
    if (a->errand)
        errand_kill(a->errand);
    uv_close((uv_handle_t *)&a->timer, NULL);
}

void alerter_free(struct alerter *a)
{
    if (!a)
        return;
    database_close(a->reader);
    free(a->text);
    free(a);
}
