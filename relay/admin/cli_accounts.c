// SPDX-License-Identifier: BSD-2-Clause
/* cli_accounts.c - user, domain, key, dns. Secrets and private keys are made here and never cross
 * the control socket.
 */
#include "cli.h"

#include "identity.h"
#include "key.h"
#include "keyring.h"
#include "records.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- user ---- */

/* A new secret: generated and to be shown, or the first line of stdin. */
static bool make_secret(const struct cli *cli, char *secret_r, size_t size, char *hash_r,
                        struct err *err)
{
    if (!cli_flag(cli, "password-stdin")) {
        secret_generate(secret_r);
        secret_hash_generated(span_of(secret_r), hash_r);
        return true;
    }
    if (!fgets(secret_r, (int)size, stdin))
        return err_set(err, ERR_USAGE, "no password on standard input");
    secret_r[strcspn(secret_r, "\r\n")] = '\0';
    return secret_hash_chosen(span_of(secret_r), hash_r, err);
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
    char secret[512] = "";
    char hash[SECRET_HASH];
    char allowed[2048];
    json_t *answer = NULL;
    if (!join_domains(cli, allowed, sizeof(allowed), &err) ||
        !make_secret(cli, secret, sizeof(secret), hash, &err))
        return cli_fail(&err);
    int code = cli_ask(cli,
                       cli_request("user.add", "name", cli->arguments[0], "hash", hash, "allowed",
                                   allowed, "tenant", cli_option(cli, "tenant", 0), "stream",
                                   cli_option(cli, "stream", 0), NULL),
                       &answer);
    if (code == CLI_OK)
        show_secret(cli, cli->arguments[0], secret);
    secret_clear(secret, sizeof(secret));
    json_decref(answer);
    return code;
}

int cli_user_rotate(struct cli *cli)
{
    struct err err = {0};
    char secret[512] = "";
    char hash[SECRET_HASH];
    json_t *answer = NULL;
    if (!make_secret(cli, secret, sizeof(secret), hash, &err))
        return cli_fail(&err);
    int code = cli_ask(
        cli, cli_request("user.rotate", "name", cli->arguments[0], "hash", hash, NULL), &answer);
    if (code == CLI_OK)
        show_secret(cli, cli->arguments[0], secret);
    secret_clear(secret, sizeof(secret));
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
        {"DISABLED", "disabled", CLI_YES},    {"CREATED", "created", CLI_TIME}};
    return list(cli, cli_request("user.list", NULL), columns, COUNT_OF(columns));
}

/* ---- domains and keys ---- */

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

static bool make_key(const char *state_dir, const char *domain, enum key_algorithm algorithm,
                     json_t *keys, struct err *err)
{
    char selector[64];
    char path[4096];
    struct buf pem;
    struct buf public_key;
    struct key *key = NULL;
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    size_t used = strftime(selector, sizeof(selector), "sp%Y%m%d", &tm);
    snprintf(selector + used, sizeof(selector) - used, "%s", algorithm == KEY_ED25519 ? "e" : "");
    keyring_path(state_dir, domain, selector, path);
    unlink(path); /* left by a domain that was removed: its key was published no longer */
    buf_init(&pem, 16 * 1024);
    buf_init(&public_key, 4096);
    bool ok = key_generate(algorithm, &pem, err) && key_read(buf_span(&pem), &key, err) &&
              key_public(key, &public_key, err) && cli_write_file(path, buf_span(&pem), err);
    if (ok) {
        json_t *row = json_object();
        json_object_set_new(row, "domain", json_string(domain));
        json_object_set_new(row, "selector", json_string(selector));
        json_object_set_new(row, "algorithm", json_string(key_algorithm_name(algorithm)));
        json_object_set_new(row, "public", json_string(buf_text(&public_key)));
        json_array_append_new(keys, row);
    }
    key_free(key);
    if (pem.memory)
        secret_clear(pem.memory, pem.size);
    buf_fini(&pem);
    buf_fini(&public_key);
    return ok;
}

bool cli_make_keys(const char *state_dir, const char *domain, bool ed25519, json_t **keys_r,
                   struct err *err)
{
    *keys_r = json_array();
    return make_key(state_dir, domain, KEY_RSA, *keys_r, err) &&
           (!ed25519 || make_key(state_dir, domain, KEY_ED25519, *keys_r, err));
}

