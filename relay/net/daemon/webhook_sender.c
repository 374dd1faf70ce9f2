// SPDX-License-Identifier: BSD-2-Clause
/* webhook_sender.c - The outbox on one side, the fetcher on the other, and between them the machine
 * that says what is next.
 *
 *   news, a second is over, or answers - step (store) - rows - post (fetcher) - answer - step …
 *
 * A step is one job of the store's: it writes down what came of the last posts, and reads what is
 * due and which endpoints there are. One is under way at most, so what is read never is what has
 * just been sent. While there is no endpoint nothing is asked but whether there is news.
 *
 * Failure modes: the relay ends between an answer and its commit (the event is sent again, under
 * the same id); the store cannot write (the same answers are written down later, and nothing new is
 * read); the fetcher is away (nothing counts as an attempt).
 */
#include "webhook_sender.h"

#include "clock.h"
#include "fetcher.h"
#include "log.h"
#include "secret.h"
#include "store_call.h"
#include "webhook_body.h"
#include "webhook_post.h"
#include "webhook_queue.h"
#include "webhooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    TICK_MS = 100,
    IDLE_MS = 1000, /* while there are no endpoints, and between two looks without news */
    SOON_MS = 10    /* answers that come together are written down together */
};

/* What came of one post, to be written down. */
struct outcome {
    struct outbox_result result;
    struct webhook_item *item;
    struct webhook_news news;
    char why[WEBHOOK_REPLY_MAX]; /* "" it was taken */
};

/* An endpoint, as it was read. */
struct known {
    struct webhook webhook;
    bool more; /* there are rows that have not been read */
};

struct want {
    int64_t webhook;
    unsigned limit, got;
};

/* On the store's thread while it is under way. */
struct step {
    bool looks; /* at the endpoints, too */
    struct outcome *outcomes;
    struct want *wants;
    struct webhook *endpoints;
    struct webhook_item *rows;
    size_t outcome_count, want_count, endpoint_count, row_count;
    size_t reading; /* the want whose rows are being read */
};

struct post {
    struct webhook_sender *sender;
    struct webhook_item *item;
    struct fetch *fetch;
    struct post *prev, *next; /* list */
};

struct webhook_sender {
    uv_loop_t *loop;
    uv_timer_t tick, soon;
    const struct companions *companions;
    const struct config *config;
    struct store_calls calls;
    struct webhook_queue *queue;
    struct known *known;
    size_t known_count;
    struct outcome *outcomes;
    size_t outcome_count;
    struct post *posts; /* list */
    struct step *step;  /* NULL: none is under way */
    uint64_t seen;      /* of the news */
    bool changed;       /* there was news since the last step */
    int64_t look_ms;    /* when the outbox is looked at without news; steady clock */
    int64_t held_ms;    /* no step before that: the last one failed */
    bool closing;
};

/* ---- a step, on the store's thread ---- */

static void clear_read(struct step *t)
{
    secret_clear(t->endpoints, t->endpoint_count * sizeof(*t->endpoints));
    for (size_t i = 0; i < t->row_count; i++)
        free(t->rows[i].body);
    t->row_count = t->endpoint_count = 0;
}

static void free_step(void *context)
{
    struct step *t = context;
    clear_read(t);
    free(t->endpoints);
    free(t->rows);
    free(t->outcomes);
    free(t->wants);
    free(t);
}

static void note_endpoint(void *context, const struct webhook *w)
{
    struct step *t = context;
    t->endpoints = xgrow(t->endpoints, t->endpoint_count + 1, sizeof(*t->endpoints));
    t->endpoints[t->endpoint_count++] = *w;
}

static void note_row(void *context, const struct outbox_row *row)
{
    struct step *t = context;
    t->rows = xgrow(t->rows, t->row_count + 1, sizeof(*t->rows));
    t->rows[t->row_count++] = (struct webhook_item){.id = row->id,
                                                    .webhook = row->webhook,
                                                    .event = row->event,
                                                    .at_ms = row->at_ms,
                                                    .tries = row->tries,
                                                    .body = xstrdup(row->body)};
    t->wants[t->reading].got++;
}

static const char *why_over(const struct outcome *o, char *text_r, size_t size)
{
    if (o->news.next.end == WEBHOOK_GONE)
        return "410: the endpoint wants nothing more";
    snprintf(text_r, size, "it has failed for 5 days, the last time with: %.150s", o->why);
    return text_r;
}

