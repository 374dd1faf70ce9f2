// SPDX-License-Identifier: BSD-2-Clause
/* config_rules.c - Rules that involve several settings. Each is a small function; the table at the
 * end lists them in the order in which they depend on each other. */
#include "config_rules.h"

#include "address.h"
#include "config_checks.h"
#include "dns.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void need_hostname(struct config_reading *r)
{
    if (!config_says(r, NULL, "hostname"))
        config_fault(r, NULL, NULL,
                     "setting \"hostname\" is missing: the name that this relay says in EHLO");
}

static void set_shards(struct config_reading *r)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (r->config->shards == 0)
        r->config->shards = cores < 1                   ? 1
                            : cores > CONFIG_SHARDS_MAX ? CONFIG_SHARDS_MAX
                                                        : (unsigned)cores;
}

/* auto: validate what we resolve from the root ourselves; a forwarder may strip what validation
 * needs */
static void set_dnssec(struct config_reading *r)
{
    struct config *c = r->config;
    if (c->dnssec == CONFIG_DNSSEC_AUTO)
        c->dnssec = c->dns_forward_count == 0 ? CONFIG_DNSSEC_ON : CONFIG_DNSSEC_OFF;
}

/* A text of a list in the form that it is compared in. */
static void put(const char *const *list, size_t i, const char *text)
{
    char **own = (char **)(uintptr_t)list;
    free(own[i]);
    own[i] = xstrdup(text);
}

static void set_networks(struct config_reading *r)
{
    struct config *c = r->config;
    c->private_networks = xcalloc(c->network_count + 1, sizeof(*c->private_networks));
    for (size_t i = 0; i < c->network_count; i++) {
        char text[IP_TEXT];
        char form[IP_TEXT + 8];
        struct ip_network *network = &c->private_networks[c->private_network_count++];
        CHECK(ip_network_parse(c->networks[i], network));
        ip_print(&network->ip, text);
        snprintf(form, sizeof(form), "%s/%u", text, network->prefix);
        put(c->networks, i, form);
    }
}

static void set_operators(struct config_reading *r)
{
    for (size_t i = 0; i < r->config->operator_count; i++) {
        char form[ADDRESS_CANONICAL_MAX + 1];
        CHECK(address_counted_as(r->config->operators[i], form));
        put(r->config->operators, i, form);
    }
}

/* ---- limits ---- */

enum {
    FIXED_MB = 8,       /* there before the first client */
    FIXED_SHARD_MB = 8, /* the same of a shard; most of it is its resolver's */
    ROOM_MIN_MB = 4     /* less is no room for a message, and pages of the databases */
};

unsigned config_fixed_mb(const struct config *c)
{
    return FIXED_MB + FIXED_SHARD_MB * c->shards;
}

static void set_limits(struct config_reading *r)
{
    struct config *c = r->config;
    unsigned least_mb = config_fixed_mb(c) + ROOM_MIN_MB;
    c->per_address = c->per_address ? c->per_address : (c->connections + 1) / 2;
    c->per_network = c->per_network ? c->per_network : (c->connections * 3 + 3) / 4;
    cfg_t *limits = cfg_getsec(r->cfg, "limits");
    if (c->memory_mb < least_mb && cfg_size(limits, "memory") == 0)
        c->memory_mb = 2 * least_mb; /* of many cores */
    if (c->memory_mb < least_mb)
        config_fault(r, limits, "memory",
                     "memory = %uM is too little: with %u shard%s the relay needs at least %uM",
                     c->memory_mb, c->shards, c->shards == 1 ? "" : "s", least_mb);
}

/* What nobody has set is half of the disk that the queue is on: the other half is for others. */
static uint64_t half_a_disk_mb(const char *state_dir)
{
    struct statvfs disk;
    bool known = statvfs(state_dir, &disk) == 0;
    return known ? ((uint64_t)disk.f_blocks * disk.f_frsize / 2 >> 20) + 1 : 0;
}

