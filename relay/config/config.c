// SPDX-License-Identifier: BSD-2-Clause
/* config.c - Reads the config file. libconfuse parses the syntax, the table (config_table.c)
 * defines the values, and the rules (config_rules.c) check settings that depend on each other. */
#include "config.h"

#include "config_rules.h"
#include "config_sections.h"
#include "similar.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libconfuse's callbacks take no context. */
static _Thread_local struct {
    struct config_reading *r;
    size_t line; /* of the first error, 0 none */
    char name[128];
} reading;

const char *config_default_path(void)
{
    const char *path = getenv("SEALPOST_CONFIG");
    return path && *path ? path : CONFIG_USUAL;
}

/* ---- libconfuse ---- */

static void add_fault(size_t line, const char *what)
{
    char text[2800];
    size_t number = 0;
    const char *file = config_text_place(&reading.r->text, line, &number);
    snprintf(text, sizeof(text), "%s:%zu: %s", file, number, what);
    config_report_add(reading.r->report, true, text);
}

static void say_unknown(cfg_t *cfg, const char *name, char *what_r, size_t size)
{
    struct similar near;
    char hint[100];
    similar_init(&near, name);
    for (const cfg_opt_t *opt = cfg->opts; opt->name; opt++)
        similar_try(&near, span_of(opt->name));
    similar_text(&near, hint, sizeof(hint));
    bool inner = strcmp(cfg_name(cfg), "root") != 0;
    snprintf(what_r, size, "there is no setting \"%.60s\"%s%s%s", name, inner ? " in section " : "",
             inner ? cfg_name(cfg) : "", hint);
}

/* The first one counts: the others follow from it. The name is the only argument of libconfuse's
 * own errors that have one, and the first of ours. */
__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *cfg, const char *format,
                                                           va_list args)
{
    char what[1000];
    va_list again;
    if (!reading.r || reading.line > 0)
        return;
    va_copy(again, args);
    const char *first = strchr(format, '%');
    if (first && first[1] == 's') {
        const char *name = va_arg(again, const char *);
        snprintf(reading.name, sizeof(reading.name), "%s", name ? name : "");
    }
    va_end(again);
    reading.line = cfg && cfg->line > 0 ? (size_t)cfg->line : 1;
    if (cfg && strstr(format, "no such option"))
        say_unknown(cfg, reading.name, what, sizeof(what));
    else if (strstr(format, "duplicate title"))
        snprintf(what, sizeof(what),
                 "there is a section of this kind with the title \"%.60s\" already: give one "
                 "another title, or put all of it in one place",
                 reading.name);
    else
        vsnprintf(what, sizeof(what), format, args);
    add_fault(reading.line, what);
}

static void on_text(void *context, const char *file, size_t line, const char *what, bool wrong)
{
    char text[4200];
    struct config_reading *r = context;
    if (line > 0)
        snprintf(text, sizeof(text), "%s:%zu: %s", file, line, what);
    else
        snprintf(text, sizeof(text), "%s: %s", file, what);
    config_report_add(r->report, wrong, text);
}

/* Read it; what is wrong is blanked, and then it is read once more. NULL when not even that helps.
 */
static cfg_t *parse(struct config_reading *r)
{
    for (;;) {
        reading.line = 0;
        reading.name[0] = '\0';
        cfg_t *cfg = config_sections_options();
        cfg_set_error_function(cfg, on_error);
        int result = cfg_parse_buf(cfg, buf_text(&r->text.all));
        if (result == CFG_SUCCESS)
            return cfg;
        cfg_free(cfg);
        if (reading.line == 0)
            add_fault(1, "cannot be parsed");
        if (reading.line == 0 || r->report->count >= CONFIG_FAULTS_MAX ||
            !config_text_drop(&r->text, reading.line, reading.name))
            return NULL;
    }
}

/* The second of two sections would not add to the first one, but take its place. */
static void check_sections(struct config_reading *r)
{
    for (const cfg_opt_t *opt = r->cfg->opts; opt->name; opt++) {
        size_t line = opt->type == CFGT_SEC && !(opt->flags & CFGF_MULTI)
                          ? config_text_nth(&r->text, opt->name, 2)
                          : 0;
        char what[1400];
        size_t number = 0;
        const char *file =
            config_text_place(&r->text, config_text_nth(&r->text, opt->name, 1), &number);
        snprintf(what, sizeof(what),
                 "section %s is there already, at %.1000s:%zu: put all of it in one place",
                 opt->name, file, number);
        if (line > 0)
            add_fault(line, what);
    }
}

