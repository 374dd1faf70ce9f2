// SPDX-License-Identifier: BSD-2-Clause
/* endpoint_table.h - endpoints.h for all shards: one lock, and inboxes for those who wait. */
#ifndef ENDPOINT_TABLE_H
#define ENDPOINT_TABLE_H

#include "endpoints.h"
#include "inbox.h"

struct endpoint_table;

/* Its item runs on the inbox's loop when it has been given a place, or shall look elsewhere. */
struct endpoint_party {
    struct inbox_item item; /* the first: it is on the heap, and freed when it has run */
    struct endpoints_waiter waiter;
    struct inbox *inbox;
    bool granted;
};

struct endpoint_table *endpoint_table_new(unsigned connections_max);
void endpoint_table_free(struct endpoint_table *t);

/* `party`: waits when the endpoint is full; NULL: nobody does. */
enum endpoints_answer endpoint_table_take(struct endpoint_table *t, const struct endpoint *at,
                                          struct endpoint_party *party);
/* Stop waiting; false when the item is on its way. */
bool endpoint_table_leave(struct endpoint_table *t, struct endpoint_party *party);
void endpoint_table_spoke(struct endpoint_table *t, const struct endpoint *at);
void endpoint_table_failed(struct endpoint_table *t, const struct endpoint *at, const char *why);
void endpoint_table_release(struct endpoint_table *t, const struct endpoint *at, bool spoke);
/* Does somebody wait for a place there? */
bool endpoint_table_wanted(struct endpoint_table *t, const struct endpoint *at);
void endpoint_table_resume(struct endpoint_table *t);
int64_t endpoint_table_rest_ms(struct endpoint_table *t, const struct endpoint *at, char *why_r);

#endif
