// SPDX-License-Identifier: BSD-2-Clause
/* key_loading.h - The keys of a domain are read, and the loop goes on meanwhile. */
#ifndef KEY_LOADING_H
#define KEY_LOADING_H

#include "keyring.h"
#include "worker.h"

/* Have keyring_load() done on libuv's pool, then call `done` with `context` and `about` on this
 * loop. Of a domain whose load is under way that one is waited for. */
typedef void key_loading_on_done(void *context, uint64_t about);
void key_loading_start(struct worker *w, struct keyring *k, const char *domain,
                       key_loading_on_done *done, void *context, uint64_t about);

#endif
