// SPDX-License-Identifier: BSD-2-Clause
/* config.c - The config file, by libconfuse. Each setting is one row with its default; what values
 * are allowed is in config_rules.c and config_units.c.
 */
#include "config.h"

#include "address.h"
#include "config_domains.h"
#include "config_reading.h"
#include "config_routes.h"
#include "config_rules.h"
#include "config_safety.h"
#include "config_streams.h"
#include "config_tls.h"
#include "config_units.h"
#include "similar.h"
#include "suppress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* libconfuse's callbacks take no context. */
static _Thread_local struct {
    struct config_reading *r;
    size_t line; /* of the first error, 0 none */
    char name[128];
} reading;

const char *config_default_path(void)
{
    const char *path = getenv("SEALPOST_CONFIG");
    return path && *path ? path : "/etc/sealpost/sealpost.conf";
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
    else
        vsnprintf(what, sizeof(what), format, args);
    add_fault(reading.line, what);
}

static void on_text_fault(void *context, const char *file, size_t line, const char *what)
{
    char text[4200];
    struct config_reading *r = context;
    if (line > 0)
        snprintf(text, sizeof(text), "%s:%zu: %s", file, line, what);
    else
        snprintf(text, sizeof(text), "%s: %s", file, what);
    config_report_add(r->report, true, text);
}

