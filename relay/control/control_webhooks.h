// SPDX-License-Identifier: BSD-2-Clause
/* control_webhooks.h - The verbs about webhooks. */
#ifndef CONTROL_WEBHOOKS_H
#define CONTROL_WEBHOOKS_H

#include "control_parts.h"

bool control_webhook_list(struct database *db, struct control *c, struct err *err);
bool control_webhook_add(struct database *db, struct control *c, struct err *err);
bool control_webhook_remove(struct database *db, struct control *c, struct err *err);
bool control_webhook_enable(struct database *db, struct control *c, struct err *err);
bool control_webhook_disable(struct database *db, struct control *c, struct err *err);
bool control_webhook_rotate(struct database *db, struct control *c, struct err *err);
bool control_webhook_ping(struct database *db, struct control *c, struct err *err);
bool control_webhook_replay(struct database *db, struct control *c, struct err *err);

#endif
