// SPDX-License-Identifier: BSD-2-Clause
/* mx.c - Evaluates MX, A and AAAA records of a domain.
 *
 *   MX (none: the domain itself, "implicit MX") - addresses of each host - hosts in order
 *
 * What is known is used as soon as waiting for the rest is not worth while: a name server that does
 * not answer costs its own host, not the domain. If none of what is known takes the mail, the rest
 * is waited for (`patient`).
 */
#include "mx.h"

#include "address.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct evaluation {
    const struct mx_query *query;
    const struct dns *dns;
    struct mx_answer *answer;
    unsigned own_preference; /* of a host with an address of ours; UINT_MAX: none */
    bool failed, own;
    enum dns_failure failure; /* of `failed`; and what has failed, as answer.why has it */
    char failing[sizeof(((struct mx_answer *)0)->why)];
    size_t published; /* hosts, before it was chosen among them; 0: all are tried */
    bool pending[HOSTS_MAX];
    size_t pending_count;
};

static const struct dns_answer *ask(const struct evaluation *e, const char *name,
                                    enum dns_type type)
{
    return e->dns->ask(e->dns->context, name, type);
}

/* What was not answered, and why: the first, or what can be mended by one's zone only. */
static void note_failure(struct evaluation *e, const char *name, enum dns_type type,
                         const struct dns_answer *a)
{
    enum dns_failure failure = dns_failure_of(a);
    if (e->failed && (e->failure == DNS_BOGUS || failure != DNS_BOGUS))
        return;
    e->failed = true;
    e->failure = failure;
    snprintf(e->failing, sizeof(e->failing), "%s: %s of %.100s%s%s", dns_failure_text(failure),
             dns_type_name(type), name, a->fault ? ": " : "", a->fault ? a->fault : "");
}

static enum mx_result fail(struct evaluation *e)
{
    snprintf(e->answer->why, sizeof(e->answer->why), "%s", e->failing);
    return MX_FAILED;
}

/* ---- addresses ---- */

/* DNS may not lead there: remember why. */
static void bar(struct evaluation *e, const struct host *host, const struct ip *ip, bool own,
                const char *why)
{
    char text[IP_TEXT];
    ip_print(ip, text);
    if (own && !ip_is_loopback(ip) && host->preference < e->own_preference)
        e->own_preference = host->preference;
    if (!e->answer->why[0] || (own && !e->own))
        snprintf(e->answer->why, sizeof(e->answer->why), "%.230s has %s: %s", host->name, why,
                 text);
    e->own = e->own || own;
}

static void add_address(struct evaluation *e, size_t host, bool v6, struct span data)
{
    struct ip ip = {.v6 = v6};
    const char *why = NULL;
    if (data.len != (v6 ? 16U : 4U))
        return;
    memcpy(ip.bytes, data.ptr, data.len);
    enum mx_reach may = e->query->direct ? MX_REACH : e->query->reach(e->query->context, &ip, &why);
    if (may == MX_REACH)
        hosts_add_ip(&e->answer->hosts, host, &ip);
    else
        bar(e, &e->answer->hosts.all[host], &ip, may == MX_REACH_SELF, why);
}

/* The families in turn: each has its part of HOSTS_IPS_MAX. */
static void read_addresses(struct evaluation *e, size_t host)
{
    const char *name = e->answer->hosts.all[host].name;
    const struct dns_answer *v4 = ask(e, name, DNS_A);
    const struct dns_answer *v6 = ask(e, name, DNS_AAAA);
    const struct dns_answer *both[] = {v4, v6};
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    bool missing = v4->status == DNS_PENDING || v6->status == DNS_PENDING;
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        if (both[i]->count > 0)
            hosts_note_answer(&e->answer->hosts, host, both[i]->secure, both[i]->canonical);
        if (both[i]->status == DNS_FAILED || (both[i]->status == DNS_PENDING && e->query->last))
            note_failure(e, name, types[i], both[i]);
    }
    e->answer->hosts.missing |= missing && e->query->last && !e->query->patient;
    e->pending[host] = missing && !e->query->last;
    e->pending_count += e->pending[host];
    for (size_t i = 0; i < v4->count || i < v6->count; i++) {
        if (i < v4->count)
            add_address(e, host, false, v4->rrs[i].data);
        if (i < v6->count)
            add_address(e, host, true, v6->rrs[i].data);
    }
}

/* How long are the missing ones worth waiting for? */
static unsigned useful_wait_ms(const struct evaluation *e)
{
    const struct hosts *h = &e->answer->hosts;
    unsigned best = UINT_MAX;
    for (size_t i = 0; i < h->count; i++) {            /* they are in order */
        if (h->all[i].preference >= e->own_preference) /* those are left out in any case */
            break;
        if (h->all[i].count == 0 && !e->pending[i])
            continue;
        best = best == UINT_MAX ? h->all[i].preference : best;
        if (h->all[i].count > 0)
            return h->all[i].preference == best ? MX_OTHERS_MS : MX_BEST_MS;
    }
    return 0;
}

