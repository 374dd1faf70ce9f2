// SPDX-License-Identifier: BSD-2-Clause
/* lookup.c - libunbound works in a thread of its own and wakes the loop through ub_fd().
 *
 * Its answers are turned into ours here: names as text, strings joined, and a failure told apart
 * from "nothing there".
 */
#include "lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

enum { RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, TTL_MAX = 24 * 3600 };

struct lookups {
    struct ub_ctx *ctx;
    uv_poll_t *poll; /* freed in its close callback */
};

struct lookup {
    struct lookups *owner;
    enum dns_type type;
    int async_id;
    lookup_on_answer *done;
    void *context;
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

static bool set_up(struct ub_ctx *ctx, const struct config *config, const struct lookups_stub *stub,
                   struct err *err)
{
    bool particular = stub || config->dns_forward_count > 0;
    int bad = ub_ctx_async(ctx, 1); /* a thread, not a fork; must be said before all else */
    bad = bad ? bad : ub_ctx_set_option(ctx, "outgoing-range:", stub ? "32" : "512");
    if (config->dnssec && !bad && !stub)
        bad = ub_ctx_add_ta_file(ctx, config->trust_anchor);
    bad = bad ? bad : ub_ctx_set_option(ctx, "prefetch:", "yes");
    for (size_t i = 0; i < config->dns_forward_count && !bad; i++)
        bad = ub_ctx_set_fwd(ctx, config->dns_forward[i]);
    if (stub)
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
    struct lookups *l = poll->data;
    (void)status;
    (void)events;
    if (l)
        ub_process(l->ctx);
}

bool lookups_new(uv_loop_t *loop, const struct config *config, const struct lookups_stub *stub,
                 struct lookups **lookups_r, struct err *err)
{
    struct lookups *l = xcalloc(1, sizeof(*l));
    l->ctx = ub_ctx_create();
    CHECK(l->ctx != NULL);
    if (!set_up(l->ctx, config, stub, err)) {
        ub_ctx_delete(l->ctx);
        free(l);
        return false;
    }
    l->poll = xcalloc(1, sizeof(*l->poll));
    l->poll->data = l;
    CHECK(uv_poll_init(loop, l->poll, ub_fd(l->ctx)) == 0);
    CHECK(uv_poll_start(l->poll, UV_READABLE, on_readable) == 0);
    *lookups_r = l;
    return true;
}

void lookups_free(struct lookups *l)
{
    if (!l)
        return;
    l->poll->data = NULL;
    uv_poll_stop(l->poll);
    uv_close((uv_handle_t *)l->poll, (uv_close_cb)free);
    ub_ctx_delete(l->ctx);
    free(l);
}

/* ---- answers ---- */

/* A name in wire form (RFC 1035 section 3.1) as lower-case text without the last dot. False when it
 * could not be told apart from another one in text. */
static bool read_name(struct span wire, char *name_r)
{
    size_t used = 0;
    size_t i = 0;
    while (i < wire.len && wire.ptr[i] != 0) {
        size_t label = (unsigned char)wire.ptr[i++];
        if (label > 63 || i + label >= wire.len || used + label + 1 > DNS_NAME_MAX)
            return false;
        if (used > 0)
            name_r[used++] = '.';
        for (size_t k = 0; k < label; k++, i++) {
            if (wire.ptr[i] == '.' || wire.ptr[i] == '\0')
                return false;
            name_r[used++] = wire.ptr[i];
        }
    }
    name_r[used] = '\0';
    dns_name_lower(name_r);
    return i < wire.len;
}

static void add_name(struct dns_answer *a, unsigned preference, struct span wire)
{
    char name[DNS_NAME_MAX + 1];
    if (read_name(wire, name))
        dns_answer_add(a, preference, span_of(name));
}

static unsigned number(struct span wire, size_t at)
{
    return (unsigned)((unsigned char)wire.ptr[at] << 8 | (unsigned char)wire.ptr[at + 1]);
}

/* RFC 2782: priority, weight, port, target. */
static void add_service(struct dns_answer *a, struct span wire)
{
    char target[DNS_NAME_MAX + 1];
    char text[DNS_NAME_MAX + 32];
    if (wire.len < 7 || !read_name(span_from(wire, 6), target))
        return;
    snprintf(text, sizeof(text), "%u %u %u %s", number(wire, 0), number(wire, 2), number(wire, 4),
             target);
    dns_answer_add(a, 0, span_of(text));
}

/* RFC 6698: usage, selector, matching type, bytes in hexadecimal. */
static void add_tlsa(struct dns_answer *a, struct span wire)
{
    struct buf text;
    if (wire.len < 4)
        return;
    buf_init(&text, 2 * wire.len + 16);
    buf_addf(&text, "%u %u %u ", (unsigned char)wire.ptr[0], (unsigned char)wire.ptr[1],
             (unsigned char)wire.ptr[2]);
    for (size_t i = 3; i < wire.len; i++)
        buf_addf(&text, "%02x", (unsigned char)wire.ptr[i]);
    dns_answer_add(a, 0, buf_span(&text));
    buf_fini(&text);
}

/* RFC 8659 section 4.1: flags, tag, value. */
static void add_caa(struct dns_answer *a, struct span wire)
{
    struct buf text;
    size_t tag = wire.len < 2 ? 0 : (unsigned char)wire.ptr[1];
    if (tag == 0 || wire.len < 2 + tag)
        return;
    buf_init(&text, wire.len + 16);
    buf_addf(&text, "%u ", (unsigned char)wire.ptr[0]);
    buf_add(&text, span_first(span_from(wire, 2), tag));
    buf_add(&text, SPAN(" \""));
    buf_add(&text, span_from(wire, 2 + tag));
    buf_add_char(&text, '"');
    dns_answer_add(a, 0, buf_span(&text));
    buf_fini(&text);
}

static void add_record(struct dns_answer *a, enum dns_type type, struct span wire)
{
    switch (type) {
    case DNS_A:
    case DNS_AAAA:
        if (wire.len == (type == DNS_A ? 4 : 16))
            dns_answer_add(a, 0, wire);
        break;
    case DNS_MX:
        if (wire.len > 2)
            add_name(a, number(wire, 0), span_from(wire, 2));
        break;
    case DNS_PTR:
    case DNS_NS:
    case DNS_CNAME:
    case DNS_SOA:
        add_name(a, 0, wire);
        break;
    case DNS_TXT:
        dns_answer_add_text(a, wire);
        break;
    case DNS_SRV:
        add_service(a, wire);
        break;
    case DNS_TLSA:
        add_tlsa(a, wire);
        break;
    case DNS_CAA:
        add_caa(a, wire);
        break;
    }
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
    a->refused = failed && result->rcode != RCODE_SERVFAIL;
    for (size_t i = 0; !failed && result->havedata && result->data[i]; i++) {
        a->status = DNS_FOUND;
        add_record(a, type, (struct span){result->data[i], (size_t)result->len[i]});
    }
    dns_answer_sort(a);
    return a;
}

static void on_result(void *context, int error, struct ub_result *result)
{
    struct lookup lookup = *(struct lookup *)context;
    free(context);
    struct dns_answer *a = translate(lookup.type, error, result);
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

struct lookup *lookup_start(struct lookups *l, const char *name, enum dns_type type,
                            lookup_on_answer *done, void *context)
{
    char text[4 * DNS_NAME_MAX + 8];
    struct lookup *lookup = xcalloc(1, sizeof(*lookup));
    *lookup = (struct lookup){.owner = l, .type = type, .done = done, .context = context};
    escape(*name ? name : ".", text, sizeof(text));
    if (ub_resolve_async(l->ctx, text, (int)type, 1, lookup, on_result, &lookup->async_id) == 0)
        return lookup;
    free(lookup);
    return NULL;
}

void lookup_cancel(struct lookup *lookup)
{
    if (!lookup)
        return;
    ub_cancel(lookup->owner->ctx, lookup->async_id);
    free(lookup);
}
