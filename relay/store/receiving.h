// SPDX-License-Identifier: BSD-2-Clause
/* receiving.h - Inside the store: bytes of large messages that are on the disk while the rest of
 * them is still being received. No row counts them; each tenant has its share. */
#ifndef RECEIVING_H
#define RECEIVING_H

#include "database.h"
#include "err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct receiving {
    pthread_mutex_t mutex; /* guards what follows */
    struct receiver *by_tenant;
    uint64_t bytes; /* of all */
    bool refusing;  /* somebody was refused since receiving_refused() found none */
};

void receiving_init(struct receiving *r);
void receiving_fini(struct receiving *r);

/* So many bytes more of a tenant's. `free_bytes`: on the disk, less what is kept for outcomes.
 * False, ERR_FULL: it has its share, or the disk has too little. From any thread. */
MUST_CHECK bool receiving_take(struct receiving *r, const char *tenant,
                               const struct database_room *room, uint64_t free_bytes,
                               uint64_t bytes, struct err *err);
void receiving_give(struct receiving *r, const char *tenant, uint64_t bytes);

/* Whom it was refused since it was last asked: one tenant, how often, and what it had; false: none.
 * From any thread. */
bool receiving_refused(struct receiving *r, char tenant_r[64], unsigned *count_r,
                       uint64_t *bytes_r);

#endif
