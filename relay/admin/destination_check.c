// SPDX-License-Identifier: BSD-2-Clause
/* destination_check.c - Finds out what becomes of mail for a domain: DNS, the domain's policy, then
 * one host after the other.
 *
 * Each host is asked as a plain message would ask it; once more where a message that demands
 * verified TLS would ask otherwise. What cannot be asked is told, and the rest goes on.
 */
#include "destination_check.h"

#include "clock.h"
#include "sts_calls.h"

#include <stdio.h>
#include <string.h>

enum { ALL_MS = 90 * 1000, HOST_MS = 45 * 1000 };

const char *const check_kinds[CHECK_KINDS] = {
    [CHECK_PLAIN] = "plain", [CHECK_VERIFY] = "verify", [CHECK_REQUIRETLS] = "requiretls"};

static const enum tls_need demands[CHECK_KINDS] = {[CHECK_PLAIN] = TLS_NEED_NONE,
                                                   [CHECK_VERIFY] = TLS_NEED_VERIFIED,
                                                   [CHECK_REQUIRETLS] = TLS_NEED_PASSED_ON};

/* ---- the domain's policy ---- */

static enum tls_result result_of(const char *name)
{
    enum tls_result result = TLS_RESULTS;
    while (--result > TLS_RESULT_NONE && strcmp(tls_result_name(result), name) != 0)
        ;
    return result;
}

/* A row of `sts show`. */
static void read_kept(const json_t *row, struct mta_sts_kept *kept_r)
{
    const char *policy = json_row_get(row, "policy");
    struct mta_sts_kept *k = kept_r;
    if (policy[0]) {
        k->there = mta_sts_policy_read(span_of(policy), &k->policy) == MTA_STS_SOUND;
        if (!k->there)
            mta_sts_policy_fini(&k->policy);
        k->fetched_ms = json_row_int(row, "fetched");
        snprintf(k->id, sizeof(k->id), "%s", json_row_get(row, "id"));
    }
    k->used_ms = json_row_int(row, "last_used");
    k->failure = result_of(json_row_get(row, "error"));
    k->failed_ms = json_row_int(row, "next_try") - MTA_STS_PAUSE_MS;
    snprintf(k->failed_id, sizeof(k->failed_id), "%s", json_row_get(row, "failed_id"));
}

static void ask_kept(struct destination_check *d)
{
    json_t *answer = NULL;
    json_t *request = cli_request("sts.show", "domain", d->policy_domain, NULL);
    if (cli_ask_quietly(d->cli, request, &answer, &d->kept_fault))
        read_kept(json_array_get(json_object_get(answer, "rows"), 0), &d->kept);
    json_decref(answer);
}

static void find_policy(struct destination_check *d)
{
    if (d->look.mx.hosts.count == 0 || !sts_domain(d->look.route, d->domain, d->policy_domain))
        return;
    ask_kept(d);
    d->policy_state =
        sts_look(d->cli->config, d->policy_domain, &d->kept, &d->policy, &d->policy_fault)
            ? CHECK_POLICY_ASKED
            : CHECK_POLICY_UNASKED;
    bool asked = d->policy_state == CHECK_POLICY_ASKED;
    d->look.sts = d->policy.machine.policy;
    d->look.no_policy = asked ? d->policy.machine.result : TLS_RESULT_STS_POLICY_FETCH_ERROR;
}

/* ---- the hosts ---- */

/* What a delivery of this kind of message asks of the host. */
static void make_terms(const struct destination_check *d, size_t host, size_t kind,
                       struct dane *dane, struct host_look_terms *terms_r)
{
    static const enum delivery_tls openings[] = {[DELIVERY_TLS_NEVER] = DELIVERY_TLS_NEVER,
                                                 [DELIVERY_TLS_MAY] = DELIVERY_TLS_MAY,
                                                 [DELIVERY_TLS_REQUIRE] = DELIVERY_TLS_REQUIRE,
                                                 [DELIVERY_TLS_VERIFY] = DELIVERY_TLS_REQUIRE,
                                                 [DELIVERY_TLS_IMPLICIT] = DELIVERY_TLS_IMPLICIT};
    const struct config_route *route = d->look.route;
    const struct mx_answer *mx = &d->look.mx;
    struct host_situation s = destination_look_situation(&d->look, host);
    struct host_policy policy;
    s.demand = demands[kind];
    host_policy_decide(&s, &policy);
    bool usable = policy.need < HOST_IS_UNUSABLE;
    bool must = usable && host_policy_demands_tls(&policy);
    bool by_route = policy.need == HOST_NEEDS_ITS_ROUTE && s.verifies;
    *terms_r =
        (struct host_look_terms){.config = d->cli->config,
                                 .host = &mx->hosts.all[host],
                                 .port = route->port,
                                 .tls = openings[route->tls],
                                 .demand = route->handshake,
                                 .fits = by_route || (must && policy.need >= HOST_NEEDS_AUTHORITY)};
    if (must && terms_r->tls == DELIVERY_TLS_MAY)
        terms_r->tls = DELIVERY_TLS_REQUIRE;
    if (must || route->handshake == TLS_VERIFIED)
        terms_r->demand = TLS_STRONG;
    if (policy.need == HOST_NEEDS_CERTIFICATE) {
        dane_make(&d->look.dane[host], mx->hosts.secure, route->host[0] ? route->host : d->domain,
                  mx->hosts.canonical, dane);
        terms_r->dane = dane;
    }
}

