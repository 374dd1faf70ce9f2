// SPDX-License-Identifier: BSD-2-Clause
/* domain_policy.c - The MTA-STS policy of mail to a domain (sts.h): asked for when the domain's
 * hosts are looked up, and looked at for each of them.
 *
 * Behind a smart host it is that host's own policy (RFC 8461 section 3.4). An address has none, and
 * mail that is to arrive whatever TLS waits for none.
 */
#include "attempt.h"
#include "host_facts.h"

#include <string.h>

/* What to ask, with its name in `name_r`. False: mail of `work` goes by no policy. */
static bool asks(const struct config_route *route, const struct dispatch_work *work,
                 char name_r[ADDRESS_DOMAIN_MAX + 1], struct sts_query *query_r)
{
    *query_r = (struct sts_query){
        .domain = name_r, .tenant = work->tenant, .urgent = work->urgent, .merit = work->merit};
    return work->need != TLS_NEED_WAIVED && sts_domain(route, work->domain, name_r);
}

bool domain_policy_know(struct deliveries *home, const struct config_route *route,
                        const struct dispatch_work *work, struct sts_answer *answer_r)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    struct sts_query query;
    *answer_r = (struct sts_answer){.terms = NULL};
    return !asks(route, work, name, &query) || sts_know(home->shared->sts, &query, answer_r);
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
    struct sts_query query;
    return asks(route, work, name, &query) && sts_in_vain(home->shared->sts, &query, at_ms_r);
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
    struct sts_query query;
    int64_t at_ms = 0;
    if (!asks(p->route, p->work, name, &query) ||
        !sts_found(p->home->shared->sts, &query, &p->policy, &at_ms))
        return false;
    if (attempt_was_due(p, at_ms))
        return true;
    sts_answer_fini(&p->policy);
    return false;
}

/* May it go by what was found with its hosts? Not before its own time to wait for a policy is over,
 * counted since it was due; but what tells of TLS is to arrive, whatever TLS (RFC 8460 section
 * 5.3). */
static bool may_go_by(struct attempt *p, const struct host_facts *facts)
{
    int64_t at_ms = 0;
    if (mail_is_tls_report(p->mail))
        return true;
    if (!facts)
        return false;
    if (!is_gap(&facts->policy) || is_own(facts, p->work))
        at_ms = facts->found_ms;
    if (attempt_was_due(p, at_ms))
        return true;
    return is_gap(&facts->policy) && was_in_vain(p->home, p->route, p->work, &at_ms) &&
           attempt_was_due(p, at_ms);
}

enum domain_policy domain_policy_take(struct attempt *p)
{
    const struct host_facts *facts = p->work->hosts->facts;
    sts_answer_fini(&p->policy);
    if (domain_policy_know(p->home, p->route, p->work, &p->policy) || take_found(p))
        return DOMAIN_POLICY_TAKEN;
    if (may_go_by(p, facts)) {
        p->policy = facts ? facts->policy : (struct sts_answer){.terms = NULL};
        if (p->policy.terms)
            atomic_fetch_add(&p->policy.terms->holders, 1);
        return DOMAIN_POLICY_TAKEN;
    }
    if (!facts || !is_gap(&facts->policy))
        return DOMAIN_POLICY_OUTDATED;
    domain_policy_prefetch(p->home, p->route, p->work);
    return DOMAIN_POLICY_AWAITED;
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
    struct sts_query query;
    if (!asks(route, work, name, &query))
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
    struct sts_query query;
    if (asks(route, work, name, &query))
        sts_prefetch(home->shared->sts, &query);
}
