// SPDX-License-Identifier: BSD-2-Clause
/* cli_safety.c - The commands auth and audit. */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct cli_column audit_columns[] = {{"ROW", "seq", CLI_TEXT},
                                                  {"AT", "at", CLI_TIME},
                                                  {"WHO", "who", CLI_TEXT},
                                                  {"WHAT", "what", CLI_TEXT},
                                                  {"ABOUT", "about", CLI_TEXT}};

int cli_auth_list(struct cli *cli)
{
    static const struct cli_column columns[] = {{"WHAT", "what", CLI_TEXT},
                                                {"KIND", "kind", CLI_TEXT},
                                                {"FAILURES", "failures", CLI_TEXT},
                                                {"LOCKED S", "locked_s", CLI_TEXT}};
    return cli_list(cli, cli_request("auth.list", NULL), columns, COUNT_OF(columns));
}

int cli_auth_unlock(struct cli *cli)
{
    return cli_do(cli, cli_request("auth.unlock", "name", cli->arguments[0], NULL), "is unlocked");
}

/* Ask for rows behind `after`, or the `last` ones, and print them; `after_r` is where they end. */
static int show(struct cli *cli, json_int_t last, json_int_t after, bool lines, json_int_t *after_r)
{
    json_t *answer = NULL;
    json_t *request = cli_request("audit.rows", NULL);
    PUT(request, FIELD(last > 0 ? "last" : "after", last > 0 ? last : after));
    int code = cli_ask(cli, request, &answer);
    if (code != CLI_OK)
        return code;
    json_t *rows = json_object_get(answer, "rows");
    *after_r = after;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        *after_r = json_row_int(row, "seq");
        if (!lines)
            continue;
        if (cli->json) {
            cli_print_json_line(row);
        } else {
            cli_print_line(cli, row, audit_columns, COUNT_OF(audit_columns));
        }
    }
    if (!lines)
        cli_print_rows(cli, rows, audit_columns, COUNT_OF(audit_columns));
    json_decref(answer);
    return CLI_OK;
}

int cli_audit_tail(struct cli *cli)
{
    uint64_t last = 20;
    json_int_t after = 0;
    const char *limit = cli_option(cli, "limit", 0);
    bool follows = cli_flag(cli, "follow");
    if (limit && (!span_number(span_of(limit), &last) || last < 1 || last > 5000))
        return cli_usage(cli, "--limit is a number from 1 to 5000");
    int code = show(cli, (json_int_t)last, 0, follows, &after);
    while (code == CLI_OK && follows && fflush(stdout) == 0) {
        usleep(500 * 1000);
        code = show(cli, 0, after, true, &after);
    }
    return code;
}

static void say_verified(const struct cli *cli, json_t *answer)
{
    (void)cli;
    printf("%lld rows, each fits the one before; the last one's hash is %s\n",
           json_row_int(answer, "rows"), json_row_get(answer, "head"));
}

int cli_audit_verify(struct cli *cli)
{
    return cli_tell(cli, cli_request("audit.verify", "expect", cli_option(cli, "expect", 0), NULL),
                    say_verified);
}
