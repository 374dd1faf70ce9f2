// SPDX-License-Identifier: BSD-2-Clause
/* cli_accounts.c - The commands user and address. Secrets are generated here and never sent to the
 * control socket. */
#include "cli_streams.h"

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

/* `warnings`: what is printed along in JSON, and was said already otherwise. */
static void show_secret(const struct cli *cli, const char *name, const char *secret,
                        json_t *warnings)
{
    bool chosen = cli_flag(cli, "password-stdin");
    if (cli->json) {
        json_t *row = ROW(FIELD("name", name));
        if (!chosen)
            PUT(row, FIELD("secret", secret));
        json_object_set(row, "warnings", warnings);
        cli_print_json(row);
        json_decref(row);
    } else if (chosen) {
        printf("%s has the password given\n", name);
    } else {
        printf("name    %s\nsecret  %s\n\nThe secret is shown this once: keep it now.\n", name,
               secret);
    }
}

/* ---- what it may send ---- */

/* The values of an option that may be given several times. */
static bool join_rules(const struct cli *cli, const char *option, char *rules_r, size_t size,
                       struct err *err)
{
    size_t used = 0;
    const char *rule = NULL;
    rules_r[0] = '\0';
    for (size_t i = 0; (rule = cli_option(cli, option, i)); i++) {
        if (!identity_rule_valid(span_of(rule)))
            return err_set(err, ERR_USAGE, "--%s %.80s: give a domain, *.domain, an address, or *",
                           option, rule);
        used += (size_t)snprintf(rules_r + used, size - used, "%s%s", i ? " " : "", rule);
        if (used >= size)
            return err_set(err, ERR_USAGE, "too many --%s options", option);
    }
    return true;
}

/* "reset,news", or "*" for all; as the relay keeps it. */
static bool join_streams(const struct cli *cli, char *streams_r, size_t size, struct err *err)
{
    const char *given = cli_option(cli, "streams", 0);
    struct span rest = span_of(given ? given : "");
    streams_r[0] = '\0';
    if (given && !span_copy(rest, streams_r, size))
        return err_set(err, ERR_USAGE, "--streams is too long");
    if (given && span_equal(rest, SPAN("*")))
        return true;
    for (char *p = streams_r; *p; p++)
        *p = *p == ',' ? ' ' : *p;
    for (rest = span_of(streams_r); given && (rest.len > 0 || !*given);) {
        struct span name = span_take(&rest, ' ');
        if (!identity_is_name(name))
            return err_set(err, ERR_USAGE,
                           "--streams %.80s: give names with commas between them, "
                           "or *",
                           given);
    }
    return true;
}

static void add_warning(const struct cli *cli, json_t *warnings, const char *text)
{
    if (!cli->json) {
        fputs("sealpost: warning: ", stderr);
        fputs(text, stderr);
        fputc('\n', stderr);
    }
    json_array_append_new(warnings, json_string(text));
}

static void warn_of_stream(const struct cli *cli, struct span name, json_t *warnings)
{
    char text[CLI_LACKS_STREAM];
    if (cli_lacks_stream(cli, name, text))
        add_warning(cli, warnings, text);
}

/* Is it among the rows of "key.list" with a key that signs? */
static bool can_sign(json_t *keys, const char *domain)
{
    size_t i;
    json_t *row;
    json_array_foreach(keys, i, row)
    {
        const char *name = json_string_value(json_object_get(row, "domain"));
        const char *state = json_string_value(json_object_get(row, "state"));
        if (name && state && strcmp(name, domain) == 0 && strcmp(state, "active") == 0)
            return true;
    }
    return false;
}

static void warn_of_rule(const struct cli *cli, json_t *keys, struct span rule, json_t *warnings)
{
    struct address address;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    char text[2 * ADDRESS_DOMAIN_MAX + 120];
    if (address_parse(rule, &address))
        rule = address.domain;
    if (!address_domain_ascii(rule, domain) || can_sign(keys, domain))
        return;
    snprintf(
        text, sizeof(text),
        "%s has no DKIM key that signs: its mail is refused until you run \"sealpost domain add "
        "%s\"",
        domain, domain);
    add_warning(cli, warnings, text);
}

