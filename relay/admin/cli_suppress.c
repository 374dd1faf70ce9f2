// SPDX-License-Identifier: BSD-2-Clause
/* cli_suppress.c - The commands suppress list, add, remove, import and export. Files contain times
 * in ISO 8601. */
#include "cli_pages.h"

#include "cli_streams.h"
#include "clock.h"
#include "table_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 64 * 1024 * 1024 };

static const char *const members[] = {"address", "tenant",  "stream",  "reason",
                                      "source",  "created", "expires", "spellings"};

static json_t *filtered(const struct cli *cli, const char *verb, const char *address)
{
    return cli_request(verb, "address", address, "tenant", cli_option(cli, "tenant", 0), "stream",
                       cli_option(cli, "stream", 0), "reason", cli_option(cli, "reason", 0), NULL);
}

int cli_suppress_list(struct cli *cli)
{
    static const struct cli_column columns[] = {
        {"ADDRESS", "address", CLI_TEXT}, {"TENANT", "tenant", CLI_TEXT},
        {"STREAM", "stream", CLI_TEXT},   {"REASON", "reason", CLI_TEXT},
        {"SINCE", "created", CLI_TIME},   {"UNTIL", "expires", CLI_TIME},
        {"SOURCE", "source", CLI_TEXT}};
    return cli_print_pages(cli, filtered(cli, "suppress.list", cli_option(cli, "address", 0)),
                           columns, COUNT_OF(columns));
}

static void say_added(const struct cli *cli, json_t *answer)
{
    printf("%s %s\n", cli->arguments[0],
           json_row_int(answer, "added") > 0 ? "gets no such mail from now on"
                                             : "was on the list already");
}

int cli_suppress_add(struct cli *cli)
{
    int64_t span_ms = 0;
    const char *expires = cli_option(cli, "expires", 0);
    if (expires && !cli_span(expires, &span_ms))
        return cli_usage(cli, "--expires is like 12h or 30d");
    json_t *row = filtered(cli, NULL, cli->arguments[0]);
    if (span_ms > 0)
        PUT(row, FIELD("expires", clock_now_ms() + span_ms));
    json_t *request = PUT(cli_request("suppress.add", NULL), FIELD("rows", json_pack("[o]", row)));
    int code = cli_tell(cli, request, say_added);
    if (code == CLI_OK)
        cli_warn_of_streams(cli, "stream");
    return code;
}

static void say_removed(const struct cli *cli, json_t *answer)
{
    printf("%s may get mail again (%lld removed)\n", cli->arguments[0],
           json_row_int(answer, "removed"));
}

int cli_suppress_remove(struct cli *cli)
{
    return cli_tell(cli, filtered(cli, "suppress.remove", cli->arguments[0]), say_removed);
}

/* ---- files ---- */

/* "csv" when nothing is said; false when it is neither. */
static bool wants_json(const struct cli *cli, bool *json_r)
{
    const char *format = cli_option(cli, "format", 0);
    *json_r = format ? strcmp(format, "json") == 0 : cli->json;
    return !format || *json_r || strcmp(format, "csv") == 0;
}

struct export
{
    json_t *all; /* JSON; NULL: CSV, printed at once */
    bool begun;
};

static void write_time(json_t *row, const char *key)
{
    char text[32];
    table_file_time(json_row_int(row, key), text);
    PUT(row, FIELD(key, text));
}

/* The names of the columns; not before the first answer: what fails prints nothing. */
static void begin_csv(struct export *e)
{
    struct buf line;
    if (e->begun || e->all)
        return;
    e->begun = true;
    buf_init(&line, 4096);
    table_file_line(NULL, members, COUNT_OF(members), &line);
    fwrite(line.ptr, 1, line.len, stdout);
    buf_fini(&line);
}