static cfg_t *new_cfg(void)
{
    static cfg_opt_t listener[] = {CFG_STR("address", NULL, CFGF_NODEFAULT),
                                   CFG_STR("tls", "starttls", CFGF_NONE), CFG_END()};
    static cfg_opt_t delivery[] = {CONFIG_NUMBER("port", 25),
                                   CONFIG_NUMBER("connections", 20),
                                   CONFIG_SECONDS("connect_timeout", 30),
                                   CONFIG_SECONDS("next_host_after", 60),
                                   CONFIG_SECONDS("reuse", 5),
                                   CONFIG_DAYS("suppress_days", SUPPRESS_BOUNCE_DAYS),
                                   CFG_STR("ca_file", "", CFGF_NONE),
                                   CFG_STR_LIST("private_networks", NULL, CFGF_NONE),
                                   CFG_END()};
    static cfg_opt_t dns[] = {
        CFG_STR_LIST("forward", NULL, CFGF_NONE), CFG_STR("dnssec", "auto", CFGF_NONE),
        CFG_STR("trust_anchor", "/usr/share/dns/root.key", CFGF_NONE), CFG_END()};
    static cfg_opt_t http[] = {
        CFG_STR("url", "", CFGF_NONE),          CFG_STR("address", "", CFGF_NONE),
        CFG_STR("tls", "none", CFGF_NONE),      CFG_STR("sender", "", CFGF_NONE),
        CFG_STR("color", "#1a5fb4", CFGF_NONE), CFG_END()};
    static cfg_opt_t limits[] = {CONFIG_BYTES("size", 25 * 1024 * 1024),
                                 CONFIG_NUMBER("recipients", 100),
                                 CONFIG_NUMBER("connections", 1000),
                                 CONFIG_SECONDS("idle", 300),
                                 CONFIG_NUMBER("messages", 10000),
                                 CONFIG_NUMBER("per_address", 0),
                                 CONFIG_NUMBER("per_network", 0),
                                 CONFIG_BYTES("rate", 100),
                                 CONFIG_MEBIBYTES("memory", 1024),
                                 CONFIG_NUMBER("reserve", 0),
                                 CONFIG_SECONDS("login", 60),
                                 CONFIG_MEBIBYTES("storage", 0),
                                 CONFIG_MEBIBYTES("tenant_storage", 0),
                                 CFG_END()};
    cfg_opt_t all[] = {
        CFG_STR("hostname", "", CFGF_NONE),
        CFG_STR("state_dir", "/var/lib/sealpost", CFGF_NONE),
        CFG_STR_LIST("public_ip", NULL, CFGF_NONE),
        CONFIG_NUMBER("shards", 0),
        CFG_STR("log", "info", CFGF_NONE),
        CFG_STR("trace_client", "none", CFGF_NONE),
        CFG_STR("sandbox", "required", CFGF_NONE),
        CFG_SEC("listener", listener, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("tls", config_tls_options(), CFGF_NONE),
        CFG_SEC("certificate", config_certificate_options(),
                CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("delivery", delivery, CFGF_NONE),
        CFG_SEC("route", config_route_options(), CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_STR("alignment", "enforce", CFGF_NONE),
        CFG_STR("throttle", "enforce", CFGF_NONE),
        CFG_SEC("limit", config_limit_options(), CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("domain", config_domain_options(), CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("dkim", config_dkim_options(), CFGF_NONE),
        CFG_STR_LIST("operator", NULL, CFGF_NONE),
        CFG_SEC("dns", dns, CFGF_NONE),
        CFG_SEC("stream", config_stream_options(), CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("http", http, CFGF_NONE),
        CFG_SEC("limits", limits, CFGF_NONE),
        CFG_SEC("alert", config_alert_options(), CFGF_NONE),
        CFG_SEC("control", config_control_options(), CFGF_NONE),
        CFG_END()};
    cfg_t *cfg = cfg_init(all, CFGF_NONE);
    CHECK(cfg != NULL);
    cfg_set_error_function(cfg, on_error);
    config_rules_set(cfg);
    return cfg;
}

/* Read it; what is wrong is blanked, and then it is read once more. NULL when not even that helps.
 */
static cfg_t *parse(struct config_reading *r)
{
    for (;;) {
        reading.line = 0;
        reading.name[0] = '\0';
        cfg_t *cfg = new_cfg();
        int result = cfg_parse_buf(cfg, buf_text(&r->text.all));
        if (result == CFG_SUCCESS && config_rules_are_plain(cfg))
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

static void read_listeners(struct config_reading *r)
{
    struct config *c = r->config;
    c->listener_count = cfg_size(r->cfg, "listener");
    c->listeners = xcalloc(c->listener_count + 1, sizeof(*c->listeners));
    for (unsigned i = 0; i < c->listener_count; i++) {
        cfg_t *section = cfg_getnsec(r->cfg, "listener", i);
        struct config_listener *l = &c->listeners[i];
        const char *address = cfg_getstr(section, "address");
        config_take_title(r, section, l->name, sizeof(l->name));
        if (!config_says(r, section, "address"))
            config_fault(r, section, NULL, "needs address = \"address:port\"");
        if (address)
            (void)!config_rules_split(address, l->host, sizeof(l->host), &l->port);
        l->implicit_tls = strcmp(cfg_getstr(section, "tls"), "implicit") == 0;
    }
    const char *page = cfg_getstr(r->cfg, "http|address");
    struct config_listener *http = &c->listeners[c->listener_count];
    c->http_tls = strcmp(cfg_getstr(r->cfg, "http|tls"), "implicit") == 0;
    if (page[0] && config_rules_split(page, http->host, sizeof(http->host), &http->port)) {
        snprintf(http->name, sizeof(http->name), "http");
        http->implicit_tls = c->http_tls;
        http->http = true;
        c->listener_count++;
    }
}

static bool is_same_address(const struct config_listener *a, const struct config_listener *b)
{
    return a->port > 0 && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The kernel would let both listen (SO_REUSEPORT), and give each every other connection. */
static void check_addresses(struct config_reading *r)
{
    const struct config *c = r->config;
    for (size_t i = 0; i < c->listener_count; i++)
        for (size_t j = 0; j < i; j++)
            if (is_same_address(&c->listeners[j], &c->listeners[i]))
                config_fault(r,
                             c->listeners[i].http ? cfg_getsec(r->cfg, "http")
                                                  : cfg_getnsec(r->cfg, "listener", (unsigned)i),
                             "address",
                             "listeners %s and %s share %s port %u: give one another port",
                             c->listeners[j].name, c->listeners[i].name, c->listeners[i].host,
                             c->listeners[i].port);
}

/* What nobody has set is half of the disk that the queue is on: the other half is for others. */
static uint64_t half_a_disk_mb(const char *state_dir)
{
    struct statvfs disk;
    bool known = statvfs(state_dir, &disk) == 0;
    return known ? ((uint64_t)disk.f_blocks * disk.f_frsize / 2 >> 20) + 1 : 0;
}

static void fill_storage(struct config_reading *r)
{
    struct config *c = r->config;
    c->storage_mb = (uint64_t)cfg_getint(r->cfg, "limits|storage");
    c->tenant_storage_mb = (uint64_t)cfg_getint(r->cfg, "limits|tenant_storage");
    if (c->storage_mb == 0) {
        c->storage_mb = half_a_disk_mb(c->state_dir);
        if (c->storage_mb != 0 && c->storage_mb < c->tenant_storage_mb)
            c->storage_mb = c->tenant_storage_mb; /* somebody means it */
    } else if (c->storage_mb < c->tenant_storage_mb) {
        config_fault(
            r, cfg_getsec(r->cfg, "limits"), "tenant_storage",
            "tenant_storage = %lluM is more than storage = %lluM, which is for all tenants",
            (unsigned long long)c->tenant_storage_mb, (unsigned long long)c->storage_mb);
    }
}

static void fill_limits(struct config *c, cfg_t *cfg)
{
    c->size_max = (uint64_t)cfg_getint(cfg, "limits|size");
    c->recipients = (unsigned)cfg_getint(cfg, "limits|recipients");
    c->connections = (unsigned)cfg_getint(cfg, "limits|connections");
    c->idle_s = (unsigned)cfg_getint(cfg, "limits|idle");
    c->mails = (unsigned)cfg_getint(cfg, "limits|messages");
    c->per_address = (unsigned)cfg_getint(cfg, "limits|per_address");
    c->per_network = (unsigned)cfg_getint(cfg, "limits|per_network");
    c->reserve = (unsigned)cfg_getint(cfg, "limits|reserve");
    c->login_s = (unsigned)cfg_getint(cfg, "limits|login");
    c->per_address = c->per_address ? c->per_address : (c->connections + 1) / 2;
    c->per_network = c->per_network ? c->per_network : (c->connections * 3 + 3) / 4;
    c->rate = (unsigned)cfg_getint(cfg, "limits|rate");
    c->memory_mb = (unsigned)cfg_getint(cfg, "limits|memory");
}

static void fill_dns(struct config_reading *r)
{
    struct config *c = r->config;
    const char *dnssec = cfg_getstr(r->cfg, "dns|dnssec");
    c->dns_forward = config_take_list(r->cfg, "dns|forward", &c->dns_forward_count);
    config_take(r, cfg_getsec(r->cfg, "dns"), "trust_anchor", c->trust_anchor,
                sizeof(c->trust_anchor));
    /* auto: validate what we resolve from the root ourselves; a forwarder may strip what validation
     * needs */
    c->dnssec =
        strcmp(dnssec, "on") == 0 || (strcmp(dnssec, "auto") == 0 && c->dns_forward_count == 0);
}

static void fill_private_networks(struct config *c, cfg_t *cfg)
{
    unsigned count = cfg_size(cfg, "delivery|private_networks");
    c->private_networks = xcalloc(count + 1, sizeof(*c->private_networks));
    for (unsigned i = 0; i < count; i++)
        if (ip_network_parse(cfg_getnstr(cfg, "delivery|private_networks", i),
                             &c->private_networks[c->private_network_count]))
            c->private_network_count++;
}

static void fill(struct config_reading *r)
{
    struct config *c = r->config;
    cfg_t *cfg = r->cfg;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    config_take(r, cfg, "hostname", c->hostname, sizeof(c->hostname));
    config_take(r, cfg, "state_dir", c->state_dir, sizeof(c->state_dir));
    config_take(r, cfg, "log", c->log_level, sizeof(c->log_level));
    c->trace_client = strcmp(cfg_getstr(cfg, "trace_client"), "full") == 0;
    c->sandbox_required = strcmp(cfg_getstr(cfg, "sandbox"), "required") == 0;
    config_take(r, cfg_getsec(cfg, "delivery"), "ca_file", c->ca_file, sizeof(c->ca_file));
    c->public_ips = config_take_list(cfg, "public_ip", &c->public_ip_count);
    fill_dns(r);
    c->shards = (unsigned)cfg_getint(cfg, "shards");
    if (c->shards == 0)
        c->shards = cores < 1 ? 1 : cores > CONFIG_SHARDS_MAX ? CONFIG_SHARDS_MAX : (unsigned)cores;
    c->delivery_port = (unsigned)cfg_getint(cfg, "delivery|port");
    c->site_connections = (unsigned)cfg_getint(cfg, "delivery|connections");
    c->connect_timeout_s = (unsigned)cfg_getint(cfg, "delivery|connect_timeout");
    c->next_host_after_s = (unsigned)cfg_getint(cfg, "delivery|next_host_after");
    c->idle_reuse_s = (unsigned)cfg_getint(cfg, "delivery|reuse");
    c->suppress_days = (unsigned)cfg_getint(cfg, "delivery|suppress_days");
    fill_private_networks(c, cfg);
    fill_limits(c, cfg);
    fill_storage(r);
    config_take(r, cfg_getsec(cfg, "http"), "url", c->http_url, sizeof(c->http_url));
    while (c->http_url[0] && c->http_url[strlen(c->http_url) - 1] == '/')
        c->http_url[strlen(c->http_url) - 1] = '\0';
    if (!config_says(r, NULL, "hostname"))
        config_fault(r, NULL, NULL,
                     "setting \"hostname\" is missing: the name that this relay says in EHLO");
    config_tls_read(r);
    config_streams_read(r);
    config_domains_read(r);
    read_listeners(r);
    check_addresses(r);
    config_routes_read(r);
    config_safety_read(r);
}

bool config_read_all(const char *path, const struct opener *opener, struct config **config_r,
                     struct config_report *report)
{
    struct config_reading r = {.opener = opener, .report = report};
    r.config = xcalloc(1, sizeof(*r.config));
    r.config->text = xcalloc(1, sizeof(*r.config->text));
    if (!span_copy(span_of(path), r.config->path, sizeof(r.config->path)))
        config_report_add(report, true, "the config file's name is too long");
    reading.r = &r;
    if (config_text_read(&r.text, path, opener, on_text_fault, &r))
        r.cfg = parse(&r);
    if (r.cfg) {
        check_sections(&r);
        fill(&r);
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

bool config_read(const char *path, const struct opener *opener, struct config **config_r,
                 struct err *err)
{
    struct config_report report;
    config_report_init(&report);
    bool ok = config_read_all(path, opener, config_r, &report);
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

static void free_list(const char *const *list, size_t count)
{
    char **own = (char **)(uintptr_t)list;
    for (size_t i = 0; i < count; i++)
        free(own[i]);
    free(own);
}

void config_free(struct config *c)
{
    if (!c)
        return;
    config_text_free(c->text);
    free(c->text);
    free_list(c->public_ips, c->public_ip_count);
    free_list(c->operators, c->operator_count);
    free_list(c->dns_forward, c->dns_forward_count);
    free(c->private_networks);
    free(c->listeners);
    config_safety_free(c);
    free(c->certificates);
    free(c->routes);
    free(c->streams);
    free(c->throttle.streams);
    free(c->domains);
    free(c);
}

enum alignment_mode config_alignment(const struct config *c, const char *domain)
{
    for (size_t i = 0; i < c->domain_count; i++)
        if (strcmp(c->domains[i].name, domain) == 0)
            return c->domains[i].alignment;
    return c->alignment;
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
