// SPDX-License-Identifier: BSD-2-Clause
/* cli.c - What the commands share: asking, failing, printing. */
#include "cli.h"

#include "clock.h"
#include "control.h"
#include "escape.h"
#include "sandbox.h"
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 1024 * 1024 * 1024 };

const char *cli_option(const struct cli *cli, const char *name, size_t nth)
{
    for (size_t i = 0; i < cli->option_count; i++)
        if (strcmp(cli->options[i].name, name) == 0 && nth-- == 0)
            return cli->options[i].value;
    return NULL;
}

bool cli_flag(const struct cli *cli, const char *name)
{
    return cli_option(cli, name, 0) != NULL;
}

static void print_escaped(const char *text, enum escape_form form, FILE *to)
{
    char piece[ESCAPE_MAX];
    struct span rest = span_of(text);
    while (rest.len > 0)
        fwrite(piece, 1, escape_next(&rest, form, piece), to);
}

int cli_fail(const struct err *err)
{
    fputs("sealpost: ", stderr);
    print_escaped(err->text, ESCAPE_TEXT, stderr);
    fputc('\n', stderr);
    return err->kind == ERR_USAGE         ? CLI_USAGE
           : err->kind == ERR_UNREACHABLE ? CLI_UNREACHABLE
                                          : CLI_NO;
}

int cli_usage(const struct cli *cli, const char *why)
{
    fprintf(stderr, "sealpost: %s; usage: sealpost %s %s\n", why, cli->command->words,
            cli->command->usage);
    return CLI_USAGE;
}

bool cli_config(struct cli *cli, int *code_r)
{
    struct err err = {0};
    if (cli->config || config_read(cli->config_path, NULL, &cli->config, &err))
        return true;
    *code_r = cli_fail(&err);
    return false;
}

/* Where the relay is to be asked. Whom the config says may look need not be able to read it, nor
 * know one: then it is where a relay of this machine has its state, and one must be running
 * there. */
static const char *state_dir_of(struct cli *cli, bool *only_daemon_r, int *code_r)
{
    static const char usual[] = "/var/lib/sealpost";
    char path[4096];
    const char *dir = getenv("SEALPOST_STATE_DIR");
    bool named = dir && *dir;
    dir = named ? dir : usual;
    control_path(dir, path);
    *only_daemon_r = !cli->config && access(cli->config_path, R_OK) != 0 &&
                     ((errno == EACCES && access(path, F_OK) == 0) ||
                      (errno == ENOENT && named && !cli->config_given));
    if (*only_daemon_r)
        return dir;
    return cli_config(cli, code_r) ? cli->config->state_dir : NULL;
}

json_t *cli_request(const char *verb, ...)
{
    va_list pairs;
    json_t *request = json_object();
    if (verb)
        json_object_set_new(request, "do", json_string(verb));
    va_start(pairs, verb);
    for (const char *key = va_arg(pairs, const char *); key; key = va_arg(pairs, const char *)) {
        const char *value = va_arg(pairs, const char *);
        if (value)
            json_object_set_new(request, key, json_string(value));
    }
    va_end(pairs);
    return request;
}

/* ---- asking ---- */

static bool put_all(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t put = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes = span_from(bytes, (size_t)put);
    }
    return true;
}

static bool get_all(int fd, struct buf *answer)
{
    for (;;) {
        char *to = buf_reserve(answer, 64 * 1024);
        ssize_t got = to ? recv(fd, to, 64 * 1024, 0) : -1;
        if (got < 0 && errno == EINTR && to)
            continue;
        if (got <= 0)
            return got == 0;
        buf_commit(answer, (size_t)got);
    }
}

