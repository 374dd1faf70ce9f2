// SPDX-License-Identifier: BSD-2-Clause
/* config_rules.c - What each setting may be. A rule is one small function that is called while the
 * line is being read, so that a message can name it.
 */
#include "config_rules.h"

#include "address.h"
#include "alignment.h"
#include "config.h"
#include "ip.h"
#include "similar.h"
#include "stream.h"
#include "throttle.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* The words that are allowed stand between quotes in `allowed`. */
static int refuse(cfg_t *cfg, cfg_opt_t *opt, const char *value, const char *allowed)
{
    struct similar near;
    char hint[100];
    struct span rest = span_of(allowed);
    similar_init(&near, value);
    for (bool word = false; rest.len > 0; word = !word) {
        struct span part = span_take(&rest, '"');
        if (word)
            similar_try(&near, part);
    }
    similar_text(&near, hint, sizeof(hint));
    cfg_error(cfg, "setting \"%s\" is \"%s\": allowed is %s%s", cfg_opt_name(opt), value, allowed,
              hint);
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

/* As it is written in the file: an IPv6 address has no brackets. */
static int check_smart_host(cfg_t *cfg, cfg_opt_t *opt)
{
    struct ip ip;
    return address_is_host(span_of(last_text(opt))) || ip_parse(last_text(opt), &ip)
               ? 0
               : refuse(cfg, opt, last_text(opt),
                        "a host name or an address, as smtp.example, 192.0.2.25 or 2001:db8::25");
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
    static const char *const words[] = {"may", "require", "verify", "implicit", NULL};
    return check_one_of(cfg, opt, words, "\"may\", \"require\", \"verify\" or \"implicit\"");
}

static int check_trace_client(cfg_t *cfg, cfg_opt_t *opt)
{
    static const char *const words[] = {"none", "full", NULL};
    return check_one_of(cfg, opt, words, "\"none\" or \"full\"");
}

static int check_dnssec(cfg_t *cfg, cfg_opt_t *opt)
{
    static const char *const words[] = {"auto", "on", "off", NULL};
    return check_one_of(cfg, opt, words, "\"auto\", \"on\" or \"off\"");
}

static int check_alignment(cfg_t *cfg, cfg_opt_t *opt)
{
    enum alignment_mode mode;
    return alignment_mode_parse(span_of(last_text(opt)), &mode)
               ? 0
               : refuse(cfg, opt, last_text(opt), "\"off\", \"observe\" or \"enforce\"");
}

static int check_throttle(cfg_t *cfg, cfg_opt_t *opt)
{
    enum throttle_mode mode;
    return throttle_mode_parse(span_of(last_text(opt)), &mode)
               ? 0
               : refuse(cfg, opt, last_text(opt), "\"off\", \"observe\" or \"enforce\"");
}

static int check_on_limit(cfg_t *cfg, cfg_opt_t *opt)
{
    enum stream_on_limit on_limit;
    return stream_on_limit_parse(span_of(last_text(opt)), &on_limit)
               ? 0
               : refuse(cfg, opt, last_text(opt), "\"pace\", \"defer\" or \"reject\"");
}

static int check_unsubscribe(cfg_t *cfg, cfg_opt_t *opt)
{
    enum stream_unsubscribe how;
    return stream_unsubscribe_parse(span_of(last_text(opt)), &how)
               ? 0
               : refuse(cfg, opt, last_text(opt), "\"none\", \"one-click\" or \"own-url\"");
}

static int check_public_ip(cfg_t *cfg, cfg_opt_t *opt)
{
    struct ip ip;
    return cfg_opt_size(opt) <= ALIGNMENT_IPS_MAX && ip_parse(last_text(opt), &ip)
               ? 0
               : refuse(cfg, opt, last_text(opt), "an IPv4 or IPv6 address, 16 of them at most");
}

static int check_network(cfg_t *cfg, cfg_opt_t *opt)
{
    struct ip_network network;
    return ip_network_parse(last_text(opt), &network)
               ? 0
               : refuse(cfg, opt, last_text(opt),
                        "an address or a network without host bits, as 10.0.0.0/8 or fd00::/8");
}

static int check_level(cfg_t *cfg, cfg_opt_t *opt)
{
    static const char *const words[] = {"error", "warn", "info", "debug", NULL};
    return check_one_of(cfg, opt, words, "\"error\", \"warn\", \"info\" or \"debug\"");
}

static int check_sandbox(cfg_t *cfg, cfg_opt_t *opt)
{
    static const char *const words[] = {"required", "available", NULL};
    return check_one_of(cfg, opt, words, "\"required\" or \"available\"");
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

bool config_rules_split(const char *text, char *host_r, size_t size, unsigned *port_r)
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

/* A name would have to be looked up, and might be another machine's. */
static bool is_numeric(const char *host)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    bool ok = getaddrinfo(host, NULL, &hints, &found) == 0;
    if (ok)
        freeaddrinfo(found);
    return ok;
}

static int check_address(cfg_t *cfg, cfg_opt_t *opt)
{
    char host[64];
    unsigned port = 0;
    return config_rules_split(last_text(opt), host, sizeof(host), &port) && port > 0 &&
                   is_numeric(host)
               ? 0
               : refuse(cfg, opt, last_text(opt),
                        "an IP address and a port, as 0.0.0.0:587 or [::1]:587");
}

/* "ip" or "ip@port", as libunbound has it. */
static int check_forward(cfg_t *cfg, cfg_opt_t *opt)
{
    struct span rest = span_of(last_text(opt));
    char host[64];
    uint64_t port = 53;
    bool with_port = span_find(rest, '@') < rest.len;
    struct span ip = span_take(&rest, '@');
    bool ok = span_copy(ip, host, sizeof(host)) && is_numeric(host) &&
              (!with_port || (span_number(rest, &port) && port > 0 && port <= 65535));
    return ok ? 0
              : refuse(
                    cfg, opt, last_text(opt),
                    "an IP address, with @port if it is not 53, as 192.0.2.53 or 127.0.0.1@5353");
}

/* ---- web addresses ---- */

static const char *fault_of_port(struct span port)
{
    uint64_t number = 0;
    return span_number(port, &number) && number > 0 && number <= 65535
               ? NULL
               : "has a port that is no number from 1 to 65535";
}

/* host, host:port, [::1]:port (RFC 3986 section 3.2) */
static const char *fault_of_authority(struct span authority)
{
    struct span host = authority;
    struct span port = SPAN_NONE;
    size_t bracket = span_find(authority, ']');
    char text[256];
    if (span_find(authority, '@') < authority.len)
        return "holds a user name, which would be shown to everybody";
    if (authority.len > 0 && authority.ptr[0] == '[') {
        host = span_from(span_first(authority, bracket), 1);
        port = span_from(authority, bracket + 1);
        if (bracket == authority.len || (port.len > 0 && port.ptr[0] != ':'))
            return "has no valid host";
    } else {
        size_t colon = span_find(authority, ':');
        host = span_first(authority, colon);
        port = span_from(authority, colon);
    }
    if (host.len == 0)
        return "has no host";
    if (!span_copy(host, text, sizeof(text)) || !(address_is_host(host) || is_numeric(text)))
        return "has no valid host";
    return port.len > 0 ? fault_of_port(span_from(port, 1)) : NULL;
}

const char *config_rules_url(const char *text, enum config_url kind)
{
    struct span rest = span_of(text);
    bool https = span_starts_nocase(rest, SPAN("https://"));
    if (!https && !span_starts_nocase(rest, SPAN("http://")))
        return "begins neither with https:// nor with http://";
    rest = span_from(rest, https ? 8 : 7);
    size_t end = span_find(rest, '/');
    end = span_find(span_first(rest, end), '?');
    end = span_find(span_first(rest, end), '#');
    const char *why = fault_of_authority(span_first(rest, end));
    struct span path = span_from(rest, end);
    if (why || kind == CONFIG_URL_ANY)
        return why;
    if (span_find(path, '?') < path.len)
        return "has a query (?): links are made by putting a path behind it";
    if (span_find(path, '#') < path.len)
        return "has a fragment (#): links are made by putting a path behind it";
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] <= ' ' || path.ptr[i] >= 0x7f || strchr("<>\"\\^`{|}", path.ptr[i]))
            return "holds a character that must be percent-encoded";
    return NULL;
}

