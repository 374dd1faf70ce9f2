// SPDX-License-Identifier: BSD-2-Clause
/* config_table.c - The settings, section by section, in the order in which they are shown. */
#include "config_table.h"

#include "config_checks.h"

#include <stddef.h>

/* clang-format off */
/* A row: what the member belongs to, the name, the type, the member, what it is when the file does
 * not say it, what it is for; then what it may be, and whether it is shown and when it changes. */
#define AT(base, member)                                                                      \
    .at = offsetof(struct base, member), .size = sizeof(((struct base *)NULL)->member)
#define ROW(base, text, kind, member, otherwise, ...)                                              \
    {.name = text, .type = CONFIG_##kind, AT(base, member), .fallback = otherwise,                 \
     .about = __VA_ARGS__}
#define LIST(base, text, kind, member, count, otherwise, ...)                                      \
    ROW(base, text, kind, member, otherwise, __VA_ARGS__, .count_at = offsetof(struct base, count))
#define RANGE(least, most) .min = (least), .max = (most)
#define NATURAL RANGE(0, CONFIG_MOST)
#define POSITIVE RANGE(1, CONFIG_MOST)
#define RESTART .change = CONFIG_RESTART
#define QUIET .flags = CONFIG_QUIET
#define SECRET .flags = CONFIG_SECRET
#define OWN .flags = CONFIG_BESIDE | CONFIG_QUIET
/* clang-format on */

enum { YEAR_S = 366 * 24 * 3600 };

static const char *const modes[] = {"off", "observe", "enforce", NULL};
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const traces[] = {"none", "full", NULL};
static const char *const sandboxes[] = {"available", "required", NULL};
static const char *const rsa_paths[] = {
    [RSA_PATH_AUTO] = "auto", [RSA_PATH_ALWAYS] = "always", [RSA_PATH_OFF] = "off", NULL};
static const char *const listener_modes[] = {"starttls", "implicit", NULL};
static const char *const page_modes[] = {"none", "implicit", NULL};
static const char *const route_modes[] = {
    [DELIVERY_TLS_NEVER] = "never",       [DELIVERY_TLS_MAY] = "may",
    [DELIVERY_TLS_REQUIRE] = "require",   [DELIVERY_TLS_VERIFY] = "verify",
    [DELIVERY_TLS_IMPLICIT] = "implicit", NULL};
static const char *const dane_modes[] = {[DANE_MODE_UNSAID] = "unsaid",
                                         [DANE_MODE_OFF] = "off",
                                         [DANE_MODE_REPORT] = "report",
                                         [DANE_MODE_ON] = "on",
                                         NULL};
_Static_assert((int)STS_MODE_OFF == (int)DANE_MODE_OFF && (int)STS_MODE_ON == (int)DANE_MODE_ON,
               "mta_sts has the same words");
static const char *const policy_modes[] = {[CONFIG_POLICY_OFF] = "off",
                                           [CONFIG_POLICY_NONE] = "none",
                                           [CONFIG_POLICY_TESTING] = "testing",
                                           [CONFIG_POLICY_ENFORCE] = "enforce",
                                           NULL};
static const char *const dnssec_modes[] = {
    [CONFIG_DNSSEC_OFF] = "off", [CONFIG_DNSSEC_ON] = "on", [CONFIG_DNSSEC_AUTO] = "auto", NULL};
static const char *const classes[] = {"security",   "confirmation", "notification",
                                      "invitation", "digest",       NULL};
static const char *const over_limit[] = {
    [STREAM_PACE] = "pace", [STREAM_DEFER] = "defer", [STREAM_REJECT] = "reject", NULL};
static const char *const switches[] = {"off", "on", NULL};
static const char *const stream_tls[] = {
    [STREAM_TLS_MAY] = "may", [STREAM_TLS_VERIFY] = "verify", NULL};
static const char *const endings[] = {
    [STREAM_STAY] = "none", [STREAM_ONE_CLICK] = "one-click", [STREAM_OWN_URL] = "own-url", NULL};
