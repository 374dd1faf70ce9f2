// SPDX-License-Identifier: BSD-2-Clause
/* cli_print.c - Output of the commands: JSON, tables, and foreign text made safe for a terminal. */
#include "cli.h"

#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

void cli_print_escaped(const char *text, enum escape_form form, FILE *to)
{
    char piece[ESCAPE_MAX];
    struct span rest = span_of(text);
    while (rest.len > 0)
        fwrite(piece, 1, escape_next(&rest, form, piece), to);
}

void cli_print_safe(const char *text)
{
    cli_print_escaped(text, ESCAPE_TEXT, stdout);
}

void cli_print_json(const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2));
    cli_print_escaped(text ? text : "null", ESCAPE_JSON, stdout);
    putchar('\n');
    free(text);
}

void cli_print_json_line(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    cli_print_escaped(text ? text : "null", ESCAPE_JSON, stdout);
    putchar('\n');
    free(text);
}

bool cli_span(const char *text, int64_t *ms_r)
{
    static const struct {
        char letter;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    struct span s = span_of(text);
    uint64_t number = 0;
    for (size_t i = 0; s.len > 1 && i < COUNT_OF(units); i++) {
        if (s.ptr[s.len - 1] != units[i].letter)
            continue;
        *ms_r = units[i].ms;
        s.len--;
        bool ok = span_number(s, &number) && number > 0 && number <= 100000;
        *ms_r *= (int64_t)number;
        return ok;
    }
    return false;
}

static void format_time(int64_t ms, char *text_r, size_t size)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    text_r[0] = '\0';
    if (ms == 0) /* never */
        return;
    localtime_r(&seconds, &tm);
    strftime(text_r, size, tm.tm_gmtoff == 0 ? "%Y-%m-%d %H:%M:%SZ" : "%Y-%m-%d %H:%M:%S%z", &tm);
}

void cli_print_time(int64_t ms)
{
    char text[40];
    format_time(ms, text, sizeof(text));
    fputs(text, stdout);
}

static void format_span(int64_t seconds, const char *before, char *text_r, size_t size)
{
    if (seconds < 120)
        snprintf(text_r, size, "%s%" PRId64 " s", before, seconds);
    else if (seconds < 7200)
        snprintf(text_r, size, "%s%" PRId64 " min", before, seconds / 60);
    else
        snprintf(text_r, size, "%s%" PRId64 " h", before, seconds / 3600);
}

static void format_in(int64_t ms, char *text_r, size_t size)
{
    int64_t left = (ms - clock_now_ms()) / 1000;
    if (left <= 0)
        snprintf(text_r, size, "now");
    else
        format_span(left, "in ", text_r, size);
}

static void format_ago(int64_t ms, char *text_r, size_t size)
{
    int64_t past = (clock_now_ms() - ms) / 1000;
    format_span(past < 0 ? 0 : past, "", text_r, size);
}

static void format_text(const char *text, char *text_r, size_t size)
{
    struct buf escaped;
    buf_init(&escaped, size - 1);
    escape(span_of(text ? text : ""), ESCAPE_TEXT, &escaped);
    snprintf(text_r, size, "%s", buf_text(&escaped));
    buf_fini(&escaped);
}

static bool is_nothing(json_t *value, const struct cli_column *column)
{
    static const char zeros[] = "0000000000000";
    if (column->kind == CLI_ID)
        return strcmp(json_string_value(value), zeros) == 0;
    return column->kind == CLI_COUNT && json_integer_value(value) == 0;
}

static void format_cell(json_t *row, const struct cli_column *column, char *text_r, size_t size)
{
    json_t *value = json_object_get(row, column->key);
    if (!value)
        text_r[0] = '\0';
    else if (column->kind == CLI_TIME)
        format_time(json_integer_value(value), text_r, size);
    else if (column->kind == CLI_IN)
        format_in(json_integer_value(value), text_r, size);
    else if (column->kind == CLI_AGO && json_integer_value(value) == 0)
        text_r[0] = '\0'; /* never */
    else if (column->kind == CLI_AGO)
        format_ago(json_integer_value(value), text_r, size);
    else if (is_nothing(value, column))
        text_r[0] = '\0';
    else if (column->kind == CLI_YES)
        snprintf(text_r, size, "%s", json_is_true(value) ? "yes" : "");
    else if (json_is_integer(value))
        snprintf(text_r, size, "%" PRId64, (int64_t)json_integer_value(value));
    else
        format_text(json_string_value(value), text_r, size);
}

