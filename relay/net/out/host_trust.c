// SPDX-License-Identifier: BSD-2-Clause
/* host_trust.c - What TLS with a host must show before it has the mail: TLSA records are looked up
 * while the connection is made, and judged before a message is spoken of.
 *
 * Happy path: a host is dialled, and its records are asked for - it has said EHLO: what TLS must be
 * is decided - handshake - its certificate fits, which the connection has proven from now on.
 *
 * Failure modes:
 * - no answer about the records, or no TLS though there are some: the next host
 * - the certificate fits none of them: they are asked for anew, once, past all caches, as they may
 *   have been changed just now; then the host is tried again by the new ones, or left. The answer
 *   is for the connection that asked: another one goes by what it has been judged by
 * - no host is left: the mail waits; nothing of this is ever permanent
 */
#include "host_trust.h"

#include "log.h"
#include "outbound_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* What DNSSEC says of one of the hosts. */
struct host_trust {
    struct outbound *owner;
    struct dane_lookup *lookup; /* NULL: none under way */
    struct dane_answer answer;  /* DANE_PENDING: not known, or not asked for */
    bool anew;                  /* it has been asked for past the caches */
};

/* Mail on its way to the host that a connection is with. */
struct errand {
    const struct config_route *route;
    const struct hosts *hosts;
    const char *next_hop; /* the domain, or the host that the route names */
};

static struct errand errand_of(const struct config_route *route, const struct dispatch_work *work)
{
    return (struct errand){.route = route,
                           .hosts = &work->hosts->hosts,
                           .next_hop = route->host[0] ? route->host : work->attempt->domain};
}

static struct errand present(const struct outbound *c)
{
    return errand_of(c->attempt->route, c->attempt->work);
}

/* ---- what is known ---- */

static struct host_situation situation(const struct outbound *c, const struct errand *e)
{
    return (struct host_situation){.fixed = e->route->tls != DELIVERY_TLS_MAY,
                                   .secure = e->hosts->secure,
                                   .mode = c->without_dnssec ? DANE_MODE_OFF : e->route->dane,
                                   .dane = c->dane ? c->dane->answer.state : DANE_PENDING};
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
    c->attempt->tls_policy = c->policy.policy;
    c->attempt->tls_result = c->policy.result;
    bool fits = c->policy.need == HOST_NEEDS_CERTIFICATE && c->policy.result == TLS_RESULT_OK;
    snprintf(c->attempt->tlsa, sizeof(c->attempt->tlsa), "%s", fits ? c->tlsa : "");
}

/* ---- what is demanded ---- */

