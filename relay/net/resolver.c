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
 * libunbound works in a thread of its own and wakes the loop through ub_fd(). It has no timeout per
 * question: ours is the question's timer.
 */
#include "resolver.h"

#include "secret.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

enum {
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_MX = 15,
    TYPE_TXT = 16,
    TYPE_AAAA = 28,
    QUESTION_TIMEOUT_MS = 20000
};
enum { LOOKUPS_MAX = 2 * RESOLVER_HOSTS_MAX + 2, RCODE_NXDOMAIN = 3 };

struct lookup {
    struct question *question;
    int type, async_id;
    size_t host;
    bool active;
};

struct question {
    struct question *next, *previous;
    struct resolver *resolver;
    uv_timer_t timer;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    unsigned port;
    struct lookup lookups[LOOKUPS_MAX];
    size_t lookup_count, pending;
    bool failed, finished;
    struct resolver_answer answer;
    resolver_on_hosts *done;
    void *context;
};

struct resolver {
    uv_loop_t *loop;
    struct ub_ctx *ctx;
    uv_poll_t *poll; /* freed in its close callback */
    struct question *questions;
    char hostname[256];
};

static void probe_root(struct question *q);

/* ---- libunbound ---- */

static bool set_up(struct ub_ctx *ctx, const struct config *config, struct err *err)
{
    static const char *const local_zones[] = {"test.", "invalid.", "example.", "localhost.",
                                              "127.in-addr.arpa."};
    int bad = ub_ctx_async(ctx, 1); /* a thread, not a fork; must be said before all else */
    bad = bad ? bad : ub_ctx_set_option(ctx, "outgoing-range:", "512");
    for (size_t i = 0; i < config->dns_forward_count && !bad; i++)
        bad = ub_ctx_set_fwd(ctx, config->dns_forward[i]);
    if (config->dns_forward_count >
        0) { /* what is forwarded is the forwarder's to answer, built-in zones too */
        bad = bad ? bad : ub_ctx_set_option(ctx, "do-not-query-localhost:", "no");
        for (size_t i = 0; i < COUNT_OF(local_zones); i++)
            ub_ctx_zone_remove(ctx, local_zones[i]);
    }
    if (config->dnssec && !bad)
        bad = ub_ctx_add_ta_file(ctx, "/usr/share/dns/root.key");
    return !bad ||
           err_set(err, ERR_DNS, "setting up DNS: %s: check the dns settings", ub_strerror(bad));
}

static bool new_context(const struct config *config, struct ub_ctx **ctx_r, struct err *err)
{
    *ctx_r = ub_ctx_create();
    CHECK(*ctx_r != NULL);
    if (set_up(*ctx_r, config, err))
        return true;
    ub_ctx_delete(*ctx_r);
    return false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct resolver *r = poll->data;
    (void)status;
    (void)events;
    if (r)
        ub_process(r->ctx);
}

bool resolver_new(uv_loop_t *loop, const struct config *config, struct resolver **resolver_r,
                  struct err *err)
{
    struct resolver *r = xcalloc(1, sizeof(*r));
    if (!new_context(config, &r->ctx, err)) {
        free(r);
        return false;
    }
    r->loop = loop;
    snprintf(r->hostname, sizeof(r->hostname), "%s", config->hostname);
    r->poll = xcalloc(1, sizeof(*r->poll));
    r->poll->data = r;
    CHECK(uv_poll_init(loop, r->poll, ub_fd(r->ctx)) == 0);
    CHECK(uv_poll_start(r->poll, UV_READABLE, on_readable) == 0);
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
    for (size_t i = 0; i < q->lookup_count; i++)
        if (q->lookups[i].active)
            ub_cancel(q->resolver->ctx, q->lookups[i].async_id);
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
    bool probing = q->lookup_count > 0 && q->lookups[q->lookup_count - 1].type == TYPE_NS;
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
    r->poll->data = NULL;
    uv_poll_stop(r->poll);
    uv_close((uv_handle_t *)r->poll, (uv_close_cb)free);
    ub_ctx_delete(r->ctx);
    free(r);
}

/* ---- lookups ---- */

static void on_result(void *context, int error, struct ub_result *result);

