// SPDX-License-Identifier: BSD-2-Clause
/* composition.c - Two large copies at a time, so that the pool stays free for logins and for mail
 * that arrives: one of security mail and one of other mail, each in tenants' turns. Small ones
 * leave the loop while it has others to serve and a core is free.
 *
 * Happy path: open - make (here; or a signing thread, done; or wait, granted, pool, done) - next,
 * next … - free.
 *
 * Failure modes:
 * - the record has been moved since its row was read: the store's reader is asked where it is now
 * - whoever asked goes away while the reader or the pool works: it is freed when that is done
 */
#include "composition.h"

#include "body_hashes.h"
#include "delivery.h"
#include "log.h"
#include "party_turns.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_WORK_MAX = 2 }; /* of the four threads that libuv's pool has */

struct composition {
    struct inbox_item item; /* to its shard: it is granted a place, or is signed */
    struct signing_job job;
    struct party_turn *turn; /* for a place on the pool */
    uv_work_t work;
    struct deliveries *home;
    struct settings *settings; /* held */
    struct keyring_loan loan;
    enum stream_class class;
    char tenant[sizeof(((struct mail *)0)->tenant)];
    bool lost;                                           /* the record is not where the row says */
    struct err damage;                                   /* what is wrong there */
    struct mail *mail;                                   /* borrowed while it is not abandoned */
    bool busy;                                           /* the shard's own knowledge */
    enum { WAITING, GRANTED, LOOKING, ABANDONED } state; /* while busy; with the mutex of turns */
    void (*done)(void *owner);
    void *owner;

    struct spool_message spool;
    char id[MAIL_ID_TEXT], helo[256], peer[64], protocol[16];
    char from_domain[ADDRESS_DOMAIN_MAX + 1];
    struct buf recipient;
    struct composition_links links;
    struct compose_input in;
    struct compose_output out;
    enum compose_result result;

    /* while it is read */
    enum { HEAD, BODY, END } at;
    struct buf piece;
    struct span left, ready; /* of a chunk of the record; of what it has become */
};

/* The pool is one for all shards. */
static struct {
    pthread_mutex_t mutex;
    struct party_turns *of_pool; /* for as long as the process lives */
} turns = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- open and free ---- */

/* It may have been moved since the row was read: that is found out when the copy is made. */
static bool open_record(struct composition *c, struct err *err)
{
    if (spool_open(c->settings->config->state_dir, c->mail->id, &c->mail->place, &c->spool, err))
        return true;
    c->lost = err->kind == ERR_DAMAGED;
    c->damage = *err;
    return c->lost;
}

static void rewind_body(void *context)
{
    spool_rewind(context);
}

bool composition_open(struct deliveries *home, struct settings *settings, struct mail *mail,
                      struct composition **composition_r, struct err *err)
{
    struct composition *c = xcalloc(1, sizeof(*c));
    *composition_r = c;
    c->home = home;
    c->settings = settings_hold(settings);
    c->work.data = c;
    c->spool.fd = -1;
    c->class = mail->class;
    span_put(span_of(mail->tenant), c->tenant, sizeof(c->tenant));
    c->mail = mail;
    buf_init(&c->recipient, 4 * ADDRESS_MAX);
    buf_init(&c->links.url, 2048);
    buf_init(&c->links.feedback_id, 512);
    buf_init_peer(&c->piece, COMPOSE_CONVERTED_MAX);
    mail_id_print(mail->id, c->id);
    span_put(span_of(mail->helo), c->helo, sizeof(c->helo));
    span_put(span_of(mail->peer), c->peer, sizeof(c->peer));
    span_put(span_of(mail->protocol), c->protocol, sizeof(c->protocol));
    span_put(span_of(mail->from_domain), c->from_domain, sizeof(c->from_domain));
    c->in = (struct compose_input){.read_body = spool_next,
                                   .rewind_body = rewind_body,
                                   .context = &c->spool,
                                   .header_has_utf8 = mail->header_utf8,
                                   .body_has_8bit = mail->body_8bit,
                                   .created_ms = mail->created_ms,
                                   .hostname = settings->config->hostname,
                                   .trace_client = settings->config->trace_client,
                                   .id = c->id,
                                   .helo = span_of(c->helo),
                                   .peer = span_of(c->peer),
                                   .protocol = span_of(c->protocol),
                                   .domain = c->from_domain};
    return open_record(c, err);
}

static void free_all(struct composition *c)
{
    compose_fini(&c->out);
    spool_close(&c->spool);
    buf_fini(&c->recipient);
    buf_fini(&c->links.url);
    buf_fini(&c->links.feedback_id);
    buf_fini(&c->piece);
    settings_drop(c->settings);
    free(c);
}

