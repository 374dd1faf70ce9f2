// SPDX-License-Identifier: BSD-2-Clause
/* courier.c - One connection of the queue, to one host of a destination: the delivery machine on
 * it, fed with one parcel after the other.
 *
 * Happy path: reach a host - greeting … ready - compose and send - answers - what the queue says is
 * next, or idle - QUIT.
 *
 * Failure modes:
 * - this host refuses us before a message is spoken of, or there is a way around: approach.c
 * - the connection ends while a message is under way: those without an answer are tried later
 * - an idle connection turns out to be dead: the queue has its parcel again, untried
 * - it ends before anything of a message is said: that goes on another one, and it is no try
 * - class security waits, and recipients are left: they go back, untried
 *
 * Owner: the shard's list and its table by number (couriers.c). The queue knows the connection from
 * birth until end_courier() or a failure that it is told.
 */
#include "courier_parts.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { HURRIED_S = 10 }; /* for each answer, while others wait for the place */

static void take_answers(struct courier *c, bool elsewhere)
{
    struct parcel *p = c->parcel;
    snprintf(p->remote, sizeof(p->remote), "%.200s[%.60s]", c->host_name, c->peer);
    snprintf(p->tls, sizeof(p->tls), "%s", c->tls_text);
    p->verified = c->proven.level == TRUST_VERIFIED;
    p->hop_dsn = c->delivery.offers.dsn;
    if (elsewhere)
        shipment_take_other_answers(&c->shipment);
    else
        shipment_take_answers(&c->shipment);
}

static void parcel_done(struct courier *c)
{
    struct parcel *p = c->parcel;
    shipment_end(&c->shipment);
    c->parcel = NULL;
    c->trouble = (struct verdict){0};
    c->spoken = true;
    parcel_settle(p);
}

/* ---- the end, and idleness ---- */

static void on_end(uv_handle_t *handle)
{
    struct courier *c = handle->data;
    struct shard *s = c->shard;
    DL_DELETE(s->couriers, c);
    HASH_DEL(s->couriers_by_number, c);
    settings_drop(c->settings);
    free(c);
    shard_something_ended(s);
}

void courier_end_delivery(struct courier *c)
{
    if (c->delivery_live)
        delivery_fini(&c->delivery);
    c->delivery_live = false;
}

/* The parcel is done with. Says what is next. */
static enum queue_next tell_spoken(struct courier *c, bool reusable, struct dispatch_work **next_r)
{
    c->spoken = false;
    return dispatch_message_done(c->shard->common->dispatch, c->shard, c->number, reusable, next_r);
}

static void end_courier(struct courier *c)
{
    struct dispatch_work *none = NULL;
    CHECK(!c->parcel && !c->ending);
    c->ending = true;
    shipment_end(&c->shipment);
    courier_end_delivery(c);
    if (c->spoken) /* the parcel is settled: the queue must not have it again */
        CHECK(tell_spoken(c, false, &none) == QUEUE_NEXT_CLOSE);
    if (!c->told)
        dispatch_closed(c->shard->common->dispatch, c->number);
    uv_close((uv_handle_t *)&c->end_timer, on_end);
}

void courier_fail(struct courier *c, enum queue_failure how, const struct verdict *v)
{
    struct parcel *p = c->parcel;
    char why[QUEUE_WHY_MAX];
    if (c->stalled)
        approach_leave(c);
    snprintf(why, sizeof(why), "%03d %s %.180s", v->code, v->enhanced, v->text);
    bool untried = dispatch_failed(
        c->shard->common->dispatch, c->number,
        parcel_has_answer(p) && how != QUEUE_FAIL_BROKE ? QUEUE_FAIL_LOST : how, why);
    c->told = true;
    c->parcel = NULL;
    shipment_end(&c->shipment);
    if (untried) {
        parcel_drop(p);
    } else {
        parcel_answer_all(p, v);
        parcel_settle(p);
    }
    end_courier(c);
}

void courier_drop(struct courier *c, const char *why)
{
    const struct verdict v = verdict_make(451, "4.3.2", "%s", why);
    struct parcel *p = c->parcel;
    if (parcel_has_answer(p) || c->trouble.code != 0) { /* somebody was asked */
        courier_fail(c, QUEUE_FAIL_LOST, c->trouble.code != 0 ? &c->trouble : &v);
        return;
    }
    c->parcel = NULL;
    shipment_end(&c->shipment);
    parcel_drop(p);
    end_courier(c);
}

void courier_quit(struct courier *c)
{
    c->idle = false;
    if (c->connection && c->delivery.want == DELIVERY_READY) {
        delivery_quit(&c->delivery);
        courier_pump(c);
    }
}

