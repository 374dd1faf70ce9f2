// SPDX-License-Identifier: BSD-2-Clause
/* courier.c - One connection to one host of a site: the delivery machine on it, fed with one parcel
 * after the other.
 *
 * Happy path: reach a host - greeting … ready - compose and send - answers - next parcel of the
 * site, or idle - QUIT.
 *
 * Failure modes:
 * - this host refuses us before a message is spoken of, or there is a way around: approach.c
 * - the connection ends while a message is under way: those without an answer are tried later
 * - an idle connection turns out to be dead: its parcel begins again with a new one
 *
 * Owner: the shard's list. It holds one slot of its site from birth to death.
 */
#include "courier.h"

#include "clock.h"
#include "courier_parts.h"
#include "endpoint_table.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static void pump(struct courier *c);

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
    parcel_settle(p);
}

/* ---- the end, and idleness ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct courier *c = handle->data;
    struct shard *s = c->shard;
    DL_DELETE(s->couriers, c);
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

static void end_courier(struct courier *c)
{
    CHECK(!c->parcel && !c->ending);
    c->ending = true;
    shipment_end(&c->shipment);
    courier_end_delivery(c);
    site_release(c->site);
    uv_close((uv_handle_t *)&c->idle_timer, on_timer_closed);
}

void courier_give_up(struct courier *c)
{
    parcel_done(c);
    end_courier(c);
}

static void quit(struct courier *c)
{
    c->idle = false;
    uv_timer_stop(&c->idle_timer);
    if (c->connection && c->delivery.want == DELIVERY_READY) {
        delivery_quit(&c->delivery);
        pump(c);
    }
}

static void on_idle_over(uv_timer_t *timer)
{
    struct courier *c = timer->data;
    if (c->idle && site_leave_idle(c->site, &c->party))
        quit(c);
}

/* Another shard needs the slot. */
static void on_told_to_go(struct inbox_item *item)
{
    struct courier *c =
        (struct courier *)(void *)((char *)item - offsetof(struct courier, party.item));
    if (!c->idle)
        return;
    if (c->connection) {
        quit(c);
    } else {
        c->idle = false;
        end_courier(c);
    }
}

static void next_parcel(struct courier *c)
{
    bool may_idle = false;
    if (c->shard->draining || delivery_is_used_up(&c->delivery) ||
        approach_has_tried(c, DELIVERY_IN_CLEAR)) {
        quit(c); /* what was tried in clear text was an exception for one parcel */
        return;
    }
    c->party.inbox = &c->shard->inbox;
    c->party.settings = c->proven.settings;
    c->party.item.run = on_told_to_go;
    c->idle = true; /* before it can be found in the list */
    struct site_party *waiter = site_next(c->site, &c->party, &may_idle);
    if (waiter) {
        c->idle = false;
        c->reused = true;
        c->parcel = (struct parcel *)(void *)((char *)waiter - offsetof(struct parcel, party));
    } else if (may_idle && endpoint_table_wanted(c->shard->common->endpoints, &c->at) &&
               site_leave_idle(c->site, &c->party)) { /* others wait for its place there */
        quit(c);
    } else if (may_idle) {
        connection_want_bytes(c->connection, true); /* to see it end */
        uv_timer_start(&c->idle_timer, on_idle_over,
                       (uint64_t)c->settings->config->idle_reuse_s * 1000, 0);
    } else {
        quit(c);
    }
}

void courier_reuse(struct site_party *idle, struct parcel *p)
{
    struct courier *c = (struct courier *)(void *)((char *)idle - offsetof(struct courier, party));
    CHECK(c->idle && !c->parcel);
    c->idle = false;
    c->reused = true;
    uv_timer_stop(&c->idle_timer);
    c->parcel = p;
    pump(c);
}

/* ---- the pump ---- */

static void start_tls(struct courier *c)
{
    connection_connect_tls(c->connection, c->settings->client, c->host_name,
                           c->parcel->route->handshake);
}

/* Take up the next message, of this parcel or the next. False when there is none. */
static bool begin_message(struct courier *c)
{
    if (!c->parcel && !c->idle)
        next_parcel(c);
    if (!c->parcel)
        return false;
    if (delivery_is_used_up(
            &c->delivery)) { /* what is left of the parcel goes on another connection */
        c->begin_again = true;
        delivery_quit(&c->delivery);
    } else if (!shipment_begin(&c->shipment, c->parcel, &c->delivery, &c->proven)) {
        parcel_done(c);
    } else {
        connection_set_limit(c->connection, delivery_limit_s(&c->delivery));
    }
    return true;
}

/* Another host is tried, and this one is not asked for leave. */
static void part(struct courier *c)
{
    struct buf last;
    buf_init(&last, 16);
    buf_add(&last, SPAN("QUIT\r\n"));
    c->go_on = true;
    connection_finish(c->connection, &last);
    buf_fini(&last);
}