/* It needs its keys no more. */
static void give_back(struct composition *c)
{
    keyring_return(c->home->shared->keyring, &c->loan);
    c->in.keys = NULL;
}

/* Does it go before its turn came? Whoever has a place is freed when that is over. */
static bool withdraw(struct composition *c)
{
    pthread_mutex_lock(&turns.mutex);
    bool waits = c->state == WAITING;
    if (waits)
        party_turns_end(turns.of_pool, c->turn);
    else
        c->state = ABANDONED;
    pthread_mutex_unlock(&turns.mutex);
    return waits;
}

void composition_free(struct composition *c)
{
    if (!c || (c->busy && !withdraw(c)))
        return;
    struct deliveries *home = c->home;
    bool waited = c->busy;
    if (waited)
        give_back(c);
    free_all(c);
    if (waited)
        worker_end(home->worker);
}

struct composition_links *composition_links(struct composition *c)
{
    return &c->links;
}

/* ---- make ---- */

static void work(uv_work_t *request)
{
    struct composition *c = request->data;
    struct compose_body known[COMPOSE_FORMS];
    for (unsigned i = 0; i < COMPOSE_FORMS; i++)
        c->in.known[i] =
            body_hashes_find(c->spool.id, (enum compose_form)i, &known[i]) ? &known[i] : NULL;
    c->result = compose(&c->in, &c->out);
    enum compose_form form = compose_form(&c->out);
    if (c->result == COMPOSE_OK && !c->in.known[form])
        body_hashes_keep(c->spool.id, form, &c->out.body);
    memset(c->in.known, 0, sizeof(c->in.known));
}

/* Let in who is next; each hears of it on its own shard. */
static void let_in(void)
{
    pthread_mutex_lock(&turns.mutex);
    struct composition *c;
    while ((c = party_turns_next(turns.of_pool))) {
        c->state = GRANTED;
        inbox_post(&c->home->worker->inbox, &c->item);
    }
    pthread_mutex_unlock(&turns.mutex);
}

static bool is_abandoned(struct composition *c)
{
    pthread_mutex_lock(&turns.mutex);
    bool abandoned = c->state == ABANDONED;
    pthread_mutex_unlock(&turns.mutex);
    return abandoned;
}

static void end_work(struct composition *c)
{
    struct deliveries *home = c->home;
    bool abandoned = is_abandoned(c);
    c->busy = false;
    give_back(c);
    spool_rewind(&c->spool);
    if (abandoned)
        free_all(c);
    else
        c->done(c->owner);
    worker_end(home->worker);
}

static void leave(struct composition *c)
{
    pthread_mutex_lock(&turns.mutex);
    party_turns_end(turns.of_pool, c->turn);
    pthread_mutex_unlock(&turns.mutex);
    let_in();
    end_work(c);
}

static void on_worked(uv_work_t *request, int status)
{
    CHECK(status == 0); /* nobody cancels */
    leave(request->data);
}

static void on_granted(struct inbox_item *item)
{
    struct composition *c = (struct composition *)item;
    if (is_abandoned(c))
        leave(c);
    else
        CHECK(uv_queue_work(&c->home->worker->loop, &c->work, work, on_worked) == 0);
}

static void wait_for_the_pool(struct composition *c)
{
    c->item.run = on_granted;
    c->busy = true;
    worker_begin(c->home->worker);
    pthread_mutex_lock(&turns.mutex);
    if (!turns.of_pool)
        turns.of_pool = party_turns_new(AT_WORK_MAX);
    c->state = WAITING;
    const struct party_ask ask = {
        .tenant = c->tenant, .urgent = c->class == STREAM_SECURITY, .rank = c->class, .what = c};
    c->turn = party_turns_wait(turns.of_pool, &ask);
    pthread_mutex_unlock(&turns.mutex);
    let_in();
}

/* ---- a small one ---- */

static void on_signed(struct inbox_item *item)
{
    end_work((struct composition *)item);
}

static void sign(struct signing_job *job)
{
    work(&OWNER_OF(job, struct composition, job)->work);
}

static void on_signing_thread(struct signing_job *job)
{
    struct composition *c = OWNER_OF(job, struct composition, job);
    inbox_post(&c->home->worker->inbox, &c->item);
}

/* A client on this loop, or another message, would wait for the signature. */
static bool leave_the_loop(struct composition *c)
{
    const struct deliveries *home = c->home;
    if (home->worker->clients == 0 && !home->works.first && !home->read.first)
        return false;
    c->item.run = on_signed;
    c->state = GRANTED;
    c->busy = signing_threads_take(home->shared->signing_threads, &c->job);
    if (c->busy)
        worker_begin(home->worker);
    return c->busy;
}

