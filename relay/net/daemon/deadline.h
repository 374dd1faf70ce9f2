// SPDX-License-Identifier: BSD-2-Clause
/* deadline.h - Limits the time that shutdown may take, however slow the disk is. */
#ifndef DEADLINE_H
#define DEADLINE_H

#include "store.h"

/* The end has begun. After 20 s the store is told to give up what it cannot record; after 40 s,
 * when it does not even come back from the disk, the process ends as it is, which is as safe as a
 * crash. Once in a process; `store` may be NULL. */
void deadline_start(struct store *of);
/* The store is about to be freed, and need not be told any more. */
void deadline_forget_store(void);

#endif