static void set_storage(struct config_reading *r)
{
    struct config *c = r->config;
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

/* A share that is larger than the whole, and a whole that no machine has. */
static void note_limits(struct config_reading *r)
{
    const struct config *c = r->config;
    uint64_t ram_mb = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) >> 20;
    const struct {
        const char *setting;
        uint64_t value, most;
        const char *why;
    } bounds[] = {
        {"connections", c->connections, 100000, "more than one relay can serve"},
        {"per_address", c->per_address, c->connections, "more than connections, the whole"},
        {"per_network", c->per_network, c->connections, "more than connections, the whole"},
        {"reserve", c->reserve, c->connections - 1,
         "all connections: one is left for addresses that are not known"},
        {"recipients", c->recipients, 10000, "more than a message can sensibly have"},
        {"size", c->size_max >> 20, c->memory_mb, "more than memory allows for all messages"},
        {"memory", c->memory_mb, ram_mb, "more than this machine has"},
        {"idle", c->idle_s, 24 * 3600, "more than a day: clients that are gone keep their places"},
        {"login", c->login_s, 3600, "more than an hour: whoever connects keeps a place so long"}};
    for (size_t i = 0; i < COUNT_OF(bounds); i++)
        if (bounds[i].value > bounds[i].most)
            config_note(r, cfg_getsec(r->cfg, "limits"), bounds[i].setting, "%s = %s is %s",
                        bounds[i].setting,
                        cfg_size(cfg_getsec(r->cfg, "limits"), bounds[i].setting) > 0
                            ? cfg_getstr(cfg_getsec(r->cfg, "limits"), bounds[i].setting)
                            : "(default)",
                        bounds[i].why);
}

/* ---- TLS ---- */

static void need_certificates(struct config_reading *r)
{
    cfg_t *tls = cfg_getsec(r->cfg, "tls");
    if (cfg_size(r->cfg, "listener") > 0 &&
        (!config_says(r, tls, "certificate") || !config_says(r, tls, "key")))
        config_fault(r, tls, NULL, "needs certificate and key, both in PEM");
    for (unsigned i = 0; i < cfg_size(r->cfg, "certificate"); i++) {
        cfg_t *section = cfg_getnsec(r->cfg, "certificate", i);
        if (!config_says(r, section, "file") || !config_says(r, section, "key"))
            config_fault(r, section, NULL, "needs file and key, both in PEM");
    }
}

/* ---- domains and keys ---- */

/* Receivers compare it with the author's domain, most of them relaxed (RFC 9989). */
static void set_return_path(struct config_reading *r, cfg_t *section, struct config_domain *d)
{
    char text[sizeof(d->return_path)];
    char name[ADDRESS_DOMAIN_MAX + 1];
    char below[sizeof(d->name) + 1];
    if (!d->return_path[0] && d->feedback_loop)
        config_fault(r, section, "feedback_loop", "feedback_loop needs a return_path");
    if (!d->return_path[0])
        return;
    snprintf(text, sizeof(text), "%s", d->return_path);
    snprintf(below, sizeof(below), ".%s", d->name);
    if (!address_domain_ascii(span_of(text), name) ||
        !span_ends_nocase(span_of(name), span_of(below)))
        config_fault(r, section, "return_path",
                     "return_path needs a domain below %.80s: as bounce%.80s", d->name, below);
    else
        snprintf(d->return_path, sizeof(d->return_path), "%s", name);
}

/* What comes back there must be of one domain. */
static void part_return_paths(struct config_reading *r, cfg_t *section, size_t i)
{
    const struct config_domain *d = r->config->domains;
    for (size_t j = 0; j < i; j++)
        if (d[i].return_path[0] && strcmp(d[i].return_path, d[j].return_path) == 0)
            config_fault(r, section, "return_path", "return_path %.80s is that of domain %.80s",
                         d[i].return_path, d[j].name);
}

static void set_domains(struct config_reading *r)
{
    struct config *c = r->config;
    for (size_t i = 0; i < c->domain_count; i++) {
        cfg_t *section = cfg_getnsec(r->cfg, "domain", (unsigned)i);
        if (!address_domain_ascii(span_of(cfg_title(section)), c->domains[i].name))
            config_fault(r, section, NULL, "\"%.80s\" is not a domain name", cfg_title(section));
        if (!config_says(r, section, "alignment"))
            c->domains[i].alignment = c->alignment;
        set_return_path(r, section, &c->domains[i]);
        part_return_paths(r, section, i);
    }
}

static void set_dkim(struct config_reading *r)
{
    struct config_dkim *d = &r->config->dkim;
    char zone[sizeof(d->zone)];
    snprintf(zone, sizeof(zone), "%s", d->zone);
    CHECK(config_server_split(d->primary, d->server, sizeof(d->server), &d->port));
    if ((zone[0] == '\0') != (d->server[0] == '\0') ||
        (zone[0] && !address_domain_ascii(span_of(zone), d->zone)))
        config_fault(r, cfg_getsec(r->cfg, "dkim"), "zone",
                     "zone is a domain, and server the address of its primary, with @port if it is "
                     "not 53: both or neither");
}

/* ---- TLS reports ---- */

/* Receivers compare who signs with who says From (RFC 7489), and with who reports (RFC 8460 section
 * 5.3). */
