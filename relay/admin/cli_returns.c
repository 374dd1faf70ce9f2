// SPDX-License-Identifier: BSD-2-Clause
/* cli_returns.c - "returns show": what mail says that came back, and what follows; "returns whose":
 * to whom it had been sent. No relay is asked, and nothing is changed. */
#include "cli_returns.h"

#include "cli_files.h"
#include "keyring.h"
#include "mail.h"
#include "returns.h"
#include "returns_token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One row for each recipient, or one for the message. */
static const struct cli_column columns[] = {
    {"FILE", "file", CLI_TEXT},         {"KIND", "kind", CLI_TEXT},
    {"RECIPIENT", "address", CLI_TEXT}, {"ACTION", "action", CLI_TEXT},
    {"STATUS", "status", CLI_TEXT},     {"CATEGORY", "category", CLI_TEXT},
    {"FOLLOWS", "follows", CLI_TEXT},   {"REPLY", "reply", CLI_TEXT}};

/* "": it is not said, as in a complaint. */
static const char *action_of(const struct returns_recipient *r)
{
    return r->action == RETURNS_ACTION_UNSAID ? "" : returns_action_name(r->action);
}

/* ---- as JSON ---- */

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_row_text(text) : json_null();
}

/* What a recipient's reply means; nothing where it has not failed. */
static void put_judgement(json_t *row, const struct returns_reading *reading, size_t index)
{
    struct returns_judgement j;
    if (!returns_judge(reading, index, &j))
        return;
    PUT(row, FIELD("category", reply_category_name(j.reply.category)),
        FIELD("about", reply_about_name(j.reply.about)), FIELD("rule", (const char *)j.reply.rule),
        FIELD("suppress_after", j.suppress_after));
}

static json_t *recipient_json(const struct returns_reading *reading, size_t index)
{
    const struct returns_recipient *r = &reading->recipients[index];
    json_t *row =
        ROW(FIELD("address", text_or_null(r->address)),
            FIELD("original_recipient", text_or_null(r->original)),
            FIELD("final_recipient", text_or_null(r->final)),
            FIELD("action", text_or_null(action_of(r))), FIELD("status", text_or_null(r->status)),
            FIELD("reply", text_or_null(r->reply)));
    put_judgement(row, reading, index);
    return PUT(row, FIELD("follows", returns_follows_name(returns_follows(reading, index))));
}

static json_t *message_json(const char *path, const struct returns_reading *reading)
{
    json_t *recipients = json_array();
    for (size_t i = 0; i < reading->recipient_count; i++)
        json_array_append_new(recipients, recipient_json(reading, i));
    return ROW(FIELD("file", path), FIELD("kind", returns_kind_name(reading->kind)),
               FIELD("message_id", text_or_null(reading->message_id)),
               FIELD("return_path", text_or_null(reading->return_path)),
               FIELD("feedback_type", text_or_null(reading->feedback_type)),
               FLAG("complaint", reading->complaint), FLAG("lost", reading->lost),
               FLAG("more", reading->more), FIELD("recipients", recipients),
               FIELD("follows", returns_follows_name(returns_follows_all(reading))));
}

/* ---- as a table ---- */

static json_t *row(const char *path, const struct returns_reading *reading, const char *follows)
{
    return ROW(FIELD("file", path), FIELD("kind", returns_kind_name(reading->kind)),
               FIELD("follows", follows));
}

static json_t *recipient_row(const char *path, const struct returns_reading *reading, size_t index)
{
    const struct returns_recipient *r = &reading->recipients[index];
    json_t *made = row(path, reading, returns_follows_name(returns_follows(reading, index)));
    put_judgement(made, reading, index);
    return PUT(made, FIELD("address", (const char *)r->address), FIELD("action", action_of(r)),
               FIELD("status", (const char *)r->status), FIELD("reply", (const char *)r->reply));
}

static void add_rows(json_t *rows, const char *path, const struct returns_reading *reading)
{
    for (size_t i = 0; i < reading->recipient_count; i++)
        json_array_append_new(rows, recipient_row(path, reading, i));
    if (reading->recipient_count == 0)
        json_array_append_new(
            rows, row(path, reading, returns_follows_name(returns_follows_all(reading))));
}

/* ---- the command ---- */

struct show {
    bool json;
    struct returns_reading reading;
};

static bool add_file(void *context, json_t *rows, const struct cli_file *file, struct err *err)
{
    struct show *show = context;
    if (!returns_read(file->content, RETURNS_SENDER_UNSAID, &show->reading))
        return err_set(err, ERR_SYSTEM, "%s: %s", file->path, strerror(ENOMEM));
    if (show->json)
        json_array_append_new(rows, message_json(file->path, &show->reading));
    else
        add_rows(rows, file->path, &show->reading);
    return true;
}

int cli_returns_show(struct cli *cli)
{
    struct cli_table table = {.cli = cli, .columns = columns, .count = COUNT_OF(columns)};
    struct show *show = xcalloc(1, sizeof(*show));
    show->json = cli->json;
    int code = cli_print_files(&table, RETURNS_BYTES_MAX, add_file, show);
    free(show);
    return code;
}

/* ---- whose ---- */

static void print_subject(const struct cli *cli, const struct returns_subject *subject)
{
    char id[MAIL_ID_TEXT];
    mail_id_print(subject->message, id);
    json_t *row = ROW(FIELD("id", (const char *)id), FIELD("recipient", subject->number + 1));
    if (cli->json)
        cli_print_json(row);
    else
        printf("id         %s\nrecipient  %u\n", id, subject->number + 1);
    json_decref(row);
}

int cli_returns_whose(struct cli *cli)
{
    struct err err = {0};
    struct unsubscribe_keys keys;
    struct returns_subject subject;
    int code = CLI_OK;
    if (!cli_config(cli, &code))
        return code;
    if (!keyring_unsubscribe(cli->config->state_dir, &keys, &err))
        return cli_fail(&err);
    bool ok = returns_token_open(&keys, span_of(cli->arguments[0]), &subject);
    unsubscribe_keys_clear(&keys);
    if (!ok) {
        err_set(&err, ERR_NOT_FOUND, "no key of this relay has made that address");
        return cli_fail(&err);
    }
    print_subject(cli, &subject);
    return CLI_OK;
}
