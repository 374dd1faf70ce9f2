// SPDX-License-Identifier: BSD-2-Clause
/* around.c - Further records of a plan: MX for replies, TLS reporting, SRV for
 * submission, CAA, and addresses of the unsubscribe page's host. */
#include "roles.h"
#include "tlsrpt_record.h"

#include <stdio.h>
#include <string.h>

/* Is what is there one that senders send reports by? Else what is wrong with it. */
static bool wants_reports(struct planning *p, const struct records_item *item, const char **fault_r)
{
    static const char *const faults[] = {
        [TLSRPT_WANTS_REPORTS] = "",
        [TLSRPT_NO_RECORD] = "",
        [TLSRPT_SEVERAL_RECORDS] = "several records are as none: senders send no report",
        [TLSRPT_NO_RUA] = "what is there has no rua=, so senders send no report",
        [TLSRPT_NO_USABLE_RUA] =
            "rua= has no place that a report can be sent to: mailto: or https:"};
    struct tlsrpt_record record;
    const struct dns_answer *a = planning_ask(p, item->record.name, DNS_TXT);
    enum tlsrpt_wants wants = a ? tlsrpt_record_read(a, &record) : TLSRPT_NO_RECORD;
    *fault_r = faults[wants];
    return wants == TLSRPT_WANTS_REPORTS;
}

static void plan_tls_reports(struct planning *p)
{
    const char *fault;
    const char *rua = p->in->rua;
    struct records_item *item =
        planning_item(p, RECORDS_TLSRPT, RECORDS_LATER, DNS_TXT, "_smtp._tls.%s", p->in->domain);
    if (!item)
        return;
    if (!wants_reports(p, item, &fault) || !planning_respects(p, item))
        snprintf(item->record.value, sizeof(item->record.value), "v=TLSRPTv1; rua=mailto:%s%s",
                 rua ? rua : "postmaster@", rua ? "" : p->in->domain);
    planning_settle(p, item);
    if (fault[0])
        planning_note(item, "%s", fault);
}

/* Answers to the domain's mail must be able to arrive. */
static void plan_replies(struct planning *p)
{
    const char *domain = p->in->domain;
    const struct dns_answer *mx = planning_ask(p, domain, DNS_MX);
    const struct dns_answer *v4 = planning_ask(p, domain, DNS_A);
    const struct dns_answer *v6 = planning_ask(p, domain, DNS_AAAA);
    if (!mx || !v4 || !v6 || p->offline || mx->status == DNS_FAILED)
        return;
    bool refuses = mx->count == 1 && mx->rrs[0].data.len == 0;
    if (refuses)
        planning_warn(p, "%s takes no mail at all (null MX): Yahoo and others refuse what it sends",
                      domain);
    else if (mx->count == 0 && v4->count == 0 && v6->count == 0)
        planning_warn(p, "%s has no MX and no address: answers to its mail have nowhere to go",
                      domain);
    if (refuses || mx->count == 0)
        return;
    plan_tls_reports(p);
}

static void plan_service(struct planning *p, const char *service, unsigned port)
{
    struct records_item *item = port == 0
                                    ? NULL
                                    : planning_item(p, RECORDS_SUBMISSION, RECORDS_LATER, DNS_SRV,
                                                    "_%s._tcp.%s", service, p->in->domain);
    if (!item)
        return;
    if (planning_respects(p, item))
        planning_note(item, "kept as it is");
    else
        snprintf(item->record.value, sizeof(item->record.value), "0 1 %u %s", port,
                 p->in->hostname);
    planning_settle(p, item);
}

static void plan_authority(struct planning *p)
{
    struct records_item *item =
        planning_item(p, RECORDS_CAA, p->in->authority ? RECORDS_RECOMMENDED : RECORDS_LATER,
                      DNS_CAA, "%s", p->in->domain);
    if (!item)
        return;
    if (p->in->authority || !planning_respects(p, item))
        snprintf(item->record.value, sizeof(item->record.value), "0 issue \"%s\"",
                 p->in->authority ? p->in->authority : "letsencrypt.org");
    else
        planning_note(item, "kept as it is");
    planning_settle(p, item);
    if (!p->in->authority && item->state != RECORDS_OK)
        planning_note(item, "name the authority that you use");
}

/* Any address will do: it may be that of a proxy. */
void planning_page(struct planning *p)
{
    const char *host = p->in->unsubscribe_host;
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    if (!host || strcmp(host, p->in->hostname) == 0)
        return;
    bool there = false;
    for (size_t i = 0; i < COUNT_OF(types) && !there; i++) {
        const struct dns_answer *a = planning_ask(p, host, types[i]);
        struct records_item *item = NULL;
        if (!a || a->count == 0 ||
            !(item = planning_item(p, RECORDS_UNSUBSCRIBE, RECORDS_REQUIRED, types[i], "%s", host)))
            continue;
        there = planning_respects(p, item);
        planning_settle(p, item);
    }
    for (size_t i = 0; i < p->in->ip_count && !there; i++) {
        const char *ip = p->in->public_ips[i];
        struct records_item *item = planning_item(p, RECORDS_UNSUBSCRIBE, RECORDS_REQUIRED,
                                                  strchr(ip, ':') ? DNS_AAAA : DNS_A, "%s", host);
        if (!item)
            return;
        snprintf(item->record.value, sizeof(item->record.value), "%s", ip);
        planning_settle(p, item);
    }
}

void planning_around(struct planning *p)
{
    plan_replies(p);
    planning_policy(p);
    plan_service(p, "submissions", p->in->tls_port);
    plan_service(p, "submission", p->in->starttls_port);
    plan_authority(p);
}
