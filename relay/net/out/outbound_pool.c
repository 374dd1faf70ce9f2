// SPDX-License-Identifier: BSD-2-Clause
/* outbound_pool.c - The outbound connections of a shard: opened, used and closed as the queue
 * decides, and closed at shutdown. */
#include "outbound.h"

#include "log.h"
#include "outbound_parts.h"

#include <utlist.h>

static struct outbound *find(struct deliveries *home, uint64_t number)
{
    struct outbound *c = NULL;
    HASH_FIND(hh, home->outbounds_by_number, &number, sizeof(number), c);
    return c && !c->ending && !c->told ? c : NULL;
}

void outbound_hurry(struct deliveries *home, struct dispatch_work *work)
{
    struct outbound *c = find(home, work->connection);
    dispatch_work_free(work);
    if (!c || !c->attempt || c->idle || !c->connection || c->hurried)
        return;
    c->hurried = true;
    if (c->transaction.sending && !delivery_is_said(&c->delivery))
        outbound_set_deadline(c);
}

void outbound_close(struct deliveries *home, struct dispatch_work *work)
{
    static const char given_up[] = "given up, as other mail waits for a connection";
    struct outbound *c = find(home, work->connection);
    dispatch_work_free(work);
    if (!c)
        return;
    c->unwanted = true;
    if (c->idle)
        outbound_quit(c);
    else if (!c->opened && outbound_is_reaching(c))
        failover_stop(c, given_up);
    else if (!c->opened && c->connection)
        connection_close(c->connection, given_up);
}

static bool is_in_attempt(const struct queue_attempt *attempt, const struct mail_row *row)
{
    for (size_t i = 0; i < attempt->count; i++)
        if (attempt->numbers[i] == row->number)
            return true;
    return false;
}

/* Is anybody left who waits for it? Also when that cannot be read. */
static bool is_wanted(const struct store_question *q, const struct queue_attempt *attempt)
{
    const struct mail *m = q->mail;
    bool wanted = false;
    if (!q->ok)
        return q->err.kind != ERR_NOT_FOUND;
    for (size_t i = 0; i < m->envelope.count; i++) {
        const struct mail_row *row = &m->rows[i];
        bool waits = row->state == MAIL_WAITING || row->state == MAIL_HELD;
        bool returned = row->tries == 0 && row->code >= 500;
        wanted = wanted || (waits && !returned && is_in_attempt(attempt, row));
    }
    return wanted;
}

/* It has an attempt, and not all of its message has been said. */
static bool may_be_ended(const struct outbound *c)
{
    bool said = c->connection && c->delivery_live && delivery_is_said(&c->delivery);
    return c->attempt && !c->ending && !said;
}

static void end_unwanted(struct outbound *c)
{
    static const char ended[] = "its mail was ended by the operator";
    c->unwanted = true;
    if (outbound_is_reaching(c))
        failover_stop(c, ended);
    else if (c->connection)
        connection_close(c->connection, ended);
}

static void check_all(struct deliveries *home);

static void on_rows_read(void *context, struct store_question *q)
{
    struct deliveries *home = context;
    struct outbound *c = find(home, q->session);
    bool unwanted = c && may_be_ended(c) && c->attempt->work->attempt->message == q->message &&
                    !is_wanted(q, c->attempt->work->attempt);
    store_question_free(q);
    home->checking--;
    if (unwanted)
        end_unwanted(c);
    if (home->checking == 0 && home->check_again)
        check_all(home);
}

static void check(struct outbound *c)
{
    struct deliveries *home = c->home;
    if (!may_be_ended(c))
        return;
    struct store_question *q = store_fetch(c->attempt->work->attempt->message, NULL, 0);
    q->session = c->number;
    home->checking++;
    worker_ask_reader(home->worker, NULL, q, on_rows_read, home);
}

static void check_all(struct deliveries *home)
{
    struct outbound *c;
    home->check_again = false;
    DL_FOREACH (home->outbounds, c)
        check(c);
}

/* However many commands end mail, each connection is looked at once at a time. */
void outbound_check_rows(struct deliveries *home)
{
    attempt_read_again(home);
    if (home->checking > 0)
        home->check_again = true;
    else
        check_all(home);
}