/* What the queue says is next on this connection. */
void courier_next_parcel(struct courier *c)
{
    struct dispatch_work *work = NULL;
    bool exception = approach_has_tried(c, DELIVERY_IN_CLEAR); /* one parcel's, no other's */
    bool reusable = !c->shard->draining && !exception && !delivery_is_used_up(&c->delivery) &&
                    !approach_looks_back(c);
    switch (tell_spoken(c, reusable, &work)) {
    case QUEUE_NEXT_SEND: /* by courier_send(), as when it comes later */
        shard_add_work(c->shard, work);
        break;
    case QUEUE_NEXT_IDLE:
        break;
    case QUEUE_NEXT_CLOSE:
        courier_quit(c);
        return;
    }
    c->idle = true;
    connection_want_bytes(c->connection, true); /* to see it end */
}

/* ---- the pump ---- */

/* The first time that it is ready. False: the queue has given it up meanwhile. */
static bool tell_opened(struct courier *c)
{
    if (c->opened)
        return true;
    c->opened = dispatch_opened(c->shard->common->dispatch, c->number, &c->at);
    if (c->opened)
        return true;
    c->unwanted = true;
    delivery_quit(&c->delivery);
    return false;
}

/* Take up the next message, of this parcel or the next. False when there is none. */
static bool begin_message(struct courier *c)
{
    if (!tell_opened(c))
        return true;
    if (!c->parcel && !c->idle)
        courier_next_parcel(c);
    if (!c->parcel)
        return false;
    c->delivery_settings.hurry = c->parcel->mail->class == STREAM_SECURITY;
    if (delivery_is_used_up(&c->delivery)) { /* the rest goes on another connection */
        c->begin_again = true;
        delivery_quit(&c->delivery);
    } else if (!shipment_begin(&c->shipment, c->parcel, &c->delivery, &c->proven)) {
        if (approach_if_unsure(c))
            return false;
        parcel_done(c);
    } else if (!shipment_composing(&c->shipment)) {
        connection_set_limit(c->connection, delivery_limit_s(&c->delivery));
    }
    return !shipment_composing(&c->shipment);
}

static void end_message(struct courier *c)
{
    bool elsewhere = approach_elsewhere(c);
    c->lost_early = false;
    connection_set_limit(c->connection, 0);
    take_answers(c, elsewhere);
    if (elsewhere) {
        approach_part(c);
        return;
    }
    delivery_next(&c->delivery);
    if (c->delivery.want == DELIVERY_CLOSE)
        parcel_answer_all(c->parcel, &c->delivery.trouble);
    if (parcel_all_answered(c->parcel)) {
        parcel_done(c);
    } else if (parcel_has_answer(c->parcel) &&
               dispatch_is_urgent_next(c->shard->common->dispatch, c->number)) {
        parcel_leave_rest(c->parcel);
        parcel_done(c);
    }
}

/* Until a message is under way nobody is waited for past its time. */
static uint64_t patience_ms(const struct courier *c, unsigned usual_s)
{
    uint64_t usual_ms = (uint64_t)usual_s * 1000;
    return c->parcel && !c->shipment.sending ? parcel_patience_ms(c->parcel, usual_ms) : usual_ms;
}

/* After the final dot it has all of its time: less would send the message twice. */
void courier_set_deadline(struct courier *c)
{
    unsigned s = delivery_timeout_s(&c->delivery);
    if (c->hurried && s > HURRIED_S && !delivery_is_said(&c->delivery))
        s = HURRIED_S;
    connection_set_deadline(c->connection, patience_ms(c, s));
}

/* A server has its time for each whole answer: bytes that trickle in gain it none. */
static void set_deadline(struct courier *c)
{
    if (c->steps != c->delivery.steps)
        courier_set_deadline(c);
    c->steps = c->delivery.steps;
}

void courier_pump(struct courier *c)
{
    for (;;) {
        if (c->delivery.want != DELIVERY_BODY)
            parcel_note_dialogue(c->parcel, &c->delivery, "C: ", buf_span(&c->delivery.out));
        connection_write(c->connection, &c->delivery.out);
        switch (c->delivery.want) {
        case DELIVERY_INPUT:
            set_deadline(c);
            return;
        case DELIVERY_TLS:
            if (!connection_tls(c->connection))
                connection_connect_tls(c->connection, c->settings->client, c->host_name,
                                       c->parcel->route->handshake);
            set_deadline(c);
            return;
        case DELIVERY_READY:
            if (!begin_message(c))
                return;
            break;
        case DELIVERY_BODY:
            shipment_feed(&c->shipment, c->connection);
            set_deadline(c);
            if (delivery_is_said(&c->delivery) && connection_unsent(c->connection) == 0)
                connection_set_limit(c->connection, 0);
            if (c->delivery.want == DELIVERY_BODY)
                return;
            break;
        case DELIVERY_DONE:
            end_message(c);
            if (c->go_on)
                return;
            break;
        case DELIVERY_CLOSE:
            connection_finish(c->connection, NULL);
            return;
        }
    }
}

