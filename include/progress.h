// SPDX-License-Identifier: BSD-2-Clause
/* progress.h - Delivery attempts in progress: each message on a connection, or waiting for one to
 * open, as reported by the shards on request. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "hop.h"

#include "queue.h"
#include "tls_need.h"

struct progress_row {
    int64_t message, for_ms; /* so long it has been tried */
    unsigned numbers[QUEUE_RECIPIENTS_MAX];
    size_t count;
    char hop[HOP_TEXT];     /* as the queue knows it */
    char host[256], ip[64]; /* the host as long as a route may name it */
    const char *stage;      /* "connection", "greeting", "RCPT" … */
};

struct progress {
    struct progress_row *rows;
    size_t count, size;
};

/* Free the rows: it is empty then. */
void progress_fini(struct progress *progress);

#endif
