// SPDX-License-Identifier: BSD-2-Clause
/* config.c - The config file, by libconfuse. Each setting is one row with its default; each rule is
 * one small function that is called while the line is being read, so that a message can name it.
 */
#include "config.h"

#include "address.h"

#include <confuse.h>
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

static int refuse(cfg_t *cfg, cfg_opt_t *opt, const char *value, const char *allowed)
{
    cfg_error(cfg, "setting \"%s\" is \"%s\": allowed is %s", cfg_opt_name(opt), value, allowed);
    return -1;
}

static const char *last_text(cfg_opt_t *opt)
{
    return cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
}

static int check_host(cfg_t *cfg, cfg_opt_t *opt)
{
    return address_is_host(span_of(last_text(opt)))
               ? 0
               : refuse(cfg, opt, last_text(opt), "a host name or address");
}

static int check_one_of(cfg_t *cfg, cfg_opt_t *opt, const char *const *words, const char *allowed)
{
    for (; *words; words++)
        if (strcmp(*words, last_text(opt)) == 0)
            return 0;
    return refuse(cfg, opt, last_text(opt), allowed);
}

static int check_listener_tls(cfg_t *cfg, cfg_opt_t *opt)
{
    static const char *const words[] = {"starttls", "implicit", NULL};
    return check_one_of(cfg, opt, words, "\"starttls\" or \"implicit\"");
}

static int check_route_tls(cfg_t *cfg, cfg_opt_t *opt)
{
    static const char *const words[] = {"may", "require", "verify", NULL};
    return check_one_of(cfg, opt, words, "\"may\", \"require\" or \"verify\"");
}

static int check_dnssec(cfg_t *cfg, cfg_opt_t *opt)
{
    static const char *const words[] = {"auto", "on", "off", NULL};
    return check_one_of(cfg, opt, words, "\"auto\", \"on\" or \"off\"");
}

static int check_level(cfg_t *cfg, cfg_opt_t *opt)
{
    static const char *const words[] = {"error", "warn", "info", "debug", NULL};
    return check_one_of(cfg, opt, words, "\"error\", \"warn\", \"info\" or \"debug\"");
}

static int check_class(cfg_t *cfg, cfg_opt_t *opt)
{
    enum stream_class class;
    return stream_class_parse(span_of(last_text(opt)), &class)
               ? 0
               : refuse(cfg, opt, last_text(opt),
                        "\"security\", \"confirmation\", \"notification\", \"invitation\" or "
                        "\"digest\"");
}

/* "host:port", "[::1]:port". */
static bool split_address(const char *text, char *host_r, size_t size, unsigned *port_r)
{
    struct span s = span_of(text);
    uint64_t port = 0;
    const char *colon = strrchr(text, ':');
    if (!colon || !span_number(span_of(colon + 1), &port) || port > 65535)
        return false;
    struct span host = span_first(s, (size_t)(colon - text));
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = span_from(span_first(host, host.len - 1), 1);
    else if (span_find(host, ':') < host.len)
        return false;
    *port_r = (unsigned)port;
    return host.len > 0 && span_copy(host, host_r, size);
}

static int check_address(cfg_t *cfg, cfg_opt_t *opt)
{
    char host[64];
    unsigned port = 0;
    return split_address(last_text(opt), host, sizeof(host), &port)
               ? 0
               : refuse(cfg, opt, last_text(opt), "address:port, as 0.0.0.0:587 or [::1]:587");
}

