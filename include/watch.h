// SPDX-License-Identifier: BSD-2-Clause
/* watch.h - The guard against guessing, as all threads share it: behind one lock, for as long as a
 * lookup in its table takes. Lock-outs are written to the log, the events and the audit trail; who
 * has logged in from where is kept by the store. */
#ifndef WATCH_H
#define WATCH_H

#include "guard.h"
#include "store.h"

struct watch;

struct notices;

/* Reads what the store has kept. `store` and `notices` are borrowed. Free with watch_free(). */
MUST_CHECK bool watch_new(struct store *store, struct notices *notices, const char *state_dir,
                          struct watch **watch_r, struct err *err);
void watch_free(struct watch *w);

/* See guard.h. From any thread. */
struct guard_judgement watch_judge(struct watch *w, struct span name, const char *address);
bool watch_knows(struct watch *w, const char *address);
/* Returns the milliseconds to wait before the answer. */
int64_t watch_failed(struct watch *w, struct span name, const char *address);
void watch_succeeded(struct watch *w, struct span name, const char *address);
bool watch_unlock(struct watch *w, const char *what);
void watch_list(struct watch *w, guard_on_row *on_row, void *context);

#endif
