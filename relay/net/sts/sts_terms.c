// SPDX-License-Identifier: BSD-2-Clause
/* sts_terms.c - Policies as they count: shared by all threads, freed with who holds one last. */
#include "sts_parts.h"

#include <stdio.h>
#include <stdlib.h>

struct sts_terms *sts_terms_hold(struct sts_terms *terms)
{
    if (terms)
        atomic_fetch_add(&terms->holders, 1);
    return terms;
}

void sts_terms_drop(struct sts_terms *terms)
{
    if (!terms || atomic_fetch_sub(&terms->holders, 1) > 1)
        return;
    mta_sts_policy_fini(&terms->policy);
    tlsrpt_text_drop(atomic_load(&terms->report));
    free(terms);
}

struct sts_terms *sts_terms_new(const struct mta_sts_policy *policy, const char *id)
{
    struct sts_terms *terms = xcalloc(1, sizeof(*terms));
    atomic_init(&terms->holders, 1);
    snprintf(terms->id, sizeof(terms->id), "%s", id);
    terms->policy = *policy;
    buf_init(&terms->policy.mx, MTA_STS_BODY_MAX);
    buf_add(&terms->policy.mx, buf_span(&policy->mx));
    return terms;
}

void sts_entry_load(struct sts_entry *e)
{
    sts_terms_drop(e->terms);
    e->terms = e->kept.there ? sts_terms_new(&e->kept.policy, e->kept.id) : NULL;
}

void sts_answer_fini(struct sts_answer *answer)
{
    sts_terms_drop(answer->terms);
    answer->terms = NULL;
}
