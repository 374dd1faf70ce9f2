// SPDX-License-Identifier: BSD-2-Clause
/* log.c - Lines are made in a buffer of the thread and written with one write(), so that threads
 * never mix theirs. */
#include "log.h"

#include "mail.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 2048, VALUE_MAX = 600 };

struct log_line {
    bool wanted;
    size_t len;
    char text[LINE_SIZE];
};

static _Atomic enum log_level wanted_level = LOG_INFO; /* changed by a reload */
static _Thread_local struct log_line own_line;

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

void log_set_level(enum log_level level)
{
    wanted_level = level;
}

static void put(struct log_line *line, const char *text, size_t len)
{
    if (line->len + len < LINE_SIZE - 1) {
        memcpy(line->text + line->len, text, len);
        line->len += len;
    }
}

struct log_line *log_begin(enum log_level level, const char *event)
{
    struct log_line *line = &own_line;
    line->wanted = level <= wanted_level;
    line->len = 0;
    if (line->wanted) {
        put(line, level_names[level], strlen(level_names[level]));
        put(line, " ", 1);
        put(line, event, strlen(event));
    }
    return line;
}

static bool is_plain(struct span value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~' || strchr("\"=\\", value.ptr[i]))
            return false;
    return value.len > 0;
}

static void put_escaped(struct log_line *line, struct span value)
{
    put(line, "\"", 1);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        char escaped[5];
        if (c == '"' || c == '\\')
            put(line, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\%c", c));
        else if (c < ' ' || c > '~')
            put(line, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\x%02x", c));
        else
            put(line, value.ptr + i, 1);
    }
    put(line, "\"", 1);
}

struct log_line *log_span(struct log_line *line, const char *key, struct span value)
{
    if (!line->wanted)
        return line;
    put(line, " ", 1);
    put(line, key, strlen(key));
    put(line, "=", 1);
    value = span_first(value, VALUE_MAX);
    if (is_plain(value))
        put(line, value.ptr, value.len);
    else
        put_escaped(line, value);
    return line;
}

struct log_line *log_text(struct log_line *line, const char *key, const char *value)
{
    return line->wanted ? log_span(line, key, span_of(value)) : line;
}

struct log_line *log_number(struct log_line *line, const char *key, int64_t value)
{
    char text[24];
    if (line->wanted)
        log_span(
            line, key,
            (struct span){text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)value)});
    return line;
}

struct log_line *log_id(struct log_line *line, int64_t id)
{
    char text[MAIL_ID_TEXT];
    mail_id_print(id, text);
    return log_text(line, "id", text);
}

void log_end(struct log_line *line)
{
    if (!line->wanted)
        return;
    line->text[line->len++] = '\n';
    ssize_t put_out = write(STDERR_FILENO, line->text, line->len);
    (void)put_out; /* there is nobody left to tell */
}

void log_event(enum log_level level, const char *event, const char *key, const char *value)
{
    log_end(log_text(log_begin(level, event), key, value));
}
