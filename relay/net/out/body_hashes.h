// SPDX-License-Identifier: BSD-2-Clause
/* body_hashes.h - What is known of the bodies that were signed last: a message to several is hashed
 * once. From any thread. */
#ifndef BODY_HASHES_H
#define BODY_HASHES_H

#include "compose.h"

/* Of the message `id`, its body as it was submitted. */
MUST_CHECK bool body_hashes_find(int64_t id, struct compose_body *body_r);
void body_hashes_keep(int64_t id, const struct compose_body *body);

#endif