static const char *const alerts[] = {"locked",
                                     "identity_refused",
                                     "flood",
                                     "certificate",
                                     "key",
                                     "route",
                                     "admin",
                                     "destination_rests",
                                     "connections_full",
                                     "share_used_up",
                                     "disk_full",
                                     "dnssec",
                                     "dns_silent",
                                     "suppression_paused",
                                     "process_ended",
                                     "webhook_disabled",
                                     "mail_paused",
                                     NULL};

/* clang-format off */
static const struct config_setting outermost[] = {
    ROW(config, "hostname", TEXT, hostname, NULL,
        "The name that the relay says in EHLO and in trace fields", .fault = config_host_fault),
    ROW(config, "state_dir", TEXT, state_dir, "/var/lib/sealpost",
        "Where the queue and the keys are", RESTART),
    LIST(config, "public_ip", TEXTS, public_ips, public_ip_count, NULL,
        "The addresses that receivers see, 16 at most", .max = ALIGNMENT_IPS_MAX,
        .fault = config_public_ip_fault),
    ROW(config, "shards", NUMBER, shards, "0", "Threads that serve; one for each core by default",
        RANGE(1, CONFIG_SHARDS_MAX), RESTART),
    ROW(config, "log", TEXT, log_level, "info", "The least level that is logged", .words = levels),
    ROW(config, "trace_client", WORD, trace_client, "none",
        "What the Received field tells of the application's server", .words = traces),
    ROW(config, "rsa_path", WORD, rsa_path, "auto",
        "Whether OpenSSL's ways of computing RSA are measured at the start", .words = rsa_paths,
        RESTART),
    ROW(config, "sandbox", WORD, sandbox_required, "required",
        "Whether to start where the kernel has no sandbox", .words = sandboxes, RESTART),
    LIST(config, "operator", TEXTS, operators, operator_count, NULL,
        "Addresses that get mail of a captured domain", .fault = config_mailbox_fault),
    ROW(config, "alignment", WORD, alignment, "enforce",
        "What to do about mail that receivers will not believe", .words = modes),
    ROW(config, "throttle", WORD, throttle.mode, "enforce",
        "Whether what a recipient gets is limited", .words = modes),
    ROW(config, "requiretls", WORD, requiretls, "off",
        "Whether clients are offered REQUIRETLS (RFC 8689)", .words = switches),
    ROW(config, "allow_tls_optional", WORD, allow_tls_optional, "off",
        "Whether a message may waive its receiver's TLS policy: TLS-Required: No",
        .words = switches),
    {0}};

static const struct config_setting listener[] = {
    ROW(config_listener, "address", TEXT, address, NULL, "IP address and port",
        .fault = config_address_fault, RESTART),
    ROW(config_listener, "tls", WORD, implicit_tls, "starttls", "When TLS begins",
        .words = listener_modes, RESTART),
    ROW(config_listener, "returns", WORD, returns, "off",
        "Whether it takes what comes back to return paths, and nothing else",
        .words = switches, RESTART),
    LIST(config_listener, "proxies", TEXTS, proxies, proxy_count, NULL,
        "Where proxies connect from, which say whose connection it is (PROXY protocol)",
        .fault = config_network_fault, RESTART),
    {0}};

static const struct config_setting tls[] = {
    ROW(tls_certificate, "certificate", TEXT, file, "", "PEM file, with its chain"),
    ROW(tls_certificate, "key", TEXT, key, "", "PEM file of its key"),
    {0}};

static const struct config_setting certificate[] = {
    ROW(tls_certificate, "file", TEXT, file, "", "PEM file, with its chain"),
    ROW(tls_certificate, "key", TEXT, key, "", "PEM file of its key"),
    ROW(tls_certificate, "server", TEXT, server, "", "The host name that a client must ask for"),
    {0}};

