// SPDX-License-Identifier: BSD-2-Clause
/* cli_waiting.c - Why a message is still here: what is being tried, and what rests. */
#include "cli.h"

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

/* Why what waits is not under way. */
void cli_print_rest_rows(const json_t *rests)
{
    for (size_t i = 0; i < json_array_size(rests); i++) {
        const json_t *row = json_array_get(rests, i);
        const char *why = json_string_value(json_object_get(row, "why"));
        cli_print_safe(json_string_value(json_object_get(row, "recipient")));
        printf(" waits: destination \"");
        cli_print_safe(json_string_value(json_object_get(row, "destination")));
        printf("\" rests for %lld s%s%s", json_row_int(row, "rests_s"),
               json_row_is(row, "by_operator") ? ", by an operator" : "", *why ? ": " : "");
        cli_print_safe(why);
        putchar('\n');
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
