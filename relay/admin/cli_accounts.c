// SPDX-License-Identifier: BSD-2-Clause
/* cli_accounts.c - user, address. Secrets are made here and never cross the control socket. */
#include "cli.h"

#include "identity.h"
#include "scram.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- user ---- */

struct new_secret {
    char text[512], hash[SECRET_HASH], scram[SCRAM_KEYS_TEXT];
};

/* A new secret: generated and to be shown, or the first line of stdin. */
static bool make_secret(const struct cli *cli, struct new_secret *s, struct err *err)
{
    bool ok = true;
    if (!cli_flag(cli, "password-stdin")) {
        secret_generate(s->text);
        secret_hash_generated(span_of(s->text), s->hash);
    } else if (!fgets(s->text, sizeof(s->text), stdin)) {
        return err_set(err, ERR_USAGE, "no password on standard input");
    } else {
        s->text[strcspn(s->text, "\r\n")] = '\0';
        ok = secret_hash_chosen(span_of(s->text), s->hash, err);
    }
    scram_keys_make(span_of(s->text), s->scram);
    return ok;
}

static void show_secret(const struct cli *cli, const char *name, const char *secret)
{
    bool chosen = cli_flag(cli, "password-stdin");
    if (cli->json) {
        json_t *row = json_object();
        json_object_set_new(row, "name", json_string(name));
        if (!chosen)
            json_object_set_new(row, "secret", json_string(secret));
        cli_print_json(row);
        json_decref(row);
    } else if (chosen) {
        printf("%s has the password given\n", name);
    } else {
        printf("name    %s\nsecret  %s\n\nThe secret is shown this once: keep it now.\n", name,
               secret);
    }
}

static bool join_domains(const struct cli *cli, char *allowed_r, size_t size, struct err *err)
{
    size_t used = 0;
    const char *rule = NULL;
    for (size_t i = 0; (rule = cli_option(cli, "domain", i)); i++) {
        if (!identity_rule_valid(span_of(rule)))
            return err_set(err, ERR_USAGE,
                           "--domain %.80s: give a domain, *.domain, an address, or *", rule);
        used += (size_t)snprintf(allowed_r + used, size - used, "%s%s", i ? " " : "", rule);
        if (used >= size)
            return err_set(err, ERR_USAGE, "too many --domain options");
    }
    return used > 0 || err_set(err, ERR_USAGE, "give at least one --domain that it may send as");
}

int cli_user_add(struct cli *cli)
{
    struct err err = {0};
    struct new_secret secret = {0};
    char allowed[2048];
    json_t *answer = NULL;
    if (!join_domains(cli, allowed, sizeof(allowed), &err) || !make_secret(cli, &secret, &err))
        return cli_fail(&err);
    int code = cli_ask(cli,
                       cli_request("user.add", "name", cli->arguments[0], "hash", secret.hash,
                                   "scram", secret.scram, "allowed", allowed, "tenant",
                                   cli_option(cli, "tenant", 0), "stream",
                                   cli_option(cli, "stream", 0), NULL),
                       &answer);
    if (code == CLI_OK)
        show_secret(cli, cli->arguments[0], secret.text);
    secret_clear(&secret, sizeof(secret));
    json_decref(answer);
    return code;
}

int cli_user_rotate(struct cli *cli)
{
    struct err err = {0};
    struct new_secret secret = {0};
    json_t *answer = NULL;
    if (!make_secret(cli, &secret, &err))
        return cli_fail(&err);
    int code = cli_ask(cli,
                       cli_request("user.rotate", "name", cli->arguments[0], "hash", secret.hash,
                                   "scram", secret.scram, NULL),
                       &answer);
    if (code == CLI_OK)
        show_secret(cli, cli->arguments[0], secret.text);
    secret_clear(&secret, sizeof(secret));
    json_decref(answer);
    return code;
}

/* A request about the named thing that has no answer but yes or no. */
static int change(struct cli *cli, const char *verb, const char *done)
{
    json_t *answer = NULL;
    int code = cli_ask(cli, cli_request(verb, "name", cli->arguments[0], NULL), &answer);
    if (code == CLI_OK && !cli->json)
        printf("%s %s\n", cli->arguments[0], done);
    else if (code == CLI_OK)
        cli_print_json(answer);
    json_decref(answer);
    return code;
}

int cli_user_disable(struct cli *cli)
{
    return change(cli, "user.disable", "is disabled");
}

int cli_user_delete(struct cli *cli)
{
    return change(cli, "user.delete", "is deleted");
}

static int list(struct cli *cli, json_t *request, const struct cli_column *columns, size_t count)
{
    json_t *answer = NULL;
    int code = cli_ask(cli, request, &answer);
    if (code == CLI_OK)
        cli_print_rows(cli, json_object_get(answer, "rows"), columns, count);
    json_decref(answer);
    return code;
}

int cli_user_list(struct cli *cli)
{
    static const struct cli_column columns[] = {
        {"NAME", "name", CLI_TEXT},           {"TENANT", "tenant", CLI_TEXT},
        {"MAY SEND AS", "allowed", CLI_TEXT}, {"STREAM", "stream", CLI_TEXT},
        {"DISABLED", "disabled", CLI_YES},    {"CREATED", "created", CLI_TIME},
        {"LAST LOGIN", "login", CLI_TIME},    {"FROM", "network", CLI_TEXT},
        {"FAILURES", "failures", CLI_TEXT},   {"LOCKED S", "locked_s", CLI_TEXT}};
    return list(cli, cli_request("user.list", NULL), columns, COUNT_OF(columns));
}

/* ---- files ---- */

bool cli_write_file(const char *path, struct span content, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, ERR_SYSTEM, "writing %s: %s", path, strerror(errno));
    bool ok = write(fd, content.ptr, content.len) == (ssize_t)content.len && fsync(fd) == 0;
    if (close(fd) != 0 || !ok)
        return err_set(err, ERR_SYSTEM, "writing %s: %s", path, strerror(errno));
    return true;
}

/* ---- address ---- */

int cli_address_canonical(struct cli *cli)
{
    struct address address;
    struct buf text;
    buf_init(&text, ADDRESS_CANONICAL_MAX);
    bool ok =
        address_parse(span_of(cli->arguments[0]), &address) && address_canonical(&address, &text);
    if (ok && cli->json) {
        json_t *row = json_object();
        json_object_set_new(row, "address", json_string(cli->arguments[0]));
        json_object_set_new(row, "canonical", json_string(buf_text(&text)));
        cli_print_json(row);
        json_decref(row);
    } else if (ok) {
        cli_print_safe(buf_text(&text));
        putchar('\n');
    }
    buf_fini(&text);
    return ok ? CLI_OK : cli_usage(cli, "that is no address");
}
