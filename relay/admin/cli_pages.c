// SPDX-License-Identifier: BSD-2-Clause
/* cli_pages.c - What a command lists may be long: each answer says where the next one goes on. */
#include "cli_pages.h"

int cli_each_page(struct cli *cli, json_t *request, cli_on_rows *rows, void *context)
{
    int code = CLI_OK;
    bool more = true;
    while (code == CLI_OK && more) {
        json_t *answer = NULL;
        code = cli_ask(cli, json_incref(request), &answer);
        json_t *after = json_object_get(answer, "after");
        more = after != NULL;
        if (code == CLI_OK)
            rows(context, json_object_get(answer, "rows"));
        if (more)
            json_object_set(request, "after", after);
        json_decref(answer);
    }
    json_decref(request);
    return code;
}

static void add_rows(void *context, json_t *rows)
{
    cli_table_add(context, rows);
}

int cli_print_pages(struct cli *cli, json_t *request, const struct cli_column *columns,
                    size_t count)
{
    struct cli_table table = {.cli = cli, .columns = columns, .count = count};
    int code = cli_each_page(cli, request, add_rows, &table);
    if (code == CLI_OK)
        cli_table_end(&table);
    return code;
}
