// SPDX-License-Identifier: BSD-2-Clause
/* changes.h - Inside the store: which accounts the open transaction changes, and what they will be.
 *
 * noted by each change -> read, in the transaction, just before it is committed -> the directory
 * takes them over behind the commit, which cannot fail any more.
 */
#ifndef CHANGES_H
#define CHANGES_H

#include "accounts.h"

#include <uthash.h>

struct change {
    enum database_changed what;
    const char *name; /* of the credential, or of the domain */
    /* When it has been read. */
    bool exists;
    struct database_user *user; /* a credential */
    struct database_key *keys;  /* of a domain */
    size_t key_count;
    UT_hash_handle hh;
    char key[]; /* `what` as a letter, then the name */
};

struct changes {
    struct change **items; /* as they were noted */
    size_t count, size;
    struct change *by_key;
};

void changes_note(struct changes *c, enum database_changed what, const char *name);
bool changes_have(const struct changes *c, enum database_changed what, const char *name);
/* Forget those behind the first `count`. */
void changes_cut(struct changes *c, size_t count);
void changes_fini(struct changes *c);

#endif
