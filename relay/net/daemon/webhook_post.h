// SPDX-License-Identifier: BSD-2-Clause
/* webhook_post.h - One event as it is posted to an endpoint, and what its answer means. */
#ifndef WEBHOOK_POST_H
#define WEBHOOK_POST_H

#include "config.h"
#include "fetcher.h"
#include "webhook_course.h"
#include "webhooks.h"

/* Signed now, with its secret and, while that lasts, the one before. False: its secret is none. */
MUST_CHECK bool webhook_post_order(const struct config *config, const struct webhook *w,
                                   const char *id, struct span body, int64_t now_ms,
                                   struct fetch_order *order_r);
struct webhook_answer webhook_post_answer(const struct fetch_result *result);

#endif