static bool is_same(const struct host_look_terms *a, const struct host_look_terms *b)
{
    return a->tls == b->tls && a->demand == b->demand && !a->dane == !b->dane;
}

/* False: by what it has shown it is to be asked once more. */
static bool ask_host(struct destination_check *d, struct tls_context *context, size_t host,
                     int64_t end_ms)
{
    struct host_look_terms terms[CHECK_KINDS];
    struct host_look again;
    struct host_look *shown = &d->shown[host];
    struct dane dane;
    for (size_t kind = 0; kind < CHECK_KINDS; kind++) {
        struct host_situation s = destination_look_situation(&d->look, host);
        const struct host_look *by = shown;
        int64_t left_ms = end_ms - clock_steady_ms();
        s.demand = demands[kind];
        make_terms(d, host, kind, &dane, &terms[kind]);
        terms[kind].context = context;
        terms[kind].time_ms = left_ms < HOST_MS ? (unsigned)left_ms : HOST_MS;
        if (kind == CHECK_PLAIN && left_ms > 0)
            host_look(&terms[kind], shown);
        if (shown->unusable && d->look.dane[host].state == DANE_FOUND) {
            d->look.dane[host].state = DANE_UNUSABLE; /* as TLS has found */
            return false;
        }
        if (kind != CHECK_PLAIN && left_ms > 0 && terms[kind].fits &&
            !is_same(&terms[kind], &terms[CHECK_PLAIN])) {
            host_look(&terms[kind], &again);
            by = &again;
        }
        host_prospect_decide(&s, &by->found, &d->prospects[kind][host]);
    }
    return true;
}

static void suppose_host(struct destination_check *d, size_t host)
{
    const struct host *one = &d->look.mx.hosts.all[host];
    d->shown[host] =
        (struct host_look){.found.contact = one->count == 0 ? HOST_SILENT : HOST_UNASKED};
    for (size_t kind = 0; kind < CHECK_KINDS; kind++) {
        struct host_situation s = destination_look_situation(&d->look, host);
        s.demand = demands[kind];
        host_prospect_decide(&s, &d->shown[host].found, &d->prospects[kind][host]);
    }
}

static void ask_hosts(struct destination_check *d, struct tls_context *context)
{
    int64_t end_ms = clock_steady_ms() + ALL_MS;
    for (size_t i = 0; i < d->look.mx.hosts.count; i++) {
        if (!context || d->look.mx.hosts.all[i].count == 0)
            suppose_host(d, i);
        else if (!ask_host(d, context, i, end_ms))
            (void)ask_host(d, context, i, end_ms); /* its records are none any more */
    }
}

/* ---- all of it ---- */

/* Where there is no host to be asked. As attempt_start.c decides: a smart host that is missing is
 * the operator's to mend, and no reason to return anything. */
static enum domain_outcome without_hosts(enum mx_result result, bool named)
{
    static const bool waits[] = {
        [MX_UNTRIED] = true, [MX_FAILED] = true, [MX_DOWN] = true, [MX_BOGUS] = true};
    bool missing = named && result == MX_NO_DOMAIN;
    return missing || (result < COUNT_OF(waits) && waits[result]) ? DOMAIN_MAKES_IT_WAIT
                                                                  : DOMAIN_RETURNS_IT;
}

bool destination_check(struct cli *cli, const char *domain, bool connect,
                       struct destination_check *check_r, struct err *err)
{
    struct destination_check *d = check_r;
    struct tls_context *context = NULL;
    const char *ca_file = cli->config->ca_file[0] ? cli->config->ca_file : NULL;
    *d = (struct destination_check){.cli = cli};
    snprintf(d->domain, sizeof(d->domain), "%s", domain);
    if (!destination_look(cli->config, domain, &d->look, err) ||
        (connect && !tls_client_context(ca_file, &context, err)))
        return false;
    find_policy(d);
    bool found = d->look.mx.result == MX_FOUND;
    ask_hosts(d, found ? context : NULL);
    tls_context_free(context);
    for (size_t kind = 0; kind < CHECK_KINDS; kind++)
        d->outcomes[kind] =
            found ? host_prospect_all(d->prospects[kind], d->look.mx.hosts.count, &d->takers[kind])
                  : without_hosts(d->look.mx.result, d->look.route->host[0] != '\0');
    return true;
}

void destination_check_fini(struct destination_check *check)
{
    if (check->policy_state != CHECK_POLICY_OFF)
        sts_look_fini(&check->policy);
    mta_sts_kept_fini(&check->kept);
    destination_look_fini(&check->look);
}
