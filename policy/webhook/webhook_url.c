// SPDX-License-Identifier: BSD-2-Clause
/* webhook_url.c - An endpoint's address is read from left to right; what libraries read in
 * different ways (numbers for addresses, user names, fragments) is refused. */
#include "webhook_url.h"

#include "ip.h"

#include <string.h>

enum { HOST_MAX = 253, LABEL_MAX = 63, PORT_MAX = 65535 };

struct url {
    struct span host, port;
    bool has_port, bracket;
};

/* Shown as far as it can be shown. */
static bool refuse(struct err *err, struct span url, const char *why)
{
    size_t shown = 0;
    while (shown < url.len && shown < 100 && url.ptr[shown] >= ' ' && url.ptr[shown] <= '~')
        shown++;
    return err_set(err, ERR_USAGE, "\"%.*s\" is not an address to post to: %s", (int)shown, url.ptr,
                   why);
}

/* What stands where; what it is, is looked at behind. */
static void cut(struct span text, struct url *u_r)
{
    struct span rest = span_from(text, span_find(text, ':') + strlen("://"));
    size_t end = 0;
    while (end < rest.len && !strchr("/?", rest.ptr[end]))
        end++;
    struct span authority = span_first(rest, end);
    *u_r = (struct url){.bracket = authority.len > 0 && authority.ptr[0] == '['};
    size_t inner = u_r->bracket ? span_find(authority, ']') + 1 : 0;
    struct span behind = span_from(authority, inner);
    size_t colon = span_find(behind, ':');
    u_r->has_port = colon < behind.len;
    u_r->port = span_from(behind, colon + 1);
    u_r->host = span_first(authority, inner + colon);
}

static bool holds_only(struct span text, struct span allowed)
{
    size_t i = 0;
    while (i < text.len && span_find(allowed, text.ptr[i]) < allowed.len)
        i++;
    return i == text.len;
}

static bool is_label(struct span label)
{
    return label.len > 0 && label.len <= LABEL_MAX && label.ptr[0] != '-' &&
           label.ptr[label.len - 1] != '-' &&
           holds_only(label, SPAN("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-_"));
}

static bool is_numeral(struct span label)
{
    return holds_only(label, SPAN("0123456789")) || span_starts_nocase(label, SPAN("0x"));
}

/* Of RFC 1123 section 2.1, with underscores; the last label of an address's forms is a number
 * (WHATWG URL, "ends in a number"). */
static const char *why_no_name(struct span host)
{
    struct span last = {0};
    if (host.len > HOST_MAX)
        return "its host is longer than 253 characters";
    for (struct span rest = host; rest.len > 0;) {
        bool more = span_find(rest, '.') < rest.len;
        last = span_take(&rest, '.');
        if (!is_label(last) || (more && rest.len == 0))
            return "its host is no name: letters, digits and hyphens, with points between";
    }
    return is_numeral(last) ? "its host is no address: that is four decimal numbers, as 192.0.2.1"
                            : NULL;
}

static bool read_ip(const struct url *u, struct ip *ip_r)
{
    char text[IP_TEXT];
    struct span host = u->host;
    if (u->bracket && (host.len < 3 || host.ptr[host.len - 1] != ']'))
        return false;
    if (u->bracket)
        host = span_first(span_from(host, 1), host.len - 2);
    return span_copy(host, text, sizeof(text)) && ip_parse(text, ip_r) &&
           (!u->bracket || strchr(text, ':'));
}

static const char *why_no_host(const struct url *u, bool private)
{
    struct ip ip;
    if (u->host.len == 0)
        return "it has no host";
    if (!read_ip(u, &ip))
        return u->bracket ? "what stands in brackets is no address of IPv6" : why_no_name(u->host);
    return !private && ip_special(&ip)
               ? "its host has no public address; such ones only with webhooks { allow_private = "
                 "on }"
               : NULL;
}

static bool is_port(struct span text)
{
    uint64_t port = 0;
    return span_number(text, &port) && port > 0 && port <= PORT_MAX;
}

static const char *why_not(struct span text, bool private)
{
    struct url u;
    bool https = span_starts_nocase(text, SPAN("https://"));
    if (text.len > WEBHOOK_URL_MAX)
        return "it is longer than 1000 bytes";
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || strchr("\"\\<>", text.ptr[i]))
            return "it holds a character that is to be written with %, as %20";
    if (!https && !span_starts_nocase(text, SPAN("http://")))
        return "it begins with neither https:// nor http://";
    if (span_find(text, '#') < text.len)
        return "it has a fragment (#), which is never sent";
    cut(text, &u);
    if (span_find(u.host, '@') < u.host.len || span_find(u.port, '@') < u.port.len)
        return "it has a user name; posts are signed instead";
    if (u.has_port && !is_port(u.port))
        return "its port is no number of 1 to 65535";
    if (!https && !private)
        return "an https address is needed, without TLS only with webhooks { allow_private = on }";
    return why_no_host(&u, private);
}

bool webhook_url_check(struct span url, bool private, struct err *err)
{
    const char *why = why_not(url, private);
    return !why || refuse(err, url, why);
}