static int check_http_url(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *why = last_text(opt)[0] ? config_rules_url(last_text(opt), CONFIG_URL_BASE) : NULL;
    if (why)
        cfg_error(cfg, "setting \"%s\" is \"%s\": it %s", cfg_opt_name(opt), last_text(opt), why);
    return why ? -1 : 0;
}

static int check_http_address(cfg_t *cfg, cfg_opt_t *opt)
{
    return last_text(opt)[0] == '\0' ? 0 : check_address(cfg, opt);
}

static int check_http_tls(cfg_t *cfg, cfg_opt_t *opt)
{
    static const char *const words[] = {"none", "implicit", NULL};
    return check_one_of(cfg, opt, words, "\"none\" or \"implicit\"");
}

static int check_not_negative(cfg_t *cfg, cfg_opt_t *opt)
{
    char text[32];
    long value = cfg_opt_getnint(opt, 0);
    snprintf(text, sizeof(text), "%ld", value);
    return value >= 0 && value < 1000000000
               ? 0
               : refuse(cfg, opt, text, "a number from 0 to 999999999");
}

static int check_positive(cfg_t *cfg, cfg_opt_t *opt)
{
    char text[32];
    long value = cfg_opt_getnint(opt, 0);
    snprintf(text, sizeof(text), "%ld", value);
    return value > 0 && value < 1000000000 ? 0
                                           : refuse(cfg, opt, text, "a number from 1 to 999999999");
}

