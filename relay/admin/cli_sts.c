// SPDX-License-Identifier: BSD-2-Clause
/* cli_sts.c - The commands sts show, refresh and forget. */
#include "cli_pages.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { POLL_US = 200 * 1000, POLLS = 5 * 75 };

static const struct cli_column columns[] = {
    {"DOMAIN", "domain", CLI_TEXT}, {"MODE", "mode", CLI_TEXT},
    {"ID", "id", CLI_TEXT},         {"FETCHED", "fetched", CLI_AGO},
    {"UNTIL", "expires", CLI_TIME}, {"USED", "last_used", CLI_AGO},
    {"ERROR", "error", CLI_TEXT},   {"NEXT TRY", "next_try", CLI_IN}};

/* ---- one domain ---- */

static void print_line(const char *what, const char *text)
{
    if (!text[0])
        return;
    printf("%-10s ", what);
    cli_print_safe(text);
    printf("\n");
}

static bool is_fetched(const json_t *standing)
{
    return json_row_is(standing, "tried") && !json_row_get(standing, "fetch")[0];
}

/* No record, and nothing is kept. */
static bool has_nothing_to_fetch(const json_t *row, const json_t *standing)
{
    return strcmp(json_row_get(standing, "fetch"), "no-record") == 0 &&
           !json_object_get(row, "mode");
}

/* The last fetch, or command to fetch. */
static void print_fetch(const json_t *row, const json_t *standing)
{
    char text[200];
    const char *why = json_row_get(standing, "fetch");
    json_int_t status = json_row_int(standing, "status");
    if (!json_row_is(standing, "tried"))
        return;
    if (is_fetched(standing)) {
        print_line("fetch", "done");
        return;
    }
    if (has_nothing_to_fetch(row, standing)) {
        print_line("fetch", "nothing: the domain has no MTA-STS record");
        return;
    }
    snprintf(text, sizeof(text), "failed: %s", why);
    if (strcmp(why, "http-status") == 0)
        snprintf(text, sizeof(text), "failed: %s %lld", why, (long long)status);
    print_line("fetch", text);
    if (json_object_get(row, "mode") && strcmp(json_row_get(standing, "result"), "none") == 0)
        print_line("", "the policy that is kept stays in force");
}

static void print_standing(const json_t *row, const json_t *standing)
{
    char why[160];
    const char *result = json_row_get(standing, "result");
    if (!standing)
        return;
    print_fetch(row, standing);
    if (json_row_is(standing, "busy"))
        print_line("counts", "not known yet: it is being found out");
    else if (!json_row_is(standing, "known"))
        print_line("counts", "not known: no mail has asked since the relay began");
    else if (strcmp(result, "none") == 0)
        print_line("counts", json_row_get(standing, "counts"));
    else {
        snprintf(why, sizeof(why), "none: %s (%s)", result, json_row_get(standing, "reason"));
        print_line("counts", why);
    }
}

static void print_policy(const json_t *row)
{
    size_t i;
    json_t *mx;
    print_line("mode", json_row_get(row, "mode"));
    print_line("id", json_row_get(row, "id"));
    json_array_foreach(json_object_get(row, "mx"), i, mx) print_line("mx", json_string_value(mx));
    if (!json_object_get(row, "mode"))
        print_line("kept", "no policy");
    print_line("failed id", json_row_get(row, "failed_id"));
}

static void print_text(const struct cli *cli, json_t *rows, const json_t *standing)
{
    const json_t *row = json_array_get(rows, 0);
    cli_print_rows(cli, rows, columns, COUNT_OF(columns));
    if (row)
        print_policy(row);
    else
        print_line("kept", "nothing");
    print_standing(row, standing);
}

/* Exit status 1: no policy counts although there should be one. */
static int print_domain(const struct cli *cli, json_t *answer)
{
    json_t *rows = json_object_get(answer, "rows");
    const json_t *standing = json_object_get(answer, "standing");
    const char *result = json_row_get(standing, "result");
    if (cli->json) {
        cli_print_json(answer);
    } else {
        print_text(cli, rows, standing);
    }
    return result[0] && strcmp(result, "none") != 0 ? CLI_NO : CLI_OK;
}

static int ask_domain(struct cli *cli, json_t **answer_r)
{
    return cli_ask(cli, cli_request("sts.show", "domain", cli->arguments[0], NULL), answer_r);
}

int cli_sts_show(struct cli *cli)
{
    json_t *answer = NULL;
    if (cli->argument_count == 0)
        return cli_print_pages(cli, cli_request("sts.show", NULL), columns, COUNT_OF(columns));
    int code = ask_domain(cli, &answer);
    if (code != CLI_OK)
        return code;
    code = print_domain(cli, answer);
    json_decref(answer);
    return code;
}

/* "done", "nothing" (there is neither a record nor anything kept), or "failed". */
static const char *refreshed(json_t *answer)
{
    const json_t *standing = json_object_get(answer, "standing");
    const json_t *row = json_array_get(json_object_get(answer, "rows"), 0);
    return is_fetched(standing)                  ? "done"
           : has_nothing_to_fetch(row, standing) ? "nothing"
                                                 : "failed";
}

int cli_sts_refresh(struct cli *cli)
{
    json_t *answer = NULL;
    int code = cli_ask(cli, cli_request("sts.refresh", "domain", cli->arguments[0], NULL), &answer);
    for (unsigned polls = 0; code == CLI_OK; polls++) {
        json_decref(answer);
        answer = NULL;
        code = ask_domain(cli, &answer);
        const json_t *standing = json_object_get(answer, "standing");
        bool done = json_row_is(standing, "tried") && !json_row_is(standing, "busy");
        if (done || polls == POLLS)
            break;
        usleep(POLL_US);
    }
    if (code == CLI_OK) {
        const char *what = refreshed(answer);
        PUT(answer, FIELD("refreshed", what));
        (void)print_domain(cli, answer);
        code = strcmp(what, "failed") == 0 ? CLI_NO : CLI_OK;
    }
    json_decref(answer);
    return code;
}

int cli_sts_forget(struct cli *cli)
{
    return cli_do(cli, cli_request("sts.forget", "domain", cli->arguments[0], NULL),
                  "is forgotten: its policy is fetched anew when mail goes there");
}
