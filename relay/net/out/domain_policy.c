// SPDX-License-Identifier: BSD-2-Clause
/* domain_policy.c - The MTA-STS policy of mail to a domain (sts.h): asked for when the domain's
 * hosts are looked up, and looked at for each of them.
 *
 * Behind a smart host it is that host's own policy (RFC 8461 section 3.4). An address has none.
 */
#include "attempt.h"
#include "host_facts.h"

#include <string.h>

bool domain_policy_know(struct deliveries *home, const struct config_route *route,
                        const struct dispatch_work *work, struct sts_answer *answer_r)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    const struct sts_query query = {.domain = name, .tenant = work->tenant, .urgent = work->urgent};
    *answer_r = (struct sts_answer){.terms = NULL};
    return !sts_domain(route, work->domain, name) || sts_know(home->shared->sts, &query, answer_r);
}

static struct sts_query query_of(const struct dispatch_work *work, const char *name)
{
    return (struct sts_query){.domain = name, .tenant = work->tenant, .urgent = work->urgent};
}

/* Could none be had, though there may be one? */
static bool is_gap(const struct sts_answer *answer)
{
    return !answer->terms && answer->result != TLS_RESULT_NONE;
}

/* Was it such mail of this tenant, or some that waits longer, for which that was so? */
static bool is_own(const struct host_facts *facts, const struct dispatch_work *work)
{
    return strcmp(facts->tenant, work->tenant) == 0 && work->urgent >= facts->urgent;
}

/* When it was last so for this tenant's mail. */
static bool was_in_vain(struct deliveries *home, const struct config_route *route,
                        const struct dispatch_work *work, int64_t *at_ms_r)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    const struct sts_query query = query_of(work, name);
    return sts_domain(route, work->domain, name) && sts_in_vain(home->shared->sts, &query, at_ms_r);
}

bool domain_policy_expect(struct deliveries *home, const struct config_route *route,
                          const struct dispatch_work *work, struct sts_answer *answer_r)
{
    const struct host_facts *facts = work->hosts->facts;
    int64_t at_ms = 0;
    if (domain_policy_know(home, route, work, answer_r))
        return true;
    if (!facts || !is_gap(&facts->policy))
        return false;
    if (!is_own(facts, work) && !was_in_vain(home, route, work, &at_ms))
        return false;
    *answer_r = facts->policy;
    return true;
}

/* What was found since it was due, although it may not be kept, or not for so long. */
static bool take_found(struct attempt *p)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    const struct sts_query query = query_of(p->work, name);
    int64_t at_ms = 0;
    if (!sts_domain(p->route, p->work->domain, name) ||
        !sts_found(p->home->shared->sts, &query, &p->policy, &at_ms))
        return false;
    if (attempt_was_due(p, at_ms))
        return true;
    sts_answer_fini(&p->policy);
    return false;
}

/* Has its time to wait for a policy been, since it was due, without any being found? */
static bool has_waited(struct attempt *p, const struct host_facts *facts)
{
    int64_t at_ms = 0;
    return (is_own(facts, p->work) && attempt_was_due(p, facts->found_ms)) ||
           (was_in_vain(p->home, p->route, p->work, &at_ms) && attempt_was_due(p, at_ms));
}

enum domain_policy domain_policy_take(struct attempt *p)
{
    const struct host_facts *facts = p->work->hosts->facts;
    sts_answer_fini(&p->policy);
    if (domain_policy_know(p->home, p->route, p->work, &p->policy) || take_found(p))
        return DOMAIN_POLICY_TAKEN;
    if (facts && is_gap(&facts->policy)) {
        if (!has_waited(p, facts)) {
            domain_policy_prefetch(p->home, p->route, p->work);
            return DOMAIN_POLICY_AWAITED;
        }
    } else if (!facts || !attempt_was_due(p, facts->found_ms)) {
        return DOMAIN_POLICY_OUTDATED;
    }
    p->policy = facts->policy;
    if (p->policy.terms)
        atomic_fetch_add(&p->policy.terms->holders, 1);
    return DOMAIN_POLICY_TAKEN;
}

void domain_policy_say(const struct sts_answer *answer, const char *host, struct host_situation *s)
{
    host_policy_say_domain(s, answer->terms ? &answer->terms->policy : NULL, answer->result, host);
}

struct sts_ask *domain_policy_find(struct deliveries *home, const struct config_route *route,
                                   const struct dispatch_work *work, struct sts_answer *known_r,
                                   sts_on_answer *done, void *context)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    const struct sts_query query = {.domain = name, .tenant = work->tenant, .urgent = work->urgent};
    if (!sts_domain(route, work->domain, name))
        return NULL;
    bool known = sts_know(home->shared->sts, &query, known_r);
    if (known && !(work->anew && known_r->terms))
        return NULL;
    return sts_ask(home->shared->sts, home->worker, &query, known ? STS_TO_DOUBT : STS_TO_KNOW,
                   done, context);
}

void domain_policy_prefetch(struct deliveries *home, const struct config_route *route,
                            const struct dispatch_work *work)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    if (sts_domain(route, work->domain, name))
        sts_prefetch(
            home->shared->sts,
            &(struct sts_query){.domain = name, .tenant = work->tenant, .urgent = work->urgent});
}
