// SPDX-License-Identifier: BSD-2-Clause
/* works.c - Runs one unit of work in each turn of the loop. Most of them include a signature, and
 * replies that have arrived must not wait for several. */
#include "works.h"

enum { UNRECORDED_MAX = 16, BEGUN_MAX = 16 };

static void add(struct works *works, struct dispatch_work *work)
{
    work->item.next = NULL;
    if (!works->first)
        works->last = &works->first;
    *works->last = &work->item;
    works->last = &work->item.next;
}

static struct dispatch_work *take(struct works *works)
{
    struct inbox_item *item = works->first;
    works->first = item->next;
    return (struct dispatch_work *)item;
}

/* Several, while their messages have to be read first, which costs a question each. True: one has
 * done more than that. */
static bool begin_some(struct deliveries *home)
{
    for (unsigned i = 0; i < BEGUN_MAX && home->works.first; i++) {
        unsigned asked = home->asked;
        home->run(home, take(&home->works));
        if (home->asked == asked) {
            home->works_begun = true;
            return true;
        }
    }
    return false;
}

/* Those that begin and those that go on take turns, so that neither waits for all of the others. */
static void run_next(struct deliveries *home)
{
    if (!(home->works_begun && home->read.first) && begin_some(home))
        return;
    home->works_begun = false;
    if (home->read.first)
        home->run(home, take(&home->read));
}

/* What is delivered and not yet written down would go twice after a crash: while there is much of
 * it nothing more goes (C3). */
static void on_turn(uv_idle_t *turn)
{
    struct deliveries *home = turn->data;
    if (home->unrecorded < UNRECORDED_MAX)
        run_next(home);
    if (home->unrecorded >= UNRECORDED_MAX || (!home->works.first && !home->read.first))
        uv_idle_stop(turn);
    worker_something_ended(home->worker);
}

void works_init(struct deliveries *home,
                void (*run)(struct deliveries *home, struct dispatch_work *work))
{
    home->run = run;
    uv_idle_init(&home->worker->loop, &home->works_turn);
    home->works_turn.data = home;
}

void works_close(struct deliveries *home)
{
    uv_close((uv_handle_t *)&home->works_turn, NULL);
}

void works_add(struct deliveries *home, struct dispatch_work *work)
{
    add(&home->works, work);
    uv_idle_start(&home->works_turn, on_turn);
}

void works_go_on(struct deliveries *home, struct dispatch_work *work)
{
    add(&home->read, work);
    uv_idle_start(&home->works_turn, on_turn);
}

void works_unrecorded(struct deliveries *home)
{
    home->unrecorded++;
}

void works_recorded(struct deliveries *home)
{
    CHECK(home->unrecorded > 0);
    home->unrecorded--;
    if (home->works.first || home->read.first)
        uv_idle_start(&home->works_turn, on_turn);
}
