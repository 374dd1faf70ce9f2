// SPDX-License-Identifier: BSD-2-Clause
/* cli_init.c - The commands init, serve and config. */
#include "admin_texts.h"
#include "cli.h"

#include "base64.h"
#include "key.h"
#include "sandbox.h"
#include "scram.h"
#include "secret.h"
#include "server.h"
#include "store.h"
#include "template.h"
#include "trace.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct plan {
    char domain[ADDRESS_DOMAIN_MAX + 1];
    char hostname[256];
    char dir[1024], state_dir[1100], config_path[1100], certificate[1100], key[1100];
    char secret[SECRET_TEXT];
    json_t *keys;
};

/* Before anything is made: a config file with a wrong address would be refused later. */
static bool check_addresses(const struct cli *cli, struct err *err)
{
    const char *text = NULL;
    struct ip ip;
    for (size_t i = 0; (text = cli_option(cli, "public-ip", i)); i++)
        if (i == ALIGNMENT_IPS_MAX || !ip_parse(text, &ip))
            return err_set(err, ERR_USAGE,
                           "--public-ip %.60s: give IPv4 or IPv6 addresses, 16 at most", text);
    struct address address;
    for (size_t i = 0; (text = cli_option(cli, "operator", i)); i++)
        if (!address_parse(span_of(text), &address) || strpbrk(text, "\"\\"))
            return err_set(err, ERR_USAGE, "--operator %.80s is not a plain address", text);
    return true;
}

static bool make_plan(const struct cli *cli, struct plan *p, struct err *err)
{
    const char *dir = cli_option(cli, "dir", 0);
    const char *hostname = cli_option(cli, "hostname", 0);
    if (!address_domain_ascii(span_of(cli->arguments[0]), p->domain))
        return err_set(err, ERR_USAGE, "\"%.80s\" is not a domain name", cli->arguments[0]);
    if (hostname &&
        (!address_is_host(span_of(hostname)) || strlen(hostname) >= sizeof(p->hostname)))
        return err_set(err, ERR_USAGE, "--hostname %.80s is not a host name", hostname);
    if (hostname)
        snprintf(p->hostname, sizeof(p->hostname), "%s", hostname);
    else
        snprintf(p->hostname, sizeof(p->hostname), "mail.%.250s", p->domain);
    char full[PATH_MAX];
    if (dir && mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_SYSTEM, "making %s: %s", dir, strerror(errno));
    if (!dir && mkdir("/etc/sealpost", 0750) != 0 && errno != EEXIST)
        return err_set(err, ERR_SYSTEM, "making /etc/sealpost: %s", strerror(errno));
    if (!realpath(dir ? dir : "/etc/sealpost", full) || strlen(full) >= sizeof(p->dir))
        return err_set(err, ERR_SYSTEM, "%s: %s", dir ? dir : "/etc/sealpost", strerror(errno));
    snprintf(p->dir, sizeof(p->dir), "%.1000s", full);
    snprintf(p->state_dir, sizeof(p->state_dir), "%s%s", dir ? p->dir : "/var/lib/sealpost",
             dir ? "/state" : "");
    snprintf(p->config_path, sizeof(p->config_path), "%s/sealpost.conf", p->dir);
    snprintf(p->certificate, sizeof(p->certificate), "%s/cert.pem", p->dir);
    snprintf(p->key, sizeof(p->key), "%s/key.pem", p->dir);
    return access(p->config_path, F_OK) != 0 ||
           err_set(err, ERR_USAGE, "%s exists already: remove it, or choose another --dir",
                   p->config_path);
}

/* ---- texts ---- */

struct form {
    const struct cli *cli;
    const struct plan *plan;
};

static const char *find_word(const struct form *f, struct span word)
{
    const struct plan *p = f->plan;
    const struct {
        const char *name, *value;
    } words[] = {
        {"hostname", p->hostname},       {"domain", p->domain},
        {"state_dir", p->state_dir},     {"config", p->config_path},
        {"certificate", p->certificate}, {"key", p->key},
        {"secret", p->secret},           {"captured", cli_flag(f->cli, "no-capture") ? "" : "yes"}};
    size_t i = 0;
    while (i < COUNT_OF(words) && !span_equal(word, span_of(words[i].name)))
        i++;
    CHECK(i < COUNT_OF(words));
    return words[i].value;
}

