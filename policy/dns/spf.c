// SPDX-License-Identifier: BSD-2-Clause
/* spf.c - Evaluates SPF: check_host() of RFC 7208 sections 4 to 6, one function for each mechanism.
 *
 * A record is read twice: first for its grammar, because a syntax error anywhere makes the result
 * permerror (section 4.6), then term by term, left to right, until one matches.
 */
#include "spf_terms.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { TERMS_MAX = 10, VOIDS_MAX = 2, HOSTS_MAX = 10 };

struct check {
    const struct spf_query *query;
    const struct dns *dns;
    struct spf_answer *answer;
    struct span local, domain_of_sender;
    char sender[512];                 /* local@domain, with what was missing added */
    char validated[DNS_NAME_MAX + 1]; /* for %{p} */
    struct span exp;                  /* of the record that decided, and its domain */
    char exp_domain[DNS_NAME_MAX + 1];
};

/* What one mechanism says. */
enum match { MATCH, NO_MATCH, MATCH_PENDING, MATCH_TEMPERROR, MATCH_PERMERROR };

static enum spf_result check_host(struct check *c, const char *domain);

static enum spf_result complain(struct check *c, enum spf_result result, const char *domain,
                                const char *why)
{
    snprintf(c->answer->why, sizeof(c->answer->why), "%s: %s", domain, why);
    return result;
}

static enum match over_limit(struct check *c, const char *domain, const char *why)
{
    complain(c, SPF_PERMERROR, domain, why);
    return MATCH_PERMERROR;
}

/* ---- DNS ---- */

