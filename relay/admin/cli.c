// SPDX-License-Identifier: BSD-2-Clause
/* cli.c - What all commands share: sending requests to the relay, and reporting failures. */
#include "cli.h"

#include "control.h"
#include "sandbox.h"
#include "store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 1024 * 1024 * 1024, RUNNING_ANSWERS_S = 10 };
static const char usual_state_dir[] = "/var/lib/sealpost";

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

int cli_fail(const struct err *err)
{
    fputs("sealpost: ", stderr);
    cli_print_escaped(err->text, ESCAPE_TEXT, stderr);
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
    if (cli->config || config_look(cli->config_path, &cli->config, &err))
        return true;
    *code_r = cli_fail(&err);
    return false;
}

/* As $SEALPOST_STATE_DIR says. NULL: it does not. */
static const char *named_state_dir(void)
{
    const char *dir = getenv("SEALPOST_STATE_DIR");
    return dir && *dir ? dir : NULL;
}

/* Where a relay may be asked without the settings, as `why` (errno) has it that the file cannot be
 * read. Whom the config says may look need not be able to read it; nor need there be one where none
 * was named. NULL: nowhere, as whoever names a file means its relay, and no other. */
static const char *state_dir_without(const struct cli *cli, int why)
{
    const char *named = named_state_dir();
    bool is_usual = strcmp(cli->config_path, CONFIG_USUAL) == 0;
    if (why == EACCES)
        return named || (cli->config_given && !is_usual) ? named : usual_state_dir;
    return why == ENOENT && !cli->config_given ? named : NULL;
}

/* What a file with a fault says, as far as it can be told; `dir_r` holds 4096 bytes. */
static void state_dir_of_lines(FILE *file, char *dir_r)
{
    char line[4096];
    snprintf(dir_r, 4096, "%s", usual_state_dir);
    while (fgets(line, sizeof(line), file)) {
        struct span rest = span_trim(span_of(line));
        struct span name = span_trim(span_take(&rest, '='));
        struct span value = span_trim(rest);
        if (span_equal(name, SPAN("state_dir")) && value.len > 2 && value.ptr[0] == '"')
            (void)span_copy(span_take(&(struct span){value.ptr + 1, value.len - 1}, '"'), dir_r,
                            4096);
    }
}

