// SPDX-License-Identifier: BSD-2-Clause
/* planning.c - Looks up each item of a plan in DNS, and distinguishes aliases, wildcards and
 * records that belong to others. */
#include "planning.h"

#include "spf_merge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct dns_answer *planning_ask(struct planning *p, const char *name, enum dns_type type)
{
    const struct dns_answer *a = p->dns->ask(p->dns->context, name, type);
    if (a->status != DNS_PENDING)
        return a;
    p->plan->pending = true;
    return NULL;
}

/* Text of DNS ends up in terminals. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

void planning_warn(struct planning *p, const char *format, ...)
{
    va_list args;
    if (p->plan->warning_count == RECORDS_WARNINGS_MAX)
        return;
    char *text = p->plan->warnings[p->plan->warning_count++];
    va_start(args, format);
    vsnprintf(text, sizeof(p->plan->warnings[0]), format, args);
    va_end(args);
    make_printable(text);
}

void planning_note(struct records_item *item, const char *format, ...)
{
    size_t used = strlen(item->note);
    if (used > 0)
        used += (size_t)snprintf(item->note + used, sizeof(item->note) - used, "; ");
    va_list args;
    va_start(args, format);
    if (used < sizeof(item->note))
        vsnprintf(item->note + used, sizeof(item->note) - used, format, args);
    va_end(args);
    make_printable(item->note);
}

/* ---- items ---- */

struct records_item *planning_item(struct planning *p, enum records_role role,
                                   enum records_need need, enum dns_type type, const char *format,
                                   ...)
{
    char name[2 * DNS_NAME_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof(name), format, args);
    va_end(args);
    dns_name_lower(name);
    if (!dns_name_valid(span_of(name)) || p->plan->count == RECORDS_ITEMS_MAX) {
        planning_warn(p, "%s: no record can be made for %.200s", records_role_title(role), name);
        return NULL;
    }
    struct records_item *item = &p->plan->items[p->plan->count++];
    *item = (struct records_item){.role = role, .need = need};
    item->record.type = type;
    memcpy(item->record.name, name, strlen(name) + 1); /* it is valid, and so fits */
    return item;
}

void planning_find_zone(struct planning *p, struct records_item *item)
{
    bool secure = false;
    const char *name = item->record.name;
    enum dns_status status = dns_zone(p->dns, name, item->zone, &secure);
    if (status == DNS_PENDING)
        p->plan->pending = true;
    if (status == DNS_FOUND)
        return;
    const char *parent = name + strcspn(name, ".");
    const char *guess = dns_name_within(name, p->in->domain) ? p->in->domain
                        : *parent                            ? parent + 1
                                                             : name;
    snprintf(item->zone, sizeof(item->zone), "%s", guess);
}

bool planning_same(const struct record *a, const struct record *b)
{
    return a->type == b->type && strcmp(a->name, b->name) == 0 && strcmp(a->value, b->value) == 0;
}

static bool is_known(const struct records_plan *plan, const struct records_standing *s)
{
    for (size_t i = 0; i < plan->standing_count; i++)
        if (planning_same(&plan->standing[i].record, &s->record))
            return true;
    return false;
}

/* A name in DNS may hold any octet; the tools that we write for would read some of them as more
 * than a name. */
static bool is_plain(enum dns_type type, const char *value)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.: ";
    const char *quote = type == DNS_CAA ? strchr(value, '"') : NULL;
    size_t plain = strspn(value, letters);
    if (!quote)
        return value[plain] == '\0';
    for (const char *p = quote + 1; *p; p++)
        if (*p < ' ' || *p > '~' || *p == '\\' || (*p == '"' && p[1]))
            return false;
    return value + plain == quote;
}

/* What stands there, as it stands there. False: it has zero bytes or is too long, or a name in it
 * is none that can be written down. */
bool planning_take(struct record *record_r, const char *name, enum dns_type type,
                   const struct dns_rr *rr)
{
    struct buf text;
    struct record r = {.type = type};
    buf_init(&text, RECORD_VALUE_MAX);
    dns_rr_print(type, rr, &text);
    bool ok = !text.overflow && span_copy(buf_span(&text), r.value, sizeof(r.value)) &&
              (type == DNS_TXT || is_plain(type, r.value));
    buf_fini(&text);
    for (struct span rest = rr->wire; ok && rest.len > 0;) {
        unsigned char len = (unsigned char)rest.ptr[0];
        ok = r.cut_count < RECORD_CUTS_MAX;
        if (ok)
            r.cuts[r.cut_count++] = len;
        rest = span_from(rest, len + 1U);
    }
    memcpy(r.name, name, strlen(name) + 1);
    if (ok)
        *record_r = r;
    return ok;
}

