// SPDX-License-Identifier: BSD-2-Clause
/* dmarc.c - The tree walk and what follows from it: RFC 9989 sections 4.10 and 5.
 *
 *   walk(From) -> policy and organizational domain - walk(each passing domain) -> aligned? - result
 *
 * A walk asks at most eight names. It is made for an identifier only when it matters: it has
 * passed, is not the From domain itself, and alignment is relaxed.
 */
#include "dmarc.h"

#include <stdio.h>
#include <string.h>

enum { WALK_MAX = 8 };

enum known { KNOWN, KNOWN_LATER, KNOWN_NEVER };

struct found {
    const char *domain; /* a tail of the name where the walk began */
    struct dmarc_record record;
};

struct walk {
    enum known known;     /* of all that was asked */
    enum known known_own; /* of the first question only */
    struct found found[WALK_MAX];
    size_t count;
    const char *organizational_domain;
};

const char *dmarc_result_name(enum dmarc_result result)
{
    static const char *const names[] = {[DMARC_PENDING] = "pending",
                                        [DMARC_PASS] = "pass",
                                        [DMARC_FAIL] = "fail",
                                        [DMARC_NONE] = "none",
                                        [DMARC_TEMPERROR] = "temperror"};
    CHECK((unsigned)result < COUNT_OF(names));
    return names[result];
}

static const char *parent(const char *domain)
{
    const char *dot = strchr(domain, '.');
    return dot ? dot + 1 : "";
}

/* Ask for the record of one name; true when it is there. */
static bool ask_record(const struct dns *dns, const char *domain, enum known *known,
                       struct dmarc_record *record_r)
{
    char name[DNS_NAME_MAX + 16];
    snprintf(name, sizeof(name), "_dmarc.%s", domain);
    if (strlen(name) > DNS_NAME_MAX)
        return false;
    const struct dns_answer *a = dns->ask(dns->context, name, DNS_TXT);
    if (a->status == DNS_PENDING)
        *known = KNOWN_LATER;
    else if (a->status == DNS_FAILED && *known == KNOWN)
        *known = KNOWN_NEVER;
    return dmarc_record_select(a, record_r);
}

/* Section 4.10: upwards from `domain`; from more than eight labels straight to seven. */
static void climb(const struct dns *dns, const char *domain, struct walk *w)
{
    const char *at = domain;
    for (bool first = true; *at; first = false) {
        struct found *f = &w->found[w->count];
        bool there = ask_record(dns, at, &w->known, &f->record);
        if (first)
            w->known_own = w->known;
        if (there) {
            f->domain = at;
            w->count++;
        }
        if (w->known == KNOWN_LATER || (there && f->record.psd != DMARC_PSD_UNSAID))
            return;
        at = parent(at);
        while (first && dns_name_labels(at) > WALK_MAX - 1)
            at = parent(at);
    }
}

/* Section 4.10.2. */
static const char *choose_organizational(const char *domain, const struct walk *w)
{
    if (w->count == 0)
        return domain;
    const struct found *top = &w->found[w->count - 1];
    if (top->record.psd != DMARC_PSD_YES || top->domain == domain)
        return top->domain;     /* psd=n, or the fewest labels */
    const char *below = domain; /* one label below the public suffix */
    while (strlen(parent(below)) > strlen(top->domain))
        below = parent(below);
    return below;
}

static void walk(const struct dns *dns, const char *domain, struct walk *w)
{
    *w = (struct walk){.known = KNOWN};
    climb(dns, domain, w);
    w->organizational_domain = choose_organizational(domain, w);
}

/* ---- the policy ---- */

static const struct found *find_at(const struct walk *w, const char *domain)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->found[i].domain, domain) == 0)
            return &w->found[i];
    return NULL;
}

/* Its own record, else the organizational domain's, else that of the public suffix. */
static const struct found *find_policy(const char *author, const struct walk *w)
{
    const struct found *f = find_at(w, author);
    if (!f)
        f = find_at(w, w->organizational_domain);
    if (!f && w->count > 0 && w->found[w->count - 1].record.psd == DMARC_PSD_YES)
        f = &w->found[w->count - 1];
    return f;
}

static enum dmarc_policy step_down(enum dmarc_policy policy)
{
    return policy == DMARC_POLICY_IS_REJECT ? DMARC_POLICY_IS_QUARANTINE : DMARC_POLICY_IS_NONE;
}

