// SPDX-License-Identifier: BSD-2-Clause
/* dmarc_merge.h - The DMARC record that a From domain should have: the published policy is kept,
 * and the next step towards p=reject is suggested (RFC 9989). */
#ifndef DMARC_MERGE_H
#define DMARC_MERGE_H

#include "dmarc.h"

enum { DMARC_MERGE_TEXT_MAX = 2048 };

enum dmarc_merge_state {
    DMARC_MERGE_PENDING,
    DMARC_MERGE_SAME,    /* `text` is what stands there */
    DMARC_MERGE_NEW,     /* nothing holds for the domain yet */
    DMARC_MERGE_COVERED, /* the policy of a domain above holds; `text` says the same at the name */
    DMARC_MERGE_CHANGED, /* `text` takes the place of what stands there */
    DMARC_MERGE_UNANSWERED
};

struct dmarc_merge {
    enum dmarc_merge_state state;
    char text[DMARC_MERGE_TEXT_MAX + 1];
    char next[DMARC_MERGE_TEXT_MAX + 1]; /* the step after it; "" at the end */
    char note[400];
};

/* `rua`: where a new record has reports sent to; NULL: nowhere. */
void dmarc_merge(const char *domain, const char *rua, const struct dns *dns,
                 struct dmarc_merge *merge_r);

/* The next step: none, quarantine, reject, each first with t=y, which receivers of RFC 9989 take
 * one level lower; pct, rf and ri, which it has no more, are left out. False: there is none. */
MUST_CHECK bool dmarc_next_step(struct span record, struct buf *next);

#endif