static void add_standing(struct planning *p, const struct records_item *item, enum dns_type type,
                         const struct dns_rr *rr, bool replaced)
{
    struct records_plan *plan = p->plan;
    struct records_standing *s = &plan->standing[plan->standing_count];
    if (plan->standing_count == RECORDS_STANDING_MAX) {
        planning_warn(p, "more records exist at %.200s than are shown", item->record.name);
    } else if (planning_take(&s->record, item->record.name, type, rr)) {
        s->replaced = replaced;
        plan->standing_count += !is_known(plan, s);
    } else {
        planning_warn(p, "a record at %.200s cannot be written down: see that it stays",
                      item->record.name);
    }
}

/* Is the answer that of a wildcard? Then a name beside it has the same. */
static bool is_wildcard(struct planning *p, const struct records_item *item,
                        const struct dns_answer *answer)
{
    char name[2 * DNS_NAME_MAX];
    const char *parent = item->record.name + strcspn(item->record.name, ".");
    snprintf(name, sizeof(name), "sealpost-looks-for-a-wildcard%s", parent);
    if (!*parent || strcmp(item->record.name, p->in->domain) == 0 || !dns_name_valid(span_of(name)))
        return false;
    const struct dns_answer *beside = planning_ask(p, name, item->record.type);
    return beside && beside->count == answer->count && answer->count > 0 &&
           span_equal(beside->rrs[0].data, answer->rrs[0].data);
}

static void meet_alias(struct planning *p, struct records_item *item,
                       const struct dns_answer *alias)
{
    int len = (int)alias->rrs[0].data.len;
    const char *target = alias->rrs[0].data.ptr;
    if (item->state == RECORDS_OK) {
        item->aliased = true;
        planning_note(item, "by an alias to %.*s", len, target);
    } else if (item->role == RECORDS_DKIM) {
        planning_note(item, "an alias to %.*s is published there: remove it", len, target);
        add_standing(p, item, DNS_CNAME, &alias->rrs[0], true);
    } else {
        item->blocked = true;
        planning_note(item,
                      "%.120s is an alias (CNAME) of %.*s, and nothing can be published beside an "
                      "alias: remove it, or publish this at its target",
                      item->record.name, len, target);
    }
}

/* The same by meaning stays as it is written; another that is the same is one too many. */
static void meet_others(struct planning *p, struct records_item *item, const struct dns_answer *a)
{
    for (size_t i = 0; i < a->count; i++) {
        bool same = records_same(item, &a->rrs[i]);
        if (same && !item->stands &&
            planning_take(&item->record, item->record.name, item->record.type, &a->rrs[i]))
            item->stands = true;
        else
            add_standing(p, item, item->record.type, &a->rrs[i],
                         same || records_replaces(item, &a->rrs[i]));
    }
}

void planning_settle(struct planning *p, struct records_item *item)
{
    const struct dns_answer *alias = NULL;
    planning_find_zone(p, item);
    const struct dns_answer *a = planning_ask(p, item->record.name, item->record.type);
    if (item->record.type != DNS_CNAME)
        alias = planning_ask(p, item->record.name, DNS_CNAME);
    if (!a || (!alias && item->record.type != DNS_CNAME))
        return;
    item->state = records_compare(item, a);
    if (item->state != RECORDS_OK && a->count > 0 && is_wildcard(p, item, a)) {
        item->state = RECORDS_MISSING;
        planning_note(item, "a wildcard answers for the name: a record of its own takes its place");
    } else if (alias && alias->count > 0) {
        meet_alias(p, item, alias);
    } else {
        meet_others(p, item, a);
    }
}

bool planning_respects(struct planning *p, struct records_item *item)
{
    const struct dns_answer *a = planning_ask(p, item->record.name, item->record.type);
    for (size_t i = 0; a && i < a->count; i++) {
        bool kind = item->record.type != DNS_TXT || records_replaces(item, &a->rrs[i]);
        if (kind && planning_take(&item->record, item->record.name, item->record.type, &a->rrs[i]))
            return true;
    }
    return false;
}

/* ---- SPF ---- */

void planning_spf(struct planning *p, struct records_item *item, const char *fresh)
{
    struct spf_merge merge;
    bool others = p->in->sender_count > 0 && item->role != RECORDS_HELO;
    spf_merge(item->record.name, others ? p->in->senders : p->in->public_ips,
              others ? p->in->sender_count : p->in->ip_count, fresh, p->dns, &merge);
    if (merge.state == SPF_MERGE_PENDING)
        p->plan->pending = true;
    snprintf(item->record.value, sizeof(item->record.value), "%s", merge.text);
    planning_settle(p, item);
    item->blocked =
        item->blocked || merge.state == SPF_MERGE_IMPOSSIBLE || merge.state == SPF_MERGE_UNANSWERED;
    if (merge.state == SPF_MERGE_UNANSWERED) {
        item->state = RECORDS_UNKNOWN;
        planning_note(item, "DNS does not answer for it, or for what it includes");
    }
    if (merge.note[0])
        planning_note(item, "%s", merge.note);
}
