// SPDX-License-Identifier: BSD-2-Clause
/* cli_destinations.c - The commands destination list, show, rest and resume. */
#include "cli.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_column columns[] = {{"DESTINATION", "destination", CLI_TEXT},
                                            {"WAITING", "waiting", CLI_TEXT},
                                            {"DEFERRED", "deferred", CLI_TEXT},
                                            {"OPENING", "opening", CLI_TEXT},
                                            {"BUSY", "busy", CLI_TEXT},
                                            {"IDLE", "idle", CLI_TEXT},
                                            {"WINDOW", "window", CLI_TEXT},
                                            {"LIMIT", "limit", CLI_COUNT},
                                            {"NEXT TRY", "next_try", CLI_IN},
                                            {"WHY", "told", CLI_TEXT}};

int cli_destination_list(struct cli *cli)
{
    uint64_t limit = 1000;
    json_t *answer = NULL;
    const char *given = cli_option(cli, "limit", 0);
    if (given && (!span_number(span_of(given), &limit) || limit > 100000))
        return cli_usage(cli, "--limit is a number up to 100000; 0 means all");
    json_t *request = cli_request("destination.list", NULL);
    PUT(request, FIELD("limit", limit));
    int code = cli_ask(cli, request, &answer);
    if (code != CLI_OK)
        return code;
    json_t *rows = json_object_get(answer, "rows");
    json_int_t total = json_row_int(answer, "total");
    if (!cli->json)
        cli_tell_why(rows);
    cli_print_rows(cli, rows, columns, COUNT_OF(columns));
    if (!cli->json)
        printf("%lld destination%s%s\n", (long long)total, total == 1 ? "" : "s",
               (size_t)total > json_array_size(rows) ? "; the first are shown: see --limit" : "");
    json_decref(answer);
    return CLI_OK;
}

/* ---- one of them ---- */

static void print_why(const char *before, const json_t *row)
{
    fputs(before, stdout);
    cli_print_safe(json_row_get(row, "why"));
}

static void print_rest(const json_t *row)
{
    long long rests_s = json_row_int(row, "rests_s");
    long long failures = json_row_int(row, "failures");
    if (json_row_int(row, "no_growth_s") > 0)
        printf("\n  refused      more than that; no growth for %lld s",
               json_row_int(row, "no_growth_s"));
    printf("\n  rests        ");
    if (rests_s > 0)
        printf("for %lld s", rests_s);
    else
        printf("no");
    if (json_row_is(row, "by_operator"))
        printf(", by an operator");
    else if (failures > 0)
        printf(", failures in a row: %lld", failures);
    if (*json_row_get(row, "why"))
        print_why(rests_s > 0 ? ": " : "; the last failure: ", row);
}

static void print_classes(const json_t *by_class)
{
    const char *class;
    json_t *count;
    json_object_foreach((json_t *)by_class, class, count)
    {
        if (json_integer_value(count) > 0)
            printf(", %s %lld", class, (long long)json_integer_value(count));
    }
}

/* "; tenants a 3, b 1 and 7 more" */
static void print_tenants(const json_t *tenants, const char *key, size_t all)
{
    for (size_t i = 0; i < json_array_size(tenants); i++) {
        const json_t *tenant = json_array_get(tenants, i);
        printf("%s", i == 0 ? "; tenants " : ", ");
        cli_print_safe(json_row_get(tenant, "tenant"));
        printf(" %lld", json_row_int(tenant, key));
    }
    if (all > json_array_size(tenants))
        printf(" and %zu more", all - json_array_size(tenants));
}

