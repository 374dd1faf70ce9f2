// SPDX-License-Identifier: BSD-2-Clause
/* versioned.h - The one TXT record of a name that begins with a version, as "v=STSv1;" (RFC 8461
 * section 3.1, RFC 8460 section 3), and its fields. */
#ifndef VERSIONED_H
#define VERSIONED_H

#include "dns.h"

enum versioned { VERSIONED_FOUND, VERSIONED_NONE, VERSIONED_SEVERAL };

/* `fields_r`, borrowed from the answer: what is behind the version, its delimiter first. A record
 * with blanks before that is taken, too, if there is none without. */
enum versioned versioned_find(const struct dns_answer *answer, struct span version,
                              struct span *fields_r);

/* Take the next field and the delimiter before it off the front; false at the end. The delimiter is
 * a semicolon with blanks and tabs around it; what is empty between two is a field, too. */
bool versioned_next(struct span *fields, struct span *field_r);

#endif
