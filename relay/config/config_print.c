// SPDX-License-Identifier: BSD-2-Clause
/* config_print.c - The settings in force, as a config file. */
#include "config_domains.h"
#include "config_routes.h"
#include "config_safety.h"
#include "config_streams.h"
#include "config_tls.h"

#include <string.h>

static void print_list(struct buf *out, const char *name, const char *const *list, size_t count)
{
    buf_addf(out, "%s = {", name);
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s\"%s\"", i ? ", " : "", list[i]);
    buf_add(out, SPAN("}"));
}

static void print_address(const struct config_listener *l, struct buf *out)
{
    bool six = strchr(l->host, ':');
    buf_addf(out, "address = \"%s%s%s:%u\"", six ? "[" : "", l->host, six ? "]" : "", l->port);
}

static void print_listener(const struct config_listener *l, struct buf *out)
{
    buf_addf(out, "listener %s { ", l->name);
    print_address(l, out);
    buf_addf(out, "  tls = \"%s\" }\n", l->implicit_tls ? "implicit" : "starttls");
}

static void print_http(const struct config *c, struct buf *out)
{
    buf_addf(out, "http { url = \"%s\"", c->http_url);
    for (size_t i = 0; i < c->listener_count; i++) {
        if (!c->listeners[i].http)
            continue;
        buf_add(out, SPAN("  "));
        print_address(&c->listeners[i], out);
    }
    if (c->http_sender[0])
        buf_addf(out, "  sender = \"%s\"", c->http_sender);
    buf_addf(out, "  color = \"#%06x\"  tls = \"%s\" }\n", c->http_color,
             c->http_tls ? "implicit" : "none");
}

void config_print(const struct config *c, struct buf *out)
{
    buf_addf(out, "hostname = \"%s\"\nstate_dir = \"%s\"\n", c->hostname, c->state_dir);
    print_list(out, "public_ip", c->public_ips, c->public_ip_count);
    buf_addf(out, "\nshards = %u\nlog = \"%s\"\ntrace_client = \"%s\"\nsandbox = \"%s\"\n",
             c->shards, c->log_level, c->trace_client ? "full" : "none",
             c->sandbox_required ? "required" : "available");
    for (size_t i = 0; i < c->listener_count; i++)
        if (!c->listeners[i].http)
            print_listener(&c->listeners[i], out);
    config_tls_print(c, out);
    buf_addf(out,
             "delivery { port = %u  connections = %u  connect_timeout = %u  "
             "next_host_after = %u  reuse = %u  suppress_days = %u  ca_file = \"%s\"  "
             "private_networks = {",
             c->delivery_port, c->site_connections, c->connect_timeout_s, c->next_host_after_s,
             c->idle_reuse_s, c->suppress_days, c->ca_file);
    for (size_t i = 0; i < c->private_network_count; i++) {
        char text[IP_TEXT];
        ip_print(&c->private_networks[i].ip, text);
        buf_addf(out, "%s\"%s/%u\"", i ? ", " : "", text, c->private_networks[i].prefix);
    }
    buf_add(out, SPAN("} }\n"));
    config_routes_print(c, out);
    buf_add(out, SPAN("dns { "));
    print_list(out, "forward", c->dns_forward, c->dns_forward_count);
    buf_addf(out, "  dnssec = \"%s\"  trust_anchor = \"%s\" }\n", c->dnssec ? "on" : "off",
             c->trust_anchor);
    config_domains_print(c, out);
    print_http(c, out);
    config_streams_print(c, out);
    buf_addf(out,
             "limits { size = %llu  recipients = %u  connections = %u  idle = %u  messages = %u  "
             "per_address = %u  per_network = %u  reserve = %u  login = %u  rate = %u  memory = "
             "%u  storage = %llu  tenant_storage = %llu }\n",
             (unsigned long long)c->size_max, c->recipients, c->connections, c->idle_s, c->mails,
             c->per_address, c->per_network, c->reserve, c->login_s, c->rate, c->memory_mb,
             (unsigned long long)c->storage_mb, (unsigned long long)c->tenant_storage_mb);
    config_safety_print(c, out);
}
