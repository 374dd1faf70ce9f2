// SPDX-License-Identifier: BSD-2-Clause
/* host_distrust.c - What is told of a host that must not have the mail: by DANE, or by the policy
 * of the domain.
 *
 * Each message is told so, and the log only some times a minute: so many of a tenant's about a
 * host, and so many of its in all, for as many hosts as it may write to. The first line after that
 * says how many were left out.
 */
#include "host_trust.h"

#include "clock.h"
#include "host_facts.h"
#include "log.h"
#include "outbound_parts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

/* ---- how many lines ---- */

enum { MINUTE_MS = 60 * 1000, OF_A_HOST = 5, OF_A_TENANT = 60 };

struct share {
    char whose[64 + 1 + DNS_NAME_MAX + 1]; /* a tenant's; or, with a blank and its name, a host's */
    unsigned written;
    UT_hash_handle hh;
};

/* Of this minute, for all shards. */
static struct {
    pthread_mutex_t mutex;
    int64_t minute;
    struct share *shares;
    unsigned left_out;
} lines = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void begin_minute(int64_t minute)
{
    struct share *s;
    struct share *next;
    if (minute == lines.minute)
        return;
    HASH_ITER (hh, lines.shares, s, next) {
        HASH_DEL(lines.shares, s);
        free(s);
    }
    lines.minute = minute;
}

static struct share *need_share(const char *tenant, const char *host)
{
    struct share *s = NULL;
    char whose[sizeof(s->whose)];
    snprintf(whose, sizeof(whose), "%s%s%s", tenant, *host ? " " : "", host);
    HASH_FIND_STR(lines.shares, whose, s);
    if (s)
        return s;
    s = xcalloc(1, sizeof(*s));
    snprintf(s->whose, sizeof(s->whose), "%s", whose);
    HASH_ADD_STR(lines.shares, whose, s);
    return s;
}

/* May one more be written? And how many were not, until then. */
static bool may_write(const char *tenant, const char *host, unsigned *left_out_r)
{
    pthread_mutex_lock(&lines.mutex);
    begin_minute(clock_steady_ms() / MINUTE_MS);
    struct share *of_tenant = need_share(tenant, "");
    struct share *of_host = of_tenant->written < OF_A_TENANT ? need_share(tenant, host) : NULL;
    bool may = of_host && of_host->written < OF_A_HOST;
    if (may) {
        of_tenant->written++;
        of_host->written++;
    }
    *left_out_r = lines.left_out;
    lines.left_out = may ? 0 : lines.left_out + 1;
    pthread_mutex_unlock(&lines.mutex);
    return may;
}

/* ---- what is told ---- */

/* The domain, or the host that its route names. */
static const char *next_hop(const struct outbound *c)
{
    const struct config_route *route = c->attempt->route;
    return route->host[0] ? route->host : c->attempt->work->domain;
}

void host_distrust_log(const struct outbound *c, const char *why)
{
    unsigned left_out = 0;
    if (!may_write(c->attempt->mail->tenant, c->host_name, &left_out))
        return;
    struct log_line *line = log_id(log_begin(LOG_WARN, "tls_distrusted"), c->attempt->mail->id);
    line = log_text(log_text(line, "domain", next_hop(c)), "mx", c->host_name);
    line = log_text(line, "tls_policy", tls_policy_name(c->policy.policy));
    line = log_text(line, "tls_result", tls_result_name(c->policy.result));
    line = log_text(line, "what", c->policy.enforced ? "the host is not used" : "told only");
    if (left_out > 0)
        line = log_number(line, "left_out", left_out);
    log_end(log_text(line, "reply", why));
}

struct verdict host_distrust_verdict(const struct outbound *c, const char *asked,
                                     const char *enhanced, const char *what)
{
    const char *result = tls_result_name(c->policy.result);
    if (c->policy.policy == TLS_POLICY_STS)
        return verdict_make(451, enhanced, "MTA-STS: host %s of %s: %.230s (%s)", c->host_name,
                            next_hop(c), what, result);
    return verdict_make(451, enhanced, "DANE: host %s of %s: %.230s (%s, %s)", c->host_name,
                        next_hop(c), what, asked, result);
}

const char *host_distrust_why(const struct outbound *c, char text_r[HOST_DISTRUST_WHY])
{
    bool by_domain =
        c->policy.policy == TLS_POLICY_STS || c->policy.policy == TLS_POLICY_STS_TESTING;
    const struct dane_answer *tlsa = c->fact < SIZE_MAX ? &c->facts->all[c->fact].tlsa : NULL;
    if (by_domain)
        return "the policy of the domain does not name it";
    if (!tlsa || tlsa->state != DANE_FAILED)
        return "its TLSA records have not been looked up";
    snprintf(text_r, HOST_DISTRUST_WHY, "its TLSA records cannot be looked up: %s",
             dns_failure_text(tlsa->failure));
    return text_r;
}

struct verdict host_distrust_note(struct outbound *c, const char *asked, const char *what)
{
    bool by_name = c->policy.policy == TLS_POLICY_STS && c->policy.need == HOST_IS_UNUSABLE;
    const struct verdict v = host_distrust_verdict(c, asked, by_name ? "4.4.8" : "4.7.5", what);
    host_distrust_log(c, v.text);
    return v;
}

void host_distrust(struct outbound *c, const char *asked, const char *what)
{
    const struct verdict v = host_distrust_note(c, asked, what);
    c->attempt->distrusted = true;
    delivery_distrust(&c->delivery, &v);
}

/* Why no policy says that a host is its domain's, and itself: with that host, and that domain. */
static void print_lack(const struct outbound *c, char text_r[], size_t size)
{
    enum tls_policy policy = c->policy.policy;
    const char *host = c->host_name;
    const char *domain = next_hop(c);
    if (policy == TLS_POLICY_DANE_MX_INSECURE)
        snprintf(text_r, size, "the MX of %s is not signed: anybody may have named host %s", domain,
                 host);
    else if (policy == TLS_POLICY_STS_TESTING)
        snprintf(text_r, size, "the MTA-STS policy of %s is only tested, not enforced, for host %s",
                 domain, host);
    else
        snprintf(text_r, size, "nothing says what certificate host %s of %s has", host, domain);
}

/* Where all has been looked up, that is as final as a lack of SMTPUTF8: the domain's hosts may all
 * be such. */
void host_distrust_unverifiable(struct outbound *c)
{
    struct attempt *p = c->attempt;
    bool passed_on = p->mail->tls_need == TLS_NEED_PASSED_ON;
    char lack[600];
    print_lack(c, lack, sizeof(lack));
    const struct verdict v =
        verdict_make(451, "4.7.10", "The message demands verified TLS%s, and %s (TLS policy: %s)",
                     passed_on ? " (REQUIRETLS)" : "", lack, tls_policy_name(c->policy.policy));
    host_distrust_log(c, v.text);
    p->distrusted = true;
    if (c->policy.settled && passed_on)
        candidates_note_lack(&c->candidates, &c->at, clock_steady_ms());
    delivery_distrust(&c->delivery, &v);
}
