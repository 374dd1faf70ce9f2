// SPDX-License-Identifier: BSD-2-Clause
/* host_look.c - One conversation after the other with a host, on a loop of its own.
 *
 * Happy path: connect - greeting … ready - QUIT; what was shown is noted on the way.
 *
 * Failure modes:
 * - there is a way around what goes wrong (clear text, HELO): once more, as a delivery does
 * - a server that is slow, or never comes to an end: each answer, each conversation and all of them
 *   have their time; what it may say is bounded by the machines
 * - no connection, or no use: the next address
 */
#include "host_look.h"

#include "clock.h"
#include "connection.h"

#include <stdio.h>
#include <string.h>

enum { ADDRESSES_MAX = 4, CONNECT_S = 8, ANSWER_S = 10, CONVERSATION_S = 25, QUIT_MS = 1000 };
enum { FIRST_MS = 1500, AGAIN_MS = 5000 }; /* whoever waits is told so */

/* Others ask for what a look never does, or needs a session that it never offers. */
static const unsigned ways = 1U << DELIVERY_IN_CLEAR | 1U << DELIVERY_WITH_HELO;

struct look {
    const struct host_look_terms *terms;
    struct host_look *shown; /* of this conversation */
    uv_loop_t loop;
    uv_timer_t timer;
    struct connection *connection; /* NULL: it has ended */
    struct delivery delivery;
    struct delivery_settings settings;
    unsigned steps, tried; /* tried: remedies */
    bool opened, spoke;
    int64_t end_ms;
};

/* ---- what is shown ---- */

static void note_tls(const struct look *l)
{
    const struct tls *tls = connection_tls(l->connection);
    struct host_look *shown = l->shown;
    struct tls_judgement j;
    if (!tls)
        return;
    tls_judge(tls, &j);
    tls_show(tls, &shown->tls);
    shown->found.tls.certificate = j.result;
    shown->by_dane = j.by == TLS_BY_DANE;
    shown->unusable = j.by == TLS_BY_NOTHING;
    shown->match = j.match;
    snprintf(shown->reason, sizeof(shown->reason), "%s", j.result == TLS_RESULT_OK ? "" : j.reason);
}

static void note(const struct look *l)
{
    const struct delivery *d = &l->delivery;
    struct host_look *shown = l->shown;
    shown->offers = d->offers;
    bool began_so = d->tls && l->settings.tls != DELIVERY_TLS_IMPLICIT;
    shown->offered = shown->offered || began_so || d->offers.starttls || d->tls_refused;
    shown->found.tls.tls = d->tls;
    shown->found.tls.starttls = d->tls || d->offers.starttls;
    shown->found.requiretls = d->tls && d->offers.requiretls;
    shown->found.lacks_starttls =
        !d->tls && !d->trouble.heard && strcmp(d->trouble.enhanced, "4.7.10") == 0;
    snprintf(shown->peer_name, sizeof(shown->peer_name), "%s", d->peer_name);
}

static void note_ready(const struct look *l)
{
    note(l);
    l->shown->found.contact = HOST_ANSWERS;
}

static void note_end(const struct look *l, const char *why)
{
    const struct delivery *d = &l->delivery;
    if (l->shown->found.contact == HOST_ANSWERS)
        return;
    note(l);
    if (!d->tls)
        note_tls(l); /* of a handshake that has failed */
    l->shown->found.contact = l->spoke ? HOST_REFUSES : HOST_SILENT;
    l->shown->trouble = l->opened ? d->trouble
                                  : verdict_make(451, "4.4.1", "connect to %s port %u: %s",
                                                 l->shown->address, l->terms->port, why);
}

/* ---- one conversation ---- */

static void connect_tls(struct look *l)
{
    const struct host_look_terms *t = l->terms;
    const struct tls_terms terms = {.host = t->host->name, .demand = t->demand, .dane = t->dane};
    connection_connect_tls(l->connection, t->context, &terms, NULL);
}

/* A server has its time for each whole answer: bytes that trickle in gain it none. */
static void set_deadline(struct look *l)
{
    uint64_t wait_ms = (uint64_t)delivery_timeout_s(&l->delivery) * 1000;
    if (l->steps == l->delivery.steps)
        return;
    l->steps = l->delivery.steps;
    connection_set_deadline(l->connection,
                            l->shown->found.contact == HOST_ANSWERS ? QUIT_MS : wait_ms);
}

static void pump(struct look *l)
{
    struct delivery *d = &l->delivery;
    for (;;) {
        connection_write(l->connection, &d->out);
        switch (d->want) {
        case DELIVERY_INPUT:
            set_deadline(l);
            return;
        case DELIVERY_TLS:
            if (!connection_tls(l->connection))
                connect_tls(l);
            set_deadline(l);
            return;
        case DELIVERY_READY:
            note_ready(l);
            delivery_quit(d);
            break;
        case DELIVERY_CLOSE:
            connection_finish(l->connection, NULL);
            return;
        case DELIVERY_DEMAND:
        case DELIVERY_BODY:
        case DELIVERY_DONE:
            UNREACHABLE();
        }
    }
}

