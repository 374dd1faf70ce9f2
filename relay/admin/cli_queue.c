// SPDX-License-Identifier: BSD-2-Clause
/* cli_queue.c - The command queue. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RESTING_MAX = 20 }; /* that are named after a retry */

static const struct cli_column queue_columns[] = {{"ID", "id", CLI_TEXT},
                                                  {"RECIPIENT", "recipient", CLI_TEXT},
                                                  {"STATE", "state", CLI_TEXT},
                                                  {"TRIES", "tries", CLI_TEXT},
                                                  {"DUE", "next_try", CLI_IN},
                                                  {"FROM", "sender", CLI_TEXT},
                                                  {"CLASS", "class", CLI_TEXT},
                                                  {"TLS", "tls_need", CLI_TEXT},
                                                  {"LAST REPLY", "last_reply", CLI_TEXT}};

/* The hops of a destination, which all pages take. NULL: it has been said why not. */
static json_t *find_hops(struct cli *cli, const char *destination, int *code_r)
{
    json_t *answer = NULL;
    *code_r = cli_ask(cli, cli_request("destination.domains", "name", destination, NULL), &answer);
    json_t *hops = json_incref(json_object_get(answer, "hops"));
    json_decref(answer);
    if (*code_r == CLI_OK && !hops) {
        fprintf(stderr, "sealpost: the relay that runs is of another release: restart it\n");
        *code_r = CLI_NO;
    }
    return *code_r == CLI_OK ? hops : NULL;
}

static json_t *plainly_filtered(const struct cli *cli, const char *verb)
{
    const char *id = cli->argument_count > 0 ? cli->arguments[0] : cli_option(cli, "id", 0);
    return cli_request(verb, "id", id, "recipient", cli_option(cli, "recipient", 0), "domain",
                       cli_option(cli, "domain", 0), "sender", cli_option(cli, "sender", 0), "user",
                       cli_option(cli, "user", 0), "tenant", cli_option(cli, "tenant", 0), "state",
                       cli_flag(cli, "held") ? "held" : NULL, NULL);
}

/* NULL: it has been said why not. */
static json_t *filtered(struct cli *cli, const char *verb, int *code_r)
{
    const char *destination = cli_option(cli, "destination", 0);
    json_t *request = plainly_filtered(cli, verb);
    json_t *hops = destination ? find_hops(cli, destination, code_r) : NULL;
    if (hops) {
        PUT(request, FIELD("destination", destination), FIELD("hops", hops));
    } else if (destination) {
        json_decref(request);
        return NULL;
    }
    return request;
}

/* Ask for the next page, of at most `limit` rows (0: what the other side takes for a page). Behind
 * the last page `request` is NULL. */
static int ask_page(struct cli *cli, json_t **request, uint64_t limit, json_t **answer_r)
{
    static const char *const keys[] = {"after_id", "after_number"};
    PUT(*request, FIELD("limit", limit));
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

/* What is under way is no longer "waiting, due now", and what is held is due at no time. Where a
 * destination rests, that is why: nothing was said since. */
static void add_rows(struct cli_table *table, json_t *rows)
{
    char text[1200];
    for (size_t i = 0; !table->cli->json && i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        if (json_object_get(row, "trying"))
            PUT(row, FIELD("state", "trying"));
        if (strcmp(json_row_get(row, "state"), "held") == 0)
            json_object_del(row, "next_try");
        const char *why = json_row_get(row, "why");
        if (json_row_int(row, "rests_s") == 0 && *json_row_get(row, "last_reply") == '\0')
            PUT(row, FIELD("last_reply", why));
        if (json_row_int(row, "rests_s") == 0)
            continue;
        snprintf(text, sizeof(text), "its destination rests%s%s%s",
                 json_row_is(row, "by_operator") ? ", by an operator" : "", *why ? ": " : "", why);
        PUT(row, FIELD("last_reply", text));
    }
    cli_table_add(table, rows);
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
            total = json_row_int(answer, "total");
        add_rows(&table, json_object_get(answer, "rows"));
        json_decref(answer);
    }
    if (!request) /* there are no more, whatever has come or gone since they were counted */
        total = (json_int_t)table.rows;
    json_decref(request);
    if (code != CLI_OK)
        return code;
    cli_table_end(&table);
    if (!cli->json)
        printf("%lld recipient%s%s\n", (long long)total, total == 1 ? "" : "s",
               (size_t)total > table.rows ? "; the first are shown: see --limit" : "");
    return CLI_OK;
}

static const struct cli_column group_columns[] = {{"DESTINATION", "destination", CLI_TEXT},
                                                  {"WAITING", "waiting", CLI_TEXT},
                                                  {"DEFERRED", "deferred", CLI_TEXT},
                                                  {"HELD", "held", CLI_TEXT},
                                                  {"OLDEST", "oldest", CLI_AGO},
                                                  {"NEXT TRY", "next_try", CLI_IN},
                                                  {"WHY", "told", CLI_TEXT}};

