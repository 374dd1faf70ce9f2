// SPDX-License-Identifier: BSD-2-Clause
/* turns.c - What goes next at a destination, by class and in tenants' turns (class_turns.h); but of
 * what has been passed over too often one goes. */
#include "queue_moves.h"

/* The classes of one pool, or of both: POOLS. */
static size_t first_class(enum pool pool)
{
    return pool == POOL_PLAIN ? STREAM_SECURITY + 1 : 0;
}

static size_t end_class(enum pool pool)
{
    return pool == POOL_URGENT ? STREAM_SECURITY + 1 : STREAM_CLASSES;
}

static struct line *line_of(const struct turn_item *item)
{
    return item ? OWNER_OF(item, struct line, turn) : NULL;
}

static struct line *line_of_lane(const struct turn_item *item)
{
    return item ? OWNER_OF(item, struct line, lane_turn) : NULL;
}

/* What rests is to be met, too: it hides others of its tenant. */
static bool passes(const struct turn_item *item, const void *context)
{
    const struct line_question *question = context;
    const struct line *line = line_of(item);
    return lane_sets_aside(line) || question->test(line, question->context);
}

struct line *destination_best_of(struct destination *d, enum pool pool,
                                 const struct line_question *question)
{
    for (;;) {
        struct line *line =
            line_of(class_turns_first_of(&d->turns, first_class(pool), end_class(pool), passes,
                                         question, &d->look[question->look], question->now_ms));
        if (!line || !lane_sets_aside(line))
            return line;
        lane_hold(line->domain->lane, line);
    }
}

struct line *destination_best(struct destination *d, enum pool pool)
{
    for (;;) {
        struct line *line =
            line_of(class_turns_first(&d->turns, first_class(pool), end_class(pool)));
        if (!line || !lane_sets_aside(line))
            return line;
        lane_hold(line->domain->lane, line);
    }
}

/* The class that has been passed over most; of class security's mail but one in so many. */
struct line *destination_overdue(struct destination *d)
{
    size_t most = 0;
    unsigned passed = d->turns.count[STREAM_SECURITY] > 0 ? 1 : PASSED_MAX;
    if (d->turns.count[STREAM_SECURITY] > 0 && d->codes < PASSED_MAX)
        return NULL;
    for (size_t i = 1; i < STREAM_CLASSES; i++)
        if (d->turns.count[i] > 0 && d->passed[i] >= passed) {
            passed = d->passed[i] + 1;
            most = i;
        }
    while (most > 0) {
        struct line *line = line_of(class_turns_first(&d->turns, most, most + 1));
        if (!line || !lane_sets_aside(line))
            return line;
        lane_hold(line->domain->lane, line);
    }
    return NULL;
}

void destination_serves(struct destination *d, enum stream_class class)
{
    size_t others = 0;
    d->passed[class] = 0;
    for (size_t i = 1; i < STREAM_CLASSES; i++) {
        others += d->turns.count[i];
        if (i > class)
            d->passed[i] = d->turns.count[i] > 0 ? d->passed[i] + 1 : 0;
    }
    d->codes = class == STREAM_SECURITY && others > 0 ? d->codes + 1 : 0;
}

struct line *lane_best(const struct lane *lane, enum pool pool)
{
    return line_of_lane(class_turns_first(&lane->turns, first_class(pool), end_class(pool)));
}

static bool passes_in_lane(const struct turn_item *item, const void *context)
{
    const struct line_question *question = context;
    return question->test(line_of_lane(item), question->context);
}

struct line *lane_best_of(struct lane *lane, enum pool pool, const struct line_question *question)
{
    const struct destination *d = lane->destination;
    lane->turns.deep = d->turns.deep || d->paused > 0; /* of some domains' mail only */
    return line_of_lane(
        class_turns_first_of(&lane->turns, first_class(pool), end_class(pool), passes_in_lane,
                             question, &lane->look[question->look == LOOK_NEXT], question->now_ms));
}

/* Beyond its tenant's part every class is alike. */
static enum stream_class class_in_turns(const struct line *line)
{
    bool beyond = line->turn.party && !class_turns_is_within(&line->turn);
    return beyond ? STREAM_CLASSES - 1 : line->class;
}

bool line_goes_before(const struct line *line, const struct line *other)
{
    return class_in_turns(line) < class_in_turns(other);
}

bool line_is_after(const struct line *line, const struct line *other)
{
    return line->turn.party && other->turn.party && !class_turns_is_within(&line->turn) &&
           class_turns_is_after(&line->turn, &other->turn);
}

int64_t destination_looks_at(const struct destination *d, int64_t now_ms)
{
    int64_t opens_ms = wide_look_again_ms(&d->look[LOOK_OPEN], now_ms);
    int64_t idle_ms = wide_look_again_ms(&d->look[LOOK_IDLE], now_ms);
    return idle_ms < opens_ms ? idle_ms : opens_ms;
}