static void on_opened(void *owner)
{
    struct look *l = owner;
    l->opened = true;
    connection_set_limit(l->connection, CONVERSATION_S);
    pump(l);
}

static void on_bytes(void *owner, struct span bytes)
{
    struct look *l = owner;
    l->spoke = true;
    delivery_input(&l->delivery, bytes);
    pump(l);
}

static void on_secured(void *owner)
{
    struct look *l = owner;
    l->spoke = true;
    note_tls(l);
    delivery_tls_started(&l->delivery);
    pump(l);
}

static bool on_timed_out(void *owner)
{
    struct look *l = owner;
    if (l->delivery.want == DELIVERY_CLOSE)
        return false;
    l->shown->found.late = l->shown->found.contact != HOST_ANSWERS;
    delivery_timed_out(&l->delivery);
    return false;
}

static void on_ended(void *owner, const char *why)
{
    struct look *l = owner;
    if (l->delivery.want != DELIVERY_CLOSE)
        delivery_lost(&l->delivery, why);
    note_end(l, why);
    l->connection = NULL;
}

static void converse(struct look *l, const struct ip *ip)
{
    static const struct connection_events events = {.opened = on_opened,
                                                    .bytes = on_bytes,
                                                    .secured = on_secured,
                                                    .timed_out = on_timed_out,
                                                    .ended = on_ended};
    const struct endpoint at = {.ip = *ip, .port = l->terms->port};
    *l->shown = (struct host_look){.offered = l->shown->offered};
    ip_print(ip, l->shown->address);
    l->settings.helo = (l->tried & 1U << DELIVERY_WITH_HELO) != 0;
    l->settings.tls_has_failed = (l->tried & 1U << DELIVERY_IN_CLEAR) != 0;
    if (l->settings.tls_has_failed)
        l->settings.tls = DELIVERY_TLS_NEVER;
    l->opened = l->spoke = false;
    l->steps = ~0U;
    delivery_init(&l->delivery, &l->settings);
    uv_update_time(&l->loop);
    l->connection = connection_open(&l->loop, &at, NULL, CONNECT_S, &events, l);
    while (l->connection)
        uv_run(&l->loop, UV_RUN_ONCE);
}

/* As long as there is a way around what went wrong. What was wrong with TLS people want to know. */
static void ask(struct look *l, const struct ip *ip)
{
    struct host_look before = {.address = ""};
    unsigned way = 0;
    l->tried = 0;
    l->settings.tls = l->terms->tls;
    do {
        converse(l, ip);
        way = 1U << l->delivery.remedy & ways & ~l->tried;
        delivery_fini(&l->delivery);
        if ((way & 1U << DELIVERY_IN_CLEAR) != 0)
            before = *l->shown;
        l->tried |= way;
    } while (way != 0 && clock_steady_ms() < l->end_ms);
    if (before.address[0]) {
        l->shown->tls = before.tls;
        l->shown->found.late = l->shown->found.late || before.found.late;
        snprintf(l->shown->reason, sizeof(l->shown->reason), "%.199s",
                 before.reason[0] ? before.reason : before.trouble.text);
    }
}

/* As waiting.h does it for DNS. */
static void on_timer(uv_timer_t *timer)
{
    const struct look *l = timer->data;
    if (l->connection)
        fprintf(stderr, "sealpost: waiting for %s (%s)\n", l->shown->address,
                l->opened ? delivery_stage_name(&l->delivery) : "connecting");
}

/* ---- its addresses ---- */

/* How far it got. */
static unsigned rank(const struct host_look *shown)
{
    bool fits = shown->found.tls.certificate == TLS_RESULT_OK;
    return 4U * (unsigned)shown->found.contact + (shown->found.tls.tls ? 2U : 0U) +
           (fits ? 1U : 0U);
}

static bool is_as_wanted(const struct host_look_terms *terms, const struct host_look *shown)
{
    return shown->found.contact == HOST_ANSWERS &&
           (!terms->fits || shown->found.tls.certificate == TLS_RESULT_OK);
}

void host_look(const struct host_look_terms *terms, struct host_look *look_r)
{
    struct host_look shown = {.address = ""};
    struct look l = {.terms = terms, .shown = &shown};
    l.settings = (struct delivery_settings){
        .hostname = terms->config->hostname, .port = terms->port, .most_s = ANSWER_S};
    l.end_ms = clock_steady_ms() + terms->time_ms;
    *look_r = (struct host_look){.found.contact = HOST_UNASKED};
    CHECK(uv_loop_init(&l.loop) == 0);
    uv_timer_init(&l.loop, &l.timer);
    l.timer.data = &l;
    uv_timer_start(&l.timer, on_timer, FIRST_MS, AGAIN_MS);
    for (size_t i = 0; i < terms->host->count && i < ADDRESSES_MAX; i++) {
        if (clock_steady_ms() >= l.end_ms)
            break;
        ask(&l, &terms->host->ips[i]);
        if (i == 0 || rank(&shown) > rank(look_r))
            *look_r = shown;
        if (is_as_wanted(terms, look_r))
            break;
    }
    uv_close((uv_handle_t *)&l.timer, NULL);
    uv_run(&l.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&l.loop) == 0);
}
