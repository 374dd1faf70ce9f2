// SPDX-License-Identifier: BSD-2-Clause
/* fetch_http.h - One order, carried out by libcurl. Blocks for as long as the order allows. */
#ifndef FETCH_HTTP_H
#define FETCH_HTTP_H

#include "buf.h"
#include "fetch_order.h"

#include <openssl/types.h>

/* Post `body`, or get, and fill `head_r` and `answer_r` (made by the caller, with its limit). What
 * came is in `answer_r` only if the outcome is FETCH_ANSWERED. `trusts`: see fetch_trust.h. */
void fetch_http(const struct fetch_order *order, X509_STORE *trusts, struct span body,
                struct fetch_head *head_r, struct buf *answer_r);

#endif
