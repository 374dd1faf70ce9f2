// SPDX-License-Identifier: BSD-2-Clause
/* preflight.c - What the relay needs besides a config file that can be read. Looked at by serve and
 * by config check, so that the one refuses what the other does. */
#include "preflight.h"

#include "certificates.h"
#include "keyring.h"
#include "sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool preflight_makes_links(const struct config *c)
{
    for (size_t i = 0; i < c->stream_count; i++)
        if (c->streams[i].unsubscribe != STREAM_STAY)
            return true;
    return false;
}

/* A row for each file that is used later only, when nobody looks. */
static bool is_there(const char *what, const char *path, int mode, const char *advice,
                     struct err *err)
{
    struct stat s;
    if (!path[0])
        return true;
    if (stat(path, &s) == 0 && access(path, mode) == 0 && S_ISREG(s.st_mode))
        return true;
    bool regular = errno || S_ISREG(s.st_mode);
    return err_set(err, ERR_CONFIG, "%s %.600s: %s%s", what, path,
                   regular ? strerror(errno) : "is no file", advice);
}

bool preflight_anchor(const struct config *c, struct err *err)
{
    errno = 0;
    return !c->dnssec || is_there("dns: trust_anchor", c->trust_anchor, R_OK,
                                  ": install dns-root-data, or say dnssec = \"off\"", err);
}

bool preflight_command(const struct config *c, struct err *err)
{
    errno = 0;
    return is_there("alert: command", c->alert_command, X_OK, "", err);
}

static bool check_key(const struct config *c, struct err *err)
{
    errno = 0;
    return is_there("dkim: tsig_key", c->dkim.tsig_key, R_OK, "", err);
}

static bool check_state(const struct config *c, struct err *err)
{
    char path[sizeof(c->state_dir) + 16];
    snprintf(path, sizeof(path), "%s/state.db", c->state_dir);
    if (access(c->state_dir, W_OK | X_OK) != 0)
        return err_set(err, ERR_CONFIG, "state_dir %.600s is not writable: %s", c->state_dir,
                       strerror(errno));
    errno = 0;
    return is_there("state_dir: the store", path, R_OK | W_OK, ": make it with \"sealpost init\"",
                    err);
}

static bool check_authorities(const struct config *c, struct err *err)
{
    struct tls_context *client = NULL;
    bool ok = tls_client_context(c->ca_file[0] ? c->ca_file : NULL, &client, err);
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

void engine_check(const struct config *config, struct config_report *report, int64_t *expires_s_r)
{
    static bool (*const checks[])(const struct config *, struct err *) = {
        check_authorities, preflight_anchor, preflight_command,
        check_key,         check_state,      check_links};
    struct tls_context *server = NULL;
    struct err err = {0};
    if (certificates_load(config, NULL, &server, &err))
        *expires_s_r = tls_expiry(server);
    else
        config_report_add(report, true, err.text);
    tls_context_free(server);
    if (sandbox_is_incomplete(&err))
        config_report_add(report, config->sandbox_required, err.text);
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        if (!checks[i](config, &err))
            config_report_add(report, true, err.text);
}
