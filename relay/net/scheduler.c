// SPDX-License-Identifier: BSD-2-Clause
/* scheduler.c - Two kinds of heap: one of all that waits, by due time; one per destination of what
 * is due, by urgency.
 *
 *   waiting heap ──(due)──▶ its domain's ready heap ──(room)──▶ parcel to the least busy shard
 *                                                        ▲                    │
 *                                                        └────(finished)──────┘
 *
 * Times are clock_steady_ms()'s: nobody can set that clock.
 *
 * Invariants:
 *   1. A recipient is under way at most once: `under_way` holds those that are. An entry that comes
 *      up twice (a person said "retry") is dropped the second time by the shard, which reads the
 *      row and sees that it is not due.
 *   2. A domain is in the ring exactly while it has something ready and room for it.
 */
#include "scheduler.h"

#include "clock.h"
#include "shard.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include <uthash.h>

enum { PAUSED_CHECK_MS = 500 };

struct entry {
    int64_t message, due_ms;
    struct domain *domain;
    unsigned number, class;
};

struct heap {
    struct entry *items;
    size_t count, size;
    bool (*before)(const struct entry *a, const struct entry *b);
};

struct domain {
    char name[ADDRESS_DOMAIN_MAX + 1];
    struct heap ready;
    size_t waiting; /* entries in the waiting heap */
    unsigned under_way;
    bool ringed;
    struct domain *next, *prev; /* ring */
    UT_hash_handle hh;
};

struct under_way_key {
    int64_t message;
    int64_t number;
};

struct under_way {
    struct under_way_key key;
    bool again; /* came up once more meanwhile: look at its row when it is back */
    UT_hash_handle hh;
};

struct scheduler {
    struct inbox inbox;
    uv_timer_t timer;
    struct heap waiting;
    struct domain *domains, *ring;
    struct under_way *under_way;
    size_t parcels_under_way, parcels_max;
    unsigned parcels_per_domain;
    struct shard *shards;
    size_t shard_count;
    struct store *store;
    bool running;
};

/* ---- heaps ---- */

static bool by_due(const struct entry *a, const struct entry *b)
{
    return a->due_ms != b->due_ms     ? a->due_ms < b->due_ms
           : a->message != b->message ? a->message < b->message
                                      : a->number < b->number;
}

/* A login code overtakes a digest; inside a class the order of arrival. */
static bool by_urgency(const struct entry *a, const struct entry *b)
{
    return a->class != b->class       ? a->class < b->class
           : a->message != b->message ? a->message < b->message
                                      : a->number < b->number;
}

static void heap_push(struct heap *h, struct entry e)
{
    if (h->count == h->size) {
        h->size = h->size ? h->size * 2 : 16;
        h->items = xgrow(h->items, h->size, sizeof(*h->items));
    }
    size_t i = h->count++;
    for (; i > 0 && h->before(&e, &h->items[(i - 1) / 2]); i = (i - 1) / 2)
        h->items[i] = h->items[(i - 1) / 2];
    h->items[i] = e;
}

static struct entry heap_pop(struct heap *h)
{
    CHECK(h->count > 0);
    struct entry top = h->items[0];
    struct entry last = h->items[--h->count];
    size_t i = 0;
    for (size_t child = 1; child < h->count; child = 2 * i + 1) {
        if (child + 1 < h->count && h->before(&h->items[child + 1], &h->items[child]))
            child++;
        if (!h->before(&h->items[child], &last))
            break;
        h->items[i] = h->items[child];
        i = child;
    }
    if (h->count > 0)
        h->items[i] = last;
    return top;
}

/* ---- domains ---- */

static struct domain *find_domain(struct scheduler *s, const char *name)
{
    struct domain *d = NULL;
    HASH_FIND_STR(s->domains, name, d);
    if (d)
        return d;
    d = xcalloc(1, sizeof(*d));
    memcpy(d->name, name, strlen(name) + 1);
    d->ready.before = by_urgency;
    HASH_ADD_STR(s->domains, name, d);
    return d;
}

