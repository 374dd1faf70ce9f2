// SPDX-License-Identifier: BSD-2-Clause
/* progress.h - What is being tried just now: each message on a connection, or on its way to one, as
 * the shards say when they are asked. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "address.h"
#include "queue.h"

struct progress_row {
    int64_t message, for_ms; /* so long it has been tried */
    unsigned numbers[QUEUE_RECIPIENTS_MAX];
    size_t count;
    char domain[ADDRESS_DOMAIN_MAX + 1]; /* as the queue knows it */
    char host[ADDRESS_DOMAIN_MAX + 1], ip[64];
    const char *stage; /* "connection", "greeting", "RCPT" … */
};

struct progress {
    struct progress_row *rows;
    size_t count, size;
};

void progress_fini(struct progress *progress);

#endif
