// SPDX-License-Identifier: BSD-2-Clause
/* destination_text.c - What `check destination` found, for people. What a server, a domain or a
 * certificate says is printed as text of others (cli_print_safe()). */
#include "destination_check.h"

#include <stdio.h>
#include <string.h>

/* ---- lines ---- */

static void print_line(const char *title, const char *text)
{
    if (!text[0])
        return;
    printf("  %-11s ", title);
    cli_print_safe(text);
    putchar('\n');
}

/* One line each; the title at the first. */
static void print_list(const char *title, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        print_line(i == 0 ? title : "", json_string_value(json_array_get(list, i)));
}

/* In one line, behind something; the first few. */
static void print_names(const json_t *list, json_int_t more)
{
    enum { SHOWN = 6 };
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        printf("%s", i > 0 ? ", " : "");
        cli_print_safe(json_string_value(json_array_get(list, i)));
    }
    if (count > SHOWN || more > 0)
        printf(" and %lld more", (long long)(count > SHOWN ? count - SHOWN : 0) + (long long)more);
}

/* ---- the domain's policy ---- */

static void print_source(const json_t *sts)
{
    bool kept = strcmp(json_row_get(sts, "from"), "kept") == 0;
    printf(" (id %s, %s", json_row_get(sts, "id"),
           kept ? "kept by the relay until " : "as published");
    cli_print_time(json_row_int(sts, "expires"));
    printf("): ");
    print_names(json_object_get(sts, "mx"), 0);
}

static void print_policy(const json_t *sts)
{
    const char *result = json_row_get(sts, "result");
    const char *reason = json_row_get(sts, "reason");
    printf("MTA-STS: ");
    if (!json_object_get(sts, "domain")) {
        printf("not asked for, by the route\n");
        return;
    }
    printf("%s", json_row_get(sts, "counts"));
    if (json_row_get(sts, "from")[0])
        print_source(sts);
    else if (strcmp(result, "none") != 0)
        printf(": %s%s%s%s", result, *reason ? " (" : "", reason, *reason ? ")" : "");
    else
        printf(" (TXT record: %s)", json_row_get(sts, "record"));
    putchar('\n');
    print_line("not known", json_row_get(sts, "kept_unknown"));
    print_line("not asked", json_row_get(sts, "fault"));
}

/* ---- a host ---- */

static void print_offers(const json_t *offers)
{
    static const struct {
        const char *name, *word;
    } words[] = {{"starttls", "STARTTLS"}, {"requiretls", "REQUIRETLS"}, {"8bitmime", "8BITMIME"},
                 {"smtputf8", "SMTPUTF8"}, {"pipelining", "PIPELINING"}, {"dsn", "DSN"},
                 {"size", "SIZE"}};
    bool none = true;
    printf("  %-11s", "offers");
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (json_row_is(offers, words[i].name)) {
            printf(" %s", words[i].word);
            none = false;
        }
    if (json_row_int(offers, "size_max") > 0)
        printf(" %lld", (long long)json_row_int(offers, "size_max"));
    printf("%s\n", none ? " nothing" : "");
}

static void print_certificate(const json_t *certificate)
{
    if (!certificate)
        return;
    printf("  %-11s ", "certificate");
    print_names(json_object_get(certificate, "names"), json_row_int(certificate, "more_names"));
    putchar('\n');
    print_line("issued by", json_row_get(certificate, "issuer"));
    printf("  %-11s ", "valid");
    cli_print_time(json_row_int(certificate, "from"));
    printf(" until ");
    cli_print_time(json_row_int(certificate, "until"));
    putchar('\n');
    print_line("key", json_row_get(certificate, "key"));
}

static void print_shown(const json_t *shown)
{
    const char *name = json_row_get(shown, "name");
    const char *match = json_row_get(shown, "tlsa_match");
    const char *result = json_row_get(shown, "certificate_result");
    const char *reason = json_row_get(shown, "reason");
    printf("  %-11s %s%s", "asked at", json_row_get(shown, "address"),
           *name ? ", which calls itself " : "");
    cli_print_safe(name);
    putchar('\n');
    print_line("trouble", json_row_get(shown, "trouble"));
    if (*name)
        print_offers(json_object_get(shown, "offers"));
    if (*json_row_get(shown, "version"))
        printf("  %-11s %s %s\n", "TLS", json_row_get(shown, "version"),
               json_row_get(shown, "cipher"));
    print_certificate(json_object_get(shown, "certificate"));
    if (strcmp(result, "none") == 0 && !*reason)
        return;
    printf("  %-11s %s%s%s%s", "judged", strcmp(result, "none") != 0 ? result : "TLS has failed",
           *match ? ": TLSA " : "", match, *reason ? ": " : "");
    cli_print_safe(reason);
    putchar('\n');
}

