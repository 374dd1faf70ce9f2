// SPDX-License-Identifier: BSD-2-Clause
/* dkim_record.h - Checks whether the key record at a selector (RFC 6376 section 3.6.1) matches the
 * key that signs. */
#ifndef DKIM_RECORD_H
#define DKIM_RECORD_H

#include "dns.h"
#include "key.h"

enum dkim_state {
    DKIM_PENDING,
    DKIM_OK,
    DKIM_TESTING,    /* ours, but t=y: receivers treat the mail as if it were unsigned */
    DKIM_MISSING,    /* no TXT record */
    DKIM_DUPLICATED, /* more than one: undefined (section 3.6.2.2) */
    DKIM_REVOKED,    /* p= is empty */
    DKIM_TRUNCATED,  /* begins as ours and ends early */
    DKIM_OTHER_KEY,
    DKIM_UNFIT, /* not for mail, not for SHA-256, of another algorithm */
    DKIM_MALFORMED,
    DKIM_UNANSWERED /* DNS does not answer */
};

/* "ok", "testing", "missing" … */
const char *dkim_state_name(enum dkim_state state);
/* What is wrong, as a clause after the record's name: "is missing". */
const char *dkim_state_text(enum dkim_state state);
/* Will a signature verify with it? */
bool dkim_state_passes(enum dkim_state state);

/* Compare one record with the public half (base64, as key_public() gives it). */
enum dkim_state dkim_record_compare(struct span record, enum key_algorithm algorithm,
                                    struct span public_key);

/* Look at selector._domainkey.domain; a CNAME has been followed by the resolver. */
enum dkim_state dkim_record_check(const struct dns *dns, const char *domain, const char *selector,
                                  enum key_algorithm algorithm, struct span public_key);

#endif
