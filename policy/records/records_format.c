// SPDX-License-Identifier: BSD-2-Clause
/* records_format.c - Names, strings and sets as DNS tools want them; zone files and nsupdate. */
#include "records_format.h"

#include "records_formats.h"

#include <stdio.h>
#include <string.h>

const struct records_format records_formats[] = {
    {"bind", records_bind},
    {"nsupdate", records_nsupdate},
    {"terraform-cloudflare", records_cloudflare},
    {"terraform-route53", records_route53},
    {"terraform-google", records_google},
    {"terraform-azure", records_azure},
    {"octodns", records_octodns},
    {"dnscontrol", records_dnscontrol},
};
const size_t records_format_count = COUNT_OF(records_formats);

bool records_publishable(const struct records_plan *plan, const struct records_item *item)
{
    bool now = item->need != RECORDS_LATER || (plan->with_later && item->role != RECORDS_DMARC);
    return now && !item->blocked && !item->aliased && !item->by_provider && item->record.value[0];
}

/* ---- pieces ---- */

struct span records_host(const char *name, const char *zone)
{
    size_t len = strlen(name);
    size_t tail = strlen(zone);
    if (!dns_name_within(name, zone))
        return (struct span){name, len};
    return len == tail ? SPAN("@") : (struct span){name, len - tail - 1};
}

static void add_string(struct span piece, struct buf *out)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < piece.len; i++) {
        unsigned char c = (unsigned char)piece.ptr[i];
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < ' ' || c > '~')
            buf_addf(out, "\\%03u", c);
        else
            buf_add_char(out, (char)c);
    }
    buf_add_char(out, '"');
}

void records_quote(struct span text, struct buf *out)
{
    bool first = true;
    do {
        struct span piece = span_first(text, RECORDS_STRING_MAX);
        text = span_from(text, piece.len);
        if (!first)
            buf_add_char(out, ' ');
        first = false;
        add_string(piece, out);
    } while (text.len > 0);
}

/* As it stands in DNS: for those who compare octets. */
static void quote_as_it_stands(const struct record *r, struct buf *out)
{
    struct span rest = span_of(r->value);
    for (size_t i = 0; i < r->cut_count; i++) {
        struct span piece = span_first(rest, r->cuts[i]);
        rest = span_from(rest, piece.len);
        if (i > 0)
            buf_add_char(out, ' ');
        add_string(piece, out);
    }
}

void records_rdata(const struct record *r, struct buf *out)
{
    if (r->type == DNS_TXT && r->cut_count > 0)
        quote_as_it_stands(r, out);
    else if (r->type == DNS_TXT)
        records_quote(span_of(r->value), out);
    else
        buf_add(out, span_of(r->value));
    if (r->type == DNS_MX || r->type == DNS_SRV || r->type == DNS_CNAME || r->type == DNS_PTR ||
        r->type == DNS_NS)
        buf_add_char(out, '.');
}

struct span records_word(const char *value, size_t nth, size_t count)
{
    struct span rest = span_of(value);
    struct span word = rest;
    for (size_t i = 0; i <= nth; i++)
        word = i + 1 == count ? rest : span_take(&rest, ' ');
    return word;
}

struct span records_unquoted(struct span s)
{
    return s.len >= 2 && s.ptr[0] == '"' ? span_first(span_from(s, 1), s.len - 2) : s;
}

/* ---- sets ---- */

static bool belongs(const struct record *r, const struct records_set *set)
{
    return r->type == set->type && strcmp(r->name, set->name) == 0;
}

/* The same, or an alias in its place. */
static bool meets(const struct record *r, const struct records_set *set)
{
    return strcmp(r->name, set->name) == 0 && (r->type == set->type || r->type == DNS_CNAME);
}

static bool is_first_of_set(const struct records_plan *plan, size_t at)
{
    const struct records_set set = {.name = plan->items[at].record.name,
                                    .type = plan->items[at].record.type};
    for (size_t i = 0; i < at; i++)
        if (records_publishable(plan, &plan->items[i]) && belongs(&plan->items[i].record, &set))
            return false;
    return records_publishable(plan, &plan->items[at]);
}

bool records_next_set(const struct records_plan *plan, bool whole, size_t *at,
                      struct records_set *set_r)
{
    while (*at < plan->count && !is_first_of_set(plan, *at))
        (*at)++;
    if (*at == plan->count)
        return false;
    const struct records_item *first = &plan->items[(*at)++];
    *set_r = (struct records_set){
        .name = first->record.name, .zone = first->zone, .type = first->record.type};
    for (size_t i = 0; i < plan->count; i++)
        if (records_publishable(plan, &plan->items[i]) && belongs(&plan->items[i].record, set_r))
            set_r->values[set_r->count++] = plan->items[i].record.value;
    for (size_t i = 0; i < plan->standing_count; i++)
        if (whole && !plan->standing[i].replaced && belongs(&plan->standing[i].record, set_r))
            set_r->values[set_r->count++] = plan->standing[i].record.value;
    return true;
}

static bool is_new_zone(const struct records_plan *plan, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (records_publishable(plan, &plan->items[i]) &&
            strcmp(plan->items[i].zone, plan->items[at].zone) == 0)
            return false;
    return records_publishable(plan, &plan->items[at]);
}

const char *records_zone(const struct records_plan *plan, size_t nth)
{
    for (size_t i = 0; i < plan->count; i++)
        if (is_new_zone(plan, i) && nth-- == 0)
            return plan->items[i].zone;
    return NULL;
}

/* ---- a zone file ---- */

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
        if (!item->stands || item->need == RECORDS_LATER || !belongs(&item->record, set))
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
            !belongs(&item->record, set))
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
