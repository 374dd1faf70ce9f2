// SPDX-License-Identifier: BSD-2-Clause
/* cli_tlsrpt_list.c - "tlsrpt list" and "tlsrpt pending": the TLS reports to others. */
#include "cli_pages.h"
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
    json_t *request = cli_request("tlsrpt.list", NULL);
    json_object_set_new(request, "pending", json_boolean(pending));
    return cli_print_pages(cli, request, columns, COUNT_OF(columns));
}

int cli_tlsrpt_list(struct cli *cli)
{
    return list(cli, false);
}

int cli_tlsrpt_pending(struct cli *cli)
{
    return list(cli, true);
}
