// SPDX-License-Identifier: BSD-2-Clause
/* cli.h - What every command is given and may use. A command is a function that returns the exit
 * status. */
#ifndef CLI_H
#define CLI_H

#include "config.h"
#include "err.h"
#include "escape.h"
#include "json_row.h"

#include <stdio.h>

enum { CLI_OK = 0, CLI_NO = 1, CLI_USAGE = 2, CLI_UNREACHABLE = 3 };
enum { CLI_ARGUMENTS_MAX = 1024, CLI_OPTIONS_MAX = 64 };

struct cli {
    const struct command *command;
    const char *config_path;
    bool config_given; /* by -c or $SEALPOST_CONFIG: it must be there */
    bool json;
    const char *arguments[CLI_ARGUMENTS_MAX];
    size_t argument_count;
    struct {
        const char *name, *value; /* value: "" for a flag */
    } options[CLI_OPTIONS_MAX];
    size_t option_count;
    struct config *config; /* read when first needed */
    char wrong[160];       /* with an option */
};

/* A row of the command table. Options: names, separated by blanks; "name=" takes a value. */
struct command {
    const char *words; /* "user add" */
    const char *usage; /* "NAME --domain D…" */
    size_t arguments_min, arguments_max;
    const char *options;
    const char *description;
    int (*run)(struct cli *cli);
};

/* The n-th value given for an option; NULL when there are fewer. */
const char *cli_option(const struct cli *cli, const char *name, size_t nth);
bool cli_flag(const struct cli *cli, const char *name);

/* One line on stderr; returns the exit code that belongs to the kind. Wrong usage: with the
 * command's usage line. */
int cli_fail(const struct err *err);
int cli_usage(const struct cli *cli, const char *why);

/* The settings, read once; false after having said why not. */
MUST_CHECK bool cli_config(struct cli *cli, int *code_r);

/* Ask the daemon, or do it here when none runs. Takes `request`. `answer_r` is the caller's, when
 * CLI_OK is returned. */
int cli_ask(struct cli *cli, json_t *request, json_t **answer_r);
/* The same, once the settings are read; nothing is printed. */
bool cli_ask_quietly(struct cli *cli, json_t *request, json_t **answer_r, struct err *err);
/* Ask, and print the answer: as JSON, or as `say` says it. Takes `request`. */
typedef void cli_say(const struct cli *cli, json_t *answer);
int cli_tell(struct cli *cli, json_t *request, cli_say *say);
void cli_warn(const json_t *answer); /* on stderr, of what it says; cli_tell() does */
/* The same where only "ARGUMENT `done`" is to be said. */
int cli_do(struct cli *cli, json_t *request, const char *done);

/* Ask the daemon, whose file may have a fault meanwhile; nothing is printed. ERR_NOT_FOUND: none
 * runs with that file. Takes `request`. */
MUST_CHECK bool cli_ask_running(struct cli *cli, json_t *request, json_t **answer_r,
                                struct err *err);

/* A request: {"do": verb, "name": value…}; pairs end with NULL; a NULL value is left out.
 * `verb` NULL: a part of a request. */
json_t *cli_request(const char *verb, ...);

/* Rows as a table on stdout, or as JSON with --json. */
struct cli_column {
    const char *title, *key;
    enum {
        CLI_TEXT,
        CLI_TIME,
        CLI_IN,
        CLI_AGO,
        CLI_ID,    /* empty when it is of no message */
        CLI_COUNT, /* empty when it is 0 */
        CLI_YES
    } kind; /* TIME: ms since 1970; IN, AGO: the same, as "in 5 min", "5 min" */
};
void cli_print_rows(const struct cli *cli, json_t *rows, const struct cli_column *columns,
                    size_t count);

/* Ask, and print the answer's rows. Takes `request`. */
int cli_list(struct cli *cli, json_t *request, const struct cli_column *columns, size_t count);

/* One row, without titles; not as JSON. */
void cli_print_line(const struct cli *cli, json_t *row, const struct cli_column *columns,
                    size_t count);
/* The same for rows that come in pages: begin with cli, columns and count, the rest zero. */
struct cli_table {
    const struct cli *cli;
    const struct cli_column *columns;
    size_t count, rows, widths[16]; /* count: of columns */
};
void cli_table_add(struct cli_table *t, json_t *rows);
void cli_table_end(struct cli_table *t);

