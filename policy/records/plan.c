// SPDX-License-Identifier: BSD-2-Clause
/* plan.c - Makes the plan of a sending domain, one function for each role. */
#include "dkim_record.h"
#include "dmarc_merge.h"
#include "roles.h"

#include <stdio.h>
#include <string.h>

static const struct dns_answer *ask_nobody(void *context, const char *name, enum dns_type type)
{
    static const struct dns_answer nothing = {.status = DNS_NXDOMAIN};
    (void)context;
    (void)name;
    (void)type;
    return &nothing;
}

static const struct dns nobody = {ask_nobody, NULL};

static void plan_spf(struct planning *p, const char *domain)
{
    struct records_item *item =
        planning_item(p, RECORDS_SPF, RECORDS_REQUIRED, DNS_TXT, "%s", domain);
    if (!item)
        return;
    if (p->in->ip_count > 0) {
        planning_spf(p, item, NULL);
        return;
    }
    planning_find_zone(p, item);
    item->blocked = true;
    planning_note(item, "set public_ip in the config file to the addresses that receivers see");
}

/* To us, and to nobody else, who would not know what to do with it. */
static void plan_way_here(struct planning *p, const char *domain)
{
    struct records_item *item =
        planning_item(p, RECORDS_RETURN_PATH, RECORDS_REQUIRED, DNS_MX, "%s", domain);
    if (!item)
        return;
    snprintf(item->record.value, sizeof(item->record.value), "10 %s", p->in->hostname);
    planning_settle(p, item);
    const struct dns_answer *a = planning_ask(p, domain, DNS_MX);
    if (item->state == RECORDS_OK && a && a->count > 1)
        planning_note(item, "other hosts are named there, too: what comes back to them is lost");
}

/* Bounces to a MAIL FROM domain of its own come to us, or go where the domain's mail goes. */
static void plan_return_path(struct planning *p)
{
    const char *domain = p->in->return_path ? p->in->return_path : p->in->domain;
    plan_spf(p, domain);
    if (strcmp(domain, p->in->domain) == 0)
        return;
    if (p->in->returns_here) {
        plan_way_here(p, domain);
        return;
    }
    const struct dns_answer *mx = planning_ask(p, p->in->domain, DNS_MX);
    for (size_t i = 0; mx && i < mx->count; i++) {
        struct records_item *item =
            planning_item(p, RECORDS_RETURN_PATH, RECORDS_RECOMMENDED, DNS_MX, "%s", domain);
        if (!item || !mx->rrs[i].data.len ||
            !planning_take(&item->record, item->record.name, DNS_MX, &mx->rrs[i]))
            return;
        planning_settle(p, item);
    }
}

/* ---- DKIM ---- */

static void describe_key(struct planning *p, struct records_item *item)
{
    const struct dns_answer *a = planning_ask(p, item->record.name, DNS_TXT);
    if (item->state == RECORDS_WRONG && a && a->count == 1)
        planning_note(item, "the record there %s",
                      dkim_state_text(dkim_record_compare(a->rrs[0].data, item->key.algorithm,
                                                          span_of(item->key.public_key))));
    else if (item->state == RECORDS_WRONG && a)
        planning_note(item, "%zu records are published, and receivers may use any of them",
                      a->count);
}

static void plan_alias(struct planning *p, const char *selector, const char *target,
                       enum records_need need)
{
    struct records_item *item = planning_item(p, RECORDS_DKIM, need, DNS_CNAME, "%s._domainkey.%s",
                                              selector, p->in->domain);
    if (!item)
        return;
    snprintf(item->record.value, sizeof(item->record.value), "%s", target);
    planning_settle(p, item);
}

/* It is not needed any more: does it still stand there? */
static void plan_removal(struct planning *p, const struct record *record)
{
    struct records_plan *plan = p->plan;
    const struct dns_answer *a = planning_ask(p, record->name, DNS_TXT);
    for (size_t i = 0; a && i < a->count && plan->over_count < RECORDS_ITEMS_MAX; i++)
        plan->over_count +=
            planning_take(&plan->over[plan->over_count], record->name, DNS_TXT, &a->rrs[i]);
}

static void plan_key(struct planning *p, const struct records_key *key)
{
    struct record record;
    enum records_need need =
        key->use == RECORDS_KEY_NEEDED ? RECORDS_REQUIRED : RECORDS_RECOMMENDED;
    if (key->delegated)
        plan_alias(p, key->selector, key->delegated, need);
    records_dkim(p->in->domain, key, &record);
    if (key->use == RECORDS_KEY_OVER) {
        if (!key->delegated)
            plan_removal(p, &record);
        return;
    }
    struct records_item *item = planning_item(p, RECORDS_DKIM, need, DNS_TXT, "%s", record.name);
    if (!item)
        return;
    item->record = record;
    item->key = *key;
    planning_settle(p, item);
    if (key->use != RECORDS_KEY_REVOKED)
        describe_key(p, item);
}