static const struct config_setting delivery[] = {
    ROW(config, "port", NUMBER, delivery_port, "25", "Where receiving servers listen",
        RANGE(1, 65535)),
    ROW(config, "connections", NUMBER, site_connections, "20",
        "Connections to one destination at a time", POSITIVE, RESTART),
    ROW(config, "connect_timeout", SECONDS, connect_timeout_s, "30",
        "How long to wait for a connection", POSITIVE),
    ROW(config, "next_host_after", SECONDS, next_host_after_s, "60",
        "How long to wait for an answer while another host is left", POSITIVE),
    ROW(config, "reuse", SECONDS, idle_reuse_s, "5",
        "How long an idle connection is kept for the next message", POSITIVE),
    ROW(config, "suppress_days", DAYS, suppress_days, "90",
        "How long a mailbox that does not exist gets no mail", RANGE(1, 3650)),
    ROW(config, "dane", WORD, dane, "on",
        "Whether TLSA records decide which certificate a host must have",
        .min = DANE_MODE_OFF, .words = dane_modes),
    ROW(config, "mta_sts", WORD, mta_sts, "on",
        "Whether a domain's own policy (MTA-STS) decides which hosts may have its mail",
        .min = STS_MODE_OFF, .words = dane_modes),
    ROW(config, "ca_file", TEXT, ca_file, "",
        "The certificate authorities that are trusted; the system's by default"),
    LIST(config, "private_networks", TEXTS, networks, network_count, NULL,
        "Where an MX may lead although it is not public", .fault = config_network_fault),
    {0}};

static const struct config_setting route[] = {
    ROW(config_route, "host", TEXT, host, "", "A smart host; the domain's MX by default",
        .fault = config_smart_host_fault),
    ROW(config_route, "port", NUMBER, port, "0", "Its port", RANGE(1, 65535)),
    ROW(config_route, "tls", WORD, tls, NULL, "What TLS is demanded",
        .min = DELIVERY_TLS_MAY, .words = route_modes),
    ROW(config_route, "dane", WORD, dane, NULL, "The same as delivery.dane, for these domains",
        .min = DANE_MODE_OFF, .words = dane_modes),
    ROW(config_route, "mta_sts", WORD, mta_sts, NULL,
        "The same as delivery.mta_sts, for these domains",
        .min = STS_MODE_OFF, .words = dane_modes),
    ROW(config_route, "username", TEXT, username, "", "AUTH at the smart host", QUIET),
    ROW(config_route, "password_file", TEXT, password_file, "",
        "The file whose first line is the password", QUIET),
    ROW(config_route, "token_command", TEXT, token_command, "",
        "A program that says an OAuth token, in place of a password",
        .fault = config_program_fault, .change = CONFIG_KNOWN, QUIET),
    {0}};

static const struct config_setting source[] = {
    ROW(config_source, "ipv4", TEXT, ipv4, "", "An address of this machine that mail leaves from"),
    ROW(config_source, "ipv6", TEXT, ipv6, "", "The same, for hosts with IPv6"),
    ROW(config_source, "helo", TEXT, helo, "", "Its name in EHLO; the hostname by default",
        .fault = config_host_fault),
    LIST(config_source, "public_ip", TEXTS, public_ips, public_ip_count, NULL,
        "What receivers see in its place, behind NAT", .max = ALIGNMENT_IPS_MAX,
        .fault = config_public_ip_fault),
    LIST(config_source, "tenants", TEXTS, tenants, tenant_count, NULL,
        "Whose mail may leave there; everybody's by default"),
    {0}};

static const struct config_setting tenant[] = {
    ROW(config_tenant, "source", TEXT, source, "",
        "Where its mail leaves from: the name of a source", QUIET),
    {0}};

static const struct config_setting dns[] = {
    LIST(config, "forward", TEXTS, dns_forward, dns_forward_count, NULL,
        "Resolvers to ask; from the root by default", .fault = config_forward_fault, RESTART),
    ROW(config, "dnssec", WORD, dnssec, "auto", "Whether answers are validated",
        .words = dnssec_modes, RESTART),
    ROW(config, "trust_anchor", TEXT, trust_anchor, "/usr/share/dns/root.key",
        "The file with the keys that DNSSEC begins at", RESTART),
    ROW(config, "silent_after", SECONDS, dns_silent_s, "3m",
        "No answer at all for so long is told (dns_silent)", RANGE(1, 86400)),
    {0}};

