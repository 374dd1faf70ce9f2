// SPDX-License-Identifier: BSD-2-Clause
/* spf_merge.c - Merges our addresses into a domain's SPF record.
 *
 * The merged record is checked by evaluating it as if it were published: for each of our addresses,
 * which must pass, and for an address that nobody uses, to count the lookups.
 */
#include "spf_merge.h"

#include "spf_terms.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { RECORDS_MAX = 8, TERMS_MAX = 128, SIZE_MAX_ADVISED = 450, LOOKUPS_MAX = 10 };

struct merging {
    const char *domain;
    const char *const *ips;
    size_t ip_count;
    const struct dns *dns;
    struct span records[RECORDS_MAX];
    size_t record_count;
    struct spf_merge *out;
};

static void add_note(struct merging *m, const char *format, ...) PRINTF_LIKE(2, 3);

static void add_note(struct merging *m, const char *format, ...)
{
    size_t used = strlen(m->out->note);
    if (used > 0)
        used += (size_t)snprintf(m->out->note + used, sizeof(m->out->note) - used, "; ");
    if (used >= sizeof(m->out->note))
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(m->out->note + used, sizeof(m->out->note) - used, format, args);
    va_end(args);
}

/* ---- evaluating ---- */

/* With this text as the domain's one record. */
static void evaluate(const struct merging *m, struct span text, const char *ip,
                     struct spf_answer *answer_r)
{
    char sender[DNS_NAME_MAX + 16];
    struct dns_overlay overlay;
    struct dns_rr rr = {.data = text};
    const struct dns_answer answer = {.status = DNS_FOUND, .count = 1, .rrs = &rr};
    struct spf_query q = {.helo = span_of(m->domain), .receiver = SPAN_NONE};
    snprintf(sender, sizeof(sender), "postmaster@%s", m->domain);
    q.sender = span_of(sender);
    dns_overlay_init(&overlay, m->dns, m->domain, DNS_TXT, &answer);
    CHECK(ip_parse(ip, &q.ip));
    spf_check(&q, &overlay.dns, answer_r);
}

/* SPF_PASS when all of ours do; else what the first other one gets. `missing_r`: a bit for each. */
static enum spf_result evaluate_ours(const struct merging *m, struct span text, uint32_t *missing_r)
{
    enum spf_result first = SPF_PASS;
    *missing_r = 0;
    for (size_t i = 0; i < m->ip_count; i++) {
        struct spf_answer a;
        evaluate(m, text, m->ips[i], &a);
        if (a.result == SPF_PASS)
            continue;
        *missing_r |= 1U << i;
        if (first == SPF_PASS || a.result == SPF_PENDING)
            first = a.result;
    }
    return first;
}

/* ---- making one of several ---- */

struct gathered {
    struct span terms[TERMS_MAX];
    bool included[TERMS_MAX]; /* a redirect= of a later record: its domain, to be included */
    size_t count;
    struct span all, redirect, explanation;
};

static void gather(struct gathered *g, struct span term_text, struct span domain, bool include)
{
    struct span text = include ? domain : term_text;
    for (size_t i = 0; i < g->count; i++)
        if (g->included[i] == include && span_equal_nocase(g->terms[i], text))
            return; /* it is there already */
    if (g->count == TERMS_MAX)
        return;
    g->included[g->count] = include;
    g->terms[g->count++] = text;
}

static void take_term(struct gathered *g, const struct spf_term *t)
{
    switch (t->kind) {
    case SPF_ALL:
        g->all = g->all.len > 0 ? g->all : t->text;
        break;
    case SPF_REDIRECT: /* what it allows is what including it allows (section 6.1) */
        if (g->redirect.len > 0)
            gather(g, t->text, t->domain, true);
        else
            g->redirect = t->text;
        break;
    case SPF_EXP:
        g->explanation = g->explanation.len > 0 ? g->explanation : t->text;
        break;
    case SPF_INCLUDE:
    case SPF_A:
    case SPF_MX:
    case SPF_PTR:
    case SPF_IP4:
    case SPF_IP6:
    case SPF_EXISTS:
    case SPF_OTHER_MODIFIER:
        gather(g, t->text, t->domain, false);
        break;
    }
}

/* All terms of all records, each once; the first `all` counts. An `all` makes redirect= void
 * (section 6.1): then it is included, so that what it allowed stays allowed. */
