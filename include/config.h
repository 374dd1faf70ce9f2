// SPDX-License-Identifier: BSD-2-Clause
/* config.h - The settings, read once and never changed: a reload makes a new set beside the old. */
#ifndef CONFIG_H
#define CONFIG_H

#include "alert.h"
#include "alignment.h"
#include "buf.h"
#include "config_sending.h"
#include "config_sources.h"
#include "delivery.h"
#include "err.h"
#include "ip.h"
#include "opener.h"
#include "stream.h"
#include "tenant_shares.h"
#include "throttle.h"
#include "tls.h"
#include "trust.h"

struct config_listener {
    char name[64], address[80]; /* as the file has it */
    char host[64];
    unsigned port;
    bool implicit_tls, returns, http; /* of what comes back; of the unsubscribe page, "http" */
    const char *const *proxies;       /* networks of those that say whose connection it is */
    size_t proxy_count;
};

enum { CONFIG_PATH_MAX = 1024, CONFIG_SHARDS_MAX = 256, CONFIG_SECTIONS_MAX = 24 };

enum config_rsa_path { RSA_PATH_AUTO, RSA_PATH_ALWAYS, RSA_PATH_OFF };

/* AUTO: in the file only. */
enum config_dnssec { CONFIG_DNSSEC_OFF, CONFIG_DNSSEC_ON, CONFIG_DNSSEC_AUTO };

/* Who may use the control socket, besides root and the relay's own user. */
struct config_party {
    char name[64]; /* "user" or "@group" */
    bool group, admin;
    unsigned id;
};

struct config_text;

struct config {
    char hostname[256], state_dir[1024], path[1024];
    struct config_text *text;                   /* what was read */
    const char *const *files, *const *patterns; /* from where; what include names */
    size_t file_count, pattern_count;
    size_t said[CONFIG_SECTIONS_MAX];     /* how many of each kind of section */
    struct tls_certificate *certificates; /* the one of section "tls" is the first */
    size_t certificate_count;
    const char *const *public_ips;
    size_t public_ip_count;
    struct config_listener *listeners;
    size_t listener_count;
    struct config_route *routes; /* the fallback, "*" by MX, is always the last */
    size_t route_count;
    struct stream *streams;
    size_t stream_count;
    struct config_source *sources;
    size_t source_count;
    struct config_tenant *tenants;
    size_t tenant_count;
    struct throttle_limit *own_limits; /* of each stream; all bits set: its class's */
    char http_address[80];             /* "" no page */
    bool http_tls;                     /* the page is served over TLS */
    char http_url[256];                /* where the links in mail lead; empty: none are made */
    char http_sender[128]; /* whose mail the page speaks of, where a stream does not say; "" none */
    uint32_t http_color;
    struct throttle_settings throttle;
    enum alignment_mode alignment; /* of domains that have no section */
    struct config_dkim dkim;
    struct config_tlsrpt tlsrpt;
    const char *const
        *operators; /* their addresses, in canonical form: they get mail in any case */
    size_t operator_count;
    struct config_domain *domains;
    size_t domain_count;
    const char *const *dns_forward;
    size_t dns_forward_count;
    enum config_dnssec dnssec;
    char trust_anchor[1024];
    unsigned dns_silent_s; /* without any answer, until it is told */
    char ca_file[1024];    /* empty: the system's authorities */
    char log_level[16];
    bool trace_client, requiretls, allow_tls_optional, takes_returns; /* the last: no setting */
    enum config_rsa_path rsa_path;
    bool sandbox_required; /* else: as much of it as the system has */
    unsigned shards, delivery_port, site_connections, idle_s, connections, recipients, mails;
    enum dane_mode dane; /* of routes that do not say it; the same: */
    enum sts_mode mta_sts;
    unsigned connect_timeout_s, next_host_after_s, idle_reuse_s, suppress_days;
    struct ip_network *private_networks; /* where somebody's DNS may lead us all the same */
    size_t private_network_count;
    const char *const *networks; /* as text */
    size_t network_count;
    unsigned per_address, per_network; /* connections */
    /* No settings: what there are descriptors for; 0: as many as it likes. Of one resolver for DNS
     * over UDP and TCP, and of commands. */
    unsigned queries, tcp_queries, commands, probes, probe_servers;
    unsigned reserve;         /* of the connections, for addresses that are known; 0: a quarter */
    unsigned login_s;         /* that a client has until it has authenticated */
    unsigned rate, memory_mb; /* bytes a second that a client must send; MiB */
    uint64_t size_max;
    uint64_t storage_mb;        /* MiB of mail in the queue; 0: any number */
    uint64_t tenant_storage_mb; /* and of one tenant's; 0: its share of that */
    char alert_command[CONFIG_PATH_MAX], alert_webhook[CONFIG_PATH_MAX]; /* "" none */
    const char *const *alert_kinds, *const *admins, *const *readers;     /* as the file has them */
    size_t alert_kind_count, admin_count, reader_count;
    unsigned alert_on;         /* bits of alert_kind */
    unsigned alert_interval_s; /* between two alerts of a kind */
    bool webhooks_private;     /* endpoints may be anywhere, and without TLS */
    unsigned webhooks_kept_mb; /* MiB for each endpoint in the outbox */
    struct config_party *parties;
    size_t party_count;
};

