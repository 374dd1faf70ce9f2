// SPDX-License-Identifier: BSD-2-Clause
/* cli_domains.c - The commands domain and key. Private keys are generated here and never sent to
 * the control socket. */
#include "dns_check.h"

#include "address.h"
#include "clock.h"
#include "keyring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { KEYS_MAX = 64, WATCH_S = 2 };

/* ---- making keys ---- */

static size_t read_rows(json_t *rows, const char *domain, struct rotation_key *keys_r)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(rows) && count < KEYS_MAX; i++) {
        json_t *row = json_array_get(rows, i);
        struct rotation_key *k = &keys_r[count];
        count +=
            strcmp(json_row_get(row, "domain"), domain) == 0 &&
            key_state_parse(span_of(json_row_get(row, "state")), &k->state) &&
            key_algorithm_parse(span_of(json_row_get(row, "algorithm")), &k->algorithm) &&
            span_copy(span_of(json_row_get(row, "selector")), k->selector, sizeof(k->selector));
    }
    return count;
}

static bool has_row(const struct rotation_key *keys, size_t count, const char *selector)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].selector, selector) == 0)
            return true;
    return false;
}

/* A selector that is free, also of the files of a domain that was removed: what was signed with
 * them may be on its way still. Where there are but two names, such a file is set aside. */
static bool choose_selector(const struct config *config, const char *domain,
                            struct rotation_key *keys, size_t count, enum key_algorithm algorithm,
                            char *selector_r, struct err *err)
{
    bool zone = config->dkim.zone[0] != '\0';
    size_t known = count;
    for (;;) {
        if (!rotation_selector(keys, count, algorithm, zone, clock_now_ms(), selector_r))
            return err_set(
                err, ERR_USAGE,
                "%.100s: both selectors are in use: wait until one is retired, see 'key list'",
                domain);
        if (has_row(keys, known, selector_r) ||
            !keyring_has_file(config->state_dir, domain, selector_r))
            return true;
        if (zone || count == KEYS_MAX)
            return keyring_set_aside(config->state_dir, domain, selector_r, clock_now_ms(), err);
        keys[count] = (struct rotation_key){.state = KEY_RETIRED, .algorithm = algorithm};
        snprintf(keys[count++].selector, sizeof(keys[0].selector), "%s", selector_r);
    }
}

/* A key beside those in `rows`, which it is added to. */
static bool make_key(const struct config *config, const char *domain, enum key_algorithm algorithm,
                     json_t *rows, json_t *made, struct err *err)
{
    struct rotation_key keys[KEYS_MAX];
    char selector[64];
    char delegated[DNS_NAME_MAX + 1] = "";
    struct buf public_key;
    bool zone = config->dkim.zone[0] != '\0';
    size_t count = read_rows(rows, domain, keys);
    if (!choose_selector(config, domain, keys, count, algorithm, selector, err))
        return false;
    if (zone && !rotation_target(selector, domain, config->dkim.zone, delegated))
        return err_set(err, ERR_USAGE, "%.100s is too long for a name in %.100s", domain,
                       config->dkim.zone);
    buf_init(&public_key, 4096);
    bool ok = keyring_make(config->state_dir, domain, selector, algorithm, config->dkim.rsa_bits,
                           &public_key, err);
    if (ok) {
        json_t *row = ROW(FIELD("domain", domain), FIELD("selector", selector),
                          FIELD("algorithm", key_algorithm_name(algorithm)),
                          FIELD("public", buf_text(&public_key)), FIELD("delegated", delegated),
                          FIELD("state", "pending"));
        json_array_append(rows, row);
        json_array_append_new(made, row);
    }
    buf_fini(&public_key);
    return ok;
}