static void join(const struct merging *m, struct buf *out)
{
    struct gathered g = {0};
    for (size_t i = 0; i < m->record_count; i++) {
        struct span rest = span_from(m->records[i], 6);
        struct spf_term t;
        const char *why = NULL;
        bool has_all = false;
        for (struct span look = rest; spf_next_term(&look, &t, &why);)
            has_all = has_all || t.kind == SPF_ALL;
        while (spf_next_term(&rest, &t, &why))
            if (t.kind != SPF_REDIRECT || !has_all) /* beside all it never was read */
                take_term(&g, &t);
    }
    buf_add(out, SPAN("v=spf1"));
    for (size_t i = 0; i < g.count; i++)
        buf_addf(out, " %s%.*s", g.included[i] ? "include:" : "", SPAN_ARG(g.terms[i]));
    if (g.all.len > 0 && g.redirect.len > 0)
        buf_addf(out, " include:%.*s", SPAN_ARG(span_from(g.redirect, strlen("redirect="))));
    else if (g.redirect.len > 0)
        buf_addf(out, " %.*s", SPAN_ARG(g.redirect));
    if (g.all.len > 0)
        buf_addf(out, " %.*s", SPAN_ARG(g.all));
    if (g.explanation.len > 0)
        buf_addf(out, " %.*s", SPAN_ARG(g.explanation));
}

/* ---- adding ours ---- */

/* Where a new mechanism goes: before all and redirect=. */
static size_t insertion_point(struct span record)
{
    struct span rest = span_from(record, 6);
    struct spf_term t;
    const char *why = NULL;
    while (spf_next_term(&rest, &t, &why))
        if (t.kind == SPF_ALL || t.kind == SPF_REDIRECT)
            return (size_t)(t.text.ptr - record.ptr);
    return record.len;
}

static void insert(const struct merging *m, struct span record, size_t at, uint32_t missing,
                   struct buf *out)
{
    struct span back = span_trim(span_from(record, at));
    buf_add(out, span_trim(span_first(record, at)));
    for (size_t i = 0; i < m->ip_count; i++)
        if (missing & 1U << i)
            buf_addf(out, " ip%c:%s", strchr(m->ips[i], ':') ? '6' : '4', m->ips[i]);
    buf_addf(out, "%s%.*s", back.len > 0 ? " " : "", SPAN_ARG(back));
}

static enum spf_merge_state impossible(struct merging *m, enum spf_result result)
{
    if (result == SPF_PENDING)
        return SPF_MERGE_PENDING;
    if (result == SPF_TEMPERROR)
        return SPF_MERGE_UNANSWERED;
    add_note(m,
             "SPF of %s says %s for this relay's addresses even with them in it: mend the record "
             "by hand",
             m->domain, spf_result_name(result));
    return SPF_MERGE_IMPOSSIBLE;
}

/* `base` is one valid record; is it enough, and what is to be added? */
static enum spf_merge_state add_ours(struct merging *m, struct span base, bool changed)
{
    uint32_t missing = 0;
    uint32_t still = 0;
    struct buf text;
    enum spf_result result = evaluate_ours(m, base, &missing);
    if (result == SPF_PENDING)
        return SPF_MERGE_PENDING;
    if (result == SPF_TEMPERROR)
        return SPF_MERGE_UNANSWERED;
    size_t places[] = {insertion_point(base), 6};
    buf_init(&text, SPF_MERGE_TEXT_MAX);
    buf_add(&text, base);
    for (size_t i = 0; result != SPF_PASS && i < COUNT_OF(places); i++) {
        buf_clear(&text);
        insert(m, base, places[i], missing, &text);
        result = text.overflow ? SPF_PERMERROR : evaluate_ours(m, buf_span(&text), &still);
        changed = true;
    }
    bool fits = span_copy(buf_span(&text), m->out->text, sizeof(m->out->text));
    buf_fini(&text);
    if (result != SPF_PASS || !fits)
        return impossible(m, result);
    return changed ? SPF_MERGE_CHANGED : SPF_MERGE_SAME;
}

static enum spf_merge_state make_new(struct merging *m, const char *fresh)
{
    struct buf text;
    buf_init(&text, SPF_MERGE_TEXT_MAX);
    buf_add(&text, SPAN("v=spf1"));
    if (fresh)
        buf_addf(&text, " %s", fresh);
    else
        insert(m, SPAN_NONE, 0, UINT32_MAX, &text);
    if (!fresh)
        buf_add(&text, SPAN(" ~all"));
    bool fits = span_copy(buf_span(&text), m->out->text, sizeof(m->out->text));
    buf_fini(&text);
    CHECK(fits); /* sixteen addresses at most */
    return SPF_MERGE_NEW;
}

