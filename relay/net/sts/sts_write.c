// SPDX-License-Identifier: BSD-2-Clause
/* sts_write.c - What is kept over restarts: written by the store's thread, read at the start.
 *
 * Failure mode: the store cannot write: the log says so; a policy counts all the same, until the
 * relay ends.
 */
#include "sts_parts.h"

#include "clock.h"
#include "log.h"
#include "sts_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 100 * 1000 };

/* ---- writing ---- */

static bool write_row(struct database *db, void *context, struct err *err)
{
    const struct sts_write *w = context;
    const struct sts_row row = {
        .domain = w->domain, .tenant = w->tenant, .kept = &w->kept, .raw = buf_span(&w->raw)};
    switch (w->what) {
    case STS_WRITE_ALL:
        return database_sts_put(db, &row, err);
    case STS_WRITE_FAILURE:
        return database_sts_failed(db, &row, err);
    case STS_WRITE_USE:
        return database_sts_used(db, &row, err);
    case STS_WRITE_DROP:
        if (database_sts_drop(db, w->domain, err) || err->kind != ERR_NOT_FOUND)
            return err->kind == ERR_NONE;
        *err = (struct err){0}; /* a command was faster */
        return true;
    }
    UNREACHABLE();
}

static void free_write(struct sts_write *w)
{
    mta_sts_kept_fini(&w->kept);
    buf_fini(&w->raw);
    store_job_free(w->job);
    free(w);
}

static void on_done(struct inbox_item *item)
{
    struct sts_write *w = OWNER_OF(item, struct sts_write, item);
    const struct store_change *change = OWNER_OF(w->job, struct store_change, job);
    if (change->result != STORE_CHANGED && change->result != STORE_UNCHANGED)
        log_end(log_text(log_text(log_begin(LOG_ERROR, "sts_unrecorded"), "domain", w->domain),
                         "reply", w->job->err.text));
    if (w->done)
        w->done(w);
    free_write(w);
}

static void on_dropped(struct inbox_item *item)
{
    free_write(OWNER_OF(item, struct sts_write, item));
}

/* On the store's thread. */
static void on_answered(struct store_job *job)
{
    struct sts_write *w = job->owner;
    inbox_post(&w->sts->inbox, &w->item);
}

struct sts_write *sts_write_new(struct sts *s, const struct sts_entry *e, enum sts_write_what what,
                                struct span raw)
{
    struct sts_write *w = xcalloc(1, sizeof(*w));
    w->item.run = on_done;
    w->item.drop = on_dropped;
    w->sts = s;
    w->what = what;
    w->kept = e->kept;
    buf_init(&w->kept.policy.mx, MTA_STS_BODY_MAX);
    if (what == STS_WRITE_ALL)
        buf_add(&w->kept.policy.mx, buf_span(&e->kept.policy.mx));
    buf_init(&w->raw, MTA_STS_BODY_MAX);
    buf_add(&w->raw, raw);
    snprintf(w->domain, sizeof(w->domain), "%s", e->domain);
    snprintf(w->tenant, sizeof(w->tenant), "%s", sts_table_tenant(e));
    return w;
}

void sts_write_put(struct sts_write *w)
{
    struct store_change *change = store_change_new(write_row, w);
    change->repeatable = true;
    change->job.owner = w;
    change->job.answer = on_answered;
    w->job = &change->job;
    store_put(w->sts->store, &change->job);
}

void sts_tell_change(const struct mta_sts *m, const char *domain)
{
    char what[80];
    if (m->change == MTA_STS_STORE) {
        snprintf(what, sizeof(what), "%s id %s", mta_sts_mode_name(m->fetched.mode), m->id);
        log_end(
            log_text(log_text(log_begin(LOG_INFO, "sts_policy"), "domain", domain), "what", what));
    } else if (m->change == MTA_STS_FAILED) {
        struct log_line *line = log_text(log_begin(LOG_WARN, "sts_failed"), "domain", domain);
        line = log_text(line, "tls_result", tls_result_name(m->failure));
        line = log_text(line, "reason", mta_sts_why_name(m->why));
        if (m->why == MTA_STS_WHY_HTTP_STATUS)
            line = log_number(line, "status", m->status);
        line =
            log_text(line, "what",
                     m->policy ? "the policy that is kept counts" : "mail goes without a policy");
        log_end(log_text(line, "detail", m->detail));
    }
}

/* ---- reading ---- */

static void on_row(void *context, const struct sts_row *row)
{
    struct sts *s = context;
    struct sts_entry *e = sts_table_need(&s->table, row->domain, row->tenant);
    struct buf mx = e->kept.policy.mx;
    buf_init(&mx, MTA_STS_BODY_MAX);
    buf_add(&mx, buf_span(&row->kept->policy.mx));
    e->kept = *row->kept;
    e->kept.policy.mx = mx;
    e->written_ms = e->kept.used_ms;
    e->written_shared = strcmp(row->tenant, STS_SEVERAL) == 0;
    sts_table_weigh(e);
    sts_entry_load(e);
}

bool sts_load(struct sts *s, struct err *err)
{
    struct database *db = NULL;
    bool ok = database_open(s->settings->config->state_dir, DATABASE_READ, &db, err) &&
              database_sts_rows(db, "", ROWS_MAX, on_row, s, err);
    database_close(db);
    return ok;
}
