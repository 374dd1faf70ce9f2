// SPDX-License-Identifier: BSD-2-Clause
/* return_reading.c - On libuv's pool the message is read and judged, as it may take some
 * milliseconds: one of a shard's at a time, as logins and large copies need the pool, too. The
 * store's transaction finds whose it is, and notes what follows.
 *
 *   start - (waits for its turn) - read on the pool - (store) - done */
#include "return_reading.h"

#include "config_sources.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct return_reading {
    struct return_waiting waiting;
    uv_work_t work;
    struct return_sessions *home;
    struct worker *worker;
    struct settings *settings; /* held */
    struct return_target target;
    struct buf message;
    bool read; /* it could be, and means something for somebody: */
    bool known;
    struct came_back came_back;
    const char *ips[ALIGNMENT_IPS_MAX]; /* that its tenant's mail leaves from */
    return_reading_on_done *done;
    void *context;
};

/* ---- on the pool ---- */

/* What came to the address for complaints says by the message in it whose it is: by the address
 * that we have made for it, at this domain. */
static bool open_inner(struct return_reading *r, const struct returns_reading *reading)
{
    struct span domain = span_of(reading->return_path);
    span_take(&domain, '@');
    span_put(span_of(reading->return_path), r->target.address, sizeof(r->target.address));
    return reading->kind == RETURNS_ARF && span_equal_nocase(domain, span_of(r->target.domain)) &&
           returns_token_open(r->target.keys, span_of(reading->return_path), &r->target.subject);
}

static void on_pool(uv_work_t *work)
{
    struct return_reading *r = work->data;
    struct returns_reading *reading = calloc(1, sizeof(*reading));
    bool whole = !r->message.starved;
    if (reading && whole && returns_read(buf_span(&r->message), r->target.sender, reading)) {
        r->read = true;
        r->known = !r->target.of_complaints || open_inner(r, reading);
        returns_claims_make(reading, &r->came_back.claims);
    }
    free(reading);
}

/* ---- on the worker ---- */

/* Frees it. */
static void end(struct return_reading *r, const struct return_answer *a)
{
    struct worker *w = r->worker;
    r->done(r->context, a);
    settings_drop(r->settings);
    buf_fini(&r->message);
    free(r);
    worker_end(w);
}

static void log_noted(const struct came_back *c)
{
    struct log_line *line =
        log_text(log_id(log_begin(LOG_INFO, returns_event_name(c->event)), c->subject.message),
                 "rcpt", c->recipient);
    log_end(c->category[0] ? log_text(line, "category", c->category) : line);
}

static void on_stored(void *context, struct store_job *job)
{
    struct return_reading *r = context;
    const struct store_change *change = OWNER_OF(job, struct store_change, job);
    struct return_answer a = {RETURN_TAKEN};
    if (change->result != STORE_CHANGED) {
        log_event(LOG_ERROR, "store_failed", "reply", job->err.text);
        a.what = RETURN_NOT_WRITTEN;
    } else if (r->came_back.result == CAME_BACK_UNKNOWN) {
        a.what = r->target.of_complaints ? RETURN_OLD : RETURN_UNKNOWN;
    } else if (r->came_back.result == CAME_BACK_NOTED) {
        log_noted(&r->came_back);
    }
    store_job_free(job);
    end(r, &a);
}

/* The event that it will be, mostly: of several recipients the first one's. */
static const char *tells(const struct returns_claims *claims)
{
    enum returns_event event = claims->count > 0 ? claims->list[0].event : claims->event;
    return returns_event_name(event);
}

static void write_down(struct return_reading *r)
{
    const struct config *c = r->settings->config;
    struct came_back *b = &r->came_back;
    b->subject = r->target.subject;
    memcpy(b->sender, r->target.address, sizeof(b->sender));
    b->hostname = config_tenant_helo(c, r->target.tenant);
    b->ips = r->ips;
    b->ip_count = config_tenant_ips(c, r->target.tenant, r->ips);
    b->suppress_days = c->suppress_days;
    struct store_change *change = store_change_new(database_came_back, b);
    change->reads = change->repeatable = true;
    change->tells = tells(&b->claims);
    memcpy(change->tenant, r->target.tenant, sizeof(change->tenant));
    worker_ask_store_by(r->worker, r->settings, &change->job, on_stored, r);
}

/* What was read is answered, or written down. */
static void go_on(struct return_reading *r)
{
    const struct returns_claims *claims = &r->came_back.claims;
    struct return_answer a = {RETURN_DROPPED};
    if (!r->read)
        a.what = RETURN_NOT_WRITTEN;
    else if (claims->personal)
        a.what = RETURN_PERSONAL;
    else if (r->known && (claims->event != RETURNS_EVENT_NOTHING || claims->count > 0)) {
        write_down(r);
        return;
    }
    end(r, &a);
}

static void read_next(struct return_sessions *home);

static void on_read(uv_work_t *work, int status)
{
    struct return_reading *r = work->data;
    CHECK(status == 0); /* nobody cancels */
    r->home->line.busy = false;
    read_next(r->home);
    go_on(r);
}

static void read_next(struct return_sessions *home)
{
    struct return_waiting *w = home->line.busy ? NULL : return_line_take(&home->line);
    if (!w)
        return;
    home->line.busy = true;
    CHECK(uv_queue_work(&home->worker->loop, &OWNER_OF(w, struct return_reading, waiting)->work,
                        on_pool, on_read) == 0);
}

void return_reading_start(struct return_sessions *home, struct settings *settings,
                          const struct return_target *target, const char *peer, struct buf *message,
                          return_reading_on_done *done, void *context)
{
    struct return_reading *r = xcalloc(1, sizeof(*r));
    r->home = home;
    r->worker = home->worker;
    r->settings = settings_hold(settings);
    r->target = *target;
    buf_move(&r->message, message);
    r->done = done;
    r->context = context;
    r->work.data = r;
    worker_begin(r->worker);
    return_line_add(&home->line, &r->waiting, peer);
    read_next(home);
}

void return_reading_drop_line(struct return_sessions *home)
{
    struct return_waiting *w;
    while ((w = return_line_take(&home->line)))
        end(OWNER_OF(w, struct return_reading, waiting),
            &(struct return_answer){RETURN_NOT_WRITTEN});
}
