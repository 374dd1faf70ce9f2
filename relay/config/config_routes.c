// SPDX-License-Identifier: BSD-2-Clause
/* config_routes.c - Sections `route`. A password is sent only to a server whose certificate was
 * verified, unless the file allows otherwise. */
#include "address.h"
#include "config_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    SUBMISSION_PORT = 587,
    SUBMISSIONS_PORT = 465 /* TLS from the first byte (RFC 8314 section 3.3) */
};

/* The first line. Who only looks needs none. */
static void read_password(struct config_reading *r, cfg_t *section, struct config_route *route)
{
    int fd = opener_open(r->opener, route->password_file);
    if (fd < 0 && errno == EACCES && r->looks)
        return;
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    const char *why = f ? "is empty" : opener_why(errno);
    const char *advice = f ? "" : opener_advice(errno);
    bool ok = f && fgets(route->password, sizeof(route->password), f);
    struct stat about;
    if (f && fstat(fd, &about) == 0 && (about.st_mode & S_IRWXO) != 0)
        config_note(r, section, "password_file",
                    "password_file %s is open to all users of this machine: chmod o-rwx",
                    route->password_file);
    if (f)
        fclose(f);
    if (strlen(route->password) == sizeof(route->password) - 1)
        why = "holds a password that is too long";
    else
        route->password[strcspn(route->password, "\r\n")] = '\0';
    if (!ok || !route->password[0] || strlen(route->password) == sizeof(route->password) - 1)
        config_fault(r, section, "password_file", "password_file %s: %s%s", route->password_file,
                     why, advice);
}

static void set_tls(struct config_reading *r, cfg_t *section, struct config_route *route)
{
    if (route->tls == DELIVERY_TLS_NEVER) /* which no file can say */
        route->tls = route->username[0] ? DELIVERY_TLS_VERIFY : DELIVERY_TLS_MAY;
    if (route->username[0] && route->tls < DELIVERY_TLS_VERIFY)
        config_note(r, section, "tls",
                    "with tls = \"%s\" the %s goes to whoever answers: \"verify\" checks "
                    "the server's certificate",
                    cfg_getstr(section, "tls"), route->token_command[0] ? "token" : "password");
}

static void set_port(struct config_reading *r, cfg_t *section, struct config_route *route)
{
    bool implicit = route->tls == DELIVERY_TLS_IMPLICIT;
    if (route->port == 0)
        route->port = implicit ? SUBMISSIONS_PORT : r->config->delivery_port;
    if (route->port == SUBMISSIONS_PORT && !implicit)
        config_note(r, section, "port", "port 465 expects TLS at once: set tls = \"implicit\"");
    if (route->port == SUBMISSION_PORT && implicit)
        config_note(r, section, "port",
                    "port 587 expects STARTTLS: set tls = \"verify\", or port = 465");
}

/* A route that says what TLS must be has said all. */
static void set_dane(struct config_reading *r, cfg_t *section, struct config_route *route)
{
    bool said = route->dane != DANE_MODE_UNSAID;
    bool fixed = route->tls != DELIVERY_TLS_MAY;
    if (said && fixed && section && route->dane != r->config->dane)
        config_note(r, section, "dane",
                    "dane is of no use where tls is \"require\", \"verify\" or \"implicit\"");
    if (!said)
        route->dane = r->config->dane;
    if (!fixed && route->dane != DANE_MODE_ON)
        route->trust.dane = route->dane;
}

static void set_sts(struct config_reading *r, cfg_t *section, struct config_route *route)
{
    bool said = route->mta_sts != STS_MODE_UNSAID;
    if (said && route->tls != DELIVERY_TLS_MAY && section && route->mta_sts != r->config->mta_sts)
        config_note(r, section, "mta_sts",
                    "mta_sts is of no use where tls is \"require\", \"verify\" or \"implicit\"");
    if (!said)
        route->mta_sts = r->config->mta_sts;
}

/* What it demands of a connection, once all else is read. */
static void demand(struct config_route *route)
{
    static const enum trust_level levels[] = {[DELIVERY_TLS_NEVER] = TRUST_CLEAR,
                                              [DELIVERY_TLS_MAY] = TRUST_CLEAR,
                                              [DELIVERY_TLS_REQUIRE] = TRUST_ENCRYPTED,
                                              [DELIVERY_TLS_VERIFY] = TRUST_VERIFIED,
                                              [DELIVERY_TLS_IMPLICIT] = TRUST_VERIFIED};
    static const enum tls_demand handshakes[] = {
        [TRUST_CLEAR] = TLS_ANY, [TRUST_ENCRYPTED] = TLS_STRONG, [TRUST_VERIFIED] = TLS_VERIFIED};
    route->trust.level = levels[route->tls];
    route->handshake = handshakes[route->trust.level];
    if (route->username[0] && route->handshake == TLS_ANY)
        route->handshake = TLS_STRONG; /* in clear text nothing would be said */
    route->trust.named = route->host[0] != '\0';
    trust_login(span_of(route->username),
                span_of(route->token_command[0] ? route->token_command : route->password),
                route->trust.login);
}

