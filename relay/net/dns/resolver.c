// SPDX-License-Identifier: BSD-2-Clause
/* resolver.c - One question becomes several lookups: MX, then A and AAAA of each host, all at once.
 *
 * Happy path: MX - (implicit MX when there is none) - addresses - hosts in the order to be tried.
 *
 * Answers are used as they come. When a host of the best preference has an address, the others have
 * a fifth of a second more (RFC 8305 section 3); when only worse ones have, the best have two
 * seconds. So a lookup that hangs costs its own host, and what comes late serves the next question.
 *
 * Failure modes:
 * - SERVFAIL or silence: FAILED; but when the root does not answer either: DOWN
 * - no such domain, a null MX, ourselves as the best MX: each has its own result
 * - no host has an address: FAILED if a lookup failed; LOOP or BARRED if there are addresses to
 *   which DNS may not lead; else NO_DOMAIN
 *
 * A lookup has no timeout: ours is the question's timer. Each waits for its turn: libunbound has so
 * many sockets, and lets whoever comes next wait until one is free. Half of them are used at most,
 * as it goes on for some seconds with what has been cancelled, and may ask several servers for one.
 */
#include "resolver.h"

#include "dns_query.h"
#include "lookup_turns.h"
#include "reachable.h"
#include "secret.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARTS_MAX = 2 * HOSTS_MAX + 2,
    QUESTION_TIMEOUT_MS = 20000,
    OTHERS_MS = 200, /* for the other addresses, when the best preference has one */
    BEST_MS = 2000   /* for the best preference, when a worse one has an address */
};

/* One of the lookups that a question is made of. */
struct part {
    struct question *question;
    struct lookup_turn *turn; /* NULL: it has ended, or needs none */
    struct dns_query *lookup; /* NULL: it has not begun, or has ended */
    const char *name;         /* borrowed from the question */
    enum dns_type type;
    size_t host;
};

struct question {
    struct question *next, *previous;
    struct resolver *resolver;
    uv_timer_t timer;
    const struct config *config; /* borrowed */
    char domain[ADDRESS_DOMAIN_MAX + 1], tenant[64];
    unsigned port;
    bool direct, urgent;
    struct part parts[PARTS_MAX];
    size_t part_count, pending;
    unsigned waits_ms;       /* for those that are missing; 0: for all, by the question's timer */
    unsigned own_preference; /* of a host with an address of ours; UINT_MAX: none */
    bool failed, own;
    struct resolver_answer answer;
    resolver_on_hosts *done;
    void *context;
};

struct resolver {
    uv_loop_t *loop;
    struct dns_queries *lookups;
    struct lookup_turns *turns;
    struct question *questions;
    uv_timer_t *begin; /* gives turns; freed in its close callback */
    char hostname[256];
};

static void probe_root(struct question *q);

void resolver_change_config(struct resolver *r, const struct config *config)
{
    snprintf(r->hostname, sizeof(r->hostname), "%s", config->hostname);
}

bool resolver_new(uv_loop_t *loop, const struct config *config, struct resolver **resolver_r,
                  struct err *err)
{
    struct resolver *r = xcalloc(1, sizeof(*r));
    if (!dns_queries_new(loop, config, NULL, &r->lookups, err)) {
        free(r);
        return false;
    }
    r->loop = loop;
    r->turns = lookup_turns_new(dns_queries_most(config) / 2);
    r->begin = xcalloc(1, sizeof(*r->begin));
    r->begin->data = r;
    uv_timer_init(loop, r->begin);
    resolver_change_config(r, config);
    *resolver_r = r;
    return true;
}

/* ---- the end of a question ---- */

static void on_question_closed(uv_handle_t *handle)
{
    struct question *q = handle->data;
    hosts_fini(&q->answer.hosts);
    free(q);
}

static void on_begin(uv_timer_t *timer);

/* Somebody waits, or a turn has ended: soon, and not from inside of what is going on. */
static void begin_soon(struct resolver *r)
{
    if (!uv_is_active((uv_handle_t *)r->begin))
        uv_timer_start(r->begin, on_begin, 0, 0);
}

