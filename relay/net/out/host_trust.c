// SPDX-License-Identifier: BSD-2-Clause
/* host_trust.c - What TLS with a host must show before it has the mail: what was found with the
 * domain's hosts (host_facts.h) decides, and is judged before a message is spoken of. Nothing is
 * looked up here: a connection has a place that others may wait for.
 *
 * Happy path: hosts that must not have the mail whatever they show are left out - a host has said
 * EHLO: what TLS must be is decided - handshake - its certificate fits, which the connection has
 * proven from now on. Where DANE does not decide, the domain's own policy does (MTA-STS).
 *
 * Failure modes:
 * - no answer about the records, or no TLS though there are some: the next host
 * - the certificate does not fit, or the policy names no host that can be tried: the queue has the
 *   mail again, and all of it waits without a connection until records and policy have been asked
 *   for past all caches, as they may have been changed just now; then it is tried by the new ones.
 *   Where they have been asked for since the mail was due, or just before that: the next host
 * - no host is left: the mail waits; nothing of this is ever permanent
 */
#include "host_trust.h"

#include "clock.h"
#include "host_facts.h"
#include "outbound_parts.h"
#include "tls_shown.h"
#include "tlsrpt_gather.h"

#include <stdio.h>
#include <string.h>

enum {
    EARLY_MS = 60 * 1000
}; /* so much before its time mail may be tried, as clocks drift apart */

/* Mail on its way to the host that a connection is with. */
struct errand {
    const struct config_route *route;
    const struct hosts *hosts;
    const char *next_hop;            /* the domain, or the host that the route names */
    const struct sts_answer *policy; /* of the domain */
    enum tls_need need;              /* the message's */
    bool report;                     /* on TLS, which arrives whatever TLS (RFC 8460 section 5.3) */
};

static struct errand errand_of(const struct config_route *route, const struct dispatch_work *work,
                               const struct sts_answer *policy)
{
    return (struct errand){.need = work->need,
                           .route = route,
                           .hosts = &work->hosts->hosts,
                           .next_hop = route->host[0] ? route->host : work->domain,
                           .policy = policy};
}

static struct errand present(const struct outbound *c)
{
    const struct attempt *p = c->attempt;
    struct errand e = errand_of(p->route, p->work, &p->policy);
    e.need = c->attempt->mail->tls_need;
    e.report = mail_is_tls_report(c->attempt->mail);
    return e;
}

/* ---- what is known ---- */

/* What was found of the host that it is with; NULL: nothing. */
static const struct dane_answer *tlsa_of(const struct outbound *c)
{
    return c->fact < SIZE_MAX ? &c->facts->all[c->fact].tlsa : NULL;
}

static struct host_situation situation(const struct outbound *c, const struct errand *e)
{
    const struct dane_answer *tlsa = tlsa_of(c);
    struct host_situation s = {.fixed = e->route->tls != DELIVERY_TLS_MAY,
                               .encrypts = e->route->tls >= DELIVERY_TLS_REQUIRE,
                               .waived = e->need == TLS_NEED_WAIVED || e->report,
                               .demand = e->need,
                               .verifies = e->route->trust.level == TRUST_VERIFIED,
                               .secure = e->hosts->secure,
                               .mode = c->without_dnssec ? DANE_MODE_OFF : e->route->dane,
                               .dane = tlsa ? tlsa->state : DANE_PENDING,
                               .sts_mode = e->route->mta_sts};
    bool unusable = c->fact < SIZE_MAX && (c->unusable >> c->fact & 1) != 0;
    if (unusable && s.dane == DANE_FOUND) /* by OpenSSL */
        s.dane = DANE_UNUSABLE;
    domain_policy_say(e->policy, c->host_name, &s);
    return s;
}

/* What there is to tell of the attempt: what was decided last counts. */
static void note(const struct outbound *c)
{
    c->attempt->host.tls_policy = c->policy.policy;
    c->attempt->host.tls_result = c->policy.result;
    bool fits = c->policy.need == HOST_NEEDS_CERTIFICATE && c->policy.result == TLS_RESULT_OK;
    snprintf(c->attempt->host.tlsa, sizeof(c->attempt->host.tlsa), "%s", fits ? c->tlsa : "");
}

