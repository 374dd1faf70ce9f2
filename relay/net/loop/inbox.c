// SPDX-License-Identifier: BSD-2-Clause
/* inbox.c - Takes the whole list under the lock, and runs its items without it, or drops them. */
#include "inbox.h"

#include "check.h"

#include <stdlib.h>

static struct inbox_item *take_all(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->mutex);
    struct inbox_item *item = inbox->first;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    pthread_mutex_unlock(&inbox->mutex);
    return item;
}

static void drop(struct inbox_item *item)
{
    CHECK(item->drop);
    item->drop(item);
}

/* It may be closed by one of them; only its own thread does that. */
static void end_all(struct inbox *inbox, struct inbox_item *item)
{
    while (item) {
        struct inbox_item *next = item->next;
        if (inbox->closed)
            drop(item);
        else
            item->run(item);
        item = next;
    }
}

static void on_wake(uv_async_t *async)
{
    struct inbox *inbox = async->data;
    end_all(inbox, take_all(inbox));
}

void inbox_init(struct inbox *inbox, uv_loop_t *loop)
{
    pthread_mutex_init(&inbox->mutex, NULL);
    inbox->first = NULL;
    inbox->last = &inbox->first;
    inbox->closed = false;
    inbox->async.data = inbox;
    CHECK(uv_async_init(loop, &inbox->async, on_wake) == 0);
}

void inbox_close(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->mutex);
    inbox->closed = true;
    pthread_mutex_unlock(&inbox->mutex);
    uv_close((uv_handle_t *)&inbox->async, NULL);
    end_all(inbox, take_all(inbox));
}

static bool add(struct inbox *inbox, struct inbox_item *item)
{
    item->next = NULL;
    pthread_mutex_lock(&inbox->mutex);
    bool open = !inbox->closed;
    bool first = inbox->first == NULL;
    if (open) {
        *inbox->last = item;
        inbox->last = &item->next;
        if (first) /* under the lock: sending to a loop that has ended aborts */
            uv_async_send(&inbox->async);
    }
    pthread_mutex_unlock(&inbox->mutex);
    return open;
}

void inbox_post(struct inbox *inbox, struct inbox_item *item)
{
    if (!add(inbox, item))
        drop(item);
}

void inbox_free(struct inbox_item *item)
{
    free(item);
}
