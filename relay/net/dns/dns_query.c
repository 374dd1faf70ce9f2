// SPDX-License-Identifier: BSD-2-Clause
/* dns_query.c - libunbound works in a thread of its own and wakes the loop through ub_fd().
 *
 * Its answers are turned into ours here: names as text, strings joined, and a failure told apart
 * from "nothing there".
 *
 * Version 1.17 closes a TCP stream for another one when all are in use, and may then read once more
 * from the descriptor that it has closed. By then that can be a connection of ours, which never
 * sees the bytes. So it gets more streams than it needs (200 questions share one), and drops those
 * that are idle soon.
 *
 * It counts each question without an answer against the server that was asked, waits twice as long
 * for the next one, and from 12 s on (PROBE_MAXRTO) fails everybody's questions unasked, but one
 * from time to time; two names a second that are never answered are enough. With its own recursion
 * that is one zone's servers. A forwarder is everybody's: so what is counted there has ended before
 * it is looked at ("infra-host-ttl", a time in the past), in 1.17 as in later versions, and a
 * server that has not answered lately is merely asked after the others, until it answers anything.
 * The two waits below are the process's, so every context sets them.
 *
 * ub_cancel() would take the answer from us, and no work from libunbound. So a question that nobody
 * waits for is not cancelled, and whoever asked it is told when it has ended.
 */
#include "dns_query.h"

#include "clock.h"
#include "party_turns.h"
#include "verify_limits.h"
#include "verify_meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>
#include <utlist.h>

enum {
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    TTL_MAX = 24 * 3600,
    SOCKETS = 512,
    TCP_QUERIES = 64,
    TCP_REUSE_MS = 500,
    FRESH_S = 1,
    LATE_MS = 600, /* libunbound calls silent servers a SERVFAIL, after it has waited for them; */
    LATE_S = 10,   /* and for some seconds says the same again at once */
    LATE_MAX = 64
};

enum use { USE_COMMON, USE_STUB, USE_FRESH };

struct dns_queries {
    struct ub_ctx *ctx;
    uv_poll_t *poll; /* freed in its close callback */
    struct verify_meter *meter;
    bool started;           /* its thread has been */
    struct dns_query *left; /* whose answers nobody wants */
    struct {
        uint64_t question; /* a digest */
        int64_t until_ms;
    } late[LATE_MAX]; /* the last, in turn */
    size_t late_next;
};

struct dns_query {
    struct dns_queries *owner;
    enum dns_type type;
    dns_query_on_answer *done;
    void *context;
    int64_t begun_ms;        /* the steady clock's */
    uint64_t question;       /* a digest of it; a clash costs a wrong word */
    dns_query_on_end *ended; /* NULL: its answer is waited for */
    struct party_turn *turn;
    struct dns_query *next, *prev; /* owner->left */
};

/* ---- the context ---- */

/* What is asked of somebody in particular is theirs to answer, built-in zones too. No setting can
 * be changed after this. */
static void drop_own_zones(struct ub_ctx *ctx)
{
    static const char *const zones[] = {"test.", "invalid.", "example.", "localhost.",
                                        "127.in-addr.arpa."};
    for (size_t i = 0; i < COUNT_OF(zones); i++)
        ub_ctx_zone_remove(ctx, zones[i]);
}

unsigned dns_queries_most(const struct config *config, const struct dns_queries_stub *stub)
{
    if (stub)
        return stub->queries;
    return config->queries ? config->queries : SOCKETS;
}

static int set_number(struct ub_ctx *ctx, const char *option, unsigned number)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", number);
    return ub_ctx_set_option(ctx, option, text);
}

/* Sockets, and what is remembered. */
static int set_sizes(struct ub_ctx *ctx, const struct config *config,
                     const struct dns_queries_stub *stub, enum use use)
{
    const struct {
        unsigned udp, tcp;
    } sizes[] = {
        [USE_COMMON] = {dns_queries_most(config, NULL),
                        config->tcp_queries ? config->tcp_queries : TCP_QUERIES},
        [USE_STUB] = {stub ? stub->queries : 0, stub ? stub->streams : 0},
        [USE_FRESH] = {DNS_QUERIES_FRESH - 2, 2},
    };
    int bad = set_number(ctx, "outgoing-range:", sizes[use].udp);
    bad = bad ? bad : set_number(ctx, "outgoing-num-tcp:", sizes[use].tcp);
    bad = bad ? bad : set_number(ctx, "tcp-reuse-timeout:", TCP_REUSE_MS);
    if (use == USE_FRESH) {
        bad = bad ? bad : set_number(ctx, "cache-max-ttl:", FRESH_S);
        return bad ? bad : set_number(ctx, "cache-max-negative-ttl:", FRESH_S);
    }
    return bad ? bad : ub_ctx_set_option(ctx, "prefetch:", "yes");
}

/* A question that is not answered ends 11 s after it has been asked, or 3 s: 1 s, and then 2 s each
 * time; each try asks twice. With several servers each has its tries. */
