// SPDX-License-Identifier: BSD-2-Clause
/* inbox.c - Takes the whole list under the lock, and runs its items without it. */
#include "inbox.h"

#include "check.h"

static void on_wake(uv_async_t *async)
{
    struct inbox *inbox = async->data;
    pthread_mutex_lock(&inbox->mutex);
    struct inbox_item *item = inbox->first;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    pthread_mutex_unlock(&inbox->mutex);
    while (item) {
        struct inbox_item *next = item->next;
        item->run(item);
        item = next;
    }
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
}

void inbox_post(struct inbox *inbox, struct inbox_item *item)
{
    item->next = NULL;
    pthread_mutex_lock(&inbox->mutex);
    bool first = inbox->first == NULL;
    *inbox->last = item;
    inbox->last = &item->next;
    if (first && !inbox->closed) /* under the lock: sending to a loop that has ended aborts */
        uv_async_send(&inbox->async);
    pthread_mutex_unlock(&inbox->mutex);
}