static void export_rows(void *context, json_t *rows)
{
    struct export *e = context;
    begin_csv(e);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        struct buf line;
        write_time(row, "created");
        write_time(row, "expires");
        if (e->all) {
            json_array_append(e->all, row);
            continue;
        }
        buf_init(&line, 64 * 1024);
        table_file_line(row, members, COUNT_OF(members), &line);
        fwrite(line.ptr, 1, line.len, stdout);
        buf_fini(&line);
    }
}

int cli_suppress_export(struct cli *cli)
{
    struct export e = {0};
    bool json = false;
    if (!wants_json(cli, &json))
        return cli_usage(cli, "--format is csv or json");
    if (json)
        e.all = json_array();
    int code = cli_each_page(cli, filtered(cli, "suppress.list", NULL), export_rows, &e);
    if (code == CLI_OK && e.all)
        cli_print_json(e.all);
    json_decref(e.all);
    return code;
}

static bool read_time(json_t *row, const char *key, struct err *err)
{
    int64_t ms = 0;
    const char *text = json_string_value(json_object_get(row, key));
    if (!text)
        return true;
    if (!table_file_parse_time(text, &ms))
        return err_set(err, ERR_USAGE,
                       "\"%.40s\" is not a time: write 2026-11-23 or "
                       "2026-11-23T10:20:30Z",
                       text);
    PUT(row, FIELD(key, ms));
    return true;
}

/* Times as numbers; a wrong one is named by its line. */
static bool read_times(json_t *all, struct err *err)
{
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *row = json_array_get(all, i);
        json_int_t line = json_row_int(row, "line");
        if (!read_time(row, "created", err) || !read_time(row, "expires", err))
            return line > 0 ? err_wrap(err, "line %lld, nothing was imported", (long long)line)
                            : err_wrap(err, "entry %zu, nothing was imported", i + 1);
    }
    return json_array_size(all) > 0 || err_set(err, ERR_USAGE, "there are no entries in it");
}

static bool read_file(const char *path, struct buf *text, struct err *err)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char chunk[64 * 1024];
    size_t len = 0;
    if (!f)
        return err_set(err, ERR_USAGE, "%s", strerror(errno));
    while ((len = fread(chunk, 1, sizeof(chunk), f)) > 0)
        buf_add(text, (struct span){chunk, len});
    if (f != stdin)
        fclose(f);
    return !text->overflow || err_set(err, ERR_USAGE, "is over 64 MB: split it");
}

/* One request, so that it is one transaction. */
static int import(struct cli *cli, const char *path, json_t *all)
{
    json_t *answer = NULL;
    json_t *request = cli_request("suppress.import", "file", path, NULL);
    json_object_set(request, "rows", all);
    int code = cli_ask(cli, request, &answer);
    json_int_t added = json_row_int(answer, "added");
    if (code == CLI_OK && cli->json)
        printf("{\"read\": %zu, \"added\": %lld}\n", json_array_size(all), (long long)added);
    else if (code == CLI_OK)
        printf("%zu entries read, %lld of them new\n", json_array_size(all), (long long)added);
    cli_warn(cli->json ? NULL : answer);
    json_decref(answer);
    return code;
}

int cli_suppress_import(struct cli *cli)
{
    struct err err = {0};
    struct buf text;
    json_t *all = NULL;
    bool json = false;
    const char *path = cli->arguments[0];
    if (!wants_json(cli, &json))
        return cli_usage(cli, "--format is csv or json");
    json =
        json || (!cli_option(cli, "format", 0) && span_ends_nocase(span_of(path), SPAN(".json")));
    buf_init(&text, FILE_MAX);
    bool ok = read_file(path, &text, &err) &&
              table_file_read(buf_span(&text), json, "address", &all, &err) &&
              read_times(all, &err);
    if (!ok && err.kind == ERR_USAGE)
        err_wrap(&err, "%.200s", path);
    int code = ok ? import(cli, path, all) : cli_fail(&err);
    json_decref(all);
    buf_fini(&text);
    return code;
}
