// SPDX-License-Identifier: BSD-2-Clause
/* couriers.c - The couriers of a shard: opened, fed and closed as the queue decides, and at the end
 * of all. */
#include "courier.h"

#include "courier_parts.h"
#include "log.h"

#include <utlist.h>

static struct courier *find(struct shard *s, uint64_t number)
{
    struct courier *c = NULL;
    HASH_FIND(hh, s->couriers_by_number, &number, sizeof(number), c);
    return c && !c->ending && !c->told ? c : NULL;
}

void courier_send(struct shard *s, struct dispatch_work *work)
{
    struct courier *c = find(s, work->connection);
    if (c && !c->idle) { /* it is saying goodbye already */
        dispatch_closed(s->common->dispatch, c->number);
        c->told = true;
    }
    if (!c || !c->idle) { /* the queue has the attempt again */
        dispatch_work_free(work);
        return;
    }
    c->idle = c->hurried = false;
    c->reused = true;
    c->parcel = parcel_start(s, work);
    if (!c->parcel)
        courier_next_parcel(c);
    if (c->parcel)
        courier_pump(c);
}

void courier_hurry(struct shard *s, struct dispatch_work *work)
{
    struct courier *c = find(s, work->connection);
    dispatch_work_free(work);
    if (!c || !c->parcel || c->idle || !c->connection || c->hurried)
        return;
    c->hurried = true;
    if (c->shipment.sending && !delivery_is_said(&c->delivery))
        courier_set_deadline(c);
}

void courier_close(struct shard *s, struct dispatch_work *work)
{
    static const char given_up[] = "given up, as others wait for the place";
    struct courier *c = find(s, work->connection);
    dispatch_work_free(work);
    if (!c)
        return;
    c->unwanted = true;
    if (c->idle)
        courier_quit(c);
    else if (!c->opened && c->reach)
        approach_stop(c, given_up);
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
static bool is_wanted(struct shard *s, const struct queue_attempt *attempt)
{
    struct mail *m = NULL;
    struct err err = {0};
    bool wanted = false;
    if (!database_mail(s->reader, attempt->message, &m, &err))
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

void courier_check_rows(struct shard *s)
{
    static const char ended[] = "its mail was ended by the operator";
    struct courier *c;
    struct courier *next;
    DL_FOREACH_SAFE (s->couriers, c, next) {
        bool said = c->connection && c->delivery_live && delivery_is_said(&c->delivery);
        if (!c->parcel || c->ending || said || is_wanted(s, c->parcel->work->attempt))
            continue;
        c->unwanted = true;
        if (c->reach)
            approach_stop(c, ended);
        else if (c->connection)
            connection_close(c->connection, ended);
    }
}

static void on_composed(void *owner)
{
    courier_pump(owner);
}

void courier_open(struct shard *s, struct dispatch_work *work)
{
    uint64_t number = work->connection;
    struct parcel *p = parcel_start(s, work);
    if (!p)
        return;
    struct courier *c = xcalloc(1, sizeof(*c));
    work->used = true;
    c->shard = s;
    c->number = number;
    c->parcel = p;
    c->shipment = (struct shipment){.composed = on_composed, .owner = c};
    uv_timer_init(&s->loop, &c->end_timer);
    c->end_timer.data = c;
    DL_APPEND(s->couriers, c);
    HASH_ADD(hh, s->couriers_by_number, number, sizeof(c->number), c);
    approach_begin(c);
}

void courier_close_idle(struct shard *s)
{
    struct courier *c;
    struct courier *next;
    DL_FOREACH_SAFE (s->couriers, c, next) {
        if (c->idle)
            courier_quit(c);
    }
}

/* It may have the message, and gets it again. */
static void note_unanswered(const struct courier *c)
{
    if (!c->parcel || !delivery_is_said(&c->delivery))
        return;
    struct log_line *line = log_id(log_begin(LOG_WARN, "unanswered"), c->parcel->mail->id);
    log_end(log_text(log_text(line, "mx", c->host_name), "what",
                     "the server has the whole message and has not answered before the relay "
                     "ended: it is sent again, and may be delivered twice"));
}

void courier_close_all(struct shard *s)
{
    struct courier *c;
    struct courier *next;
    courier_close_idle(s);
    DL_FOREACH_SAFE (s->couriers, c, next) {
        if (!s->hastens && c->connection && !c->ending && c->delivery.want != DELIVERY_CLOSE &&
            !c->parcel)
            continue; /* says QUIT, and is heard for ten seconds at most */
        if (c->reach)
            approach_stop(c, "The relay is closing down");
        if (c->ending || !c->connection)
            continue;
        note_unanswered(c);
        connection_close(c->connection, "closing down");
    }
}
