// SPDX-License-Identifier: BSD-2-Clause
/* cli_check_destination.c - The command check destination: what becomes of mail for a domain, and
 * why, in the words of the log. All of it as JSON, of which people are shown what they need
 * (destination_text.c). */
#include "destination_check.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const results[] = {[MX_PENDING] = "", /* it never stays so */
                                      [MX_FOUND] = "found",
                                      [MX_NULL] = "the domain accepts no mail (null MX)",
                                      [MX_NO_DOMAIN] =
                                          "the domain does not exist, or has no mail server",
                                      [MX_LOOP] = "its mail leads back to this relay",
                                      [MX_BARRED] = "no host can be reached",
                                      [MX_UNTRIED] = "no host can be reached of those looked up",
                                      [MX_FAILED] = "DNS has no usable answer",
                                      [MX_DOWN] = "DNS gives no answer at all",
                                      [MX_BOGUS] = "no answer of DNS can be validated"};

const char *destination_check_result(const struct destination_look *look)
{
    bool missing = look->route->host[0] != '\0' && look->mx.result == MX_NO_DOMAIN;
    return missing ? "the smart host is not found in DNS" : results[look->mx.result];
}

static const char *const states[] = {[DANE_PENDING] = "",
                                     [DANE_NONE] = "none",
                                     [DANE_FOUND] = "found",
                                     [DANE_UNUSABLE] = "unusable",
                                     [DANE_FAILED] = "no answer"};

static const char *const needs[] = {
    [HOST_NEEDS_NOTHING] = "TLS where it is offered",
    [HOST_NEEDS_ITS_ROUTE] = "what the route says",
    [HOST_NEEDS_ENCRYPTION] = "TLS, with any certificate",
    [HOST_NEEDS_AUTHORITY] = "TLS 1.2, and a certificate for its name by an authority",
    [HOST_NEEDS_CERTIFICATE] = "a certificate that a TLSA record fits",
    [HOST_IS_UNUSABLE] = "not used: its TLSA records cannot be looked up",
    [HOST_CANNOT_BE_VERIFIED] = "not used"};

static const char *needs_of(const struct host *host, const struct host_policy *policy)
{
    bool by_domain = policy->policy == TLS_POLICY_STS || policy->policy == TLS_POLICY_STS_TESTING;
    if (host->count == 0)
        return "not used: its address is not known";
    return policy->need == HOST_IS_UNUSABLE && by_domain ? "to be named by the domain's policy"
                                                         : needs[policy->need];
}

static json_t *list_addresses(const struct host *host)
{
    json_t *list = json_array();
    char text[IP_TEXT];
    for (size_t i = 0; i < host->count; i++) {
        ip_print(&host->ips[i], text);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *list_records(const struct dane_answer *answer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < answer->count; i++) {
        const struct dane_record *r = &answer->records[i];
        char text[16 + 2 * 64 + 1];
        size_t used =
            (size_t)snprintf(text, sizeof(text), "%u %u %u ", r->usage, r->selector, r->mtype);
        for (size_t k = 0; k < r->data.len && used + 2 < sizeof(text); k++)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%02x",
                                     (unsigned char)r->data.ptr[k]);
        json_array_append_new(list, json_string(text));
    }
    return list;
}

/* ---- the domain's policy ---- */

/* Where the one that counts is from. */
static const char *source_of(const struct destination_check *d)
{
    return !d->look.sts ? "" : d->look.sts == &d->kept.policy ? "kept" : "published";
}

static const char *record_of(const struct destination_check *d)
{
    if (d->policy.unanswered)
        return "no answer";
    return d->policy.record == MTA_STS_RECORD      ? "found"
           : d->policy.record == MTA_STS_NO_RECORD ? "none"
                                                   : mta_sts_record_name(d->policy.record);
}

