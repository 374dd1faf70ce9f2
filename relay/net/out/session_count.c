// SPDX-License-Identifier: BSD-2-Clause
/* session_count.c - What a connection shows of its host's TLS, for the report that the domain has
 * asked for.
 *
 * A connection that TLS has not been a matter of is none: one that nobody took, that ended before
 * EHLO was answered, or that is made in clear text because TLS has just failed. Nor is one that a
 * message has ended because it demands more than the domain does: others are told what they have
 * said and not kept. Mail that carries a report is not counted, so that reports lead to no reports.
 */
#include "session_count.h"

#include "outbound_parts.h"
#include "tlsrpt_gather.h"
#include "tlsrpt_wishes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SESSIONS_MAX = 64 /* of one attempt */, POLICY_MAX = 96 * 1024 };

/* ---- what it shows ---- */

/* As receivers see it; "" where that cannot be said. */
static void find_own_ip(const struct outbound *c, char *ip_r, size_t size)
{
    const char *ips[ALIGNMENT_IPS_MAX];
    const struct config_source *source = c->attempt ? c->attempt->source : NULL;
    size_t all = config_source_ips(c->settings->config, source, ips);
    const char *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < all; i++)
        if ((strchr(ips[i], ':') != NULL) == c->at.ip.v6) {
            found = ips[i];
            count++;
        }
    snprintf(ip_r, size, "%s", count == 1 ? found : "");
}

/* False: it goes to an address. */
static bool find_domain(const struct outbound *c, char domain_r[DNS_NAME_MAX + 1])
{
    const struct attempt *p = c->attempt;
    const char *next_hop = p->route->host[0] ? p->route->host : p->work->domain;
    struct ip ip;
    return !ip_parse(next_hop, &ip) && address_domain_ascii(span_of(next_hop), domain_r);
}

/* Where the domain's policy could not be had, the certificate of its mail server is no reason. */
static const char *reason_of(const struct outbound *c, enum tls_result result, const char *shown)
{
    static const bool of_policy[TLS_RESULTS] = {[TLS_RESULT_STS_POLICY_FETCH_ERROR] = true,
                                                [TLS_RESULT_STS_POLICY_INVALID] = true,
                                                [TLS_RESULT_STS_WEBPKI_INVALID] = true};
    return of_policy[result] ? c->attempt->policy.reason : shown;
}

static void describe_failure(const struct outbound *c, const char *shown, struct tlsrpt_session *s)
{
    const char *reason = reason_of(c, s->result, shown);
    find_own_ip(c, s->sending_ip, sizeof(s->sending_ip));
    snprintf(s->mx_host, sizeof(s->mx_host), "%s", c->host_name);
    snprintf(s->mx_helo, sizeof(s->mx_helo), "%s", c->delivery.peer_name);
    snprintf(s->receiving_ip, sizeof(s->receiving_ip), "%s", c->peer);
    snprintf(s->reason, sizeof(s->reason), "%.119s", reason);
}

/* NULL: it does not fit. */
static struct tlsrpt_text *make_text(const struct tlsrpt_terms *terms)
{
    struct buf text;
    buf_init(&text, POLICY_MAX);
    struct tlsrpt_text *made =
        tlsrpt_gather_policy(terms, &text) ? tlsrpt_text_new(buf_text(&text)) : NULL;
    buf_fini(&text);
    return made;
}

/* It is made once for all sessions that are judged by the policy; borrowed. */
static struct tlsrpt_text *kept_text(struct sts_terms *sts, const struct tlsrpt_terms *terms)
{
    struct tlsrpt_text *kept = atomic_load(&sts->report);
    struct tlsrpt_text *made = kept ? NULL : make_text(terms);
    if (!made || atomic_compare_exchange_strong(&sts->report, &kept, made))
        return kept ? kept : made;
    tlsrpt_text_drop(made); /* another shard was first */
    return kept;
}

static bool describe_policy(const struct outbound *c, struct tlsrpt_session *s)
{
    struct tlsrpt_terms terms = {.policy = c->policy.policy, .domain = s->domain};
    struct sts_terms *sts = c->attempt->policy.terms;
    bool by_domain = terms.policy == TLS_POLICY_STS || terms.policy == TLS_POLICY_STS_TESTING;
    host_trust_describe(c, &terms);
    if (by_domain && sts) {
        struct tlsrpt_text *text = kept_text(sts, &terms);
        s->policy = text ? tlsrpt_text_hold(text) : NULL;
    } else {
        s->policy = make_text(&terms);
    }
    return s->policy != NULL;
}

