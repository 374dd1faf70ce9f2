// SPDX-License-Identifier: BSD-2-Clause
/* store_call.c - A job on its way to the store and back: what it belongs to goes along. */
#include "store_call.h"

#include "check.h"

#include <stdlib.h>

struct call {
    struct inbox_item item;
    struct store_calls *calls;
    struct store_job *job;
    store_on_called *done;
    void *context;
};

static void on_returned(struct inbox_item *item)
{
    struct call call = *(struct call *)item;
    free(item);
    call.done(call.context, call.job);
}

static void on_too_late(struct inbox_item *item)
{
    struct call *call = (struct call *)item;
    store_job_free(call->job);
    free(call);
}

/* On the store's thread. */
static void on_stored(struct store_job *job)
{
    struct call *call = job->owner;
    inbox_post(&call->calls->inbox, &call->item);
}

void store_call(struct store_calls *calls, struct store_job *job, store_on_called *done,
                void *context)
{
    struct call *call = xcalloc(1, sizeof(*call));
    *call = (struct call){.item = {.run = on_returned, .drop = on_too_late},
                          .calls = calls,
                          .job = job,
                          .done = done,
                          .context = context};
    job->owner = call;
    job->answer = on_stored;
    store_put(calls->store, job);
}