static int set_patience(struct ub_ctx *ctx, enum use use)
{
    const struct {
        const char *option, *value;
    } settings[] = {{"infra-host-ttl:", "-1"},
                    {"infra-cache-min-rtt:", "1000"},
                    {"infra-cache-max-rtt:", "2000"},
                    {"outbound-msg-retry:", use == USE_FRESH ? "1" : "3"}};
    int bad = 0;
    for (size_t i = 0; i < COUNT_OF(settings) && !bad; i++)
        bad = ub_ctx_set_option(ctx, settings[i].option, settings[i].value);
    return bad;
}

static bool set_up(struct ub_ctx *ctx, const struct config *config,
                   const struct dns_queries_stub *stub, enum use use, struct err *err)
{
    bool single = stub && stub->zone;
    bool particular = single || config->dns_forward_count > 0;
    int bad = ub_ctx_async(ctx, 1); /* a thread, not a fork; must be said before all else */
    bad = bad ? bad : set_sizes(ctx, config, stub, use);
    if (config->dns_forward_count > 0)
        bad = bad ? bad : set_patience(ctx, use);
    if (config->dnssec && !bad && !single)
        bad = ub_ctx_add_ta_file(ctx, config->trust_anchor);
    for (size_t i = 0; i < config->dns_forward_count && !bad; i++)
        bad = ub_ctx_set_fwd(ctx, config->dns_forward[i]);
    if (single)
        bad = bad ? bad : ub_ctx_set_stub(ctx, stub->zone, stub->ip, 0);
    if (particular) {
        bad = bad ? bad : ub_ctx_set_option(ctx, "do-not-query-localhost:", "no");
        bad = bad ? bad : ub_ctx_set_option(ctx, "unblock-lan-zones:", "yes");
        drop_own_zones(ctx);
    }
    return !bad ||
           err_set(err, ERR_DNS, "setting up DNS: %s: check the dns settings", ub_strerror(bad));
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct dns_queries *l = poll->data;
    (void)status;
    (void)events;
    if (l)
        ub_process(l->ctx);
}

static bool open_queries(uv_loop_t *loop, const struct config *config,
                         const struct dns_queries_stub *stub, enum use use,
                         struct dns_queries **dns_queries_r, struct err *err)
{
    struct dns_queries *l = xcalloc(1, sizeof(*l));
    verify_limits_set();
    l->ctx = ub_ctx_create();
    CHECK(l->ctx != NULL);
    if (!set_up(l->ctx, config, stub, use, err)) {
        ub_ctx_delete(l->ctx);
        free(l);
        return false;
    }
    l->meter = verify_meter_new();
    l->poll = xcalloc(1, sizeof(*l->poll));
    l->poll->data = l;
    CHECK(uv_poll_init(loop, l->poll, ub_fd(l->ctx)) == 0);
    CHECK(uv_poll_start(l->poll, UV_READABLE, on_readable) == 0);
    *dns_queries_r = l;
    return true;
}

bool dns_queries_new(uv_loop_t *loop, const struct config *config,
                     const struct dns_queries_stub *stub, struct dns_queries **dns_queries_r,
                     struct err *err)
{
    return open_queries(loop, config, stub, stub ? USE_STUB : USE_COMMON, dns_queries_r, err);
}

bool dns_queries_fresh(uv_loop_t *loop, const struct config *config,
                       struct dns_queries **dns_queries_r, struct err *err)
{
    return open_queries(loop, config, NULL, USE_FRESH, dns_queries_r, err);
}

static void end_left(struct dns_query *q)
{
    DL_DELETE(q->owner->left, q);
    q->ended(q->context, q->turn);
    free(q);
}

void dns_queries_free(struct dns_queries *l)
{
    if (!l)
        return;
    while (l->left)
        end_left(l->left);
    l->poll->data = NULL;
    uv_poll_stop(l->poll);
    uv_close((uv_handle_t *)l->poll, (uv_close_cb)free);
    ub_ctx_delete(l->ctx);
    verify_meter_free(l->meter);
    free(l);
}

void dns_queries_charge(const struct dns_queries *l, struct party_turns *turns)
{
    struct verify_cost costs[VERIFY_METER_ZONES];
    size_t count = verify_meter_take(l->meter, costs);
    for (size_t i = 0; i < count; i++)
        party_turns_charge(turns, costs[i].zone, costs[i].us);
}

/* ---- answers ---- */

/* As ours are: lower case, no last dot. */
static void cut(char *name)
{
    size_t len = strlen(name);
    if (len > 0 && name[len - 1] == '.')
        name[len - 1] = '\0';
    dns_name_lower(name);
}

/* A name that is not written plainly is nobody's host: then it is only known that there is one. */
static void note_alias(struct dns_answer *a, const struct ub_result *result)
{
    char asked[4 * DNS_NAME_MAX + 8];
    char name[4 * DNS_NAME_MAX + 8];
    if (!result->canonname)
        return;
    snprintf(asked, sizeof(asked), "%s", result->qname);
    snprintf(name, sizeof(name), "%s", result->canonname);
    cut(asked);
    cut(name);
    if (strcmp(asked, name) != 0)
        dns_answer_alias(a, dns_name_valid(span_of(name)) && !strchr(name, '\\') ? name : "");
}

