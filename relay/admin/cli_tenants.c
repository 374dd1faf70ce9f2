// SPDX-License-Identifier: BSD-2-Clause
/* cli_tenants.c - Whose a domain is decides where its mail leaves from, and so what DNS has to say.
 */
#include "cli_tenants.h"

#include <stdio.h>
#include <string.h>

void cli_tenant_of(struct cli *cli, const char *domain, char tenant_r[64])
{
    json_t *answer = NULL;
    const char *given = cli_option(cli, "tenant", 0);
    snprintf(tenant_r, 64, "%s", given ? given : "default");
    if (!cli->config || cli->config->source_count == 0 ||
        cli_ask(cli, cli_request("domain.list", NULL), &answer) != CLI_OK)
        return;
    json_t *rows = json_object_get(answer, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        if (strcmp(json_row_get(row, "name"), domain) == 0)
            snprintf(tenant_r, 64, "%s", json_row_get(row, "tenant"));
    }
    json_decref(answer);
}
