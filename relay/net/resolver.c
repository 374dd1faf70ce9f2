// SPDX-License-Identifier: BSD-2-Clause
/* resolver.c - One question becomes several lookups: MX, then A and AAAA of each host, all at once.
 *
 * Happy path: MX - (implicit MX when there is none) - addresses - hosts sorted by preference,
 * shuffled inside one - done.
 *
 * Failure modes:
 * - SERVFAIL or silence: FAILED; but when the root does not answer either: DOWN
 * - no such domain, a null MX, ourselves as the best MX: each has its own result
 * - hosts without addresses are left out; when none is left: FAILED if a lookup failed, else
 *   NO_DOMAIN
 *
 * A lookup has no timeout: ours is the question's timer.
 */
#include "resolver.h"

#include "lookup.h"
#include "secret.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 2 * RESOLVER_HOSTS_MAX + 2, QUESTION_TIMEOUT_MS = 20000 };

/* One of the lookups that a question is made of. */
struct part {
    struct question *question;
    struct lookup *lookup; /* NULL when it is answered */
    enum dns_type type;
    size_t host;
};

struct question {
    struct question *next, *previous;
    struct resolver *resolver;
    uv_timer_t timer;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    unsigned port;
    struct part parts[PARTS_MAX];
    size_t part_count, pending;
    bool failed, finished;
    struct resolver_answer answer;
    resolver_on_hosts *done;
    void *context;
};

struct resolver {
    uv_loop_t *loop;
    struct lookups *lookups;
    struct question *questions;
    char hostname[256];
};

static void probe_root(struct question *q);

bool resolver_new(uv_loop_t *loop, const struct config *config, struct resolver **resolver_r,
                  struct err *err)
{
    struct resolver *r = xcalloc(1, sizeof(*r));
    if (!lookups_new(loop, config, NULL, &r->lookups, err)) {
        free(r);
        return false;
    }
    r->loop = loop;
    snprintf(r->hostname, sizeof(r->hostname), "%s", config->hostname);
    *resolver_r = r;
    return true;
}

/* ---- the end of a question ---- */

static void on_question_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void cancel_lookups(struct question *q)
{
    for (size_t i = 0; i < q->part_count; i++) {
        lookup_cancel(q->parts[i].lookup);
        q->parts[i].lookup = NULL;
    }
    q->pending = 0;
}

static void close_question(struct question *q)
{
    cancel_lookups(q);
    q->finished = true;
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
    q->answer.result = result;
    if (result == RESOLVER_FOUND)
        CHECK(q->answer.count > 0);
    resolver_on_hosts *done = q->done;
    struct resolver_answer answer = q->answer;
    void *context = q->context;
    close_question(q);
    done(context, &answer);
}

static void on_timeout(uv_timer_t *timer)
{
    struct question *q = timer->data;
    bool probing = q->part_count > 0 && q->parts[q->part_count - 1].type == DNS_NS;
    cancel_lookups(q);
    if (probing)
        finish(q, RESOLVER_DOWN);
    else
        probe_root(q);
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    while (r->questions)
        close_question(r->questions);
    lookups_free(r->lookups);
    free(r);
}

/* ---- lookups ---- */

static void on_answer(void *context, struct dns_answer *answer);

static void look_up(struct question *q, const char *name, enum dns_type type, size_t host)
{
    CHECK(q->part_count < PARTS_MAX);
    struct part *p = &q->parts[q->part_count++];
    *p = (struct part){.question = q, .type = type, .host = host};
    p->lookup = lookup_start(q->resolver->lookups, name, type, on_answer, p);
    if (p->lookup)
        q->pending++;
    else
        q->failed = true;
}

static void add_address(struct question *q, size_t host, int family, const char *data, size_t len)
{
    struct resolver_host *h = &q->answer.hosts[host];
    if (h->count == RESOLVER_ADDRESSES_MAX)
        return;
    struct sockaddr_storage *address = &h->addresses[h->count++];
    memset(address, 0, sizeof(*address));
    if (family == AF_INET && len == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)address;
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)q->port);
        memcpy(&in->sin_addr, data, 4);
    } else if (family == AF_INET6 && len == 16) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)q->port);
        memcpy(&in6->sin6_addr, data, 16);
    } else {
        h->count--;
    }
}

static void shuffle_and_sort(struct resolver_answer *a)
{
    for (size_t i = a->count; i > 1; i--) {
        uint32_t random = 0;
        secret_random(&random, sizeof(random));
        size_t k = random % i;
        struct resolver_host other = a->hosts[i - 1];
        a->hosts[i - 1] = a->hosts[k];
        a->hosts[k] = other;
    }
    for (size_t i = 1; i < a->count;
         i++) { /* insertion: stable, so that the shuffle stays inside one preference */
        struct resolver_host host = a->hosts[i];
        size_t k = i;
        for (; k > 0 && a->hosts[k - 1].preference > host.preference; k--)
            a->hosts[k] = a->hosts[k - 1];
        a->hosts[k] = host;
    }
}

