// SPDX-License-Identifier: BSD-2-Clause
/* control_webhooks.h - The verbs about webhooks. */
#ifndef CONTROL_WEBHOOKS_H
#define CONTROL_WEBHOOKS_H

#include "control_parts.h"

/* As an address is shown to who may only read, and in the audit trail: often its path is all that
 * one needs to speak to the application. The same for the same address. */
enum { CONTROL_URL_SHOWN = 300 };
void control_webhook_shown(const char *url, char text_r[CONTROL_URL_SHOWN]);

bool control_webhook_list(struct database *db, struct control *c, struct err *err);
bool control_webhook_add(struct database *db, struct control *c, struct err *err);
bool control_webhook_remove(struct database *db, struct control *c, struct err *err);
bool control_webhook_enable(struct database *db, struct control *c, struct err *err);
bool control_webhook_disable(struct database *db, struct control *c, struct err *err);
bool control_webhook_rotate(struct database *db, struct control *c, struct err *err);
bool control_webhook_ping(struct database *db, struct control *c, struct err *err);
bool control_webhook_replay(struct database *db, struct control *c, struct err *err);

#endif
