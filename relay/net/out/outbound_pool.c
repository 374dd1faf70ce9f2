// SPDX-License-Identifier: BSD-2-Clause
/* outbound_pool.c - The outbound connections of a shard: opened, fed and closed as the queue
 * decides, and at the end of all. */
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

void outbound_send(struct deliveries *home, struct dispatch_work *work)
{
    struct outbound *c = find(home, work->connection);
    if (c && !c->idle) { /* it is saying goodbye already */
        dispatch_closed(home->shared->dispatch, c->number);
        c->told = true;
    }
    if (!c || !c->idle) { /* the queue has the attempt again */
        dispatch_work_free(work);
        return;
    }
    c->idle = c->hurried = false;
    c->reused = true;
    c->attempt = attempt_start(home, work);
    if (!c->attempt)
        outbound_next_attempt(c);
    if (c->attempt)
        outbound_pump(c);
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
    else if (!c->opened && c->reach)
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
static bool is_wanted(struct deliveries *home, const struct queue_attempt *attempt)
{
    struct mail *m = NULL;
    struct err err = {0};
    bool wanted = false;
    if (!database_mail(home->worker->reader, attempt->message, &m, &err))
        return err.kind != ERR_NOT_FOUND;
    for (size_t i = 0; i < m->envelope.count; i++) {
        const struct mail_row *row = &m->rows[i];
        bool waits = row->state == MAIL_WAITING || row->state == MAIL_HELD;
        bool returned = row->tries == 0 && row->code >= 500;
        wanted = wanted || (waits && !returned && is_in_attempt(attempt, row));
    }
    mail_free(m);
    return wanted;
}

void outbound_check_rows(struct deliveries *home)
{
    static const char ended[] = "its mail was ended by the operator";
    struct outbound *c;
    struct outbound *next;
    DL_FOREACH_SAFE (home->outbounds, c, next) {
        bool said = c->connection && c->delivery_live && delivery_is_said(&c->delivery);
        if (!c->attempt || c->ending || said || is_wanted(home, c->attempt->work->attempt))
            continue;
        c->unwanted = true;
        if (c->reach)
            failover_stop(c, ended);
        else if (c->connection)
            connection_close(c->connection, ended);
    }
}

static void on_composed(void *owner)
{
    outbound_pump(owner);
}

void outbound_open(struct deliveries *home, struct dispatch_work *work)
{
    uint64_t number = work->connection;
    struct attempt *p = attempt_start(home, work);
    if (!p)
        return;
    struct outbound *c = xcalloc(1, sizeof(*c));
    work->used = true;
    c->home = home;
    c->number = number;
    c->attempt = p;
    c->take = outbound_take;
    c->transaction = (struct transaction){.composed = on_composed, .owner = c};
    uv_timer_init(&home->worker->loop, &c->end_timer);
    c->end_timer.data = c;
    DL_APPEND(home->outbounds, c);
    HASH_ADD(hh, home->outbounds_by_number, number, sizeof(c->number), c);
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
        if (c->reach)
            failover_stop(c, "The relay is shutting down");
        if (c->ending || !c->connection)
            continue;
        note_unanswered(c);
        connection_close(c->connection, "closing down");
    }
}
