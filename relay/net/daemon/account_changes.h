// SPDX-License-Identifier: BSD-2-Clause
/* account_changes.h - Who is told that a credential, a domain or the keys of one have changed. */
#ifndef ACCOUNT_CHANGES_H
#define ACCOUNT_CHANGES_H

#include "accounts.h"
#include "inbox.h"

struct alignment_service;
struct common;
struct keyring;
struct rotator;

/* All borrowed. */
struct account_changes {
    struct inbox *inbox; /* of the main loop */
    struct common *common;
    struct keyring *keyring;
    struct alignment_service *alignment_service;
    struct rotator *rotator;
};

/* On the store's thread, behind the commit and before anybody is answered. */
void account_changes_tell(struct account_changes *a, enum database_changed what, const char *name);

#endif
