// SPDX-License-Identifier: BSD-2-Clause
/* config_reload.c - What a reload cannot change, because it was used up at the start: a row for
 * each, that writes down what it is, so that two configs can be compared. All else is live. */
#include "config.h"

#include <stdio.h>
#include <string.h>

static void say_state_dir(const struct config *c, struct buf *out)
{
    buf_addf(out, "%s", c->state_dir);
}

static void say_shards(const struct config *c, struct buf *out)
{
    buf_addf(out, "%u", c->shards);
}

static void say_listeners(const struct config *c, bool http, struct buf *out)
{
    for (size_t i = 0; i < c->listener_count; i++) {
        const struct config_listener *l = &c->listeners[i];
        if (l->http == http)
            buf_addf(out, "%s %s %u %d\n", l->name, l->host, l->port, l->implicit_tls);
    }
}

static void say_listener(const struct config *c, struct buf *out)
{
    say_listeners(c, false, out);
}

static void say_page(const struct config *c, struct buf *out)
{
    say_listeners(c, true, out);
}

static void say_sandbox(const struct config *c, struct buf *out)
{
    buf_addf(out, "%d", c->sandbox_required);
}

static void say_connections(const struct config *c, struct buf *out)
{
    buf_addf(out, "%u", c->site_connections);
}

static void say_lifetime(const struct config *c, struct buf *out)
{
    buf_addf(out, "%u", c->dkim.lifetime_s);
}

static void say_forward(const struct config *c, struct buf *out)
{
    for (size_t i = 0; i < c->dns_forward_count; i++)
        buf_addf(out, "%s\n", c->dns_forward[i]);
}

static void say_dnssec(const struct config *c, struct buf *out)
{
    buf_addf(out, "%d", c->dnssec);
}

static void say_trust_anchor(const struct config *c, struct buf *out)
{
    buf_addf(out, "%s", c->trust_anchor);
}

static void say_command(const struct config *c, struct buf *out)
{
    buf_addf(out, "%s", c->alert_command);
}

static void say_webhook(const struct config *c, struct buf *out)
{
    buf_addf(out, "%s", c->alert_webhook);
}

static const struct {
    const char *name;
    void (*say)(const struct config *c, struct buf *out);
} fixed[] = {{"state_dir", say_state_dir},    {"shards", say_shards},
             {"listener", say_listener},      {"http.address and http.tls", say_page},
             {"sandbox", say_sandbox},        {"delivery.connections", say_connections},
             {"dkim.lifetime", say_lifetime}, {"dns.forward", say_forward},
             {"dns.dnssec", say_dnssec},      {"dns.trust_anchor", say_trust_anchor},
             {"alert.command", say_command},  {"alert.webhook", say_webhook}};

bool config_may_follow(const struct config *now, const struct config *fresh, struct err *err)
{
    char names[200] = "";
    struct buf a;
    struct buf b;
    buf_init(&a, 1024 * 1024);
    buf_init(&b, 1024 * 1024);
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        size_t len = strlen(names);
        buf_clear(&a);
        buf_clear(&b);
        fixed[i].say(now, &a);
        fixed[i].say(fresh, &b);
        if (!span_equal(buf_span(&a), buf_span(&b)))
            snprintf(names + len, sizeof(names) - len, "%s%s", len > 0 ? ", " : "", fixed[i].name);
    }
    buf_fini(&a);
    buf_fini(&b);
    return !names[0] ||
           err_set(err, ERR_CONFIG, "%s cannot be changed by a reload: restart the relay", names);
}
