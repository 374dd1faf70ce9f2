// SPDX-License-Identifier: BSD-2-Clause
/* doubts.c - When what is known of a domain is asked for past all caches: once in a while, however
 * much mail for it falls due, as each time others are asked, and its mail waits.
 */
#include "queue_moves.h"

static bool may_doubt(struct tenant *t, enum stream_class class, int64_t now_ms)
{
    unsigned most = class == STREAM_SECURITY ? 2 * QUEUE_DOUBTS : QUEUE_DOUBTS;
    if (t->doubts == 0 || now_ms - t->doubts_ms >= QUEUE_DOUBT_MS) {
        t->doubts = 0;
        t->doubts_ms = now_ms;
    }
    if (t->doubts >= most)
        return false;
    t->doubts++;
    return true;
}

bool queue_ask_anew(struct queue *q, const struct queue_attempt *attempt, int64_t known_ms,
                    int64_t now_ms)
{
    struct line *line = ((const struct attempt *)attempt)->line;
    struct domain *domain = line->domain;
    bool is_asked = domain->anew || domain->asks_anew;
    if (is_asked || known_ms < domain->doubted_ms)
        return true;
    if (domain->doubted_ms != 0 && now_ms - domain->doubted_ms < QUEUE_DOUBT_MS)
        return false;
    if (!may_doubt(line->tenant, line->class, now_ms))
        return false;
    domain->doubted_ms = now_ms;
    domain->anew = true;
    domain_forget(q, domain);
    return true;
}