/* Answered, cancelled, or it could not be asked. */
static void end_part(struct part *p)
{
    struct resolver *r = p->question->resolver;
    lookup_turns_end(r->turns, p->turn);
    p->turn = NULL;
    p->lookup = NULL;
    begin_soon(r);
}

static void cancel_lookups(struct question *q)
{
    for (size_t i = 0; i < q->part_count; i++) {
        dns_query_cancel(q->parts[i].lookup);
        end_part(&q->parts[i]);
    }
    q->pending = 0;
}

static void close_question(struct question *q)
{
    cancel_lookups(q);
    if (q->next)
        q->next->previous = q->previous;
    if (q->previous)
        q->previous->next = q->next;
    else
        q->resolver->questions = q->next;
    uv_close((uv_handle_t *)&q->timer, on_question_closed);
}

static void finish(struct question *q, enum resolver_result result)
{
    resolver_on_hosts *done = q->done;
    struct resolver_answer answer = q->answer;
    void *context = q->context;
    answer.result = result;
    q->answer.hosts = (struct hosts){0}; /* they are the receiver's now */
    CHECK(result != RESOLVER_FOUND || hosts_have_ips(&answer.hosts));
    close_question(q);
    done(context, &answer);
}

static void conclude(struct question *q);

static void on_timeout(uv_timer_t *timer)
{
    struct question *q = timer->data;
    bool probing = q->part_count > 0 && q->parts[q->part_count - 1].type == DNS_NS;
    q->failed = q->failed || q->pending > 0;
    cancel_lookups(q);
    if (probing)
        finish(q, RESOLVER_DOWN);
    else if (hosts_have_ips(&q->answer.hosts))
        conclude(q);
    else
        probe_root(q);
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    while (r->questions)
        close_question(r->questions);
    uv_close((uv_handle_t *)r->begin, (uv_close_cb)free);
    lookup_turns_free(r->turns);
    dns_queries_free(r->lookups);
    free(r);
}

/* ---- lookups ---- */

static void on_answer(void *context, struct dns_answer *answer);

static bool is_open(const struct part *p)
{
    return p->turn || p->lookup;
}

static void begin_lookup(struct part *p)
{
    struct question *q = p->question;
    p->lookup = dns_query_start(q->resolver->lookups, p->name, p->type, on_answer, p);
    if (p->lookup)
        return;
    end_part(p);
    q->pending--;
    q->failed = true;
    if (q->pending == 0)
        uv_timer_start(&q->timer, on_timeout, 0, 0);
}

static void on_begin(uv_timer_t *timer)
{
    struct resolver *r = timer->data;
    struct part *p;
    while ((p = lookup_turns_next(r->turns)))
        begin_lookup(p);
}

static struct part *add_part(struct question *q, const char *name, enum dns_type type, size_t host)
{
    CHECK(q->part_count < PARTS_MAX);
    struct part *p = &q->parts[q->part_count++];
    *p = (struct part){.question = q, .name = name, .type = type, .host = host};
    q->pending++;
    return p;
}

static void look_up(struct question *q, const char *name, enum dns_type type, size_t host)
{
    struct resolver *r = q->resolver;
    struct part *p = add_part(q, name, type, host);
    p->turn = lookup_turns_wait(r->turns, q->tenant, q->urgent, (unsigned)host, p);
    begin_soon(r);
}

/* DNS may not lead there: remember why. */
static void bar(struct question *q, const struct host *host, const struct ip *ip, bool own,
                const char *why)
{
    char text[IP_TEXT];
    ip_print(ip, text);
    if (own && !ip_is_loopback(ip) && host->preference < q->own_preference)
        q->own_preference = host->preference;
    if (!q->answer.why[0] || (own && !q->own))
        snprintf(q->answer.why, sizeof(q->answer.why), "%.230s has %s: %s", host->name, why, text);
    q->own = q->own || own;
}