static int list_by_destination(struct cli *cli, uint64_t limit)
{
    json_t *answer = NULL;
    json_t *request = cli_request("queue.by_destination", NULL);
    PUT(request, FIELD("limit", limit));
    int code = cli_ask(cli, request, &answer);
    if (code != CLI_OK)
        return code;
    json_t *rows = json_object_get(answer, "rows");
    json_int_t total = json_row_int(answer, "total");
    json_int_t recipients = json_row_int(answer, "recipients");
    if (!cli->json)
        cli_tell_why(rows);
    cli_print_rows(cli, rows, group_columns, COUNT_OF(group_columns));
    if (!cli->json)
        printf("%lld recipient%s, %lld destination%s%s\n", (long long)recipients,
               recipients == 1 ? "" : "s", (long long)total, total == 1 ? "" : "s",
               (size_t)total > json_array_size(rows) ? "; the first are shown: see --limit" : "");
    json_decref(answer);
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
    if (given && !span_number(span_of(given), &limit))
        return cli_usage(cli, "--limit takes a number; 0 means all");
    if (by)
        return list_by_destination(cli, limit);
    int code = CLI_OK;
    json_t *request = filtered(cli, "queue.list", &code);
    return request ? print_queue(cli, request, limit) : code;
}

int cli_queue_show(struct cli *cli)
{
    json_t *answer = NULL;
    json_t *request = plainly_filtered(cli, "queue.list");
    PUT(request, FIELD("limit", 1));
    int code = cli_ask(cli, request, &answer);
    size_t count = json_array_size(json_object_get(answer, "rows"));
    struct err err = {0};
    json_decref(answer);
    if (code == CLI_OK && count == 0) {
        err_set(&err, ERR_NOT_FOUND,
                "%s: nothing of such a message waits here; see 'sealpost trace %s'",
                cli->arguments[0], cli->arguments[0]);
        code = cli_fail(&err);
    }
    if (code == CLI_OK)
        code = print_queue(cli, plainly_filtered(cli, "queue.list"), 0);
    if (code == CLI_OK && !cli->json)
        code = cli_print_rests(cli, cli->arguments[0]);
    return code == CLI_OK && !cli->json ? cli_print_under_way(cli, cli->arguments[0]) : code;
}

/* Those that an operator has put to rest, which a retry does not end. */
static void print_resting(const json_t *resting)
{
    for (size_t i = 0; i < json_array_size(resting); i++) {
        fputs("destination \"", stdout);
        cli_print_safe(json_string_value(json_array_get(resting, i)));
        puts("\" rests, by an operator: its mail waits on");
    }
}

/* Of the next page: each once. */
static void add_resting(json_t *resting, const json_t *more)
{
    for (size_t i = 0; i < json_array_size(more); i++) {
        json_t *name = json_array_get(more, i);
        bool known = json_array_size(resting) >= RESTING_MAX;
        for (size_t k = 0; !known && k < json_array_size(resting); k++)
            known = json_equal(json_array_get(resting, k), name);
        if (!known)
            json_array_append(resting, name);
    }
}

static void say_changed(const struct cli *cli, json_int_t changed, json_t *resting)
{
    if (cli->json) {
        json_t *all = ROW(FIELD("changed", changed));
        if (json_array_size(resting) > 0)
            json_object_set(all, "resting", resting);
        cli_print_json_line(all);
        json_decref(all);
        return;
    }
    if (cli->argument_count == 0)
        print_resting(resting);
    printf("%lld recipient%s changed\n", (long long)changed, changed == 1 ? "" : "s");
}

/* What is not in the queue may have been: whoever has its ID can find out. */
static void say_gone(const struct cli *cli)
{
    struct err err = {0};
    if (cli->argument_count == 0)
        return;
    err_set(&err, ERR_NOT_FOUND,
            "%.60s: nothing of such a message is in the queue, or not in a state to change so: see "
            "'sealpost trace %.60s'",
            cli->arguments[0], cli->arguments[0]);
    cli_fail(&err);
}

/* A change needs something that says which; everything must be said. Many are changed page by page,
 * so that new mail is taken in between. */
static int change(struct cli *cli, const char *verb)
{
    json_int_t changed = 0;
    int code = CLI_OK;
    json_t *request = filtered(cli, verb, &code);
    if (!request)
        return code;
    bool chosen = json_object_size(request) > 1;
    if (cli_option(cli, "why", 0))
        PUT(request, FIELD("why", cli_option(cli, "why", 0)));
    if (!chosen && !cli_flag(cli, "all")) {
        json_decref(request);
        return cli_usage(cli, "say which: an ID, an option, or --all");
    }
    json_t *resting = json_array();
    while (code == CLI_OK && request) {
        json_t *answer = NULL;
        code = ask_page(cli, &request, 0, &answer);
        add_resting(resting, json_object_get(answer, "resting"));
        if (code == CLI_OK)
            changed += json_row_int(answer, "changed");
        json_decref(answer);
    }
    json_decref(request);
    if (code == CLI_OK)
        say_changed(cli, changed, resting);
    json_decref(resting);
    if (code == CLI_OK && changed == 0)
        say_gone(cli);
    if (code != CLI_OK)
        return code;
    return changed > 0 ? CLI_OK : CLI_NO;
}

int cli_queue_retry(struct cli *cli)
{
    int code = change(cli, "queue.retry");
    bool one = code == CLI_OK && !cli->json && cli->argument_count > 0;
    return one ? cli_print_rests(cli, cli->arguments[0]) : code;
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

int cli_queue_bounce(struct cli *cli)
{
    return change(cli, "queue.bounce");
}