/* All that will be known is known. */
static enum mx_result conclude(struct evaluation *e)
{
    struct hosts *h = &e->answer->hosts;
    hosts_cut(h, e->own_preference);
    if (hosts_have_ips(h)) {
        hosts_spread(h, ~e->query->random);
        return MX_FOUND;
    }
    if (h->count == 0 && e->own)
        return MX_LOOP;
    if (e->failed)
        return fail(e);
    if (e->published > 0 && h->count > 0) {
        snprintf(e->answer->why, sizeof(e->answer->why),
                 "none of %zu of its %zu MX hosts has an address for mail", h->count, e->published);
        return MX_UNTRIED;
    }
    if (e->answer->why[0])
        return e->own ? MX_LOOP : MX_BARRED;
    if (h->count == 0 || e->query->direct || strcasecmp(h->all[0].name, e->query->domain) == 0)
        return MX_NO_DOMAIN;
    snprintf(e->answer->why, sizeof(e->answer->why), "its MX %.255s has no address",
             h->all[0].name);
    return MX_BARRED;
}

static enum mx_result read_hosts(struct evaluation *e)
{
    for (size_t i = 0; i < e->answer->hosts.count; i++)
        read_addresses(e, i);
    if (e->pending_count == 0)
        return conclude(e);
    e->answer->wait_ms = e->query->patient ? 0 : useful_wait_ms(e);
    return MX_PENDING;
}

static enum mx_result read_host(struct evaluation *e)
{
    hosts_add(&e->answer->hosts, span_of(e->query->domain), 0);
    return read_hosts(e);
}

/* ---- MX ---- */

static bool looks_like_address(struct span name)
{
    char text[IP_TEXT];
    struct ip ip;
    return span_copy(name, text, sizeof(text)) && ip_parse(text, &ip);
}

/* An MX names a host (RFC 5321 section 5.1); nobody else is asked in its place. */
static void note_no_host(struct evaluation *e, struct span name)
{
    if (e->answer->why[0])
        return;
    if (looks_like_address(name))
        snprintf(e->answer->why, sizeof(e->answer->why),
                 "its MX record holds the address %.*s instead of a host name (RFC 5321 5.1)",
                 SPAN_ARG(name));
    else
        snprintf(e->answer->why, sizeof(e->answer->why), "its MX record holds no valid host name");
}

/* This relay in the list: hosts of its preference and worse are dropped (RFC 5321 section 5.1). */
static void drop_self(struct evaluation *e)
{
    struct hosts *h = &e->answer->hosts;
    size_t i = 0;
    while (i < h->count && strcasecmp(h->all[i].name, e->query->hostname) != 0)
        i++;
    if (i < h->count)
        hosts_cut(h, h->all[i].preference);
}

/* Each answer that comes is a new evaluation: what it costs must not be up to somebody's zone. */
static size_t read_count(const struct dns_answer *mx)
{
    return mx->count < MX_RECORDS_MAX ? mx->count : MX_RECORDS_MAX;
}

static enum mx_result read_mx(struct evaluation *e, const struct dns_answer *mx)
{
    struct hosts *h = &e->answer->hosts;
    bool null_mx = false;
    for (size_t i = 0; i < read_count(mx); i++) {
        const struct dns_rr *rr = &mx->rrs[i];
        null_mx = null_mx || rr->data.len == 0;
        /* S31: a null MX beside others is ignored */
        if (address_is_host(rr->data) && rr->data.len <= ADDRESS_DOMAIN_MAX &&
            !looks_like_address(rr->data))
            hosts_add(h, rr->data, rr->preference);
        else if (rr->data.len > 0)
            note_no_host(e, rr->data);
    }
    if (mx->unreadable > 0)
        note_no_host(e, SPAN_NONE);
    if (h->count == 0)
        return e->answer->why[0] ? MX_BARRED : null_mx ? MX_NULL : MX_NO_DOMAIN;
    e->answer->why[0] = '\0';
    hosts_unite(h);
    hosts_sort(h, e->query->random);
    drop_self(e);
    e->published = h->count > HOSTS_MAX ? h->count : 0;
    hosts_choose(h, e->query->random);
    return h->count == 0 ? MX_LOOP : read_hosts(e);
}

static enum mx_result evaluate(struct evaluation *e)
{
    struct ip ip;
    if (e->query->direct && ip_parse(e->query->domain, &ip)) {
        hosts_add(&e->answer->hosts, span_of(e->query->domain), 0);
        hosts_add_ip(&e->answer->hosts, 0, &ip);
        return MX_FOUND;
    }
    if (e->query->direct) {
        hosts_note_domain(&e->answer->hosts, true, NULL);
        return read_host(e);
    }
    const struct dns_answer *mx = ask(e, e->query->domain, DNS_MX);
    hosts_note_domain(&e->answer->hosts, mx->secure, mx->canonical);
    switch (mx->status) {
    case DNS_PENDING:
        if (!e->query->last)
            return MX_PENDING;
        note_failure(e, e->query->domain, DNS_MX, mx);
        return fail(e);
    case DNS_FAILED:
        note_failure(e, e->query->domain, DNS_MX, mx);
        return fail(e);
    case DNS_NXDOMAIN:
        return MX_NO_DOMAIN;
    case DNS_FOUND:
        return read_mx(e, mx);
    case DNS_NODATA:
        return read_host(e);
    }
    UNREACHABLE();
}

void mx_evaluate(const struct mx_query *query, const struct dns *dns, struct mx_answer *answer_r)
{
    struct evaluation e = {
        .query = query, .dns = dns, .answer = answer_r, .own_preference = UINT_MAX};
    *answer_r = (struct mx_answer){0};
    answer_r->result = evaluate(&e);
    CHECK(answer_r->result != MX_FOUND || hosts_have_ips(&answer_r->hosts));
}