/* Here, on a signing thread, or on the pool. */
static void begin_work(struct composition *c)
{
    c->in.header = spool_header(&c->spool);
    if (c->spool.length > COMPOSITION_LARGE) {
        wait_for_the_pool(c);
        return;
    }
    c->job = (struct signing_job){
        .run = sign, .done = on_signing_thread, .length = (size_t)c->spool.length};
    if (leave_the_loop(c))
        return;
    signing_threads_sign_here(c->home->shared->signing_threads, &c->job);
    give_back(c);
    spool_rewind(&c->spool);
}

/* ---- a record that has been moved ---- */

/* False: it is where it was, and damaged; or it cannot be found out. */
static bool open_moved(struct composition *c, const struct store_question *q)
{
    struct mail *mail = c->mail;
    if (!q->ok && q->err.kind != ERR_NOT_FOUND) /* where the record is, is not known */
        c->damage = q->err;
    if (!q->ok || q->mail->place.segment == mail->place.segment)
        return false;
    mail->place = q->mail->place;
    return spool_open(c->settings->config->state_dir, mail->id, &mail->place, &c->spool,
                      &c->damage);
}

static void on_place_read(void *context, struct store_question *q)
{
    struct composition *c = context;
    bool abandoned = is_abandoned(c);
    bool found = !abandoned && open_moved(c, q);
    store_question_free(q);
    c->busy = false;
    if (found) {
        begin_work(c);
    } else {
        give_back(c);
        c->result = COMPOSE_FAULT;
        c->out.err = c->damage;
    }
    if (abandoned)
        free_all(c);
    else if (!c->busy)
        c->done(c->owner);
}

static void look_for_record(struct composition *c)
{
    c->busy = true;
    c->state = LOOKING;
    struct store_question *q = store_fetch(c->mail->id, NULL, 0);
    q->urgent = c->class == STREAM_SECURITY;
    worker_ask_reader(c->home->worker, NULL, q, on_place_read, c);
}

bool composition_make(struct composition *c, const struct delivery_offers *offers,
                      struct span only_recipient, void (*done)(void *owner), void *owner,
                      struct err *err)
{
    struct deliveries *home = c->home;
    if (!keyring_find(home->shared->keyring, c->from_domain, &c->loan, err))
        return false;
    buf_add(&c->recipient, only_recipient);
    c->done = done;
    c->owner = owner;
    c->in.only_recipient = buf_span(&c->recipient);
    c->in.unsubscribe_url = buf_span(&c->links.url);
    c->in.feedback_id = buf_span(&c->links.feedback_id);
    c->in.hop_8bitmime = offers->eightbitmime;
    c->in.hop_smtputf8 = offers->smtputf8;
    c->in.keys = c->loan.keys;
    c->in.key_count = c->loan.count;
    if (c->lost)
        look_for_record(c);
    else
        begin_work(c);
    return true;
}

bool composition_busy(const struct composition *c)
{
    return c->busy;
}

enum compose_result composition_result(const struct composition *c)
{
    return c->result;
}

const struct compose_output *composition_copy(const struct composition *c)
{
    return &c->out;
}

uint64_t composition_size(const struct composition *c)
{
    return c->out.head.len + c->out.body.length;
}

/* ---- read ---- */

/* More of what is sent, into `ready`. */
static bool refill(struct composition *c, struct err *err)
{
    struct sevenbit *conversion = c->out.conversion;
    buf_clear(&c->piece);
    if (c->at == HEAD) {
        if (conversion)
            sevenbit_write_header(conversion, &c->piece); /* it is in the head already */
        c->ready = buf_span(&c->out.head);
        c->at = BODY;
        return true;
    }
    if (c->left.len == 0) {
        if (!spool_next(&c->spool, &c->left, err))
            return false;
        c->at = c->left.len == 0 ? END : BODY;
    }
    struct span part = span_first(c->left, COMPOSE_PIECE_MAX);
    c->left = span_from(c->left, part.len);
    c->ready = part;
    if (!conversion)
        return true;
    if (c->at == END)
        sevenbit_write_end(conversion, &c->piece);
    else
        sevenbit_write(conversion, part, &c->piece);
    c->ready = buf_span(&c->piece);
    return compose_converted(&c->piece, err);
}

bool composition_next(struct composition *c, struct span *piece_r, struct err *err)
{
    while (c->ready.len == 0 && c->at != END)
        if (!refill(c, err))
            return false;
    *piece_r = span_first(c->ready, COMPOSE_PIECE_MAX);
    c->ready = span_from(c->ready, piece_r->len);
    return true;
}