static const struct config_setting domain[] = {
    ROW(config_domain, "alignment", WORD, alignment, "enforce",
        "The same for one sending domain; as for all by default",
        .words = modes),
    ROW(config_domain, "return_path", TEXT, return_path, "",
        "A domain below it, to which what comes back goes, for each recipient apart",
        .fault = config_host_fault),
    ROW(config_domain, "feedback_loop", WORD, feedback_loop, "off",
        "Whether complaints are taken at fbl@ of the return path", .words = switches),
    ROW(config_domain, "mta_sts_mode", WORD, mta_sts_mode, "off",
        "The MTA-STS policy for mail to it, which the page's listener serves",
        .words = policy_modes),
    LIST(config_domain, "mta_sts_mx", TEXTS, mta_sts_mx, mta_sts_mx_count, NULL,
        "The hosts that the policy names", .fault = config_mx_fault),
    ROW(config_domain, "mta_sts_max_age", SECONDS, mta_sts_max_age_s, "14d",
        "How long senders may keep the policy", RANGE(1, MTA_STS_AGE_MAX_S)),
    {0}};

static const struct config_setting dkim[] = {
    ROW(config, "rotate", DAYS, dkim.rotate_days, "0",
        "The age at which a key is followed by another; 0: by hand only", RANGE(0, 3650)),
    ROW(config, "lifetime", SECONDS, dkim.lifetime_s, "7d", "How long a signature holds",
        RANGE(5, 365 * 24 * 3600), RESTART),
    ROW(config, "rsa_bits", NUMBER, dkim.rsa_bits, "2048", "Of new keys",
        RANGE(2048, 4096), .fault = config_rsa_fault),
    ROW(config, "zone", TEXT, dkim.zone, "", "A zone of yours that holds the keys' records", QUIET),
    ROW(config, "server", TEXT, dkim.primary, "", "The zone's primary server",
        .fault = config_primary_fault, QUIET),
    ROW(config, "tsig_key", TEXT, dkim.tsig_key, "", "The file with the key for updates", QUIET),
    ROW(config, "ttl", SECONDS, dkim.ttl_s, "1h", "Of the records", RANGE(1, 86400)),
    {0}};

static const struct config_setting tlsrpt[] = {
    ROW(config, "contact", TEXT, tlsrpt.contact, "",
        "Whom to ask about the TLS reports that are sent; none are without it",
        .fault = config_reporter_fault, RESTART),
    ROW(config, "organization", TEXT, tlsrpt.organization, "",
        "Who reports, for people; the hostname by default", .fault = config_name_fault),
    ROW(config, "from", TEXT, tlsrpt.from, "",
        "The address that reports come from; contact by default",
        .fault = config_reporter_fault),
    ROW(config, "sign", TEXT, tlsrpt.sign, "",
        "The domain whose key signs them; that of from by default", .fault = config_host_fault),
    ROW(config, "success_reports", WORD, tlsrpt.success_reports, "on",
        "Whether a day without a failure is reported", .words = switches),
    {0}};

static const struct config_setting http[] = {
    ROW(config, "url", TEXT, http_url, "", "Where the links in mail lead",
        .fault = config_link_base_fault),
    ROW(config, "address", TEXT, http_address, "", "Where the page is served",
        .fault = config_address_fault, RESTART, QUIET),
    ROW(config, "sender", TEXT, http_sender, "",
        "Who sends, for people, where a stream does not say", .fault = config_name_fault, QUIET),
    ROW(config, "color", COLOR, http_color, "#1a5fb4", "The sender's color"),
    ROW(config, "tls", WORD, http_tls, "none", "Whether the page is served over TLS",
        .words = page_modes, RESTART),
    {0}};