static int check_positive(cfg_t *cfg, cfg_opt_t *opt)
{
    char text[32];
    long value = cfg_opt_getnint(opt, 0);
    snprintf(text, sizeof(text), "%ld", value);
    return value > 0 && value < 1000000000 ? 0
                                           : refuse(cfg, opt, text, "a number from 1 to 999999999");
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

static char *read_text(const char *path, struct err *err)
{
    struct buf text;
    char piece[4096];
    size_t got = 0;
    FILE *f = fopen(path, "re");
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

static cfg_t *parse(const char *path, struct err *err)
{
    static cfg_opt_t listener[] = {CFG_STR("address", NULL, CFGF_NODEFAULT),
                                   CFG_STR("tls", "starttls", CFGF_NONE), CFG_END()};
    static cfg_opt_t tls[] = {CFG_STR("certificate", "", CFGF_NONE), CFG_STR("key", "", CFGF_NONE),
                              CFG_END()};
    static cfg_opt_t delivery[] = {CFG_INT("port", 25, CFGF_NONE),
                                   CFG_INT("connections", 20, CFGF_NONE),
                                   CFG_INT("connect_timeout", 30, CFGF_NONE),
                                   CFG_INT("reuse", 5, CFGF_NONE),
                                   CFG_STR("ca_file", "", CFGF_NONE),
                                   CFG_END()};
    static cfg_opt_t route[] = {
        CFG_STR("host", "", CFGF_NONE),          CFG_INT("port", 0, CFGF_NONE),
        CFG_STR("tls", "may", CFGF_NONE),        CFG_STR("username", "", CFGF_NONE),
        CFG_STR("password_file", "", CFGF_NONE), CFG_END()};
    static cfg_opt_t dns[] = {CFG_STR_LIST("forward", NULL, CFGF_NONE),
                              CFG_STR("dnssec", "auto", CFGF_NONE), CFG_END()};
    static cfg_opt_t stream[] = {CFG_STR("class", "notification", CFGF_NONE), CFG_END()};
    static cfg_opt_t limits[] = {
        CFG_INT("size", 25 * 1024 * 1024, CFGF_NONE), CFG_INT("recipients", 100, CFGF_NONE),
        CFG_INT("connections", 1000, CFGF_NONE),      CFG_INT("idle", 300, CFGF_NONE),
        CFG_INT("messages", 10000, CFGF_NONE),        CFG_END()};
    static cfg_opt_t all[] = {
        CFG_STR("hostname", "", CFGF_NONE),
        CFG_STR("state_dir", "/var/lib/sealpost", CFGF_NONE),
        CFG_STR_LIST("public_ip", NULL, CFGF_NONE),
        CFG_INT("shards", 0, CFGF_NONE),
        CFG_STR("log", "info", CFGF_NONE),
        CFG_SEC("listener", listener, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("tls", tls, CFGF_NONE),
        CFG_SEC("delivery", delivery, CFGF_NONE),
        CFG_SEC("route", route, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("dns", dns, CFGF_NONE),
        CFG_SEC("stream", stream, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("limits", limits, CFGF_NONE),
        CFG_END()};
    static const struct {
        const char *setting;
        cfg_validate_callback_t check;
    } rules[] = {{"hostname", check_host},
                 {"listener|address", check_address},
                 {"listener|tls", check_listener_tls},
                 {"route|tls", check_route_tls},
                 {"route|host", check_host},
                 {"dns|dnssec", check_dnssec},
                 {"stream|class", check_class},
                 {"log", check_level},
                 {"shards", check_positive},
                 {"delivery|port", check_positive},
                 {"delivery|connections", check_positive},
                 {"delivery|connect_timeout", check_positive},
                 {"delivery|reuse", check_positive},
                 {"route|port", check_positive},
                 {"limits|size", check_positive},
                 {"limits|recipients", check_positive},
                 {"limits|connections", check_positive},
                 {"limits|idle", check_positive},
                 {"limits|messages", check_positive}};
    cfg_t *cfg = cfg_init(all, CFGF_NONE);
    CHECK(cfg != NULL);
    cfg_set_error_function(cfg, on_error);
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        cfg_set_validate_func(cfg, rules[i].setting, rules[i].check);
    char *text = read_text(path, err);
    reading.err = err;
    reading.path = path;
    int result = text ? cfg_parse_buf(cfg, text) : CFG_FILE_ERROR;
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
    c->listeners = xcalloc(c->listener_count, sizeof(*c->listeners));
    for (unsigned i = 0; i < c->listener_count; i++) {
        cfg_t *section = cfg_getnsec(cfg, "listener", i);
        struct config_listener *l = &c->listeners[i];
        const char *address = cfg_getstr(section, "address");
        copy(l->name, sizeof(l->name), cfg_title(section));
        if (!address || !split_address(address, l->host, sizeof(l->host), &l->port))
            return err_set(err, ERR_CONFIG, "%s: listener %s needs address = \"host:port\"",
                           c->path, l->name);
        l->implicit_tls = strcmp(cfg_getstr(section, "tls"), "implicit") == 0;
    }
    return true;
}

static bool read_password(struct config_route *r, const char *file, struct err *err)
{
    FILE *f = fopen(file, "re");
    bool ok = f && fgets(r->password, sizeof(r->password), f);
    if (f)
        fclose(f);
    r->password[strcspn(r->password, "\r\n")] = '\0';
    return (ok && r->password[0]) ||
           err_set(err, ERR_CONFIG, "route %s: password_file %s cannot be read or is empty",
                   r->domain, file);
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
        if (r->username[0] && !read_password(r, cfg_getstr(section, "password_file"), err))
            return false;
    }
    c->routes[c->route_count++] =
        (struct config_route){.domain = "*", .port = c->delivery_port, .tls = DELIVERY_TLS_MAY};
    return true;
}

static void read_streams(struct config *c, cfg_t *cfg)
{
    c->stream_count = cfg_size(cfg, "stream");
    c->streams = xcalloc(c->stream_count, sizeof(*c->streams));
    for (unsigned i = 0; i < c->stream_count; i++) {
        cfg_t *section = cfg_getnsec(cfg, "stream", i);
        copy(c->streams[i].name, sizeof(c->streams[i].name), cfg_title(section));
        if (!stream_class_parse(span_of(cfg_getstr(section, "class")), &c->streams[i].class))
            c->streams[i].class = STREAM_NOTIFICATION;
    }
}

static bool fill(struct config *c, cfg_t *cfg, struct err *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    copy(c->hostname, sizeof(c->hostname), cfg_getstr(cfg, "hostname"));
    copy(c->state_dir, sizeof(c->state_dir), cfg_getstr(cfg, "state_dir"));
    copy(c->log_level, sizeof(c->log_level), cfg_getstr(cfg, "log"));
    copy(c->certificate, sizeof(c->certificate), cfg_getstr(cfg, "tls|certificate"));
    copy(c->key, sizeof(c->key), cfg_getstr(cfg, "tls|key"));
    copy(c->ca_file, sizeof(c->ca_file), cfg_getstr(cfg, "delivery|ca_file"));
    c->public_ips = copy_list(cfg, "public_ip", &c->public_ip_count);
    c->dns_forward = copy_list(cfg, "dns|forward", &c->dns_forward_count);
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
    c->size_max = (uint64_t)cfg_getint(cfg, "limits|size");
    c->recipients = (unsigned)cfg_getint(cfg, "limits|recipients");
    c->connections = (unsigned)cfg_getint(cfg, "limits|connections");
    c->idle_s = (unsigned)cfg_getint(cfg, "limits|idle");
    c->mails = (unsigned)cfg_getint(cfg, "limits|messages");
    read_streams(c, cfg);
    if (!c->hostname[0])
        return err_set(err, ERR_CONFIG,
                       "%s: setting \"hostname\" is missing: the name that this relay says in EHLO",
                       c->path);
    return read_listeners(c, cfg, err) && read_routes(c, cfg, err);
}

bool config_read(const char *path, struct config **config_r, struct err *err)
{
    cfg_t *cfg = parse(path, err);
    if (!cfg)
        return false;
    struct config *c = xcalloc(1, sizeof(*c));
    copy(c->path, sizeof(c->path), path);
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
    free_list(c->dns_forward, c->dns_forward_count);
    free(c->listeners);
    free(c->routes);
    free(c->streams);
    free(c);
}

static void print_list(struct buf *out, const char *name, const char *const *list, size_t count)
{
    buf_addf(out, "%s = {", name);
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s\"%s\"", i ? ", " : "", list[i]);
    buf_add(out, SPAN("}"));
}

void config_print(const struct config *c, struct buf *out)
{
    static const char *const modes[] = {"never", "may", "require", "verify"};
    buf_addf(out, "hostname = \"%s\"\nstate_dir = \"%s\"\n", c->hostname, c->state_dir);
    print_list(out, "public_ip", c->public_ips, c->public_ip_count);
    buf_addf(out, "\nshards = %u\nlog = \"%s\"\n", c->shards, c->log_level);
    for (size_t i = 0; i < c->listener_count; i++)
        buf_addf(out, "listener %s { address = \"%s%s%s:%u\"  tls = \"%s\" }\n",
                 c->listeners[i].name, strchr(c->listeners[i].host, ':') ? "[" : "",
                 c->listeners[i].host, strchr(c->listeners[i].host, ':') ? "]" : "",
                 c->listeners[i].port, c->listeners[i].implicit_tls ? "implicit" : "starttls");
    buf_addf(out, "tls { certificate = \"%s\"  key = \"%s\" }\n", c->certificate, c->key);
    buf_addf(out,
             "delivery { port = %u  connections = %u  connect_timeout = %u  reuse = %u  ca_file = "
             "\"%s\" }\n",
             c->delivery_port, c->site_connections, c->connect_timeout_s, c->idle_reuse_s,
             c->ca_file);
    for (size_t i = 0; i + 1 < c->route_count; i++)
        buf_addf(out,
                 "route \"%s\" { host = \"%s\"  port = %u  tls = \"%s\"  username = \"%s\" }\n",
                 c->routes[i].domain, c->routes[i].host, c->routes[i].port, modes[c->routes[i].tls],
                 c->routes[i].username);
    buf_add(out, SPAN("dns { "));
    print_list(out, "forward", c->dns_forward, c->dns_forward_count);
    buf_addf(out, "  dnssec = \"%s\" }\n", c->dnssec ? "on" : "off");
    for (size_t i = 0; i < c->stream_count; i++)
        buf_addf(out, "stream \"%s\" { class = \"%s\" }\n", c->streams[i].name,
                 stream_class_name(c->streams[i].class));
    buf_addf(
        out,
        "limits { size = %llu  recipients = %u  connections = %u  idle = %u  messages = %u }\n",
        (unsigned long long)c->size_max, c->recipients, c->connections, c->idle_s, c->mails);
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
