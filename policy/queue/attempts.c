// SPDX-License-Identifier: BSD-2-Clause
/* attempts.c - Recipients of one message that are handed out together, and how they come back. */
#include "queue_moves.h"

#include <stdlib.h>
#include <utlist.h>

/* The first recipient that is ready, and those of its message that go with it; one that has broken
 * a connection goes by itself: what breaks it again is about that one. */
static size_t take_ready(struct queue *q, struct line *line,
                         unsigned numbers_r[QUEUE_RECIPIENTS_MAX])
{
    size_t count = 0;
    const struct entry *first = heap_first(&line->ready);
    int64_t message = first->message;
    int64_t arrival = line_arrival(first);
    bool suspect = first->suspect;
    while (count < QUEUE_RECIPIENTS_MAX && line->ready.count > 0) {
        struct entry *e = heap_first(&line->ready);
        if (e->message != message || e->suspect != suspect || line_arrival(e) != arrival)
            break;
        entry_out(q, e);
        e->state = ENTRY_UNDER_WAY;
        e->again = e->dropped = false;
        e->due_ms = 0;
        numbers_r[count++] = e->number;
        if (suspect)
            break;
    }
    return count;
}

/* A turn is so much of a connection's time, or a recipient. */
enum { TURN_MS = 100 };

/* Turns that it takes at that destination, and in that lane. */
static void charge_at(struct lane *lane, const struct line *line, uint64_t turns)
{
    class_turns_charge(&lane->destination->turns, line->tenant->id, line->class, turns);
    class_turns_charge(&lane->turns, line->tenant->id, line->class, turns);
}

/* The turn that it takes there. */
static void charge(struct queue *q, struct attempt *a)
{
    struct line *line = a->line;
    if (!line->lane_turn.party)
        return;
    a->lane = line->domain->lane;
    a->lane->users++;
    charge_at(a->lane, line, a->public.count);
    destination_serves(a->lane->destination, line->class);
    line_has_turn(q, line);
}

/* It has taken no turn, wherever its domain leads now. */
static void give_back_turn(const struct attempt *a)
{
    const struct line *line = a->line;
    struct lane *lane = a->lane;
    if (!lane)
        return;
    class_turns_refund(&lane->destination->turns, line->tenant->id, line->class, a->public.count);
    class_turns_refund(&lane->turns, line->tenant->id, line->class, a->public.count);
}

uint64_t attempt_took(const struct attempt *a, struct lane *lane, int64_t for_ms)
{
    const struct line *line = a->line;
    uint64_t turns = for_ms > 0 ? (uint64_t)for_ms / TURN_MS : 0;
    if (turns > TURNS_AHEAD)
        turns = TURNS_AHEAD;
    if (turns > a->public.count && !line->late)
        charge_at(lane, line, turns - a->public.count);
    return turns > a->public.count ? turns : a->public.count;
}

struct attempt *attempt_make(struct queue *q, struct line *line, int64_t now_ms)
{
    unsigned numbers[QUEUE_RECIPIENTS_MAX];
    struct domain *domain = line->domain;
    const struct entry *first = heap_first(&line->ready);
    int64_t message = first->message;
    uint32_t behind = first->behind;
    size_t count = take_ready(q, line, numbers);
    struct attempt *a = xcalloc(1, sizeof(*a) + count * sizeof(numbers[0]));
    a->public = (struct queue_attempt){.message = message,
                                       .class = line->class,
                                       .domain = domain->name,
                                       .tenant = line->tenant->name,
                                       .count = count,
                                       .numbers = (unsigned *)(a + 1)};
    for (size_t i = 0; i < count; i++)
        a->public.numbers[i] = numbers[i];
    a->line = line;
    a->behind = behind;
    line->attempts++;
    domain->attempts++;
    q->under_way += count;
    q->attempt_count++;
    DL_APPEND(q->attempts, a);
    charge(q, a);
    if (domain->state == DOMAIN_LEADS && domain->until_ms <= now_ms && !line->late)
        domain_ask(q, domain, line);
    line_changed(q, line, now_ms);
    return a;
}

static void free_attempt(struct queue *q, struct attempt *a, int64_t now_ms)
{
    struct line *line = a->line;
    CHECK(!a->connection && line->attempts > 0);
    line->attempts--;
    line->domain->attempts--;
    q->under_way -= a->public.count;
    q->attempt_count--;
    DL_DELETE(q->attempts, a);
    if (a->settling) {
        fair_refund(&q->settle, line->tenant, 1);
        q->settling--;
    }
    if (a->lane) {
        a->lane->users--;
        lane_drop(q, a->lane);
    }
    free(a);
    line_changed(q, line, now_ms);
}

/* Added again, to another line perhaps, while it was under way. */
static void put_back(struct queue *q, struct entry *e, struct line *line, int64_t due_ms,
                     int64_t now_ms)
{
    struct line *own = e->line;
    if (due_ms > now_ms)
        entry_wait(q, e, due_ms);
    else
        entry_ready(q, e, due_ms);
    if (own != line)
        line_changed(q, own, now_ms);
}

static void entry_over(struct queue *q, struct entry *e, struct line *line, int64_t now_ms)
{
    struct line *own = e->line;
    entry_free(q, e);
    if (own != line)
        line_changed(q, own, now_ms);
}

static void give_back(struct queue *q, struct attempt *a, bool behind, int64_t now_ms)
{
    struct line *line = a->line;
    for (size_t i = 0; i < a->public.count; i++) {
        struct entry *e = entry_find(q, a->public.message, a->public.numbers[i]);
        CHECK(e && e->state == ENTRY_UNDER_WAY);
        if (e->dropped)
            entry_over(q, e, line, now_ms);
        else if (e->again)
            put_back(q, e, line, e->due_ms, now_ms);
        else if (behind)
            entry_ready_behind(q, e);
        else
            entry_ready_again(q, e, a->behind);
    }
    free_attempt(q, a, now_ms);
}

void attempt_back(struct queue *q, struct attempt *a, int64_t now_ms)
{
    give_back_turn(a);
    give_back(q, a, false, now_ms);
}

void attempt_behind(struct queue *q, struct attempt *a, int64_t now_ms)
{
    int64_t last = q->last_behind > q->last_message ? q->last_behind : q->last_message;
    q->last_behind = last + (1 << 16); /* 1 ms, in which entries count it */
    give_back(q, a, true, now_ms);
}

void attempt_over(struct queue *q, struct attempt *a, const int64_t *due_ms, int64_t now_ms)
{
    struct line *line = a->line;
    for (size_t i = 0; i < a->public.count; i++) {
        struct entry *e = entry_find(q, a->public.message, a->public.numbers[i]);
        bool due = due_ms && due_ms[i] != 0;
        CHECK(e && e->state == ENTRY_UNDER_WAY);
        if (e->dropped || (!e->again && !due)) {
            entry_over(q, e, line, now_ms);
            continue;
        }
        if (!e->again && line->late)
            entry_assign(q, e, line_need(q, line->domain, line->tenant, line->class, false));
        int64_t at_ms = e->again ? e->due_ms : due_ms[i];
        bool goes_on = !e->again && at_ms <= now_ms; /* it has had its last chance */
        put_back(q, e, line, goes_on ? INT64_MIN : at_ms, now_ms);
    }
    free_attempt(q, a, now_ms);
}
