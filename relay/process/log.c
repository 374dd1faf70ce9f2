// SPDX-License-Identifier: BSD-2-Clause
/* log.c - Each line is built in a buffer of its thread and written with one write(), so that lines
 * of different threads do not mix.
 *
 * No thread ever waits for the reader of the log. A line that cannot be written at once is kept,
 * and written before the next one or by log_flush(); if there is no room it is dropped, and the
 * number of dropped lines is logged later. The descriptor of stderr is not made non-blocking, as
 * other processes may share it: a pipe or a terminal is opened again, and for a socket each call
 * can be non-blocking.
 *
 * A thread that uses log_turns() collects the lines of a turn, except warnings, and writes them
 * together at its end.
 */
#include "log.h"

#include "escape.h"
#include "mail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE = 4096, /* PIPE_BUF */
    GATHERED_MAX = 64 * 1024,
    LINE_SIZE = 2048,
    VALUE_MAX = 600,
    KEPT_SIZE = 256 * 1024,
    LAST_WAIT_MS = 1000
};

struct log_line {
    bool wanted, gathered;
    size_t len;
    char text[LINE_SIZE];
};

static _Atomic enum log_level wanted_level = LOG_INFO; /* changed by a reload */
static _Thread_local struct log_line own_line;
static _Thread_local bool turns;

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

void log_set_level(enum log_level level)
{
    wanted_level = level;
}

/* For this, and what must come after it: the quote that ends a value. */
static bool fits(const struct log_line *line, size_t len)
{
    return line->len + len + 1 < LINE_SIZE - 1;
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
    line->gathered = turns && level >= LOG_INFO;
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
    char piece[ESCAPE_MAX];
    put(line, "\"", 1);
    while (value.len > 0) {
        bool quoted = value.ptr[0] == '"' || value.ptr[0] == '\\';
        size_t len = escape_next(&value, ESCAPE_TEXT, piece);
        if (!fits(line, quoted + len))
            break;
        if (quoted)
            put(line, "\\", 1);
        put(line, piece, len);
    }
    put(line, "\"", 1);
}

/* A full line is still one that can be read: a value is cut at its end, and a key without room for
 * a value is left out. */
struct log_line *log_span(struct log_line *line, const char *key, struct span value)
{
    value = span_first(value, VALUE_MAX);
    if (!line->wanted || !fits(line, strlen(key) + sizeof(" =\"") - 1))
        return line;
    put(line, " ", 1);
    put(line, key, strlen(key));
    put(line, "=", 1);
    if (is_plain(value))
        put(line, value.ptr, fits(line, value.len) ? value.len : LINE_SIZE - 2 - line->len);
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

/* ---- out ---- */

static struct {
    pthread_mutex_t mutex;
    int fd; /* does not block; or stderr, which is asked first */
    bool is_socket, asks_first;
    _Atomic bool held_up; /* something is kept, or was lost */
    size_t len;
    uint64_t lost;
    char kept[KEPT_SIZE];
} out = {.mutex = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO};

void log_open(void)
{
    struct stat s;
    if (out.fd != STDERR_FILENO || fstat(STDERR_FILENO, &s) != 0 || S_ISREG(s.st_mode))
        return;
    out.is_socket = S_ISSOCK(s.st_mode);
    int fd = out.is_socket
                 ? -1
                 : open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_APPEND);
    if (fd >= 0)
        out.fd = fd;
    out.asks_first = fd < 0 && !out.is_socket;
}

/* How many of the bytes have gone; none when it would block, or fails. */
static size_t write_now(const char *text, size_t len)
{
    struct pollfd room = {.fd = out.fd, .events = POLLOUT};
    if (out.asks_first && poll(&room, 1, 0) != 1)
        return 0;
    ssize_t put_out = out.is_socket ? send(out.fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                                    : write(out.fd, text, len);
    return put_out > 0 ? (size_t)put_out : 0;
}

/* ---- with the lock held ---- */

static void keep(const char *text, size_t len)
{
    if (out.len + len <= KEPT_SIZE) {
        memcpy(out.kept + out.len, text, len);
        out.len += len;
    } else {
        out.lost++;
    }
    out.held_up = true;
}

/* A pipe takes PIPE_BUF bytes or none, so no more than that at once. */
static void write_kept(void)
{
    size_t done = 0;
    while (done < out.len) {
        size_t left = out.len - done;
        size_t put_out = write_now(out.kept + done, left < PIECE ? left : PIECE);
        if (put_out == 0)
            break;
        done += put_out;
    }
    out.len -= done;
    memmove(out.kept, out.kept + done, out.len);
    if (out.len > 0)
        return;
    out.held_up = false;
    if (out.lost > 0) {
        char line[80];
        size_t len = (size_t)snprintf(line, sizeof(line), "warn log_lines_lost count=%llu\n",
                                      (unsigned long long)out.lost);
        out.lost = 0;
        size_t put_out = write_now(line, len);
        if (put_out < len)
            keep(line + put_out, len - put_out);
    }
}

static void put_out_line(const char *text, size_t len)
{
    if (out.held_up)
        write_kept();
    size_t done = out.held_up ? 0 : write_now(text, len);
    if (done < len)
        keep(text + done, len - done);
}

static void gather_line(const char *text, size_t len)
{
    keep(text, len);
    if (out.len > GATHERED_MAX)
        write_kept();
}

/* ---- without it ---- */

void log_turns(void)
{
    turns = true;
}

/* Who holds the lock sees what was gathered before, or gathers, and has an end of turn to come. */
void log_end_of_turn(void)
{
    if (!out.held_up || pthread_mutex_trylock(&out.mutex) != 0)
        return;
    write_kept();
    pthread_mutex_unlock(&out.mutex);
}

void log_flush(void)
{
    if (!out.held_up)
        return;
    pthread_mutex_lock(&out.mutex);
    write_kept();
    pthread_mutex_unlock(&out.mutex);
}

void log_close(void)
{
    struct pollfd room = {.fd = out.fd, .events = POLLOUT};
    for (int i = 0; i < LAST_WAIT_MS / 100 && out.held_up; i++) {
        if (poll(&room, 1, 100) < 0 && errno != EINTR)
            return;
        log_flush();
    }
}

void log_end(struct log_line *line)
{
    if (!line->wanted)
        return;
    line->text[line->len++] = '\n';
    pthread_mutex_lock(&out.mutex);
    (line->gathered ? gather_line : put_out_line)(line->text, line->len);
    pthread_mutex_unlock(&out.mutex);
}

void log_event(enum log_level level, const char *event, const char *key, const char *value)
{
    log_end(log_text(log_begin(level, event), key, value));
}

void log_fault(const char *event, const struct err *err)
{
    if (err->kind != ERR_NONE)
        log_event(LOG_ERROR, event, "what", err->text);
}
