// SPDX-License-Identifier: BSD-2-Clause
/* partial_rests.c - A host that breaks over the mail of some recipient domains, and answers for
 * others.
 *
 * Whoever has a domain can have its MX name another one's host, which then hangs up over mail that
 * it does not know. So a domain is good in a lane while the last message to it was answered there,
 * and what broke over others rests without those: its mail goes on, and shows by that whether the
 * host works.
 */
#include "queue_moves.h"

#include <utlist.h>

void domain_leads_good(struct domain *domain, struct lane *lane, bool begins)
{
    if (!lane || domain->good_lane != lane->id)
        return;
    if (begins)
        lane->good++;
    else
        lane->good--;
}

void domain_answered(struct queue *q, struct domain *domain, struct lane *lane)
{
    struct line *line;
    if (domain->lane != lane || domain_is_good(domain))
        return;
    domain->good_lane = lane->id;
    lane->good++;
    DL_FOREACH (domain->lines, line)
        lane_spares(q, line);
    domain_finds_turn(domain);
}

bool domain_broke(struct domain *domain, struct lane *lane)
{
    if (domain->lane != lane || !domain_is_good(domain))
        return false;
    domain->good_lane = 0;
    lane->good--;
    domain_finds_turn(domain);
    return true;
}
