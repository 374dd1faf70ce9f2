// SPDX-License-Identifier: BSD-2-Clause
/* host_trust.c - What TLS with a host must show before it has the mail: TLSA records are looked up
 * while the connection is made, and judged before a message is spoken of.
 *
 * Happy path: a host is dialled, and its records are asked for - it has said EHLO: what TLS must be
 * is decided - handshake - its certificate fits, which the connection has proven from now on.
 * Where DANE does not decide, the domain's own policy does (MTA-STS), which is asked for at the
 * same time, and once more, past all caches, before a host is left for its sake.
 *
 * Failure modes:
 * - no answer about the records, or no TLS though there are some: the next host
 * - the certificate fits none of them: they are asked for anew, once, past all caches, as they may
 *   have been changed just now; then the host is tried again by the new ones, or left. The answer
 *   is for the connection that asked: another one goes by what it has been judged by
 * - no host is left: the mail waits; nothing of this is ever permanent
 */
#include "host_trust.h"

#include "outbound_parts.h"
#include "tlsrpt_gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Mail on its way to the host that a connection is with. */
struct errand {
    const struct config_route *route;
    const struct hosts *hosts;
    const char *next_hop; /* the domain, or the host that the route names */
    const char *domain;
    const struct attempt *attempt; /* that has asked for its domain's policy; NULL: none yet */
    enum tls_need need;            /* the message's */
    bool report;                   /* on TLS, which arrives whatever TLS (RFC 8460 section 5.3) */
};

static struct errand errand_of(const struct config_route *route, const struct dispatch_work *work)
{
    return (struct errand){.need = work->need,
                           .route = route,
                           .hosts = &work->hosts->hosts,
                           .next_hop = route->host[0] ? route->host : work->domain,
                           .domain = work->domain};
}

static struct errand present(const struct outbound *c)
{
    struct errand e = errand_of(c->attempt->route, c->attempt->work);
    e.attempt = c->attempt;
    e.need = c->attempt->mail->tls_need;
    e.report = mail_is_tls_report(c->attempt->mail);
    return e;
}

/* ---- what is known ---- */

static struct host_situation situation(const struct outbound *c, const struct errand *e)
{
    struct host_situation s = {.fixed = e->route->tls != DELIVERY_TLS_MAY,
                               .waived = e->need == TLS_NEED_WAIVED || e->report,
                               .demand = e->need,
                               .verifies = e->route->trust.level == TRUST_VERIFIED,
                               .secure = e->hosts->secure,
                               .mode = c->without_dnssec ? DANE_MODE_OFF : e->route->dane,
                               .dane = c->dane ? c->dane->answer.state : DANE_PENDING};
    if (c->unusable && s.dane == DANE_FOUND) /* by OpenSSL */
        s.dane = DANE_UNUSABLE;
    domain_policy_say(c->home, e->route, e->domain, e->attempt, c->host_name, &s);
    return s;
}

static bool asks(const struct outbound *c)
{
    const struct errand e = present(c);
    const struct host_situation s = situation(c, &e);
    return host_policy_asks(&s);
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
    if (host_policy_asks(&s) && s.dane == DANE_PENDING) /* nobody has asked on its way here */
        s.dane = DANE_FAILED;
    host_policy_decide(&s, &policy);
    return policy;
}

static void make_dane(const struct outbound *c, const struct errand *e, struct dane *dane_r)
{
    dane_make(&c->dane->answer, e->hosts->secure, e->next_hop, e->hosts->canonical, dane_r);
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
    const struct errand e = errand_of(config_route(settings->config, work->domain), work);
    const struct host_policy policy = policy_for(c, &e);
    struct trust demanded = demanded_by(c, &e, &policy);
    demanded.settings = settings->generation;
    return trust_covers(&c->proven, &demanded);
}

/* ---- looking up ---- */

static void on_answer(void *context, struct dane_answer *answer)
{
    struct host_trust *t = context;
    struct outbound *c = t->owner;
    t->lookup = NULL;
    t->answer = *answer;
    if (c->connection && c->dane == t && c->delivery.want == DELIVERY_DEMAND)
        c->pump(c);
}

void host_trust_look(struct outbound *c, size_t host)
{
    CHECK(host < c->trust_count);
    const struct host *one = &c->attempt->work->hosts->hosts.all[host];
    struct host_trust *t = &c->trusts[host];
    if (t->lookup || t->answer.state != DANE_PENDING || !asks(c))
        return;
    if (!one->secure && !one->canonical)
        t->answer.state = DANE_NONE;
    else if (!c->home->resolver)
        t->answer.state = DANE_FAILED; /* the relay ends */
    else
        host_lookups_ask(c, t, on_answer);
}

