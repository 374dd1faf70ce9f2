// SPDX-License-Identifier: BSD-2-Clause
/* webhook_type.h - What an endpoint may be told of: types of webhook events, and the events of the
 * history (database.h) that they are made of. */
#ifndef WEBHOOK_TYPE_H
#define WEBHOOK_TYPE_H

#include "check.h"
#include "span.h"

/* Stored as bits in the database: never renumber. */
enum webhook_type {
    WEBHOOK_ACCEPTED,
    WEBHOOK_DELIVERED,
    WEBHOOK_DELAYED,
    WEBHOOK_BOUNCED,
    WEBHOOK_EXPIRED,
    WEBHOOK_SUPPRESSED,
    WEBHOOK_COLLAPSED,
    WEBHOOK_DELETED,
    WEBHOOK_UNSUBSCRIBED,
    WEBHOOK_RETURNED,
    WEBHOOK_COMPLAINED,
    WEBHOOK_AUTO_REPLIED,
    WEBHOOK_PING, /* of no mail: an operator tries the endpoint */
    WEBHOOK_TYPES
};

/* All that is told of mail. */
enum { WEBHOOK_ALL = (1 << WEBHOOK_PING) - 1 };

/* "message.delivered"; a literal. */
const char *webhook_type_name(enum webhook_type type);
/* With or without "message.". Never WEBHOOK_PING, which nobody can subscribe to. */
MUST_CHECK bool webhook_type_parse(struct span name, enum webhook_type *type_r);
/* Of an event of the history; false: nobody is told of its kind. */
MUST_CHECK bool webhook_type_of(const char *kind, enum webhook_type *type_r);

#endif