/* Does this hold for the connection's host, once OpenSSL has seen the records? */
static struct host_policy policy_for(const struct outbound *c, const struct errand *e)
{
    struct host_situation s = situation(c, e);
    struct host_policy policy;
    if (host_policy_asks(&s) && s.dane == DANE_PENDING) /* nobody has asked on its way here */
        s.dane = DANE_FAILED;
    if (c->unusable && s.dane == DANE_FOUND)
        s.dane = DANE_UNUSABLE;
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
    struct trust demanded = e->route->trust;
    struct dane dane;
    if (!host_policy_demands_tls(policy))
        return demanded;
    if (demanded.level < TRUST_ENCRYPTED)
        demanded.level = TRUST_ENCRYPTED;
    if (policy->need == HOST_IS_UNUSABLE) {
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
    enum tls_result judged = c->policy.result;
    c->policy = policy_for(c, &e);
    if (!c->delivery.tls)
        judged = c->delivery.offers.starttls ? TLS_RESULT_VALIDATION_FAILURE
                                             : TLS_RESULT_STARTTLS_NOT_SUPPORTED;
    c->policy.result = c->policy.result == TLS_RESULT_NONE ? judged : c->policy.result;
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
    const struct errand e = errand_of(config_route(settings->config, work->attempt->domain), work);
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

static void look_up(struct outbound *c, struct host_trust *t, dane_lookup_on_answer *done)
{
    const struct attempt *p = c->attempt;
    const struct dane_lookup_query query = {.host = &p->work->hosts->hosts.all[t - c->trusts],
                                            .tenant = p->mail->tenant,
                                            .urgent = p->mail->class == STREAM_SECURITY,
                                            .port = p->route->port,
                                            .fresh = t->anew ? c->settings->config : NULL};
    t->lookup = dane_lookup_start(c->home->resolver, &query, done, t);
}

void host_trust_begin(struct outbound *c)
{
    host_trust_end(c);
    c->adopted = false;
    c->without_dnssec = c->home->dnssec == DNSSEC_ABSENT;
    c->trust_count = c->attempt->work->hosts->hosts.count;
    c->trusts = xcalloc(c->trust_count, sizeof(*c->trusts));
    for (size_t i = 0; i < c->trust_count; i++)
        c->trusts[i].owner = c;
}

void host_trust_end(struct outbound *c)
{
    for (size_t i = 0; i < c->trust_count; i++) {
        dane_lookup_cancel(c->trusts[i].lookup);
        dane_answer_fini(&c->trusts[i].answer);
    }
    free(c->trusts);
    c->trusts = c->dane = NULL;
    c->trust_count = 0;
}

void host_trust_leave(struct outbound *c)
{
    struct host_trust *t = c->dane;
    if (t && c->undecided && t->lookup) {
        dane_lookup_cancel(t->lookup);
        t->lookup = NULL;
        t->anew = false; /* nobody has heard the answer */
    }
    c->undecided = false;
    c->dane = NULL;
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
        look_up(c, t, on_answer);
}

void host_trust_abandon_all(struct deliveries *home)
{
    struct outbound *c;
    DL_FOREACH (home->outbounds, c)
        for (size_t i = 0; i < c->trust_count; i++) {
            struct host_trust *t = &c->trusts[i];
            if (t->lookup && !t->anew)
                t->answer.state = DANE_FAILED;
            dane_lookup_cancel(t->lookup);
            t->lookup = NULL;
        }
}

/* ---- deciding ---- */

static void log_distrust(const struct outbound *c, const char *why)
{
    struct log_line *line = log_id(log_begin(LOG_WARN, "tls_distrusted"), c->attempt->mail->id);
    line = log_text(log_text(line, "domain", present(c).next_hop), "mx", c->host_name);
    line = log_text(line, "tls_policy", tls_policy_name(c->policy.policy));
    line = log_text(line, "tls_result", tls_result_name(c->policy.result));
    line = log_text(line, "what", c->policy.enforced ? "the host is not used" : "told only");
    log_end(log_text(line, "reply", why));
}

static struct verdict verdict_on(const struct outbound *c, const char *enhanced, const char *what)
{
    return verdict_make(451, enhanced, "DANE: host %s of %s: %.160s (%s, %s)", c->host_name,
                        present(c).next_hop, what, c->dane ? c->dane->answer.asked : "",
                        tls_result_name(c->policy.result));
}

/* This host must not have the mail. */
static void distrust(struct outbound *c, const char *what)
{
    const struct verdict v = verdict_on(c, "4.7.5", what);
    log_distrust(c, v.text);
    c->attempt->distrusted = true;
    delivery_distrust(&c->delivery, &v);
}

void host_trust_reached(struct outbound *c, size_t host)
{
    CHECK(host < c->trust_count);
    c->dane = &c->trusts[host];
    c->delivery_settings.tls_unsaid = asks(c);
    if (c->delivery_settings.tls_unsaid)
        return;
    const struct errand e = present(c);
    c->policy = policy_for(c, &e);
    note(c);
}

bool host_trust_decide(struct outbound *c)
{
    const struct errand e = present(c);
    struct delivery_settings *s = &c->delivery_settings;
    if (c->dane->answer.state == DANE_PENDING)
        return false;
    c->policy = policy_for(c, &e);
    s->tls_unsaid = false;
    note(c);
    if (c->policy.need == HOST_IS_UNUSABLE && c->policy.enforced) {
        distrust(c, "its TLSA records cannot be looked up");
        return true;
    }
    if (c->policy.need == HOST_IS_UNUSABLE)
        log_distrust(c, "its TLSA records cannot be looked up");
    if (host_policy_demands_tls(&c->policy))
        s->tls = DELIVERY_TLS_REQUIRE;
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
    distrust(c, c->misfit);
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
    if (by_authority) {
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
    note(c);
}

enum host_trust_judgement host_trust_judge(struct outbound *c)
{
    prove(c);
    if (c->policy.need != HOST_NEEDS_CERTIFICATE || c->policy.result == TLS_RESULT_OK)
        return HOST_TRUSTED;
    if (!c->policy.enforced) {
        log_distrust(c, c->misfit);
        return HOST_TRUSTED;
    }
    if (c->dane->anew || !c->home->resolver) {
        distrust(c, c->misfit);
        return HOST_DISTRUSTED;
    }
    c->dane->anew = c->undecided = true;
    look_up(c, c->dane, on_anew);
    return HOST_UNDECIDED;
}

void host_trust_explain(struct outbound *c)
{
    const struct verdict v = c->delivery.trouble;
    bool no_tls = strcmp(v.enhanced, "4.7.10") == 0;
    bool in_handshake = strcmp(delivery_stage_name(&c->delivery), "STARTTLS") == 0;
    if (v.heard || !host_policy_demands_tls(&c->policy) || !(no_tls || in_handshake))
        return;
    c->policy.result = no_tls ? TLS_RESULT_STARTTLS_NOT_SUPPORTED : TLS_RESULT_VALIDATION_FAILURE;
    note(c);
    c->attempt->distrusted = true;
    c->delivery.trouble = verdict_on(c, v.enhanced, v.text);
    log_distrust(c, c->delivery.trouble.text);
}