/* ---- what is demanded ---- */

/* Does this hold for the connection's host, once OpenSSL has seen the records? */
static struct host_policy policy_for(const struct outbound *c, const struct errand *e)
{
    struct host_situation s = situation(c, e);
    struct host_policy policy;
    if (host_policy_asks(&s) && s.dane == DANE_PENDING) /* nobody has asked */
        s.dane = DANE_FAILED;
    host_policy_decide(&s, &policy);
    return policy;
}

static void make_dane(const struct outbound *c, const struct errand *e, struct dane *dane_r)
{
    dane_make(tlsa_of(c), e->hosts->secure, e->next_hop, e->hosts->canonical, dane_r);
}

static struct trust demanded_by(const struct outbound *c, const struct errand *e,
                                const struct host_policy *policy)
{
    struct trust demanded = trust_for(&e->route->trust, e->need);
    struct dane dane;
    if (!host_policy_demands_tls(policy))
        return demanded;
    if (demanded.level < TRUST_ENCRYPTED)
        demanded.level = TRUST_ENCRYPTED;
    if (policy->need == HOST_NEEDS_AUTHORITY)
        demanded.level = TRUST_VERIFIED;
    if (policy->need >= HOST_IS_UNUSABLE) {
        memset(demanded.host, 0xff, sizeof(demanded.host)); /* which nobody can prove */
    } else if (policy->need == HOST_NEEDS_CERTIFICATE) {
        make_dane(c, e, &dane);
        dane_digest(&dane, demanded.host);
    }
    return demanded;
}

static struct trust demanded_now(struct outbound *c)
{
    const struct errand e = present(c);
    const struct host_tls found = {
        .starttls = c->delivery.offers.starttls, .tls = c->delivery.tls, .certificate = c->shown};
    c->policy = policy_for(c, &e); /* which the connection may not have been made by */
    c->policy.result = host_policy_judge(&c->policy, &found);
    note(c);
    struct trust demanded = demanded_by(c, &e, &c->policy);
    demanded.settings = c->attempt->settings->generation;
    return demanded;
}

bool host_trust_holds(struct outbound *c)
{
    const struct trust demanded = demanded_now(c);
    return trust_covers(&c->proven, &demanded);
}

bool host_trust_covers(const struct outbound *c, const struct dispatch_work *work)
{
    const struct settings *settings = c->home->worker->settings;
    const struct config_route *route = config_route(settings->config, work->domain);
    struct sts_answer known;
    if (!domain_policy_expect(c->home, route, work, &known))
        return false;
    const struct errand e = errand_of(route, work, &known);
    const struct host_policy policy = policy_for(c, &e);
    struct trust demanded = demanded_by(c, &e, &policy);
    demanded.settings = settings->generation;
    bool covers = trust_covers(&c->proven, &demanded);
    sts_answer_fini(&known);
    return covers;
}

/* ---- what is known ---- */

void host_trust_begin(struct outbound *c)
{
    host_trust_end(c);
    c->facts = host_facts_hold(c->attempt->work->hosts->facts);
    c->adopted = false;
    c->unusable = 0;
    c->without_dnssec = c->home->dnssec == DNSSEC_ABSENT;
}

void host_trust_end(struct outbound *c)
{
    host_facts_drop(c->facts);
    c->facts = NULL;
    c->fact = SIZE_MAX;
}

/* The record that is behind it, or the name that has no answer. */
static const char *asked(const struct outbound *c)
{
    const struct dane_answer *tlsa = tlsa_of(c);
    return tlsa ? tlsa->asked : "";
}

/* ---- doubts ---- */