/* ---- counting ---- */

static bool is_wanted(struct attempt *p, const char *domain)
{
    struct tlsrpt_wishes *wishes = p->home->shared->wishes;
    return tlsrpt_wishes_ask(wishes, domain, p->mail->tenant) != TLSRPT_WISH_NONE;
}

static void count(struct outbound *c, enum tls_result result, const char *reason)
{
    struct attempt *p = c->attempt;
    struct tlsrpt_session s = {.result = result};
    c->counted = true;
    if (!p->home->shared->wishes || mail_is_tls_report(p->mail) || result == TLS_RESULT_NONE ||
        p->session_count == SESSIONS_MAX || !find_domain(c, s.domain) || !is_wanted(p, s.domain) ||
        !describe_policy(c, &s))
        return;
    if (result != TLS_RESULT_OK)
        describe_failure(c, reason, &s);
    p->sessions = xgrow(p->sessions, p->session_count + 1, sizeof(*p->sessions));
    p->sessions[p->session_count++] = s;
}

void session_count_ready(struct outbound *c)
{
    if (c->counted)
        return;
    bool in_clear = !c->delivery.tls && c->delivery_settings.tls_has_failed;
    count(c, in_clear ? TLS_RESULT_NONE : c->policy.result, c->misfit);
}

/* Of a handshake that has failed. */
static enum tls_result in_handshake(const struct outbound *c, const char **reason_r)
{
    const struct tls *tls = connection_tls(c->connection);
    struct tls_judgement j = {.result = TLS_RESULT_NONE};
    if (tls && tls->demand == TLS_VERIFIED && !tls_verified(tls))
        tls_judge(tls, &j);
    bool judged = j.result != TLS_RESULT_NONE && j.result != TLS_RESULT_OK;
    *reason_r = judged ? j.reason : c->delivery.trouble.text;
    return judged ? j.result : TLS_RESULT_VALIDATION_FAILURE;
}

void session_count_ended(struct outbound *c)
{
    const struct delivery *d = &c->delivery;
    const char *reason = c->misfit[0] ? c->misfit : d->trouble.text;
    if (c->counted || c->again || c->anew || !c->attempt || c->delivery_settings.tls_has_failed ||
        c->policy.need == HOST_CANNOT_BE_VERIFIED)
        return;
    if (c->policy.result != TLS_RESULT_NONE)
        count(c, c->policy.result, reason);
    else if (connection_tls(c->connection) && !d->tls)
        count(c, in_handshake(c, &reason), reason);
    else if (!d->tls && strcmp(d->trouble.enhanced, "4.7.10") == 0 && !d->trouble.heard)
        count(c, TLS_RESULT_STARTTLS_NOT_SUPPORTED, d->trouble.text);
}

void session_count_barred(struct outbound *c, const char *reason)
{
    if (c->policy.need == HOST_CANNOT_BE_VERIFIED)
        return; /* the message demands it, not the domain */
    count(c, c->policy.result, reason);
    c->counted = false; /* the connection that it makes is another session */
}

/* ---- handing over ---- */

/* Of which it is known by now that nobody wants them. */
static void drop_unwanted(struct attempt *p)
{
    size_t left = 0;
    for (size_t i = 0; i < p->session_count; i++) {
        if (is_wanted(p, p->sessions[i].domain))
            p->sessions[left++] = p->sessions[i];
        else
            tlsrpt_text_drop(p->sessions[i].policy);
    }
    p->session_count = left;
}

void session_count_settle(struct attempt *p, struct store_settle *settle)
{
    if (p->session_count > 0)
        drop_unwanted(p);
    settle->sessions = p->sessions;
    settle->session_count = p->session_count;
    p->sessions = NULL;
    p->session_count = 0;
    snprintf(settle->tenant, sizeof(settle->tenant), "%s", p->mail ? p->mail->tenant : "");
}

void session_count_keep(struct attempt *p)
{
    if (p->session_count == 0)
        return;
    struct store_settle *settle = store_settle_new();
    session_count_settle(p, settle);
    store_put(p->home->worker->store, &settle->job);
}
