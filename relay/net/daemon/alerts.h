// SPDX-License-Identifier: BSD-2-Clause
/* alerts.h - Follows the audit trail and tells the operator, by a command and by a webhook, of
 * what the config file lists. Of each kind the first event is told at once, and those that follow
 * within the interval together; each alert is tried for about ten minutes, beside those of other
 * kinds. What has been told is written down, so that a relay that was away goes on where it ended.
 */
#ifndef ALERTS_H
#define ALERTS_H

#include "config.h"
#include "err.h"
#include "store.h"

#include <uv.h>

struct alerter;

/* On the main loop; all is borrowed. Close, and free when the loop has ended. */
MUST_CHECK bool alerter_new(uv_loop_t *loop, int helper, const struct config *config,
                            struct store *store, struct alerter **alerter_r, struct err *err);
void alerter_change_config(struct alerter *a, const struct config *config);
void alerter_close(struct alerter *a);
void alerter_free(struct alerter *a);

#endif