static void print_waiting(const struct cli *cli, json_t *row)
{
    static const struct cli_column next[] = {{"NEXT TRY", "next_try", CLI_IN}};
    json_t *replies = json_object_get(row, "last_replies");
    printf("  waiting      %lld", json_row_int(row, "waiting"));
    print_classes(json_object_get(row, "waiting_by_class"));
    print_tenants(json_object_get(row, "waiting_by_tenant"), "waiting",
                  (size_t)json_row_int(row, "tenants"));
    printf("\n  deferred     %lld", json_row_int(row, "deferred"));
    print_classes(json_object_get(row, "deferred_by_class"));
    print_tenants(json_object_get(row, "deferred_by_tenant"), "deferred", 0);
    printf("\n  held         %lld\n", json_row_int(row, "held"));
    for (size_t i = 0; i < json_array_size(replies); i++) {
        const json_t *reply = json_array_get(replies, i);
        printf("  last reply   %lld: ", json_row_int(reply, "count"));
        cli_print_safe(json_row_get(reply, "reply"));
        putchar('\n');
    }
    if (json_row_int(row, "next_try") > 0) {
        fputs("  next try     ", stdout);
        cli_print_line(cli, row, next, COUNT_OF(next));
    }
}

static void print_domains(const json_t *row)
{
    json_t *some = json_object_get(row, "some_domains");
    printf("\n  domains      %lld", json_row_int(row, "domains"));
    for (size_t i = 0; i < json_array_size(some); i++)
        printf("%s%s", i == 0 ? ": " : ", ", json_string_value(json_array_get(some, i)));
    puts((size_t)json_row_int(row, "domains") > json_array_size(some) ? ", ..." : "");
}

static void print_progress(const json_t *row)
{
    json_t *trying = json_object_get(row, "trying");
    for (size_t i = 0; i < json_array_size(trying); i++) {
        const json_t *one = json_array_get(trying, i);
        printf("  trying       %s at ", json_row_get(one, "id"));
        cli_print_trying(one);
    }
}

static void print_connections(const json_t *row)
{
    printf("\n  connections  %lld opening, %lld busy, ", json_row_int(row, "opening"),
           json_row_int(row, "busy"));
    if (json_row_int(row, "stuck") > 0)
        printf("%lld of them stuck, ", json_row_int(row, "stuck"));
    printf("%lld idle; window %lld, limit ", json_row_int(row, "idle"),
           json_row_int(row, "window"));
    if (json_row_int(row, "limit") > 0)
        printf("%lld, %lld of it kept for class security\n", json_row_int(row, "limit"),
               json_row_int(row, "kept_for_security"));
    else
        puts("not known yet");
}

/* What holds back one tenant alone. */
static void print_tenant(const json_t *row)
{
    const json_t *rest = json_object_get(row, "tenant_rest");
    const json_t *ceiling = json_object_get(row, "tenant_ceiling");
    if (rest) {
        printf("\n  rests        for %lld s, ", json_row_int(rest, "rests_s"));
        cli_print_safe(json_row_get(rest, "why"));
    }
    if (ceiling) {
        fputs("\n  refused      more of tenant ", stdout);
        cli_print_safe(json_row_get(ceiling, "tenant"));
        printf(" than %lld, for %lld s", json_row_int(ceiling, "connections"),
               json_row_int(ceiling, "for_s"));
    }
}

static void print_part(const char *before, const char *text)
{
    if (!*text)
        return;
    fputs(before, stdout);
    cli_print_safe(text);
}

/* Where it has refused messages as too many. */
static void print_speed(const json_t *row)
{
    const json_t *speed = json_object_get(row, "speed");
    if (!speed)
        return;
    printf("\n  speed        %lld messages a minute", json_row_int(speed, "messages_a_minute"));
    if (json_row_int(speed, "next_s") > 0)
        printf(", the next one in %lld s", json_row_int(speed, "next_s"));
    if (json_row_int(speed, "refused_a_minute") > 0)
        printf("; %lld were too many, which is not tried for %lld s",
               json_row_int(speed, "refused_a_minute"), json_row_int(speed, "more_in_s"));
    if (!*json_row_get(speed, "tenant"))
        return;
    fputs("; for mail of this tenant only: ", stdout);
    cli_print_safe(json_row_get(speed, "tenant"));
}