static void insert(const void *view, struct span word, struct buf *out)
{
    buf_add(out, span_of(find_word(view, word)));
}

/* The value of a setting: a string, or a list of what an option was given. */
static void insert_setting(const void *view, struct span word, struct buf *out)
{
    const struct form *f = view;
    const char *option = span_equal(word, SPAN("public_ip"))  ? "public-ip"
                         : span_equal(word, SPAN("operator")) ? "operator"
                                                              : NULL;
    const char *value = option ? cli_option(f->cli, option, 0) : find_word(f, word);
    buf_add(out, option ? SPAN("{") : SPAN_NONE);
    for (size_t i = 0; value; value = option ? cli_option(f->cli, option, ++i) : NULL) {
        buf_add(out, i > 0 ? SPAN(", ") : SPAN_NONE);
        config_quote(value, out);
    }
    buf_add(out, option ? SPAN("}") : SPAN_NONE);
}

static bool write_config(const struct cli *cli, const struct plan *p, struct err *err)
{
    static const struct template t = {.open = '<', .close = '>', .insert = insert_setting};
    const struct form form = {cli, p};
    struct buf text;
    buf_init(&text, 64 * 1024);
    template_print(&t, &form, admin_texts[ADMIN_CONFIG], &text);
    bool ok = cli_write_file(p->config_path, buf_span(&text), err);
    buf_fini(&text);
    return ok;
}

static void print_text(const struct cli *cli, const struct plan *p)
{
    static const struct template t = {.open = '<', .close = '>', .insert = insert};
    const struct form form = {cli, p};
    struct buf text;
    buf_init(&text, 64 * 1024);
    template_print(&t, &form, admin_texts[ADMIN_INIT], &text);
    printf("%.*s", SPAN_ARG(buf_span(&text)));
    secret_clear(text.memory, text.size);
    buf_fini(&text);
}

/* ---- what is made ---- */

static bool write_certificate(const struct plan *p, struct err *err)
{
    struct buf certificate;
    struct buf key;
    if (access(p->certificate, F_OK) == 0 && access(p->key, F_OK) == 0)
        return true; /* given */
    buf_init(&certificate, 16 * 1024);
    buf_init(&key, 16 * 1024);
    bool ok = key_self_signed(p->hostname, &certificate, &key, err) &&
              cli_write_file(p->certificate, buf_span(&certificate), err) &&
              cli_write_file(p->key, buf_span(&key), err);
    secret_clear(key.memory, key.size);
    buf_fini(&certificate);
    buf_fini(&key);
    return ok;
}

/* The key of the unsubscribe links: 32 random bytes, as base64. */
static bool write_unsubscribe_key(const struct plan *p, struct err *err)
{
    char random[32];
    char path[1200];
    struct buf text;
    buf_init(&text, 256);
    secret_random(random, sizeof(random));
    bool ok = base64_encode((struct span){random, sizeof(random)}, &text);
    buf_add_char(&text, '\n');
    snprintf(path, sizeof(path), "%s/keys/unsubscribe.key", p->state_dir);
    ok = ok && cli_write_file(path, buf_span(&text), err);
    secret_clear(random, sizeof(random));
    buf_fini(&text);
    return ok;
}

/* As the config file that is about to be written has it: it is the last thing made, so that an init
 * that fails can be repeated. */
static bool make_keys(struct plan *p, struct err *err)
{
    struct config defaults = {.dkim.rsa_bits = 2048};
    snprintf(defaults.state_dir, sizeof(defaults.state_dir), "%.1000s", p->state_dir);
    return cli_make_keys(&defaults, p->domain, false, &p->keys, err);
}

/* The first domain and credential, in the database. */
static int fill(struct cli *cli, struct plan *p)
{
    char hash[SECRET_HASH];
    char scram[SCRAM_KEYS_TEXT];
    json_t *answer = NULL;
    json_t *request = cli_request("domain.add", "name", p->domain, "captured",
                                  cli_flag(cli, "no-capture") ? NULL : "yes", NULL);
    json_object_set(request, "keys", p->keys);
    int code = cli_ask(cli, request, &answer);
    json_decref(answer);
    if (code != CLI_OK)
        return code;
    secret_generate(p->secret);
    secret_hash_generated(span_of(p->secret), hash);
    scram_keys_make(span_of(p->secret), scram);
    code = cli_ask(cli,
                   cli_request("user.add", "name", "app", "hash", hash, "scram", scram, "allowed",
                               p->domain, NULL),
                   &answer);
    json_decref(answer);
    return code;
}

