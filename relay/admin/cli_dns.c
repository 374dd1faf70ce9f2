// SPDX-License-Identifier: BSD-2-Clause
/* cli_dns.c - The command dns: a domain's records, merged with those that are published, in all
 * formats. */
#include "dns_check.h"
#include "dns_work.h"

#include "address.h"
#include "records_format.h"

#include <stdio.h>
#include <string.h>

int cli_dns_keys(struct cli *cli, const char *domain, json_t **rows_r)
{
    json_t *answer = NULL;
    struct err err = {0};
    int code = cli_ask(cli, cli_request("key.list", "domain", domain, NULL), &answer);
    if (code != CLI_OK)
        return code;
    *rows_r = json_incref(json_object_get(answer, "rows"));
    json_decref(answer);
    if (json_array_size(*rows_r) > 0)
        return CLI_OK;
    json_decref(*rows_r);
    *rows_r = NULL;
    err_set(&err, ERR_NOT_FOUND,
            "%s is not a sending domain here: 'sealpost domain add %s' adds it", domain, domain);
    return cli_fail(&err);
}

static bool step(void *context, const struct zone_probe *survey)
{
    struct dns_work *w = context;
    records_plan(&w->in, &survey->truth, &w->plan);
    return !w->plan.pending;
}

static bool probe(const struct config *config, struct dns_work *w, struct err *err)
{
    const char *names[ZONE_PROBE_NAMES_MAX];
    size_t count = dns_work_names(w, names);
    w->surveyed = true;
    return zone_probe_run(config, names, count, step, w, err);
}

static const struct records_format *find_format(const char *name)
{
    for (size_t i = 0; i < records_format_count; i++)
        if (strcmp(records_formats[i].name, name) == 0)
            return &records_formats[i];
    return NULL;
}

static void print_json(json_t *value)
{
    cli_print_json(value);
    json_decref(value);
}

static int print_plan(const struct cli *cli, const struct dns_work *w, const char *format)
{
    const struct records_format *f = format ? find_format(format) : NULL;
    struct buf text;
    struct err err = {0};
    if (f) {
        buf_init(&text, 16 * 1024 * 1024);
        records_format_print(f, &w->plan, w->ttl_s, &text);
        bool ok = !text.overflow;
        fputs(buf_text(&text), stdout);
        buf_fini(&text);
        if (!ok)
            err_set(&err, ERR_LIMIT, "the records are too long for this format");
        return ok ? CLI_OK : cli_fail(&err);
    }
    if (format && strcmp(format, "mta-sts") == 0)
        return cli_dns_policy(w);
    if (cli->json || (format && strcmp(format, "json") == 0))
        print_json(dns_work_json(w));
    else if (format && strcmp(format, "domain-connect") == 0)
        print_json(dns_work_template(w));
    else
        dns_work_print(w);
    return CLI_OK;
}

static bool is_format(const char *name)
{
    return !name || find_format(name) || strcmp(name, "table") == 0 || strcmp(name, "json") == 0 ||
           strcmp(name, "domain-connect") == 0 || strcmp(name, "mta-sts") == 0;
}

static int wrong_format(const struct cli *cli)
{
    struct buf why;
    buf_init(&why, 1000);
    buf_add(&why, SPAN("--format is table, json, domain-connect, mta-sts"));
    for (size_t i = 0; i < records_format_count; i++)
        buf_addf(&why, "%s%s", i + 1 < records_format_count ? ", " : " or ",
                 records_formats[i].name);
    int code = cli_usage(cli, buf_text(&why));
    buf_fini(&why);
    return code;
}

/* Warnings go to people, whatever the format. */
static void warn(const struct dns_work *w)
{
    for (size_t i = 0; i < w->plan.warning_count; i++)
        fprintf(stderr, "sealpost: note: %s\n", w->plan.warnings[i]);
    for (size_t i = 0; i < w->plan.count; i++) {
        const struct records_item *it = &w->plan.items[i];
        if (it->blocked)
            fprintf(stderr, "sealpost: note: %s at %s is left out: %s\n",
                    records_role_title(it->role), it->record.name, it->note);
    }
}

int cli_dns(struct cli *cli)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct err err = {0};
    json_t *keys = NULL;
    struct dns_work *w = NULL;
    const char *format = cli_option(cli, "format", 0);
    const char *resolver = cli_option(cli, "resolver", 0);
    if (!address_domain_ascii(span_of(cli->arguments[0]), domain))
        return cli_usage(cli, "that is not a domain name");
    if (!is_format(format))
        return wrong_format(cli);
    if (cli_flag(cli, "offline") && (cli_flag(cli, "check") || cli_flag(cli, "watch") || resolver))
        return cli_usage(cli, "--offline asks nobody: not with --check, --watch or --resolver");
    int code = CLI_OK;
    if (cli_config(cli, &code))
        code = cli_dns_keys(cli, domain, &keys);
    if (code != CLI_OK)
        return code;
    struct config config = *cli->config; /* with another resolver, perhaps */
    if (resolver) { /* as with "auto": a forwarder may strip what validation needs */
        config.dnssec = config.dnssec && config.dns_forward_count > 0;
        config.dns_forward = &resolver;
        config.dns_forward_count = 1;
    }
    bool ok = dns_work_new(cli, domain, keys, &w, &err);
    json_decref(keys);
    if (ok && cli_flag(cli, "offline")) {
        records_plan(&w->in, NULL, &w->plan);
        code = print_plan(cli, w, format);
        if (format && strcmp(format, "table") != 0)
            warn(w);
    } else if (ok && (cli_flag(cli, "check") || cli_flag(cli, "watch"))) {
        code = cli_dns_check(cli, &config, w);
    } else if (ok && (ok = probe(&config, w, &err))) {
        code = print_plan(cli, w, format);
        if (format && strcmp(format, "table") != 0)
            warn(w);
    }
    dns_work_free(w);
    return ok ? code : cli_fail(&err);
}