static bool write_outcome(struct database *db, const struct outcome *o, int64_t now_ms,
                          struct err *err)
{
    char text[WEBHOOK_REPLY_MAX];
    int64_t id = o->result.webhook;
    return database_outbox_settle(db, &o->result, err) &&
           (!(o->news.changed || o->why[0]) ||
            database_webhook_failing(db, id, o->news.failing_ms, o->why, err)) &&
           (!o->news.recovered || database_outbox_recover(db, id, now_ms, err)) &&
           (!o->news.over ||
            database_webhook_give_up(db, id, why_over(o, text, sizeof(text)), err));
}

static bool run_step(struct database *db, void *context, struct err *err)
{
    struct step *t = context;
    int64_t now_ms = clock_now_ms();
    bool ok = true;
    clear_read(t); /* it may be run anew */
    for (size_t i = 0; ok && i < t->outcome_count; i++)
        ok = write_outcome(db, &t->outcomes[i], now_ms, err);
    ok = ok && (!t->looks || database_webhooks(db, note_endpoint, t, err));
    for (t->reading = 0; ok && t->reading < t->want_count; t->reading++) {
        struct want *w = &t->wants[t->reading];
        w->got = 0;
        ok = database_outbox_due(db, w->webhook, now_ms, w->limit, note_row, t, err);
    }
    return ok;
}

/* ---- posts ---- */

static const struct webhook *find_known(const struct webhook_sender *s, int64_t id)
{
    for (size_t i = 0; i < s->known_count; i++)
        if (s->known[i].webhook.id == id)
            return &s->known[i].webhook;
    return NULL;
}

static void tell_log(const struct webhook_item *item, const struct webhook_answer *a,
                     const struct webhook_news *news, const char *why)
{
    char about[80];
    if (news->next.end == WEBHOOK_TAKEN)
        why = NULL; /* what it says beside that does not matter */
    const char *word = !why                                 ? "webhook_sent"
                       : news->next.end == WEBHOOK_GIVEN_UP ? "webhook_given_up"
                                                            : "webhook_failed";
    enum log_level level = why && a->how != WEBHOOK_NOT_ASKED ? LOG_WARN : LOG_DEBUG;
    snprintf(about, sizeof(about), "webhook %lld", (long long)item->webhook);
    struct log_line *line = log_text(log_begin(level, word), "what", about);
    line = log_number(line, "tries", news->next.tries);
    log_end(log_text(line, "reply", why ? why : "taken"));
}

static void send_ready(struct webhook_sender *s);
static void step_soon(struct webhook_sender *s);

/* What follows is written down by the next step. */
static void settle(struct webhook_sender *s, struct webhook_item *item,
                   const struct webhook_answer *a, const char *why)
{
    uint32_t chance = 0;
    int64_t now_ms = clock_now_ms();
    secret_random(&chance, sizeof(chance));
    struct webhook_news news =
        webhook_queue_answered(s->queue, item, a, chance, clock_steady_ms(), now_ms);
    tell_log(item, a, &news, why);
    s->outcomes = xgrow(s->outcomes, s->outcome_count + 1, sizeof(*s->outcomes));
    struct outcome *o = &s->outcomes[s->outcome_count++];
    *o = (struct outcome){
        .result = {.id = item->id,
                   .webhook = item->webhook,
                   .event = item->event,
                   .again = news.next.end == WEBHOOK_AGAIN || news.next.end == WEBHOOK_GONE,
                   .lost = news.next.end == WEBHOOK_GIVEN_UP,
                   .due_ms = now_ms + news.next.wait_ms,
                   .tries = news.next.tries,
                   .unreached = a->how == WEBHOOK_UNREACHED},
        .item = item,
        .news = news};
    if (why && news.next.end != WEBHOOK_TAKEN && a->how != WEBHOOK_NOT_ASKED)
        snprintf(o->why, sizeof(o->why), "%s", why);
    step_soon(s);
}

static void on_posted(void *context, const struct fetch_result *result)
{
    struct post *p = context;
    struct webhook_sender *s = p->sender;
    struct webhook_item *item = p->item;
    const struct webhook_answer a = webhook_post_answer(result);
    DL_DELETE(s->posts, p);
    free(p);
    if (s->closing)
        return; /* it is sent again by the next relay */
    settle(s, item, &a, result->why);
    send_ready(s);
}

