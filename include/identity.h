// SPDX-License-Identifier: BSD-2-Clause
/* identity.h - Which senders a credential may use: its domains and addresses. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "address.h"
#include "err.h"

/* A credential after AUTH. `allowed` is a list separated by blanks: `club.example` (the domain),
 * `*.club.example` (its subdomains), `a@club.example` (one address), or `*` (anything).
 */
struct identity {
    char name[ADDRESS_MAX + 1];
    char tenant[64];
    char stream[64];    /* default stream; empty when none was given */
    char streams[1024]; /* the streams it may name, separated by blanks; empty: all */
    char allowed[2048];
};

/* Is `rule` one that identity_may() understands? */
bool identity_rule_valid(struct span rule);

/* May this credential use the address, as MAIL FROM or in the From field? */
bool identity_may(const struct identity *identity, const struct address *address);

/* May this credential name the stream? */
bool identity_may_name(const struct identity *identity, struct span stream);

/* The refusal: names the credential, the address and what it may use. */
struct verdict identity_refusal(const struct identity *identity, const char *where,
                                struct span address);

/* May a user or a tenant have this name? Letters, digits and .-_+@, as it stands in logs, file
 * names and header fields. */
bool identity_is_name(struct span name);

#endif
