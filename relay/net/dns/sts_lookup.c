// SPDX-License-Identifier: BSD-2-Clause
/* sts_lookup.c - One question for _mta-sts.DOMAIN, and one for the addresses of mta-sts.DOMAIN: of
 * the two families either will do when the other has no answer. */
#include "sts_lookup.h"

#include "question.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IPS_MAX = 16 };

struct sts_lookup {
    struct question base;
    char name[DNS_NAME_MAX + 1];
    sts_lookup_on_record *on_record;
    sts_lookup_on_addresses *on_addresses;
    void *context;
};

static void on_record(struct question *base)
{
    static const struct dns_answer none = {.status = DNS_FAILED};
    struct sts_lookup *l = OWNER_OF(base, struct sts_lookup, base);
    const struct dns_answer *txt = base->dns.ask(base->dns.context, l->name, DNS_TXT);
    sts_lookup_on_record *done = l->on_record;
    void *context = l->context;
    if (txt->status == DNS_PENDING && !base->last)
        return;
    if (txt->status == DNS_PENDING)
        txt = &none;
    question_close(base); /* its memory stays until the loop has run */
    done(context, txt);
}

static size_t add_ips(const struct dns_answer *a, bool v6, struct ip *ips_r, size_t count)
{
    size_t len = v6 ? 16 : 4;
    for (size_t i = 0; a->status == DNS_FOUND && i < a->count && count < IPS_MAX; i++) {
        if (a->rrs[i].data.len != len)
            continue;
        ips_r[count] = (struct ip){.v6 = v6};
        memcpy(ips_r[count++].bytes, a->rrs[i].data.ptr, len);
    }
    return count;
}

static bool is_missing(const struct dns_answer *a)
{
    return a->status == DNS_PENDING || a->status == DNS_FAILED;
}

static void on_addresses(struct question *base)
{
    struct sts_lookup *l = OWNER_OF(base, struct sts_lookup, base);
    const struct dns_answer *v6 = base->dns.ask(base->dns.context, l->name, DNS_AAAA);
    const struct dns_answer *v4 = base->dns.ask(base->dns.context, l->name, DNS_A);
    struct ip ips[IPS_MAX];
    sts_lookup_on_addresses *done = l->on_addresses;
    void *context = l->context;
    if ((v6->status == DNS_PENDING || v4->status == DNS_PENDING) && !base->last)
        return;
    size_t count = add_ips(v6, true, ips, add_ips(v4, false, ips, 0));
    bool failed = count == 0 && (is_missing(v6) || is_missing(v4));
    question_close(base);
    done(context, ips, count, failed);
}

static struct sts_lookup *make(struct resolver *r, const struct sts_lookup_query *query,
                               const char *prefix, void *context)
{
    struct sts_lookup *l = xcalloc(1, sizeof(*l));
    snprintf(l->name, sizeof(l->name), "%s%s", prefix, query->domain);
    dns_name_lower(l->name);
    l->base.about = l->name + strlen(prefix);
    l->context = context;
    l->base.urgent = query->urgent;
    l->base.merit = query->merit;
    l->base.patient = true;
    l->base.fresh = query->fresh;
    l->base.after_ms = query->after_ms;
    snprintf(l->base.tenant, sizeof(l->base.tenant), "%s", query->tenant);
    question_open(&l->base, r, 2, query->timeout_ms);
    return l;
}

struct sts_lookup *sts_lookup_record(struct resolver *r, const struct sts_lookup_query *query,
                                     sts_lookup_on_record *done, void *context)
{
    struct sts_lookup *l = make(r, query, "_mta-sts.", context);
    l->on_record = done;
    l->base.evaluate = on_record;
    return l;
}

struct sts_lookup *sts_lookup_addresses(struct resolver *r, const struct sts_lookup_query *query,
                                        sts_lookup_on_addresses *done, void *context)
{
    struct sts_lookup *l = make(r, query, "mta-sts.", context);
    l->on_addresses = done;
    l->base.evaluate = on_addresses;
    return l;
}

void sts_lookup_cancel(struct sts_lookup *l)
{
    if (l)
        question_close(&l->base);
}
