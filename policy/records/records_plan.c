// SPDX-License-Identifier: BSD-2-Clause
/* records_plan.c - The plan of a sending domain, role by role. Each item is looked at where it
 * stands: an alias, a wildcard and the records of others beside it are told apart.
 */
#include "dkim_record.h"
#include "dmarc_merge.h"
#include "records_parts.h"
#include "spf_merge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- DNS ---- */

static const struct dns_answer *ask_nobody(void *context, const char *name, enum dns_type type)
{
    static const struct dns_answer nothing = {.status = DNS_NXDOMAIN};
    (void)context;
    (void)name;
    (void)type;
    return &nothing;
}

static const struct dns nobody = {ask_nobody, NULL};

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

static void find_zone(struct planning *p, struct records_item *item)
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

static bool same_record(const struct record *a, const struct record *b)
{
    return a->type == b->type && strcmp(a->name, b->name) == 0 && strcmp(a->value, b->value) == 0;
}

static bool is_known(const struct records_plan *plan, const struct records_standing *s)
{
    for (size_t i = 0; i < plan->standing_count; i++)
        if (same_record(&plan->standing[i].record, &s->record))
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
static bool take_record(struct record *record_r, const char *name, enum dns_type type,
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
        planning_warn(p, "more records stand at %.200s than are shown", item->record.name);
    } else if (take_record(&s->record, item->record.name, type, rr)) {
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
        planning_note(item, "an alias to %.*s stands there: it must go", len, target);
        add_standing(p, item, DNS_CNAME, &alias->rrs[0], true);
    } else {
        item->blocked = true;
        planning_note(
            item,
            "%.120s is an alias (CNAME) of %.*s, and nothing can stand beside an alias: take it "
            "away, or publish this at its target",
            item->record.name, len, target);
    }
}

/* The same by meaning stays as it is written; another that is the same is one too many. */
static void meet_others(struct planning *p, struct records_item *item, const struct dns_answer *a)
{
    for (size_t i = 0; i < a->count; i++) {
        bool same = records_same(item, &a->rrs[i]);
        if (same && !item->stands &&
            take_record(&item->record, item->record.name, item->record.type, &a->rrs[i]))
            item->stands = true;
        else
            add_standing(p, item, item->record.type, &a->rrs[i],
                         same || records_replaces(item, &a->rrs[i]));
    }
}

void planning_settle(struct planning *p, struct records_item *item)
{
    const struct dns_answer *alias = NULL;
    find_zone(p, item);
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
        if (kind && take_record(&item->record, item->record.name, item->record.type, &a->rrs[i]))
            return true;
    }
    return false;
}

/* ---- SPF ---- */

void planning_spf(struct planning *p, struct records_item *item, const char *fresh)
{
    struct spf_merge merge;
    spf_merge(item->record.name, p->in->public_ips, p->in->ip_count, fresh, p->dns, &merge);
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
    find_zone(p, item);
    item->blocked = true;
    planning_note(item, "set public_ip in the config file to the addresses that receivers see");
}

/* Bounces to a MAIL FROM domain of its own go where the domain's mail goes. */
static void plan_return_path(struct planning *p)
{
    const char *domain = p->in->return_path ? p->in->return_path : p->in->domain;
    plan_spf(p, domain);
    if (strcmp(domain, p->in->domain) == 0)
        return;
    const struct dns_answer *mx = planning_ask(p, p->in->domain, DNS_MX);
    for (size_t i = 0; mx && i < mx->count; i++) {
        struct records_item *item =
            planning_item(p, RECORDS_RETURN_PATH, RECORDS_RECOMMENDED, DNS_MX, "%s", domain);
        if (!item || !mx->rrs[i].data.len ||
            !take_record(&item->record, item->record.name, DNS_MX, &mx->rrs[i]))
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
        planning_note(item, "%zu records stand there, and receivers may take any", a->count);
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
            take_record(&plan->over[plan->over_count], record->name, DNS_TXT, &a->rrs[i]);
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
        find_zone(p, item);
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
                                same_record(&plan->items[k].record, &plan->standing[i].record));
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
    snprintf(plan_r->domain, sizeof(plan_r->domain), "%s", in->domain);
    enum dns_status status = dns_zone(p.dns, in->domain, plan_r->zone, &secure);
    if (status == DNS_PENDING)
        plan_r->pending = true;
    if (status != DNS_FOUND)
        snprintf(plan_r->zone, sizeof(plan_r->zone), "%s", in->domain);
    if (status == DNS_FAILED && dns)
        planning_warn(&p,
                      "DNS does not answer for %s: what stands there is not known, and not merged",
                      in->domain);
    plan_return_path(&p);
    plan_keys(&p);
    plan_dmarc(&p);
    planning_page(&p);
    planning_host(&p);
    planning_around(&p);
    tidy_standing(plan_r);
}