static bool in_network(const struct ip *a, const struct ip *b, unsigned prefix)
{
    size_t whole = prefix / 8;
    unsigned rest = prefix % 8;
    if (a->v6 != b->v6 || memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    unsigned mask = (0xff00U >> rest) & 0xffU;
    return rest == 0 || (a->bytes[whole] & mask) == (b->bytes[whole] & mask);
}

static enum dns_type address_type(const struct check *c)
{
    return c->query->ip.v6 ? DNS_AAAA : DNS_A;
}

static bool has_address(const struct check *c, const struct dns_answer *a, unsigned prefix)
{
    for (size_t i = 0; i < a->count; i++) {
        struct ip ip = {.v6 = c->query->ip.v6};
        size_t want = ip.v6 ? 16 : 4;
        if (a->rrs[i].data.len != want)
            continue;
        memcpy(ip.bytes, a->rrs[i].data.ptr, want);
        if (in_network(&c->query->ip, &ip, prefix))
            return true;
    }
    return false;
}

static const struct dns_answer *ask(struct check *c, const char *name, enum dns_type type)
{
    return c->dns->ask(c->dns->context, name, type);
}

/* The lookup that a term is there for: counts when it comes back empty (section 4.6.4). */
static enum match look_up(struct check *c, const char *name, enum dns_type type,
                          const struct dns_answer **answer_r)
{
    const struct dns_answer *a = ask(c, name, type);
    *answer_r = a;
    if (a->status == DNS_PENDING)
        return MATCH_PENDING;
    if (a->status == DNS_FAILED) {
        complain(c, SPF_TEMPERROR, name, "DNS does not answer");
        return MATCH_TEMPERROR;
    }
    if (a->status != DNS_FOUND && ++c->answer->voids > VOIDS_MAX)
        return over_limit(c, name, "more than 2 lookups found nothing (RFC 7208 4.6.4)");
    return a->status == DNS_FOUND ? MATCH : NO_MATCH;
}

/* Section 5.5: names that the address points to and that point back, at most 10 of them. Calls
 * `wanted` with each; stops when it returns true.
 */
static enum match validate_names(struct check *c,
                                 bool (*wanted)(struct check *c, const char *name,
                                                const char *target),
                                 const char *target)
{
    char name[DNS_NAME_MAX + 1];
    bool pending = false;
    char ip[46];
    ip_print(&c->query->ip, ip);
    CHECK(dns_reverse_name(ip, name));
    const struct dns_answer *names = ask(c, name, DNS_PTR);
    if (names->status == DNS_PENDING)
        return MATCH_PENDING;
    for (size_t i = 0; i < names->count && i < HOSTS_MAX; i++) {
        if (!span_copy(names->rrs[i].data, name, sizeof(name)) || !*name)
            continue;
        const struct dns_answer *back = ask(c, name, address_type(c));
        pending = pending || back->status == DNS_PENDING;
        if (!pending && has_address(c, back, c->query->ip.v6 ? 128 : 32) && wanted(c, name, target))
            return MATCH;
    }
    return pending ? MATCH_PENDING : NO_MATCH;
}

/* ---- macros ---- */

static bool is_better(struct check *c, const char *name, const char *domain)
{
    bool equal = strcmp(name, domain) == 0;
    bool below = dns_name_within(name, domain);
    bool have_below = c->validated[0] && dns_name_within(c->validated, domain);
    if (!c->validated[0] || equal || (below && !have_below))
        snprintf(c->validated, sizeof(c->validated), "%s", name);
    return equal;
}

struct expansion {
    struct check *check;
    const char *domain;
};

static const char *find_validated(void *context)
{
    struct expansion *e = context;
    e->check->validated[0] = '\0';
    if (validate_names(e->check, is_better, e->domain) == MATCH_PENDING)
        return NULL;
    return e->check->validated[0] ? e->check->validated : "unknown";
}

static bool expand(struct check *c, struct span text, const char *domain, struct buf *out)
{
    struct expansion e = {c, domain};
    const struct spf_query *q = c->query;
    const struct spf_macros m = {.sender = span_of(c->sender),
                                 .local = c->local,
                                 .domain_of_sender = c->domain_of_sender,
                                 .helo = q->helo,
                                 .receiver = q->receiver.len > 0 ? q->receiver : SPAN("unknown"),
                                 .domain = domain,
                                 .ip = &q->ip,
                                 .now_ms = q->now_ms,
                                 .validated = find_validated,
                                 .context = &e};
    return spf_macro_expand(text, &m, out);
}

/* The domain that a term means: its domain-spec expanded, or the current domain. MATCH: it is a
 * name to look up; NO_MATCH: it is none, and so nothing is there.
 */
static enum match target_name(struct check *c, struct span spec, const char *domain, char *name_r)
{
    struct buf name;
    if (spec.len == 0) {
        snprintf(name_r, DNS_NAME_MAX + 1, "%s", domain);
        return MATCH;
    }
    buf_init(&name, 16 * 1024);
    bool known = expand(c, spec, domain, &name);
    struct span s = buf_span(&name);
    if (s.len > 0 && s.ptr[s.len - 1] == '.')
        s.len--;
    while (s.len > DNS_NAME_MAX) { /* section 7.3: labels are dropped from the left */
        size_t dot = span_find(s, '.');
        s = span_from(s, dot + 1);
    }
    bool valid = !name.overflow && dns_name_valid(s) && span_copy(s, name_r, DNS_NAME_MAX + 1);
    buf_fini(&name);
    if (valid)
        dns_name_lower(name_r);
    return !known ? MATCH_PENDING : valid ? MATCH : NO_MATCH;
}

/* ---- mechanisms ---- */

static enum match match_all(struct check *c, const struct spf_term *t, const char *name)
{
    (void)c;
    (void)t;
    (void)name;
    return MATCH;
}

static enum match match_ip(struct check *c, const struct spf_term *t, const char *name)
{
    (void)name;
    return in_network(&c->query->ip, &t->ip, t->ip.v6 ? t->prefix6 : t->prefix4) ? MATCH : NO_MATCH;
}

static unsigned prefix_of(const struct check *c, const struct spf_term *t)
{
    return c->query->ip.v6 ? t->prefix6 : t->prefix4;
}

static enum match match_a(struct check *c, const struct spf_term *t, const char *name)
{
    const struct dns_answer *a = NULL;
    enum match m = look_up(c, name, address_type(c), &a);
    return m == MATCH && !has_address(c, a, prefix_of(c, t)) ? NO_MATCH : m;
}

static enum match match_mx(struct check *c, const struct spf_term *t, const char *name)
{
    const struct dns_answer *hosts = NULL;
    char host[DNS_NAME_MAX + 1];
    bool pending = false;
    enum match m = look_up(c, name, DNS_MX, &hosts);
    if (m != MATCH)
        return m;
    if (hosts->count > HOSTS_MAX)
        return over_limit(c, name, "more than 10 MX records (RFC 7208 4.6.4)");
    for (size_t i = 0; i < hosts->count; i++) {
        if (!span_copy(hosts->rrs[i].data, host, sizeof(host)) || !*host)
            continue;
        const struct dns_answer *a = ask(c, host, address_type(c));
        pending = pending || a->status == DNS_PENDING; /* go on: all are asked for at once */
        if (pending)
            continue;
        if (a->status == DNS_FAILED) {
            complain(c, SPF_TEMPERROR, host, "DNS does not answer");
            return MATCH_TEMPERROR;
        }
        if (has_address(c, a, prefix_of(c, t)))
            return MATCH;
    }
    return pending ? MATCH_PENDING : NO_MATCH;
}

static bool is_within(struct check *c, const char *name, const char *target)
{
    (void)c;
    return dns_name_within(name, target);
}

static enum match match_ptr(struct check *c, const struct spf_term *t, const char *name)
{
    (void)t;
    return validate_names(c, is_within, name);
}

static enum match match_exists(struct check *c, const struct spf_term *t, const char *name)
{
    const struct dns_answer *a = NULL;
    (void)t;
    return look_up(c, name, DNS_A, &a); /* A also for IPv6 (section 5.7) */
}

/* Section 5.2. */
static enum match match_include(struct check *c, const struct spf_term *t, const char *name)
{
    (void)t;
    enum spf_result result = check_host(c, name);
    c->answer->mechanism[0] = '\0'; /* what matched there decided nothing here */
    c->exp = SPAN_NONE;
    switch (result) {
    case SPF_PENDING:
        return MATCH_PENDING;
    case SPF_PASS:
        return MATCH;
    case SPF_FAIL:
    case SPF_SOFTFAIL:
    case SPF_NEUTRAL:
        return NO_MATCH;
    case SPF_TEMPERROR:
        return MATCH_TEMPERROR;
    case SPF_NONE:
        complain(c, SPF_PERMERROR, name, "is included and has no SPF record");
        return MATCH_PERMERROR;
    case SPF_PERMERROR:
        return MATCH_PERMERROR;
    }
    UNREACHABLE();
}

static const struct {
    enum match (*matches)(struct check *c, const struct spf_term *t, const char *name);
    bool asks; /* counts as a term that asks DNS, and has a target name */
} mechanisms[] = {
    [SPF_ALL] = {match_all, false},      [SPF_IP4] = {match_ip, false},
    [SPF_IP6] = {match_ip, false},       [SPF_A] = {match_a, true},
    [SPF_MX] = {match_mx, true},         [SPF_PTR] = {match_ptr, true},
    [SPF_EXISTS] = {match_exists, true}, [SPF_INCLUDE] = {match_include, true},
};

static enum match match(struct check *c, const struct spf_term *t, const char *domain)
{
    char name[DNS_NAME_MAX + 1] = "";
    if (!mechanisms[t->kind].asks)
        return mechanisms[t->kind].matches(c, t, name);
    if (++c->answer->terms > TERMS_MAX)
        return over_limit(c, domain, "more than 10 terms that ask DNS (RFC 7208 4.6.4)");
    enum match m = target_name(c, t->domain, domain, name);
    if (m == NO_MATCH && t->kind == SPF_INCLUDE)
        return over_limit(c, domain, "include: names no valid domain");
    return m == MATCH ? mechanisms[t->kind].matches(c, t, name) : m;
}

/* ---- records ---- */

static enum spf_result redirect(struct check *c, struct span spec, const char *domain)
{
    char name[DNS_NAME_MAX + 1];
    if (++c->answer->terms > TERMS_MAX) {
        over_limit(c, domain, "more than 10 terms that ask DNS (RFC 7208 4.6.4)");
        return SPF_PERMERROR;
    }
    enum match m = target_name(c, spec, domain, name);
    if (m == MATCH_PENDING)
        return SPF_PENDING;
    enum spf_result result = m == MATCH ? check_host(c, name) : SPF_NONE;
    if (result == SPF_NONE) /* section 6.1 */
        return complain(c, SPF_PERMERROR, domain, "redirect= leads to no SPF record");
    return result;
}

static void note_match(struct check *c, const struct spf_term *t, const char *domain)
{
    snprintf(c->answer->mechanism, sizeof(c->answer->mechanism), "%.*s in %s",
             (int)(t->text.len < 200 ? t->text.len : 200), t->text.ptr, domain);
}

static enum spf_result evaluate(struct check *c, struct span record, const char *domain)
{
    struct span rest = span_from(record, 6);
    struct span redirect_to = SPAN_NONE;
    struct span exp = SPAN_NONE;
    const char *why = NULL;
    struct spf_term t;
    while (spf_next_term(&rest, &t, &why)) {
        if (t.kind == SPF_REDIRECT)
            redirect_to = t.domain;
        if (t.kind == SPF_EXP)
            exp = t.domain;
    }
    rest = span_from(record, 6);
    while (spf_next_term(&rest, &t, &why)) {
        if (t.kind >= SPF_REDIRECT)
            continue;
        enum match m = match(c, &t, domain);
        if (m == MATCH) {
            note_match(c, &t, domain);
            c->exp = exp;
            snprintf(c->exp_domain, sizeof(c->exp_domain), "%s", domain);
            return t.qualifier;
        }
        if (m != NO_MATCH)
            return m == MATCH_PENDING     ? SPF_PENDING
                   : m == MATCH_TEMPERROR ? SPF_TEMPERROR
                                          : SPF_PERMERROR;
    }
    return redirect_to.len > 0 ? redirect(c, redirect_to, domain) : SPF_NEUTRAL;
}

/* Section 4.5: exactly one record. */
static enum spf_result select_record(struct check *c, const char *domain, struct span *record_r)
{
    const struct dns_answer *a = ask(c, domain, DNS_TXT);
    size_t count = 0;
    if (a->status == DNS_PENDING)
        return SPF_PENDING;
    if (a->status == DNS_FAILED)
        return complain(c, SPF_TEMPERROR, domain, "DNS does not answer");
    for (size_t i = 0; i < a->count; i++) {
        if (spf_record_claims(a->rrs[i].data)) {
            *record_r = a->rrs[i].data;
            count++;
        }
    }
    if (count == 0)
        return complain(c, SPF_NONE, domain, "has no SPF record");
    return count == 1 ? SPF_PASS
                      : complain(c, SPF_PERMERROR, domain, "has more than one SPF record");
}

static enum spf_result check_host(struct check *c, const char *domain)
{
    struct span record = SPAN_NONE;
    const char *why = NULL;
    enum spf_result result = select_record(c, domain, &record);
    if (result != SPF_PASS)
        return result;
    if (!spf_record_valid(record, &why))
        return complain(c, SPF_PERMERROR, domain, why);
    return evaluate(c, record, domain);
}

/* ---- the explanation ---- */

/* Section 6.2: whatever goes wrong, there is none. False: DNS is pending. */
static bool explain(struct check *c)
{
    char name[DNS_NAME_MAX + 1];
    struct buf text;
    if (c->exp.len == 0)
        return true;
    enum match m = target_name(c, c->exp, c->exp_domain, name);
    if (m != MATCH)
        return m != MATCH_PENDING;
    const struct dns_answer *a = ask(c, name, DNS_TXT);
    if (a->status == DNS_PENDING)
        return false;
    if (a->count != 1 || !span_is_ascii(a->rrs[0].data) || !spf_macro_valid(a->rrs[0].data, true))
        return true;
    buf_init(&text, sizeof(c->answer->explanation) - 1);
    bool known = expand(c, a->rrs[0].data, c->exp_domain, &text);
    if (known && !text.overflow && span_is_ascii(buf_span(&text)))
        snprintf(c->answer->explanation, sizeof(c->answer->explanation), "%s", buf_text(&text));
    buf_fini(&text);
    return known;
}

/* ---- the query ---- */

/* Sections 2.4 and 4.3: whose domain is it? */
static bool read_sender(struct check *c, char *domain_r)
{
    const struct spf_query *q = c->query;
    struct span sender = q->sender.len > 0 ? q->sender : q->helo;
    size_t at = sender.len;
    for (size_t i = 0; i < sender.len; i++)
        if (sender.ptr[i] == '@')
            at = i;
    bool has_at = at < sender.len;
    struct span domain = has_at ? span_from(sender, at + 1) : sender;
    struct span local = has_at && at > 0 ? span_first(sender, at) : SPAN("postmaster");
    snprintf(c->sender, sizeof(c->sender), "%.*s@%.*s", SPAN_ARG(span_first(local, 200)),
             SPAN_ARG(span_first(domain, 300)));
    c->local = span_first(span_of(c->sender), span_first(local, 200).len);
    c->domain_of_sender = span_from(span_of(c->sender), c->local.len + 1);
    if (domain.len > 0 && domain.ptr[domain.len - 1] == '.')
        domain.len--;
    if (!dns_name_valid(domain) || !span_copy(domain, domain_r, DNS_NAME_MAX + 1))
        return false;
    dns_name_lower(domain_r);
    return dns_name_labels(domain_r) >= 2;
}

void spf_check(const struct spf_query *query, const struct dns *dns, struct spf_answer *answer_r)
{
    struct check c = {.query = query, .dns = dns, .answer = answer_r, .exp = SPAN_NONE};
    char domain[DNS_NAME_MAX + 1] = "";
    *answer_r = (struct spf_answer){.result = SPF_NONE};
    if (!read_sender(&c, domain)) {
        complain(&c, SPF_NONE, "sender", "its domain is not a domain name of two labels or more");
        return;
    }
    snprintf(answer_r->domain, sizeof(answer_r->domain), "%s", domain);
    answer_r->result = check_host(&c, domain);
    if (answer_r->result == SPF_FAIL && !explain(&c))
        answer_r->result = SPF_PENDING;
    if (answer_r->result != SPF_NONE && answer_r->result < SPF_TEMPERROR)
        answer_r->why[0] = '\0';
}