bool cli_make_keys(const struct config *config, const char *domain, bool ed25519, json_t **keys_r,
                   struct err *err)
{
    json_t *rows = json_array();
    *keys_r = json_array();
    bool ok = make_key(config, domain, KEY_RSA, rows, *keys_r, err) &&
              (!ed25519 || make_key(config, domain, KEY_ED25519, rows, *keys_r, err));
    for (size_t i = 0; i < json_array_size(*keys_r); i++)
        PUT(json_array_get(*keys_r, i), FIELD("state", "active"));
    json_decref(rows);
    return ok;
}

/* ---- showing records without asking DNS ---- */

json_t *cli_records(struct cli *cli, const char *domain, json_t *key_rows, struct err *err)
{
    struct dns_work *w = NULL;
    json_t *rows = NULL;
    if (dns_work_new(cli, domain, key_rows, &w, err)) {
        records_plan(&w->in, NULL, &w->plan);
        json_t *all = dns_work_json(w);
        rows = json_incref(json_object_get(all, "records"));
        json_decref(all);
        if (!cli->json)
            dns_work_print(w);
    }
    dns_work_free(w);
    return rows;
}

/* ---- domain ---- */

/* Is the domain there already? Its keys must not be overwritten. */
static int check_new_domain(struct cli *cli, const char *domain)
{
    json_t *answer = NULL;
    struct err err = {0};
    int code = cli_ask(cli, cli_request("domain.list", NULL), &answer);
    json_t *rows = json_object_get(answer, "rows");
    for (size_t i = 0; code == CLI_OK && i < json_array_size(rows); i++) {
        if (strcmp(json_row_get(json_array_get(rows, i), "name"), domain) != 0)
            continue;
        err_set(&err, ERR_STORE, "%s: the domain exists already", domain);
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
        return cli_usage(cli, "that is not a domain name");
    if (cli_config(cli, &code))
        code = check_new_domain(cli, domain);
    if (code != CLI_OK)
        return code;
    if (!cli_make_keys(cli->config, domain, cli_flag(cli, "ed25519"), &keys, &err)) {
        json_decref(keys);
        return cli_fail(&err);
    }
    json_t *request =
        cli_request("domain.add", "name", domain, "tenant", cli_option(cli, "tenant", 0),
                    "captured", cli_flag(cli, "no-capture") ? NULL : "yes", NULL);
    json_object_set(request, "keys", keys);
    code = cli_ask(cli, request, &answer);
    if (code == CLI_OK) {
        json_t *records = cli_records(cli, domain, keys, &err);
        if (cli->json)
            cli_print_json(records);
        else
            printf("\n'sealpost dns %s' looks at what is in DNS already, and merges; with --check "
                   "it says what is\nmissing.%s\n",
                   domain,
                   cli_flag(cli, "no-capture") ? ""
                                               : " Until nothing is, the domain's mail is held.");
        json_decref(records);
        cli_warn(answer);
    }
    json_decref(keys);
    json_decref(answer);
    return code;
}

int cli_domain_remove(struct cli *cli)
{
    return cli_do(cli, cli_request("domain.remove", "name", cli->arguments[0], NULL),
                  "is removed; its key files stay in the state directory");
}

int cli_domain_release(struct cli *cli)
{
    return cli_do(cli, cli_request("domain.release", "name", cli->arguments[0], NULL),
                  "sends from now on; what was held until now waits for you: 'sealpost queue list "
                  "--held'");
}

int cli_domain_capture(struct cli *cli)
{
    return cli_do(cli, cli_request("domain.capture", "name", cli->arguments[0], NULL),
                  "is held back: only the operator's own addresses get its mail");
}

/* ---- key ---- */

/* Its mail is refused until the file is there again. */
static void say_missing(const struct cli *cli, json_t *row)
{
    char path[4096];
    char text[sizeof(path) + 20];
    if (!cli->config)
        return;
    keyring_path(cli->config->state_dir, json_row_get(row, "domain"), json_row_get(row, "selector"),
                 path);
    if (access(path, F_OK) == 0 || errno != ENOENT) /* who may not look there is not told */
        return;
    snprintf(text, sizeof(text), "for its file %s", path);
    PUT(row, FIELD("waits", text));
}

/* What a pending key waits for, and how long; or one that signs, and cannot. */
static void say_wait(const struct cli *cli, json_t *row)
{
    char text[80] = "";
    int64_t seen_ms = json_row_int(row, "seen");
    int64_t left_s = seen_ms / 1000 + json_row_int(row, "wait") - clock_now_ms() / 1000;
    if (strcmp(json_row_get(row, "state"), "active") == 0)
        say_missing(cli, row);
    if (strcmp(json_row_get(row, "state"), "pending") != 0)
        return;
    if (seen_ms == 0)
        snprintf(text, sizeof(text), "for its record in DNS");
    else if (left_s <= 0)
        snprintf(text, sizeof(text), "signs at the next look");
    else if (left_s < 120)
        snprintf(text, sizeof(text), "%lld s more for caches", (long long)left_s);
    else
        snprintf(text, sizeof(text), "%lld min more for caches", (long long)((left_s + 59) / 60));
    PUT(row, FIELD("waits", text));
}

int cli_key_list(struct cli *cli)
{
    static const struct cli_column columns[] = {
        {"DOMAIN", "domain", CLI_TEXT},       {"SELECTOR", "selector", CLI_TEXT},
        {"ALGORITHM", "algorithm", CLI_TEXT}, {"STATE", "state", CLI_TEXT},
        {"SINCE", "since", CLI_TIME},         {"CREATED", "created", CLI_TIME},
        {"WAITS", "waits", CLI_TEXT}};
    json_t *answer = NULL;
    int code = cli_ask(cli, cli_request("key.list", "domain", cli_option(cli, "domain", 0), NULL),
                       &answer);
    for (size_t i = 0; i < json_array_size(json_object_get(answer, "rows")); i++)
        say_wait(cli, json_array_get(json_object_get(answer, "rows"), i));
    if (code == CLI_OK)
        cli_print_rows(cli, json_object_get(answer, "rows"), columns, COUNT_OF(columns));
    json_decref(answer);
    return code;
}

static bool has_state(json_t *rows, const char *state, const char *algorithm)
{
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (strcmp(json_row_get(json_array_get(rows, i), "state"), state) == 0 &&
            strcmp(json_row_get(json_array_get(rows, i), "algorithm"), algorithm) == 0)
            return true;
    return false;
}

/* Until the daemon signs with the new key; a line for each change. What has been printed until then
 * is what somebody waits for, at the other end of a pipe, too. */
static int watch(struct cli *cli, const char *domain, const char *selector)
{
    char before[32] = "";
    int code = CLI_OK;
    fflush(stdout);
    while (code == CLI_OK && strcmp(before, "active") != 0) {
        json_t *answer = NULL;
        code = cli_ask(cli, cli_request("key.list", "domain", domain, NULL), &answer);
        json_t *rows = json_object_get(answer, "rows");
        char now[32] = "gone";
        for (size_t i = 0; code == CLI_OK && i < json_array_size(rows); i++) {
            json_t *row = json_array_get(rows, i);
            if (strcmp(json_row_get(row, "selector"), selector) != 0)
                continue;
            bool seen = json_row_int(row, "seen") > 0;
            snprintf(now, sizeof(now), "%s",
                     strcmp(json_row_get(row, "state"), "pending") == 0 && seen
                         ? "seen"
                         : json_row_get(row, "state"));
            if (strcmp(now, before) != 0)
                fprintf(stderr,
                        strcmp(now, "seen") == 0
                            ? "%s is seen at all servers; caches may lack it for %d s more\n"
                        : strcmp(now, "active") == 0 ? "%s signs now\n"
                                                     : "%s is not seen at all servers yet\n",
                        selector, (int)json_row_int(row, "wait"));
        }
        json_decref(answer);
        if (strcmp(now, "gone") == 0)
            return CLI_NO;
        snprintf(before, sizeof(before), "%s", now);
        struct timespec wait = {WATCH_S, 0};
        if (strcmp(now, "active") != 0)
            nanosleep(&wait, NULL);
    }
    return code;
}

static int add_key(struct cli *cli, const char *domain, json_t *rows, enum key_algorithm algorithm)
{
    struct err err = {0};
    json_t *made = json_array();
    json_t *answer = NULL;
    json_t *before = json_deep_copy(rows);
    if (!make_key(cli->config, domain, algorithm, before, made, &err)) {
        json_decref(made);
        json_decref(before);
        return cli_fail(&err);
    }
    json_t *request = cli_request("key.add", "name", domain, NULL);
    json_object_set(request, "keys", made);
    int code = cli_ask(cli, request, &answer);
    json_decref(answer);
    json_t *key = json_array_get(made, 0);
    struct record record;
    const char *delegated = json_row_get(key, "delegated");
    const struct records_key k = {.selector = json_row_get(key, "selector"),
                                  .public_key = json_row_get(key, "public"),
                                  .algorithm = algorithm,
                                  .delegated = *delegated ? delegated : NULL};
    records_dkim(domain, &k, &record);
    PUT(key, FIELD("name", record.name), FIELD("type", "TXT"), FIELD("value", record.value));
    if (code == CLI_OK && cli->json)
        cli_print_json(key);
    else if (code == CLI_OK)
        printf("%s has a new key. %s\n\n  name   %s\n  type   TXT\n  value  %s\n\nThe relay signs "
               "with "
               "it when all servers of the zone have had it for as long as caches remember.\n",
               domain,
               *delegated ? "The relay publishes its record itself:" : "Publish its record:",
               record.name, record.value);
    if (code == CLI_OK && cli_flag(cli, "watch"))
        code = watch(cli, domain, k.selector);
    json_decref(made);
    json_decref(before);
    return code;
}

int cli_key_rotate(struct cli *cli)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    json_t *rows = NULL;
    enum key_algorithm algorithm = cli_flag(cli, "ed25519") ? KEY_ED25519 : KEY_RSA;
    struct err err = {0};
    if (!address_domain_ascii(span_of(cli->arguments[0]), domain))
        return cli_usage(cli, "that is not a domain name");
    int code = CLI_OK;
    if (cli_config(cli, &code))
        code = cli_dns_keys(cli, domain, &rows);
    if (code != CLI_OK)
        return code;
    if (has_state(rows, "pending", key_algorithm_name(algorithm))) {
        err_set(
            &err, ERR_LIMIT,
            "%.100s has a pending key already: publish its record ('sealpost dns %.100s'), or give "
            "it up with 'sealpost key retire DOMAIN SELECTOR'",
            domain, domain);
        code = cli_fail(&err);
    } else {
        code = add_key(cli, domain, rows, algorithm);
    }
    json_decref(rows);
    return code;
}

int cli_key_retire(struct cli *cli)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    json_t *answer = NULL;
    if (!address_domain_ascii(span_of(cli->arguments[0]), domain))
        return cli_usage(cli, "that is not a domain name");
    int code =
        cli_ask(cli, cli_request("key.retire", "name", domain, "selector", cli->arguments[1], NULL),
                &answer);
    bool forgotten = json_row_is(answer, "forgotten");
    if (code == CLI_OK && cli->json)
        cli_print_json(answer);
    else if (code == CLI_OK && forgotten)
        printf("%s is forgotten: take %s._domainkey.%s out of DNS\n", cli->arguments[1],
               cli->arguments[1], domain);
    else if (code == CLI_OK)
        printf(
            "%s is revoked: nothing is signed with it any more. So that nobody believes what was, "
            "publish\n\n  name   %s._domainkey.%s\n  type   TXT\n  value  v=DKIM1; p=\n",
            cli->arguments[1], cli->arguments[1], domain);
    json_decref(answer);
    return code;
}
