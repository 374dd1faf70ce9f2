// SPDX-License-Identifier: BSD-2-Clause
/* cli_events.c - The commands trace and events. */
#include "cli.h"

#include "clock.h"
#include "database.h"
#include "similar.h"
#include "table_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_column event_columns[] = {
    {"TIME", "at", CLI_TIME},      {"EVENT", "kind", CLI_TEXT},
    {"ID", "id", CLI_ID},          {"RECIPIENT", "recipient", CLI_TEXT},
    {"HOST", "remote", CLI_TEXT},  {"CODE", "code", CLI_COUNT},
    {"DSN", "enhanced", CLI_TEXT}, {"REPLY", "reply", CLI_TEXT}};

enum { LIMIT = 100, LIMIT_MAX = 1000 * 1000, PAGE = 5000, POLL_US = 300 * 1000 };
static const int64_t silence_ms = 2000;

/* What it waits for, as rows after the events: whoever reads JSON sees what is printed, too. */
static void add_waits(json_t *rows, const char *id, const json_t *rests)
{
    for (size_t i = 0; i < json_array_size(rests); i++) {
        json_t *row = ROW(FIELD("at", clock_now_ms()), FIELD("kind", "waits"), FIELD("id", id));
        json_object_update(row, json_array_get(rests, i));
        json_array_append_new(rows, row);
    }
}

int cli_trace(struct cli *cli)
{
    json_t *answer = NULL;
    int code = cli_ask(cli, cli_request("trace", "id", cli->arguments[0], NULL), &answer);
    if (code != CLI_OK)
        return code;
    json_t *rests = json_object_get(answer, "rests");
    if (cli->json)
        add_waits(json_object_get(answer, "rows"), cli->arguments[0], rests);
    cli_print_rows(cli, json_object_get(answer, "rows"), event_columns, COUNT_OF(event_columns));
    if (!cli->json)
        cli_print_rest_rows(rests);
    json_decref(answer);
    return cli->json ? CLI_OK : cli_print_under_way(cli, cli->arguments[0]);
}

/* ---- what to look for ---- */

/* A time of the clock, or how long ago. */
static bool read_time(const char *text, int64_t *ms_r)
{
    int64_t ago_ms = 0;
    if (cli_span(text, &ago_ms)) {
        *ms_r = clock_now_ms() - ago_ms;
        return true;
    }
    return table_file_parse_time(text, ms_r) && *ms_r > 0;
}

static const char *add_times(const struct cli *cli, json_t *query)
{
    static const char *const names[] = {"since", "until"};
    int64_t ms = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *text = cli_option(cli, names[i], 0);
        if (text && !read_time(text, &ms))
            return "--since and --until take a time, as 2h, 3d, 2026-11-23 or "
                   "2026-11-23T10:20:30Z";
        if (text)
            PUT(query, FIELD(names[i], ms));
    }
    return NULL;
}

static const char *add_events(const struct cli *cli, json_t *query, uint64_t *limit_r)
{
    static const char *const names[] = {"after", "before"};
    uint64_t id = 0;
    const char *limit = cli_option(cli, "limit", 0);
    *limit_r = LIMIT;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *text = cli_option(cli, names[i], 0);
        if (text && (!span_number(span_of(text), &id) || id > INT64_MAX))
            return "--after and --before take the number of an event";
        if (text)
            PUT(query, FIELD(names[i], id));
    }
    if (limit && (!span_number(span_of(limit), limit_r) || *limit_r < 1 || *limit_r > LIMIT_MAX))
        return "--limit is a number from 1 to 1000000";
    return NULL;
}

/* ---- asking ---- */

static int ask(struct cli *cli, const json_t *query, size_t limit, json_t **answer_r)
{
    json_t *request = json_deep_copy(query);
    PUT(request, FIELD("limit", limit < PAGE ? (json_int_t)limit : PAGE));
    return cli_ask(cli, request, answer_r);
}

/* A search through millions of rows says how far it is. */
static void tell_progress(int64_t *told_ms, json_int_t before)
{
    int64_t now_ms = clock_now_ms();
    if (now_ms - *told_ms < silence_ms)
        return;
    *told_ms = now_ms;
    fprintf(stderr, "sealpost: searching back from event %lld\n", (long long)before);
}

/* The newest `limit` that match, the oldest of them first; `after_r` is where newer ones begin. */
static int search_back(struct cli *cli, json_t *query, size_t limit, json_t **rows_r,
                       json_int_t *after_r)
{
    json_int_t before = 1;
    int64_t told_ms = clock_now_ms();
    json_t *rows = json_array();
    *after_r = -1;
    while (before > 0 && json_array_size(rows) < limit) {
        json_t *answer = NULL;
        int code = ask(cli, query, limit - json_array_size(rows), &answer);
        if (code != CLI_OK) {
            json_decref(rows);
            return code;
        }
        json_t *older = json_incref(json_object_get(answer, "rows"));
        before = json_row_int(answer, "before");
        if (before == 0 && json_array_size(older) == PAGE)
            before = json_row_int(json_array_get(older, 0), "event");
        if (*after_r < 0)
            *after_r = json_row_int(answer, "after");
        json_array_extend(older, rows);
        json_decref(rows);
        rows = older;
        PUT(query, FIELD("before", before));
        json_decref(answer);
        tell_progress(&told_ms, before);
    }
    *rows_r = rows;
    return CLI_OK;
}

