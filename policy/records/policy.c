// SPDX-License-Identifier: BSD-2-Clause
/* policy.c - MTA-STS for mail to the domain (RFC 8461): the policy, the host that serves it, and
 * the record whose id follows from it, so that the one does not change without the other.
 *
 * What the settings or a command say is meant. Else a policy is proposed that names the hosts of
 * the MX and asks for reports only ("testing"), and a record that stands is its owner's.
 */
#include "roles.h"

#include <stdio.h>
#include <string.h>

/* The domain's MX records; NULL: not known, or it takes no mail. */
static const struct dns_answer *ask_hosts(struct planning *p)
{
    const struct dns_answer *mx = planning_ask(p, p->in->domain, DNS_MX);
    bool refuses = mx && mx->count == 1 && mx->rrs[0].data.len == 0;
    return mx && mx->status == DNS_FOUND && mx->count > 0 && !refuses ? mx : NULL;
}

static void name_hosts(struct planning *p, const struct dns_answer *mx,
                       struct mta_sts_policy *policy)
{
    const struct records_policy *said = &p->in->policy;
    for (size_t i = 0; i < said->mx_count; i++)
        if (!mta_sts_policy_add(policy, span_of(said->mx[i])))
            planning_warn(p, "%.120s is no host that an MTA-STS policy can name", said->mx[i]);
    for (size_t i = 0; said->mx_count == 0 && mx && i < mx->count; i++)
        if (!mta_sts_policy_add(policy, mx->rrs[i].data))
            planning_warn(p, "the MX host %.*s is none that an MTA-STS policy can name",
                          SPAN_ARG(mx->rrs[i].data));
}

/* False: there is none, or too much of it. */
static bool print_policy(struct planning *p, const struct mta_sts_policy *policy)
{
    struct records_plan *plan = p->plan;
    struct buf text;
    if (policy->mx.len == 0 && policy->mode != MTA_STS_MODE_NONE)
        return false;
    buf_init(&text, RECORDS_POLICY_MAX);
    mta_sts_policy_print(policy, &text);
    bool whole = !text.overflow && span_copy(buf_span(&text), plan->policy, sizeof(plan->policy));
    if (!whole)
        planning_warn(p, "the hosts are too many for the MTA-STS policy that is shown");
    mta_sts_policy_id(policy, plan->policy_id);
    buf_fini(&text);
    return whole;
}

/* Whatever leads there: it may be a proxy. */
static void plan_host(struct planning *p)
{
    static const enum dns_type types[] = {DNS_CNAME, DNS_A, DNS_AAAA};
    char name[2 * DNS_NAME_MAX];
    const char *ours = p->in->policy.served_at;
    enum dns_type type = DNS_CNAME;
    bool there = false;
    snprintf(name, sizeof(name), "mta-sts.%s", p->in->domain);
    for (size_t i = 0; i < COUNT_OF(types) && !there; i++) {
        const struct dns_answer *a = planning_ask(p, name, types[i]);
        there = a && a->count > 0;
        type = there ? types[i] : type;
    }
    struct records_item *item =
        there || ours ? planning_item(p, RECORDS_POLICY_HOST, RECORDS_LATER, type, "%s", name)
                      : NULL;
    if (!item)
        return;
    if (!there || !planning_respects(p, item))
        snprintf(item->record.value, sizeof(item->record.value), "%s", ours ? ours : "");
    planning_settle(p, item);
}

/* Is what is there one that senders read? */
static bool is_record(struct planning *p, const struct records_item *item)
{
    char id[MTA_STS_ID_MAX + 1];
    const struct dns_answer *a = planning_ask(p, item->record.name, DNS_TXT);
    return a && mta_sts_record_read(a, id) == MTA_STS_RECORD;
}

static void plan_record(struct planning *p)
{
    const char *domain = p->in->domain;
    struct records_item *item =
        planning_item(p, RECORDS_MTA_STS, RECORDS_LATER, DNS_TXT, "_mta-sts.%s", domain);
    if (!item)
        return;
    if (p->in->policy.said || !is_record(p, item) || !planning_respects(p, item))
        snprintf(item->record.value, sizeof(item->record.value), "v=STSv1; id=%s",
                 p->plan->policy_id);
    planning_settle(p, item);
    planning_note(item, "to be published when https://mta-sts.%.160s/.well-known/mta-sts.txt %s",
                  domain,
                  p->in->policy.served_at ? "is there, which this relay serves"
                                          : "is there: --format mta-sts writes that file");
}

/* Mail for a host that a policy does not name would wait. */
static void note_unnamed(struct planning *p, const struct dns_answer *mx,
                         const struct mta_sts_policy *policy)
{
    for (size_t i = 0; mx && policy->mode != MTA_STS_MODE_NONE && i < mx->count; i++)
        if (!mta_sts_matches(policy, mx->rrs[i].data))
            planning_warn(p,
                          "the MTA-STS policy does not name the MX host %.*s: add it to "
                          "mta_sts_mx before you publish",
                          SPAN_ARG(mx->rrs[i].data));
}

void planning_policy(struct planning *p)
{
    const struct records_policy *said = &p->in->policy;
    const struct dns_answer *mx = ask_hosts(p);
    struct mta_sts_policy policy;
    mta_sts_policy_init(&policy, said->said ? said->mode : MTA_STS_MODE_TESTING,
                        said->max_age_s ? said->max_age_s : MTA_STS_AGE_S);
    name_hosts(p, mx, &policy);
    if (mta_sts_policy_is_brief(&policy))
        planning_warn(
            p,
            "senders forget the MTA-STS policy after %u seconds (max_age), and mail between two of "
            "them has none: take weeks",
            (unsigned)policy.max_age_s);
    if ((mx || said->mx_count > 0) && print_policy(p, &policy)) {
        plan_host(p);
        plan_record(p);
        if (said->mx_count > 0)
            note_unnamed(p, mx, &policy);
    }
    mta_sts_policy_fini(&policy);
}