/* What waits as some was refused: whose, since when, how long still, and why. */
static void print_pauses(const struct cli *cli, const json_t *row)
{
    static const struct cli_column times[] = {{"SINCE", "since", CLI_TIME},
                                              {"NEXT TRY", "until", CLI_IN}};
    json_t *pauses = json_object_get(row, "pauses");
    for (size_t i = 0; i < json_array_size(pauses); i++) {
        json_t *one = json_array_get(pauses, i);
        printf("  %-12s mail of ", json_row_get(one, "state"));
        cli_print_safe(*json_row_get(one, "tenant") ? json_row_get(one, "tenant") : "all");
        print_part(strcmp(json_row_get(one, "kind"), "sender_domain") == 0 ? " from " : " to ",
                   json_row_get(one, "about"));
        if (strcmp(json_row_get(one, "kind"), "mailbox") != 0)
            print_part(" to ", json_row_get(one, "domain"));
        print_part("; ", json_row_get(one, "row"));
        print_part(": ", json_row_get(one, "why"));
        fputs("\n               ", stdout);
        cli_print_line(cli, one, times, COUNT_OF(times));
    }
}

static void print_avoided(const json_t *row)
{
    const json_t *avoided = json_object_get(row, "avoided");
    for (size_t i = 0; i < json_array_size(avoided); i++) {
        const json_t *one = json_array_get(avoided, i);
        fputs("  avoided      ", stdout);
        cli_print_safe(json_row_get(one, "host"));
        printf("[%s] for %lld s: %s, failures in a row: %lld\n", json_row_get(one, "ip"),
               json_row_int(one, "for_s"), json_row_get(one, "why"), json_row_int(one, "failures"));
    }
}

static void print_destination(const struct cli *cli, json_t *row)
{
    json_t *shards = json_object_get(row, "connections_by_shard");
    cli_print_safe(json_row_get(row, "destination"));
    print_connections(row);
    printf("  by shard    ");
    for (size_t i = 0; i < json_array_size(shards); i++)
        printf(" %lld", (long long)json_integer_value(json_array_get(shards, i)));
    print_rest(row);
    print_tenant(row);
    print_speed(row);
    print_domains(row);
    print_pauses(cli, row);
    print_avoided(row);
    print_waiting(cli, row);
    print_progress(row);
    if (*json_row_get(row, "provider"))
        printf("  provider     %s\n", json_row_get(row, "provider"));
}

int cli_destination_show(struct cli *cli)
{
    json_t *answer = NULL;
    int code =
        cli_ask(cli, cli_request("destination.show", "name", cli->arguments[0], NULL), &answer);
    json_t *row = json_object_get(answer, "destination");
    if (code == CLI_OK && cli->json)
        cli_print_json(row);
    else if (code == CLI_OK)
        print_destination(cli, row);
    json_decref(answer);
    return code;
}

/* ---- rest ---- */

static const char *const neither = "the name of a destination is needed, or --host HOST";

static void print_before(const json_t *answer)
{
    const json_t *before = json_object_get(answer, "before");
    if (!before)
        return;
    printf("; it had a rest of %lld s more%s", json_row_int(before, "rests_s"),
           json_row_is(before, "by_operator") ? ", by an operator" : "");
    if (*json_row_get(before, "why")) {
        fputs(": ", stdout);
        cli_print_safe(json_row_get(before, "why"));
    }
}

static void print_shared(const json_t *answer)
{
    json_t *shared = json_object_get(answer, "shared");
    for (size_t i = 0; i < json_array_size(shared); i++) {
        fputs(i == 0 ? "  its hosts also get mail for: " : ", ", stdout);
        cli_print_safe(json_string_value(json_array_get(shared, i)));
    }
    if (json_array_size(shared) > 0)
        puts(" (no rest there)");
}

/* How many have no time to wait so long: a look at the whole queue, after the rest has begun. */
static void add_expiring(struct cli *cli, json_t *answer)
{
    json_t *counted = NULL;
    json_t *request =
        cli_request("destination.domains", "name", json_row_get(answer, "destination"), NULL);
    json_object_set(request, "until", json_object_get(answer, "next_try"));
    if (cli_ask(cli, request, &counted) == CLI_OK)
        json_object_set(answer, "expire", json_object_get(counted, "expire"));
    json_decref(counted);
}

