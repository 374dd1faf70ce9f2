// SPDX-License-Identifier: BSD-2-Clause
/* dns_receiving.c - Looks at a domain as a sender somewhere else does: by its MX at port 25,
 * whatever this relay's routes say, and with its own addresses as those of any other host; the
 * policy through the fetcher (sts_look.h), and the certificates of those hosts that DANE or the
 * policy speak of (host_look.h). */
#include "dns_receiving.h"

#include "clock.h"
#include "destination_look.h"
#include "host_look.h"
#include "reception.h"
#include "sts_look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMTP_PORT = 25, ALL_MS = 60 * 1000, HOST_MS = 15 * 1000 };

struct view {
    const struct config *own;
    struct config config;
    struct config_route route;
    struct destination_look hosts;
    struct sts_look sts;
    struct mta_sts_policy meant;
    struct host_look shown[HOSTS_MAX];
};

/* Mail to the domain may well come to this very machine: that is no loop here. */
static void make_config(const struct config *config, struct view *v)
{
    v->own = config;
    v->config = *config;
    v->route = (struct config_route){.domain = "*",
                                     .port = SMTP_PORT,
                                     .tls = DELIVERY_TLS_MAY,
                                     .dane = DANE_MODE_ON,
                                     .mta_sts = STS_MODE_ON};
    v->config.routes = &v->route;
    v->config.route_count = 1;
    v->config.hostname[0] = '\0';
    v->config.listener_count = v->config.public_ip_count = 0;
}

static void on_finding(void *context, const struct reception_finding *f)
{
    json_t *rows = context;
    json_array_append_new(rows, ROW(FIELD("check", reception_check_name(f->check)),
                                    FIELD("state", reception_state_name(f->state)),
                                    FIELD("name", (const char *)f->name),
                                    FIELD("found", (const char *)f->found),
                                    FIELD("advice", (const char *)f->advice)));
}

/* Of a host that was not reached, would not talk, or not soon enough, nothing is said. */
static enum tls_result judge_shown(const struct host_look *look)
{
    if (look->found.tls.tls)
        return look->found.tls.certificate;
    if (look->found.late)
        return TLS_RESULT_NONE;
    if (look->offered)
        return TLS_RESULT_VALIDATION_FAILURE;
    return look->found.contact == HOST_ANSWERS ? TLS_RESULT_STARTTLS_NOT_SUPPORTED
                                               : TLS_RESULT_NONE;
}

static size_t list_hosts(const struct view *v, struct reception_host hosts_r[HOSTS_MAX])
{
    const struct destination_look *look = &v->hosts;
    for (size_t i = 0; i < look->mx.hosts.count; i++) {
        const struct host *host = &look->mx.hosts.all[i];
        const struct dane_answer *dane = &look->dane[i];
        hosts_r[i] =
            (struct reception_host){.name = host->name,
                                    .found = host->count > 0,
                                    .secure = host->secure,
                                    .dane = v->shown[i].unusable ? DANE_UNUSABLE : dane->state,
                                    .failure = dane->failure,
                                    .asked = dane->asked,
                                    .records = dane->count,
                                    .shown = judge_shown(&v->shown[i]),
                                    .late = v->shown[i].found.late && !v->shown[i].found.tls.tls,
                                    .why = v->shown[i].reason};
    }
    return look->mx.hosts.count;
}

static void ask_host(const struct dns_work *w, struct view *v, struct tls_context *context,
                     size_t i, unsigned time_ms)
{
    struct dane dane;
    struct host_look_terms terms = {.config = v->own,
                                    .context = context,
                                    .host = &v->hosts.mx.hosts.all[i],
                                    .port = SMTP_PORT,
                                    .tls = DELIVERY_TLS_MAY,
                                    .demand = TLS_STRONG,
                                    .time_ms = time_ms};
    if (v->hosts.dane[i].state == DANE_FOUND) {
        dane_make(&v->hosts.dane[i], v->hosts.mx.hosts.secure, w->domain,
                  v->hosts.mx.hosts.canonical, &dane);
        terms.dane = &dane;
    }
    host_look(&terms, &v->shown[i]);
}

