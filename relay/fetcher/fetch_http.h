// SPDX-License-Identifier: BSD-2-Clause
/* fetch_http.h - One order, carried out by libcurl. Blocks for as long as the order allows. */
#ifndef FETCH_HTTP_H
#define FETCH_HTTP_H

#include "buf.h"
#include "fetch_order.h"

/* Post `body`, or get, and fill `head_r` and `answer_r` (made by the caller, with its limit). What
 * came is in `answer_r` only if the outcome is FETCH_ANSWERED. `authorities`: the file that the
 * order names, open, which is closed; or -1. */
void fetch_http(const struct fetch_order *order, int authorities, struct span body,
                struct fetch_head *head_r, struct buf *answer_r);

#endif