static size_t shown_width(const char *cell)
{
    return escape_width(span_of(cell));
}

static void print_titles(const struct cli_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        printf("%-*s%s", i + 1 < t->count ? (int)t->widths[i] : 0, t->columns[i].title,
               i + 1 < t->count ? "  " : "\n");
}

/* How wide a person's terminal is; SIZE_MAX when it is none. */
static size_t terminal_width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : SIZE_MAX;
}

/* To so many columns, without half a character. */
static void cut(char *cell, size_t width)
{
    static const char more[] = "...";
    size_t len = strlen(cell);
    if (shown_width(cell) <= width || width <= sizeof(more))
        return;
    while (len > 0 && shown_width(cell) > width - sizeof(more) + 1) {
        while (len > 0 && ((unsigned char)cell[--len] & 0xc0) == 0x80)
            ;
        cell[len] = '\0';
    }
    memcpy(cell + len, more, sizeof(more)); /* shorter than what was there */
}

static void print_row(const struct cli_table *t, json_t *row)
{
    char cell[1200];
    size_t left = terminal_width();
    for (size_t i = 0; i < t->count; i++) {
        format_cell(row, &t->columns[i], cell, sizeof(cell));
        if (i + 1 == t->count && left != SIZE_MAX)
            cut(cell, left);
        left -= left == SIZE_MAX || left < t->widths[i] + 2 ? 0 : t->widths[i] + 2;
        fputs(cell, stdout);
        printf("%*s", i + 1 < t->count ? (int)(t->widths[i] - shown_width(cell)) + 2 : 0, "");
    }
    putchar('\n');
}

static void widen(struct cli_table *t, json_t *row)
{
    char cell[1200];
    for (size_t i = 0; i < t->count; i++) {
        format_cell(row, &t->columns[i], cell, sizeof(cell));
        size_t title = strlen(t->columns[i].title);
        size_t wide = shown_width(cell) > title ? shown_width(cell) : title;
        t->widths[i] = wide > t->widths[i] ? wide : t->widths[i];
    }
}

void cli_print_line(const struct cli *cli, json_t *row, const struct cli_column *columns,
                    size_t count)
{
    struct cli_table t = {.cli = cli, .columns = columns, .count = count};
    widen(&t, row);
    print_row(&t, row);
}

static void print_json_row(const struct cli_table *t, const json_t *row)
{
    char *text = json_dumps(row, JSON_COMPACT);
    fputs(t->rows == 0 ? "[\n" : ",\n", stdout);
    cli_print_escaped(text ? text : "null", ESCAPE_JSON, stdout);
    free(text);
}

void cli_table_add(struct cli_table *t, json_t *rows)
{
    size_t count = json_array_size(rows);
    CHECK(t->count <= COUNT_OF(t->widths));
    for (size_t r = 0; !t->cli->json && r < count; r++)
        widen(t, json_array_get(rows, r));
    for (size_t r = 0; r < count; r++, t->rows++) {
        if (t->cli->json) {
            print_json_row(t, json_array_get(rows, r));
            continue;
        }
        if (t->rows == 0)
            print_titles(t);
        print_row(t, json_array_get(rows, r));
    }
}

void cli_table_end(struct cli_table *t)
{
    if (t->cli->json) {
        puts(t->rows == 0 ? "[]" : "\n]");
    } else if (t->rows == 0) {
        json_t *none = json_object();
        widen(t, none);
        json_decref(none);
        print_titles(t);
    }
}

void cli_print_rows(const struct cli *cli, json_t *rows, const struct cli_column *columns,
                    size_t count)
{
    struct cli_table t = {.cli = cli, .columns = columns, .count = count};
    cli_table_add(&t, rows);
    cli_table_end(&t);
}
