// SPDX-License-Identifier: BSD-2-Clause
/* cli_queue.c - queue: what the relay holds. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_column queue_columns[] = {
    {"ID", "id", CLI_TEXT},       {"RECIPIENT", "recipient", CLI_TEXT},
    {"STATE", "state", CLI_TEXT}, {"TRIES", "tries", CLI_TEXT},
    {"DUE", "due", CLI_IN},       {"FROM", "sender", CLI_TEXT},
    {"CLASS", "class", CLI_TEXT}, {"LAST REPLY", "last_reply", CLI_TEXT}};

static json_t *filtered(const struct cli *cli, const char *verb)
{
    const char *id = cli->argument_count > 0 ? cli->arguments[0] : cli_option(cli, "id", 0);
    return cli_request(verb, "id", id, "recipient", cli_option(cli, "recipient", 0), "domain",
                       cli_option(cli, "domain", 0), "sender", cli_option(cli, "sender", 0), "user",
                       cli_option(cli, "user", 0), "state", cli_flag(cli, "held") ? "held" : NULL,
                       NULL);
}

/* Ask for the next page, of at most `limit` rows (0: what the other side takes for a page). Behind
 * the last page `request` is NULL. */
static int ask_page(struct cli *cli, json_t **request, uint64_t limit, json_t **answer_r)
{
    static const char *const keys[] = {"after_id", "after_number"};
    json_object_set_new(*request, "limit", json_integer((json_int_t)limit));
    int code = cli_ask(cli, json_incref(*request), answer_r);
    if (code != CLI_OK)
        return code;
    bool more = json_object_get(*answer_r, keys[0]);
    for (size_t i = 0; more && i < COUNT_OF(keys); i++)
        json_object_set(*request, keys[i], json_object_get(*answer_r, keys[i]));
    if (!more) {
        json_decref(*request);
        *request = NULL;
    }
    return CLI_OK;
}

/* Takes `request`. Up to `limit` rows, page by page; 0: all. */
static int print_queue(struct cli *cli, json_t *request, uint64_t limit)
{
    struct cli_table table = {
        .cli = cli, .columns = queue_columns, .count = COUNT_OF(queue_columns)};
    json_int_t total = -1;
    int code = CLI_OK;
    while (code == CLI_OK && request && (limit == 0 || table.rows < limit)) {
        json_t *answer = NULL;
        code = ask_page(cli, &request, limit == 0 ? 0 : limit - table.rows, &answer);
        if (code != CLI_OK)
            break;
        if (total < 0)
            total = json_integer_value(json_object_get(answer, "total"));
        cli_table_add(&table, json_object_get(answer, "rows"));
        json_decref(answer);
    }
    json_decref(request);
    if (code != CLI_OK)
        return code;
    cli_table_end(&table);
    if (!cli->json)
        printf("%lld recipient%s%s\n", (long long)total, total == 1 ? "" : "s",
               (size_t)total > table.rows ? "; the first are shown: see --limit" : "");
    return CLI_OK;
}

int cli_queue_list(struct cli *cli)
{
    uint64_t limit = 1000;
    const char *given = cli_option(cli, "limit", 0);
    const char *by = cli_option(cli, "by", 0);
    if (by && strcmp(by, "destination") != 0)
        return cli_usage(cli, "--by takes \"destination\"");
    if (by && cli->option_count > (given ? 2U : 1U))
        return cli_usage(cli, "--by destination goes with --limit only");
    if (by)
        return cli_destination_list(cli);
    if (given && !span_number(span_of(given), &limit))
        return cli_usage(cli, "--limit takes a number; 0 means all");
    return print_queue(cli, filtered(cli, "queue.list"), limit);
}

int cli_queue_show(struct cli *cli)
{
    json_t *answer = NULL;
    json_t *request = filtered(cli, "queue.list");
    json_object_set_new(request, "limit", json_integer(1));
    int code = cli_ask(cli, request, &answer);
    size_t count = json_array_size(json_object_get(answer, "rows"));
    struct err err = {0};
    json_decref(answer);
    if (code == CLI_OK && count == 0) {
        err_set(&err, ERR_NOT_FOUND, "%s: nothing of such a message waits here; see sealpost trace",
                cli->arguments[0]);
        code = cli_fail(&err);
    }
    return code == CLI_OK ? print_queue(cli, filtered(cli, "queue.list"), 0) : code;
}

/* A change needs something that says which; everything must be said. Many are changed page by page,
 * so that new mail is taken in between. */
static int change(struct cli *cli, const char *verb)
{
    json_int_t changed = 0;
    json_t *request = filtered(cli, verb);
    if (json_object_size(request) < 2 && !cli_flag(cli, "all")) {
        json_decref(request);
        return cli_usage(cli, "say which: an ID, an option, or --all");
    }
    int code = CLI_OK;
    while (code == CLI_OK && request) {
        json_t *answer = NULL;
        code = ask_page(cli, &request, 0, &answer);
        if (code == CLI_OK)
            changed += json_integer_value(json_object_get(answer, "changed"));
        json_decref(answer);
    }
    json_decref(request);
    if (code != CLI_OK)
        return code;
    if (cli->json)
        printf("{\"changed\": %lld}\n", (long long)changed);
    else
        printf("%lld recipient%s changed\n", (long long)changed, changed == 1 ? "" : "s");
    return changed > 0 ? CLI_OK : CLI_NO;
}

int cli_queue_retry(struct cli *cli)
{
    return change(cli, "queue.retry");
}

int cli_queue_hold(struct cli *cli)
{
    return change(cli, "queue.hold");
}

int cli_queue_release(struct cli *cli)
{
    return change(cli, "queue.release");
}

int cli_queue_delete(struct cli *cli)
{
    return change(cli, "queue.delete");
}