/* ---- deciding ---- */

/* The record that is behind it, or the name that has no answer. */
static const char *asked(const struct outbound *c)
{
    return c->dane ? c->dane->answer.asked : "";
}

/* ---- the domain's policy ---- */

/* The certificate was not valid for the host; by what the domain says now, does that matter? */
static void reconsider(struct outbound *c)
{
    const struct errand e = present(c);
    const struct host_policy policy = policy_for(c, &e);
    c->undecided = false;
    c->again = !(policy.enforced && policy.policy == TLS_POLICY_STS);
    if (c->again) {
        connection_close(c->connection, "the policy of its domain has changed");
        return;
    }
    host_distrust(c, asked(c), c->misfit);
    c->pump(c);
}

static void on_domain(void *context)
{
    struct outbound *c = context;
    if (!c->connection)
        return;
    bool waits = c->awaits || c->delivery.want == DELIVERY_DEMAND;
    if (c->undecided && c->delivery.want == DELIVERY_TLS && !c->dane->lookup)
        reconsider(c);
    else if (waits)
        c->pump(c);
}

void host_trust_ask(struct outbound *c)
{
    domain_policy_ask(c->attempt, false, on_domain, c);
}

/* Is something about the domain's policy on its way that it hangs on? */
static bool waits_for_domain(const struct outbound *c, const struct host_situation *s)
{
    bool doubted = c->attempt->domain.ask && c->attempt->domain.known && s->sts == STS_ENFORCE &&
                   s->dane != DANE_FOUND && s->dane != DANE_FAILED;
    return host_policy_awaits(s) || doubted;
}

/* Before a failure counts, it is asked once whether the policy is still the same. */
static bool doubts_domain(struct outbound *c)
{
    if (c->attempt->domain.doubted || !c->home->resolver)
        return false;
    domain_policy_ask(c->attempt, true, on_domain, c);
    return true;
}

bool host_trust_ready(struct outbound *c)
{
    const struct errand e = present(c);
    const struct host_situation s = situation(c, &e);
    c->awaits = waits_for_domain(c, &s);
    return !c->awaits;
}

bool host_trust_by_policy(const struct outbound *c)
{
    return c->policy.enforced && c->policy.need == HOST_NEEDS_AUTHORITY;
}

void host_trust_reached(struct outbound *c, size_t host)
{
    CHECK(host < c->trust_count);
    c->dane = &c->trusts[host];
    const struct errand e = present(c);
    const struct host_situation s = situation(c, &e);
    c->delivery_settings.tls_unsaid = host_policy_asks(&s) || host_policy_asks_domain(&s);
    if (c->delivery_settings.tls_unsaid)
        return;
    c->policy = policy_for(c, &e);
    c->delivery_settings.tls_unsaid = c->policy.need == HOST_CANNOT_BE_VERIFIED;
    note(c);
}

