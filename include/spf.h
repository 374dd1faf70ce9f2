// SPDX-License-Identifier: BSD-2-Clause
/* spf.h - SPF exactly as RFC 7208 has it: may this address send mail for this domain?
 *
 * Terms are counted (10, section 4.6.4), void lookups too (2); names that do not exist are told
 * apart from DNS that does not answer.
 */
#ifndef SPF_H
#define SPF_H

#include "dns.h"
#include "ip.h"

/* Section 2.6, and: an answer of DNS is still missing. */
enum spf_result {
    SPF_PENDING,
    SPF_NONE,
    SPF_NEUTRAL,
    SPF_PASS,
    SPF_FAIL,
    SPF_SOFTFAIL,
    SPF_TEMPERROR,
    SPF_PERMERROR
};
enum { SPF_RESULTS = 8 };

const char *spf_result_name(enum spf_result result); /* "pass" … */
/* From that name. False when it is none of them. */
MUST_CHECK bool spf_result_parse(struct span name, enum spf_result *result_r);

struct spf_query {
    struct ip ip;
    struct span sender; /* MAIL FROM; empty: postmaster at `helo` (section 2.4) */
    struct span helo;
    struct span receiver; /* for the %{r} of an explanation; empty: "unknown" */
    int64_t now_ms;       /* for its %{t} */
};

struct spf_answer {
    enum spf_result result;
    char domain[DNS_NAME_MAX + 1]; /* that was asked about; empty when it is none */
    unsigned terms, voids;
    char mechanism[300];    /* the directive that decided, and in whose record; "" when none did */
    char explanation[1024]; /* what the domain's exp= says to a failing sender; "" without */
    char why[300];          /* for errors and none: a sentence */
};

/* check_host() of section 4. */
void spf_check(const struct spf_query *query, const struct dns *dns, struct spf_answer *answer_r);

/* Is this text a record that the grammar of section 12 accepts? `why_r` says what is wrong. */
MUST_CHECK bool spf_record_valid(struct span record, const char **why_r);
/* Does it say that it is one ("v=spf1")? */
bool spf_record_claims(struct span record);

#endif
