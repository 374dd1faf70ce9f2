// SPDX-License-Identifier: BSD-2-Clause
/* template_words.c - Lists and fields that the templates of formats/ can use; a field is written
 * "<field:filter:filter>". */
#include "template.h"

#include "records_format.h"
#include "template_filters.h"

#include <string.h>

/* One name and type: the items of it, and what stays beside them. */
struct record_set {
    const char *name, *zone;
    enum dns_type type;
    const struct record *records[RECORDS_ITEMS_MAX + RECORDS_STANDING_MAX];
    size_t count; /* 0: none */
};

/* Where in the plan the template is. */
struct template_view {
    const struct records_plan *plan;
    unsigned ttl_s;
    const char *zone, *name; /* that it is in; NULL: none */
    struct record_set set;
    const struct records_item *item;
    const struct record *record;
    bool cut_anew; /* its TXT, however it stands */
    size_t nth;    /* from 1, in its list */
};

/* ---- sets ---- */

static bool in_set(const struct record *r, const struct record_set *set)
{
    return set->count > 0 && r->type == set->type && strcmp(r->name, set->name) == 0;
}

/* The same, or an alias in its place. */
static bool meets(const struct record *r, const struct record_set *set)
{
    return set->count > 0 && strcmp(r->name, set->name) == 0 &&
           (r->type == set->type || r->type == DNS_CNAME);
}

/* Is this item the first that is published of its zone, its name, or its name and type? */
enum part { OF_ZONE, OF_NAME, OF_SET };
static bool is_first(const struct records_plan *plan, size_t at, enum part part)
{
    const struct records_item *item = &plan->items[at];
    for (size_t i = 0; i < at; i++) {
        const struct records_item *other = &plan->items[i];
        if (!records_publishable(plan, other))
            continue;
        bool same_name = strcmp(other->record.name, item->record.name) == 0;
        if (part == OF_ZONE
                ? strcmp(other->zone, item->zone) == 0
                : same_name && (part == OF_NAME || other->record.type == item->record.type))
            return false;
    }
    return records_publishable(plan, item);
}

/* The set that the i-th item begins, of the zone and the name that the view is in. */
static bool enter_set(struct template_view *v, size_t i, bool whole)
{
    const struct records_item *item = &v->plan->items[i];
    struct record_set *set = &v->set;
    if (!is_first(v->plan, i, OF_SET) || (v->zone && strcmp(item->zone, v->zone) != 0) ||
        (v->name && strcmp(item->record.name, v->name) != 0))
        return false;
    *set = (struct record_set){.name = item->record.name,
                               .zone = item->zone,
                               .type = item->record.type,
                               .records = {&item->record},
                               .count = 1};
    for (size_t k = i + 1; k < v->plan->count; k++)
        if (records_publishable(v->plan, &v->plan->items[k]) &&
            in_set(&v->plan->items[k].record, set))
            set->records[set->count++] = &v->plan->items[k].record;
    for (size_t k = 0; whole && k < v->plan->standing_count; k++)
        if (!v->plan->standing[k].replaced && in_set(&v->plan->standing[k].record, set))
            set->records[set->count++] = &v->plan->standing[k].record;
    v->zone = item->zone;
    v->record = &item->record;
    return true;
}

/* ---- lists ---- */

/* Go to the i-th of a list, from a copy of the view around it. False: that is none of the list. */
typedef bool template_enter(struct template_view *v, size_t i);

static bool enter_zone(struct template_view *v, size_t i)
{
    v->zone = v->plan->items[i].zone;
    return is_first(v->plan, i, OF_ZONE);
}

static bool enter_name(struct template_view *v, size_t i)
{
    const struct records_item *item = &v->plan->items[i];
    v->record = &item->record;
    v->name = item->record.name;
    return is_first(v->plan, i, OF_NAME) && (!v->zone || strcmp(item->zone, v->zone) == 0);
}

static bool enter_own(struct template_view *v, size_t i)
{
    return enter_set(v, i, false);
}

static bool enter_whole(struct template_view *v, size_t i)
{
    return enter_set(v, i, true);
}

static bool enter_value(struct template_view *v, size_t i)
{
    v->record = v->set.records[i];
    v->cut_anew = true;
    return true;
}

static bool enter_item(struct template_view *v, size_t i)
{
    v->item = &v->plan->items[i];
    v->record = &v->item->record;
    return records_publishable(v->plan, v->item) &&
           (!v->zone || strcmp(v->item->zone, v->zone) == 0);
}

/* In the set: an item that is there already, and shall be. */
static bool enter_kept(struct template_view *v, size_t i)
{
    v->item = &v->plan->items[i];
    v->record = &v->item->record;
    return v->item->stands && v->item->need != RECORDS_LATER && in_set(v->record, &v->set);
}

static bool is_to_change(const struct template_view *v, size_t i)
{
    const struct records_item *item = &v->plan->items[i];
    return records_publishable(v->plan, item) && item->state != RECORDS_OK &&
           in_set(&item->record, &v->set);
}

static bool enter_added(struct template_view *v, size_t i)
{
    v->record = &v->plan->items[i].record;
    return is_to_change(v, i) && !v->plan->items[i].stands;
}

static bool enter_changed(struct template_view *v, size_t i)
{
    bool any = false;
    if (!enter_set(v, i, false))
        return false;
    for (size_t k = 0; k < v->plan->count; k++)
        any = any || is_to_change(v, k);
    return any;
}

