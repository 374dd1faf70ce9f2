// SPDX-License-Identifier: BSD-2-Clause
/* cli_queue.c - queue, trace, events: what the relay holds, and what has happened. */
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

static const struct cli_column event_columns[] = {
    {"TIME", "at", CLI_TIME},      {"EVENT", "kind", CLI_TEXT},
    {"ID", "id", CLI_TEXT},        {"RECIPIENT", "recipient", CLI_TEXT},
    {"HOST", "remote", CLI_TEXT},  {"CODE", "code", CLI_TEXT},
    {"DSN", "enhanced", CLI_TEXT}, {"REPLY", "reply", CLI_TEXT}};

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
    if (given && !span_number(span_of(given), &limit))
        return cli_usage(cli, "--limit takes a number; 0 means all");
    return print_queue(cli, filtered(cli, "queue.list"), limit);
}

int cli_queue_show(struct cli *cli)
{
    return print_queue(cli, filtered(cli, "queue.list"), 0);
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

int cli_trace(struct cli *cli)
{
    json_t *answer = NULL;
    int code = cli_ask(cli, cli_request("trace", "id", cli->arguments[0], NULL), &answer);
    if (code != CLI_OK)
        return code;
    cli_print_rows(cli, json_object_get(answer, "rows"), event_columns, COUNT_OF(event_columns));
    json_decref(answer);
    return CLI_OK;
}

static void print_event_line(const struct cli *cli, json_t *row)
{
    if (cli->json) {
        char *text = json_dumps(row, JSON_COMPACT);
        puts(text);
        free(text);
        return;
    }
    json_t *rows = json_array();
    json_array_append(rows, row);
    cli_print_rows(cli, rows, event_columns, COUNT_OF(event_columns));
    json_decref(rows);
}

static int follow(struct cli *cli, json_int_t after)
{
    for (;;) {
        json_t *answer = NULL;
        json_t *request = cli_request("events", NULL);
        json_object_set_new(request, "after", json_integer(after));
        int code = cli_ask(cli, request, &answer);
        if (code != CLI_OK)
            return code;
        json_t *rows = json_object_get(answer, "rows");
        for (size_t i = 0; i < json_array_size(rows); i++) {
            print_event_line(cli, json_array_get(rows, i));
            after = json_integer_value(json_object_get(json_array_get(rows, i), "event"));
        }
        json_decref(answer);
        if (fflush(stdout) != 0)
            return CLI_OK;
        usleep(300 * 1000);
    }
}

int cli_events(struct cli *cli)
{
    uint64_t after = 0;
    uint64_t limit = 1000;
    json_t *answer = NULL;
    json_t *request = cli_request("events", NULL);
    bool valid = true;
    if (cli_option(cli, "after", 0)) {
        valid = span_number(span_of(cli_option(cli, "after", 0)), &after);
        json_object_set_new(request, "after", json_integer((json_int_t)after));
    }
    if (cli_option(cli, "limit", 0))
        valid = valid && span_number(span_of(cli_option(cli, "limit", 0)), &limit);
    json_object_set_new(request, "limit", json_integer((json_int_t)limit));
    if (!valid) {
        json_decref(request);
        return cli_usage(cli, "--after and --limit take a number");
    }
    int code = cli_ask(cli, request, &answer);
    if (code != CLI_OK)
        return code;
    json_t *rows = json_object_get(answer, "rows");
    size_t count = json_array_size(rows);
    json_int_t last = (json_int_t)after;
    if (count > 0)
        last = json_integer_value(json_object_get(json_array_get(rows, count - 1), "event"));
    if (!cli_flag(cli, "follow")) {
        cli_print_rows(cli, rows, event_columns, COUNT_OF(event_columns));
        json_decref(answer);
        return CLI_OK;
    }
    for (size_t i = 0; i < count; i++)
        print_event_line(cli, json_array_get(rows, i));
    json_decref(answer);
    return follow(cli, last);
}