/* Is the domain there already? Its keys must not be overwritten. */
static int check_new_domain(struct cli *cli, const char *domain)
{
    json_t *answer = NULL;
    struct err err = {0};
    int code = cli_ask(cli, cli_request("domain.list", NULL), &answer);
    json_t *rows = json_object_get(answer, "rows");
    for (size_t i = 0; code == CLI_OK && i < json_array_size(rows); i++) {
        if (strcmp(json_string_value(json_object_get(json_array_get(rows, i), "name")), domain) !=
            0)
            continue;
        err_set(&err, ERR_STORE, "%s: the domain is there already", domain);
        code = cli_fail(&err);
    }
    json_decref(answer);
    return code;
}

int cli_domain_add(struct cli *cli)
{
    struct err err = {0};
    char domain[ADDRESS_DOMAIN_MAX + 1];
    json_t *keys = NULL;
    json_t *answer = NULL;
    int code = CLI_OK;
    if (!address_domain_ascii(span_of(cli->arguments[0]), domain))
        return cli_usage(cli, "that is no domain name");
    code = check_new_domain(cli, domain);
    if (code != CLI_OK)
        return code;
    if (!cli_make_keys(cli->config->state_dir, domain, cli_flag(cli, "ed25519"), &keys, &err)) {
        json_decref(keys);
        return cli_fail(&err);
    }
    json_t *request =
        cli_request("domain.add", "name", domain, "tenant", cli_option(cli, "tenant", 0), NULL);
    json_object_set(request, "keys", keys);
    code = cli_ask(cli, request, &answer);
    if (code == CLI_OK) {
        json_t *records = cli_records(cli->config, domain, keys);
        cli_print_records(cli, records);
        json_decref(records);
    }
    json_decref(keys);
    json_decref(answer);
    return code;
}

int cli_domain_remove(struct cli *cli)
{
    return change(cli, "domain.remove", "is removed; its key files stay in the state directory");
}

int cli_key_list(struct cli *cli)
{
    static const struct cli_column columns[] = {{"DOMAIN", "domain", CLI_TEXT},
                                                {"SELECTOR", "selector", CLI_TEXT},
                                                {"ALGORITHM", "algorithm", CLI_TEXT},
                                                {"STATE", "state", CLI_TEXT},
                                                {"CREATED", "created", CLI_TIME}};
    return list(cli, cli_request("key.list", "domain", cli_option(cli, "domain", 0), NULL), columns,
                COUNT_OF(columns));
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

/* ---- dns ---- */

static const char *member(json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

json_t *cli_records(const struct config *config, const char *domain, json_t *key_rows)
{
    struct records_key keys[RECORDS_MAX];
    struct record records[RECORDS_MAX];
    struct records_input in = {.domain = domain,
                               .public_ips = config->public_ips,
                               .ip_count = config->public_ip_count,
                               .keys = keys};
    for (size_t i = 0; i < json_array_size(key_rows) && in.key_count < COUNT_OF(keys); i++) {
        json_t *row = json_array_get(key_rows, i);
        keys[in.key_count++] = (struct records_key){
            member(row, "selector"), member(row, "algorithm"), member(row, "public")};
    }
    size_t count = records_make(&in, records);
    json_t *made = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *row = json_object();
        json_object_set_new(row, "name", json_string(records[i].name));
        json_object_set_new(row, "type", json_string(records[i].type));
        json_object_set_new(row, "value", json_string(records[i].value));
        json_object_set_new(row, "why", json_string(records[i].why));
        json_array_append_new(made, row);
    }
    return made;
}

void cli_print_records(const struct cli *cli, json_t *records)
{
    if (cli->json) {
        cli_print_json(records);
        return;
    }
    printf("Publish these records in DNS:\n");
    for (size_t i = 0; i < json_array_size(records); i++) {
        json_t *row = json_array_get(records, i);
        printf("\n  name   %s\n  type   %s\n  value  %s\n         (%s)\n", member(row, "name"),
               member(row, "type"), member(row, "value"), member(row, "why"));
    }
}

int cli_dns(struct cli *cli)
{
    json_t *answer = NULL;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct err err = {0};
    if (!address_domain_ascii(span_of(cli->arguments[0]), domain))
        return cli_usage(cli, "that is no domain name");
    int code = cli_ask(cli, cli_request("key.list", "domain", domain, NULL), &answer);
    json_t *keys = json_object_get(answer, "rows");
    if (code == CLI_OK && json_array_size(keys) == 0) {
        err_set(&err, ERR_NOT_FOUND, "%s is no sending domain here: sealpost domain add %s", domain,
                domain);
        code = cli_fail(&err);
    } else if (code == CLI_OK) {
        json_t *records = cli_records(cli->config, domain, keys);
        cli_print_records(cli, records);
        json_decref(records);
    }
    json_decref(answer);
    return code;
}