static void plan_keys(struct planning *p)
{
    for (size_t i = 0; i < p->in->key_count; i++)
        plan_key(p, &p->in->keys[i]);
    if (p->in->spare_selector)
        plan_alias(p, p->in->spare_selector, p->in->spare_target, RECORDS_RECOMMENDED);
}

/* ---- DMARC ---- */

/* RFC 9990 section 4: the other organization must agree. */
static void plan_reports(struct planning *p)
{
    const char *domain = p->in->rua ? strrchr(p->in->rua, '@') : NULL;
    if (!domain || dns_name_within(domain + 1, p->in->domain) ||
        dns_name_within(p->in->domain, domain + 1))
        return;
    struct records_item *item =
        planning_item(p, RECORDS_DMARC_REPORTS, RECORDS_RECOMMENDED, DNS_TXT,
                      "%s._report._dmarc.%s", p->in->domain, domain + 1);
    if (!item)
        return;
    snprintf(item->record.value, sizeof(item->record.value), "%s", "v=DMARC1");
    planning_settle(p, item);
}

static void plan_dmarc(struct planning *p)
{
    struct dmarc_merge merge;
    dmarc_merge(p->in->domain, p->in->rua, p->dns, &merge);
    if (merge.state == DMARC_MERGE_PENDING)
        p->plan->pending = true;
    enum records_need need =
        merge.state == DMARC_MERGE_COVERED ? RECORDS_RECOMMENDED : RECORDS_REQUIRED;
    struct records_item *item =
        planning_item(p, RECORDS_DMARC, need, DNS_TXT, "_dmarc.%s", p->in->domain);
    if (!item)
        return;
    snprintf(item->record.value, sizeof(item->record.value), "%s", merge.text);
    planning_settle(p, item);
    if (merge.state == DMARC_MERGE_UNANSWERED) {
        item->blocked = true;
        item->state = RECORDS_UNKNOWN;
        planning_note(item,
                      "DNS does not answer for the policy of this domain, or of those above it");
    }
    if (merge.note[0])
        planning_note(item, "%s", merge.note);
    if (merge.next[0] && (item = planning_item(p, RECORDS_DMARC, RECORDS_LATER, DNS_TXT,
                                               "_dmarc.%s", p->in->domain))) {
        snprintf(item->record.value, sizeof(item->record.value), "%s", merge.next);
        planning_find_zone(p, item);
        item->state = RECORDS_MISSING;
        planning_note(item, "the next step, when the reports show that all your mail passes");
    }
    plan_reports(p);
}

/* ---- all of it ---- */

/* What a later item wants was not known when an earlier one of the same name was looked at. */
static void tidy_standing(struct records_plan *plan)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->standing_count; i++) {
        bool wanted = false;
        for (size_t k = 0; k < plan->count; k++)
            wanted = wanted || (plan->items[k].need != RECORDS_LATER &&
                                planning_same(&plan->items[k].record, &plan->standing[i].record));
        if (!wanted)
            plan->standing[kept++] = plan->standing[i];
    }
    plan->standing_count = kept;
}

void records_plan(const struct records_input *in, const struct dns *dns,
                  struct records_plan *plan_r)
{
    struct planning p = {in, dns ? dns : &nobody, plan_r, dns == NULL};
    bool secure = false;
    plan_r->count = plan_r->standing_count = plan_r->over_count = plan_r->warning_count = 0;
    plan_r->pending = false;
    plan_r->policy[0] = plan_r->policy_id[0] = '\0';
    snprintf(plan_r->domain, sizeof(plan_r->domain), "%s", in->domain);
    enum dns_status status = dns_zone(p.dns, in->domain, plan_r->zone, &secure);
    if (status == DNS_PENDING)
        plan_r->pending = true;
    if (status != DNS_FOUND)
        snprintf(plan_r->zone, sizeof(plan_r->zone), "%s", in->domain);
    if (status == DNS_FAILED && dns)
        planning_warn(
            &p, "DNS does not answer for %s: what is published there is not known, and not merged",
            in->domain);
    plan_return_path(&p);
    plan_keys(&p);
    plan_dmarc(&p);
    planning_page(&p);
    planning_host(&p);
    planning_around(&p);
    tidy_standing(plan_r);
}