/* ---- what somebody should know ---- */

static void warn_terms(struct merging *m, struct span text)
{
    struct span rest = span_from(text, 6);
    struct spf_term t;
    const char *why = NULL;
    bool ends = false;
    while (spf_next_term(&rest, &t, &why)) {
        ends = ends || t.kind == SPF_ALL || t.kind == SPF_REDIRECT;
        if (t.kind == SPF_ALL && t.qualifier == SPF_PASS)
            add_note(m, "+all lets anybody send for %s: make it ~all", m->domain);
        if (t.kind == SPF_PTR)
            add_note(m, "ptr is slow and not to be used (RFC 7208 section 5.5)");
    }
    if (!ends)
        add_note(m, "it ends without all: others are neither allowed nor refused");
}

/* False: DNS is pending. */
static bool warn(struct merging *m)
{
    struct span text = span_of(m->out->text);
    struct spf_answer a;
    evaluate(m, text, "255.255.255.255", &a); /* of nobody: all terms are looked at */
    if (a.result == SPF_PENDING)
        return false;
    m->out->lookups = a.terms;
    if (a.result == SPF_PERMERROR)
        add_note(m, "receivers end it with an error: %s", a.why);
    else if (a.terms + 1 >= LOOKUPS_MAX)
        add_note(m, "it needs %u DNS lookups of the %d that receivers allow: %u are left", a.terms,
                 LOOKUPS_MAX, LOOKUPS_MAX - a.terms);
    if (text.len > SIZE_MAX_ADVISED)
        add_note(m, "it has %zu octets: over %d an answer may not fit into one packet", text.len,
                 SIZE_MAX_ADVISED);
    if (m->record_count > 1)
        add_note(
            m,
            "%zu SPF records were published, which receivers refuse to read: this is both in one",
            m->record_count);
    warn_terms(m, text);
    return true;
}

/* The records there are. False: one is malformed, or there are too many. */
static bool find_records(struct merging *m, const struct dns_answer *a)
{
    const char *why = NULL;
    for (size_t i = 0; i < a->count; i++) {
        if (!spf_record_claims(a->rrs[i].data))
            continue;
        if (!spf_record_valid(a->rrs[i].data, &why) || m->record_count == RECORDS_MAX) {
            add_note(m,
                     "the SPF record of %s is malformed, and receivers read nothing from it: %s: "
                     "mend it first (are its strings split at the wrong place?)",
                     m->domain, why ? why : "too many of them");
            return false;
        }
        m->records[m->record_count++] = a->rrs[i].data;
    }
    return true;
}

static enum spf_merge_state decide(struct merging *m, const char *fresh)
{
    const struct dns_answer *a = m->dns->ask(m->dns->context, m->domain, DNS_TXT);
    if (a->status == DNS_PENDING || a->status == DNS_FAILED)
        return a->status == DNS_PENDING ? SPF_MERGE_PENDING : SPF_MERGE_UNANSWERED;
    if (!find_records(m, a))
        return SPF_MERGE_IMPOSSIBLE;
    if (m->record_count == 0)
        return make_new(m, fresh);
    struct buf base;
    buf_init(&base, SPF_MERGE_TEXT_MAX);
    if (m->record_count == 1)
        buf_add(&base, m->records[0]);
    else
        join(m, &base);
    enum spf_merge_state state = SPF_MERGE_IMPOSSIBLE;
    if (base.overflow)
        add_note(m, "the SPF records of %s are too long to be one", m->domain);
    else
        state = add_ours(m, buf_span(&base), m->record_count > 1);
    buf_fini(&base);
    return state;
}

void spf_merge(const char *domain, const char *const *ips, size_t ip_count, const char *fresh,
               const struct dns *dns, struct spf_merge *merge_r)
{
    struct merging m = {.domain = domain,
                        .ips = ips,
                        .ip_count = ip_count < 32 ? ip_count : 32,
                        .dns = dns,
                        .out = merge_r};
    *merge_r = (struct spf_merge){.state = SPF_MERGE_PENDING};
    enum spf_merge_state state = decide(&m, fresh);
    bool made = state == SPF_MERGE_SAME || state == SPF_MERGE_NEW || state == SPF_MERGE_CHANGED;
    merge_r->state = made && !warn(&m) ? SPF_MERGE_PENDING : state;
}
