// SPDX-License-Identifier: BSD-2-Clause
/* preflight_notes.c - What config check says of settings that serve takes, and that do not do what
 * is meant by them: about names, keys, sizes, and what is to be verified. */
#include "preflight.h"

#include "preflight_owner.h"
#include "tls.h"

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What is allowed, and can hardly be meant. */
static void check_sizes(const struct config *c, struct config_report *report)
{
    enum { RECEIVERS_BEAR = 1000 };
    char text[300];
    struct statvfs disk;
    uint64_t mb = statvfs(c->state_dir, &disk) == 0
                      ? (uint64_t)disk.f_blocks * disk.f_frsize / 1024 / 1024
                      : UINT64_MAX;
    uint64_t most = c->storage_mb > c->tenant_storage_mb ? c->storage_mb : c->tenant_storage_mb;
    snprintf(text, sizeof(text), "limits: storage of %llu MiB is more than the disk of %.200s has",
             (unsigned long long)most, c->state_dir);
    if (most > mb)
        config_report_add(report, false, text);
    if (c->site_connections > RECEIVERS_BEAR)
        config_report_add(report, false,
                          "delivery: connections to one destination: receivers take 20 to 100 from "
                          "one sender, and refuse who opens more");
}

/* Of the certificates. */
static void check_keys_closed(const struct config *c, struct config_report *report)
{
    for (size_t i = 0; i < c->certificate_count; i++) {
        char text[CONFIG_PATH_MAX + 100];
        struct stat about;
        snprintf(text, sizeof(text), "key %s is open to all users of this machine: chmod o-rwx",
                 c->certificates[i].key);
        if (stat(c->certificates[i].key, &about) == 0 && (about.st_mode & S_IRWXO) != 0)
            config_report_add(report, false, text);
    }
}

/* With the line of the setting. */
PRINTF_LIKE(5, 6)
static void note(const struct config *c, const char *section, const char *setting,
                 struct config_report *report, const char *format, ...)
{
    struct err text = {.kind = ERR_CONFIG};
    va_list args;
    va_start(args, format);
    vsnprintf(text.text, sizeof(text.text), format, args);
    va_end(args);
    if (!config_blame(c, section, NULL, setting, &text))
        config_report_add(report, false, text.text);
}

/* ---- keys ---- */

/* Of the keys that are here: is there any, and one that fits? What cannot be read is no fault. */
struct found {
    bool any, fits;
};

/* Is `name` the file of a key of `host`, or, if `above`, of a domain above it:
 * "<domain>.<selector>.pem"? */
static bool is_key_of(const char *name, const char *host, bool above)
{
    struct span domain = span_first(span_of(name), strlen(name) - (sizeof(".pem") - 1));
    while (domain.len > 0 && domain.ptr[--domain.len] != '.')
        ; /* the selector */
    for (struct span own = span_of(host); own.len > 0; span_take(&own, '.')) {
        if (span_equal_nocase(domain, own))
            return true;
        if (!above)
            break;
    }
    return false;
}

