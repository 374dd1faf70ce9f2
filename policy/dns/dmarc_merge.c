// SPDX-License-Identifier: BSD-2-Clause
/* dmarc_merge.c - A DMARC record is treated as a list of tags; a step replaces two of them and
 * keeps the others. */
#include "dmarc_merge.h"

#include <stdio.h>
#include <string.h>

/* The first tag of that name; empty when there is none. */
static struct span find_tag(struct span record, struct span wanted)
{
    while (record.len > 0) {
        struct span value = span_take(&record, ';');
        struct span name = span_take(&value, '=');
        if (span_equal_nocase(span_trim(name), wanted))
            return span_trim(value);
    }
    return SPAN_NONE;
}

static bool is_among(struct span name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal_nocase(name, span_of(names[i])))
            return true;
    return false;
}

static void add_tag(struct buf *out, const char *name, struct span value)
{
    buf_addf(out, "%s%s=%.*s", out->len > 0 ? "; " : "", name, SPAN_ARG(value));
}

bool dmarc_next_step(struct span record, struct buf *next)
{
    static const char *const dropped[] = {"v", "p", "t", "pct", "rf", "ri"};
    struct dmarc_record now;
    if (!dmarc_record_parse(record, &now) || (now.p == DMARC_POLICY_IS_REJECT && !now.testing))
        return false;
    bool arrives = now.testing && now.p != DMARC_POLICY_IS_NONE; /* t=y goes, the policy stays */
    enum dmarc_policy p = arrives ? now.p : (enum dmarc_policy)(now.p + 1);
    add_tag(next, "v", SPAN("DMARC1"));
    add_tag(next, "p", span_of(dmarc_policy_name(p)));
    while (record.len > 0) {
        struct span value = span_take(&record, ';');
        struct span name = span_trim(span_take(&value, '='));
        if (name.len > 0 && !is_among(name, dropped, COUNT_OF(dropped)))
            buf_addf(next, "; %.*s=%.*s", SPAN_ARG(name), SPAN_ARG(span_trim(value)));
    }
    if (!arrives)
        add_tag(next, "t", SPAN("y"));
    return !next->overflow;
}

static void make_new(const char *policy, struct span rua, struct dmarc_merge *m)
{
    snprintf(m->text, sizeof(m->text), "v=DMARC1; p=%s%s%.*s", policy, rua.len > 0 ? "; rua=" : "",
             SPAN_ARG(rua));
}

/* Nothing stands at the name: does the policy of a domain above hold? */
static enum dmarc_merge_state look_above(const char *domain, struct span rua, const struct dns *dns,
                                         struct dmarc_merge *m)
{
    char name[DNS_NAME_MAX + 16];
    struct dmarc_query q = {.author = domain};
    struct dmarc_answer above;
    struct dmarc_record record;
    dmarc_check(&q, dns, &above);
    if (above.result == DMARC_PENDING)
        return DMARC_MERGE_PENDING;
    if (above.result == DMARC_TEMPERROR)
        return DMARC_MERGE_UNANSWERED;
    if (!above.found || !above.record_domain[0]) {
        make_new("none", rua, m);
        return DMARC_MERGE_NEW;
    }
    snprintf(name, sizeof(name), "_dmarc.%s", above.record_domain);
    const struct dns_answer *a = dns->ask(dns->context, name, DNS_TXT);
    for (size_t i = 0; i < a->count && rua.len == 0; i++)
        if (dmarc_record_parse(a->rrs[i].data, &record))
            rua = find_tag(a->rrs[i].data, SPAN("rua"));
    make_new(dmarc_policy_name(above.policy), rua, m);
    snprintf(
        m->note, sizeof(m->note),
        "the policy of %.120s holds here; receivers that find organizations by the Public Suffix "
        "List may not see it so: a record of its own says it to both",
        above.record_domain);
    return DMARC_MERGE_COVERED;
}

/* What is there is usable, or it is not read at all. */
static enum dmarc_merge_state take_standing(struct span text, size_t count, struct span rua,
                                            struct dmarc_merge *m)
{
    struct dmarc_record record;
    bool usable = dmarc_record_parse(text, &record) && record.usable;
    if (!usable)
        make_new("none", find_tag(text, SPAN("rua")).len > 0 ? find_tag(text, SPAN("rua")) : rua,
                 m);
    if (!usable || !span_copy(text, m->text, sizeof(m->text))) {
        snprintf(m->note, sizeof(m->note),
                 "the DMARC record has no valid policy, so that receivers "
                 "do not read it");
        return DMARC_MERGE_CHANGED;
    }
    if (find_tag(text, SPAN("pct")).len > 0 || find_tag(text, SPAN("rf")).len > 0 ||
        find_tag(text, SPAN("ri")).len > 0)
        snprintf(m->note, sizeof(m->note), "pct, rf and ri mean nothing any more (RFC 9989)");
    if (count > 1)
        snprintf(m->note, sizeof(m->note),
                 "%zu DMARC records are published, and receivers read none of them: this is the "
                 "stricter one",
                 count);
    return count > 1 ? DMARC_MERGE_CHANGED : DMARC_MERGE_SAME;
}

static enum dmarc_merge_state decide(const char *domain, struct span rua, const struct dns *dns,
                                     struct dmarc_merge *m)
{
    char name[DNS_NAME_MAX + 16];
    struct span strictest = SPAN_NONE;
    struct dmarc_record best = {0};
    size_t count = 0;
    snprintf(name, sizeof(name), "_dmarc.%s", domain);
    if (!dns_name_valid(span_of(name)))
        return DMARC_MERGE_UNANSWERED;
    const struct dns_answer *a = dns->ask(dns->context, name, DNS_TXT);
    if (a->status == DNS_PENDING || a->status == DNS_FAILED)
        return a->status == DNS_PENDING ? DMARC_MERGE_PENDING : DMARC_MERGE_UNANSWERED;
    for (size_t i = 0; i < a->count; i++) {
        struct dmarc_record r;
        if (!dmarc_record_parse(a->rrs[i].data, &r))
            continue;
        if (count++ == 0 || (r.usable && (!best.usable || r.p > best.p))) {
            best = r;
            strictest = a->rrs[i].data;
        }
    }
    return count > 0 ? take_standing(strictest, count, rua, m) : look_above(domain, rua, dns, m);
}

void dmarc_merge(const char *domain, const char *rua, const struct dns *dns,
                 struct dmarc_merge *merge_r)
{
    char uri[400] = "";
    struct buf next;
    *merge_r = (struct dmarc_merge){.state = DMARC_MERGE_PENDING};
    if (rua)
        snprintf(uri, sizeof(uri), "mailto:%s", rua);
    merge_r->state = decide(domain, span_of(uri), dns, merge_r);
    if (merge_r->state == DMARC_MERGE_PENDING || merge_r->state == DMARC_MERGE_UNANSWERED)
        return;
    buf_init(&next, DMARC_MERGE_TEXT_MAX);
    if (dmarc_next_step(span_of(merge_r->text), &next))
        snprintf(merge_r->next, sizeof(merge_r->next), "%s", buf_text(&next));
    buf_fini(&next);
}
