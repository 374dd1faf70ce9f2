// SPDX-License-Identifier: BSD-2-Clause
/* config_domains.c - What holds for single sending domains, for their keys, and who runs the
 * relay. */
#include "config_domains.h"

#include "address.h"
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
        CFG_INT("rotate", 0, CFGF_NONE),      CFG_INT("lifetime", SIGNING_LIFETIME_S, CFGF_NONE),
        CFG_INT("rsa_bits", 2048, CFGF_NONE), CFG_STR("zone", "", CFGF_NONE),
        CFG_STR("server", "", CFGF_NONE),     CFG_STR("tsig_key", "", CFGF_NONE),
        CFG_INT("ttl", 3600, CFGF_NONE),      CFG_END()};
    return options;
}

static bool read_list(struct config *c, cfg_t *cfg, struct err *err)
{
    unsigned count = cfg_size(cfg, "domain");
    c->domains = xcalloc(count, sizeof(*c->domains));
    if (!alignment_mode_parse(span_of(cfg_getstr(cfg, "alignment")), &c->alignment))
        c->alignment = ALIGNMENT_ENFORCE;
    for (unsigned i = 0; i < count; i++) {
        cfg_t *section = cfg_getnsec(cfg, "domain", i);
        struct config_domain *d = &c->domains[c->domain_count++];
        if (!address_domain_ascii(span_of(cfg_title(section)), d->name))
            return err_set(err, ERR_CONFIG, "%s: domain \"%.80s\" is no domain name", c->path,
                           cfg_title(section));
        if (!alignment_mode_parse(span_of(cfg_getstr(section, "alignment")), &d->alignment))
            d->alignment = ALIGNMENT_ENFORCE;
    }
    return true;
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

static bool read_dkim(struct config *c, cfg_t *cfg, struct err *err)
{
    struct config_dkim *d = &c->dkim;
    long days = cfg_getint(cfg, "dkim|rotate");
    long lifetime_s = cfg_getint(cfg, "dkim|lifetime");
    long bits = cfg_getint(cfg, "dkim|rsa_bits");
    long ttl_s = cfg_getint(cfg, "dkim|ttl");
    const char *why = NULL;
    d->port = 53;
    if (days < 0 || days > 3650)
        why = "rotate is the age in days at which a key is followed by another, 0 for never";
    else if (lifetime_s < 5 || lifetime_s > 31536000)
        why = "lifetime is how many seconds a signature holds, of 5 to a year";
    else if (bits != 2048 && bits != 3072 && bits != 4096)
        why = "rsa_bits is 2048, 3072 or 4096";
    else if (ttl_s < 1 || ttl_s > 86400)
        why = "ttl is seconds, of a day at most";
    else if (!read_zone(d, cfg))
        why =
            "zone is a domain, and server the address of its primary, with @port if it is not 53: "
            "both or neither";
    d->rotate_days = (unsigned)days;
    d->lifetime_s = (unsigned)lifetime_s;
    d->rsa_bits = (unsigned)bits;
    d->ttl_s = (unsigned)ttl_s;
    return !why || err_set(err, ERR_CONFIG, "%s: dkim: %s", c->path, why);
}

static bool read_operators(struct config *c, cfg_t *cfg, struct err *err)
{
    unsigned count = cfg_size(cfg, "operator");
    char **list = xcalloc(count + 1, sizeof(*list));
    c->operators = (const char *const *)list;
    for (unsigned i = 0; i < count; i++) {
        char form[ADDRESS_CANONICAL_MAX + 1];
        const char *text = cfg_getnstr(cfg, "operator", i);
        struct address address;
        if (!address_parse(span_of(text), &address) || !address_counted_as(text, form))
            return err_set(err, ERR_CONFIG, "%s: operator \"%.80s\" is no address", c->path, text);
        list[c->operator_count++] = xstrdup(form);
    }
    return true;
}

bool config_domains_read(struct config *c, cfg_t *cfg, struct err *err)
{
    return read_list(c, cfg, err) && read_dkim(c, cfg, err) && read_operators(c, cfg, err);
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