/* By which record it is bogus, and who has said that: in words of others' zones. */
static void note_fault(struct dns_answer *a, const char *fault)
{
    char text[160];
    snprintf(text, sizeof(text), "%s", fault);
    for (char *p = text; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    a->fault = xstrdup(text);
}

static struct dns_answer *translate(enum dns_type type, int error, const struct ub_result *result)
{
    if (error != 0 || !result)
        return dns_answer_new(DNS_FAILED, 0);
    bool failed = result->bogus || (result->rcode != 0 && result->rcode != RCODE_NXDOMAIN);
    uint32_t ttl_s = result->ttl < 0 ? 0 : result->ttl > TTL_MAX ? TTL_MAX : (uint32_t)result->ttl;
    struct dns_answer *a = dns_answer_new(failed             ? DNS_FAILED
                                          : result->nxdomain ? DNS_NXDOMAIN
                                                             : DNS_NODATA,
                                          ttl_s);
    a->secure = result->secure != 0;
    a->bogus = result->bogus != 0;
    if (a->bogus && result->why_bogus)
        note_fault(a, result->why_bogus);
    a->refused = failed && !a->bogus && result->rcode != RCODE_SERVFAIL;
    for (size_t i = 0; !failed && result->havedata && result->data[i]; i++) {
        a->status = DNS_FOUND;
        dns_wire_add(a, type, (struct span){result->data[i], (size_t)result->len[i]});
    }
    note_alias(a, result);
    dns_answer_sort(a);
    return a;
}

/* Has nobody answered? */
static bool is_late(const struct dns_query *lookup)
{
    struct dns_queries *l = lookup->owner;
    int64_t now_ms = clock_steady_ms();
    for (size_t i = 0; i < LATE_MAX; i++)
        if (l->late[i].question == lookup->question && l->late[i].until_ms > now_ms)
            return true;
    if (now_ms - lookup->begun_ms < LATE_MS)
        return false;
    l->late[l->late_next].question = lookup->question;
    l->late[l->late_next].until_ms = now_ms + LATE_S * 1000;
    l->late_next = (l->late_next + 1) % LATE_MAX;
    return true;
}

static void on_result(void *context, int error, struct ub_result *result)
{
    struct dns_query lookup = *(struct dns_query *)context;
    if (lookup.ended) {
        ub_resolve_free(result);
        end_left(context);
        return;
    }
    free(context);
    struct dns_answer *a = translate(lookup.type, error, result);
    if (a->status == DNS_FAILED && !a->bogus && !a->refused)
        a->late = is_late(&lookup);
    ub_resolve_free(result);
    lookup.done(lookup.context, a);
}

/* ---- questions ---- */

/* Names may hold any byte: what is not plain is written as \DDD (RFC 1035 section 5.1). */
static void escape(const char *name, char *text_r, size_t size)
{
    size_t used = 0;
    for (; *name && used + 5 < size; name++) {
        unsigned char c = (unsigned char)*name;
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        used += (size_t)snprintf(text_r + used, size - used, plain ? "%c" : "\\%03u", c);
    }
    text_r[used] = '\0';
}

/* FNV-1a. */
static uint64_t digest_of(const char *name, enum dns_type type)
{
    uint64_t digest = 0xcbf29ce484222325 + (uint64_t)type;
    for (; *name; name++)
        digest = (digest ^ (unsigned char)*name) * 0x100000001b3;
    return digest;
}

/* libunbound starts its thread with the first. */
static int ask(struct dns_queries *l, const char *name, struct dns_query *q)
{
    if (l->started)
        return ub_resolve_async(l->ctx, name, (int)q->type, 1, q, on_result, NULL);
    verify_meter_begin(l->meter);
    int bad = ub_resolve_async(l->ctx, name, (int)q->type, 1, q, on_result, NULL);
    verify_meter_end(l->meter);
    l->started = bad == 0;
    return bad;
}

struct dns_query *dns_query_start(struct dns_queries *l, const char *name, enum dns_type type,
                                  dns_query_on_answer *done, void *context)
{
    char text[4 * DNS_NAME_MAX + 8];
    struct dns_query *lookup = xcalloc(1, sizeof(*lookup));
    *lookup = (struct dns_query){.owner = l,
                                 .type = type,
                                 .done = done,
                                 .context = context,
                                 .begun_ms = clock_steady_ms(),
                                 .question = digest_of(name, type)};
    escape(*name ? name : ".", text, sizeof(text));
    if (ask(l, text, lookup) == 0)
        return lookup;
    free(lookup);
    return NULL;
}

void dns_query_leave(struct dns_query *lookup, struct party_turn *turn, dns_query_on_end *ended,
                     void *context)
{
    lookup->turn = turn;
    lookup->ended = ended;
    lookup->context = context;
    DL_APPEND(lookup->owner->left, lookup);
}
