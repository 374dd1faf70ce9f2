// SPDX-License-Identifier: BSD-2-Clause
/* outbound.c - One connection of the queue, to one host of a destination: the delivery machine on
 * it, fed with one attempt after the other.
 *
 * Happy path: reach a host - greeting … ready - compose and send - answers - what the queue says is
 * next, or idle - QUIT.
 *
 * Failure modes:
 * - this host refuses us before a message is spoken of, or there is a way around: failover.c
 * - the connection ends while a message is under way: those without an answer are tried later
 * - an idle connection turns out to be dead: the queue has its attempt again, untried
 * - it ends before anything of a message is said: that goes on another one, and it is no try
 * - class security waits, and recipients are left: they go back, untried
 *
 * Owner: the shard's list and its table by number (outbound_pool.c). The queue knows the connection
 * from birth until outbound_end() or a failure that it is told.
 */
#include "clock.h"
#include "log.h"
#include "outbound_parts.h"
#include "session_count.h"
#include "trace.h"
#include "works.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { HURRIED_S = 10 };       /* for each answer, while others wait for the place */
enum { TLS_OWN_BYTES = 1024 }; /* at most what TLS says by itself on reading, as a new key */

static void take_answers(struct outbound *c, bool elsewhere)
{
    struct attempt *p = c->attempt;
    attempt_meets(p, c->host_name, c->peer);
    span_put(span_of(c->tls_text), p->host.tls, sizeof(p->host.tls));
    p->host.verified =
        c->proven.level == TRUST_VERIFIED ||
        (p->host.tls_policy == TLS_POLICY_DANE && p->host.tls_result == TLS_RESULT_OK);
    p->hop_dsn = c->delivery.offers.dsn;
    if (elsewhere)
        transaction_take_other_answers(&c->transaction);
    else
        transaction_take_answers(&c->transaction);
    if (!attempt_all_answered(p))
        attempt_answered_by(p);
    if (elsewhere)
        attempt_record(p);
}

static void attempt_done(struct outbound *c)
{
    struct attempt *p = c->attempt;
    transaction_end(&c->transaction);
    c->attempt = NULL;
    c->trouble = (struct verdict){0};
    outbound_has_spoken(c, p);
    attempt_settle(p);
}

/* ---- idleness ---- */

void outbound_quit(struct outbound *c)
{
    c->idle = false;
    if (c->connection && c->delivery.want == DELIVERY_READY) {
        delivery_quit(&c->delivery);
        outbound_pump(c);
    }
}

/* What the queue says is next on this connection. */
void outbound_next_attempt(struct outbound *c)
{
    struct dispatch_work *work = NULL;
    bool exception = failover_has_tried(c, DELIVERY_IN_CLEAR); /* one attempt's, no other's */
    bool reusable = !c->home->worker->draining && !exception &&
                    !delivery_is_used_up(&c->delivery) && !failover_looks_back(c);
    switch (outbound_tell_spoken(c, reusable, &work)) {
    case QUEUE_NEXT_SEND: /* by outbound_send(), as when it comes later */
        works_add(c->home, work);
        break;
    case QUEUE_NEXT_IDLE:
        break;
    case QUEUE_NEXT_CLOSE:
        outbound_quit(c);
        return;
    }
    c->idle = true;
    connection_want_bytes(c->connection, true); /* to see it end */
}

/* ---- the pump ---- */

/* The first time that it is ready. False: the queue has given it up meanwhile. */
static bool tell_opened(struct outbound *c)
{
    if (c->opened)
        return true;
    c->opened_ms = clock_steady_ms();
    c->opened = dispatch_opened(c->home->shared->dispatch, c->number, &c->at);
    if (c->opened)
        return true;
    c->unwanted = true;
    delivery_quit(&c->delivery);
    return false;
}

static bool still_holds(struct outbound *c)
{
    bool holds = host_trust_holds(c);
    session_count_ready(c);
    return holds;
}