static int check_time(cfg_t *cfg, cfg_opt_t *opt)
{
    char text[32];
    long value = cfg_opt_getnint(opt, 0);
    snprintf(text, sizeof(text), "%ld", value);
    return value > 0 && value < 1000000000 ? 0 : refuse(cfg, opt, text, "a time from 1s on");
}

static int check_shards(cfg_t *cfg, cfg_opt_t *opt)
{
    char text[32];
    long value = cfg_opt_getnint(opt, 0);
    snprintf(text, sizeof(text), "%ld", value);
    return value >= 1 && value <= CONFIG_SHARDS_MAX
               ? 0
               : refuse(cfg, opt, text, "a number from 1 to 256, one for each core by default");
}

static int check_days(cfg_t *cfg, cfg_opt_t *opt)
{
    char text[32];
    long value = cfg_opt_getnint(opt, 0);
    snprintf(text, sizeof(text), "%ld", value);
    return value >= 1 && value <= 3650 ? 0
                                       : refuse(cfg, opt, text, "a number of days from 1 to 3650");
}

static int check_port(cfg_t *cfg, cfg_opt_t *opt)
{
    char text[32];
    long value = cfg_opt_getnint(opt, 0);
    snprintf(text, sizeof(text), "%ld", value);
    return value > 0 && value <= 65535 ? 0 : refuse(cfg, opt, text, "a port, from 1 to 65535");
}

static const struct {
    const char *setting;
    cfg_validate_callback_t check;
} rules[] = {{"hostname", check_host},
             {"listener|address", check_address},
             {"listener|tls", check_listener_tls},
             {"route|tls", check_route_tls},
             {"route|host", check_smart_host},
             {"dns|dnssec", check_dnssec},
             {"dns|forward", check_forward},
             {"http|url", check_http_url},
             {"alignment", check_alignment},
             {"throttle", check_throttle},
             {"domain|alignment", check_alignment},
             {"public_ip", check_public_ip},
             {"http|address", check_http_address},
             {"http|tls", check_http_tls},
             {"stream|class", check_class},
             {"stream|on_limit", check_on_limit},
             {"stream|unsubscribe", check_unsubscribe},
             {"log", check_level},
             {"trace_client", check_trace_client},
             {"sandbox", check_sandbox},
             {"shards", check_shards},
             {"delivery|port", check_port},
             {"delivery|connections", check_positive},
             {"delivery|connect_timeout", check_time},
             {"delivery|next_host_after", check_time},
             {"delivery|reuse", check_time},
             {"delivery|suppress_days", check_days},
             {"delivery|private_networks", check_network},
             {"route|port", check_port},
             {"limits|size", check_positive},
             {"limits|recipients", check_positive},
             {"limits|connections", check_positive},
             {"limits|idle", check_time},
             {"limits|messages", check_positive},
             {"limits|per_address", check_not_negative},
             {"limits|per_network", check_not_negative},
             {"limits|reserve", check_not_negative},
             {"limits|login", check_time},
             {"limits|rate", check_not_negative},
             {"limits|memory", check_positive},
             {"limits|storage", check_not_negative},
             {"limits|tenant_storage", check_not_negative}};

void config_rules_set(cfg_t *cfg)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        cfg_set_validate_func(cfg, rules[i].setting, rules[i].check);
}

static bool is_plain(const char *text)
{
    for (; text && *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool is_plain_setting(cfg_t *cfg, cfg_opt_t *opt)
{
    for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
        cfg_t *section = opt->type == CFGT_SEC ? cfg_opt_getnsec(opt, i) : NULL;
        const char *text = section                 ? cfg_title(section)
                           : opt->type == CFGT_STR ? cfg_opt_getnstr(opt, i)
                                                   : NULL;
        if (!is_plain(text)) {
            cfg_error(cfg, "setting \"%s\" holds a control character", cfg_opt_name(opt));
            return false;
        }
        if (section && !config_rules_are_plain(section))
            return false;
    }
    return true;
}

bool config_rules_are_plain(cfg_t *cfg)
{
    for (cfg_opt_t *opt = cfg->opts; opt->name; opt++)
        if (!is_plain_setting(cfg, opt))
            return false;
    return true;
}