/* NAME or --host HOST. NULL: neither, or both. */
static json_t *order(struct cli *cli, const char *what)
{
    const char *host = cli_option(cli, "host", 0);
    const char *name = cli->argument_count > 0 ? cli->arguments[0] : NULL;
    if ((host != NULL) == (name != NULL))
        return NULL;
    return cli_request(what, host ? "host" : "name", host ? host : name, NULL);
}

static void print_by_host(const json_t *answer, const char *what)
{
    json_t *done = json_object_get(answer, "destinations");
    for (size_t i = 0; i < json_array_size(done); i++) {
        cli_print_safe(json_row_get(json_array_get(done, i), "destination"));
        printf(" %s\n", what);
    }
    json_t *go_on = json_object_get(answer, "go_on");
    for (size_t i = 0; i < json_array_size(go_on); i++) {
        cli_print_safe(json_string_value(json_array_get(go_on, i)));
        puts(" has no rest by a host: it is one provider, and rests by its own name");
    }
}

static void print_rests(const json_t *answer, const char *given)
{
    cli_print_safe(json_row_get(answer, "destination"));
    printf(" rests for %s", given ? given : "1h");
    print_before(answer);
    if (!json_row_is(answer, "known"))
        printf("\n  no mail goes there just now: it rests from the first on");
    printf("\n  %lld recipients that wait there expire before it ends\n",
           json_row_int(answer, "expire"));
    print_shared(answer);
}

int cli_destination_rest(struct cli *cli)
{
    json_t *answer = NULL;
    int64_t for_ms = INT64_C(3600) * 1000;
    const char *given = cli_option(cli, "for", 0);
    if (given && !cli_span(given, &for_ms))
        return cli_usage(cli, "--for takes a time, as 90s, 10m, 1h or 7d");
    json_t *request = order(cli, "destination.rest");
    if (!request)
        return cli_usage(cli, neither);
    PUT(request, FIELD("for_ms", for_ms));
    if (cli_option(cli, "why", 0))
        PUT(request, FIELD("why", cli_option(cli, "why", 0)));
    int code = cli_ask(cli, request, &answer);
    if (code != CLI_OK)
        return code;
    bool by_host = cli_option(cli, "host", 0) != NULL;
    if (!by_host)
        add_expiring(cli, answer);
    if (cli->json)
        cli_print_json(answer);
    else if (by_host)
        print_by_host(answer, "rests");
    else
        print_rests(answer, given);
    json_decref(answer);
    return CLI_OK;
}

/* What it ends: the first that there was. */
static const char *what_ended(const json_t *answer)
{
    static const struct {
        const char *was, *text;
    } ends[] = {
        {"rested", "is tried again"},
        {"partly_rested", "is tried again with mail of all tenants: some of it rested"},
        {"slowed", "is tried again with all that there is: it was slowed"},
    };
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        if (json_row_is(answer, ends[i].was))
            return ends[i].text;
    return "had no rest; it is tried as usual";
}

int cli_destination_resume(struct cli *cli)
{
    json_t *answer = NULL;
    json_t *request = order(cli, "destination.resume");
    if (!request)
        return cli_usage(cli, neither);
    int code = cli_ask(cli, request, &answer);
    if (code == CLI_OK && cli->json) {
        cli_print_json(answer);
    } else if (code == CLI_OK && cli_option(cli, "host", 0)) {
        print_by_host(answer, "is tried again");
    } else if (code == CLI_OK) {
        cli_print_safe(json_row_get(answer, "destination"));
        if (json_row_int(answer, "pauses") > 0)
            printf(" is tried again; pauses of its mail that have ended: %lld\n",
                   json_row_int(answer, "pauses"));
        else
            printf(" %s\n", what_ended(answer));
    }
    json_decref(answer);
    return code;
}