/* Where the file is by default: $SEALPOST_CONFIG, or as usual. */
#define CONFIG_USUAL "/etc/sealpost/sealpost.conf"
const char *config_default_path(void);

/* Read and check. The opener, for the file itself and for passwords, may be NULL. ERR_CONFIG names
 * file, line, setting and what is allowed. Free with config_free(). */
MUST_CHECK bool config_read(const char *path, const struct opener *opener, struct config **config_r,
                            struct err *err);
/* The same for who serves nobody: a route's password that its user may not read is no fault, and is
 * "" then. */
MUST_CHECK bool config_look(const char *path, struct config **config_r, struct err *err);
void config_free(struct config *c);

/* The same, with all that is wrong: a line for each, and one for what is allowed but not wise. The
 * report is initialised, and has no faults yet. */
enum { CONFIG_FAULTS_MAX = 25 };
struct config_report {
    struct buf faults, notes;
    size_t count;     /* of faults */
    struct err first; /* of them */
};
void config_report_init(struct config_report *report);
void config_report_fini(struct config_report *report);
void config_report_add(struct config_report *report, bool wrong, const char *text);
MUST_CHECK bool config_read_all(const char *path, const struct opener *opener,
                                struct config **config_r, struct config_report *report);

/* May a reload lead there? The err names all that needs a restart. */
MUST_CHECK bool config_may_follow(const struct config *now, const struct config *fresh,
                                  struct err *err);

/* The effective settings as a config file; passwords are left out. */
void config_print(const struct config *c, struct buf *out);
/* Append a string as the file has it: in quotes, and read as the same again. */
void config_quote(const char *text, struct buf *out);

/* What its row in the table says of a setting. */
struct config_about {
    const char *fallback, *about; /* what it is when the file does not say it; for people */
    char allowed[300];
    bool needs_restart;
};

/* Each setting in force, and where it was said; `file` NULL: nowhere, it is the default. The
 * strings are borrowed during the call. */
typedef void config_on_origin(void *context, const char *setting, const char *value,
                              const char *file, size_t line, const struct config_about *about);
void config_origins(const struct config *c, config_on_origin *on_origin, void *context);

/* Put "file:line: " before what is wrong about a section's setting (title NULL: none); false. */
bool config_blame(const struct config *c, const char *section, const char *title,
                  const char *setting, struct err *err);

/* What the file says of a sending domain, in normal form; NULL: nothing. */
const struct config_domain *config_domain(const struct config *c, const char *domain);

/* What to do when receivers will not believe mail from a domain in normal form. */
enum alignment_mode config_alignment(const struct config *c, const char *domain);

/* The domain whose MTA-STS policy is served at this host, in lower case: "mta-sts.club.example";
 * NULL: none. */
const struct config_domain *config_policy_at(const struct config *c, const char *host);

/* The route for a domain in normal form; never NULL. */
const struct config_route *config_route(const struct config *c, const char *domain);

/* What all tenants share; what of limits.memory is for the databases' caches, together. */
struct database_room config_room(const struct config *c);
uint64_t config_cache(const struct config *c);

#endif
