// SPDX-License-Identifier: BSD-2-Clause
/* inbox.h - Passes work to another thread: a locked list and a uv_async_t. Items run in order on
 * the inbox's loop. Each is run or dropped, once: what comes too late is nobody's otherwise. */
#ifndef INBOX_H
#define INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

/* Whoever is called owns the item from there on. */
struct inbox_item {
    struct inbox_item *next;
    void (*run)(struct inbox_item *item);
    /* In its place once the inbox is closed: on the inbox's thread, or on that of who posts it, who
     * may hold locks, so that it does no more than free. NULL: whoever closes the inbox has waited
     * until it was run. */
    void (*drop)(struct inbox_item *item);
};

struct inbox {
    uv_async_t async;
    pthread_mutex_t mutex;
    struct inbox_item *first, **last;
    bool closed;
};

/* Items will run on `loop`, which does not end before inbox_close(). */
void inbox_init(struct inbox *inbox, uv_loop_t *loop);
/* Let the loop end; on its own thread, also from inside an item. What has not been run is dropped,
 * and so is what is posted afterwards, for as long as the memory is there. */
void inbox_close(struct inbox *inbox);

/* From any thread. Takes the item. */
void inbox_post(struct inbox *inbox, struct inbox_item *item);

/* To drop an item that is one block. */
void inbox_free(struct inbox_item *item);

#endif
