// SPDX-License-Identifier: BSD-2-Clause
/* dmarc.h - DMARC as defined by RFC 9989: records, tree walk, alignment, policy. */
#ifndef SEALPOST_DMARC_H /* DMARC_H is libopendmarc's */
#define SEALPOST_DMARC_H

#include "dns.h"

enum dmarc_policy { DMARC_POLICY_IS_NONE, DMARC_POLICY_IS_QUARANTINE, DMARC_POLICY_IS_REJECT };
enum dmarc_psd { DMARC_PSD_UNSAID, DMARC_PSD_YES, DMARC_PSD_NO };

const char *dmarc_policy_name(enum dmarc_policy policy); /* "none", "quarantine", "reject" */

/* A record (section 4.7). Tags that are unknown or were removed (pct, rf, ri) are ignored; a value
 * that is none of those allowed counts as absent. */
struct dmarc_record {
    bool usable; /* has a policy; or none that is valid, but asks for reports: then p is none */
    enum dmarc_policy p, sp, np; /* with their fall-backs: np, else sp, else p */
    bool has_np;
    bool strict_dkim, strict_spf;
    enum dmarc_psd psd;
    bool testing;     /* t=y */
    unsigned percent; /* pct= of RFC 7489, 100 when it is not said; RFC 9989 knows it no more */
};

/* False: it is no DMARC record, as "v=DMARC1" does not stand first. */
MUST_CHECK bool dmarc_record_parse(struct span text, struct dmarc_record *record_r);

/* The one DMARC record among the answers; none when there are several (section 4.10). */
bool dmarc_record_select(const struct dns_answer *answer, struct dmarc_record *record_r);

enum dmarc_result { DMARC_PENDING, DMARC_PASS, DMARC_FAIL, DMARC_NONE, DMARC_TEMPERROR };
/* "pending", "pass" … */
const char *dmarc_result_name(enum dmarc_result result);

/* A domain that SPF or DKIM has authenticated. */
struct dmarc_identifier {
    char domain[DNS_NAME_MAX + 1]; /* normal form; empty: none */
    bool pass;
};

enum { DMARC_SIGNATURES_MAX = 16 };

struct dmarc_query {
    const char *author; /* the From domain, in normal form */
    struct dmarc_identifier spf;
    struct dmarc_identifier dkim[DMARC_SIGNATURES_MAX];
    size_t dkim_count;
};

struct dmarc_answer {
    enum dmarc_result result;
    bool found;               /* there is a policy */
    enum dmarc_policy policy; /* what it asks for when the result is fail; t=y is taken into it */
    bool testing, strict_dkim, strict_spf;
    bool dkim_aligned, spf_aligned;               /* a passing identifier is */
    char organizational_domain[DNS_NAME_MAX + 1]; /* of the From domain */
    char record_domain[DNS_NAME_MAX + 1]; /* where the policy was found, without "_dmarc."; or "" */
    char why[300];
};

/* RFC 9989 sections 4.10 and 5. Pending while an answer of `dns` is (dns.h). */
void dmarc_check(const struct dmarc_query *query, const struct dns *dns,
                 struct dmarc_answer *answer_r);

#endif
