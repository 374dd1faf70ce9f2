// SPDX-License-Identifier: BSD-2-Clause
/* sts.h - MTA-STS for what is sent (RFC 8461): which policy a domain has, for all shards.
 *
 * One service, on the main loop: it asks DNS, lets the fetcher fetch, has policies written down
 * before they count, and fetches them again each day. What it knows is answered at once, from any
 * thread; what it does not know yet it finds out beside the delivery, in a time that no other
 * tenant's domains can use up.
 */
#ifndef STS_H
#define STS_H

#include "mta_sts.h"
#include "sts_calls.h"
#include "tlsrpt_gather.h"
#include "worker.h"

#include <stdatomic.h>

/* A domain's policy. Never changed once it is made; freed with who holds it last. */
struct sts_terms {
    atomic_uint holders;
    _Atomic(struct tlsrpt_text *) report; /* NULL: not needed yet (session_count.c) */
    char id[MTA_STS_ID_MAX + 1];
    struct mta_sts_policy policy;
};

struct fetcher;

struct sts_answer {
    struct sts_terms *terms; /* held; NULL: no policy counts */
    enum tls_result result;  /* why there is none although there should be; or NONE */
    char reason[64];
};
/* Lets go of what it holds; an answer without terms is allowed. */
void sts_answer_fini(struct sts_answer *answer);

/* On the main loop. Policies are read from the state directory. The fetcher (fetcher.h) and the
 * store are borrowed. */
MUST_CHECK bool sts_new(uv_loop_t *loop, struct settings *settings, const struct fetcher *fetcher,
                        struct store *store, struct sts **sts_r, struct err *err);
void sts_change_settings(struct sts *s, struct settings *settings);
/* When no shard asks any more. The loop must run once more. */
void sts_close(struct sts *s);
/* After the store has ended. NULL is allowed. */
void sts_free(struct sts *s);

/* ---- from any thread ---- */

struct sts_query {
    const char *domain; /* whose mail it is, or the host that its route names: in normal form */
    const char *tenant;
    bool urgent;    /* class security waits for it */
    uint64_t merit; /* party_turns.h */
};

/* It will be asked for soon. */
void sts_prefetch(struct sts *s, const struct sts_query *query);
/* False: it is not known yet. */
MUST_CHECK bool sts_know(struct sts *s, const struct sts_query *query, struct sts_answer *answer_r);
/* What was last found out, and when, by the steady clock, within the last minute: it may not count
 * any more but for mail that has waited for it since before. False: nothing. */
MUST_CHECK bool sts_found(struct sts *s, const struct sts_query *query, struct sts_answer *answer_r,
                          int64_t *at_ms_r);
/* Has this been looked into for such mail of the tenant, and not been found out? `at_ms_r`: when
 * that was last known, by the steady clock. That another tenant's mail has waited in vain says
 * nothing of it. */
MUST_CHECK bool sts_in_vain(struct sts *s, const struct sts_query *query, int64_t *at_ms_r);

enum sts_wish {
    STS_TO_KNOW, /* what counts now */
    STS_TO_DOUBT /* the same, after the TXT record was asked for past all caches: mail cannot go by
                    the policy, and it may have been changed just now */
};

struct sts_ask;
/* Takes what `answer` holds. */
typedef void sts_on_answer(void *context, struct sts_answer *answer);
/* `done` is called once, on the worker's loop and never from inside; 10 seconds after the tenant's
 * first question about the domain for class security, after 60 for others, as if the fetch had
 * failed. */
struct sts_ask *sts_ask(struct sts *s, struct worker *w, const struct sts_query *query,
                        enum sts_wish wish, sts_on_answer *done, void *context);
void sts_ask_cancel(struct sts_ask *ask); /* NULL does nothing */

/* For commands. */
extern const struct sts_calls sts_calls;

#endif