/* It was begun although rows have been ended since its own were read. */
static void check_if_outdated(struct outbound *c)
{
    if (c->attempt->reading.outdated)
        check(c);
}

/* To the queue it has ended: what it had for it goes on another one, untried. */
static void refuse(struct outbound *c)
{
    dispatch_closed(c->home->shared->dispatch, c->number);
    c->told = true;
    if (c->idle)
        outbound_quit(c);
}

void outbound_send(struct deliveries *home, struct dispatch_work *work)
{
    struct outbound *c = find(home, work->connection);
    bool takes = c && c->idle && failover_leads_here(c, work->hosts) &&
                 !failover_is_outdated(c, work->hosts) && host_trust_covers(c, work);
    if (c && !takes) /* it is saying goodbye already, or the mail does not belong there */
        refuse(c);
    if (!takes) { /* the queue has the attempt again */
        attempt_forget(work);
        return;
    }
    if (!attempt_read(home, work))
        return;
    c->idle = c->hurried = false;
    c->reused = true;
    c->attempt = attempt_start(work);
    if (!c->attempt)
        outbound_next_attempt(c);
    if (!c->attempt)
        return;
    check_if_outdated(c);
    outbound_pump(c);
}

static void on_composed(void *owner)
{
    outbound_pump(owner);
}

void outbound_open(struct deliveries *home, struct dispatch_work *work)
{
    uint64_t number = work->connection;
    if (!attempt_read(home, work))
        return;
    struct attempt *p = attempt_start(work);
    if (!p)
        return;
    struct outbound *c = xcalloc(1, sizeof(*c));
    work->used = true;
    c->home = home;
    c->number = number;
    c->attempt = p;
    c->take = outbound_take;
    c->fact = SIZE_MAX;
    c->transaction = (struct transaction){.composed = on_composed, .owner = c};
    uv_timer_init(&home->worker->loop, &c->end_timer);
    c->end_timer.data = c;
    DL_APPEND(home->outbounds, c);
    HASH_ADD(hh, home->outbounds_by_number, number, sizeof(c->number), c);
    check_if_outdated(c);
    failover_begin(c);
}

void outbound_close_idle(struct deliveries *home)
{
    struct outbound *c;
    struct outbound *next;
    DL_FOREACH_SAFE (home->outbounds, c, next) {
        if (c->idle)
            outbound_quit(c);
    }
}

void outbound_close_opening(struct deliveries *home)
{
    static const char ends[] = "The relay is shutting down";
    struct outbound *c;
    struct outbound *next;
    DL_FOREACH_SAFE (home->outbounds, c, next) {
        bool opens = c->connection && !c->ending && !c->opened;
        c->unwanted = c->unwanted || outbound_is_reaching(c) || opens;
        if (outbound_is_reaching(c))
            failover_stop(c, ends);
        else if (opens)
            connection_close(c->connection, ends);
    }
}

/* It may have the message, and gets it again. */
static void note_unanswered(const struct outbound *c)
{
    if (!c->attempt || !delivery_is_said(&c->delivery))
        return;
    struct log_line *line = log_id(log_begin(LOG_WARN, "unanswered"), c->attempt->mail->id);
    log_end(log_text(log_text(line, "mx", c->host_name), "what",
                     "the server has the whole message and has not answered before the relay "
                     "ended: it is sent again, and may be delivered twice"));
}

void outbound_close_all(struct deliveries *home)
{
    struct outbound *c;
    struct outbound *next;
    outbound_close_idle(home);
    DL_FOREACH_SAFE (home->outbounds, c, next) {
        if (!home->worker->hastens && c->connection && !c->ending &&
            c->delivery.want != DELIVERY_CLOSE && !c->attempt)
            continue; /* says QUIT, and is heard for ten seconds at most */
        if (outbound_is_reaching(c))
            failover_stop(c, "The relay is shutting down");
        if (c->ending || !c->connection)
            continue;
        note_unanswered(c);
        connection_close(c->connection, "closing down");
    }
}