/* "club.example", "*.club.example" or "*", in the normal form that recipients' domains have. */
static void set_domains(struct config_reading *r, cfg_t *section, struct config_route *route)
{
    char normal[ADDRESS_DOMAIN_MAX + 1] = "";
    bool below = span_starts_nocase(span_of(route->domain), SPAN("*."));
    const char *domain = below ? route->domain + 2 : route->domain;
    if (strcmp(route->domain, "*") == 0)
        return;
    if (!address_domain_ascii(span_of(domain), normal))
        config_fault(r, section, NULL,
                     "\"%s\" is not a domain: club.example, *.club.example for all below it, or *",
                     route->domain);
    else
        snprintf(route->domain, sizeof(route->domain), "%s%.*s", below ? "*." : "",
                 ADDRESS_DOMAIN_MAX - 2, normal);
}

static void check_login(struct config_reading *r, cfg_t *section, struct config_route *route)
{
    bool token = route->token_command[0];
    if (route->password_file[0] && token)
        config_fault(r, section, "token_command",
                     "token_command stands in place of password_file: leave one of them out");
    else if (route->username[0] && !route->password_file[0] && !token)
        config_fault(r, section, "username", "username needs a password_file or a token_command");
    else if (token && !route->username[0])
        config_fault(r, section, "token_command", "token_command needs a username");
    else if (route->username[0] && !token)
        read_password(r, section, route);
    else if (route->password_file[0])
        config_fault(r, section, "password_file", "password_file needs a username");
    if (route->username[0] && !route->host[0])
        config_fault(r, section, "username",
                     "username needs a host: without one the password would go to whatever host "
                     "the MX of a recipient's domain names");
}

/* The first route that matches is taken. */
static void check_order(struct config_reading *r)
{
    const struct config *c = r->config;
    for (size_t i = 0; i < c->route_count; i++)
        for (size_t k = 0; k < i; k++) {
            const char *before = c->routes[k].domain;
            bool same = strcmp(before, c->routes[i].domain) == 0;
            if (!same && strcmp(before, "*") != 0)
                continue;
            config_note(r, cfg_getnsec(r->cfg, "route", (unsigned)i), NULL,
                        "is never used: route \"%s\" stands before it, and the first that matches "
                        "is taken",
                        before);
            break;
        }
}

/* Mail that comes back to us goes round until somebody counts its hops. */
static void check_circle(struct config_reading *r, cfg_t *section, const struct config_route *route)
{
    const struct config *c = r->config;
    struct ip ip;
    bool here = strcmp(route->host, "localhost") == 0 || strcmp(route->host, c->hostname) == 0 ||
                (ip_parse(route->host, &ip) && ip_is_loopback(&ip));
    for (size_t i = 0; i < c->public_ip_count; i++)
        here = here || strcmp(route->host, c->public_ips[i]) == 0;
    for (size_t i = 0; i < c->listener_count; i++) {
        const struct config_listener *l = &c->listeners[i];
        if (!l->http && l->port == route->port && (here || strcmp(route->host, l->host) == 0))
            config_note(r, section, "host", "host %s port %u is this relay's own listener %s",
                        route->host, route->port, l->name);
    }
}

void config_routes_finish(struct config_reading *r)
{
    struct config *c = r->config;
    for (size_t i = 0; i < c->route_count; i++) {
        cfg_t *section = cfg_getnsec(r->cfg, "route", (unsigned)i);
        set_domains(r, section, &c->routes[i]);
        config_names_check(r, section, c->routes[i].host);
        set_tls(r, section, &c->routes[i]);
        set_port(r, section, &c->routes[i]);
        check_login(r, section, &c->routes[i]);
        set_dane(r, section, &c->routes[i]);
        set_sts(r, section, &c->routes[i]);
        demand(&c->routes[i]);
        check_circle(r, section, &c->routes[i]);
    }
    check_order(r);
    c->routes[c->route_count++] = (struct config_route){
        .domain = "*", .port = c->delivery_port, .tls = DELIVERY_TLS_MAY, .fallback = true};
    set_dane(r, NULL, &c->routes[c->route_count - 1]);
    set_sts(r, NULL, &c->routes[c->route_count - 1]);
}