/* The relay runs as the owner of its state directory: an account given, or "sealpost" if there is
 * one and this is to be the machine's relay. */
static bool give_away(const struct cli *cli, const struct plan *p, struct err *err)
{
    const char *user = cli_option(cli, "user", 0);
    if (!user && !cli_option(cli, "dir", 0) && geteuid() == 0 && getpwnam("sealpost"))
        user = "sealpost";
    return !user || (sandbox_give(p->state_dir, user, err) && sandbox_give(p->dir, user, err));
}

static void print_json(json_t *records, const struct plan *p)
{
    json_t *all =
        ROW(FIELD("config", p->config_path), FIELD("user", "app"), FIELD("secret", p->secret));
    json_object_set(all, "records", records);
    cli_print_json(all);
    json_decref(all);
}

static int print_result(struct cli *cli, const struct plan *p)
{
    struct err err = {0};
    if (!cli->json)
        printf("Made a relay for %s in %s.\n\n", p->domain, p->dir);
    json_t *records = cli_records(cli, p->domain, p->keys, &err);
    if (!records)
        return cli_fail(&err);
    if (cli->json)
        print_json(records, p);
    else
        print_text(cli, p);
    json_decref(records);
    return CLI_OK;
}

int cli_init(struct cli *cli)
{
    struct err err = {0};
    struct plan p = {0};
    int code = CLI_OK;
    bool ok = check_addresses(cli, &err) && make_plan(cli, &p, &err) &&
              store_create(p.state_dir, &err) && write_certificate(&p, &err) &&
              write_unsubscribe_key(&p, &err) && make_keys(&p, &err) && write_config(cli, &p, &err);
    if (!ok) {
        json_decref(p.keys);
        return cli_fail(&err);
    }
    cli->config_path = p.config_path;
    if (cli_config(cli, &code))
        code = fill(cli, &p);
    if (code == CLI_OK && !give_away(cli, &p, &err))
        code = cli_fail(&err);
    if (code == CLI_OK)
        code = print_result(cli, &p);
    secret_clear(p.secret, sizeof(p.secret));
    json_decref(p.keys);
    return code;
}

int cli_serve(struct cli *cli)
{
    struct err err = {0};
    trace_choose(cli_option(cli, "trace", 0));
    if (cli_flag(cli, "core-dumps"))
        sandbox_allow_core_dumps();
    return server_run(cli->config_path, &err) ? CLI_OK : cli_fail(&err);
}

/* Each line of a text, behind the program's name. */
static void print_lines(FILE *to, const char *before, struct span lines)
{
    while (lines.len > 0) {
        struct span line = span_take(&lines, '\n');
        fprintf(to, "%s%.*s\n", before, SPAN_ARG(line));
    }
}

static json_t *json_lines(struct span lines)
{
    json_t *list = json_array();
    while (lines.len > 0) {
        struct span line = span_take(&lines, '\n');
        json_array_append_new(list, json_stringn(line.ptr, line.len));
    }
    return list;
}

static int show_report(const struct cli *cli, const struct config_report *report)
{
    if (cli->json) {
        json_t *all = ROW(FIELD("config", cli->config_path), FLAG("good", report->count == 0),
                          FIELD("errors", json_lines(buf_span(&report->faults))),
                          FIELD("notes", json_lines(buf_span(&report->notes))));
        cli_print_json(all);
        json_decref(all);
    } else {
        print_lines(stderr, "sealpost: ", buf_span(&report->faults));
        if (report->count >= CONFIG_FAULTS_MAX)
            fprintf(stderr, "sealpost: and there may be more\n");
        if (report->count == 0)
            printf("%s is good\n", cli->config_path);
        print_lines(report->count == 0 ? stdout : stderr, "note: ", buf_span(&report->notes));
    }
    return report->count == 0 ? CLI_OK : CLI_NO;
}

int cli_config_check(struct cli *cli)
{
    struct config_report report;
    config_report_init(&report);
    if (config_read_all(cli->config_path, NULL, &cli->config, &report))
        server_check(cli->config, &report);
    int code = show_report(cli, &report);
    config_report_fini(&report);
    return code;
}