static void update_domain(struct scheduler *s, struct domain *d)
{
    bool wants = d->ready.count > 0 && d->under_way < s->parcels_per_domain;
    if (wants && !d->ringed)
        DL_APPEND(s->ring, d);
    else if (!wants && d->ringed)
        DL_DELETE(s->ring, d);
    d->ringed = wants;
    if (d->ready.count > 0 || d->under_way > 0 || d->waiting > 0)
        return;
    HASH_DEL(s->domains, d);
    free(d->ready.items);
    free(d);
}

/* ---- who is under way ---- */

static bool note_under_way(struct scheduler *s, int64_t message, unsigned number)
{
    struct under_way_key key = {message, number};
    struct under_way *u = NULL;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): both members are set */
    HASH_FIND(hh, s->under_way, &key, sizeof(key), u);
    if (u) {
        u->again = true;
        return false;
    }
    u = xcalloc(1, sizeof(*u));
    u->key = key;
    HASH_ADD(hh, s->under_way, key, sizeof(u->key), u);
    return true;
}

/* Returns whether it came up again meanwhile. */
static bool forget_under_way(struct scheduler *s, int64_t message, unsigned number)
{
    struct under_way_key key = {message, number};
    struct under_way *u = NULL;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): both members are set */
    HASH_FIND(hh, s->under_way, &key, sizeof(key), u);
    CHECK(u != NULL);
    bool again = u->again;
    HASH_DEL(s->under_way, u);
    free(u);
    return again;
}

/* ---- handing out ---- */

static struct shard *least_busy(struct scheduler *s)
{
    struct shard *best = &s->shards[0];
    for (size_t i = 1; i < s->shard_count; i++)
        if (atomic_load(&s->shards[i].load) < atomic_load(&best->load))
            best = &s->shards[i];
    return best;
}

/* The next parcel of a domain: its most urgent recipient, and those of the same message that stand
 * behind it. */
static struct scheduler_parcel *make_parcel(struct scheduler *s, struct domain *d)
{
    struct scheduler_parcel *work = xcalloc(1, sizeof(*work));
    work->scheduler = s;
    work->message = d->ready.items[0].message;
    work->class = (enum stream_class)d->ready.items[0].class;
    memcpy(work->domain, d->name, sizeof(work->domain));
    while (d->ready.count > 0 && d->ready.items[0].message == work->message &&
           work->count < SCHEDULER_PARCEL_MAX) {
        struct entry e = heap_pop(&d->ready);
        if (note_under_way(s, e.message, e.number))
            work->numbers[work->count++] = e.number;
    }
    return work;
}

static void hand_out(struct scheduler *s)
{
    while (s->running && s->ring && s->parcels_under_way < s->parcels_max &&
           !store_paused(s->store)) {
        struct domain *d = s->ring;
        struct scheduler_parcel *work = make_parcel(s, d);
        DL_DELETE(s->ring, d); /* the next domain's turn */
        d->ringed = false;
        if (work->count == 0) {
            free(work);
        } else {
            d->under_way++;
            s->parcels_under_way++;
            work->shard = least_busy(s);
            shard_deliver(work->shard, work);
        }
        update_domain(s, d);
    }
}

static void on_timer(uv_timer_t *timer);

static void look_around(struct scheduler *s)
{
    if (!s->running)
        return;
    int64_t now_ms = clock_steady_ms();
    while (s->waiting.count > 0 && s->waiting.items[0].due_ms <= now_ms) {
        struct entry e = heap_pop(&s->waiting);
        e.domain->waiting--;
        heap_push(&e.domain->ready, e);
        update_domain(s, e.domain);
    }
    hand_out(s);
    int64_t wait_ms = s->waiting.count > 0 ? s->waiting.items[0].due_ms - now_ms : 60 * 1000;
    if (store_paused(s->store) && wait_ms > PAUSED_CHECK_MS)
        wait_ms = PAUSED_CHECK_MS;
    if (wait_ms > 60 * 1000)
        wait_ms = 60 * 1000;
    uv_timer_start(&s->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 1, 0);
}

