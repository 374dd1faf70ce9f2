// SPDX-License-Identifier: BSD-2-Clause
/* composition.c - Two large copies at a time, security mail first, so that the pool stays free for
 * logins and for mail that arrives.
 *
 * Happy path: open - make (here, or wait, granted, pool, done) - next, next … - free.
 *
 * Failure modes:
 * - the record has been moved since its row was read: the row is read again
 * - whoever asked goes away while the pool works: it is freed when that is done
 */
#include "composition.h"

#include "delivery.h"
#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { AT_WORK_MAX = 2 }; /* of the four threads that libuv's pool has */

struct composition {
    struct inbox_item item;          /* to its shard, when it is granted a place */
    struct composition *next, *prev; /* of those that wait */
    uv_work_t work;
    struct deliveries *home;
    struct settings *settings; /* held */
    struct keyring_loan loan;
    enum stream_class class;
    bool busy;                                  /* the shard's own knowledge */
    enum { WAITING, GRANTED, ABANDONED } state; /* while busy; with the turnstile's mutex */
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
    struct composition *waiting; /* list: security mail first, then first come first */
    unsigned at_work;
} turnstile = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- open and free ---- */

/* It may have been moved since the row was read. */
static bool open_record(struct composition *c, struct mail *mail, struct err *err)
{
    const char *state_dir = c->settings->config->state_dir;
    struct mail *fresh = NULL;
    struct err unread = {0};
    if (spool_open(state_dir, mail->id, &mail->place, &c->spool, err))
        return true;
    if (err->kind != ERR_DAMAGED)
        return false;
    if (!database_mail(c->home->worker->reader, mail->id, &fresh, &unread)) {
        if (unread.kind != ERR_NOT_FOUND) /* where the record is, is not known */
            *err = unread;
        return false;
    }
    bool moved = fresh->place.segment != mail->place.segment;
    mail->place = fresh->place;
    mail_free(fresh);
    return moved && spool_open(state_dir, mail->id, &mail->place, &c->spool, err);
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
    buf_init(&c->recipient, 4 * ADDRESS_MAX);
    buf_init(&c->links.url, 2048);
    buf_init(&c->links.feedback_id, 512);
    buf_init(&c->piece, COMPOSE_CONVERTED_MAX);
    mail_id_print(mail->id, c->id);
    snprintf(c->helo, sizeof(c->helo), "%s", mail->helo);
    snprintf(c->peer, sizeof(c->peer), "%s", mail->peer);
    snprintf(c->protocol, sizeof(c->protocol), "%s", mail->protocol);
    snprintf(c->from_domain, sizeof(c->from_domain), "%s", mail->from_domain);
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
    return open_record(c, mail, err);
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
    pthread_mutex_lock(&turnstile.mutex);
    bool waits = c->state == WAITING;
    if (waits)
        DL_DELETE(turnstile.waiting, c);
    else
        c->state = ABANDONED;
    pthread_mutex_unlock(&turnstile.mutex);
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
    c->result = compose(&c->in, &c->out);
}

/* Let in who is next; each hears of it on its own shard. */
static void let_in(void)
{
    pthread_mutex_lock(&turnstile.mutex);
    while (turnstile.waiting && turnstile.at_work < AT_WORK_MAX) {
        struct composition *c = turnstile.waiting;
        DL_DELETE(turnstile.waiting, c);
        c->state = GRANTED;
        turnstile.at_work++;
        inbox_post(&c->home->worker->inbox, &c->item);
    }
    pthread_mutex_unlock(&turnstile.mutex);
}

static bool is_abandoned(struct composition *c)
{
    pthread_mutex_lock(&turnstile.mutex);
    bool abandoned = c->state == ABANDONED;
    pthread_mutex_unlock(&turnstile.mutex);
    return abandoned;
}

static void leave(struct composition *c)
{
    struct deliveries *home = c->home;
    bool abandoned = is_abandoned(c);
    pthread_mutex_lock(&turnstile.mutex);
    turnstile.at_work--;
    pthread_mutex_unlock(&turnstile.mutex);
    let_in();
    c->busy = false;
    give_back(c);
    spool_rewind(&c->spool);
    if (abandoned)
        free_all(c);
    else
        c->done(c->owner);
    worker_end(home->worker);
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
    pthread_mutex_lock(&turnstile.mutex);
    struct composition *later = turnstile.waiting;
    while (later && later->class <= c->class)
        later = later->next;
    c->state = WAITING;
    if (later)
        DL_PREPEND_ELEM(turnstile.waiting, later, c);
    else
        DL_APPEND(turnstile.waiting, c);
    pthread_mutex_unlock(&turnstile.mutex);
    let_in();
}

bool composition_make(struct composition *c, const struct delivery_offers *offers,
                      struct span only_recipient, void (*done)(void *owner), void *owner,
                      struct err *err)
{
    struct deliveries *home = c->home;
    if (!keyring_find(home->shared->keyring, home->worker->reader, c->from_domain, &c->loan, err))
        return false;
    buf_add(&c->recipient, only_recipient);
    c->done = done;
    c->owner = owner;
    c->in.header = spool_header(&c->spool);
    c->in.only_recipient = buf_span(&c->recipient);
    c->in.unsubscribe_url = buf_span(&c->links.url);
    c->in.feedback_id = buf_span(&c->links.feedback_id);
    c->in.hop_8bitmime = offers->eightbitmime;
    c->in.hop_smtputf8 = offers->smtputf8;
    c->in.keys = c->loan.keys;
    c->in.key_count = c->loan.count;
    if (c->spool.length > COMPOSITION_LARGE) {
        wait_for_the_pool(c);
    } else {
        work(&c->work);
        give_back(c);
        spool_rewind(&c->spool);
    }
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
    return c->out.head.len + c->out.body_length;
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
    return !c->piece.overflow || err_set(err, ERR_LIMIT, "header of a part grew over its limit");
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