bool host_trust_decide(struct outbound *c)
{
    const struct errand e = present(c);
    const struct host_situation s = situation(c, &e);
    if ((host_policy_asks(&s) && s.dane == DANE_PENDING) || waits_for_domain(c, &s))
        return false;
    c->policy = policy_for(c, &e);
    if (c->policy.need == HOST_CANNOT_BE_VERIFIED) {
        c->delivery_settings.tls_unsaid = false;
        note(c);
        host_distrust_unverifiable(c);
        return true;
    }
    if (c->policy.need == HOST_IS_UNUSABLE && c->policy.enforced) {
        if (c->policy.policy == TLS_POLICY_STS && doubts_domain(c))
            return false;
        c->delivery_settings.tls_unsaid = false;
        note(c);
        host_distrust(c, asked(c), host_distrust_why(c));
        return true;
    }
    c->delivery_settings.tls_unsaid = false;
    note(c);
    if (c->policy.need == HOST_IS_UNUSABLE)
        host_distrust_log(c, host_distrust_why(c));
    if (host_policy_demands_tls(&c->policy))
        c->delivery_settings.tls = DELIVERY_TLS_REQUIRE;
    delivery_demand(&c->delivery);
    return true;
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

static void on_anew(void *context, struct dane_answer *answer)
{
    struct host_trust *t = context;
    struct outbound *c = t->owner;
    bool waits = c->dane == t && c->undecided && c->connection && c->delivery.want == DELIVERY_TLS;
    bool changed = waits && answer->state != DANE_FAILED && !dane_answer_equal(&t->answer, answer);
    t->lookup = NULL;
    dane_answer_fini(changed ? &t->answer : answer);
    if (changed)
        t->answer = *answer;
    if (!waits)
        return;
    c->again = changed;
    if (changed) {
        connection_close(c->connection, "its TLSA records have changed");
        return;
    }
    host_distrust(c, asked(c), c->misfit);
    c->pump(c);
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
        c->unusable = true;
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
    const struct errand e = present(c);
    struct host_situation s = situation(c, &e);
    s.dane = DANE_UNUSABLE;
    if (!host_policy_awaits(&s) && c->policy.need != HOST_NEEDS_AUTHORITY)
        return false;
    dane_answer_fini(&c->dane->answer);
    c->dane->answer.state = DANE_UNUSABLE;
    c->again = true;
    connection_close(c->connection, "none of its TLSA records can be used");
    return true;
}

enum host_trust_judgement host_trust_judge(struct outbound *c)
{
    prove(c);
    if (c->unusable && leaves_dane(c))
        return HOST_UNDECIDED;
    if (c->policy.need == HOST_CANNOT_BE_VERIFIED) { /* OpenSSL can use none of its records */
        host_distrust_unverifiable(c);
        return HOST_DISTRUSTED;
    }
    bool by_domain = c->policy.need == HOST_NEEDS_AUTHORITY;
    if ((c->policy.need != HOST_NEEDS_CERTIFICATE && !by_domain) ||
        c->policy.result == TLS_RESULT_OK)
        return HOST_TRUSTED;
    if (!c->policy.enforced) {
        host_distrust_log(c, c->misfit);
        return HOST_TRUSTED;
    }
    if (by_domain && doubts_domain(c)) {
        c->undecided = true;
        return HOST_UNDECIDED;
    }
    if (by_domain || c->dane->anew || !c->home->resolver) {
        host_distrust(c, asked(c), c->misfit);
        return HOST_DISTRUSTED;
    }
    c->dane->anew = c->undecided = true;
    host_lookups_ask(c, c->dane, on_anew);
    return HOST_UNDECIDED;
}

void host_trust_describe(const struct outbound *c, struct tlsrpt_terms *terms)
{
    const struct sts_answer *domain = &c->attempt->domain.answer;
    terms->host = c->host_name;
    terms->dane = c->dane ? &c->dane->answer : NULL;
    terms->sts = domain->terms ? &domain->terms->policy : NULL;
}

bool host_trust_timed_out(struct outbound *c)
{
    struct host_trust *t = c->dane;
    bool decides = c->delivery.want == DELIVERY_DEMAND;
    bool judges = c->delivery.want == DELIVERY_TLS && c->undecided;
    bool looks = t && t->lookup;
    bool ours = looks || (c->attempt && c->attempt->domain.ask);
    if (!ours || !(decides || judges || c->awaits))
        return false;
    if (looks) {
        dane_lookup_cancel(t->lookup);
        t->lookup = NULL;
        t->answer.state = judges ? t->answer.state : DANE_FAILED;
    }
    domain_policy_give_up(c->attempt);
    if (judges)
        host_distrust(c, asked(c), c->misfit);
    return true;
}

void host_trust_explain(struct outbound *c)
{
    const struct verdict v = c->delivery.trouble;
    bool no_tls = strcmp(v.enhanced, "4.7.10") == 0;
    bool in_handshake = strcmp(delivery_stage_name(&c->delivery), "STARTTLS") == 0;
    if (v.heard || c->policy.need == HOST_CANNOT_BE_VERIFIED ||
        !host_policy_demands_tls(&c->policy) || !(no_tls || in_handshake))
        return;
    c->policy.result = no_tls ? TLS_RESULT_STARTTLS_NOT_SUPPORTED : TLS_RESULT_VALIDATION_FAILURE;
    note(c);
    if (c->policy.policy == TLS_POLICY_STS)
        (void)doubts_domain(c); /* for the next host, and the next time */
    c->attempt->distrusted = true;
    c->delivery.trouble = host_distrust_verdict(c, asked(c), v.enhanced, v.text);
    host_distrust_log(c, c->delivery.trouble.text);
}
