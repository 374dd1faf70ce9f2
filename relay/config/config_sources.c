// SPDX-License-Identifier: BSD-2-Clause
/* config_sources.c - Sections `source` and `tenant`, and whose mail leaves from which address.
 *
 * An address is tried by bind(), as a connection will: what the kernel refuses then is refused when
 * the file is read, and not message by message. Nothing is bound to addresses that this machine
 * does not have (IP_FREEBIND): an answer could not come back to them.
 */
#include "config_sources.h"

#include "config_rules.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(sizeof(((struct stream *)NULL)->source) == HOP_SOURCE, "the same names");

/* ---- one source ---- */

/* 0: the machine has it, or that cannot be said. */
static int bind_fault(const struct ip *ip)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    memcpy(&v6.sin6_addr, ip->bytes, sizeof(v6.sin6_addr));
    memcpy(&v4.sin_addr, ip->bytes, sizeof(v4.sin_addr));
    int fd = socket(ip->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? EADDRNOTAVAIL : 0;
    int bound = ip->v6 ? bind(fd, (const struct sockaddr *)&v6, sizeof(v6))
                       : bind(fd, (const struct sockaddr *)&v4, sizeof(v4));
    int fault = bound == 0 ? 0 : errno;
    close(fd);
    return fault == EADDRINUSE ? 0 : fault;
}

static void set_address(struct config_reading *r, cfg_t *section, const char *setting, char *text,
                        struct ip *ip)
{
    bool v6 = strcmp(setting, "ipv6") == 0;
    if (!text[0])
        return;
    if (!ip_parse(text, ip) || ip->v6 != v6) {
        config_fault(r, section, setting, "%s needs an IPv%d address: \"%s\" is none", setting,
                     v6 ? 6 : 4, text);
        return;
    }
    ip_print(ip, text);
    int fault = r->looks ? 0 : bind_fault(ip);
    if (fault != 0)
        config_fault(
            r, section, setting,
            "%s needs an address of this machine, and %s is none (%s): 'ip address' lists them",
            setting, text, strerror(fault));
}

static bool is_name(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return text[0] && strspn(text, allowed) == strlen(text);
}

/* As of other texts; never 0, which stands for none. */
static uint32_t mark_of(const char *name)
{
    uint32_t hash = 2166136261U;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    return hash | 1;
}

static void set_source(struct config_reading *r, cfg_t *section, struct config_source *s)
{
    if (!is_name(s->name))
        config_fault(r, section, NULL,
                     "the name is of letters, digits, \".\", \"-\" and \"_\": as \"news\"");
    if (!s->ipv4[0] && !s->ipv6[0])
        config_fault(r, section, NULL, "needs ipv4 or ipv6, an address of this machine");
    set_address(r, section, "ipv4", s->ipv4, &s->ip4);
    set_address(r, section, "ipv6", s->ipv6, &s->ip6);
    s->mark = mark_of(s->name);
    if (!s->helo[0])
        snprintf(s->helo, sizeof(s->helo), "%s", r->config->hostname);
}

/* Two of one mark would share what is learned of addresses. */
static void part_sources(struct config_reading *r)
{
    const struct config *c = r->config;
    for (size_t i = 0; i < c->source_count; i++)
        for (size_t k = 0; k < i; k++) {
            const struct config_source *a = &c->sources[i];
            const struct config_source *b = &c->sources[k];
            cfg_t *section = cfg_getnsec(r->cfg, "source", (unsigned)i);
            bool v4 = a->ipv4[0] && strcmp(a->ipv4, b->ipv4) == 0;
            bool v6 = a->ipv6[0] && strcmp(a->ipv6, b->ipv6) == 0;
            if (a->mark == b->mark)
                config_fault(r, section, NULL, "give it another name than \"%s\"", b->name);
            else if (v4 || v6)
                config_note(r, section, v4 ? "ipv4" : "ipv6",
                            "%s is that of source \"%s\" too: receivers see both as one",
                            v4 ? a->ipv4 : a->ipv6, b->name);
        }
}

/* ---- whose ---- */

static bool may_use(const struct config_source *s, const char *tenant)
{
    bool may = s->tenant_count == 0;
    for (size_t i = 0; !may && i < s->tenant_count; i++)
        may = strcmp(s->tenants[i], tenant) == 0;
    return may;
}

static void check_use(struct config_reading *r, cfg_t *section, const char *source,
                      const char *tenant_or_null)
{
    const struct config_source *s = config_source(r->config, source);
    if (source[0] && !s)
        config_fault(r, section, "source",
                     "source = \"%s\" needs a section source \"%s\", which is not there", source,
                     source);
    else if (s && tenant_or_null && !may_use(s, tenant_or_null))
        config_fault(r, section, "source", "source \"%s\" is for other tenants, as its tenants say",
                     source);
}

void config_sources_finish(struct config_reading *r)
{
    struct config *c = r->config;
    for (size_t i = 0; i < c->source_count; i++)
        set_source(r, cfg_getnsec(r->cfg, "source", (unsigned)i), &c->sources[i]);
    part_sources(r);
    for (size_t i = 0; i < c->tenant_count; i++)
        check_use(r, cfg_getnsec(r->cfg, "tenant", (unsigned)i), c->tenants[i].source,
                  c->tenants[i].name);
    for (size_t i = 0; i < c->stream_count; i++)
        check_use(r, cfg_getnsec(r->cfg, "stream", (unsigned)i), c->streams[i].source, NULL);
}

/* ---- questions ---- */

const struct config_source *config_source(const struct config *c, const char *name)
{
    for (size_t i = 0; name[0] && i < c->source_count; i++)
        if (strcmp(c->sources[i].name, name) == 0)
            return &c->sources[i];
    return NULL;
}