static DIR *open_keys(const struct config *c)
{
    char path[CONFIG_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/keys", c->state_dir);
    return opendir(path);
}

static struct found find_keys(const struct config *c, const char *host, bool above)
{
    struct found found = {0};
    DIR *keys = open_keys(c);
    for (struct dirent *e = NULL; keys && !found.fits && (e = readdir(keys));) {
        bool key = span_ends_nocase(span_of(e->d_name), SPAN(".pem"));
        found.any = found.any || key;
        found.fits = key && is_key_of(e->d_name, host, above);
    }
    if (keys)
        closedir(keys);
    return found;
}

/* Root can read them all. The relay, which becomes another account, finds out when it signs. */
static void check_keys_readable(const struct config *c, struct config_report *report)
{
    struct err first = {0};
    struct stat owner;
    char others[48] = "";
    size_t more = 0;
    bool root = geteuid() == 0 && stat(c->state_dir, &owner) == 0;
    DIR *keys = root ? open_keys(c) : NULL;
    for (const struct dirent *e = NULL; keys && (e = readdir(keys));) {
        char part[NAME_MAX + 16];
        struct err err = {0};
        snprintf(part, sizeof(part), "/keys/%s", e->d_name);
        if (e->d_name[0] == '.' || preflight_owner_may(c, part, R_OK, &owner, &err))
            continue;
        more += first.kind != ERR_NONE;
        first = first.kind == ERR_NONE ? err : first;
    }
    if (keys)
        closedir(keys);
    if (more > 0)
        snprintf(others, sizeof(others), " (and %zu more keys)", more);
    if (first.kind != ERR_NONE)
        note(c, "", "state_dir", report, "%s%s", first.text, others);
}

/* ---- files that root reads for the relay ---- */

struct closed {
    const struct config *config;
    struct err first;
    size_t more;
};

static void add_closed(struct closed *found, const char *setting, const char *path)
{
    struct err err = {0};
    if (!path[0] || preflight_owner_uses(found->config, setting, path, R_OK, &err))
        return;
    found->more += found->first.kind != ERR_NONE;
    found->first = found->first.kind == ERR_NONE ? err : found->first;
}

/* serve takes them when root starts it, and fails when a service manager starts it as the account;
 * at a reload the opener reads all but the authorities. */
static void check_files_readable(const struct config *c, struct config_report *report)
{
    struct closed found = {.config = c};
    char others[48] = "";
    add_closed(&found, "ca_file", c->ca_file);
    if (found.first.kind != ERR_NONE)
        note(c, "delivery", "ca_file", report, "%s: the relay cannot read it at a reload",
             found.first.text);
    found.first.kind = ERR_NONE;
    add_closed(&found, "config file", c->path);
    add_closed(&found, "tsig_key", c->dkim.tsig_key);
    for (size_t i = 0; i < c->certificate_count; i++) {
        add_closed(&found, "certificate", c->certificates[i].file);
        add_closed(&found, "key", c->certificates[i].key);
    }
    for (size_t i = 0; i < c->route_count; i++)
        add_closed(&found, "password_file", c->routes[i].password_file);
    if (found.more > 0)
        snprintf(others, sizeof(others), " (and %zu more files)", found.more);
    if (found.first.kind != ERR_NONE)
        note(c, "", "state_dir", report,
             "%s%s: serve can be started by root only, not as that account (User= of a unit)",
             found.first.text, others);
}

/* Reports on mail of a domain that has lost its key are signed by the relay's own. */
static void check_own_key(const struct config *c, struct config_report *report)
{
    char text[600];
    struct found found = find_keys(c, c->hostname, true);
    snprintf(text, sizeof(text),
             "hostname %.253s: neither it nor a domain above it has a DKIM key here: a report on "
             "mail of a domain whose key is gone would wait unsigned. Run \"sealpost domain add "
             "DOMAIN\" for the hostname's domain",
             c->hostname);
    if (found.any && !found.fits)
        config_report_add(report, false, text);
}

static void check_state_closed(const struct config *c, struct config_report *report)
{
    struct err err = {0};
    if (!preflight_owner_alone(c, &err))
        note(c, "", "state_dir", report, "%s", err.text);
}

/* Receivers believe only reports that are signed (RFC 8460 section 3). */
static void check_reporter(const struct config *c, struct config_report *report)
{
    const struct config_tlsrpt *t = &c->tlsrpt;
    if (!t->contact[0])
        return;
    struct found found = find_keys(c, t->submitter, false);
    if (found.any && !found.fits)
        note(c, "tlsrpt",
             t->sign[0]   ? "sign"
             : t->from[0] ? "from"
                          : "contact",
             report,
             "%.90s has no DKIM key here: no report by mail is sent. Run \"sealpost domain add "
             "%.90s\", or set from, or sign",
             t->submitter, t->submitter);
}

/* ---- what is to be verified ---- */

static void check_name(const struct config *c, struct tls_context *server,
                       struct config_report *report)
{
    if (server && c->certificate_count > 0 && !tls_server_is_named(server, c->hostname))
        note(c, "tls", "certificate", report,
             "the certificate for %.80s does not name it: clients that verify the relay by that "
             "name refuse it (%.200s)",
             c->hostname, c->certificates[0].file);
}

/* Whose mail must be verified, and can be by DANE no more. */
static void check_dane(const struct config *c, struct config_report *report)
{
    char stream[120] = "";
    if (c->dnssec != CONFIG_DNSSEC_OFF || c->dane == DANE_MODE_OFF)
        return;
    for (size_t i = 0; i < c->stream_count && !stream[0]; i++)
        if (c->streams[i].tls == STREAM_TLS_VERIFY)
            snprintf(stream, sizeof(stream), "stream %.60s", c->streams[i].name);
    bool both = stream[0] && c->requiretls;
    bool any = stream[0] || c->requiretls;
    note(c, "dns", "dnssec", report,
         "DNSSEC is off, so mail goes without DANE%s%s%s%s: set dnssec = \"on\" if the resolver "
         "passes signatures on; dane = \"off\" in delivery says that it is meant",
         any ? ", and only MTA-STS or a route can verify for " : "", stream, both ? " and " : "",
         c->requiretls ? "REQUIRETLS" : "");
}

/* A return path without somebody there loses what comes back; a listener alone takes nothing. */
static void check_returns(const struct config *c, struct config_report *report)
{
    char text[700];
    bool any = false;
    for (size_t i = 0; i < c->domain_count; i++) {
        const struct config_domain *d = &c->domains[i];
        any = any || d->return_path[0];
        if (!d->return_path[0] || c->takes_returns)
            continue;
        snprintf(text, sizeof(text),
                 "domain %s: what comes back to return_path %s is not taken here: no listener has "
                 "returns = \"on\"",
                 d->name, d->return_path);
        config_report_add(report, false, text);
    }
    if (c->takes_returns && !any)
        config_report_add(report, false,
                          "a listener has returns = \"on\", and no domain a return_path: it takes "
                          "nothing");
}

void preflight_notes(const struct config *c, struct tls_context *server,
                     struct config_report *report)
{
    check_keys_closed(c, report);
    check_state_closed(c, report);
    check_keys_readable(c, report);
    check_files_readable(c, report);
    check_own_key(c, report);
    check_sizes(c, report);
    check_name(c, server, report);
    check_reporter(c, report);
    check_dane(c, report);
    check_returns(c, report);
}
