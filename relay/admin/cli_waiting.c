// SPDX-License-Identifier: BSD-2-Clause
/* cli_waiting.c - Explains why mail is still queued: current attempts, destinations that rest, and
 * what servers said. */
#include "cli.h"

#include <stdio.h>

void cli_print_trying(const json_t *trying)
{
    cli_print_safe(json_string_value(json_object_get(trying, "host")));
    printf("[%s] since %lld s (%s)\n", json_string_value(json_object_get(trying, "ip")),
           json_row_int(trying, "for_s"), json_string_value(json_object_get(trying, "stage")));
}

int cli_print_under_way(struct cli *cli, const char *id)
{
    json_t *answer = NULL;
    int code = cli_ask(cli, cli_request("queue.list", "id", id, NULL), &answer);
    json_t *rows = json_object_get(answer, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *trying = json_object_get(json_array_get(rows, i), "trying");
        if (!trying)
            continue;
        cli_print_safe(json_string_value(json_object_get(json_array_get(rows, i), "recipient")));
        fputs(" is being tried at ", stdout);
        cli_print_trying(trying);
    }
    json_decref(answer);
    return code;
}

static void print_why(const json_t *row)
{
    const char *why = json_row_get(row, "why");
    fputs(json_row_is(row, "by_operator") ? ", by an operator" : "", stdout);
    fputs(*why ? ": " : "", stdout);
    cli_print_safe(why);
    putchar('\n');
}

/* Why what waits is not under way. */
void cli_print_rest_rows(const json_t *rests)
{
    for (size_t i = 0; i < json_array_size(rests); i++) {
        const json_t *row = json_array_get(rests, i);
        cli_print_safe(json_row_get(row, "recipient"));
        printf(" waits: destination \"");
        cli_print_safe(json_row_get(row, "destination"));
        printf("\" rests for %lld s", json_row_int(row, "rests_s"));
        print_why(row);
    }
}

/* A rest; else what servers said; else what was wrong lately. */
void cli_tell_why(json_t *rows)
{
    char text[1200];
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        const char *why = json_row_get(row, "why");
        const char *reply = json_row_get(row, "last_reply");
        const json_t *tenant = json_object_get(row, "tenant_rest");
        const json_t *pauses = json_object_get(row, "pauses");
        bool rests = json_row_int(row, "rests_s") > 0;
        if (json_row_is(row, "by_operator"))
            snprintf(text, sizeof(text), "by an operator%s%s", *why ? ": " : "", why);
        else if (!rests && tenant)
            snprintf(text, sizeof(text), "for %lld s, %s", json_row_int(tenant, "rests_s"),
                     json_row_get(tenant, "why"));
        else if (!rests && pauses)
            snprintf(text, sizeof(text), "some of its mail waits: %s",
                     json_row_get(json_array_get(pauses, 0), "why"));
        else
            snprintf(text, sizeof(text), "%s", !rests && *reply ? reply : why);
        PUT(row, FIELD("told", text));
    }
}

int cli_print_rests(struct cli *cli, const char *id)
{
    json_t *answer = NULL;
    int code = cli_ask(cli, cli_request("trace", "id", id, NULL), &answer);
    cli_print_rest_rows(json_object_get(answer, "rests"));
    json_decref(answer);
    return code;
}
