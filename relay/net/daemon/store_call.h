// SPDX-License-Identifier: BSD-2-Clause
/* store_call.h - Jobs for the store from a loop that has no worker, and their way back. */
#ifndef STORE_CALL_H
#define STORE_CALL_H

#include "inbox.h"
#include "store.h"

struct store_calls {
    struct store *store;
    struct inbox inbox; /* of the loop; to be made and closed by its owner */
};

typedef void store_on_called(void *context, struct store_job *job);

/* `done` is called on the loop, and frees the job. What comes back when the inbox is closed is
 * freed without: the calls themselves must be there until the store has ended. */
void store_call(struct store_calls *calls, struct store_job *job, store_on_called *done,
                void *context);

#endif
