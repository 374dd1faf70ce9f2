// SPDX-License-Identifier: BSD-2-Clause
/* preflight.c - Checks what the relay needs beside a valid config file. Used by serve and by config
 * check, so that both refuse the same. */
#include "preflight.h"

#include "certificates.h"
#include "clock.h"
#include "database.h"
#include "fetcher.h"
#include "keyring.h"
#include "log.h"
#include "preflight_owner.h"
#include "sandbox.h"
#include "trust_anchor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

bool preflight_makes_links(const struct config *c)
{
    for (size_t i = 0; i < c->stream_count; i++)
        if (c->streams[i].unsubscribe != STREAM_STAY)
            return true;
    for (size_t i = 0; i < c->domain_count; i++)
        if (c->domains[i].return_path[0])
            return true;
    return c->takes_returns; /* by addresses that were made before */
}

/* A file that is used later only, when nobody looks, and with the rights of the relay's account. */
static bool is_there(const struct config *c, const char *section, const char *title,
                     const char *setting, const char *path, int mode, const char *advice,
                     struct err *err)
{
    struct stat s;
    errno = 0;
    if (!path[0])
        return true;
    if (stat(path, &s) == 0 && access(path, mode) == 0 && S_ISREG(s.st_mode))
        return preflight_owner_uses(c, setting, path, (unsigned)mode, err) ||
               config_blame(c, section, title, setting, err);
    err_set(err, ERR_CONFIG, "%s %.200s: %s%s", setting, path,
            errno ? strerror(errno) : "is not a file", advice);
    return config_blame(c, section, title, setting, err);
}

bool preflight_anchor(const struct config *c, struct err *err)
{
    static const char advice[] = ": install dns-root-data, or set dnssec = \"off\"";
    if (!c->dnssec)
        return true;
    if (!is_there(c, "dns", NULL, "trust_anchor", c->trust_anchor, R_OK, advice, err))
        return false;
    return trust_anchor_read(c->trust_anchor, err) ||
           config_blame(c, "dns", NULL, "trust_anchor", err);
}

bool preflight_command(const struct config *c, struct err *err)
{
    bool ok = is_there(c, "alert", NULL, "command", c->alert_command, X_OK, "", err);
    for (size_t i = 0; ok && i < c->route_count; i++)
        ok = is_there(c, "route", c->routes[i].domain, "token_command", c->routes[i].token_command,
                      X_OK, "", err);
    return ok;
}

bool preflight_fetcher(const struct config *c, struct err *err)
{
    char path[CONFIG_PATH_MAX];
    (void)c; /* whatever it says, policies of domains are fetched (MTA-STS) */
    return fetcher_find(path, sizeof(path), err);
}

bool preflight_key(const struct config *c, const struct opener *opener, struct err *err)
{
    int file = c->dkim.tsig_key[0] ? opener_open(opener, c->dkim.tsig_key) : -1;
    if (!c->dkim.tsig_key[0])
        return true;
    if (file >= 0) {
        close(file);
        return true;
    }
    err_set(err, ERR_CONFIG, "tsig_key %.200s: %s%s", c->dkim.tsig_key, opener_why(errno),
            opener_advice(errno));
    return config_blame(c, "dkim", NULL, "tsig_key", err);
}

static bool check_key(const struct config *c, struct err *err)
{
    return preflight_key(c, NULL, err);
}

static const char *advice_on(int fault)
{
    return fault == ENOENT   ? ": make it with \"sealpost init DOMAIN\""
           : fault == EACCES ? ": it, and what leads to it, must be open to the relay's account"
           : fault == EROFS  ? ": the relay writes there: mount it writable"
                             : "";
}

static bool is_reached(const struct config *c, struct err *err)
{
    const struct stat self = {.st_uid = geteuid(), .st_gid = getegid()};
    if (access(c->state_dir, W_OK | X_OK) == 0)
        return true;
    int fault = errno;
    if (fault == EACCES && !preflight_owner_passes(c, &self, err))
        return false;
    return err_set(err, ERR_CONFIG, "state_dir %.200s: %s%s", c->state_dir, strerror(fault),
                   advice_on(fault));
}