/* The "tenant" of the row of that name, "" when there is none. */
static const char *tenant_of(const json_t *rows, const char *name)
{
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (strcmp(json_row_get(row, "name"), name) == 0)
            return json_row_get(row, "tenant");
    }
    return "";
}

/* A domain of "default" is for all that send; one of another tenant is that one's. */
static void warn_of_other_tenant(const struct cli *cli, const json_t *domains, struct span rule,
                                 const char *tenant, json_t *warnings)
{
    struct address address;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    char text[2 * ADDRESS_DOMAIN_MAX + 400];
    if (address_parse(rule, &address))
        rule = address.domain;
    if (!address_domain_ascii(rule, domain))
        return;
    const char *owner = tenant_of(domains, domain);
    if (!*owner || strcmp(owner, "default") == 0 || strcmp(owner, tenant) == 0)
        return;
    snprintf(text, sizeof(text),
             "%s is a domain of tenant %.64s, and this credential is tenant %.64s's: it sends as "
             "that domain all the same, signed by its key. If that is not meant: \"sealpost user "
             "change NAME --remove-domain %s\"",
             domain, owner, tenant, domain);
    add_warning(cli, warnings, text);
}

static void warn_of_tenants(struct cli *cli, const char *rules, json_t *warnings)
{
    json_t *domains = NULL;
    json_t *users = NULL;
    if (*rules && cli_ask(cli, cli_request("domain.list", NULL), &domains) == CLI_OK &&
        cli_ask(cli, cli_request("user.list", NULL), &users) == CLI_OK) {
        const char *tenant = tenant_of(json_object_get(users, "rows"), cli->arguments[0]);
        for (struct span rest = span_of(rules); rest.len > 0;)
            warn_of_other_tenant(cli, json_object_get(domains, "rows"), span_take(&rest, ' '),
                                 tenant, warnings);
    }
    json_decref(domains);
    json_decref(users);
}

/* Domains and streams that the relay does not know: mail of them is refused. */
static json_t *warn_of_unknown(struct cli *cli, const char *rules, const char *streams)
{
    json_t *warnings = json_array();
    json_t *answer = NULL;
    struct span rest = span_of(rules);
    if (cli_ask(cli, cli_request("key.list", NULL), &answer) != CLI_OK)
        return warnings;
    while (rest.len > 0)
        warn_of_rule(cli, json_object_get(answer, "rows"), span_take(&rest, ' '), warnings);
    json_decref(answer);
    warn_of_tenants(cli, rules, warnings);
    for (rest = span_of(streams); rest.len > 0;)
        warn_of_stream(cli, span_take(&rest, ' '), warnings);
    if (cli_option(cli, "stream", 0))
        warn_of_stream(cli, span_of(cli_option(cli, "stream", 0)), warnings);
    return warnings;
}

static int add_user(struct cli *cli, const char *allowed, const char *streams,
                    const struct new_secret *secret)
{
    json_t *answer = NULL;
    int code =
        cli_ask(cli,
                cli_request("user.add", "name", cli->arguments[0], "hash", secret->hash, "scram",
                            secret->scram, "allowed", allowed, "tenant",
                            cli_option(cli, "tenant", 0), "stream", cli_option(cli, "stream", 0),
                            "streams", strcmp(streams, "*") == 0 ? "" : streams, NULL),
                &answer);
    if (code == CLI_OK) {
        json_t *warnings = warn_of_unknown(cli, allowed, streams);
        show_secret(cli, cli->arguments[0], secret->text, warnings);
        json_decref(warnings);
    }
    json_decref(answer);
    return code;
}

int cli_user_add(struct cli *cli)
{
    struct err err = {0};
    struct new_secret secret = {0};
    char allowed[2048];
    char streams[1024];
    if (!cli_option(cli, "domain", 0))
        return cli_usage(cli, "give at least one --domain that it may send as");
    if (!join_rules(cli, "domain", allowed, sizeof(allowed), &err) ||
        !join_streams(cli, streams, sizeof(streams), &err) || !make_secret(cli, &secret, &err))
        return cli_fail(&err);
    int code = add_user(cli, allowed, streams, &secret);
    secret_clear(&secret, sizeof(secret));
    return code;
}

