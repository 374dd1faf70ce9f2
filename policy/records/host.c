// SPDX-License-Identifier: BSD-2-Clause
/* host.c - Records of the relay's own host: A and AAAA, PTR, SPF for HELO, TLSA. */
#include "roles.h"

#include <stdio.h>
#include <string.h>

static void plan_address(struct planning *p, const char *host, const char *ip)
{
    struct records_item *item = planning_item(p, RECORDS_HOST, RECORDS_REQUIRED,
                                              strchr(ip, ':') ? DNS_AAAA : DNS_A, "%s", host);
    if (!item)
        return;
    snprintf(item->record.value, sizeof(item->record.value), "%s", ip);
    planning_settle(p, item);
}

static void plan_way_back(struct planning *p, const char *host, const char *ip)
{
    char name[DNS_NAME_MAX + 1];
    struct records_item *item = NULL;
    if (!dns_reverse_name(ip, name) ||
        !(item = planning_item(p, RECORDS_PTR, RECORDS_REQUIRED, DNS_PTR, "%s", name)))
        return;
    snprintf(item->record.value, sizeof(item->record.value), "%s", host);
    planning_settle(p, item);
    item->by_provider = true;
}

/* Mail without a sender is judged by the HELO name (RFC 7208 section 2.4). */
static void plan_helo(struct planning *p)
{
    const char *judged = p->in->return_path ? p->in->return_path : p->in->domain;
    struct records_item *item =
        strcmp(judged, p->in->hostname) == 0 || p->in->ip_count == 0
            ? NULL
            : planning_item(p, RECORDS_HELO, RECORDS_RECOMMENDED, DNS_TXT, "%s", p->in->hostname);
    if (item)
        planning_spf(p, item, "a -all");
}

static void plan_certificate(struct planning *p, unsigned port)
{
    char zone[DNS_NAME_MAX + 1];
    bool secure = false;
    struct records_item *item = NULL;
    if (port == 0 || !p->in->spki_sha256)
        return;
    enum dns_status status = dns_zone(p->dns, p->in->hostname, zone, &secure);
    if (status == DNS_PENDING)
        p->plan->pending = true;
    if (!secure || !(item = planning_item(p, RECORDS_TLSA, RECORDS_LATER, DNS_TLSA, "_%u._tcp.%s",
                                          port, p->in->hostname)))
        return;
    snprintf(item->record.value, sizeof(item->record.value), "3 1 1 %s", p->in->spki_sha256);
    planning_settle(p, item);
}

void planning_host(struct planning *p)
{
    for (size_t i = 0; i < p->in->ip_count; i++)
        plan_address(p, p->in->hostname, p->in->public_ips[i]);
    for (size_t i = 0; i < p->in->source_count; i++)
        plan_address(p, p->in->sources[i].name, p->in->sources[i].ip);
    for (size_t i = 0; i < p->in->ip_count; i++)
        plan_way_back(p, p->in->hostname, p->in->public_ips[i]);
    for (size_t i = 0; i < p->in->source_count; i++)
        plan_way_back(p, p->in->sources[i].name, p->in->sources[i].ip);
    plan_helo(p);
    plan_certificate(p, p->in->tls_port);
    plan_certificate(p, p->in->starttls_port);
}