/* Take up the next message, of this attempt or the next. False when there is none. */
static bool begin_message(struct outbound *c)
{
    if (!tell_opened(c))
        return true;
    if (!c->attempt && !c->idle)
        outbound_next_attempt(c);
    if (!c->attempt)
        return false;
    c->delivery_settings.hurry = failover_hurries(c);
    c->taken = c->mail_taken = false;
    CHECK(failover_leads_here(c, c->attempt->work->hosts)); /* as outbound_send() has seen */
    if (delivery_is_used_up(&c->delivery)) { /* the rest goes on another connection */
        c->begin_again = true;
        delivery_quit(&c->delivery);
    } else if (!still_holds(c)) { /* what is known of its host has changed meanwhile */
        connection_close(c->connection, "what the host must prove has changed");
        return false;
    } else if (!transaction_begin(&c->transaction, c->attempt, &c->delivery)) {
        if (failover_if_unsure(c))
            return false;
        attempt_done(c);
    } else if (!transaction_composing(&c->transaction)) {
        connection_set_limit(c->connection, delivery_limit_s(&c->delivery));
    }
    return !transaction_composing(&c->transaction);
}

static void end_message(struct outbound *c)
{
    bool elsewhere = failover_elsewhere(c);
    c->lost_early = false;
    c->answered = c->answered || delivery_was_answered(&c->delivery);
    if (c->connection)
        connection_set_limit(c->connection, 0);
    if (!elsewhere && outbound_turned_away(c, &c->delivery.mail_refused, true)) {
        delivery_next(&c->delivery);
        return;
    }
    take_answers(c, elsewhere);
    if (elsewhere) {
        failover_part(c);
        return;
    }
    delivery_next(&c->delivery);
    if (c->delivery.want == DELIVERY_CLOSE)
        attempt_answer_all(c->attempt, &c->delivery.trouble);
    if (attempt_all_answered(c->attempt)) {
        attempt_done(c);
    } else if (attempt_has_answer(c->attempt) &&
               (attempt_asks_no_more(c->attempt) ||
                dispatch_rest_waits(c->home->shared->dispatch, c->number))) {
        attempt_leave_rest(c->attempt);
        attempt_done(c);
    } else {
        attempt_record(c->attempt);
    }
}

/* Until a message is under way nobody is waited for past its time. */
static uint64_t patience_ms(const struct outbound *c, unsigned usual_s)
{
    uint64_t usual_ms = (uint64_t)usual_s * 1000;
    return c->attempt && !c->transaction.sending ? attempt_timeout_ms(c->attempt, usual_ms)
                                                 : usual_ms;
}

/* Of a message that is said; once that is nothing the kernel is not asked again. */
static size_t not_taken(struct outbound *c)
{
    size_t left = c->taken ? 0 : connection_unacknowledged(c->connection);
    c->taken = left == 0;
    return left;
}

/* After the final dot it has all of its time: less would send the message twice. But what has not
 * come to it is still being sent. */
void outbound_set_deadline(struct outbound *c)
{
    unsigned s = delivery_timeout_s(&c->delivery);
    bool said = delivery_is_said(&c->delivery);
    c->unacknowledged = said ? not_taken(c) : 0;
    if (c->unacknowledged > 0)
        s = delivery_piece_s(&c->delivery);
    else if (c->hurried && s > HURRIED_S && !said)
        s = HURRIED_S;
    connection_set_deadline(c->connection, patience_ms(c, s));
}

/* A server has its time for each whole answer: bytes that trickle in gain it none. */
static void set_deadline(struct outbound *c)
{
    if (c->steps != c->delivery.steps)
        outbound_set_deadline(c);
    c->steps = c->delivery.steps;
}

/* Commands or answers: for the dialogue of its message, or for the log. */
static void note_said(struct outbound *c, enum trace_side side, struct span bytes)
{
    attempt_note_dialogue(c->attempt, &c->delivery, side == TRACE_CLIENT ? "C: " : "S: ", bytes);
    if (c->traced && bytes.len > 0)
        trace_say(c->host_name, c->peer, c->number, side,
                  delivery_is_login(&c->delivery) ? SPAN("(authentication)") : bytes);
}

/* It has all of the message: from now on it has its time to answer. */
static void note_taken(struct outbound *c)
{
    if (delivery_is_said(&c->delivery) && not_taken(c) == 0)
        connection_set_limit(c->connection, 0);
}