static void print_lines(const struct cli *cli, const json_t *rows)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        if (!cli->json) {
            cli_print_line(cli, row, event_columns, COUNT_OF(event_columns));
            continue;
        }
        cli_print_json_line(row);
    }
}

/* Up to `limit` of those behind `after`, the oldest first; `after_r` is how far it has looked. */
static int search_on(struct cli *cli, json_t *query, json_int_t after, size_t limit,
                     json_t **rows_r, json_int_t *after_r)
{
    json_t *answer = NULL;
    PUT(query, FIELD("after", after), FIELD("forward", json_true()));
    int code = ask(cli, query, limit, &answer);
    if (code != CLI_OK)
        return code;
    *rows_r = json_incref(json_object_get(answer, "rows"));
    *after_r = json_row_int(answer, "after");
    json_decref(answer);
    return CLI_OK;
}

static int search_all_on(struct cli *cli, json_t *query, size_t limit, json_t **rows_r)
{
    json_int_t after = json_row_int(query, "after");
    json_int_t before = -1;
    json_t *rows = json_array();
    while (after != before && json_array_size(rows) < limit) {
        json_t *more = NULL;
        before = after;
        int code = search_on(cli, query, before, limit - json_array_size(rows), &more, &after);
        if (code != CLI_OK) {
            json_decref(rows);
            return code;
        }
        json_array_extend(rows, more);
        json_decref(more);
    }
    *rows_r = rows;
    return CLI_OK;
}

static int follow(struct cli *cli, json_t *query, json_int_t after)
{
    json_object_del(query, "before");
    for (;;) {
        json_t *rows = NULL;
        int code = search_on(cli, query, after, PAGE, &rows, &after);
        if (code != CLI_OK)
            return code;
        print_lines(cli, rows);
        json_decref(rows);
        if (fflush(stdout) != 0)
            return CLI_OK;
        usleep(POLL_US);
    }
}

static int show(struct cli *cli, json_t *query, size_t limit)
{
    json_t *rows = NULL;
    json_int_t after = 0;
    bool forward = json_object_get(query, "after") != NULL;
    if (forward && cli_flag(cli, "follow"))
        return follow(cli, query, json_row_int(query, "after"));
    int code = forward ? search_all_on(cli, query, limit, &rows)
                       : search_back(cli, query, limit, &rows, &after);
    if (code != CLI_OK)
        return code;
    if (cli_flag(cli, "follow"))
        print_lines(cli, rows);
    else
        cli_print_rows(cli, rows, event_columns, COUNT_OF(event_columns));
    json_decref(rows);
    return cli_flag(cli, "follow") ? follow(cli, query, after) : CLI_OK;
}

/* A word that is no kind would find nothing for ever. */
static int unknown_kind(const char *kind)
{
    struct similar near;
    struct buf known;
    char hint[100];
    buf_init(&known, 4096);
    similar_init(&near, kind);
    for (size_t i = 0; database_event_kind(i); i++) {
        similar_try(&near, span_of(database_event_kind(i)));
        buf_addf(&known, "%s%s", i > 0 ? ", " : "", database_event_kind(i));
    }
    similar_text(&near, hint, sizeof(hint));
    fprintf(stderr, "sealpost: there is no kind of event \"%.60s\"%s%s%s\n", kind, hint,
            hint[0] ? "" : ": known are ", hint[0] ? "" : buf_text(&known));
    buf_fini(&known);
    return CLI_USAGE;
}

static bool is_kind(const char *kind)
{
    for (size_t i = 0; database_event_kind(i); i++)
        if (strcmp(database_event_kind(i), kind) == 0)
            return true;
    return false;
}

int cli_events(struct cli *cli)
{
    const char *kind = cli_option(cli, "kind", 0);
    if (kind && !is_kind(kind))
        return unknown_kind(kind);
    uint64_t limit = 0;
    json_t *query = cli_request(
        "events", "kind", cli_option(cli, "kind", 0), "recipient", cli_option(cli, "recipient", 0),
        "sender", cli_option(cli, "sender", 0), "message_id", cli_option(cli, "message-id", 0),
        "user", cli_option(cli, "user", 0), NULL);
    const char *wrong = add_times(cli, query);
    if (!wrong)
        wrong = add_events(cli, query, &limit);
    int code = wrong ? cli_usage(cli, wrong) : show(cli, query, (size_t)limit);
    json_decref(query);
    return code;
}
