// SPDX-License-Identifier: BSD-2-Clause
/* cli_tlsrpt_list.c - "tlsrpt list" and "tlsrpt pending": the TLS reports to others. */
#include "cli_tlsrpt.h"

static const struct cli_column columns[] = {{"DAY", "day", CLI_TEXT},
                                            {"DOMAIN", "domain", CLI_TEXT},
                                            {"TENANT", "tenant", CLI_TEXT},
                                            {"STATE", "state", CLI_TEXT},
                                            {"SUCCESSFUL", "successful", CLI_TEXT},
                                            {"FAILED", "failed", CLI_TEXT},
                                            {"NEXT TRY", "due", CLI_IN},
                                            {"ENDED", "ended", CLI_TIME},
                                            {"TO", "to", CLI_TEXT},
                                            {"MESSAGE", "id", CLI_TEXT},
                                            {"WHY", "why", CLI_TEXT}};

static int list(struct cli *cli, bool pending)
{
    struct cli_table table = {.cli = cli, .columns = columns, .count = COUNT_OF(columns)};
    json_t *request = cli_request("tlsrpt.list", NULL);
    int code = CLI_OK;
    bool more = true;
    json_object_set_new(request, "pending", json_boolean(pending));
    while (code == CLI_OK && more) {
        json_t *answer = NULL;
        code = cli_ask(cli, json_incref(request), &answer);
        json_t *after = json_object_get(answer, "after");
        more = after != NULL;
        if (code == CLI_OK)
            cli_table_add(&table, json_object_get(answer, "rows"));
        if (more)
            json_object_set(request, "after", after);
        json_decref(answer);
    }
    json_decref(request);
    cli_table_end(&table);
    return code;
}

int cli_tlsrpt_list(struct cli *cli)
{
    return list(cli, false);
}

int cli_tlsrpt_pending(struct cli *cli)
{
    return list(cli, true);
}