int cli_user_change(struct cli *cli)
{
    struct err err = {0};
    char all[2048];
    char more[2048];
    char less[2048];
    char streams[1024];
    json_t *answer = NULL;
    if (!join_rules(cli, "domain", all, sizeof(all), &err) ||
        !join_rules(cli, "add-domain", more, sizeof(more), &err) ||
        !join_rules(cli, "remove-domain", less, sizeof(less), &err) ||
        !join_streams(cli, streams, sizeof(streams), &err))
        return cli_fail(&err);
    if (cli->option_count == 0)
        return cli_usage(cli, "say what to change");
    int code = cli_ask(cli,
                       cli_request("user.change", "name", cli->arguments[0], "allowed",
                                   *all ? all : NULL, "add", *more ? more : NULL, "remove",
                                   *less ? less : NULL, "stream", cli_option(cli, "stream", 0),
                                   "streams", *streams ? streams : NULL, NULL),
                       &answer);
    if (code == CLI_OK) {
        json_t *warnings = warn_of_unknown(cli, *all ? all : more, streams);
        json_object_set_new(answer, "warnings", warnings);
        if (cli->json)
            cli_print_json(answer);
        else
            printf("%s is changed; its sessions have ended\n", cli->arguments[0]);
    }
    json_decref(answer);
    return code;
}

int cli_user_rotate(struct cli *cli)
{
    struct err err = {0};
    struct new_secret secret = {0};
    json_t *answer = NULL;
    json_t *warnings = json_array();
    if (!make_secret(cli, &secret, &err)) {
        json_decref(warnings);
        return cli_fail(&err);
    }
    int code = cli_ask(cli,
                       cli_request("user.rotate", "name", cli->arguments[0], "hash", secret.hash,
                                   "scram", secret.scram, NULL),
                       &answer);
    if (json_row_is(answer, "disabled"))
        add_warning(cli, warnings, "the credential is still disabled: see 'user enable'");
    if (code == CLI_OK)
        show_secret(cli, cli->arguments[0], secret.text, warnings);
    secret_clear(&secret, sizeof(secret));
    json_decref(warnings);
    json_decref(answer);
    return code;
}

int cli_user_enable(struct cli *cli)
{
    return cli_do(cli, cli_request("user.enable", "name", cli->arguments[0], NULL), "is enabled");
}

int cli_user_disable(struct cli *cli)
{
    return cli_do(cli, cli_request("user.disable", "name", cli->arguments[0], NULL), "is disabled");
}

int cli_user_delete(struct cli *cli)
{
    return cli_do(cli, cli_request("user.delete", "name", cli->arguments[0], NULL), "is deleted");
}

int cli_user_list(struct cli *cli)
{
    static const struct cli_column columns[] = {
        {"NAME", "name", CLI_TEXT},           {"TENANT", "tenant", CLI_TEXT},
        {"MAY SEND AS", "allowed", CLI_TEXT}, {"STREAM", "stream", CLI_TEXT},
        {"STREAMS", "streams", CLI_TEXT},     {"DISABLED", "disabled", CLI_YES},
        {"CREATED", "created", CLI_TIME},     {"LAST LOGIN", "login", CLI_TIME},
        {"FROM", "network", CLI_TEXT},        {"FAILURES", "failures", CLI_TEXT},
        {"LOCKED S", "locked_s", CLI_TEXT}};
    return cli_list(cli, cli_request("user.list", NULL), columns, COUNT_OF(columns));
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
        json_t *row = ROW(FIELD("address", cli->arguments[0]), FIELD("canonical", buf_text(&text)));
        cli_print_json(row);
        json_decref(row);
    } else if (ok) {
        cli_print_safe(buf_text(&text));
        putchar('\n');
    }
    buf_fini(&text);
    return ok ? CLI_OK : cli_usage(cli, "that is not an address");
}