/* ---- events of the connection ---- */

static bool on_timed_out(void *owner)
{
    struct courier *c = owner;
    if (c->idle || c->delivery.want == DELIVERY_CLOSE)
        return false;
    c->stalled = c->parcel && parcel_left_ms(c->parcel) > 0;
    delivery_timed_out(&c->delivery);
    return false;
}

static void on_bytes(void *owner, struct span bytes)
{
    struct courier *c = owner;
    parcel_note_dialogue(c->parcel, &c->delivery, "S: ", bytes);
    if (c->idle) { /* it says goodbye, or nonsense: it is of no more use */
        c->idle = false;
        connection_close(c->connection, "server spoke while idle");
        return;
    }
    delivery_input(&c->delivery, bytes);
    courier_pump(c);
}

static void on_secured(void *owner)
{
    struct courier *c = owner;
    tls_describe(connection_tls(c->connection), c->tls_text, sizeof(c->tls_text));
    c->proven.level =
        tls_verified(connection_tls(c->connection)) ? TRUST_VERIFIED : TRUST_ENCRYPTED;
    delivery_tls_started(&c->delivery);
    courier_pump(c);
}

static void on_drained(void *owner)
{
    struct courier *c = owner;
    if (c->delivery.want == DELIVERY_BODY)
        courier_pump(c);
    else if (delivery_is_said(&c->delivery)) /* now it has its time to answer */
        connection_set_limit(c->connection, 0);
}

/* The connection ended while a message was under way. */
static void message_lost(struct courier *c)
{
    approach_hide_login(c);
    struct verdict v = c->delivery.trouble;
    bool answered = c->delivery.remedy == DELIVERY_NEXT_HOST || v.code == 421;
    bool elsewhere = answered && approach_elsewhere(c);
    bool taken = v.what == VERDICT_DEFER && !c->delivery.host_refused &&
                 delivery_has_taken_mail(&c->delivery);
    bool refused = answered && v.code == 421 && !taken;
    if (c->shipment.sending)
        take_answers(c, elsewhere || refused);
    if (elsewhere)
        approach_next(c);
    else if (!approach_apart(c))
        courier_fail(c,
                     refused ? QUEUE_FAIL_REFUSED
                     : taken ? QUEUE_FAIL_BROKE
                             : QUEUE_FAIL_LOST,
                     &v);
}

/* It ended before anything of the message was said. Once that is no try of it, and another one is
 * opened; a server that hangs up again has failed, so that it is seen and waited for. */
static void lost_early(struct courier *c)
{
    shipment_end(&c->shipment);
    if (c->lost_early) {
        courier_fail(c, QUEUE_FAIL_LOST, &c->delivery.trouble);
        return;
    }
    c->lost_early = true;
    approach_begin(c);
}

static void on_ended(void *owner, const char *why)
{
    struct courier *c = owner;
    enum delivery_want was = c->delivery.want;
    c->connection = NULL;
    c->idle = false;
    if (was != DELIVERY_CLOSE)
        delivery_lost(&c->delivery, why);
    if (!c->parcel) {
        end_courier(c);
    } else if (c->unwanted) {
        courier_drop(c, why);
    } else if (c->go_on) {
        approach_next(c);
    } else if (c->begin_again || (c->reused && was == DELIVERY_READY)) {
        shipment_end(&c->shipment);
        approach_begin(c);
    } else if (approach_by_remedy(c)) {
        return;
    } else if (c->delivery.host_refused && !c->reused) {
        shipment_end(&c->shipment);
        approach_refused(c);
    } else if (was == DELIVERY_READY) {
        lost_early(c);
    } else {
        message_lost(c);
    }
}

static const struct connection_events events = {.bytes = on_bytes,
                                                .secured = on_secured,
                                                .drained = on_drained,
                                                .timed_out = on_timed_out,
                                                .ended = on_ended};

void courier_take(struct courier *c, struct connection *connection, struct span bytes)
{
    c->connection = connection;
    connection_hand_over(connection, &events, c);
    connection_peer(connection, c->peer);
    c->steps = c->delivery.steps - 1; /* no deadline is set for this one yet */
    set_deadline(c);
    if (c->delivery.want == DELIVERY_TLS)
        connection_connect_tls(c->connection, c->settings->client, c->host_name,
                               c->parcel->route->handshake);
    else
        on_bytes(c, bytes);
}
