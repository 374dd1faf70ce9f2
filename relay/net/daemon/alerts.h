// SPDX-License-Identifier: BSD-2-Clause
/* alerts.h - Reads the audit trail and tells the operator, by a command and by a webhook, about the
 * kinds that the config file lists. The first event of a kind is told at once, and those that
 * follow within the interval together. An alert is retried for about ten minutes, independently of
 * other kinds. What has been told is recorded, so that a restarted relay continues where it
 * stopped. */
#ifndef ALERTS_H
#define ALERTS_H

#include "companions.h"
#include "config.h"
#include "err.h"
#include "store.h"

#include <uv.h>

struct alerter;

/* On the main loop; all is borrowed. Close, and free when the loop has ended; NULL is allowed for
 * all but that. */
MUST_CHECK bool alerter_new(uv_loop_t *loop, const struct companions *companions,
                            const struct config *config, struct store *store,
                            struct alerter **alerter_r, struct err *err);
void alerter_change_config(struct alerter *a, const struct config *config);
void alerter_close(struct alerter *a);
void alerter_free(struct alerter *a);

#endif
