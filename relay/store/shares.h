// SPDX-License-Identifier: BSD-2-Clause
/* shares.h - Inside the store: how many bytes of mail each tenant has in the queue, kept in memory;
 * what the open transaction has added can be taken back. */
#ifndef SHARES_H
#define SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

struct share {
    char tenant[64];
    int64_t bytes;
    bool named; /* by a credential */
    UT_hash_handle hh;
};

struct shares {
    struct share *first;
    int64_t bytes;          /* of all together */
    size_t tenants;         /* that have a credential */
    bool tenants_known;     /* else they are to be read */
    bool tenants_changed;   /* by the open transaction */
    struct change *changes; /* of the open transaction, in order */
    size_t change_count, change_size;
};

void shares_fini(struct shares *sh);

/* A tenant's, made when it has none. */
struct share *shares_find(struct shares *sh, const char *tenant);
/* Stored, or (less than 0) gone. */
void shares_add(struct shares *sh, const char *tenant, int64_t bytes);
/* As the rows have it: no change of the open transaction. */
void shares_load(struct shares *sh, const char *tenant, int64_t bytes);
/* The open transaction is committed: what it has added stays. */
void shares_keep(struct shares *sh);
/* It is rolled back to where it had made so many changes. */
void shares_undo(struct shares *sh, size_t changes);
/* It has changed who has a credential. */
void shares_forget_tenants(struct shares *sh);
/* As if nobody had anything; there is no open transaction. */
void shares_clear(struct shares *sh);

#endif