static void end_message(struct courier *c)
{
    bool elsewhere = approach_elsewhere(c);
    connection_set_limit(c->connection, 0);
    take_answers(c, elsewhere);
    site_succeeded(c->site);
    if (elsewhere) {
        part(c);
        return;
    }
    delivery_next(&c->delivery);
    if (c->delivery.want == DELIVERY_CLOSE)
        parcel_answer_all(c->parcel, &c->delivery.trouble);
    if (parcel_all_answered(c->parcel))
        parcel_done(c);
}

/* Until a message is under way nobody is waited for past its time. */
static unsigned patience_s(const struct courier *c, unsigned usual_s)
{
    return c->parcel && !c->shipment.sending ? parcel_patience_s(c->parcel, usual_s) : usual_s;
}

/* A server has its time for each whole answer: bytes that trickle in gain it none. */
static void set_deadline(struct courier *c)
{
    if (c->steps != c->delivery.steps)
        connection_set_deadline(c->connection, patience_s(c, delivery_timeout_s(&c->delivery)));
    c->steps = c->delivery.steps;
}

static void pump(struct courier *c)
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
                start_tls(c);
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
    if (!c->idle && c->delivery.want != DELIVERY_CLOSE)
        delivery_timed_out(&c->delivery);
    return false;
}

static void on_bytes(void *owner, struct span bytes)
{
    struct courier *c = owner;
    parcel_note_dialogue(c->parcel, &c->delivery, "S: ", bytes);
    if (c->idle) { /* it says goodbye, or nonsense: it is of no more use */
        if (site_leave_idle(c->site, &c->party)) {
            c->idle = false;
            connection_close(c->connection, "server spoke while idle");
        }
        return;
    }
    delivery_input(&c->delivery, bytes);
    pump(c);
}

static void on_secured(void *owner)
{
    struct courier *c = owner;
    tls_describe(connection_tls(c->connection), c->tls_text, sizeof(c->tls_text));
    c->proven.level =
        tls_verified(connection_tls(c->connection)) ? TRUST_VERIFIED : TRUST_ENCRYPTED;
    delivery_tls_started(&c->delivery);
    pump(c);
}

static void on_drained(void *owner)
{
    struct courier *c = owner;
    if (c->delivery.want == DELIVERY_BODY)
        pump(c);
    else if (delivery_is_said(&c->delivery)) /* now it has its time to answer */
        connection_set_limit(c->connection, 0);
}

/* The connection ended while a message was under way. */
static void message_lost(struct courier *c)
{
    bool answered = c->delivery.remedy == DELIVERY_NEXT_HOST || c->delivery.trouble.code == 421;
    bool elsewhere = answered && approach_elsewhere(c);
    if (c->shipment.sending)
        take_answers(c, elsewhere);
    if (elsewhere) {
        approach_next(c);
        return;
    }
    parcel_answer_all(c->parcel, &c->delivery.trouble);
    courier_give_up(c);
}

static void on_ended(void *owner, const char *why)
{
    struct courier *c = owner;
    enum delivery_want was = c->delivery.want;
    c->connection = NULL;
    reach_leave(c->shard, &c->at);
    if (c->idle && !site_leave_idle(c->site, &c->party))
        return; /* told to go at the same moment: the item is on its way and must find us alive */
    c->idle = false;
    if (was != DELIVERY_CLOSE)
        delivery_lost(&c->delivery, why);
    if (!c->parcel) {
        end_courier(c);
    } else if (c->go_on) {
        approach_next(c);
    } else if (c->begin_again) {
        shipment_end(&c->shipment);
        approach_begin(c);
    } else if (approach_by_remedy(c)) {
        return;
    } else if (c->delivery.host_refused && !c->reused) {
        shipment_end(&c->shipment);
        approach_refused(c);
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
        start_tls(c);
    else
        on_bytes(c, bytes);
}

void courier_open(struct parcel *p)
{
    struct shard *s = p->shard;
    struct courier *c = xcalloc(1, sizeof(*c));
    c->shard = s;
    c->site = p->site;
    c->parcel = p;
    uv_timer_init(&s->loop, &c->idle_timer);
    c->idle_timer.data = c;
    DL_APPEND(s->couriers, c);
    approach_begin(c);
}

bool courier_make_room(struct shard *s, const struct endpoint *at)
{
    struct courier *c;
    DL_FOREACH (s->couriers, c) {
        if (c->idle && endpoint_equal(&c->at, at) && site_leave_idle(c->site, &c->party)) {
            quit(c);
            return true;
        }
    }
    return false;
}

void courier_close_idle(struct shard *s)
{
    struct courier *c;
    struct courier *next;
    DL_FOREACH_SAFE (s->couriers, c, next) {
        if (c->idle && site_leave_idle(c->site, &c->party))
            quit(c);
    }
}

void courier_close_all(struct shard *s)
{
    struct courier *c;
    struct courier *next;
    courier_close_idle(s);
    DL_FOREACH_SAFE (s->couriers, c, next) {
        if (c->connection && !c->ending && c->delivery.want != DELIVERY_CLOSE && !c->parcel)
            continue; /* says QUIT, and is heard for ten seconds at most */
        if (c->reach)
            approach_stop(c);
        else if (c->connection && !c->ending)
            connection_close(c->connection, "closing down");
    }
}
