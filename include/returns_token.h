// SPDX-License-Identifier: BSD-2-Clause
/* returns_token.h - The address that a message's sender is said to be at MAIL, one for each
 * recipient: b-TOKEN@DOMAIN. What comes back to it is about that message and that recipient.
 *
 * TOKEN is 32 letters and digits: base32 (RFC 4648, in lower case) of the key's id, the message's
 * id, the recipient's number in it, and 72 bits of HMAC-SHA-256 over these and the domain. It is
 * the same each time, so that greylisting knows it again, and nobody can make one without the key.
 * Letters of either case are the same.
 */
#ifndef RETURNS_TOKEN_H
#define RETURNS_TOKEN_H

#include "address.h"
#include "unsubscribe.h"

enum { RETURNS_TOKEN_LOCAL = 34, RETURNS_TOKEN_NUMBER_MAX = 65535 };

struct returns_subject {
    int64_t message;
    unsigned number; /* of the recipient, from 0; RETURNS_TOKEN_NUMBER_MAX at most */
};

/* Write the address; `domain` is in normal form. The first of the keys makes it. */
void returns_token_address(const struct unsubscribe_keys *keys,
                           const struct returns_subject *subject, const char *domain,
                           char address_r[ADDRESS_MAX + 1]);
/* Does it look like one, whoever has made it? */
bool returns_token_seems(struct span address);
/* Of what is it the address? By any of the keys; false for whatever we have not made. */
MUST_CHECK bool returns_token_open(const struct unsubscribe_keys *keys, struct span address,
                                   struct returns_subject *subject_r);

#endif