#define TITLE(constant, language)                                                                  \
    ROW(stream, "title_" language, TEXT, titles[LANGUAGE_##constant], "", "Its name for people",   \
        .fault = config_name_fault, QUIET),
static const struct config_setting stream[] = {
    ROW(stream, "class", WORD, class, "notification",
        "How soon a message is tried again, and for how long", .words = classes),
    ROW(stream, "on_limit", WORD, on_limit, "pace",
        "What happens to mail that is over its recipient's limit", .words = over_limit),
    ROW(stream, "tls", WORD, tls, "may",
        "Whether its mail waits until the receiver's TLS is verified", .words = stream_tls),
    ROW(stream, "source", TEXT, source, "",
        "Where its mail leaves from: the name of a source", QUIET),
    ROW(stream, "unsubscribe", WORD, unsubscribe, "none", "How its recipients can end it",
        .words = endings),
    ROW(throttle_limit, "every", MILLISECONDS, every_ms, NULL,
        "Then one in so long a time", NATURAL, OWN),
    ROW(throttle_limit, "burst", NUMBER, burst, NULL, "So many at once", POSITIVE, OWN),
    ROW(throttle_limit, "per_day", NUMBER, per_day, NULL, "Never more in 24 hours", NATURAL, OWN),
    ROW(throttle_limit, "hold", MILLISECONDS, hold_ms, NULL,
        "How long a message waits for its slot", NATURAL, OWN),
    ROW(stream, "url", TEXT, url, "", "For own-url: the template of its links",
        .fault = config_name_fault, QUIET),
    ROW(stream, "sender", TEXT, sender, "", "Who sends it, for people",
        .fault = config_name_fault, QUIET),
    ROW(stream, "color", COLOR, color, NULL, "The sender's color"),
    ROW(stream, "title", TEXT, titles[LANGUAGE_EN], "", "Its name for people",
        .fault = config_name_fault, QUIET),
    LANGUAGES_BUT_ENGLISH(TITLE)
    ROW(stream, "expires", MILLISECONDS, lifetime_ms, NULL,
        "When a message is given up; by its class by default", RANGE(1, YEAR_S), QUIET),
    ROW(stream, "delay_notice", MILLISECONDS, delay_notice_ms, NULL,
        "When senders are told that a message is late; by default, who asks for it",
        RANGE(1, YEAR_S), QUIET),
    LIST(stream, "retry", TIMES, retries_ms, retry_count, NULL,
        "How long to wait after each failure; by its class by default", RANGE(1, YEAR_S), QUIET),
    {0}};

static const struct config_setting limit[] = {
    ROW(throttle_limit, "every", MILLISECONDS, every_ms, NULL,
        "Then one in so long a time; 0: no limit", NATURAL),
    ROW(throttle_limit, "burst", NUMBER, burst, NULL, "So many at once", POSITIVE),
    ROW(throttle_limit, "per_day", NUMBER, per_day, NULL,
        "Never more in 24 hours; 0: no limit", NATURAL),
    ROW(throttle_limit, "reserve", NUMBER, reserve, NULL,
        "So many of burst are kept for the class security", NATURAL),
    ROW(throttle_limit, "hold", MILLISECONDS, hold_ms, NULL,
        "How long a message waits for its slot", NATURAL),
    {0}};

static const struct config_setting limits[] = {
    ROW(config, "size", BYTES, size_max, "25M", "Of one message", POSITIVE),
    ROW(config, "recipients", NUMBER, recipients, "100", "Of one message", POSITIVE),
    ROW(config, "connections", NUMBER, connections, "1000", "Of clients, at a time", POSITIVE),
    ROW(config, "idle", SECONDS, idle_s, "5m", "How long a client may be silent", POSITIVE),
    ROW(config, "messages", NUMBER, mails, "10000", "On one connection", POSITIVE),
    ROW(config, "per_address", NUMBER, per_address, "0",
        "Connections from one address; 0: half of them", NATURAL),
    ROW(config, "per_network", NUMBER, per_network, "0",
        "Connections from one network; 0: three quarters of them", NATURAL),
    ROW(config, "reserve", NUMBER, reserve, "0",
        "Connections kept for addresses that are known; 0: a quarter of them", NATURAL),
    ROW(config, "login", SECONDS, login_s, "60", "The time that a client has to authenticate",
        POSITIVE),
    ROW(config, "rate", BYTES, rate, "100", "Bytes a second that a client must send", NATURAL),
    ROW(config, "memory", MEBIBYTES, memory_mb, "1024",
        "What the relay may use before it refuses for a while", POSITIVE),
    ROW(config, "storage", MEBIBYTES, storage_mb, "0", "Mail in the queue; 0: half of the disk",
        NATURAL),
    ROW(config, "tenant_storage", MEBIBYTES, tenant_storage_mb, "0",
        "Mail of one tenant; 0: its share of storage", NATURAL),
    {0}};

static const struct config_setting alert[] = {
    LIST(config, "on", TEXTS, alert_kinds, alert_kind_count,
        "{locked, identity_refused, flood, certificate, key, route, destination_rests, "
        "connections_full, share_used_up, disk_full, dnssec, dns_silent, suppression_paused, "
        "process_ended, webhook_disabled, mail_paused}",
        "What is told", .words = alerts),
    ROW(config, "command", TEXT, alert_command, "", "A program that is run",
        .fault = config_program_fault, RESTART),
    ROW(config, "webhook", TEXT, alert_webhook, "", "An address that is posted to",
        .fault = config_webhook_fault, RESTART, SECRET),
    ROW(config, "interval", SECONDS, alert_interval_s, "60",
        "The time between two alerts of a kind", RANGE(1, 3600)),
    {0}};

static const struct config_setting webhooks[] = {
    ROW(config, "allow_private", WORD, webhooks_private, "off",
        "Endpoints may be in private networks, and without TLS", .words = switches),
    ROW(config, "kept", MEBIBYTES, webhooks_kept_mb, "64",
        "What is kept for each endpoint, sent or not", RANGE(1, 65536)),
    {0}};

static const struct config_setting control[] = {
    LIST(config, "admins", TEXTS, admins, admin_count, NULL, "May do all"),
    LIST(config, "readers", TEXTS, readers, reader_count, NULL, "May look, and change nothing"),
    {0}};

#define ONE(text, rows) {.name = text, .settings = rows}
#define MANY(rows, base, array, count, title, ...)                                                 \
    {.name = #rows, .settings = rows, .several = true,                                             \
     .array_at = offsetof(struct config, array), .count_at = offsetof(struct config, count),       \
     .size = sizeof(struct base), .title_size = sizeof(((struct base *)NULL)->title), __VA_ARGS__}

const struct config_section config_sections[] = {
    ONE("", outermost),
    MANY(listener, config_listener, listeners, listener_count, name, .first = 0),
    {.name = "tls", .settings = tls, .array_at = offsetof(struct config, certificates),
     .size = sizeof(struct tls_certificate)}, /* the first of them all */
    MANY(certificate, tls_certificate, certificates, certificate_count, name, .first = 1),
    ONE("delivery", delivery),
    MANY(route, config_route, routes, route_count, domain, .first = 0),
    MANY(source, config_source, sources, source_count, name, .first = 0),
    MANY(tenant, config_tenant, tenants, tenant_count, name, .first = 0),
    ONE("dns", dns),
    MANY(domain, config_domain, domains, domain_count, name, .first = 0),
    ONE("dkim", dkim),
    ONE("tlsrpt", tlsrpt),
    ONE("http", http),
    {.name = "limit", .settings = limit, .several = true, .named = throttle_limit_named,
     .names = throttle_limit_names},
    MANY(stream, stream, streams, stream_count, name,
         .beside_at = offsetof(struct config, own_limits),
         .beside_size = sizeof(struct throttle_limit)),
    ONE("limits", limits),
    ONE("alert", alert),
    ONE("webhooks", webhooks),
    ONE("control", control)};
/* clang-format on */

const size_t config_section_count = COUNT_OF(config_sections);
_Static_assert(COUNT_OF(config_sections) <= CONFIG_SECTIONS_MAX, "each has its count");