/* False with ERR_NOT_FOUND when no daemon listens. */
static bool ask_daemon(const char *state_dir, struct span line, struct buf *answer, struct err *err)
{
    char path[4096];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    control_path(state_dir, path);
    if (!span_copy(span_of(path), address.sun_path, sizeof(address.sun_path)))
        return err_set(err, ERR_CONFIG, "state_dir %s is too long for a control socket", state_dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        bool denied = errno == EACCES || errno == EPERM;
        if (fd >= 0)
            close(fd);
        return err_set(err, denied ? ERR_UNREACHABLE : ERR_NOT_FOUND, "control socket %s: %s", path,
                       denied ? "permission denied" : "no relay is running");
    }
    bool ok = put_all(fd, line) && get_all(fd, answer) && answer->len > 0;
    close(fd);
    return ok || err_set(err, ERR_UNREACHABLE, "control socket %s: the relay did not answer", path);
}

static bool ask_alone(const char *state_dir, struct span line, struct buf *answer, struct err *err)
{
    struct control *c = NULL;
    struct err failed = {0};
    bool ok = control_parse(span_first(line, line.len - 1), &c, err);
    if (ok && control_kind(c) == CONTROL_SUBMIT)
        ok = err_set(err, ERR_UNREACHABLE,
                     "no relay is running on %s: start it with 'sealpost serve'", state_dir);
    char who[64];
    snprintf(who, sizeof(who), "uid %u", (unsigned)getuid());
    if (ok)
        control_from(c, who, NULL);
    sandbox_as_owner(state_dir);
    bool done = ok && store_run_alone(state_dir, control_run, c, &failed);
    sandbox_as_self();
    if (ok && !done && failed.kind == ERR_UNREACHABLE)
        ok = err_set(err, ERR_UNREACHABLE, "%s, but its control socket does not answer",
                     failed.text);
    if (ok)
        control_answer(c, done ? NULL : &failed, answer);
    control_free(c);
    return ok;
}

static int read_answer(struct span text, json_t **answer_r)
{
    json_error_t why;
    struct err err = {.kind = ERR_STORE, .text = "the relay's answer cannot be read"};
    json_t *answer = json_loadb(text.ptr, text.len, 0, &why);
    if (json_is_true(json_object_get(answer, "ok"))) {
        *answer_r = answer;
        return CLI_OK;
    }
    const char *text_of = json_string_value(json_object_get(answer, "error"));
    if (text_of)
        err_set(&err, (enum err_kind)json_integer_value(json_object_get(answer, "kind")), "%s",
                text_of);
    json_decref(answer);
    return cli_fail(&err);
}

int cli_ask(struct cli *cli, json_t *request, json_t **answer_r)
{
    struct err err = {0};
    struct buf line;
    struct buf answer;
    int code = CLI_OK;
    bool only_daemon = false;
    *answer_r = NULL;
    const char *state_dir = state_dir_of(cli, &only_daemon, &code);
    if (!state_dir) {
        json_decref(request);
        return code;
    }
    buf_init(&line, ANSWER_MAX);
    buf_init(&answer, ANSWER_MAX);
    char *text = json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(request);
    buf_addf(&line, "%s\n", text ? text : "{}");
    free(text);
    bool ok = ask_daemon(state_dir, buf_span(&line), &answer, &err);
    if (!ok && err.kind == ERR_NOT_FOUND && only_daemon)
        ok = err_set(&err, ERR_UNREACHABLE, "%s: no relay is running, and the config file %s: %s",
                     state_dir, cli->config_path,
                     strerror(access(cli->config_path, F_OK) == 0 ? EACCES : ENOENT));
    if (!ok && err.kind == ERR_NOT_FOUND)
        ok = ask_alone(state_dir, buf_span(&line), &answer, &err);
    code = ok ? read_answer(buf_span(&answer), answer_r) : cli_fail(&err);
    buf_fini(&line);
    buf_fini(&answer);
    return code;
}

/* ---- printing ---- */

void cli_print_safe(const char *text)
{
    print_escaped(text, ESCAPE_TEXT, stdout);
}

void cli_print_json(const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2));
    print_escaped(text ? text : "null", ESCAPE_JSON, stdout);
    putchar('\n');
    free(text);
}

void cli_print_json_line(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    print_escaped(text ? text : "null", ESCAPE_JSON, stdout);
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
    print_escaped(text ? text : "null", ESCAPE_JSON, stdout);
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