/* Mail that a host has answered goes by what is known, as what has been asked for just now does. */
static bool doubts(const struct outbound *c)
{
    return c->home->resolver && c->facts && c->troubles == 0 && !attempt_has_answer(c->attempt) &&
           !attempt_was_due(c->attempt, c->facts->anew_ms) &&
           dispatch_ask_anew(c->home->shared->dispatch, c->attempt->work->attempt,
                             c->facts->found_ms);
}

/* ---- hosts that are left out ---- */

static void stand_before(struct outbound *c, size_t host)
{
    const struct host *one = &c->attempt->work->hosts->hosts.all[host];
    snprintf(c->host_name, sizeof(c->host_name), "%s", one->name);
    c->fact = host_facts_find(c->facts, one->name);
    const struct errand e = present(c);
    c->policy = policy_for(c, &e);
}

void host_trust_bar(struct outbound *c)
{
    struct candidates *all = &c->candidates;
    for (size_t i = 0; i < all->count; i++) {
        uint32_t bit = 1U << all->all[i].host;
        if (all->all[i].state != CANDIDATE_LEFT)
            continue;
        stand_before(c, all->all[i].host);
        if (c->policy.need != HOST_IS_UNUSABLE || !c->policy.enforced)
            continue;
        candidates_set(all, i, CANDIDATE_TRIED, clock_steady_ms());
        c->barred |= bit;
        c->barred_by_domain = c->barred_by_domain || c->policy.policy == TLS_POLICY_STS;
    }
    c->fact = SIZE_MAX;
    c->policy = (struct host_policy){0};
}

bool host_trust_doubts_barred(const struct outbound *c)
{
    return c->barred_by_domain && doubts(c);
}

bool host_trust_misses_hosts(const struct outbound *c)
{
    return c->attempt->work->hosts->hosts.missing && doubts(c);
}

bool host_trust_tell_barred(struct outbound *c, size_t end, struct verdict *v_r)
{
    char why[HOST_DISTRUST_WHY];
    size_t i = 0;
    while (i < end && (c->barred >> i & 1) == 0)
        i++;
    if (i >= end)
        return false;
    c->barred &= ~(1U << i);
    stand_before(c, i);
    const struct candidate *at = c->candidates.all;
    while (at->host != i)
        at++;
    c->at = at->at;
    ip_print(&c->at.ip, c->peer);
    note(c);
    *v_r = host_distrust_note(c, asked(c), host_distrust_why(c, why));
    return true;
}

/* ---- deciding ---- */

bool host_trust_by_policy(const struct outbound *c)
{
    return c->policy.enforced && c->policy.need == HOST_NEEDS_AUTHORITY;
}

void host_trust_reached(struct outbound *c, size_t host)
{
    c->fact = host_facts_find(c->facts, c->attempt->work->hosts->hosts.all[host].name);
    const struct errand e = present(c);
    const struct host_situation s = situation(c, &e);
    c->delivery_settings.tls_unsaid = host_policy_asks(&s) || host_policy_asks_domain(&s);
    if (c->delivery_settings.tls_unsaid)
        return;
    c->policy = policy_for(c, &e);
    c->delivery_settings.tls_unsaid = c->policy.need == HOST_CANNOT_BE_VERIFIED;
    note(c);
}

void host_trust_decide(struct outbound *c)
{
    char why[HOST_DISTRUST_WHY];
    const struct errand e = present(c);
    c->policy = policy_for(c, &e);
    c->delivery_settings.tls_unsaid = false;
    if (c->policy.need == HOST_CANNOT_BE_VERIFIED) {
        const struct host_tls found = {.starttls = c->delivery.offers.starttls};
        c->policy.result = host_policy_judge(&c->policy, &found);
    }
    note(c);
    if (c->policy.need == HOST_CANNOT_BE_VERIFIED) {
        host_distrust_unverifiable(c);
        return;
    }
    if (c->policy.need == HOST_IS_UNUSABLE && c->policy.enforced) {
        host_distrust(c, asked(c), host_distrust_why(c, why));
        return;
    }
    if (c->policy.need == HOST_IS_UNUSABLE)
        host_distrust_log(c, host_distrust_why(c, why));
    if (host_policy_demands_tls(&c->policy))
        c->delivery_settings.tls = DELIVERY_TLS_REQUIRE;
    delivery_demand(&c->delivery);
}

