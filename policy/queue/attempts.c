// SPDX-License-Identifier: BSD-2-Clause
/* attempts.c - Recipients of one message that are handed out together, and how they come back. */
#include "queue_moves.h"

#include <stdlib.h>
#include <utlist.h>

struct attempt *attempt_make(struct queue *q, struct line *line, int64_t now_ms)
{
    unsigned numbers[QUEUE_RECIPIENTS_MAX];
    size_t count = 0;
    const struct entry *first = heap_first(&line->ready);
    int64_t message = first->message;
    bool suspect = first->suspect; /* those go by themselves: what breaks it again is about them */
    struct domain *domain = line->domain;
    while (count < QUEUE_RECIPIENTS_MAX && line->ready.count > 0) {
        struct entry *e = heap_first(&line->ready);
        if (e->message != message || e->suspect != suspect)
            break;
        entry_out(q, e);
        e->state = ENTRY_UNDER_WAY;
        e->again = e->dropped = false;
        e->due_ms = 0;
        numbers[count++] = e->number;
    }
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
    line->attempts++;
    domain->attempts++;
    q->under_way += count;
    q->attempt_count++;
    DL_APPEND(q->attempts, a);
    if (line->lane_turn.party)
        fair_charge(line->lane_turn.party->fair, line->tenant, count);
    if (line->lane_turn.party)
        destination_serves(domain->lane->destination, line->class);
    if (line->lane_turn.party && line->turn.party)
        fair_charge(line->turn.party->fair, line->tenant, count);
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

void attempt_back(struct queue *q, struct attempt *a, int64_t now_ms)
{
    struct line *line = a->line;
    struct lane *lane = line->domain->lane;
    if (lane && !line->late) {
        fair_refund(&lane->destination->turns[line->class], line->tenant, a->public.count);
        fair_refund(&lane->turns[line->class], line->tenant, a->public.count);
    }
    for (size_t i = 0; i < a->public.count; i++) {
        struct entry *e = entry_find(q, a->public.message, a->public.numbers[i]);
        CHECK(e && e->state == ENTRY_UNDER_WAY);
        if (e->dropped)
            entry_over(q, e, line, now_ms);
        else
            put_back(q, e, line, e->again ? e->due_ms : INT64_MIN, now_ms);
    }
    free_attempt(q, a, now_ms);
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
        put_back(q, e, line, e->again ? e->due_ms : due_ms[i], now_ms);
    }
    free_attempt(q, a, now_ms);
}
