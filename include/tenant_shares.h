// SPDX-License-Identifier: BSD-2-Clause
/* tenant_shares.h - What all tenants share and each has a share of: the disk of the queue, memory
 * for recipients that wait, events, and what endpoints are to be told.
 *
 * Half of each is kept for the tenants in equal parts, the rest is for whoever comes first; who is
 * alone may have all of it.
 */
#ifndef TENANT_SHARES_H
#define TENANT_SHARES_H

#include "err.h"

#include <stdint.h>

struct database;

enum database_share {
    DATABASE_STORAGE,                      /* bytes of mail in the queue */
    DATABASE_WAITING,                      /* bytes of memory for its recipients that wait */
    DATABASE_EVENTS,                       /* bytes of its events of the last week, about */
    DATABASE_OUTBOX,                       /* bytes that its endpoints are told, or were */
    DATABASE_COUNTED,                      /* what follows is in no rows */
    DATABASE_RECEIVING = DATABASE_COUNTED, /* bytes of messages that are not finished */
    DATABASE_SHARES
};
/* As commands and the log name them. */
const char *database_share_name(enum database_share kind);

/* How many bytes there may be of all tenants together; 0: any number. */
struct database_room {
    uint64_t all;    /* mail in the queue */
    uint64_t tenant; /* the same, of each tenant */
    uint64_t waiting, events, outbox;
};

/* May a tenant store so many bytes more? If not, `refusal_r` is set. On the store's thread only,
 * which counts what each has. */
MUST_CHECK bool database_fits(struct database *db, const struct database_room *room,
                              const char *tenant, uint64_t more, struct verdict *refusal_r,
                              struct err *err);

/* How many bytes of a kind a tenant has, and may have now. */
struct database_use {
    int64_t bytes;
    uint64_t limit; /* INT64_MAX: any number */
    const char *of; /* which setting says so */
};
typedef void database_on_use(void *context, const char *tenant,
                             const struct database_use use[DATABASE_COUNTED]);
/* Of one tenant; NULL: of all that have a credential or anything else, by name. */
MUST_CHECK bool database_uses(struct database *db, const char *tenant,
                              const struct database_room *room, database_on_use *on_use,
                              void *context, struct err *err);

#endif
