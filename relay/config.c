// SPDX-License-Identifier: BSD-2-Clause
/* config.c - The config file, by libconfuse. Each setting is one row with its default; what values
 * are allowed is in config_rules.c.
 */
#include "config.h"

#include "address.h"
#include "config_domains.h"
#include "config_rules.h"
#include "config_safety.h"
#include "config_streams.h"
#include "config_tls.h"
#include "suppress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG_MAX = 1024 * 1024 };

/* libconfuse's callbacks take no context. */
static _Thread_local struct {
    struct err *err;
    const char *path;
} reading;

const char *config_default_path(void)
{
    const char *path = getenv("SEALPOST_CONFIG");
    return path && *path ? path : "/etc/sealpost/sealpost.conf";
}

__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *cfg, const char *format,
                                                           va_list args)
{
    char text[160];
    if (!reading.err || reading.err->kind != ERR_NONE)
        return; /* the first one counts */
    vsnprintf(text, sizeof(text), format, args);
    err_set(reading.err, ERR_CONFIG, "%s:%d: %s", reading.path, cfg ? cfg->line : 0, text);
}

/* Blanks in place of comments: libconfuse counts three lines for each. */
static void blank_comments(char *text)
{
    char quote = '\0';
    for (char *p = text; *p; p++) {
        if (quote) {
            if (*p == '\\' && p[1])
                p++;
            else if (*p == quote)
                quote = '\0';
        } else if (*p == '"' || *p == '\'') {
            quote = *p;
        } else if (*p == '#' || (*p == '/' && p[1] == '/')) {
            while (*p && *p != '\n')
                *p++ = ' ';
            p--;
        }
    }
}