static bool enter_seen(struct template_view *v, size_t i)
{
    v->record = &v->plan->standing[i].record;
    return meets(v->record, &v->set);
}

static bool enter_alias(struct template_view *v, size_t i)
{
    return enter_seen(v, i) && v->record->type != v->set.type;
}

/* What must go for the set, in the zone, or at all. */
static bool enter_replaced(struct template_view *v, size_t i)
{
    const struct records_plan *plan = v->plan;
    v->record = &plan->standing[i].record;
    if (!plan->standing[i].replaced || v->set.count > 0)
        return plan->standing[i].replaced && meets(v->record, &v->set);
    for (size_t k = 0; v->zone && k < plan->count; k++) {
        const struct records_item *item = &plan->items[k];
        const struct record_set set = {
            .name = item->record.name, .type = item->record.type, .count = 1};
        if (meets(v->record, &set) && records_publishable(plan, item) &&
            strcmp(item->zone, v->zone) == 0)
            return true;
    }
    return !v->zone;
}

static bool enter_over(struct template_view *v, size_t i)
{
    v->record = &v->plan->over[i];
    return true;
}

/* The list of this name, and at most how many it has. */
static template_enter *find_list(const struct template_view *v, struct span name, size_t *count_r)
{
    const size_t items = v->plan->count;
    const size_t standing = v->plan->standing_count;
    const struct {
        const char *name;
        template_enter *enter;
        size_t count;
    } lists[] = {{"zone", enter_zone, items},
                 {"name", enter_name, items},
                 {"own", enter_own, items},
                 {"whole", enter_whole, items},
                 {"changed", enter_changed, items},
                 {"value", enter_value, v->set.count},
                 {"item", enter_item, items},
                 {"kept", enter_kept, items},
                 {"added", enter_added, items},
                 {"seen", enter_seen, standing},
                 {"alias", enter_alias, standing},
                 {"replaced", enter_replaced, standing},
                 {"over", enter_over, v->plan->over_count}};
    size_t i = 0;
    while (i < COUNT_OF(lists) && !span_equal(name, span_of(lists[i].name)))
        i++;
    CHECK(i < COUNT_OF(lists));
    *count_r = lists[i].count;
    return lists[i].enter;
}

static void each(const void *view, struct span list, template_visit *visit, void *context)
{
    size_t count = 0;
    size_t nth = 0;
    template_enter *enter = find_list(view, list, &count);
    for (size_t i = 0; i < count; i++) {
        struct template_view inner = *(const struct template_view *)view;
        if (!enter(&inner, i))
            continue;
        inner.nth = ++nth;
        visit(&inner, context);
    }
}

/* ---- fields ---- */

static size_t words_of(enum dns_type type)
{
    return type == DNS_MX ? 2 : type == DNS_CAA ? 3 : type == DNS_SRV || type == DNS_TLSA ? 4 : 1;
}

static void add_field(const struct template_view *v, struct span field, struct buf *out)
{
    static const char *const names[] = {"name", "host", "zone",  "type", "ttl", "value", "data",
                                        "nth",  "need", "title", "1",    "2",   "3",     "4"};
    enum { NAME, HOST, ZONE, TYPE, TTL, VALUE, DATA, NTH, NEED, TITLE, WORD };
    size_t i = 0;
    CHECK(span_among(field, names, COUNT_OF(names), &i));
    if (i == NAME)
        buf_add(out, span_of(v->record->name));
    else if (i == HOST)
        buf_add(out, records_host(v->record->name, v->zone));
    else if (i == ZONE)
        buf_add(out, span_of(v->zone));
    else if (i == TYPE)
        buf_add(out, span_of(dns_type_name(v->record->type)));
    else if (i == TTL || i == NTH)
        buf_addf(out, "%zu", i == TTL ? (size_t)v->ttl_s : v->nth);
    else if (i == VALUE)
        buf_add(out, span_of(v->record->value));
    else if (i == DATA && v->cut_anew && v->record->type == DNS_TXT)
        records_quote(span_of(v->record->value), out);
    else if (i == DATA)
        records_rdata(v->record, out);
    else if (i == NEED)
        buf_add(out, span_of(records_need_name(v->item->need)));
    else if (i == TITLE)
        buf_add(out, span_of(records_role_title(v->item->role)));
    else
        buf_add(out, records_word(v->record->value, i - WORD, words_of(v->record->type)));
}

static void insert(const void *view, struct span what, struct buf *out)
{
    const struct template_view *v = view;
    struct span field = span_take(&what, ':');
    struct buf text;
    for (size_t i = 0; span_equal(field, SPAN("values")) && i < v->set.count; i++) {
        struct template_view inner = *v;
        char value[100] = "value:";
        inner.record = v->set.records[i];
        buf_add(out, i > 0 ? SPAN(", ") : SPAN_NONE);
        CHECK(span_copy(what, value + 6, sizeof(value) - 6));
        insert(&inner, span_of(value), out);
    }
    if (span_equal(field, SPAN("values")))
        return;
    buf_init(&text, 8 * RECORD_VALUE_MAX);
    add_field(v, field, &text);
    template_filter(what, &text);
    buf_add(out, buf_span(&text));
    buf_fini(&text);
}

void records_format_print(const struct records_format *format, const struct records_plan *plan,
                          unsigned ttl_s, struct buf *out)
{
    static const struct template t = {.open = '<', .close = '>', .insert = insert, .each = each};
    const struct template_view v = {.plan = plan, .ttl_s = ttl_s};
    template_print(&t, &v, format->text, out);
}
