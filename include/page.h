// SPDX-License-Identifier: BSD-2-Clause
/* page.h - The page behind unsubscribe links, by libmicrohttpd on a thread of its own.
 *
 * It has no listening socket: it is given connections whose bytes have been decrypted
 * (http_connection.h).
 */
#ifndef PAGE_H
#define PAGE_H

#include "settings.h"
#include "store.h"

#include <sys/socket.h>

struct page;

/* Start its thread, with a read-only database of its own. End with page_stop(), also on failure. */
MUST_CHECK bool page_start(struct store *store, struct settings *settings, struct page **page_r,
                           struct err *err);
/* From any thread. */
void page_change_settings(struct page *page, struct settings *settings);
/* Serve whoever is at the other end of `fd`, which it takes. `peer` is who they are: only so many
 * connections are served for one address. From any thread. */
void page_take(struct page *page, int fd, const struct sockaddr *peer, socklen_t len);
/* Wait for what the store still has, then end. Before the store ends; NULL is fine. */
void page_stop(struct page *page);

#endif
