// SPDX-License-Identifier: BSD-2-Clause
/* config_domains.c - What holds for single sending domains, for their keys, and who runs the
 * relay. */
#include "config_domains.h"

#include "address.h"
#include "config_units.h"
#include "signing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cfg_opt_t *config_domain_options(void)
{
    static cfg_opt_t options[] = {CFG_STR("alignment", "enforce", CFGF_NONE), CFG_END()};
    return options;
}

cfg_opt_t *config_dkim_options(void)
{
    static cfg_opt_t options[] = {
        CONFIG_DAYS("rotate", 0),         CONFIG_SECONDS("lifetime", SIGNING_LIFETIME_S),
        CONFIG_NUMBER("rsa_bits", 2048),  CFG_STR("zone", "", CFGF_NONE),
        CFG_STR("server", "", CFGF_NONE), CFG_STR("tsig_key", "", CFGF_NONE),
        CONFIG_SECONDS("ttl", 3600),      CFG_END()};
    return options;
}

static void read_list(struct config_reading *r)
{
    struct config *c = r->config;
    unsigned count = cfg_size(r->cfg, "domain");
    c->domains = xcalloc(count, sizeof(*c->domains));
    if (!alignment_mode_parse(span_of(cfg_getstr(r->cfg, "alignment")), &c->alignment))
        c->alignment = ALIGNMENT_ENFORCE;
    for (unsigned i = 0; i < count; i++) {
        cfg_t *section = cfg_getnsec(r->cfg, "domain", i);
        struct config_domain *d = &c->domains[c->domain_count++];
        if (!address_domain_ascii(span_of(cfg_title(section)), d->name))
            config_fault(r, section, NULL, "\"%.80s\" is no domain name", cfg_title(section));
        if (!alignment_mode_parse(span_of(cfg_getstr(section, "alignment")), &d->alignment))
            d->alignment = ALIGNMENT_ENFORCE;
    }
}

/* The zone's name in lower case; the server as "address" or "address@port". */
static bool read_zone(struct config_dkim *d, cfg_t *cfg)
{
    const char *zone = cfg_getstr(cfg, "dkim|zone");
    const char *server = cfg_getstr(cfg, "dkim|server");
    const char *key = cfg_getstr(cfg, "dkim|tsig_key");
    char *at = NULL;
    if (!span_copy(span_of(server), d->server, sizeof(d->server)) ||
        !span_copy(span_of(key), d->tsig_key, sizeof(d->tsig_key)))
        return false;
    if ((at = strchr(d->server, '@'))) {
        uint64_t port = 0;
        *at = '\0';
        if (!span_number(span_of(at + 1), &port) || port == 0 || port > 65535)
            return false;
        d->port = (unsigned)port;
    }
    return (zone[0] == '\0') == (server[0] == '\0') &&
           (server[0] == '\0' || address_is_host(span_of(d->server)) || strchr(d->server, ':')) &&
           (zone[0] == '\0' || address_domain_ascii(span_of(zone), d->zone));
}

static void read_dkim(struct config_reading *r)
{
    struct config_dkim *d = &r->config->dkim;
    cfg_t *section = cfg_getsec(r->cfg, "dkim");
    long days = cfg_getint(section, "rotate");
    long lifetime_s = cfg_getint(section, "lifetime");
    long bits = cfg_getint(section, "rsa_bits");
    long ttl_s = cfg_getint(section, "ttl");
    d->port = 53;
    if (days < 0 || days > 3650)
        config_fault(
            r, section, "rotate",
            "rotate is the age in days at which a key is followed by another, 0 for never");
    if (lifetime_s < 5 || lifetime_s > 31536000)
        config_fault(r, section, "lifetime",
                     "lifetime is how many seconds a signature holds, of 5 to a year");
    if (bits != 2048 && bits != 3072 && bits != 4096)
        config_fault(r, section, "rsa_bits", "rsa_bits is 2048, 3072 or 4096");
    if (ttl_s < 1 || ttl_s > 86400)
        config_fault(r, section, "ttl", "ttl is seconds, of a day at most");
    if (!read_zone(d, r->cfg))
        config_fault(r, section, "zone",
                     "zone is a domain, and server the address of its primary, with @port if it is "
                     "not 53: both or neither");
    d->rotate_days = (unsigned)days;
    d->lifetime_s = (unsigned)lifetime_s;
    d->rsa_bits = (unsigned)bits;
    d->ttl_s = (unsigned)ttl_s;
}

static void read_operators(struct config_reading *r)
{
    struct config *c = r->config;
    unsigned count = cfg_size(r->cfg, "operator");
    char **list = xcalloc(count + 1, sizeof(*list));
    c->operators = (const char *const *)list;
    for (unsigned i = 0; i < count; i++) {
        char form[ADDRESS_CANONICAL_MAX + 1];
        const char *text = cfg_getnstr(r->cfg, "operator", i);
        struct address address;
        if (address_parse(span_of(text), &address) && address_counted_as(text, form))
            list[c->operator_count++] = xstrdup(form);
        else
            config_fault(r, NULL, "operator", "operator \"%.80s\" is no address", text);
    }
}

void config_domains_read(struct config_reading *r)
{
    read_list(r);
    read_dkim(r);
    read_operators(r);
}

void config_domains_print(const struct config *c, struct buf *out)
{
    const struct config_dkim *d = &c->dkim;
    buf_add(out, SPAN("operator = {"));
    for (size_t i = 0; i < c->operator_count; i++)
        buf_addf(out, "%s\"%s\"", i > 0 ? ", " : "", c->operators[i]);
    buf_addf(out, "}\nalignment = \"%s\"\n", alignment_mode_name(c->alignment));
    for (size_t i = 0; i < c->domain_count; i++)
        buf_addf(out, "domain \"%s\" { alignment = \"%s\" }\n", c->domains[i].name,
                 alignment_mode_name(c->domains[i].alignment));
    buf_addf(out, "dkim { rotate = %u  lifetime = %u  rsa_bits = %u", d->rotate_days, d->lifetime_s,
             d->rsa_bits);
    if (d->zone[0])
        buf_addf(out, "  zone = \"%s\"  server = \"%s@%u\"  tsig_key = \"%s\"  ttl = %u", d->zone,
                 d->server, d->port, d->tsig_key, d->ttl_s);
    buf_add(out, SPAN(" }\n"));
}