static void on_timer(uv_timer_t *timer)
{
    look_around(timer->data);
}

/* ---- what comes in ---- */

struct addition {
    struct inbox_item item;
    struct scheduler *scheduler;
    size_t count;
    struct database_due due[];
};

static void push_waiting(struct scheduler *s, const char *domain, struct entry e)
{
    e.domain = find_domain(s, domain);
    e.domain->waiting++;
    heap_push(&s->waiting, e);
}

void scheduler_load(struct scheduler *s, const struct database_due *due, size_t count)
{
    for (size_t i = 0; i < count; i++)
        push_waiting(
            s, due[i].domain,
            (struct entry){due[i].message, due[i].due_ms, NULL, due[i].number, due[i].class});
}

static void on_added(struct inbox_item *item)
{
    struct addition *a = (struct addition *)item;
    scheduler_load(a->scheduler, a->due, a->count);
    look_around(a->scheduler);
    free(a);
}

void scheduler_add(struct scheduler *s, const struct database_due *due, size_t count)
{
    struct addition *a = xcalloc(1, sizeof(*a) + count * sizeof(*due));
    a->item.run = on_added;
    a->scheduler = s;
    a->count = count;
    memcpy(a->due, due, count * sizeof(*due));
    inbox_post(&s->inbox, &a->item);
}

static void on_finished(struct inbox_item *item)
{
    struct scheduler_parcel *work = (struct scheduler_parcel *)item;
    struct scheduler *s = work->scheduler;
    struct domain *d = find_domain(s, work->domain);
    for (size_t i = 0; i < work->count; i++) {
        bool again = forget_under_way(s, work->message, work->numbers[i]);
        int64_t due_ms = clock_steady_ms() + work->again_in_ms;
        if (again || work->again_in_ms > 0)
            push_waiting(
                s, work->domain,
                (struct entry){work->message, due_ms, NULL, work->numbers[i], work->class});
    }
    d->under_way--;
    s->parcels_under_way--;
    update_domain(s, d);
    free(work);
    look_around(s);
}

void scheduler_finished(struct scheduler_parcel *work)
{
    work->item.run = on_finished;
    inbox_post(&work->scheduler->inbox, &work->item);
}

/* ---- start and stop ---- */

struct scheduler *scheduler_new(uv_loop_t *loop)
{
    struct scheduler *s = xcalloc(1, sizeof(*s));
    s->waiting.before = by_due;
    inbox_init(&s->inbox, loop);
    uv_timer_init(loop, &s->timer);
    s->timer.data = s;
    return s;
}

void scheduler_run(struct scheduler *s, struct shard *shards, size_t count, struct store *store,
                   unsigned parcels_per_domain, unsigned parcels_max)
{
    s->parcels_per_domain = parcels_per_domain;
    s->parcels_max = parcels_max;
    s->shards = shards;
    s->shard_count = count;
    s->store = store;
    s->running = true;
    look_around(s);
}

void scheduler_pause(struct scheduler *s)
{
    s->running = false;
    uv_timer_stop(&s->timer);
}

void scheduler_stop(struct scheduler *s)
{
    scheduler_pause(s);
    inbox_close(&s->inbox);
    uv_close((uv_handle_t *)&s->timer, NULL);
}

void scheduler_free(struct scheduler *s)
{
    struct domain *d;
    struct domain *next;
    struct under_way *u;
    struct under_way *next_u;
    HASH_ITER (hh, s->domains, d, next) {
        HASH_DEL(s->domains, d);
        free(d->ready.items);
        free(d);
    }
    HASH_ITER (hh, s->under_way, u, next_u) {
        HASH_DEL(s->under_way, u);
        free(u);
    }
    while (s->inbox.first) { /* what came too late; each is one block */
        struct inbox_item *item = s->inbox.first;
        s->inbox.first = item->next;
        free(item);
    }
    free(s->waiting.items);
    free(s);
}
