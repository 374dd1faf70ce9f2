// SPDX-License-Identifier: BSD-2-Clause
/* spf_merge.h - The SPF record that a domain should have: what it has now, and our addresses.
 *
 * What was allowed stays allowed: terms are only added, before `all` and `redirect=`, or first of
 * all when an earlier term speaks against us. Of several records, which receivers refuse to read
 * (RFC 7208 section 4.5), one is made.
 */
#ifndef SPF_MERGE_H
#define SPF_MERGE_H

#include "spf.h"

enum { SPF_MERGE_TEXT_MAX = 2048 };

enum spf_merge_state {
    SPF_MERGE_PENDING,
    SPF_MERGE_SAME,       /* `text` is what stands there, and passes for all our addresses */
    SPF_MERGE_NEW,        /* there is none yet */
    SPF_MERGE_CHANGED,    /* `text` takes the place of what stands there */
    SPF_MERGE_IMPOSSIBLE, /* `note` says what must be mended by hand */
    SPF_MERGE_UNANSWERED
};

struct spf_merge {
    enum spf_merge_state state;
    char text[SPF_MERGE_TEXT_MAX + 1];
    unsigned lookups; /* terms that ask DNS, of 10 */
    char note[400];   /* what somebody should know; "" nothing */
};

/* `fresh`: what a new record says after "v=spf1"; NULL: our addresses and ~all. At most 32
 * addresses, all of them valid. */
void spf_merge(const char *domain, const char *const *ips, size_t ip_count, const char *fresh,
               const struct dns *dns, struct spf_merge *merge_r);

#endif
