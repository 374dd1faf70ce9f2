// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_post.c - Whoever publishes a record says where we post to: only to addresses that mail
 * may go to as well, looked up by our own resolver, and pinned. */
#include "tls_report_post.h"

#include "reachable.h"

#include <stdio.h>
#include <string.h>

enum { WHY = 160, TIMEOUT_S = 60, ANSWER_MAX = 64 * 1024, HTTPS_PORT = 443 };

struct target {
    char host[DNS_NAME_MAX + 1];
    unsigned port;
};

/* As tlsrpt_record_read() has found it good: "https://HOST" and what else there may be. */
static bool read_target(const char *uri, struct target *t_r)
{
    uint64_t port = HTTPS_PORT;
    struct span rest = span_from(span_of(uri), strlen("https://"));
    struct span authority = span_first(rest, strcspn(rest.ptr, "/?#"));
    size_t colon = span_find(authority, ':');
    struct span given = span_from(authority, colon + 1);
    if (!span_copy(span_first(authority, colon), t_r->host, sizeof(t_r->host)) ||
        (given.len > 0 && (!span_number(given, &port) || port == 0 || port > 65535)))
        return false;
    dns_name_lower(t_r->host);
    t_r->port = (unsigned)port;
    return dns_name_valid(span_of(t_r->host));
}

bool tls_report_post_host(const char *uri, char *host_r)
{
    struct target t;
    bool ok = read_target(uri, &t);
    memcpy(host_r, ok ? t.host : "", ok ? sizeof(t.host) : 1);
    return ok;
}

/* False: it may not be posted to, and why. */
static bool add(const struct config *config, const struct ip *ip, unsigned port, struct buf *list,
                const char **why_r)
{
    char text[IP_TEXT];
    const char *why = NULL;
    if (reachable(config, ip, port, &why) != MX_REACH) {
        *why_r = why;
        return false;
    }
    ip_print(ip, text);
    buf_addf(list, "%s%s%s%s", list->len > 0 ? "," : "", ip->v6 ? "[" : "", text,
             ip->v6 ? "]" : "");
    return true;
}

static void add_all(const struct config *config, const struct dns_answer *a, enum dns_type type,
                    unsigned port, struct buf *list, const char **why_r)
{
    const size_t len = type == DNS_A ? 4 : 16;
    size_t added = 0;
    for (size_t i = 0; i < a->count && i < 8 && added < TLS_REPORT_POST_ADDRESSES / 2; i++) {
        struct ip ip = {.v6 = type == DNS_AAAA};
        if (a->rrs[i].data.len != len)
            continue;
        memcpy(ip.bytes, a->rrs[i].data.ptr, len);
        added += add(config, &ip, port, list, why_r);
    }
}

/* False: DNS is pending. */
static bool look_up(const struct config *config, const struct dns *dns, const struct target *t,
                    struct buf *list, const char **why_r)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    struct ip literal;
    bool known = true;
    if (ip_parse(t->host, &literal)) {
        add(config, &literal, t->port, list, why_r);
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const struct dns_answer *a = dns->ask(dns->context, t->host, types[i]);
        known = known && a->status != DNS_PENDING;
        add_all(config, a, types[i], t->port, list, why_r);
    }
    return known;
}

enum tls_report_post tls_report_post_make(const struct config *config, const struct dns *dns,
                                          const char *uri, struct fetch_order *order_r, char *why_r)
{
    struct target t;
    struct buf list;
    const char *why = NULL;
    *order_r = (struct fetch_order){.content_type = "application/tlsrpt+gzip",
                                    .answer_max = ANSWER_MAX,
                                    .timeout_s = TIMEOUT_S};
    snprintf(order_r->authorities, sizeof(order_r->authorities), "%s", config->ca_file);
    if (!read_target(uri, &t) || !span_copy(span_of(uri), order_r->url, sizeof(order_r->url))) {
        snprintf(why_r, WHY, "the address cannot be read");
        return POST_NOWHERE;
    }
    buf_init(&list, sizeof(order_r->addresses) - 1);
    bool known = look_up(config, dns, &t, &list, &why);
    bool some = list.len > 0 && !list.overflow;
    snprintf(order_r->addresses, sizeof(order_r->addresses), "%s", some ? buf_text(&list) : "");
    buf_fini(&list);
    if (!known)
        return POST_PENDING;
    if (why)
        snprintf(why_r, WHY, "its host is not a public one: %.100s", why);
    else
        snprintf(why_r, WHY, "its host has no address");
    return some ? POST_READY : POST_NOWHERE;
}
