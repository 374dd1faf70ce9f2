// SPDX-License-Identifier: BSD-2-Clause
/* table_file.c - Reads and writes CSV as spreadsheets write it: quotes, doubled quotes, both kinds
 * of line ends, a byte order mark. */
#include "table_file.h"

#include "json_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIELD_MAX = 4096, COLUMNS_MAX = 32 };

/* Would a spreadsheet take it for a formula? Then an apostrophe goes before it, which one takes for
 * "this is text", and which is taken off again when the file comes back. */
static bool is_formula(const char *text, size_t apostrophes)
{
    static const char *const begins[] = {
        "=",           "+", "-", "@", "\t", "\r", "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
        "\xef\xbc\xa0"}; /* the wide ones, too */
    size_t before = strspn(text, "'");
    for (size_t i = 0; i < COUNT_OF(begins); i++)
        if (before >= apostrophes && strncmp(text + before, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

/* One field off the front; `last_r`: it ends its line. False when a quote is not closed, or it is
 * too long. */
static bool take_field(struct span *rest, struct buf *field, bool *last_r)
{
    bool quoted = rest->len > 0 && rest->ptr[0] == '"';
    size_t i = quoted;
    bool open = quoted;
    buf_clear(field);
    for (; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (open && c == '"' && i + 1 < rest->len && rest->ptr[i + 1] == '"')
            buf_add_char(field, rest->ptr[i++]);
        else if (c == '"' && open)
            open = false;
        else if (!open && (c == ',' || c == '\n'))
            break;
        else if (!(c == '\r' && !open))
            buf_add_char(field, c);
    }
    *last_r = i >= rest->len || rest->ptr[i] == '\n';
    *rest = span_from(*rest, i + 1);
    return !open && !field->overflow;
}

/* One line as a list of strings; NULL when it is malformed. */
static json_t *take_line(struct span *rest)
{
    json_t *fields = json_array();
    struct buf field;
    bool last = false;
    bool ok = true;
    buf_init(&field, FIELD_MAX);
    while (ok && !last) {
        ok = take_field(rest, &field, &last) && json_array_size(fields) < COLUMNS_MAX;
        if (ok && is_formula(buf_text(&field), 1))
            buf_drop(&field, 1);
        ok = ok && json_array_append_new(fields,
                                         json_stringn(field.len ? field.ptr : "", field.len)) == 0;
    }
    buf_fini(&field);
    if (ok)
        return fields;
    json_decref(fields);
    return NULL;
}

static json_t *row_of(json_t *names, json_t *fields, size_t line)
{
    json_t *row = json_object();
    for (size_t i = 0; i < json_array_size(fields) && i < json_array_size(names); i++)
        json_object_set(row, json_string_value(json_array_get(names, i)),
                        json_array_get(fields, i));
    PUT(row, FIELD("line", line));
    return row;
}

static bool is_empty(json_t *fields)
{
    return json_array_size(fields) == 1 && json_string_length(json_array_get(fields, 0)) == 0;
}

/* What the columns are, from the first line. A list of addresses alone needs no names: then the
 * first line is an entry, too, and `first_r` says so. */
static json_t *read_names(json_t *line, const char *key, bool *first_r, struct err *err)
{
    bool named = false;
    *first_r = false;
    for (size_t i = 0; i < json_array_size(line); i++)
        named = named || strcmp(json_string_value(json_array_get(line, i)), key) == 0;
    if (named)
        return json_incref(line);
    *first_r = json_array_size(line) == 1;
    if (*first_r)
        return json_pack("[s]", key);
    err_set(err, ERR_USAGE, "line 1: no column is called \"%s\"", key);
    return NULL;
}

static bool read_csv(struct span text, const char *key, json_t *rows, struct err *err)
{
    static const char mark[] = "\xef\xbb\xbf";
    struct span rest = span_starts_nocase(text, SPAN(mark)) ? span_from(text, 3) : text;
    const char *counted = rest.ptr;
    size_t line = 1;
    json_t *names = NULL;
    for (bool first = true; rest.len > 0; first = false) {
        bool is_entry = true;
        for (; counted < rest.ptr; counted++)
            line += *counted == '\n';
        json_t *fields = take_line(&rest);
        if (!fields)
            err_set(err, ERR_USAGE, "line %zu: a quote that is not closed, not UTF-8, or too long",
                    line);
        else if (first)
            names = read_names(fields, key, &is_entry, err);
        if (err->kind == ERR_NONE && is_entry && !is_empty(fields))
            json_array_append_new(rows, row_of(names, fields, line));
        json_decref(fields);
        if (err->kind != ERR_NONE)
            break;
    }
    json_decref(names);
    return err->kind == ERR_NONE;
}

bool table_file_read(struct span text, bool json, const char *key, json_t **rows_r, struct err *err)
{
    json_error_t why;
    if (json) {
        *rows_r = json_loadb(text.ptr, text.len, 0, &why);
        if (!*rows_r)
            return err_set(err, ERR_USAGE, "line %d: %s", why.line, why.text);
        return json_is_array(*rows_r) || err_set(err, ERR_USAGE, "not a JSON array of entries");
    }
    *rows_r = json_array();
    return read_csv(text, key, *rows_r, err);
}

static void add_csv(const char *text, struct buf *out)
{
    bool plain = !strpbrk(text, ",\"\r\n");
    if (!plain)
        buf_add_char(out, '"');
    if (is_formula(text, 0))
        buf_add_char(out, '\'');
    for (const char *p = text; *p; p++) {
        if (*p == '"')
            buf_add_char(out, '"');
        buf_add_char(out, *p);
    }
    if (!plain)
        buf_add_char(out, '"');
}

void table_file_line(json_t *row, const char *const *columns, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = row ? json_string_value(json_object_get(row, columns[i])) : columns[i];
        if (i > 0)
            buf_add_char(out, ',');
        add_csv(text ? text : "", out);
    }
    buf_add(out, SPAN("\r\n"));
}

void table_file_time(int64_t ms, char *text_r)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm = {0};
    gmtime_r(&s, &tm);
    text_r[0] = '\0';
    if (ms != 0)
        strftime(text_r, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool table_file_parse_time(const char *text, int64_t *ms_r)
{
    struct tm tm = {0};
    *ms_r = 0;
    if (!text[0])
        return true;
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (!end || *end) {
        tm = (struct tm){0};
        end = strptime(text, "%Y-%m-%d", &tm);
    }
    if (!end || *end)
        return false;
    *ms_r = (int64_t)timegm(&tm) * 1000;
    return true;
}