static void post(struct webhook_sender *s, struct webhook_item *item)
{
    static const struct webhook_answer unasked = {.how = WEBHOOK_NOT_ASKED};
    char id[WEBHOOK_ID_TEXT];
    struct fetch_order order;
    struct buf body;
    const struct webhook *w = find_known(s, item->webhook);
    webhook_body_id(item->at_ms, item->event, id);
    if (!w || !webhook_post_order(s->config, w, id, span_of(item->body), clock_now_ms(), &order)) {
        settle(s, item, &unasked, "the endpoint's secret cannot be read");
        return;
    }
    struct post *p = xcalloc(1, sizeof(*p));
    p->sender = s;
    p->item = item;
    buf_init(&body, WEBHOOK_BODY_MAX);
    buf_add(&body, span_of(item->body));
    DL_APPEND(s->posts, p);
    p->fetch = fetch_start(s->loop, s->companions->fetcher, &order, &body, on_posted, p);
}

static void send_ready(struct webhook_sender *s)
{
    struct webhook_item *item;
    while ((item = webhook_queue_next(s->queue, clock_steady_ms())))
        post(s, item);
}

/* ---- a step, on the loop ---- */

static bool has_more(const struct webhook_sender *s, int64_t id)
{
    for (size_t i = 0; i < s->known_count; i++)
        if (s->known[i].webhook.id == id)
            return s->known[i].more;
    return true;
}

static void note_wants(struct webhook_sender *s, struct step *t)
{
    const struct webhook_endpoint *p = NULL;
    t->wants = xcalloc(webhook_queue_count(s->queue) + 1, sizeof(*t->wants));
    while ((p = webhook_queue_each(s->queue, p))) {
        unsigned limit = webhook_queue_wants(p, clock_steady_ms());
        if (limit > 0 && (t->looks || has_more(s, webhook_queue_id(p))))
            t->wants[t->want_count++] = (struct want){webhook_queue_id(p), limit, 0};
    }
}

/* As it was written down. */
static int64_t failed_ms(const struct webhook *w, int64_t now_ms)
{
    int64_t for_ms = now_ms - w->failing_ms;
    return w->failing_ms == 0 ? -1 : for_ms > 0 ? for_ms : 0;
}

/* The endpoints as they are now. */
static void take_endpoints(struct webhook_sender *s, struct step *t)
{
    struct known *known = xcalloc(t->endpoint_count + 1, sizeof(*known));
    int64_t now_ms = clock_now_ms();
    webhook_queue_begin(s->queue);
    for (size_t i = 0; i < t->endpoint_count; i++) {
        const struct webhook *w = &t->endpoints[i];
        known[i] = (struct known){*w, has_more(s, w->id)};
        if (!w->disabled[0])
            webhook_queue_put(s->queue, w->id, w->tenant, failed_ms(w, now_ms));
    }
    webhook_queue_end(s->queue);
    secret_clear(s->known, s->known_count * sizeof(*s->known));
    free(s->known);
    if (t->endpoint_count != s->known_count)
        s->look_ms = 0; /* what waits for new ones has not been read */
    s->known = known;
    s->known_count = t->endpoint_count;
}

static void note_more(struct webhook_sender *s, const struct want *w)
{
    for (size_t i = 0; i < s->known_count; i++)
        if (s->known[i].webhook.id == w->webhook)
            s->known[i].more = w->got == w->limit;
}

static void take_results(struct webhook_sender *s, struct step *t)
{
    bool recovered = false;
    for (size_t i = 0; i < t->outcome_count; i++) {
        recovered = recovered || t->outcomes[i].news.recovered;
        webhook_queue_done(s->queue, t->outcomes[i].item);
    }
    if (t->looks)
        take_endpoints(s, t);
    for (size_t i = 0; i < t->want_count; i++)
        note_more(s, &t->wants[i]);
    for (size_t i = 0; i < t->row_count; i++)
        webhook_queue_add(s->queue, &t->rows[i]);
    if (recovered)
        s->look_ms = 0;
}

