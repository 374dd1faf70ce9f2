// SPDX-License-Identifier: BSD-2-Clause
/* webhook_sender.h - Sends what is in the outbox to the endpoints of webhooks, by the fetcher: at
 * least once, each endpoint by itself (webhook_queue.h). On the main loop. */
#ifndef WEBHOOK_SENDER_H
#define WEBHOOK_SENDER_H

#include "companions.h"
#include "config.h"
#include "store.h"

struct webhook_sender;

/* So many are on their way at a time, and so many descriptors that takes. */
enum { WEBHOOK_SENDER_MOST = 24, WEBHOOK_SENDER_DESCRIPTORS = WEBHOOK_SENDER_MOST + 4 };

/* All is borrowed until webhook_sender_free(), `config` until the next one. */
struct webhook_sender *webhook_sender_new(uv_loop_t *loop, const struct companions *companions,
                                          const struct config *config, struct store *store);
void webhook_sender_change_config(struct webhook_sender *s, const struct config *config);
/* What is under way is sent again by the next relay. The loop must run once more. NULL is
 * allowed. */
void webhook_sender_close(struct webhook_sender *s);
/* When the store has ended. NULL is allowed. */
void webhook_sender_free(struct webhook_sender *s);

#endif
