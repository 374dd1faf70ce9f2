// SPDX-License-Identifier: BSD-2-Clause
/* spf_terms.h - Terms of an SPF record (RFC 7208 section 12), and macro expansion (section 7). */
#ifndef SPF_TERMS_H
#define SPF_TERMS_H

#include "buf.h"
#include "spf.h"

enum spf_kind {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    SPF_REDIRECT,
    SPF_EXP,
    SPF_OTHER_MODIFIER
};

struct spf_term {
    enum spf_kind kind;
    enum spf_result qualifier; /* what it means when it matches */
    struct span text;          /* the whole term */
    struct span domain;        /* its domain-spec, macros and all; empty without */
    struct ip ip;              /* of ip4 and ip6 */
    unsigned prefix4, prefix6;
};

/* Take the next term off the front of `rest` (what follows "v=spf1"). False at the end, and when it
 * is malformed: then `why_r` says how, else it is NULL.
 */
bool spf_next_term(struct span *rest, struct spf_term *term_r, const char **why_r);

/* What macros are made of. */
struct spf_macros {
    struct span sender, local, domain_of_sender, helo, receiver;
    const char *domain; /* <domain> of check_host() */
    const struct ip *ip;
    int64_t now_ms;
    /* The validated name of the sending host for %{p}; NULL while DNS is pending. */
    const char *(*validated)(void *context);
    void *context;
};

/* Is it a macro-string? `explanation`: with the letters that only explanations may use. */
bool spf_macro_valid(struct span text, bool explanation);

/* Append the text with its macros expanded; it is valid. False: DNS is pending. */
MUST_CHECK bool spf_macro_expand(struct span text, const struct spf_macros *m, struct buf *out);

#endif