static json_t *describe_policy(const struct destination_check *d)
{
    const struct mta_sts *m = &d->policy.machine;
    const struct mta_sts_policy *counts = d->look.sts;
    bool kept = counts == &d->kept.policy;
    if (d->policy_state == CHECK_POLICY_OFF)
        return ROW(FLAG("asked", false), FIELD("counts", "none"));
    json_t *made = ROW(FLAG("asked", d->policy_state == CHECK_POLICY_ASKED),
                       FIELD("domain", d->policy_domain), FIELD("record", record_of(d)),
                       FIELD("record_id", (const char *)m->id), FIELD("from", source_of(d)),
                       FIELD("counts", counts ? mta_sts_mode_name(counts->mode) : "none"),
                       FIELD("result", tls_result_name(d->look.no_policy)),
                       FIELD("reason", (const char *)m->reason));
    if (counts)
        PUT(made, FIELD("id", (const char *)(kept ? d->kept.id : m->id)),
            FIELD("mx", json_row_lines(buf_span(&counts->mx))),
            FIELD("max_age", counts->max_age_s));
    if (kept)
        PUT(made, FIELD("expires", mta_sts_expires_ms(&d->kept, clock_now_ms())));
    if (d->kept_fault.kind != ERR_NONE)
        PUT(made, FIELD("kept_unknown", (const char *)d->kept_fault.text));
    if (d->policy_state == CHECK_POLICY_UNASKED)
        PUT(made, FIELD("fault", (const char *)d->policy_fault.text));
    return made;
}

/* ---- what a host has shown ---- */

static json_t *describe_certificate(const struct tls_shown *s)
{
    json_t *names = json_array();
    for (size_t i = 0; i < s->name_count; i++)
        json_array_append_new(names, json_string(s->names[i]));
    return ROW(FIELD("names", names), FIELD("more_names", s->names_more),
               FIELD("subject", (const char *)s->subject), FIELD("issuer", (const char *)s->issuer),
               FIELD("from", s->from_s * 1000), FIELD("until", s->until_s * 1000),
               FIELD("key", (const char *)s->key), FIELD("chain", s->chain));
}

static json_t *describe_offers(const struct host_look *shown)
{
    const struct delivery_offers *o = &shown->offers;
    return ROW(FLAG("starttls", shown->offered), FLAG("requiretls", o->requiretls),
               FLAG("8bitmime", o->eightbitmime), FLAG("smtputf8", o->smtputf8),
               FLAG("pipelining", o->pipelining), FLAG("dsn", o->dsn), FLAG("size", o->size),
               FIELD("size_max", o->size_max));
}

static json_t *describe_shown(const struct host_look *shown)
{
    char tlsa[TLSA_TEXT] = "";
    char trouble[sizeof(shown->trouble.text) + 32] = "";
    const struct verdict *v = &shown->trouble;
    bool fits = shown->by_dane && shown->found.tls.certificate == TLS_RESULT_OK;
    if (fits)
        tlsa_print(&shown->match, tlsa);
    if (v->code != 0)
        snprintf(trouble, sizeof(trouble), "%d %s%s%s", v->code, v->enhanced,
                 v->enhanced[0] ? " " : "", v->text);
    json_t *made =
        ROW(FIELD("address", (const char *)shown->address),
            FIELD("name", (const char *)shown->peer_name), FIELD("trouble", (const char *)trouble),
            FIELD("offers", describe_offers(shown)), FLAG("tls", shown->found.tls.tls),
            FIELD("version", (const char *)shown->tls.version),
            FIELD("cipher", (const char *)shown->tls.cipher),
            FIELD("certificate_result", tls_result_name(shown->found.tls.certificate)),
            FIELD("tlsa_match", (const char *)tlsa), FIELD("reason", (const char *)shown->reason));
    if (shown->tls.certificate)
        PUT(made, FIELD("certificate", describe_certificate(&shown->tls)));
    return made;
}

/* ---- what follows ---- */

static json_t *describe_prospect(const struct host_prospect *p)
{
    return ROW(FIELD("outcome", host_outcome_name(p->outcome)),
               FIELD("tls_policy", tls_policy_name(p->policy.policy)),
               FIELD("tls_result", tls_result_name(p->policy.result)), FLAG("tls", p->tls),
               FLAG("verified", p->verified), FIELD("why", p->why));
}

static bool may_go(const struct host_prospect *p)
{
    return p->outcome <= HOST_MAY_TAKE_IT;
}

