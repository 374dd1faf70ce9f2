// SPDX-License-Identifier: BSD-2-Clause
/* zone_file.c - A zone file, and the same as an update (RFC 2136) for nsupdate. */
#include "formats.h"

#include <stdio.h>
#include <string.h>

static void print_record(const struct record *r, struct span host, unsigned ttl_s, struct buf *out)
{
    buf_addf(out, "%.*s %u IN %s ", SPAN_ARG(host), ttl_s, dns_type_name(r->type));
    records_rdata(r, out);
    buf_add_char(out, '\n');
}

static const struct records_item *find_item(const struct records_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->items[i].record.name, name) == 0)
            return &plan->items[i];
    return NULL;
}

/* Lines for a zone file; what they replace must be taken out of it by hand, and is named. */
void records_bind(const struct records_plan *plan, unsigned ttl_s, struct buf *out)
{
    const char *zone = NULL;
    for (size_t i = 0; i < plan->over_count; i++)
        buf_addf(out, "; take out: %s. TXT\n", plan->over[i].name);
    for (size_t n = 0; (zone = records_zone(plan, n)); n++) {
        buf_addf(out, "%s$ORIGIN %s.\n", n > 0 ? "\n" : "", zone);
        for (size_t i = 0; i < plan->standing_count; i++) {
            const struct records_standing *s = &plan->standing[i];
            const struct records_item *item = find_item(plan, s->record.name);
            if (!s->replaced || !item || !records_publishable(plan, item) ||
                strcmp(item->zone, zone) != 0)
                continue;
            buf_add(out, SPAN("; take out: "));
            print_record(&s->record, records_host(s->record.name, zone), ttl_s, out);
        }
        for (size_t i = 0; i < plan->count; i++) {
            const struct records_item *item = &plan->items[i];
            if (!records_publishable(plan, item) || strcmp(item->zone, zone) != 0)
                continue;
            buf_addf(out, "; %s (%s)\n", records_role_title(item->role),
                     records_need_name(item->need));
            print_record(&item->record, records_host(item->record.name, zone), ttl_s, out);
        }
    }
}

/* ---- nsupdate ---- */

static void print_update(const char *verb, const struct record *r, const char *ttl, struct buf *out)
{
    buf_addf(out, "%s %s. %s%s ", verb, r->name, ttl, dns_type_name(r->type));
    records_rdata(r, out);
    buf_add_char(out, '\n');
}

/* The same, or an alias in its place. */
static bool meets(const struct record *r, const struct records_set *set)
{
    return strcmp(r->name, set->name) == 0 && (r->type == set->type || r->type == DNS_CNAME);
}

/* What the set must be like for the change to be right: just as it was seen (RFC 2136 section
 * 2.4). A set that has been changed since is left alone, and nsupdate says so. */
static void print_prerequisites(const struct records_plan *plan, const struct records_set *set,
                                struct buf *out)
{
    bool any = false;
    bool alias = false;
    for (size_t i = 0; i < plan->standing_count; i++) {
        const struct record *r = &plan->standing[i].record;
        if (!meets(r, set))
            continue;
        any = true;
        alias = alias || r->type != set->type;
        print_update("prereq yxrrset", r, "IN ", out);
    }
    for (size_t i = 0; i < plan->count; i++) {
        const struct records_item *item = &plan->items[i];
        if (!item->stands || item->need == RECORDS_LATER || !records_in_set(&item->record, set))
            continue;
        any = true;
        print_update("prereq yxrrset", &item->record, "IN ", out);
    }
    if (!any || alias)
        buf_addf(out, "prereq nxrrset %s. IN %s\n", set->name, dns_type_name(set->type));
}

static void print_set_update(const struct records_plan *plan, const struct records_set *set,
                             unsigned ttl_s, struct buf *out)
{
    char ttl[32];
    bool begun = false;
    snprintf(ttl, sizeof(ttl), "%u IN ", ttl_s);
    for (size_t i = 0; i < plan->count; i++) {
        const struct records_item *item = &plan->items[i];
        if (!records_publishable(plan, item) || item->state == RECORDS_OK ||
            !records_in_set(&item->record, set))
            continue;
        if (!begun) {
            buf_addf(out, "zone %s.\n", set->zone);
            print_prerequisites(plan, set, out);
            for (size_t k = 0; k < plan->standing_count; k++)
                if (plan->standing[k].replaced && meets(&plan->standing[k].record, set))
                    print_update("update delete", &plan->standing[k].record, "IN ", out);
        }
        begun = true;
        if (!item->stands)
            print_update("update add", &item->record, ttl, out);
    }
    if (begun)
        buf_add(out, SPAN("send\n"));
}

/* Only what is not as it should be, a transaction for each set. */
void records_nsupdate(const struct records_plan *plan, unsigned ttl_s, struct buf *out)
{
    struct records_set set;
    for (size_t at = 0; records_next_set(plan, false, &at, &set);)
        print_set_update(plan, &set, ttl_s, out);
    for (size_t i = 0; i < plan->over_count; i++) {
        print_update("prereq yxrrset", &plan->over[i], "IN ", out);
        print_update("update delete", &plan->over[i], "IN ", out);
        buf_add(out, SPAN("send\n"));
    }
    if (out->len == 0)
        buf_add(out, SPAN("; nothing is to be changed\n"));
}
