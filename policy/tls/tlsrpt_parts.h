// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_parts.h - What the files about reports share: from the bytes to the document, from the
 * document to the report, and back. */
#ifndef TLSRPT_PARTS_H
#define TLSRPT_PARTS_H

#include "tlsrpt_read.h"

#include <jansson.h>

static inline void tlsrpt_warn(struct tlsrpt_reading *r, enum tlsrpt_warning warning)
{
    r->warnings |= UINT32_C(1) << warning;
}

/* How large a document a text would make, if it is JSON; what stands in strings does not count. */
struct tlsrpt_size {
    size_t depth, values;
};
struct tlsrpt_size tlsrpt_size_of(struct span text);

/* Fill `r->report` from `r->document`, which is any JSON and is brought into form on the way. */
void tlsrpt_members_read(struct tlsrpt_reading *r);
void tlsrpt_members_fini(struct tlsrpt_report *report);

/* A date-time (RFC 3339), or what comes near it, as Unix seconds; 0 when it is none. */
int64_t tlsrpt_time_read(struct tlsrpt_reading *r, struct span text);

/* The member "policy" of a report. */
json_t *tlsrpt_policy_json(const struct tlsrpt_policy *p);

#endif
