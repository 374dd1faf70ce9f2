// SPDX-License-Identifier: BSD-2-Clause
/* caretaker.h - What the relay's certificates need while it runs: read again when their files
 * change, tickets sealed with keys that change, and somebody told before one expires. */
#ifndef CARETAKER_H
#define CARETAKER_H

#include "shard.h"

struct caretaker;
struct notices;

/* On the main loop. `changed` is called when the files are others than those that were read. */
struct caretaker *caretaker_new(uv_loop_t *loop, const struct settings *settings,
                                struct notices *notices, void (*changed)(void *context),
                                void *context);
/* What has been read, now or after `changed`. */
void caretaker_change_settings(struct caretaker *c, const struct settings *settings);
void caretaker_close(struct caretaker *c); /* frees it, too, when its handle has closed */

#endif