static bool is_same_file(const char *one, const char *other)
{
    struct stat a;
    struct stat b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* Where the relay is to be asked. Without the settings one must be running there. */
static const char *state_dir_of(struct cli *cli, bool *only_daemon_r, int *code_r)
{
    char path[4096];
    bool unread = !cli->config && access(cli->config_path, R_OK) != 0;
    int why = errno;
    const char *dir = unread ? state_dir_without(cli, why) : NULL;
    if (dir)
        control_path(dir, path);
    *only_daemon_r = dir && (why == ENOENT || access(path, F_OK) == 0);
    if (*only_daemon_r)
        return dir;
    return cli_config(cli, code_r) ? cli->config->state_dir : NULL;
}

json_t *cli_request(const char *verb, ...)
{
    va_list pairs;
    json_t *request = json_object();
    if (verb)
        PUT(request, FIELD("do", verb));
    va_start(pairs, verb);
    for (const char *key = va_arg(pairs, const char *); key; key = va_arg(pairs, const char *)) {
        const char *value = va_arg(pairs, const char *);
        if (value)
            PUT(request, FIELD(key, value));
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

static const char late[] = " in time: is it stopped, or does its disk hang?";

/* connect() waits, too: for a relay that is stopped, and has its backlog full of who asked before.
 * -1 with errno. */
static int reach_daemon(const struct sockaddr_un *address, int patience_s)
{
    const struct timeval patience = {.tv_sec = patience_s};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static bool says_not_reached(const char *path, struct err *err)
{
    if (errno == EACCES || errno == EPERM)
        return err_set(err, ERR_UNREACHABLE, "control socket %s: permission denied", path);
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return err_set(err, ERR_UNREACHABLE, "control socket %s: the relay did not answer%s", path,
                       late);
    return err_set(err, ERR_NOT_FOUND, "control socket %s: no relay is running", path);
}

/* False with ERR_NOT_FOUND when no daemon listens. `patience_s`: for its answer; 0: without end. */
static bool ask_daemon(const char *state_dir, struct span line, int patience_s, struct buf *answer,
                       struct err *err)
{
    char path[4096];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    control_path(state_dir, path);
    if (!span_copy(span_of(path), address.sun_path, sizeof(address.sun_path)))
        return err_set(err, ERR_CONFIG, "state_dir %s is too long for a control socket", state_dir);
    int fd = reach_daemon(&address, patience_s);
    if (fd < 0)
        return says_not_reached(path, err);
    errno = 0;
    bool ok = put_all(fd, line) && get_all(fd, answer) && answer->len > 0;
    bool is_late = !ok && (errno == EAGAIN || errno == EWOULDBLOCK);
    close(fd);
    return ok || err_set(err, ERR_UNREACHABLE, "control socket %s: the relay did not answer%s",
                         path, is_late ? late : "");
}

static bool ask_alone(const char *state_dir, struct span line, struct buf *answer, struct err *err)
{
    struct control *c = NULL;
    struct err failed = {0};
    bool ok = control_parse(span_first(line, line.len - 1), &c, err);
    if (ok && (control_kind(c) == CONTROL_SUBMIT || control_kind(c) == CONTROL_RELOAD))
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

static bool read_answer(struct span text, json_t **answer_r, struct err *err)
{
    json_error_t why;
    json_t *answer = json_loadb(text.ptr, text.len, 0, &why);
    if (json_row_is(answer, "ok")) {
        *answer_r = answer;
        return true;
    }
    const char *text_of = json_string_value(json_object_get(answer, "error"));
    err_set(err, ERR_STORE, "the relay's answer cannot be read");
    if (text_of)
        err_set(err, (enum err_kind)json_row_int(answer, "kind"), "%s", text_of);
    json_decref(answer);
    return false;
}

/* `no_config`: NULL, or the config file that cannot be read, so that only a relay that runs will
 * do. Takes `request`. */
static bool ask(const char *state_dir, const char *no_config, json_t *request, json_t **answer_r,
                struct err *err)
{
    struct buf line;
    struct buf answer;
    *answer_r = NULL;
    buf_init(&line, ANSWER_MAX);
    buf_init(&answer, ANSWER_MAX);
    char *text = json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(request);
    buf_addf(&line, "%s\n", text ? text : "{}");
    free(text);
    bool ok = ask_daemon(state_dir, buf_span(&line), 0, &answer, err);
    if (!ok && err->kind == ERR_NOT_FOUND && no_config)
        ok =
            err_set(err, ERR_UNREACHABLE, "%s: no relay is running, and the config file %s: %s",
                    state_dir, no_config, strerror(access(no_config, F_OK) == 0 ? EACCES : ENOENT));
    if (!ok && err->kind == ERR_NOT_FOUND)
        ok = ask_alone(state_dir, buf_span(&line), &answer, err);
    ok = ok && read_answer(buf_span(&answer), answer_r, err);
    buf_fini(&line);
    buf_fini(&answer);
    return ok;
}

int cli_ask(struct cli *cli, json_t *request, json_t **answer_r)
{
    struct err err = {0};
    int code = CLI_OK;
    bool only_daemon = false;
    *answer_r = NULL;
    const char *state_dir = state_dir_of(cli, &only_daemon, &code);
    if (!state_dir) {
        json_decref(request);
        return code;
    }
    return ask(state_dir, only_daemon ? cli->config_path : NULL, request, answer_r, &err)
               ? CLI_OK
               : cli_fail(&err);
}

bool cli_ask_quietly(struct cli *cli, json_t *request, json_t **answer_r, struct err *err)
{
    return ask(cli->config->state_dir, NULL, request, answer_r, err);
}

static bool ask_running(const char *dir, json_t *request, json_t **answer_r, struct err *err)
{
    struct buf asked;
    struct buf answer;
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    *answer_r = NULL;
    buf_init(&asked, ANSWER_MAX);
    buf_init(&answer, ANSWER_MAX);
    buf_addf(&asked, "%s\n", line ? line : "{}");
    free(line);
    bool ok = ask_daemon(dir, buf_span(&asked), RUNNING_ANSWERS_S, &answer, err);
    if (ok && !read_answer(buf_span(&answer), answer_r, err)) {
        ok = false; /* whoever has said so runs */
        err->kind = err->kind == ERR_NOT_FOUND ? ERR_STORE : err->kind;
    }
    buf_fini(&asked);
    buf_fini(&answer);
    return ok;
}

/* A file with a fault still leads to the relay that runs by what it said before: to that one only,
 * which says itself which file it has. `dir_r` holds 4096 bytes. */
static bool find_by_fault(const struct cli *cli, FILE *file, char *dir_r, struct err *err)
{
    json_t *status = NULL;
    state_dir_of_lines(file, dir_r);
    bool ok = ask_running(dir_r, cli_request("status", NULL), &status, err) &&
              (is_same_file(cli->config_path, json_row_get(status, "file")) ||
               err_set(err, ERR_NOT_FOUND, "no relay is running with %s", cli->config_path));
    json_decref(status);
    return ok;
}

bool cli_ask_running(struct cli *cli, json_t *request, json_t **answer_r, struct err *err)
{
    char of_lines[4096];
    FILE *file = cli->config ? NULL : fopen(cli->config_path, "r");
    const char *dir = cli->config ? cli->config->state_dir
                      : file      ? of_lines
                                  : state_dir_without(cli, errno);
    *answer_r = NULL;
    bool ok = dir || err_set(err, ERR_NOT_FOUND, "no relay is running");
    ok = ok && (!file || find_by_fault(cli, file, of_lines, err));
    if (file)
        fclose(file);
    if (ok)
        return ask_running(dir, request, answer_r, err);
    json_decref(request);
    return false;
}

void cli_warn(const json_t *answer)
{
    const json_t *warnings = json_object_get(answer, "warnings");
    size_t i;
    const json_t *one;
    json_array_foreach(warnings, i, one)
    {
        fputs("sealpost: warning: ", stderr);
        cli_print_escaped(json_string_value(one), ESCAPE_TEXT, stderr);
        fputc('\n', stderr);
    }
}

int cli_tell(struct cli *cli, json_t *request, cli_say *say)
{
    json_t *answer = NULL;
    int code = cli_ask(cli, request, &answer);
    if (code == CLI_OK && cli->json)
        cli_print_json(answer);
    else if (code == CLI_OK) {
        say(cli, answer);
        cli_warn(answer);
    }
    json_decref(answer);
    return code;
}

static void say_nothing(const struct cli *cli, json_t *answer)
{
    (void)cli;
    (void)answer;
}

int cli_do(struct cli *cli, json_t *request, const char *done)
{
    int code = cli_tell(cli, request, say_nothing);
    if (code == CLI_OK && !cli->json)
        printf("%s %s\n", cli->arguments[0], done);
    return code;
}

int cli_list(struct cli *cli, json_t *request, const struct cli_column *columns, size_t count)
{
    json_t *answer = NULL;
    int code = cli_ask(cli, request, &answer);
    if (code == CLI_OK)
        cli_print_rows(cli, json_object_get(answer, "rows"), columns, count);
    json_decref(answer);
    return code;
}