static void look_up(struct question *q, const char *name, int type, size_t host)
{
    CHECK(q->lookup_count < LOOKUPS_MAX);
    struct lookup *l = &q->lookups[q->lookup_count++];
    *l = (struct lookup){.question = q, .type = type, .host = host, .active = true};
    q->pending++;
    if (ub_resolve_async(q->resolver->ctx, name, type, 1, l, on_result, &l->async_id) != 0) {
        l->active = false;
        q->pending--;
        q->failed = true;
    }
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

/* A name in wire form (RFC 1035 section 3.1) as text without the last dot. False when it is no host
 * name. */
static bool read_name(const unsigned char *wire, size_t len, char *name_r)
{
    size_t used = 0;
    size_t i = 0;
    while (i < len && wire[i] != 0) {
        size_t label = wire[i++];
        if (label > 63 || i + label >= len || used + label + 1 > ADDRESS_DOMAIN_MAX)
            return false;
        if (used > 0)
            name_r[used++] = '.';
        memcpy(name_r + used, wire + i, label);
        used += label;
        i += label;
    }
    name_r[used] = '\0';
    return i < len && (used == 0 || address_is_host((struct span){name_r, used}));
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

static void read_mx(struct question *q, const struct ub_result *result)
{
    struct resolver_answer *a = &q->answer;
    bool null_mx = false;
    for (size_t i = 0; result->data[i] && a->count < RESOLVER_HOSTS_MAX; i++) {
        struct resolver_host *h = &a->hosts[a->count];
        const unsigned char *data = (const unsigned char *)result->data[i];
        size_t len = (size_t)result->len[i];
        if (len < 3 || !read_name(data + 2, len - 2, h->name))
            continue;
        null_mx = null_mx || h->name[0] == '\0';
        if (h->name[0] == '\0' ||
            looks_like_address(h->name)) /* S31: a null MX beside others is ignored */
            continue;
        h->preference = (unsigned)(data[0] << 8 | data[1]);
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
        look_up(q, a->hosts[i].name, TYPE_A, i);
        look_up(q, a->hosts[i].name, TYPE_AAAA, i);
    }
}

static void ask_host(struct question *q, const char *name)
{
    struct resolver_host *h = &q->answer.hosts[0];
    *h = (struct resolver_host){0};
    snprintf(h->name, sizeof(h->name), "%s", name);
    q->answer.count = 1;
    look_up(q, name, TYPE_A, 0);
    look_up(q, name, TYPE_AAAA, 0);
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

static bool is_failure(int error, const struct ub_result *result)
{
    return error != 0 || !result || result->bogus ||
           (result->rcode != 0 && result->rcode != RCODE_NXDOMAIN);
}

static void take_result(struct question *q, struct lookup *l, int error,
                        const struct ub_result *result)
{
    bool failed = is_failure(error, result);
    if (l->type == TYPE_NS) {
        finish(q, error != 0 || !result || result->rcode == 2 ? RESOLVER_DOWN : RESOLVER_FAILED);
        return;
    }
    if (l->type == TYPE_MX) {
        if (failed)
            probe_root(q);
        else if (result->nxdomain)
            finish(q, RESOLVER_NO_DOMAIN);
        else if (result->havedata)
            read_mx(q, result);
        else
            ask_host(q, q->domain); /* implicit MX */
        return;
    }
    q->failed = q->failed || failed;
    for (size_t i = 0; !failed && result->havedata && result->data[i]; i++)
        add_address(q, l->host, l->type == TYPE_A ? AF_INET : AF_INET6, result->data[i],
                    (size_t)result->len[i]);
    if (q->pending == 0)
        conclude(q);
}

static void on_result(void *context, int error, struct ub_result *result)
{
    struct lookup *l = context;
    struct question *q = l->question;
    l->active = false;
    q->pending--;
    take_result(q, l, error, result);
    ub_resolve_free(result);
}

/* Is it this domain, or is it our network? The root tells. */
static void probe_root(struct question *q)
{
    cancel_lookups(q);
    q->lookup_count = 0;
    uv_timer_start(&q->timer, on_timeout, QUESTION_TIMEOUT_MS / 4, 0);
    look_up(q, ".", TYPE_NS, 0);
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
        look_up(q, domain, TYPE_MX, 0);
    if (q->pending == 0) /* nothing could be asked: answered when the timer runs */
        uv_timer_start(&q->timer, on_timeout, 0, 0);
}

bool resolver_txt(const struct config *config, const char *name, char *record_r, size_t size,
                  struct err *err)
{
    struct ub_ctx *ctx = NULL;
    struct ub_result *result = NULL;
    size_t used = 0;
    if (!new_context(config, &ctx, err))
        return false;
    int bad = ub_resolve(ctx, name, TYPE_TXT, 1, &result);
    bool found = !bad && !is_failure(0, result) && result->havedata;
    for (int i = 0;
         found && i < result->len[0] && used + 1 < size;) { /* strings are joined without a blank */
        int len = (unsigned char)result->data[0][i++];
        for (; len > 0 && i < result->len[0] && used + 1 < size; len--)
            record_r[used++] = result->data[0][i++];
    }
    record_r[used] = '\0';
    if (!found)
        err_set(err, bad || is_failure(0, result) ? ERR_DNS : ERR_NOT_FOUND, "%s TXT: %s", name,
                bad ? ub_strerror(bad) : "no record");
    ub_resolve_free(result);
    ub_ctx_delete(ctx);
    return found;
}