static json_t *describe_host(const struct destination_check *d, size_t i)
{
    const struct host *host = &d->look.mx.hosts.all[i];
    const struct dane_answer *dane = &d->look.dane[i];
    const struct host_policy *policy = &d->prospects[CHECK_PLAIN][i].policy;
    json_t *outcomes = json_object();
    for (size_t kind = 0; kind < CHECK_KINDS; kind++)
        PUT(outcomes, FIELD(check_kinds[kind], describe_prospect(&d->prospects[kind][i])));
    json_t *made = ROW(
        FIELD("name", (const char *)host->name), FIELD("preference", host->preference),
        FIELD("addresses", list_addresses(host)), FLAG("addresses_secure", host->secure),
        FIELD("tlsa", states[dane->state]),
        FIELD("tlsa_failure", dane->state == DANE_FAILED ? dns_failure_text(dane->failure) : ""),
        FIELD("tlsa_asked", (const char *)dane->asked), FIELD("tlsa_records", list_records(dane)),
        FIELD("tls_policy", tls_policy_name(policy->policy)), FLAG("enforced", policy->enforced),
        FIELD("needs", needs_of(host, policy)), FLAG("used", may_go(&d->prospects[CHECK_PLAIN][i])),
        FLAG("verifiable", may_go(&d->prospects[CHECK_VERIFY][i])), FIELD("outcomes", outcomes));
    if (d->shown[i].address[0])
        PUT(made, FIELD("shown", describe_shown(&d->shown[i])));
    return made;
}

static bool is_taken(const struct destination_check *d, size_t kind)
{
    return d->outcomes[kind] <= DOMAIN_MAY_TAKE_IT;
}

static json_t *describe_outcome(const struct destination_check *d, size_t kind)
{
    size_t at = d->takers[kind];
    bool has_host = d->look.mx.result == MX_FOUND;
    return ROW(
        FIELD("outcome", domain_outcome_name(d->outcomes[kind])),
        FIELD("host", has_host ? (const char *)d->look.mx.hosts.all[at].name : ""),
        FIELD("why", has_host ? d->prospects[kind][at].why : destination_check_result(&d->look)));
}

static json_t *describe(const struct destination_check *d)
{
    const struct destination_look *look = &d->look;
    json_t *hosts = json_array();
    json_t *outcomes = json_object();
    for (size_t i = 0; i < look->mx.hosts.count; i++)
        json_array_append_new(hosts, describe_host(d, i));
    for (size_t kind = 0; kind < CHECK_KINDS; kind++)
        PUT(outcomes, FIELD(check_kinds[kind], describe_outcome(d, kind)));
    return ROW(FIELD("domain", (const char *)d->domain),
               FIELD("route", look->route->fallback ? NULL : (const char *)look->route->domain),
               FIELD("port", look->route->port), FLAG("login", look->route->username[0] != '\0'),
               FIELD("mx", destination_check_result(&d->look)),
               FIELD("why", (const char *)look->mx.why),
               FLAG("host_named", look->route->host[0] != '\0'),
               FLAG("mx_secure", look->mx.hosts.secure && !look->route->host[0]),
               FIELD("mta_sts", describe_policy(d)), FLAG("usable", is_taken(d, CHECK_PLAIN)),
               FIELD("outcomes", outcomes), FIELD("hosts", hosts));
}

/* ---- the command ---- */

/* --for: the kind of message that the exit status is about. */
static bool choose_kind(const struct cli *cli, size_t *kind_r)
{
    const char *word = cli_option(cli, "for", 0);
    *kind_r = CHECK_PLAIN;
    for (size_t kind = 0; word && kind < CHECK_KINDS; kind++)
        if (strcmp(word, check_kinds[kind]) == 0) {
            *kind_r = kind;
            return true;
        }
    return word == NULL;
}

int cli_check_destination(struct cli *cli)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct err err = {0};
    size_t kind = CHECK_PLAIN;
    int code = CLI_OK;
    if (!address_domain_ascii(span_of(cli->arguments[0]), domain))
        return cli_usage(cli, "that is not a domain");
    if (!choose_kind(cli, &kind))
        return cli_usage(cli, "--for takes plain, verify or requiretls");
    if (!cli_config(cli, &code))
        return code;
    struct destination_check *d = xcalloc(1, sizeof(*d));
    if (destination_check(cli, domain, !cli_flag(cli, "no-connect"), d, &err)) {
        json_t *all = describe(d);
        if (cli->json)
            cli_print_json(all);
        else
            destination_text_print(all);
        json_decref(all);
        code = is_taken(d, kind) ? CLI_OK : CLI_NO;
    } else {
        code = cli_fail(&err);
    }
    destination_check_fini(d);
    free(d);
    return code;
}