static char *read_text(const char *path, const struct opener *opener, struct err *err)
{
    struct buf text;
    char piece[4096];
    size_t got = 0;
    int fd = opener_open(opener, path);
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    buf_init(&text, CONFIG_MAX);
    err->kind = ERR_NONE;
    while (f && (got = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(&text, (struct span){piece, got});
    bool ok = f && !ferror(f) && !text.overflow && span_find(buf_span(&text), '\0') == text.len;
    if (!ok)
        err_set(err, ERR_CONFIG, "%s: %s", path,
                f ? "is no text file of at most 1 MB" : strerror(errno));
    if (f)
        fclose(f);
    char *copy = ok ? xstrdup(buf_text(&text)) : NULL;
    buf_fini(&text);
    if (copy)
        blank_comments(copy);
    return copy;
}

static cfg_t *parse(const char *path, const struct opener *opener, struct err *err)
{
    static cfg_opt_t listener[] = {CFG_STR("address", NULL, CFGF_NODEFAULT),
                                   CFG_STR("tls", "starttls", CFGF_NONE), CFG_END()};
    static cfg_opt_t delivery[] = {CFG_INT("port", 25, CFGF_NONE),
                                   CFG_INT("connections", 20, CFGF_NONE),
                                   CFG_INT("connect_timeout", 30, CFGF_NONE),
                                   CFG_INT("reuse", 5, CFGF_NONE),
                                   CFG_INT("suppress_days", SUPPRESS_BOUNCE_DAYS, CFGF_NONE),
                                   CFG_STR("ca_file", "", CFGF_NONE),
                                   CFG_END()};
    static cfg_opt_t route[] = {
        CFG_STR("host", "", CFGF_NONE),          CFG_INT("port", 0, CFGF_NONE),
        CFG_STR("tls", "may", CFGF_NONE),        CFG_STR("username", "", CFGF_NONE),
        CFG_STR("password_file", "", CFGF_NONE), CFG_END()};
    static cfg_opt_t dns[] = {
        CFG_STR_LIST("forward", NULL, CFGF_NONE), CFG_STR("dnssec", "auto", CFGF_NONE),
        CFG_STR("trust_anchor", "/usr/share/dns/root.key", CFGF_NONE), CFG_END()};
    static cfg_opt_t http[] = {CFG_STR("url", "", CFGF_NONE), CFG_STR("address", "", CFGF_NONE),
                               CFG_STR("tls", "none", CFGF_NONE), CFG_END()};
    static cfg_opt_t limits[] = {
        CFG_INT("size", 25 * 1024 * 1024, CFGF_NONE), CFG_INT("recipients", 100, CFGF_NONE),
        CFG_INT("connections", 1000, CFGF_NONE),      CFG_INT("idle", 300, CFGF_NONE),
        CFG_INT("messages", 10000, CFGF_NONE),        CFG_INT("per_address", 0, CFGF_NONE),
        CFG_INT("per_network", 0, CFGF_NONE),         CFG_INT("rate", 100, CFGF_NONE),
        CFG_INT("memory", 1024, CFGF_NONE),           CFG_END()};
    cfg_opt_t all[] = {
        CFG_STR("hostname", "", CFGF_NONE),
        CFG_STR("state_dir", "/var/lib/sealpost", CFGF_NONE),
        CFG_STR_LIST("public_ip", NULL, CFGF_NONE),
        CFG_INT("shards", 0, CFGF_NONE),
        CFG_STR("log", "info", CFGF_NONE),
        CFG_SEC("listener", listener, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("tls", config_tls_options(), CFGF_NONE),
        CFG_SEC("certificate", config_certificate_options(),
                CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("delivery", delivery, CFGF_NONE),
        CFG_SEC("route", route, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
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
    char *text = read_text(path, opener, err);
    reading.err = err;
    reading.path = path;
    int result = text ? cfg_parse_buf(cfg, text) : CFG_FILE_ERROR;
    if (result == CFG_SUCCESS && !config_rules_are_plain(cfg))
        result = CFG_PARSE_ERROR;
    reading.err = NULL;
    free(text);
    if (result == CFG_SUCCESS)
        return cfg;
    if (err->kind == ERR_NONE)
        err_set(err, ERR_CONFIG, "%s: cannot be parsed", path);
    cfg_free(cfg);
    return NULL;
}

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

static const char *const *copy_list(cfg_t *cfg, const char *name, size_t *count_r)
{
    unsigned count = cfg_size(cfg, name);
    char **list = xcalloc(count + 1, sizeof(*list));
    for (unsigned i = 0; i < count; i++)
        list[i] = xstrdup(cfg_getnstr(cfg, name, i));
    *count_r = count;
    return (const char *const *)list;
}

static bool read_listeners(struct config *c, cfg_t *cfg, struct err *err)
{
    c->listener_count = cfg_size(cfg, "listener");
    c->listeners = xcalloc(c->listener_count + 1, sizeof(*c->listeners));
    for (unsigned i = 0; i < c->listener_count; i++) {
        cfg_t *section = cfg_getnsec(cfg, "listener", i);
        struct config_listener *l = &c->listeners[i];
        const char *address = cfg_getstr(section, "address");
        copy(l->name, sizeof(l->name), cfg_title(section));
        if (!address || !config_rules_split(address, l->host, sizeof(l->host), &l->port))
            return err_set(err, ERR_CONFIG, "%s: listener %s needs address = \"host:port\"",
                           c->path, l->name);
        l->implicit_tls = strcmp(cfg_getstr(section, "tls"), "implicit") == 0;
    }
    const char *page = cfg_getstr(cfg, "http|address");
    struct config_listener *http = &c->listeners[c->listener_count];
    c->http_tls = strcmp(cfg_getstr(cfg, "http|tls"), "implicit") == 0;
    if (page[0] && config_rules_split(page, http->host, sizeof(http->host), &http->port)) {
        copy(http->name, sizeof(http->name), "http");
        http->implicit_tls = c->http_tls;
        http->http = true;
        c->listener_count++;
    }
    return true;
}

static bool is_same_address(const struct config_listener *a, const struct config_listener *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The kernel would let both listen (SO_REUSEPORT), and give each every other connection. */
static bool check_addresses(const struct config *c, struct err *err)
{
    for (size_t i = 0; i < c->listener_count; i++)
        for (size_t j = 0; j < i; j++)
            if (is_same_address(&c->listeners[j], &c->listeners[i]))
                return err_set(err, ERR_CONFIG,
                               "%s: listeners %s and %s share %s port %u: give one another port",
                               c->path, c->listeners[j].name, c->listeners[i].name,
                               c->listeners[i].host, c->listeners[i].port);
    return true;
}

/* The first line. */
static bool read_password(struct config_route *r, const struct opener *opener, struct err *err)
{
    int fd = opener_open(opener, r->password_file);
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    bool ok = f && fgets(r->password, sizeof(r->password), f);
    const char *why = f ? "is empty" : strerror(errno);
    if (f)
        fclose(f);
    r->password[strcspn(r->password, "\r\n")] = '\0';
    return (ok && r->password[0]) || err_set(err, ERR_CONFIG, "route %s: password_file %s: %s",
                                             r->domain, r->password_file, why);
}

static bool read_routes(struct config *c, cfg_t *cfg, struct err *err)
{
    static const char *const modes[] = {[DELIVERY_TLS_NEVER] = "",
                                        [DELIVERY_TLS_MAY] = "may",
                                        [DELIVERY_TLS_REQUIRE] = "require",
                                        [DELIVERY_TLS_VERIFY] = "verify"};
    unsigned count = cfg_size(cfg, "route");
    c->routes = xcalloc(count + 1, sizeof(*c->routes));
    for (unsigned i = 0; i < count; i++) {
        cfg_t *section = cfg_getnsec(cfg, "route", i);
        struct config_route *r = &c->routes[c->route_count++];
        copy(r->domain, sizeof(r->domain), cfg_title(section));
        copy(r->host, sizeof(r->host), cfg_getstr(section, "host"));
        copy(r->username, sizeof(r->username), cfg_getstr(section, "username"));
        r->port = (unsigned)cfg_getint(section, "port");
        if (r->port == 0)
            r->port = c->delivery_port;
        for (size_t k = 0; k < COUNT_OF(modes); k++)
            if (strcmp(modes[k], cfg_getstr(section, "tls")) == 0)
                r->tls = (enum delivery_tls)k;
        copy(r->password_file, sizeof(r->password_file), cfg_getstr(section, "password_file"));
        if (r->username[0] && !read_password(r, c->opener, err))
            return false;
    }
    c->routes[c->route_count++] =
        (struct config_route){.domain = "*", .port = c->delivery_port, .tls = DELIVERY_TLS_MAY};
    return true;
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
    c->per_address = c->per_address ? c->per_address : (c->connections + 1) / 2;
    c->per_network = c->per_network ? c->per_network : (c->connections * 3 + 3) / 4;
    c->rate = (unsigned)cfg_getint(cfg, "limits|rate");
    c->memory_mb = (unsigned)cfg_getint(cfg, "limits|memory");
}

static bool fill(struct config *c, cfg_t *cfg, struct err *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    copy(c->hostname, sizeof(c->hostname), cfg_getstr(cfg, "hostname"));
    copy(c->state_dir, sizeof(c->state_dir), cfg_getstr(cfg, "state_dir"));
    copy(c->log_level, sizeof(c->log_level), cfg_getstr(cfg, "log"));
    copy(c->ca_file, sizeof(c->ca_file), cfg_getstr(cfg, "delivery|ca_file"));
    c->public_ips = copy_list(cfg, "public_ip", &c->public_ip_count);
    c->dns_forward = copy_list(cfg, "dns|forward", &c->dns_forward_count);
    copy(c->trust_anchor, sizeof(c->trust_anchor), cfg_getstr(cfg, "dns|trust_anchor"));
    const char *dnssec = cfg_getstr(cfg, "dns|dnssec");
    /* auto: validate what we resolve from the root ourselves; a forwarder may strip what validation
     * needs */
    c->dnssec =
        strcmp(dnssec, "on") == 0 || (strcmp(dnssec, "auto") == 0 && c->dns_forward_count == 0);
    c->shards = (unsigned)cfg_getint(cfg, "shards");
    if (c->shards == 0)
        c->shards = cores > 0 && cores < 256 ? (unsigned)cores : 1;
    c->delivery_port = (unsigned)cfg_getint(cfg, "delivery|port");
    c->site_connections = (unsigned)cfg_getint(cfg, "delivery|connections");
    c->connect_timeout_s = (unsigned)cfg_getint(cfg, "delivery|connect_timeout");
    c->idle_reuse_s = (unsigned)cfg_getint(cfg, "delivery|reuse");
    c->suppress_days = (unsigned)cfg_getint(cfg, "delivery|suppress_days");
    fill_limits(c, cfg);
    copy(c->http_url, sizeof(c->http_url), cfg_getstr(cfg, "http|url"));
    while (c->http_url[0] && c->http_url[strlen(c->http_url) - 1] == '/')
        c->http_url[strlen(c->http_url) - 1] = '\0';
    if (!c->hostname[0])
        return err_set(err, ERR_CONFIG,
                       "%s: setting \"hostname\" is missing: the name that this relay says in EHLO",
                       c->path);
    return config_tls_read(c, cfg, err) && config_streams_read(c, cfg, err) &&
           config_domains_read(c, cfg, err) && read_listeners(c, cfg, err) &&
           check_addresses(c, err) && read_routes(c, cfg, err) && config_safety_read(c, cfg, err);
}

bool config_read(const char *path, const struct opener *opener, struct config **config_r,
                 struct err *err)
{
    cfg_t *cfg = parse(path, opener, err);
    if (!cfg)
        return false;
    struct config *c = xcalloc(1, sizeof(*c));
    copy(c->path, sizeof(c->path), path);
    c->opener = opener;
    bool ok = fill(c, cfg, err);
    cfg_free(cfg);
    if (!ok) {
        config_free(c);
        return false;
    }
    *config_r = c;
    return true;
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
    free_list(c->public_ips, c->public_ip_count);
    free_list(c->operators, c->operator_count);
    free_list(c->dns_forward, c->dns_forward_count);
    free(c->listeners);
    config_safety_free(c);
    free(c->certificates);
    free(c->routes);
    free(c->streams);
    free(c->throttle.streams);
    free(c->domains);
    free(c);
}

static void print_list(struct buf *out, const char *name, const char *const *list, size_t count)
{
    buf_addf(out, "%s = {", name);
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s\"%s\"", i ? ", " : "", list[i]);
    buf_add(out, SPAN("}"));
}

static void print_address(const struct config_listener *l, struct buf *out)
{
    bool six = strchr(l->host, ':');
    buf_addf(out, "address = \"%s%s%s:%u\"", six ? "[" : "", l->host, six ? "]" : "", l->port);
}

static void print_listener(const struct config_listener *l, struct buf *out)
{
    buf_addf(out, "listener %s { ", l->name);
    print_address(l, out);
    buf_addf(out, "  tls = \"%s\" }\n", l->implicit_tls ? "implicit" : "starttls");
}

static void print_http(const struct config *c, struct buf *out)
{
    buf_addf(out, "http { url = \"%s\"", c->http_url);
    for (size_t i = 0; i < c->listener_count; i++) {
        if (!c->listeners[i].http)
            continue;
        buf_add(out, SPAN("  "));
        print_address(&c->listeners[i], out);
    }
    buf_addf(out, "  tls = \"%s\" }\n", c->http_tls ? "implicit" : "none");
}

void config_print(const struct config *c, struct buf *out)
{
    static const char *const modes[] = {"never", "may", "require", "verify"};
    buf_addf(out, "hostname = \"%s\"\nstate_dir = \"%s\"\n", c->hostname, c->state_dir);
    print_list(out, "public_ip", c->public_ips, c->public_ip_count);
    buf_addf(out, "\nshards = %u\nlog = \"%s\"\n", c->shards, c->log_level);
    for (size_t i = 0; i < c->listener_count; i++)
        if (!c->listeners[i].http)
            print_listener(&c->listeners[i], out);
    config_tls_print(c, out);
    buf_addf(out,
             "delivery { port = %u  connections = %u  connect_timeout = %u  reuse = %u  "
             "suppress_days = %u  ca_file = \"%s\" }\n",
             c->delivery_port, c->site_connections, c->connect_timeout_s, c->idle_reuse_s,
             c->suppress_days, c->ca_file);
    for (size_t i = 0; i + 1 < c->route_count; i++)
        buf_addf(out,
                 "route \"%s\" { host = \"%s\"  port = %u  tls = \"%s\"  username = \"%s\" }\n",
                 c->routes[i].domain, c->routes[i].host, c->routes[i].port, modes[c->routes[i].tls],
                 c->routes[i].username);
    buf_add(out, SPAN("dns { "));
    print_list(out, "forward", c->dns_forward, c->dns_forward_count);
    buf_addf(out, "  dnssec = \"%s\"  trust_anchor = \"%s\" }\n", c->dnssec ? "on" : "off",
             c->trust_anchor);
    config_domains_print(c, out);
    print_http(c, out);
    config_streams_print(c, out);
    buf_addf(out,
             "limits { size = %llu  recipients = %u  connections = %u  idle = %u  messages = %u  "
             "per_address = %u  per_network = %u  rate = %u  memory = %u }\n",
             (unsigned long long)c->size_max, c->recipients, c->connections, c->idle_s, c->mails,
             c->per_address, c->per_network, c->rate, c->memory_mb);
    config_safety_print(c, out);
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