static bool read_all(const char *path, const struct opener *opener, bool looks,
                     struct config **config_r, struct config_report *report)
{
    struct config_reading r = {.opener = opener, .looks = looks, .report = report};
    r.config = xcalloc(1, sizeof(*r.config));
    r.config->text = xcalloc(1, sizeof(*r.config->text));
    if (!span_copy(span_of(path), r.config->path, sizeof(r.config->path)))
        config_report_add(report, true, "the config file's name is too long");
    reading.r = &r;
    if (config_text_read(&r.text, path, opener, on_text, &r))
        r.cfg = parse(&r);
    if (r.cfg) {
        check_sections(&r);
        throttle_defaults(&r.config->throttle);
        config_sections_read(&r);
        config_rules_apply(&r);
        cfg_free(r.cfg);
    }
    reading.r = NULL;
    *r.config->text = r.text; /* it moves along */
    r.config->files = (const char *const *)r.text.files;
    r.config->file_count = r.text.file_count;
    r.config->patterns = (const char *const *)r.text.patterns;
    r.config->pattern_count = r.text.pattern_count;
    *config_r = r.config;
    if (report->count == 0)
        return true;
    config_free(r.config);
    *config_r = NULL;
    return false;
}

bool config_read_all(const char *path, const struct opener *opener, struct config **config_r,
                     struct config_report *report)
{
    return read_all(path, opener, false, config_r, report);
}

static bool read_for(const char *path, const struct opener *opener, bool looks,
                     struct config **config_r, struct err *err)
{
    struct config_report report;
    config_report_init(&report);
    bool ok = read_all(path, opener, looks, config_r, &report);
    if (!ok) {
        *err = report.first;
        size_t len = strlen(err->text);
        if (report.count > 1)
            snprintf(err->text + len, sizeof(err->text) - len,
                     " (and %zu more: 'sealpost config check')", report.count - 1);
    }
    config_report_fini(&report);
    return ok;
}

bool config_read(const char *path, const struct opener *opener, struct config **config_r,
                 struct err *err)
{
    return read_for(path, opener, false, config_r, err);
}

bool config_look(const char *path, struct config **config_r, struct err *err)
{
    return read_for(path, NULL, true, config_r, err);
}

void config_free(struct config *c)
{
    if (!c)
        return;
    config_text_free(c->text);
    free(c->text);
    for (size_t i = 0; i < c->domain_count; i++)
        free(c->domains[i].mta_sts_text);
    config_sections_free(c);
    free(c->private_networks);
    free(c->parties);
    free(c->throttle.streams);
    free(c);
}

const struct config_domain *config_domain(const struct config *c, const char *domain)
{
    for (size_t i = 0; i < c->domain_count; i++)
        if (strcmp(c->domains[i].name, domain) == 0)
            return &c->domains[i];
    return NULL;
}

const struct config_domain *config_policy_at(const struct config *c, const char *host)
{
    const struct span prefix = SPAN("mta-sts.");
    const struct config_domain *d =
        span_starts_nocase(span_of(host), prefix) ? config_domain(c, host + prefix.len) : NULL;
    return d && d->mta_sts_text ? d : NULL;
}

enum alignment_mode config_alignment(const struct config *c, const char *domain)
{
    const struct config_domain *d = config_domain(c, domain);
    return d ? d->alignment : c->alignment;
}

const char *config_return_domain(const struct config *c, const char *author,
                                 const char *sender_domain)
{
    const struct config_domain *d = sender_domain[0] ? config_domain(c, author) : NULL;
    return d && d->return_path[0] ? d->return_path : sender_domain;
}

static bool matches(const char *pattern, const char *domain)
{
    struct span p = span_of(pattern);
    if (span_equal(p, SPAN("*")))
        return true;
    if (span_starts_nocase(p, SPAN("*.")))
        return span_ends_nocase(span_of(domain), span_from(p, 1));
    return span_equal_nocase(p, span_of(domain));
}

const struct config_route *config_route(const struct config *c, const char *domain)
{
    size_t i = 0;
    while (i + 1 < c->route_count && !matches(c->routes[i].domain, domain))
        i++;
    return &c->routes[i];
}

enum { CACHE_MIN_MB = 2 };

uint64_t config_cache(const struct config *c)
{
    unsigned left_mb = c->memory_mb - config_fixed_mb(c);
    return (uint64_t)(left_mb / 4 > CACHE_MIN_MB ? left_mb / 4 : CACHE_MIN_MB) << 20;
}

/* Half of what is left beside the database's cache and whatever else there always is. */
static uint64_t waiting_room(uint64_t memory)
{
    const uint64_t base = UINT64_C(96) << 20;
    uint64_t half = memory > base ? (memory - base) / 2 : 0;
    return half > memory / 8 ? half : memory / 8;
}

struct database_room config_room(const struct config *c)
{
    uint64_t storage = c->storage_mb << 20;
    return (struct database_room){.all = storage,
                                  .tenant = c->tenant_storage_mb << 20,
                                  .waiting = waiting_room((uint64_t)c->memory_mb << 20),
                                  .events = storage / 2,
                                  .outbox = storage / 4};
}
