// SPDX-License-Identifier: BSD-2-Clause
/* domain_policy.c - The MTA-STS policy of an attempt's domain (sts.h): asked for when the attempt
 * has a connection, and looked at for each host.
 *
 * Mostly it is known by then, as it was asked for when the domain's hosts were looked up.
 *
 * Behind a smart host it is that host's own policy (RFC 8461 section 3.4). An address has none.
 */
#include "attempt.h"

void domain_policy_leave(struct attempt *p)
{
    sts_ask_cancel(p->domain.ask);
    sts_answer_fini(&p->domain.answer);
    p->domain = (struct attempt_policy){0};
}

void domain_policy_give_up(struct attempt *p)
{
    sts_ask_cancel(p->domain.ask);
    p->domain.ask = NULL;
    if (!p->domain.known) {
        p->domain.answer.result = TLS_RESULT_STS_POLICY_FETCH_ERROR;
        snprintf(p->domain.answer.reason, sizeof(p->domain.answer.reason), "no-answer-in-time");
    }
    p->domain.known = true;
}

static void on_answer(void *context, struct sts_answer *answer)
{
    struct attempt *p = context;
    p->domain.ask = NULL;
    sts_answer_fini(&p->domain.answer);
    p->domain.answer = *answer;
    p->domain.known = true;
    p->domain.done(p->domain.context);
}

void domain_policy_ask(struct attempt *p, bool doubt, void (*done)(void *context), void *context)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    struct sts *sts = p->home->shared->sts;
    const struct sts_query query = {
        .domain = name, .tenant = p->mail->tenant, .urgent = p->mail->class == STREAM_SECURITY};
    if (!sts_domain(p->route, p->work->domain, name))
        p->domain.known = true;
    else if (!doubt)
        p->domain.known = sts_know(sts, name, &p->domain.answer);
    if (p->domain.known && !doubt)
        return;
    p->domain.done = done;
    p->domain.context = context;
    p->domain.doubted = doubt;
    p->domain.ask =
        sts_ask(sts, p->home->worker, &query, doubt ? STS_TO_DOUBT : STS_TO_KNOW, on_answer, p);
}

static void say(const struct sts_answer *answer, const char *host, struct host_situation *s)
{
    host_policy_say_domain(s, answer->terms ? &answer->terms->policy : NULL, answer->result, host);
}

void domain_policy_say(struct deliveries *home, const struct config_route *route,
                       const char *domain, const struct attempt *p, const char *host,
                       struct host_situation *situation)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    struct sts_answer answer;
    situation->sts_mode = route->mta_sts;
    if (!sts_domain(route, domain, name)) {
        situation->sts = STS_NONE;
    } else if (p && p->domain.known) {
        say(&p->domain.answer, host, situation);
    } else if (!p && sts_know(home->shared->sts, name, &answer)) {
        say(&answer, host, situation);
        sts_answer_fini(&answer);
    }
}

struct sts_ask *domain_policy_await(struct deliveries *home, const struct config_route *route,
                                    const struct dispatch_work *work, sts_on_answer *done,
                                    void *context)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    struct sts_answer answer = {.terms = NULL};
    const struct sts_query query = {.domain = name, .tenant = work->tenant, .urgent = work->urgent};
    if (!sts_domain(route, work->domain, name))
        return NULL;
    bool known = sts_know(home->shared->sts, name, &answer);
    sts_answer_fini(&answer);
    return known ? NULL
                 : sts_ask(home->shared->sts, home->worker, &query, STS_TO_KNOW, done, context);
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