static bool looks_like_address(const char *name)
{
    struct in_addr in;
    return inet_pton(AF_INET, name, &in) == 1;
}

/* Ourselves in the list: hosts of our preference and worse are dropped (RFC 5321 section 5.1). */
static void drop_self(struct question *q)
{
    struct resolver_answer *a = &q->answer;
    for (size_t i = 0; i < a->count; i++) {
        if (strcasecmp(a->hosts[i].name, q->resolver->hostname) != 0)
            continue;
        unsigned own = a->hosts[i].preference;
        while (a->count > 0 && a->hosts[a->count - 1].preference >= own)
            a->count--;
        return;
    }
}

static void read_mx(struct question *q, const struct dns_answer *answer)
{
    struct resolver_answer *a = &q->answer;
    bool null_mx = false;
    for (size_t i = 0; i < answer->count && a->count < RESOLVER_HOSTS_MAX; i++) {
        struct resolver_host *h = &a->hosts[a->count];
        const struct dns_rr *rr = &answer->rrs[i];
        null_mx = null_mx || rr->data.len == 0;
        /* S31: a null MX beside others is ignored */
        if (!address_is_host(rr->data) || !span_copy(rr->data, h->name, sizeof(h->name)) ||
            looks_like_address(h->name))
            continue;
        h->preference = rr->preference;
        h->count = 0;
        a->count++;
    }
    if (a->count == 0) {
        finish(q, null_mx ? RESOLVER_NULL_MX : RESOLVER_NO_DOMAIN);
        return;
    }
    shuffle_and_sort(a);
    drop_self(q);
    if (a->count == 0) {
        finish(q, RESOLVER_LOOP);
        return;
    }
    for (size_t i = 0; i < a->count; i++) {
        look_up(q, a->hosts[i].name, DNS_A, i);
        look_up(q, a->hosts[i].name, DNS_AAAA, i);
    }
}

static void ask_host(struct question *q, const char *name)
{
    struct resolver_host *h = &q->answer.hosts[0];
    *h = (struct resolver_host){0};
    snprintf(h->name, sizeof(h->name), "%s", name);
    q->answer.count = 1;
    look_up(q, name, DNS_A, 0);
    look_up(q, name, DNS_AAAA, 0);
}

/* All addresses are in: leave out hosts without one. */
static void conclude(struct question *q)
{
    struct resolver_answer *a = &q->answer;
    size_t kept = 0;
    for (size_t i = 0; i < a->count; i++)
        if (a->hosts[i].count > 0)
            a->hosts[kept++] = a->hosts[i];
    a->count = kept;
    if (kept > 0)
        finish(q, RESOLVER_FOUND);
    else if (q->failed)
        probe_root(q);
    else
        finish(q, RESOLVER_NO_DOMAIN);
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
        add_address(q, p->host, p->type == DNS_A ? AF_INET : AF_INET6, answer->rrs[i].data.ptr,
                    answer->rrs[i].data.len);
    if (q->pending == 0)
        conclude(q);
}

static void on_answer(void *context, struct dns_answer *answer)
{
    struct part *p = context;
    struct question *q = p->question;
    p->lookup = NULL;
    q->pending--;
    take_answer(q, p, answer);
    dns_answer_free(answer);
}

/* Is it this domain, or is it our network? The root tells. */
static void probe_root(struct question *q)
{
    cancel_lookups(q);
    q->part_count = 0;
    uv_timer_start(&q->timer, on_timeout, QUESTION_TIMEOUT_MS / 4, 0);
    look_up(q, "", DNS_NS, 0);
    if (q->pending == 0)
        uv_timer_start(&q->timer, on_timeout, 0, 0);
}

static void on_nothing_to_ask(uv_timer_t *timer)
{
    finish(timer->data, RESOLVER_FOUND);
}

void resolver_find(struct resolver *r, const char *domain, unsigned port, bool direct,
                   resolver_on_hosts *done, void *context)
{
    struct question *q = xcalloc(1, sizeof(*q));
    q->resolver = r;
    q->port = port;
    q->done = done;
    q->context = context;
    snprintf(q->domain, sizeof(q->domain), "%s", domain);
    q->next = r->questions;
    if (q->next)
        q->next->previous = q;
    r->questions = q;
    uv_timer_init(r->loop, &q->timer);
    q->timer.data = q;
    struct in_addr in;
    if (direct && inet_pton(AF_INET, domain, &in) == 1) {
        snprintf(q->answer.hosts[0].name, sizeof(q->answer.hosts[0].name), "%s", domain);
        q->answer.count = 1;
        add_address(q, 0, AF_INET, (const char *)&in, 4);
        uv_timer_start(&q->timer, on_nothing_to_ask, 0, 0); /* never answer from inside the call */
        return;
    }
    uv_timer_start(&q->timer, on_timeout, QUESTION_TIMEOUT_MS, 0);
    if (direct)
        ask_host(q, domain);
    else
        look_up(q, domain, DNS_MX, 0);
    if (q->pending == 0) /* nothing could be asked: answered when the timer runs */
        uv_timer_start(&q->timer, on_timeout, 0, 0);
}
