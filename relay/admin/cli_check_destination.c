// SPDX-License-Identifier: BSD-2-Clause
/* cli_check_destination.c - The command check destination: where mail for a domain would go, what
 * DNSSEC says, and what TLS each host would have to show, in the words of the log. Nobody is
 * connected to. */
#include "cli.h"

#include "address.h"
#include "destination_look.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const results[] = {
    [MX_PENDING] = "", /* it never stays so */
    [MX_FOUND] = "found",
    [MX_NULL] = "the domain accepts no mail (null MX): it is returned",
    [MX_NO_DOMAIN] = "the domain does not exist, or has no mail server: mail is returned",
    [MX_LOOP] = "its mail leads back to this relay: it is returned",
    [MX_BARRED] = "no host can be reached: mail is returned",
    [MX_UNTRIED] = "no host can be reached of those looked up: mail waits",
    [MX_FAILED] = "DNS gave no answer that can be trusted: mail waits",
    [MX_DOWN] = "DNS gives no answer at all: mail waits"};

static const char *const states[] = {[DANE_PENDING] = "",
                                     [DANE_NONE] = "none",
                                     [DANE_FOUND] = "found",
                                     [DANE_UNUSABLE] = "unusable",
                                     [DANE_FAILED] = "no answer"};

static const char *const needs[] = {
    [HOST_NEEDS_NOTHING] = "TLS where it is offered",
    [HOST_NEEDS_ITS_ROUTE] = "what the route says",
    [HOST_NEEDS_ENCRYPTION] = "TLS, with any certificate",
    [HOST_NEEDS_CERTIFICATE] = "a certificate that a TLSA record fits",
    [HOST_IS_UNUSABLE] = "not used: its TLSA records cannot be looked up",
    [HOST_CANNOT_BE_VERIFIED] = "not used"};

/* Would a message that demands it go there, as far as DNS can tell? */
static bool may_be_verified(const struct destination_look *look, size_t host)
{
    struct host_situation s = destination_look_situation(look, host);
    struct host_policy policy;
    s.demand = TLS_NEED_VERIFIED;
    host_policy_decide(&s, &policy);
    return policy.need < HOST_IS_UNUSABLE;
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

/* `used_r`: mail may go there. */
static json_t *describe_host(const struct destination_look *look, size_t i, bool *used_r)
{
    const struct host *host = &look->mx.hosts.all[i];
    const struct dane_answer *dane = &look->dane[i];
    const struct host_situation s = destination_look_situation(look, i);
    struct host_policy policy;
    host_policy_decide(&s, &policy);
    bool unusable = policy.enforced && policy.need >= HOST_IS_UNUSABLE;
    *used_r = host->count > 0 && !unusable;
    return ROW(FIELD("name", (const char *)host->name), FIELD("preference", host->preference),
               FIELD("addresses", list_addresses(host)), FLAG("addresses_secure", host->secure),
               FIELD("tlsa", states[dane->state]), FIELD("tlsa_asked", (const char *)dane->asked),
               FIELD("tlsa_records", list_records(dane)),
               FIELD("tls_policy", tls_policy_name(policy.policy)),
               FLAG("enforced", policy.enforced),
               FIELD("needs",
                     host->count == 0 ? "not used: its address is not known" : needs[policy.need]),
               FLAG("used", *used_r), FLAG("verifiable", may_be_verified(look, i)));
}

static json_t *describe(const struct destination_look *look, const char *domain, bool *used_r)
{
    json_t *hosts = json_array();
    *used_r = false;
    for (size_t i = 0; i < look->mx.hosts.count; i++) {
        bool used = false;
        json_array_append_new(hosts, describe_host(look, i, &used));
        *used_r = *used_r || used;
    }
    return ROW(FIELD("domain", domain), FIELD("route", (const char *)look->route->domain),
               FIELD("port", look->route->port), FIELD("mx", results[look->mx.result]),
               FIELD("why", (const char *)look->mx.why), FLAG("mx_secure", look->mx.hosts.secure),
               FLAG("usable", *used_r), FIELD("hosts", hosts));
}

static void print_list(const char *title, json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        printf("  %-10s ", i == 0 ? title : "");
        cli_print_safe(json_string_value(json_array_get(list, i)));
        putchar('\n');
    }
}

static void print_host(json_t *host)
{
    const char *asked = json_row_get(host, "tlsa_asked");
    cli_print_safe(json_row_get(host, "name"));
    printf(" (preference %lld)\n", (long long)json_row_int(host, "preference"));
    print_list("address", json_object_get(host, "addresses"));
    printf("  %-10s %s\n", "DNSSEC",
           json_row_is(host, "addresses_secure") ? "secure" : "not signed");
    printf("  %-10s %s%s", "TLSA", json_row_get(host, "tlsa"), *asked ? ", at " : "");
    cli_print_safe(asked);
    putchar('\n');
    print_list("", json_object_get(host, "tlsa_records"));
    printf("  %-10s %s%s\n", "tls_policy", json_row_get(host, "tls_policy"),
           json_row_is(host, "enforced") ? "" : " (told only)");
    printf("  %-10s %s\n", "needs", json_row_get(host, "needs"));
    printf("  %-10s %s\n", "verifiable",
           json_row_is(host, "verifiable") ? "yes: Sealpost-TLS: verify may go there"
                                           : "no: Sealpost-TLS: verify waits");
}

static void print_all(json_t *all)
{
    const char *why = json_row_get(all, "why");
    cli_print_safe(json_row_get(all, "domain"));
    printf(": %s%s", json_row_get(all, "mx"), *why ? ": " : "");
    cli_print_safe(why);
    printf("\nroute \"%s\", port %lld; MX %s\n", json_row_get(all, "route"),
           (long long)json_row_int(all, "port"),
           json_row_is(all, "mx_secure") ? "secure by DNSSEC" : "not signed");
    json_t *hosts = json_object_get(all, "hosts");
    for (size_t i = 0; i < json_array_size(hosts); i++)
        print_host(json_array_get(hosts, i));
}

int cli_check_destination(struct cli *cli)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct destination_look *look = NULL;
    struct err err = {0};
    int code = CLI_OK;
    if (!address_domain_ascii(span_of(cli->arguments[0]), domain))
        return cli_usage(cli, "that is not a domain");
    if (!cli_config(cli, &code))
        return code;
    look = xcalloc(1, sizeof(*look));
    if (destination_look(cli->config, domain, look, &err)) {
        bool used = false;
        json_t *all = describe(look, domain, &used);
        if (cli->json)
            cli_print_json(all);
        else
            print_all(all);
        json_decref(all);
        code = used ? CLI_OK : CLI_NO;
    } else {
        code = cli_fail(&err);
    }
    destination_look_fini(look);
    free(look);
    return code;
}
