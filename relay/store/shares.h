// SPDX-License-Identifier: BSD-2-Clause
/* shares.h - Inside the store: how much each tenant has of what all share (the queue's disk, memory
 * of recipients that wait, events), kept in memory; what the open transaction has added can be
 * taken back. */
#ifndef SHARES_H
#define SHARES_H

#include "tenant_shares.h"
#include "webhook_type.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

/* Events are counted by the day, as they go after a week. */
enum { SHARES_DAYS = 8 };

struct share {
    char tenant[64];
    int64_t bytes[DATABASE_SHARES];
    int64_t days[SHARES_DAYS]; /* of events: by the day's number, modulo */
    struct share_refusals {
        unsigned count;           /* since it was last told; of what is committed */
        int64_t bytes;            /* had, when it was last refused */
        uint64_t limit;           /* might have had */
        bool by_setting;          /* of its own, not its share: limits.tenant_storage */
        int64_t told_ms;          /* in the log */
        int64_t warned_ms;        /* in the audit trail */
    } refused[DATABASE_SHARES];   /* for want of it */
    bool named;                   /* by a credential */
    bool unsaved;                 /* `days` */
    unsigned told[WEBHOOK_TYPES]; /* endpoints that hear of its mail, by what they hear of */
    UT_hash_handle hh;
};

struct shares {
    struct share *first;
    struct share *last;             /* found */
    int64_t bytes[DATABASE_SHARES]; /* of all together */
    int64_t day;                    /* the last one of `days` */
    size_t tenants;                 /* that have a credential */
    bool tenants_known;             /* else they are to be read */
    bool tenants_changed;           /* by the open transaction */
    bool refusing;                  /* somebody was refused, which is to be told */
    struct share_change *changes;   /* of the open transaction, in order */
    size_t change_count, change_size;
};

void shares_fini(struct shares *sh);

/* A tenant's, made when it has none. */
struct share *shares_find(struct shares *sh, const char *tenant);
/* The same, or NULL; of no shares at all, too. */
const struct share *shares_look(const struct shares *sh, const char *tenant);
/* Stored, or (less than 0) gone; of any kind but events. */
void shares_add(struct shares *sh, enum database_share kind, const char *tenant, int64_t bytes);
/* An event of that time; it is forgotten by itself. */
void shares_add_event(struct shares *sh, const char *tenant, int64_t bytes, int64_t at_ms);
/* Events of days that are over go, from this time on. */
void shares_turn(struct shares *sh, int64_t now_ms);
/* As the rows have it: no change of the open transaction. */
void shares_load(struct shares *sh, enum database_share kind, const char *tenant, int64_t bytes);
void shares_load_events(struct shares *sh, const char *tenant, int64_t bytes, int64_t day);
/* So many more were refused, as a tenant has so many bytes, and may not have more than `limit`. In
 * the open transaction; else shares_keep() follows. */
void shares_refuse(struct shares *sh, enum database_share kind, const char *tenant, unsigned count,
                   uint64_t bytes, uint64_t limit);
/* The open transaction is committed: what it has added stays. */
void shares_keep(struct shares *sh);
/* It is rolled back to where it had made so many changes. */
void shares_undo(struct shares *sh, size_t changes);
/* It has changed who has a credential. */
void shares_forget_tenants(struct shares *sh);
/* As if nobody had anything; there is no open transaction. */
void shares_clear(struct shares *sh);

/* What so many recipients that wait take of memory, with domains of so many bytes in all. */
int64_t shares_waiting(int64_t recipients, int64_t domain_bytes);

#endif