static void add_address(struct question *q, size_t host, enum dns_type type, struct span data)
{
    struct ip ip = {.v6 = type == DNS_AAAA};
    const char *why = NULL;
    if (data.len != (ip.v6 ? 16U : 4U))
        return;
    memcpy(ip.bytes, data.ptr, data.len);
    enum reachable may = q->direct ? REACHABLE_YES : reachable(q->config, &ip, q->port, &why);
    if (may == REACHABLE_YES)
        hosts_add_ip(&q->answer.hosts, host, &ip);
    else
        bar(q, &q->answer.hosts.all[host], &ip, may == REACHABLE_SELF, why);
}

static uint64_t random_number(void)
{
    uint64_t number = 0;
    secret_random(&number, sizeof(number));
    return number;
}

static bool looks_like_address(struct span name)
{
    char text[IP_TEXT];
    struct ip ip;
    return span_copy(name, text, sizeof(text)) && ip_parse(text, &ip);
}

/* Ourselves in the list: hosts of our preference and worse are dropped (RFC 5321 section 5.1). */
static void drop_self(struct question *q)
{
    struct hosts *h = &q->answer.hosts;
    for (size_t i = 0; i < h->count; i++) {
        if (strcasecmp(h->all[i].name, q->resolver->hostname) == 0) {
            hosts_cut(h, h->all[i].preference);
            return;
        }
    }
}

/* An MX names a host (RFC 5321 section 5.1); nobody else is asked in its place. */
static void note_no_host(struct question *q, struct span name)
{
    if (looks_like_address(name))
        snprintf(q->answer.why, sizeof(q->answer.why),
                 "its MX record holds the address %.*s instead of a host name (RFC 5321 5.1)",
                 SPAN_ARG(name));
    else
        snprintf(q->answer.why, sizeof(q->answer.why), "its MX record holds no valid host name");
}

static void read_mx(struct question *q, const struct dns_answer *answer)
{
    struct hosts *h = &q->answer.hosts;
    bool null_mx = false;
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_rr *rr = &answer->rrs[i];
        null_mx = null_mx || rr->data.len == 0;
        /* S31: a null MX beside others is ignored */
        if (address_is_host(rr->data) && rr->data.len <= ADDRESS_DOMAIN_MAX &&
            !looks_like_address(rr->data))
            hosts_add(h, rr->data, rr->preference);
        else if (rr->data.len > 0)
            note_no_host(q, rr->data);
    }
    if (h->count == 0) {
        finish(q, null_mx            ? RESOLVER_NULL_MX
                  : q->answer.why[0] ? RESOLVER_BARRED
                                     : RESOLVER_NO_DOMAIN);
        return;
    }
    q->answer.why[0] = '\0';
    hosts_sort(h, random_number());
    drop_self(q);
    if (h->count == 0) {
        finish(q, RESOLVER_LOOP);
        return;
    }
    for (size_t i = 0; i < h->count; i++) {
        look_up(q, h->all[i].name, DNS_A, i);
        look_up(q, h->all[i].name, DNS_AAAA, i);
    }
}

static void ask_host(struct question *q, const char *name)
{
    hosts_add(&q->answer.hosts, span_of(name), 0);
    name = q->answer.hosts.all[0].name;
    look_up(q, name, DNS_A, 0);
    look_up(q, name, DNS_AAAA, 0);
}

/* What is known by now decides. */
static void conclude(struct question *q)
{
    struct hosts *h = &q->answer.hosts;
    hosts_cut(h, q->own_preference);
    if (hosts_have_ips(h)) {
        hosts_spread(h, random_number());
        finish(q, RESOLVER_FOUND);
    } else if (q->failed) {
        probe_root(q);
    } else if (q->answer.why[0]) {
        finish(q, q->own ? RESOLVER_LOOP : RESOLVER_BARRED);
    } else if (h->count > 0 && !q->direct && strcasecmp(h->all[0].name, q->domain) != 0) {
        snprintf(q->answer.why, sizeof(q->answer.why), "its MX %.255s has no address",
                 h->all[0].name);
        finish(q, RESOLVER_BARRED);
    } else {
        finish(q, RESOLVER_NO_DOMAIN);
    }
}

static bool is_pending(const struct question *q, size_t host)
{
    for (size_t i = 0; i < q->part_count; i++)
        if (q->parts[i].host == host && is_open(&q->parts[i]))
            return true;
    return false;
}

