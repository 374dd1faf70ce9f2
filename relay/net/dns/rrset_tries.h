// SPDX-License-Identifier: BSD-2-Clause
/* rrset_tries.h - How many of an RRset's signatures are tried.
 *
 * A zone's owner may send many signatures that fail before a good one, and each costs a
 * verification. RFC 4035 section 5.3.3 leaves it to the resolver how many it tries: after two that
 * have failed the RRset has none that is good.
 *
 * What is verified in one thread comes here in its order: all signatures of an RRset follow each
 * other at once. So only the last RRset is remembered, and no zone's signatures count against
 * another RRset, whoever is named as their signer.
 */
#ifndef RRSET_TRIES_H
#define RRSET_TRIES_H

#include "span.h"

#include <stdbool.h>
#include <stdint.h>

/* What is signed: an RRSIG's fields and an RRset (RFC 4034 section 3.1.8.1). */
enum { RRSET_SIGNER = 256 };
struct rrset_signed {
    char signer[RRSET_SIGNER]; /* the zone, in lower case, without a dot at the end; "": the root */
    bool is_wild;              /* by a signature for a wildcard's name */
    uint64_t rrset;            /* a digest of which it is; 0: it is something else, without limit */
    uint32_t inception, expiration;
};

/* Zeroes: nothing was tried yet. */
struct rrset_tries {
    struct {
        uint64_t rrset;
        unsigned failed;
        int64_t at_ms;
    } last[2]; /* its own name, and a wildcard's */
};

struct rrset_signed rrset_signed_parse(struct span bytes);

/* May one more signature be tried? `now_ms` is any steady clock's. What comes after a pause is of
 * another answer, and is tried. */
bool rrset_tries_allow(struct rrset_tries *t, const struct rrset_signed *what, int64_t now_ms);
/* After that: it was tried and fits, or does not. One that fits but has expired, or is not valid
 * yet, at `now_s` (since 1970), is no better than one that does not: the next is tried. */
void rrset_tries_note(struct rrset_tries *t, const struct rrset_signed *what, bool fits,
                      int64_t now_ms, uint32_t now_s);

#endif
