// SPDX-License-Identifier: BSD-2-Clause
/* body_hashes.h - What is known of the bodies that were signed last: a message to several is hashed
 * once in each form. From any thread. */
#ifndef BODY_HASHES_H
#define BODY_HASHES_H

#include "compose.h"

/* Of the message `id`, its body in that form. */
MUST_CHECK bool body_hashes_find(int64_t id, enum compose_form form, struct compose_body *body_r);
void body_hashes_keep(int64_t id, enum compose_form form, const struct compose_body *body);

#endif