/* ---- judging ---- */

const struct dane *host_trust_terms(const struct outbound *c, struct dane *dane_r)
{
    const struct errand e = present(c);
    if (c->policy.need != HOST_NEEDS_CERTIFICATE)
        return NULL;
    make_dane(c, &e, dane_r);
    return dane_r;
}

/* What the handshake has shown. */
static void prove(struct outbound *c)
{
    const struct tls *tls = connection_tls(c->connection);
    struct tls_judgement j;
    struct dane dane;
    tls_judge(tls, &j);
    snprintf(c->misfit, sizeof(c->misfit), "%.*s", (int)sizeof(c->misfit) - 1, j.reason);
    bool by_authority = c->policy.need != HOST_NEEDS_CERTIFICATE;
    c->proven.level = by_authority && tls_verified(tls) ? TRUST_VERIFIED : TRUST_ENCRYPTED;
    c->shown = j.result;
    if (c->policy.need == HOST_NEEDS_AUTHORITY) {
        c->policy.result = j.result;
    } else if (by_authority) {
        c->policy.result = c->policy.result == TLS_RESULT_NONE ? TLS_RESULT_OK : c->policy.result;
    } else if (j.by == TLS_BY_NOTHING) {
        const struct errand e = present(c);
        c->unusable |= 1U << c->fact;
        c->policy = policy_for(c, &e);
    } else {
        c->policy.result = j.result;
        tlsa_print(&j.match, c->tlsa);
        if (j.result == TLS_RESULT_OK)
            dane_digest(host_trust_terms(c, &dane), c->proven.host);
    }
    bool by_route =
        c->attempt->route->trust.level == TRUST_VERIFIED && c->proven.level == TRUST_VERIFIED;
    if (c->policy.result == TLS_RESULT_OK && host_policy_verifies(c->policy.policy, by_route))
        c->proven.need = TLS_NEED_VERIFIED;
    note(c);
}

/* TLS could use none of its records: then the domain's policy is for another handshake. */
static bool leaves_dane(struct outbound *c)
{
    bool unusable = c->fact < SIZE_MAX && (c->unusable >> c->fact & 1) != 0;
    if (!unusable || c->policy.need != HOST_NEEDS_AUTHORITY)
        return false;
    c->again = true;
    connection_close(c->connection, "none of its TLSA records can be used");
    return true;
}

enum { MISFIT = 300, NAMES = 100 };

/* What was wrong with its certificate; of one for other names these, and what they should be. */
static const char *print_misfit(const struct outbound *c, const struct tls_judgement *j,
                                char text_r[MISFIT])
{
    struct dane dane;
    char has[NAMES];
    const struct dane *terms = host_trust_terms(c, &dane);
    if (j->result != TLS_RESULT_CERTIFICATE_HOST_MISMATCH)
        return j->reason;
    tls_show_names(connection_tls(c->connection), has, sizeof(has));
    snprintf(text_r, MISFIT, "%.40s: it is for %s, not for %.80s", j->reason, has,
             terms ? terms->names[0] : c->host_name);
    for (size_t i = 1; terms && i < terms->name_count; i++) {
        size_t used = strlen(text_r);
        snprintf(text_r + used, MISFIT - used, " or %s", terms->names[i]);
    }
    return text_r;
}

