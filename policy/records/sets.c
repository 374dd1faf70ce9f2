// SPDX-License-Identifier: BSD-2-Clause
/* sets.c - Names, strings and sets of records as DNS tools want them. */
#include "records_format.h"

#include <stdio.h>
#include <string.h>

bool records_publishable(const struct records_plan *plan, const struct records_item *item)
{
    bool now = item->need != RECORDS_LATER || (plan->with_later && item->role != RECORDS_DMARC);
    return now && !item->blocked && !item->aliased && !item->by_provider && item->record.value[0];
}

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

bool records_in_set(const struct record *r, const struct records_set *set)
{
    return r->type == set->type && strcmp(r->name, set->name) == 0;
}

static bool is_first_of_set(const struct records_plan *plan, size_t at)
{
    const struct records_set set = {.name = plan->items[at].record.name,
                                    .type = plan->items[at].record.type};
    for (size_t i = 0; i < at; i++)
        if (records_publishable(plan, &plan->items[i]) &&
            records_in_set(&plan->items[i].record, &set))
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
        if (records_publishable(plan, &plan->items[i]) &&
            records_in_set(&plan->items[i].record, set_r))
            set_r->values[set_r->count++] = plan->items[i].record.value;
    for (size_t i = 0; i < plan->standing_count; i++)
        if (whole && !plan->standing[i].replaced &&
            records_in_set(&plan->standing[i].record, set_r))
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
