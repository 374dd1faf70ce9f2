// SPDX-License-Identifier: BSD-2-Clause
/* store_stage.h - A store in a directory of its own, made for each test, and jobs that are waited for.
 */
#ifndef STORE_STAGE_H
#define STORE_STAGE_H

#include "table.h"

#include "store.h"

#include <pthread.h>

extern char place[64];   /* the state directory */
extern size_t due_count; /* recipients that the store has told of */
extern const struct store_events events;

struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    size_t left;
};

int set_up(void **state);
int tear_down(void **state);
struct store *start(void);
/* For jobs whose owner is a waiter. */
void on_answer(struct store_job *job);
void wait_for(struct waiter *w);
struct store_accept *new_accept(struct waiter *w);
struct store_settle *new_settle(struct waiter *w);
struct store_change *new_change(struct waiter *w, store_on_change *run, void *context);

enum store_change_result run_change(struct store *store, store_on_change *run, void *context);

struct mail *make_mail(struct store *store, size_t recipients);
/* It must work. */
int64_t accept(struct store *store, size_t recipients, const char *bytes);
void settle(struct store *store, int64_t id, unsigned number, enum mail_state to);

#endif