enum host_trust_judgement host_trust_judge(struct outbound *c)
{
    char text[HOST_DISTRUST_WHY];
    struct tls_judgement j;
    char misfit[MISFIT];
    bool by_records = c->policy.need == HOST_NEEDS_CERTIFICATE;
    prove(c);
    if (by_records && leaves_dane(c))
        return HOST_UNDECIDED;
    if (c->policy.need == HOST_CANNOT_BE_VERIFIED) { /* OpenSSL can use none of its records */
        host_distrust_unverifiable(c);
        return HOST_DISTRUSTED;
    }
    if (c->policy.need == HOST_IS_UNUSABLE && c->policy.enforced) { /* nor is it named */
        host_distrust(c, asked(c), host_distrust_why(c, text));
        return HOST_DISTRUSTED;
    }
    bool by_domain = c->policy.need == HOST_NEEDS_AUTHORITY;
    if ((c->policy.need != HOST_NEEDS_CERTIFICATE && !by_domain) ||
        c->policy.result == TLS_RESULT_OK)
        return HOST_TRUSTED;
    tls_judge(connection_tls(c->connection), &j);
    const char *why = print_misfit(c, &j, misfit);
    if (!c->policy.enforced) {
        host_distrust_log(c, why);
        return HOST_TRUSTED;
    }
    if (doubts(c)) {
        c->anew = true;
        connection_close(c->connection, "what it must show is asked for anew");
        return HOST_UNDECIDED;
    }
    host_distrust(c, asked(c), why);
    return HOST_DISTRUSTED;
}

void host_trust_describe(const struct outbound *c, struct tlsrpt_terms *terms)
{
    const struct sts_answer *domain = &c->attempt->policy;
    terms->host = c->host_name;
    terms->dane = tlsa_of(c);
    terms->sts = domain->terms ? &domain->terms->policy : NULL;
}

/* Was it refused, before any message, as it did not do the TLS that was demanded of it? */
static bool lacks_tls(const struct outbound *c)
{
    const struct verdict *v = &c->delivery.trouble;
    bool no_tls = strcmp(v->enhanced, "4.7.10") == 0;
    bool in_handshake = strcmp(delivery_stage_name(&c->delivery), "STARTTLS") == 0;
    return !v->heard && c->policy.need != HOST_CANNOT_BE_VERIFIED &&
           host_policy_demands_tls(&c->policy) && (no_tls || in_handshake);
}

bool host_trust_doubts(const struct outbound *c)
{
    return lacks_tls(c) && c->policy.policy == TLS_POLICY_STS && doubts(c);
}

/* What TLS has lacked that the route demands; NONE: the trouble is another. */
static enum tls_result lacks_by_route(const struct outbound *c)
{
    const struct tls *tls = connection_tls(c->connection);
    const struct verdict *v = &c->delivery.trouble;
    struct tls_judgement j = {.result = TLS_RESULT_NONE};
    if (!c->attempt || c->policy.need != HOST_NEEDS_ITS_ROUTE || v->heard || v->code == 0)
        return TLS_RESULT_NONE;
    if (!c->delivery.tls && strcmp(v->enhanced, "4.7.10") == 0)
        return TLS_RESULT_STARTTLS_NOT_SUPPORTED;
    if (tls && tls->state == TLS_FAILED && tls->demand == TLS_VERIFIED)
        tls_judge(tls, &j);
    return j.result == TLS_RESULT_OK ? TLS_RESULT_NONE : j.result;
}

void host_trust_explain_route(struct outbound *c)
{
    const struct verdict v = c->delivery.trouble;
    enum tls_result result = lacks_by_route(c);
    if (result == TLS_RESULT_NONE)
        return;
    c->policy.result = result;
    note(c);
    c->delivery.trouble =
        verdict_make(v.code, v.enhanced, "route \"%.60s\": host %s: %.160s (%s)",
                     c->attempt->route->domain, c->host_name, v.text, tls_result_name(result));
}

void host_trust_explain(struct outbound *c)
{
    const struct verdict v = c->delivery.trouble;
    bool no_tls = strcmp(v.enhanced, "4.7.10") == 0;
    if (!lacks_tls(c))
        return;
    c->policy.result = no_tls ? TLS_RESULT_STARTTLS_NOT_SUPPORTED : TLS_RESULT_VALIDATION_FAILURE;
    note(c);
    c->attempt->distrusted = true;
    c->delivery.trouble = host_distrust_verdict(c, asked(c), v.enhanced, v.text);
    host_distrust_log(c, c->delivery.trouble.text);
}