/* Those of which somebody has said what their TLS is to be. */
static bool ask_hosts(const struct dns_work *w, struct view *v, struct err *err)
{
    struct tls_context *context = NULL;
    const char *ca_file = v->config.ca_file[0] ? v->config.ca_file : NULL;
    const struct mta_sts_policy *policy = v->sts.machine.policy;
    int64_t end_ms = clock_steady_ms() + ALL_MS;
    if (!tls_client_context(ca_file, &context, err))
        return false;
    for (size_t i = 0; i < v->hosts.mx.hosts.count; i++) {
        int64_t left_ms = end_ms - clock_steady_ms();
        bool said =
            v->hosts.dane[i].state == DANE_FOUND || (policy && policy->mode != MTA_STS_MODE_NONE);
        if (said && v->hosts.mx.hosts.all[i].count > 0 && left_ms > 0)
            ask_host(w, v, context, i, left_ms < HOST_MS ? (unsigned)left_ms : HOST_MS);
    }
    tls_context_free(context);
    return true;
}

static void judge(const struct dns_work *w, const struct view *v, json_t *rows)
{
    struct reception_host hosts[HOSTS_MAX];
    const enum mx_result result = v->hosts.mx.result;
    const struct reception_facts facts = {
        .domain = w->domain,
        .validates = v->config.dnssec != CONFIG_DNSSEC_OFF,
        .answered = result != MX_FAILED && result != MX_DOWN && result != MX_BOGUS,
        .secure = v->hosts.mx.hosts.secure,
        .hosts = hosts,
        .host_count = list_hosts(v, hosts),
        .record_answered = !v->sts.unanswered,
        .record = v->sts.record,
        .id = v->sts.machine.id,
        .policy = v->sts.machine.policy,
        .failure = v->sts.machine.result,
        .reason = v->sts.machine.reason,
        .meant = w->in.policy.said && w->plan.policy[0] ? &v->meant : NULL};
    reception_judge(&facts, on_finding, rows);
}

/* Nothing could be looked at. */
static void note_unknown(const struct dns_work *w, const struct err *err, json_t *rows)
{
    for (int check = RECEPTION_DANE; check <= RECEPTION_MTA_STS; check++) {
        struct reception_finding f = {.check = (enum reception_check)check,
                                      .state = RECEPTION_UNKNOWN,
                                      .advice = "mend that here, then look again"};
        snprintf(f.name, sizeof(f.name), "%s", w->domain);
        snprintf(f.found, sizeof(f.found), "it could not be looked at: %.300s", err->text);
        on_finding(rows, &f);
    }
}

static bool takes_mail(const struct destination_look *look)
{
    return look->mx.result != MX_NULL && look->mx.result != MX_NO_DOMAIN;
}

bool dns_receiving(const struct dns_work *w, const struct config *config, json_t **rows_r,
                   struct err *err)
{
    static const struct mta_sts_kept nothing;
    char name[ADDRESS_DOMAIN_MAX + 1];
    struct view *v = xcalloc(1, sizeof(*v));
    make_config(config, v);
    *rows_r = json_array();
    (void)mta_sts_policy_read(span_of(w->plan.policy), &v->meant);
    bool ok = destination_look(&v->config, w->domain, &v->hosts, err);
    bool asks = ok && takes_mail(&v->hosts) && mta_sts_domain(span_of(w->domain), name);
    if (asks)
        ok = sts_look(&v->config, name, &nothing, &v->sts, err);
    ok = ok && (!asks || ask_hosts(w, v, err));
    if (!ok)
        note_unknown(w, err, *rows_r);
    else if (asks)
        judge(w, v, *rows_r);
    if (asks)
        sts_look_fini(&v->sts);
    destination_look_fini(&v->hosts);
    mta_sts_policy_fini(&v->meant);
    free(v);
    return ok;
}

bool dns_receiving_wrong(const json_t *rows)
{
    bool wrong = false;
    for (size_t i = 0; i < json_array_size(rows); i++)
        wrong = wrong || strcmp(json_row_get(json_array_get(rows, i), "state"),
                                reception_state_name(RECEPTION_WRONG)) == 0;
    return wrong;
}

void dns_receiving_print(const struct dns_work *w, const json_t *rows)
{
    if (json_array_size(rows) > 0)
        printf("\nMail to %s by DANE and MTA-STS, as others see it:\n", w->domain);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *advice = json_row_get(row, "advice");
        printf("  %-7s  %-7s  ", json_row_get(row, "state"), json_row_get(row, "check"));
        cli_print_safe(json_row_get(row, "name"));
        fputs(": ", stdout);
        cli_print_safe(json_row_get(row, "found"));
        fputs(*advice ? "; " : "", stdout);
        cli_print_safe(advice);
        putchar('\n');
    }
}
