// SPDX-License-Identifier: BSD-2-Clause
/* scheduler.h - Who is due: every waiting recipient, in memory, by due time; when due, by
 * destination and urgency.
 *
 * Runs on the main loop. About 40 bytes for each waiting recipient. A destination domain has at
 * most as many parcels under way as its site may have connections, so that one that hangs holds
 * only that many.
 */
#ifndef SCHEDULER_H
#define SCHEDULER_H

#include "database.h"
#include "inbox.h"

struct scheduler;
struct shard;
struct store;

enum { SCHEDULER_PARCEL_MAX = 100 };

/* Recipients of one message in one domain, to be delivered together. */
struct scheduler_parcel {
    struct inbox_item item; /* for the way to the shard and back */
    struct scheduler *scheduler;
    struct shard *shard;
    int64_t message;
    enum stream_class class;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    size_t count;
    int64_t again_in_ms; /* set by the shard: could not even begin, try again so much later; 0:
                            settled, or never mind */
    unsigned numbers[SCHEDULER_PARCEL_MAX];
};

struct scheduler *scheduler_new(uv_loop_t *loop);
void scheduler_free(struct scheduler *s);

/* Before scheduler_run(), on the loop's thread. */
void scheduler_load(struct scheduler *s, const struct database_due *due, size_t count);
/* From any thread. */
void scheduler_add(struct scheduler *s, const struct database_due *due, size_t count);

/* Begin to hand out to `count` shards, while the store can record outcomes (C5). */
void scheduler_run(struct scheduler *s, struct shard *shards, size_t count, struct store *store,
                   unsigned parcels_per_domain, unsigned parcels_max);
/* Hand out nothing more; what is under way still comes back. */
void scheduler_pause(struct scheduler *s);
/* Nothing comes back any more; the loop may end. */
void scheduler_stop(struct scheduler *s);

/* From a shard: this one is done with. Takes it. */
void scheduler_finished(struct scheduler_parcel *work);

#endif
