// SPDX-License-Identifier: BSD-2-Clause
/* inbox.h - Passes work to another thread: a locked list and a uv_async_t. Items run in order on
 * the inbox's loop. */
#ifndef INBOX_H
#define INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

struct inbox_item {
    struct inbox_item *next;
    void (*run)(struct inbox_item *item); /* owns the item from here on */
};

struct inbox {
    uv_async_t async;
    pthread_mutex_t mutex;
    struct inbox_item *first, **last;
    bool closed;
};

/* Items will run on `loop`, which does not end before inbox_close(). */
void inbox_init(struct inbox *inbox, uv_loop_t *loop);
/* Let the loop end; on its own thread. What is posted afterwards is never run. */
void inbox_close(struct inbox *inbox);

/* From any thread. */
void inbox_post(struct inbox *inbox, struct inbox_item *item);

#endif
