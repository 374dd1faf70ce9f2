// SPDX-License-Identifier: BSD-2-Clause
/* returns_token.h - The address that a message's sender is said to be at MAIL, one for each
 * recipient: b-TOKEN@DOMAIN. What comes back to it is about that message and that recipient.
 *
 * TOKEN is 32 letters and digits, base32 (RFC 4648, lower case) of 20 octets: version and kind
 * (1), the key's id (1), the message's id since 2020, which begins with its time (7), the
 * recipient's number (1; from 256 on, its upper six bits are in the kind), and 80 bits of
 * HMAC-SHA-256 over these and the domain (10). It is the same at each try, so that greylisting
 * knows it again, and nobody can make one without the key, nor use it at another domain. Letters of
 * either case are the same.
 */
#ifndef RETURNS_TOKEN_H
#define RETURNS_TOKEN_H

#include "address.h"
#include "unsubscribe.h"

enum { RETURNS_TOKEN_LOCAL = 34, RETURNS_TOKEN_NUMBER_MAX = 64 * 256 - 1 };

struct returns_subject {
    int64_t message;
    unsigned number; /* of the recipient, from 0 */
};

/* Is there a token for it? For the first RETURNS_TOKEN_NUMBER_MAX + 1 recipients of a message of
 * the years from 2020 to 2054. */
bool returns_token_fits(const struct returns_subject *subject);

/* Write the address; `domain` is in normal form. The first of the keys makes it. */
void returns_token_address(const struct unsubscribe_keys *keys,
                           const struct returns_subject *subject, const char *domain,
                           char address_r[ADDRESS_MAX + 1]);
/* Does it look like one, whoever has made it? */
bool returns_token_seems(struct span address);
/* Of what is it the address? By any of the keys; false for whatever we have not made. Whoever asks
 * does not learn from the time that it takes how much of it was right. */
MUST_CHECK bool returns_token_open(const struct unsubscribe_keys *keys, struct span address,
                                   struct returns_subject *subject_r);

#endif