/* A session is resumed with the same server, from the same address, if as much is demanded. */
static void connect_tls(struct outbound *c)
{
    const struct config_route *route = c->attempt->route;
    char key[sizeof(c->host_name) + sizeof(c->peer) + TRUST_KEY + 32];
    snprintf(key, sizeof(key), "%s %s %u %x ", c->host_name, c->peer, c->at.port, c->at.from);
    trust_key(&route->trust, key + strlen(key));
    enum tls_demand demand = route->handshake;
    struct dane dane;
    if (demand < TLS_STRONG && host_policy_demands_tls(&c->policy))
        demand = TLS_STRONG;
    struct tls_terms terms = {.host = c->host_name,
                              .dane = host_trust_terms(c, &dane),
                              .demand = demand,
                              .valid = host_trust_by_policy(c),
                              .session_key =
                                  failover_has_tried(c, DELIVERY_WHOLE_HANDSHAKE) ? NULL : key};
    const struct handshake_terms turns = {.all = c->home->worker->handshakes,
                                          .tenant = c->attempt->mail->tenant,
                                          .urgent = c->attempt->mail->class == STREAM_SECURITY};
    connection_connect_tls(c->connection, c->settings->client, &terms, &turns);
    c->delivery.resuming = connection_tls(c->connection)->resumes;
}

/* It wants the content: it has taken MAIL. */
static void tell_mail_taken(struct outbound *c)
{
    if (!c->mail_taken)
        dispatch_mail_taken(c->home->shared->dispatch, c->number,
                            c->attempt->mail->envelope.sender);
    c->mail_taken = true;
}