static const char *title_of(const char *kind)
{
    return strcmp(kind, "requiretls") == 0 ? "REQUIRETLS" : kind;
}

static void print_prospects(const json_t *outcomes)
{
    for (size_t kind = 0; kind < CHECK_KINDS; kind++) {
        const json_t *p = json_object_get(outcomes, check_kinds[kind]);
        const char *why = json_row_get(p, "why");
        const char *outcome = json_row_get(p, "outcome");
        bool asked = strcmp(outcome, host_outcome_name(HOST_TAKES_IT)) == 0;
        const char *how = !asked                       ? ""
                          : json_row_is(p, "verified") ? " by TLS, verified"
                          : json_row_is(p, "tls")      ? " by TLS"
                                                       : " in clear text";
        printf("  %-11s %s%s%s%s (%s, %s)\n", title_of(check_kinds[kind]), outcome, how,
               *why ? ": " : "", why, json_row_get(p, "tls_policy"), json_row_get(p, "tls_result"));
    }
}

static void print_host(const json_t *host)
{
    const char *asked = json_row_get(host, "tlsa_asked");
    cli_print_safe(json_row_get(host, "name"));
    printf(" (preference %lld)\n", (long long)json_row_int(host, "preference"));
    print_list("address", json_object_get(host, "addresses"));
    printf("  %-11s %s\n", "DNSSEC",
           json_row_is(host, "addresses_secure") ? "secure" : "not signed");
    const char *failure = json_row_get(host, "tlsa_failure");
    printf("  %-11s %s%s%s%s", "TLSA", json_row_get(host, "tlsa"), *failure ? ": " : "", failure,
           *asked ? ", at " : "");
    cli_print_safe(asked);
    putchar('\n');
    print_list("", json_object_get(host, "tlsa_records"));
    printf("  %-11s %s%s\n", "tls_policy", json_row_get(host, "tls_policy"),
           json_row_is(host, "enforced") ? "" : " (told only)");
    print_line("needs", json_row_get(host, "needs"));
    if (json_object_get(host, "shown"))
        print_shown(json_object_get(host, "shown"));
    print_prospects(json_object_get(host, "outcomes"));
}

/* ---- all of it ---- */

static void print_outcomes(const json_t *outcomes)
{
    static const char *const titles[CHECK_KINDS] = {[CHECK_PLAIN] = "Mail",
                                                    [CHECK_VERIFY] = "With Sealpost-TLS: verify",
                                                    [CHECK_REQUIRETLS] = "With REQUIRETLS"};
    for (size_t kind = 0; kind < CHECK_KINDS; kind++) {
        const json_t *o = json_object_get(outcomes, check_kinds[kind]);
        const char *host = json_row_get(o, "host");
        const char *why = *host ? json_row_get(o, "why") : ""; /* else the first line has said it */
        printf("%s: %s%s", titles[kind], json_row_get(o, "outcome"), *host ? ", " : "");
        cli_print_safe(host);
        printf("%s%s\n", *why ? ": " : "", why);
    }
}

void destination_text_print(json_t *all)
{
    const char *why = json_row_get(all, "why");
    const char *route = json_row_get(all, "route");
    cli_print_safe(json_row_get(all, "domain"));
    printf(": %s%s", json_row_get(all, "mx"), *why ? ": " : "");
    cli_print_safe(why);
    printf("\n%s%s%s, port %lld%s; %s\n", *route ? "route \"" : "no route in the config file",
           route, *route ? "\"" : "", (long long)json_row_int(all, "port"),
           json_row_is(all, "login") ? ", with a login, which is not tried" : "",
           json_row_is(all, "host_named")  ? "host named by the route"
           : json_row_is(all, "mx_secure") ? "MX secure by DNSSEC"
                                           : "MX not signed");
    json_t *hosts = json_object_get(all, "hosts");
    if (json_array_size(hosts) > 0)
        print_policy(json_object_get(all, "mta_sts"));
    for (size_t i = 0; i < json_array_size(hosts); i++)
        print_host(json_array_get(hosts, i));
    print_outcomes(json_object_get(all, "outcomes"));
}