/* The answers are written down later, with those that come meanwhile. */
static void put_back(struct webhook_sender *s, struct step *t)
{
    s->outcomes = xgrow(s->outcomes, s->outcome_count + t->outcome_count + 1, sizeof(*s->outcomes));
    if (t->outcome_count > 0)
        memcpy(s->outcomes + s->outcome_count, t->outcomes,
               t->outcome_count * sizeof(*t->outcomes));
    s->outcome_count += t->outcome_count;
    s->changed = s->changed || t->looks;
    s->held_ms = clock_steady_ms() + IDLE_MS;
}

static void on_stepped(void *context, struct store_job *job)
{
    struct webhook_sender *s = context;
    const struct store_change *change = OWNER_OF(job, struct store_change, job);
    struct step *t = s->step;
    s->step = NULL;
    if (!s->closing && change->result == STORE_CHANGED)
        take_results(s, t);
    else if (!s->closing)
        put_back(s, t);
    store_job_free(job);
    if (s->closing)
        return;
    send_ready(s);
    if (s->outcome_count > 0)
        step_soon(s);
}

static struct store_change *new_step(struct webhook_sender *s)
{
    struct step *t = xcalloc(1, sizeof(*t));
    struct store_change *change = store_change_new(run_step, t);
    t->outcomes = s->outcomes;
    t->outcome_count = s->outcome_count;
    s->outcomes = NULL;
    s->outcome_count = 0;
    change->forget = free_step;
    change->repeatable = true;
    change->reads = true; /* nothing of mail: no delivery has to read its rows again */
    s->step = t;
    return change;
}

static void step(struct webhook_sender *s)
{
    int64_t now_ms = clock_steady_ms();
    bool looks = s->changed || now_ms >= s->look_ms;
    if (s->step || s->held_ms > now_ms || (!looks && s->outcome_count == 0))
        return;
    struct store_change *change = new_step(s);
    s->step->looks = looks;
    s->changed = false;
    if (looks)
        s->look_ms = s->known_count > 0 ? now_ms + IDLE_MS : INT64_MAX;
    note_wants(s, s->step);
    store_call(&s->calls, &change->job, on_stepped, s);
}

static void on_soon(uv_timer_t *timer)
{
    step(timer->data);
}

static void step_soon(struct webhook_sender *s)
{
    if (!uv_is_active((uv_handle_t *)&s->soon))
        uv_timer_start(&s->soon, on_soon, SOON_MS, 0);
}

static void on_tick(uv_timer_t *timer)
{
    struct webhook_sender *s = timer->data;
    uint64_t news = store_outbox_news(s->calls.store);
    s->changed = s->changed || news != s->seen;
    s->seen = news;
    step(s);
    send_ready(s);
    uv_timer_set_repeat(&s->tick, s->known_count > 0 ? TICK_MS : IDLE_MS);
}

/* ---- the whole ---- */

void webhook_sender_change_config(struct webhook_sender *s, const struct config *config)
{
    s->config = config;
    database_limit_outbox((uint64_t)config->webhooks_kept_mb << 20, config_room(config).outbox);
}

struct webhook_sender *webhook_sender_new(uv_loop_t *loop, const struct companions *companions,
                                          const struct config *config, struct store *store)
{
    struct webhook_sender *s = xcalloc(1, sizeof(*s));
    s->loop = loop;
    s->companions = companions;
    s->calls.store = store;
    s->queue = webhook_queue_new(WEBHOOK_SENDER_MOST);
    webhook_sender_change_config(s, config);
    inbox_init(&s->calls.inbox, loop);
    uv_timer_init(loop, &s->tick);
    uv_timer_init(loop, &s->soon);
    s->tick.data = s->soon.data = s;
    uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
    return s;
}

/* What has been answered is not sent again, as far as the store comes to it. */
void webhook_sender_close(struct webhook_sender *s)
{
    struct post *p;
    struct post *next;
    if (!s)
        return;
    s->closing = true;
    DL_FOREACH_SAFE (s->posts, p, next)
        fetch_kill(p->fetch);
    if (s->outcome_count > 0)
        store_put(s->calls.store, &new_step(s)->job);
    uv_close((uv_handle_t *)&s->tick, NULL);
    uv_close((uv_handle_t *)&s->soon, NULL);
    inbox_close(&s->calls.inbox);
}

void webhook_sender_free(struct webhook_sender *s)
{
    if (!s)
        return;
    webhook_queue_free(s->queue);
    secret_clear(s->known, s->known_count * sizeof(*s->known));
    free(s->known);
    free(s->outcomes);
    free(s);
}
