// SPDX-License-Identifier: BSD-2-Clause
/* config_safety.c - Names of users and groups are looked up when the relay starts, as it cannot
 * later; the webhook's address may hold a secret and is not printed. */
#include "config_safety.h"

#include "config_rules.h"
#include "config_units.h"
#include "similar.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cfg_opt_t *config_alert_options(void)
{
    static cfg_opt_t options[] = {
        CFG_STR_LIST("on",
                     "{locked, identity_refused, flood, certificate, key, route, "
                     "destination_rests}",
                     CFGF_NONE),
        CFG_STR("command", "", CFGF_NONE), CFG_STR("webhook", "", CFGF_NONE),
        CONFIG_SECONDS("interval", 60), CFG_END()};
    return options;
}

cfg_opt_t *config_control_options(void)
{
    static cfg_opt_t options[] = {CFG_STR_LIST("admins", NULL, CFGF_NONE),
                                  CFG_STR_LIST("readers", NULL, CFGF_NONE), CFG_END()};
    return options;
}

/* What curl's config may hold between quotes, and the host is one. */
static const char *fault_of_webhook(const char *url)
{
    for (const char *p = url; *p; p++)
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
            return "holds what no address may";
    return config_rules_url(url, CONFIG_URL_ANY);
}

static void refuse_kind(struct config_reading *r, cfg_t *section, const char *name)
{
    struct similar near;
    char hint[100];
    char known[200] = "";
    size_t used = 0;
    similar_init(&near, name);
    for (unsigned i = 0; i < ALERT_KINDS && used < sizeof(known); i++) {
        const char *kind = alert_name((enum alert_kind)i);
        similar_try(&near, span_of(kind));
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", kind);
    }
    similar_text(&near, hint, sizeof(hint));
    config_fault(r, section, "on", "on \"%.40s\": allowed is %s%s", name, known, hint);
}

static void read_alert(struct config_reading *r)
{
    struct config *c = r->config;
    cfg_t *section = cfg_getsec(r->cfg, "alert");
    config_take(r, section, "command", c->alert_command, sizeof(c->alert_command));
    config_take(r, section, "webhook", c->alert_webhook, sizeof(c->alert_webhook));
    if (c->alert_command[0] && c->alert_command[0] != '/')
        config_fault(r, section, "command", "command \"%.200s\" must be a program's full path",
                     c->alert_command);
    const char *why = c->alert_webhook[0] ? fault_of_webhook(c->alert_webhook) : NULL;
    if (why)
        config_fault(r, section, "webhook", "webhook must be an http or https address: it %s", why);
    long interval_s = cfg_getint(section, "interval");
    if (interval_s < 1 || interval_s > 3600)
        config_fault(r, section, "interval", "interval %ld: allowed is 1 to 3600 seconds",
                     interval_s);
    c->alert_interval_s = (unsigned)interval_s;
    for (unsigned i = 0; i < cfg_size(section, "on"); i++) {
        enum alert_kind kind;
        const char *name = cfg_getnstr(section, "on", i);
        if (alert_parse(span_of(name), &kind))
            c->alert_on |= 1U << kind;
        else
            refuse_kind(r, section, name);
    }
}

/* "name" or "@group". */
static void find_party(struct config_reading *r, const char *setting, const char *name,
                       struct config_party *party)
{
    party->group = name[0] == '@';
    const struct group *group = party->group ? getgrnam(name + 1) : NULL;
    const struct passwd *user = party->group ? NULL : getpwnam(name);
    if (!span_copy(span_of(name), party->name, sizeof(party->name)) || (!group && !user))
        config_fault(r, cfg_getsec(r->cfg, "control"), setting, "there is no %s \"%.40s\"",
                     party->group ? "group" : "user", party->group ? name + 1 : name);
    else
        party->id = group ? group->gr_gid : user->pw_uid;
}

static void read_parties(struct config_reading *r, const char *setting, bool admin)
{
    cfg_t *section = cfg_getsec(r->cfg, "control");
    for (unsigned i = 0; i < cfg_size(section, setting); i++) {
        struct config_party *party = &r->config->parties[r->config->party_count++];
        party->admin = admin;
        find_party(r, setting, cfg_getnstr(section, setting, i), party);
    }
}

void config_safety_read(struct config_reading *r)
{
    size_t count = cfg_size(r->cfg, "control|admins") + cfg_size(r->cfg, "control|readers");
    r->config->parties = xcalloc(count + 1, sizeof(*r->config->parties));
    read_alert(r);
    read_parties(r, "admins", true);
    read_parties(r, "readers", false);
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
