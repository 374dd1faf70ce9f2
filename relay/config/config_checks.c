// SPDX-License-Identifier: BSD-2-Clause
/* config_checks.c - Checks of text settings that the table cannot express by words and ranges.
 * Nothing is looked up or opened here. */
#include "config_checks.h"

#include "address.h"
#include "ip.h"
#include "mta_sts.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* ---- hosts and addresses ---- */

const char *config_host_fault(const char *text)
{
    struct ip ip;
    return address_is_host(span_of(text)) || ip_parse(text, &ip) ? NULL : "a host name or address";
}

/* As it is written in the file: an IPv6 address has no brackets. */
const char *config_smart_host_fault(const char *text)
{
    struct ip ip;
    return address_is_host(span_of(text)) || ip_parse(text, &ip)
               ? NULL
               : "a host name or an address, as smtp.example, 192.0.2.25 or 2001:db8::25";
}

/* As a policy may name it (RFC 8461 section 3.2). */
const char *config_mx_fault(const char *text)
{
    struct mta_sts_policy policy;
    mta_sts_policy_init(&policy, MTA_STS_MODE_NONE, 0);
    bool good = mta_sts_policy_add(&policy, span_of(text));
    mta_sts_policy_fini(&policy);
    return good ? NULL : "a mail server's name in ASCII, or \"*.club.example\" for those below one";
}

const char *config_public_ip_fault(const char *text)
{
    struct ip ip;
    return ip_parse(text, &ip) ? NULL : "an IPv4 or IPv6 address, 16 of them at most";
}

const char *config_network_fault(const char *text)
{
    struct ip_network network;
    return ip_network_parse(text, &network)
               ? NULL
               : "an address or a network without host bits, as 10.0.0.0/8 or fd00::/8";
}

const char *config_mailbox_fault(const char *text)
{
    struct address address;
    char form[ADDRESS_CANONICAL_MAX + 1];
    return address_parse(span_of(text), &address) && address_counted_as(text, form)
               ? NULL
               : "an email address";
}

/* It stands in header fields that are ASCII. */
const char *config_reporter_fault(const char *text)
{
    struct address address;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct span s = span_of(text);
    bool good = s.len == 0 || (span_is_ascii(s) && address_parse(s, &address) &&
                               address_domain_ascii(address.domain, domain));
    return good ? NULL : "an email address in ASCII";
}

bool config_address_split(const char *text, char *host_r, size_t size, unsigned *port_r)
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

const char *config_address_fault(const char *text)
{
    char host[64];
    unsigned port = 0;
    return config_address_split(text, host, sizeof(host), &port) && port > 0 && is_numeric(host)
               ? NULL
               : "an IP address and a port, as 0.0.0.0:587 or [::1]:587";
}

bool config_server_split(const char *text, char *host_r, size_t size, unsigned *port_r)
{
    struct span rest = span_of(text);
    uint64_t port = 53;
    bool with_port = span_find(rest, '@') < rest.len;
    bool ok = span_copy(span_take(&rest, '@'), host_r, size) &&
              (!with_port || (span_number(rest, &port) && port > 0 && port <= 65535));
    *port_r = (unsigned)port;
    return ok;
}

const char *config_forward_fault(const char *text)
{
    char host[64];
    unsigned port = 0;
    return config_server_split(text, host, sizeof(host), &port) && is_numeric(host)
               ? NULL
               : "an IP address, with @port if it is not 53, as 192.0.2.53 or 127.0.0.1@5353";
}

const char *config_primary_fault(const char *text)
{
    char host[64];
    unsigned port = 0;
    struct ip ip;
    return config_server_split(text, host, sizeof(host), &port) &&
                   (address_is_host(span_of(host)) || ip_parse(host, &ip))
               ? NULL
               : "the address of the zone's primary, with @port if it is not 53";
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
    struct ip ip;
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
    if (!span_copy(host, text, sizeof(text)) || !(address_is_host(host) || ip_parse(text, &ip)))
        return "has no valid host";
    return port.len > 0 ? fault_of_port(span_from(port, 1)) : NULL;
}

const char *config_url_fault(const char *text, enum config_url kind)
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

const char *config_link_base_fault(const char *text)
{
    static _Thread_local char allowed[200];
    const char *why = config_url_fault(text, CONFIG_URL_BASE);
    snprintf(allowed, sizeof(allowed), "a web address behind which paths can be put; this one %s",
             why ? why : "");
    return why ? allowed : NULL;
}

/* What curl's config may hold between quotes, and the host is one. */
const char *config_webhook_fault(const char *text)
{
    static _Thread_local char allowed[200];
    const char *why = config_url_fault(text, CONFIG_URL_ANY);
    for (const char *p = text; *p && !why; p++)
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
            why = "holds what no address may";
    snprintf(allowed, sizeof(allowed), "an http or https address; this one %s", why ? why : "");
    return why ? allowed : NULL;
}

/* ---- others ---- */

const char *config_program_fault(const char *text)
{
    return text[0] == '/' ? NULL : "a program's full path";
}

const char *config_name_fault(const char *text)
{
    return span_is_utf8(span_of(text)) && !strchr(text, '\n') ? NULL : "text in UTF-8";
}

const char *config_rsa_fault(const char *text)
{
    struct span bits = span_trim(span_of(text));
    return span_equal(bits, SPAN("2048")) || span_equal(bits, SPAN("3072")) ||
                   span_equal(bits, SPAN("4096"))
               ? NULL
               : "2048, 3072 or 4096";
}