/* Of a store that is there. */
static bool has_part(const struct config *c, const char *part, struct err *err)
{
    char path[CONFIG_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/%s", c->state_dir, part);
    return access(path, W_OK | X_OK) == 0 ||
           err_set(err, ERR_CONFIG, "state_dir: %s: %s%s", path, strerror(errno),
                   errno == ENOENT ? ": restore it from a backup" : advice_on(errno));
}

static bool check_owner(const struct config *c, struct err *err)
{
    static const char *const parts[] = {"",       "/lock", "/state.db",    "/state.db-wal",
                                        "/spool", "/keys", "/state.db-shm"};
    struct stat owner;
    if (geteuid() != 0 || stat(c->state_dir, &owner) != 0)
        return true;
    bool ok = preflight_owner_passes(c, &owner, err);
    for (size_t i = 0; i < COUNT_OF(parts) && ok; i++)
        ok = preflight_owner_may(c, parts[i], 0, &owner, err);
    return ok;
}

bool preflight_state(const struct config *c, struct err *err)
{
    bool ok = is_reached(c, err) && database_check_file(c->state_dir, err) &&
              has_part(c, "spool", err) && has_part(c, "keys", err) && check_owner(c, err);
    return ok || config_blame(c, "", NULL, "state_dir", err);
}

void preflight_tell(const struct config *c)
{
    struct err open = {0};
    if (!preflight_owner_alone(c, &open))
        log_event(LOG_WARN, "state_dir_open", "what", open.text);
}

/* Of a disk that says how much it has. serve finds it out by its first write. */
static bool check_disk(const struct config *c, struct err *err)
{
    struct statvfs disk;
    if (statvfs(c->state_dir, &disk) != 0 || disk.f_blocks == 0 || disk.f_bavail > 0)
        return true;
    err_set(err, ERR_CONFIG, "state_dir %.200s: the disk is full: serve cannot start on it",
            c->state_dir);
    return config_blame(c, "", NULL, "state_dir", err);
}

bool preflight_authorities(const struct config *c, struct tls_context **client_r, struct err *err)
{
    return tls_client_context(c->ca_file[0] ? c->ca_file : NULL, client_r, err) ||
           config_blame(c, "delivery", NULL, "ca_file", err);
}

static bool check_authorities(const struct config *c, struct err *err)
{
    struct tls_context *client = NULL;
    bool ok = preflight_authorities(c, &client, err);
    tls_context_free(client);
    return ok;
}

static bool check_links(const struct config *c, struct err *err)
{
    struct unsubscribe_keys keys = {0};
    bool ok = !preflight_makes_links(c) || keyring_unsubscribe(c->state_dir, &keys, err);
    unsubscribe_keys_clear(&keys);
    return ok;
}

struct key_check {
    const struct config *config;
    struct config_report *report;
    struct stat owner;
};

/* Root reads what the relay may not. */
static void add_key(void *context, const struct database_key *key, const char *why)
{
    struct key_check *check = context;
    char text[1200];
    char part[600];
    struct err err = {0};
    snprintf(part, sizeof(part), "/keys/%.255s.%.63s.pem", key->domain, key->life.selector);
    if (!why && geteuid() == 0 &&
        !preflight_owner_may(check->config, part, R_OK, &check->owner, &err))
        why = err.text;
    if (!why)
        return;
    snprintf(text, sizeof(text), "%.800s: mail of %.200s is refused (451) until it can be signed",
             why, key->domain);
    config_report_add(check->report, true, text);
}

static void check_signing_keys(const struct config *c, struct config_report *report)
{
    struct err err = {0};
    struct key_check check = {.config = c, .report = report};
    if (stat(c->state_dir, &check.owner) == 0 &&
        !keyring_check_store(c->state_dir, add_key, &check, &err))
        config_report_add(report, true, err.text);
}

void server_check(const struct config *config, struct config_report *report)
{
    static bool (*const checks[])(const struct config *, struct err *) = {
        check_authorities, preflight_anchor, preflight_command, preflight_fetcher,
        check_key,         preflight_state,  check_disk,        check_links};
    struct tls_context *server = NULL;
    struct err err = {0};
    char soon[1200];
    if (certificates_load(config, NULL, &server, &err)) {
        if (certificates_expire(server, clock_now_ms() / 1000, soon, sizeof(soon)))
            config_report_add(report, false, soon);
    } else {
        config_report_add(report, true, err.text);
    }
    if (sandbox_is_incomplete(&err))
        config_report_add(report, config->sandbox_required, err.text);
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        if (!checks[i](config, &err))
            config_report_add(report, true, err.text);
    if (report->count == 0) /* else the store is not as it should be */
        check_signing_keys(config, report);
    if (report->count == 0) /* else they speak of what may be otherwise once that is mended */
        preflight_notes(config, server, report);
    tls_context_free(server);
}
