// SPDX-License-Identifier: BSD-2-Clause
/* config_safety.c - Names of users and groups are looked up when the relay starts, as it cannot
 * later; the webhook's address may hold a secret and is not printed. */
#include "config_safety.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cfg_opt_t *config_alert_options(void)
{
    static cfg_opt_t options[] = {
        CFG_STR_LIST("on", "{locked, identity_refused, flood, certificate, key}", CFGF_NONE),
        CFG_STR("command", "", CFGF_NONE), CFG_STR("webhook", "", CFGF_NONE),
        CFG_INT("interval", 60, CFGF_NONE), CFG_END()};
    return options;
}

cfg_opt_t *config_control_options(void)
{
    static cfg_opt_t options[] = {CFG_STR_LIST("admins", NULL, CFGF_NONE),
                                  CFG_STR_LIST("readers", NULL, CFGF_NONE), CFG_END()};
    return options;
}

/* What curl's config may hold between quotes. */
static bool is_web_address(const char *url)
{
    bool scheme = strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;
    for (const char *p = url; *p; p++)
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
            return false;
    return scheme && strlen(url) < CONFIG_PATH_MAX;
}

static bool read_alert(struct config *c, cfg_t *cfg, struct err *err)
{
    const char *command = cfg_getstr(cfg, "alert|command");
    const char *webhook = cfg_getstr(cfg, "alert|webhook");
    if (command[0] && (command[0] != '/' || strlen(command) >= CONFIG_PATH_MAX))
        return err_set(err, ERR_CONFIG,
                       "%s: alert command \"%.200s\" must be a program's full path", c->path,
                       command);
    if (webhook[0] && !is_web_address(webhook))
        return err_set(err, ERR_CONFIG, "%s: alert webhook must be an http or https address",
                       c->path);
    long interval_s = cfg_getint(cfg, "alert|interval");
    if (interval_s < 1 || interval_s > 3600)
        return err_set(err, ERR_CONFIG, "%s: alert interval %ld: allowed is 1 to 3600 (seconds)",
                       c->path, interval_s);
    c->alert_interval_s = (unsigned)interval_s;
    snprintf(c->alert_command, sizeof(c->alert_command), "%s", command);
    snprintf(c->alert_webhook, sizeof(c->alert_webhook), "%s", webhook);
    for (unsigned i = 0; i < cfg_size(cfg, "alert|on"); i++) {
        enum alert_kind kind;
        const char *name = cfg_getnstr(cfg, "alert|on", i);
        if (!alert_parse(span_of(name), &kind))
            return err_set(err, ERR_CONFIG,
                           "%s: alert on \"%.40s\": allowed is locked, identity_refused, flood, "
                           "certificate, key, admin",
                           c->path, name);
        c->alert_on |= 1U << kind;
    }
    return true;
}

/* "name" or "@group". */
static bool find_party(const char *name, struct config_party *party, struct err *err)
{
    snprintf(party->name, sizeof(party->name), "%s", name);
    party->group = name[0] == '@';
    const struct group *group = party->group ? getgrnam(name + 1) : NULL;
    const struct passwd *user = party->group ? NULL : getpwnam(name);
    if (!group && !user)
        return err_set(err, ERR_CONFIG, "control: there is no %s \"%.40s\"",
                       party->group ? "group" : "user", party->group ? name + 1 : name);
    party->id = group ? group->gr_gid : user->pw_uid;
    return true;
}

static bool read_parties(struct config *c, cfg_t *cfg, const char *setting, bool admin,
                         struct err *err)
{
    for (unsigned i = 0; i < cfg_size(cfg, setting); i++) {
        struct config_party *party = &c->parties[c->party_count++];
        party->admin = admin;
        if (!find_party(cfg_getnstr(cfg, setting, i), party, err))
            return false;
    }
    return true;
}

bool config_safety_read(struct config *c, cfg_t *cfg, struct err *err)
{
    size_t count = cfg_size(cfg, "control|admins") + cfg_size(cfg, "control|readers");
    c->parties = xcalloc(count + 1, sizeof(*c->parties));
    return read_alert(c, cfg, err) && read_parties(c, cfg, "control|admins", true, err) &&
           read_parties(c, cfg, "control|readers", false, err);
}

static void print_parties(const struct config *c, bool admin, struct buf *out)
{
    const char *before = "";
    buf_addf(out, "%s = {", admin ? "admins" : "readers");
    for (size_t i = 0; i < c->party_count; i++) {
        if (c->parties[i].admin != admin)
            continue;
        buf_addf(out, "%s\"%s\"", before, c->parties[i].name);
        before = ", ";
    }
    buf_add(out, SPAN("}"));
}

void config_safety_print(const struct config *c, struct buf *out)
{
    const char *before = "";
    buf_add(out, SPAN("alert { on = {"));
    for (unsigned i = 0; i < ALERT_KINDS; i++) {
        if (!(c->alert_on & 1U << i))
            continue;
        buf_addf(out, "%s\"%s\"", before, alert_name((enum alert_kind)i));
        before = ", ";
    }
    buf_addf(out, "}  command = \"%s\"  webhook = \"%s\"  interval = %u }\ncontrol { ",
             c->alert_command, c->alert_webhook[0] ? "(not shown)" : "", c->alert_interval_s);
    print_parties(c, true, out);
    buf_add(out, SPAN("  "));
    print_parties(c, false, out);
    buf_add(out, SPAN(" }\n"));
}

void config_safety_free(struct config *c)
{
    free(c->parties);
}