/* As JSON, over several lines or in one. */
void cli_print_json(const json_t *value);
void cli_print_json_line(const json_t *value);
void cli_print_time(int64_t ms); /* since 1970, as tables do */
/* "90s", "10m", "1h", "7d" as milliseconds. */
MUST_CHECK bool cli_span(const char *text, int64_t *ms_r);

/* All that is printed of what others said goes through escape(), which JSON and tables do, too. */
void cli_print_safe(const char *text);
void cli_print_escaped(const char *text, enum escape_form form, FILE *to);

/* "HOST[IP] since 5 s (stage)", of a request's "trying". */
void cli_print_trying(const json_t *trying);
/* A line for each recipient of the message that is being tried. */
int cli_print_under_way(struct cli *cli, const char *id);
/* A line for each destination that rests and that the message waits for; `rests` of an answer. */
void cli_print_rest_rows(const json_t *rests);
int cli_print_rests(struct cli *cli, const char *id);
/* "told", for a column of text: why the mail of these destinations waits. */
void cli_tell_why(json_t *rows);
/* The commands, by file. */
int cli_init(struct cli *cli);
int cli_serve(struct cli *cli);
int cli_config_check(struct cli *cli);
int cli_config_show(struct cli *cli);
int cli_status(struct cli *cli);
int cli_reload(struct cli *cli);
int cli_auth_list(struct cli *cli);
int cli_auth_unlock(struct cli *cli);
int cli_audit_tail(struct cli *cli);
int cli_audit_verify(struct cli *cli);
int cli_user_add(struct cli *cli);
int cli_user_list(struct cli *cli);
int cli_user_change(struct cli *cli);
int cli_user_enable(struct cli *cli);
int cli_user_disable(struct cli *cli);
int cli_user_rotate(struct cli *cli);
int cli_user_delete(struct cli *cli);
int cli_domain_add(struct cli *cli);
int cli_domain_list(struct cli *cli);
int cli_address_canonical(struct cli *cli);
int cli_reply_explain(struct cli *cli);
int cli_suppress_list(struct cli *cli);
int cli_suppress_add(struct cli *cli);
int cli_suppress_remove(struct cli *cli);
int cli_suppress_import(struct cli *cli);
int cli_suppress_export(struct cli *cli);
int cli_unsubscribe_link(struct cli *cli);
int cli_unsubscribe_inspect(struct cli *cli);
int cli_unsubscribe_rotate(struct cli *cli);
int cli_quota_show(struct cli *cli);
int cli_quota_shares(struct cli *cli);
int cli_quota_top(struct cli *cli);
int cli_quota_simulate(struct cli *cli);
int cli_quota_explain(struct cli *cli);
int cli_quota_reset(struct cli *cli);
int cli_check_spf(struct cli *cli);
int cli_check_dmarc(struct cli *cli);
int cli_check_message(struct cli *cli);
int cli_check_destination(struct cli *cli);
int cli_domain_remove(struct cli *cli);
int cli_domain_capture(struct cli *cli);
int cli_domain_release(struct cli *cli);
int cli_key_list(struct cli *cli);
int cli_key_rotate(struct cli *cli);
int cli_key_retire(struct cli *cli);
int cli_dns(struct cli *cli);
int cli_queue_list(struct cli *cli);
int cli_queue_show(struct cli *cli);
int cli_queue_retry(struct cli *cli);
int cli_queue_hold(struct cli *cli);
int cli_queue_release(struct cli *cli);
int cli_queue_delete(struct cli *cli);
int cli_queue_bounce(struct cli *cli);
int cli_destination_list(struct cli *cli);
int cli_destination_show(struct cli *cli);
int cli_destination_rest(struct cli *cli);
int cli_destination_resume(struct cli *cli);
int cli_sts_show(struct cli *cli);
int cli_sts_refresh(struct cli *cli);
int cli_sts_forget(struct cli *cli);
int cli_trace(struct cli *cli);
int cli_events(struct cli *cli);
int cli_send_test(struct cli *cli);
int cli_sink(struct cli *cli);

/* Shared by init and domain add: make key files for a domain, and the "keys" of the request. */
MUST_CHECK bool cli_make_keys(const struct config *config, const char *domain, bool ed25519,
                              json_t **keys_r, struct err *err);
/* Write a file that only its owner may read; never over one that is there. */
MUST_CHECK bool cli_write_file(const char *path, struct span content, struct err *err);
/* A domain's records, of its keys' rows: as rows, printed unless --json is given. NULL: `err`. */
json_t *cli_records(struct cli *cli, const char *domain, json_t *key_rows, struct err *err);

#endif