static const struct config_source *source_of_tenant(const struct config *c, const char *tenant)
{
    for (size_t i = 0; i < c->tenant_count; i++)
        if (strcmp(c->tenants[i].name, tenant) == 0)
            return config_source(c, c->tenants[i].source);
    return NULL;
}

const struct config_source *config_source_for(const struct config *c, const char *tenant,
                                              const char *stream)
{
    const struct stream *s =
        stream[0] ? stream_find(c->streams, c->stream_count, span_of(stream)) : NULL;
    const struct config_source *own = s ? config_source(c, s->source) : NULL;
    return own && may_use(own, tenant) ? own : source_of_tenant(c, tenant);
}

const struct ip *config_source_ip(const struct config_source *source, const struct ip *to)
{
    if (to->v6)
        return source->ipv6[0] ? &source->ip6 : NULL;
    return source->ipv4[0] ? &source->ip4 : NULL;
}

static size_t add_ip(const char *ips[ALIGNMENT_IPS_MAX], size_t count, const char *ip)
{
    bool known = !ip[0] || count == ALIGNMENT_IPS_MAX;
    for (size_t i = 0; !known && i < count; i++)
        known = strcmp(ips[i], ip) == 0;
    if (!known)
        ips[count++] = ip;
    return count;
}

static size_t add_source(const struct config *c, const struct config_source *s,
                         const char *ips[ALIGNMENT_IPS_MAX], size_t count)
{
    const char *const *seen = s ? s->public_ips : c->public_ips;
    size_t seen_count = s ? s->public_ip_count : c->public_ip_count;
    for (size_t i = 0; i < seen_count; i++)
        count = add_ip(ips, count, seen[i]);
    if (!s || seen_count > 0)
        return count;
    return add_ip(ips, add_ip(ips, count, s->ipv4), s->ipv6);
}

size_t config_source_ips(const struct config *c, const struct config_source *source,
                         const char *ips_r[ALIGNMENT_IPS_MAX])
{
    return add_source(c, source, ips_r, 0);
}

size_t config_tenant_ips(const struct config *c, const char *tenant,
                         const char *ips_r[ALIGNMENT_IPS_MAX])
{
    size_t count = add_source(c, source_of_tenant(c, tenant), ips_r, 0);
    for (size_t i = 0; i < c->stream_count; i++)
        if (c->streams[i].source[0])
            count = add_source(c, config_source_for(c, tenant, c->streams[i].name), ips_r, count);
    return count;
}

const char *config_tenant_helo(const struct config *c, const char *tenant)
{
    const struct config_source *s = source_of_tenant(c, tenant);
    return s ? s->helo : c->hostname;
}

/* ---- for the database ---- */

static void add_text(const char *text, struct buf *out)
{
    buf_addf(out, "%s", text ? "\"" : "null");
    for (; text && *text; text++)
        if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
            buf_addf(out, "\\u%04x", (unsigned char)*text);
        else
            buf_add_char(out, *text);
    buf_addf(out, "%s", text ? "\"" : "");
}

static void add_rule(struct buf *out, const char *tenant, const char *stream, const char *source)
{
    buf_addf(out, "%s[", out->len > 1 ? "," : "");
    add_text(tenant, out);
    buf_add_char(out, ',');
    add_text(stream, out);
    buf_add_char(out, ',');
    add_text(source, out);
    buf_add_char(out, ']');
}

char *config_source_rules(const struct config *c)
{
    struct buf rules;
    buf_init(&rules, 1024 * 1024);
    buf_add_char(&rules, '[');
    for (size_t i = 0; i < c->stream_count; i++) {
        const struct config_source *s = config_source(c, c->streams[i].source);
        for (size_t k = 0; s && k < s->tenant_count; k++)
            add_rule(&rules, s->tenants[k], c->streams[i].name, s->name);
        if (s && s->tenant_count == 0)
            add_rule(&rules, NULL, c->streams[i].name, s->name);
    }
    for (size_t i = 0; i < c->tenant_count; i++)
        if (c->tenants[i].source[0])
            add_rule(&rules, c->tenants[i].name, NULL, c->tenants[i].source);
    buf_add_char(&rules, ']');
    char *text = rules.len > 2 && !rules.overflow ? xstrdup(buf_text(&rules)) : NULL;
    buf_fini(&rules);
    return text;
}

/* ---- reload ---- */

static bool same_ips(const struct config *a, const struct config_source *from_a,
                     const struct config *b, const struct config_source *from_b)
{
    const char *ips_a[ALIGNMENT_IPS_MAX];
    const char *ips_b[ALIGNMENT_IPS_MAX];
    size_t count = config_source_ips(a, from_a, ips_a);
    bool same = count == config_source_ips(b, from_b, ips_b);
    for (size_t i = 0; same && i < count; i++)
        same = strcmp(ips_a[i], ips_b[i]) == 0;
    return same;
}

bool config_same_origin(const struct config *a, const struct config *b)
{
    char *rules_a = config_source_rules(a);
    char *rules_b = config_source_rules(b);
    bool same = strcmp(rules_a ? rules_a : "", rules_b ? rules_b : "") == 0 &&
                strcmp(a->hostname, b->hostname) == 0 && same_ips(a, NULL, b, NULL) &&
                a->source_count == b->source_count;
    for (size_t i = 0; same && i < a->source_count; i++)
        same = strcmp(a->sources[i].name, b->sources[i].name) == 0 &&
               strcmp(a->sources[i].helo, b->sources[i].helo) == 0 &&
               same_ips(a, &a->sources[i], b, &b->sources[i]);
    free(rules_a);
    free(rules_b);
    return same;
}
