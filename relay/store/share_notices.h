// SPDX-License-Identifier: BSD-2-Clause
/* share_notices.h - Inside the store: tells the operator who has used up its share of what. */
#ifndef SHARE_NOTICES_H
#define SHARE_NOTICES_H

#include "database.h"

/* Of each tenant and share, when something was refused for want of it: a line in the log at most
 * once a minute, and a row of the audit trail, by which alerts are sent, at most once an hour. In a
 * transaction of its own; what cannot be written down is told with what comes in the next minute.
 */
void share_notices_tell(struct database *db, int64_t now_ms);
/* At the end, whenever it was last told: what was refused since. */
void share_notices_tell_last(struct database *db, int64_t now_ms);

#endif
