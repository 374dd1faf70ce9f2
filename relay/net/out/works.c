// SPDX-License-Identifier: BSD-2-Clause
/* works.c - Most works end in a signature, and whoever waits for a reply is not to wait for
 * several. */
#include "works.h"

enum { UNRECORDED_MAX = 16 };

/* What is delivered and not yet written down would go twice after a crash: while there is much of
 * it nothing more goes (C3). */
static void on_turn(uv_idle_t *turn)
{
    struct deliveries *home = turn->data;
    struct inbox_item *item = home->works;
    if (home->unrecorded >= UNRECORDED_MAX) {
        uv_idle_stop(turn);
        return;
    }
    home->works = item->next;
    if (!home->works)
        uv_idle_stop(turn);
    home->run(home, (struct dispatch_work *)item);
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
    work->item.next = NULL;
    if (!home->works)
        home->works_end = &home->works;
    *home->works_end = &work->item;
    home->works_end = &work->item.next;
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
    if (home->works)
        uv_idle_start(&home->works_turn, on_turn);
}