static void set_tlsrpt(struct config_reading *r)
{
    struct config_tlsrpt *t = &r->config->tlsrpt;
    struct address from;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    if (!t->contact[0])
        return;
    snprintf(t->reporter, sizeof(t->reporter), "%s",
             t->organization[0] ? t->organization : r->config->hostname);
    memcpy(t->sender, t->from[0] ? t->from : t->contact, sizeof(t->sender));
    CHECK(address_parse(span_of(t->sender), &from) && address_domain_ascii(from.domain, domain));
    memcpy(t->submitter, domain, sizeof(t->submitter));
    if (t->sign[0] && (!address_domain_ascii(span_of(t->sign), t->submitter) ||
                       !dns_name_within(domain, t->submitter)))
        config_fault(
            r, cfg_getsec(r->cfg, "tlsrpt"), "sign",
            "sign needs to be the domain of from, or above it, so that receivers believe it; "
            "from is in %.80s",
            domain);
}

/* ---- listeners ---- */

static bool is_same_address(const struct config_listener *a, const struct config_listener *b)
{
    return a->port > 0 && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The page's comes last. */
static void set_listeners(struct config_reading *r)
{
    struct config *c = r->config;
    for (size_t i = 0; i < c->listener_count; i++) {
        cfg_t *section = cfg_getnsec(r->cfg, "listener", (unsigned)i);
        if (!config_says(r, section, "address"))
            config_fault(r, section, NULL, "needs address = \"address:port\"");
        c->takes_returns = c->takes_returns || c->listeners[i].returns;
        if (c->listeners[i].returns && c->listeners[i].implicit_tls)
            config_fault(r, section, "tls",
                         "with returns, tls is \"starttls\": other servers begin in clear");
        if (c->listeners[i].proxy_count > 0 && !c->listeners[i].returns)
            config_fault(r, section, "proxies", "proxies needs returns = \"on\"");
    }
    if (c->http_address[0]) {
        struct config_listener *http = &c->listeners[c->listener_count++];
        *http = (struct config_listener){.name = "http", .implicit_tls = c->http_tls, .http = true};
        snprintf(http->address, sizeof(http->address), "%s", c->http_address);
    }
    for (size_t i = 0; i < c->listener_count; i++) {
        struct config_listener *l = &c->listeners[i];
        if (!config_address_split(l->address, l->host, sizeof(l->host), &l->port))
            l->host[0] = '\0'; /* which is told already */
    }
}

/* The kernel would let both listen (SO_REUSEPORT), and give each every other connection. */
static void part_listeners(struct config_reading *r)
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

static void set_url(struct config_reading *r)
{
    char *url = r->config->http_url;
    while (url[0] && url[strlen(url) - 1] == '/')
        url[strlen(url) - 1] = '\0';
}

/* ---- safety ---- */

static void set_alerts(struct config_reading *r)
{
    struct config *c = r->config;
    for (size_t i = 0; i < c->alert_kind_count; i++) {
        enum alert_kind kind = ALERT_KINDS;
        CHECK(alert_parse(span_of(c->alert_kinds[i]), &kind));
        c->alert_on |= 1U << kind;
    }
}

/* "name" or "@group", as the system knows them now. */
static void add_party(struct config_reading *r, const char *setting, const char *name, bool admin)
{
    struct config_party *party = &r->config->parties[r->config->party_count++];
    *party = (struct config_party){.group = name[0] == '@', .admin = admin};
    const struct group *group = party->group ? getgrnam(name + 1) : NULL;
    const struct passwd *user = party->group ? NULL : getpwnam(name);
    if (!span_copy(span_of(name), party->name, sizeof(party->name)) || (!group && !user))
        config_fault(r, cfg_getsec(r->cfg, "control"), setting, "there is no %s \"%.40s\"",
                     party->group ? "group" : "user", party->group ? name + 1 : name);
    else
        party->id = group ? group->gr_gid : user->pw_uid;
}

static void set_parties(struct config_reading *r)
{
    struct config *c = r->config;
    c->parties = xcalloc(c->admin_count + c->reader_count + 1, sizeof(*c->parties));
    for (size_t i = 0; i < c->admin_count; i++)
        add_party(r, "admins", c->admins[i], true);
    for (size_t i = 0; i < c->reader_count; i++)
        add_party(r, "readers", c->readers[i], false);
}

void config_rules_apply(struct config_reading *r)
{
    static void (*const rules[])(struct config_reading *) = {need_hostname,
                                                             set_shards,
                                                             set_dnssec,
                                                             set_networks,
                                                             set_operators,
                                                             set_limits,
                                                             set_storage,
                                                             note_limits,
                                                             set_url,
                                                             need_certificates,
                                                             set_domains,
                                                             set_dkim,
                                                             set_tlsrpt,
                                                             set_alerts,
                                                             set_parties,
                                                             config_streams_finish,
                                                             set_listeners,
                                                             part_listeners,
                                                             config_routes_finish,
                                                             config_policies_finish,
                                                             config_sources_finish};
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        rules[i](r);
}
