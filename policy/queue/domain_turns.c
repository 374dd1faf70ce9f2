// SPDX-License-Identifier: BSD-2-Clause
/* domain_turns.c - In which order the lines of one tenant's class go at a place: each a domain's.
 *
 * A line that has never had a turn goes by the arrival of its first recipient; one that has had one
 * goes behind all that had come by then, or a turn more each time. So a domain for which much waits
 * goes by turns with the others, and none waits for ever.
 *
 * A host may stall over the mail of one domain and answer for the others, and whoever has a domain
 * can name any host in its MX. So a line whose mail keeps a connection busy for long goes behind
 * what comes in the next day, until one of its own is answered in time, or taken late; other
 * tenants' mail to that domain does not. A domain that was not answered there yet goes behind what
 * comes in the next ten minutes, or a hundred turns.
 */
#include "queue_moves.h"

/* Messages are numbered by the time at which they come (relay/store/message_ids.c), in steps of
 * 1/65,536 ms: so far behind goes what is not known, each turn counts for so much, and so far
 * behind goes what was stuck. */
static const int64_t turn = (int64_t)(6 * 1000) << 16;
static const int64_t unknown = (int64_t)(10 * 60 * 1000) << 16;
static const int64_t behind = (int64_t)(24 * 3600 * 1000) << 16;

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void line_finds_turn(struct line *line)
{
    const struct domain *domain = line->domain;
    int64_t at = later(line->head_arrival, line->had_at);
    line->turn_at = later(domain_is_good(domain) ? at : at + unknown, line->behind);
}

void line_has_turn(struct queue *q, struct line *line)
{
    int64_t most = q->last_message + unknown + turn;
    line->had_at = later(q->last_message, line->had_at < most ? line->had_at + turn : most);
    line->had = ++q->serial;
}

bool line_turn_before(const struct line *l, const struct line *m)
{
    if (l->turn_at != m->turn_at)
        return l->turn_at < m->turn_at;
    if (l->had != m->had)
        return l->had < m->had;
    return l->head_arrival != m->head_arrival ? l->head_arrival < m->head_arrival
                                              : l->head_number < m->head_number;
}

bool line_is_behind(const struct line *line)
{
    return line->behind != 0;
}

static void find_turn(struct line *line)
{
    line_finds_turn(line);
    if (line->turn.party)
        class_turns_moved(&line->turn);
    if (line->lane_turn.party)
        class_turns_moved(&line->lane_turn);
}

void domain_finds_turn(struct domain *domain)
{
    for (struct line *line = domain->lines; line; line = line->next)
        find_turn(line);
}

void line_falls_behind(const struct queue *q, struct line *line)
{
    line->behind = q->last_message + behind;
    find_turn(line);
}

void line_keeps_up(struct line *line)
{
    line->behind = 0;
    find_turn(line);
}