/* Some are missing. How long are they waited for? */
static void wait_for_others(struct question *q)
{
    const struct hosts *h = &q->answer.hosts;
    unsigned best = UINT_MAX;
    unsigned wait_ms = 0;
    for (size_t i = 0; i < h->count; i++) { /* they are in order */
        if (h->all[i].count == 0 && !is_pending(q, i))
            continue;
        best = best == UINT_MAX ? h->all[i].preference : best;
        if (h->all[i].count > 0 && wait_ms == 0)
            wait_ms = h->all[i].preference == best ? OTHERS_MS : BEST_MS;
    }
    if (wait_ms == 0 || (q->waits_ms > 0 && q->waits_ms <= wait_ms))
        return;
    q->waits_ms = wait_ms;
    uv_timer_start(&q->timer, on_timeout, wait_ms, 0);
}

static void take_mx(struct question *q, const struct dns_answer *answer)
{
    switch (answer->status) {
    case DNS_PENDING:
        UNREACHABLE();
    case DNS_FAILED:
        probe_root(q);
        break;
    case DNS_NXDOMAIN:
        finish(q, RESOLVER_NO_DOMAIN);
        break;
    case DNS_FOUND:
        read_mx(q, answer);
        break;
    case DNS_NODATA:
        ask_host(q, q->domain); /* implicit MX */
        break;
    }
}

static void take_answer(struct question *q, const struct part *p, const struct dns_answer *answer)
{
    bool failed = answer->status == DNS_FAILED;
    if (p->type == DNS_NS) {
        finish(q, failed && !answer->refused ? RESOLVER_DOWN : RESOLVER_FAILED);
        return;
    }
    if (p->type == DNS_MX) {
        take_mx(q, answer);
        return;
    }
    q->failed = q->failed || failed;
    for (size_t i = 0; i < answer->count; i++)
        add_address(q, p->host, p->type, answer->rrs[i].data);
    if (q->pending == 0)
        conclude(q);
    else
        wait_for_others(q);
}

static void on_answer(void *context, struct dns_answer *answer)
{
    struct part *p = context;
    struct question *q = p->question;
    end_part(p);
    q->pending--;
    take_answer(q, p, answer);
    dns_answer_free(answer);
}

/* Is it this domain, or is it our network? The root tells, one name; it waits for no turn. */
static void probe_root(struct question *q)
{
    cancel_lookups(q);
    q->part_count = 0;
    uv_timer_start(&q->timer, on_timeout, QUESTION_TIMEOUT_MS / 4, 0);
    begin_lookup(add_part(q, "", DNS_NS, 0));
}

static struct question *new_question(struct resolver *r, const struct resolver_query *query)
{
    struct question *q = xcalloc(1, sizeof(*q));
    q->resolver = r;
    q->config = query->config;
    q->port = query->port;
    q->direct = query->direct;
    q->urgent = query->urgent;
    snprintf(q->tenant, sizeof(q->tenant), "%s", query->tenant);
    q->own_preference = UINT_MAX;
    snprintf(q->domain, sizeof(q->domain), "%s", query->domain);
    q->next = r->questions;
    if (q->next)
        q->next->previous = q;
    r->questions = q;
    uv_timer_init(r->loop, &q->timer);
    q->timer.data = q;
    return q;
}

void resolver_find(struct resolver *r, const struct resolver_query *query, resolver_on_hosts *done,
                   void *context)
{
    struct question *q = new_question(r, query);
    struct ip ip;
    q->done = done;
    q->context = context;
    uv_timer_start(&q->timer, on_timeout, QUESTION_TIMEOUT_MS, 0);
    if (query->direct && ip_parse(query->domain, &ip)) {
        hosts_add(&q->answer.hosts, span_of(query->domain), 0);
        hosts_add_ip(&q->answer.hosts, 0, &ip);
    } else if (query->direct) {
        ask_host(q, query->domain);
    } else {
        look_up(q, q->domain, DNS_MX, 0);
    }
    if (q->pending == 0) /* never answer from inside the call: the timer does */
        uv_timer_start(&q->timer, on_timeout, 0, 0);
}