/* p for the domain itself; for others sp, or np when they do not exist. */
static enum known apply_policy(const struct found *f, const char *author, const struct dns *dns,
                               struct dmarc_answer *answer)
{
    const struct dmarc_record *r = &f->record;
    enum known known = KNOWN;
    enum dmarc_policy policy = r->p;
    if (strcmp(f->domain, author) != 0) {
        policy = r->sp;
        if (r->has_np) {
            const struct dns_answer *a = dns->ask(dns->context, author, DNS_A);
            if (a->status == DNS_NXDOMAIN)
                policy = r->np;
            known = a->status == DNS_PENDING  ? KNOWN_LATER
                    : a->status == DNS_FAILED ? KNOWN_NEVER
                                              : KNOWN;
        }
    }
    answer->found = true;
    answer->testing = r->testing;
    answer->strict_dkim = r->strict_dkim;
    answer->strict_spf = r->strict_spf;
    answer->policy = r->testing ? step_down(policy) : policy;
    snprintf(answer->record_domain, sizeof(answer->record_domain), "%s", f->domain);
    return known;
}

/* ---- alignment ---- */

struct side {
    const struct dns *dns;
    const char *author, *organizational;
    enum known author_known; /* without its whole walk only the very same domain is certain */
    enum known known;        /* of the walks for identifiers */
};

static bool is_aligned(struct side *s, const struct dmarc_identifier *id, bool strict)
{
    struct walk w;
    if (!id->pass || !id->domain[0])
        return false;
    if (strcmp(id->domain, s->author) == 0)
        return true;
    if (strict)
        return false;
    if (s->author_known != KNOWN) {
        s->known = s->author_known;
        return false;
    }
    walk(s->dns, id->domain, &w);
    if (w.known != KNOWN && s->known != KNOWN_LATER)
        s->known = w.known;
    return w.known == KNOWN && strcmp(w.organizational_domain, s->organizational) == 0;
}

static void align(struct side *s, const struct dmarc_query *query, struct dmarc_answer *answer)
{
    answer->spf_aligned = is_aligned(s, &query->spf, answer->strict_spf);
    for (size_t i = 0; i < query->dkim_count && !answer->dkim_aligned; i++)
        answer->dkim_aligned = is_aligned(s, &query->dkim[i], answer->strict_dkim);
}

/* What is not yet known, or never: as that is worth more than "no". */
static enum dmarc_result unknown(enum known known, struct dmarc_answer *answer)
{
    if (known == KNOWN_LATER)
        return DMARC_PENDING;
    snprintf(answer->why, sizeof(answer->why), "DNS does not answer for DMARC records");
    return DMARC_TEMPERROR;
}

static bool is_strict(const struct dmarc_answer *answer)
{
    return answer->strict_spf && answer->strict_dkim;
}

static enum dmarc_result decide(const struct dmarc_query *query, const struct dns *dns,
                                struct dmarc_answer *answer)
{
    struct walk w;
    walk(dns, query->author, &w);
    snprintf(answer->organizational_domain, sizeof(answer->organizational_domain), "%s",
             w.organizational_domain);
    const struct found *f = find_policy(query->author, &w);
    bool own = f && strcmp(f->domain, query->author) == 0;
    if (w.known == KNOWN_LATER || (!own && w.known != KNOWN) || w.known_own != KNOWN)
        return unknown(w.known, answer);
    if (!f || !f->record.usable) {
        snprintf(answer->why, sizeof(answer->why), "%s",
                 f ? "the record has neither a valid p= nor a rua=" : "there is no DMARC record");
        return DMARC_NONE;
    }
    enum known known = apply_policy(f, query->author, dns, answer);
    struct side side = {dns, query->author, answer->organizational_domain, w.known, KNOWN};
    align(&side, query, answer);
    if (answer->spf_aligned || answer->dkim_aligned)
        return DMARC_PASS;
    if (known == KNOWN_LATER || side.known == KNOWN_LATER)
        return DMARC_PENDING;
    if (known != KNOWN || side.known != KNOWN)
        return unknown(KNOWN_NEVER, answer);
    snprintf(answer->why, sizeof(answer->why), "neither SPF nor DKIM passes for %s",
             is_strict(answer) ? query->author : answer->organizational_domain);
    return DMARC_FAIL;
}

void dmarc_check(const struct dmarc_query *query, const struct dns *dns,
                 struct dmarc_answer *answer_r)
{
    *answer_r = (struct dmarc_answer){0};
    answer_r->result = decide(query, dns, answer_r);
}