void outbound_pump(struct outbound *c)
{
    for (;;) {
        if (c->delivery.want != DELIVERY_BODY)
            note_said(c, TRACE_CLIENT, buf_span(&c->delivery.out));
        connection_write(c->connection, &c->delivery.out);
        switch (c->delivery.want) {
        case DELIVERY_INPUT:
            set_deadline(c);
            return;
        case DELIVERY_DEMAND:
            set_deadline(c);
            host_trust_decide(c);
            break;
        case DELIVERY_TLS:
            if (!connection_tls(c->connection))
                connect_tls(c);
            set_deadline(c);
            return;
        case DELIVERY_READY:
            if (!begin_message(c))
                return;
            break;
        case DELIVERY_BODY:
            tell_mail_taken(c);
            transaction_feed(&c->transaction, c->connection);
            set_deadline(c);
            if (c->taken)
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

/* Of a message that is said, has more come to the server, or all of it? */
static bool takes_more(struct outbound *c)
{
    bool more = delivery_is_said(&c->delivery) && not_taken(c) < c->unacknowledged;
    if (more) {
        note_taken(c);
        outbound_set_deadline(c);
    }
    return more;
}

/* What the server has said waits for a turn of ours: it is not silent. A message whose time is over
 * meanwhile goes back, and nothing is held against the host. */
static bool waits_on(struct outbound *c)
{
    c->unwanted = c->counted = attempt_left_ms(c->attempt) <= 0;
    if (!c->unwanted)
        outbound_set_deadline(c);
    return !c->unwanted;
}

static bool on_timed_out(void *owner)
{
    struct outbound *c = owner;
    if (c->idle || c->delivery.want == DELIVERY_CLOSE)
        return false;
    if (c->attempt && connection_awaits_turn(c->connection))
        return waits_on(c);
    if (takes_more(c))
        return true;
    c->stalled = c->attempt && attempt_left_ms(c->attempt) > 0;
    delivery_timed_out(&c->delivery);
    return false;
}

/* Whoever has read the final dot has acknowledged all before it. What its TCP has taken and it has
 * not read, nobody can see. */
static bool speaks_early(struct outbound *c)
{
    size_t own = connection_tls(c->connection) ? TLS_OWN_BYTES : 0;
    return delivery_is_said(&c->delivery) && not_taken(c) > own;
}

static void on_bytes(void *owner, struct span bytes)
{
    struct outbound *c = owner;
    note_said(c, TRACE_SERVER, bytes);
    if (c->idle) { /* it says goodbye, or nonsense: it is of no more use */
        c->idle = false;
        connection_close(c->connection, "server spoke while idle");
        return;
    }
    if (speaks_early(c))
        delivery_answered_early(&c->delivery);
    delivery_input(&c->delivery, bytes);
    outbound_pump(c);
}

static void on_secured(void *owner)
{
    struct outbound *c = owner;
    tls_describe(connection_tls(c->connection), c->tls_text, sizeof(c->tls_text));
    switch (host_trust_judge(c)) {
    case HOST_TRUSTED:
        delivery_tls_started(&c->delivery);
        break;
    case HOST_DISTRUSTED:
        break;
    case HOST_UNDECIDED:
        return;
    }
    outbound_pump(c);
}

static void on_drained(void *owner)
{
    struct outbound *c = owner;
    if (c->delivery.want == DELIVERY_BODY)
        outbound_pump(c);
    else
        note_taken(c);
}

/* The connection ended while a message was under way. */
static void message_lost(struct outbound *c)
{
    failover_hide_login(c);
    struct verdict v = c->delivery.trouble;
    bool answered = c->delivery.remedy == DELIVERY_NEXT_HOST || v.code == 421;
    bool elsewhere = answered && failover_elsewhere(c);
    bool taken = v.what == VERDICT_DEFER && !c->delivery.host_refused &&
                 delivery_has_taken_mail(&c->delivery);
    bool refused = answered && v.code == 421 && !taken;
    if (c->transaction.sending)
        take_answers(c, elsewhere || refused);
    if (elsewhere)
        failover_next(c);
    else if (!failover_apart(c))
        outbound_fail(c,
                      refused ? QUEUE_FAIL_REFUSED
                      : taken ? QUEUE_FAIL_BROKE
                              : QUEUE_FAIL_LOST,
                      &v);
}

/* It ended before anything of the message was said. Once that is no try of it, and another one is
 * opened; a server that hangs up again has failed, so that it is seen and waited for. */
static void lost_early(struct outbound *c)
{
    transaction_end(&c->transaction);
    if (c->lost_early) {
        outbound_fail(c, QUEUE_FAIL_LOST, &c->delivery.trouble);
        return;
    }
    c->lost_early = true;
    failover_begin(c);
}

/* Where it ended instead of a goodbye, its last message is answered all the same. */
static void end_last_message(struct outbound *c)
{
    end_message(c);
    c->begin_again = !c->go_on; /* if anybody is left */
}

/* There is no way around, and it would be the next host's turn. */
static bool doubts_refusal(const struct outbound *c)
{
    enum delivery_remedy remedy = c->delivery.remedy;
    bool last = remedy == DELIVERY_ENOUGH || remedy == DELIVERY_NEXT_HOST;
    return c->attempt && c->delivery.host_refused && !c->reused && last && host_trust_doubts(c);
}

static void on_ended(void *owner, const char *why)
{
    struct outbound *c = owner;
    enum delivery_want was = c->delivery.want;
    c->idle = false;
    if (was != DELIVERY_CLOSE)
        delivery_lost(&c->delivery, why);
    c->anew = c->anew || doubts_refusal(c);
    session_count_ended(c);
    host_trust_explain_route(c);
    c->connection = NULL;
    if (c->delivery.want == DELIVERY_DONE && !c->go_on)
        end_last_message(c);
    if (!c->attempt) {
        outbound_end(c);
    } else if (c->unwanted) {
        outbound_drop(c, why);
    } else if (c->anew) {
        outbound_put_back(c);
    } else if (c->again) {
        failover_again(c);
    } else if (c->go_on) {
        failover_next(c);
    } else if (c->begin_again || (c->reused && was == DELIVERY_READY)) {
        transaction_end(&c->transaction);
        failover_begin(c);
    } else if (failover_by_remedy(c)) {
        return;
    } else if (c->delivery.host_refused && !c->reused) {
        transaction_end(&c->transaction);
        failover_refused(c);
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

void outbound_take(struct outbound *c, struct connection *connection, struct span bytes)
{
    c->connection = connection;
    connection_hand_over(connection, &events, c);
    connection_peer(connection, c->peer);
    c->traced = trace_is_chosen(c->peer) || trace_is_chosen(c->host_name) ||
                trace_is_chosen(c->attempt->work->domain);
    c->steps = c->delivery.steps - 1; /* no deadline is set for this one yet */
    set_deadline(c);
    if (c->delivery.want == DELIVERY_TLS)
        connect_tls(c);
    else
        on_bytes(c, bytes);
}
