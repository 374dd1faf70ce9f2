// SPDX-License-Identifier: BSD-2-Clause
/* caretaker.h - What the relay's certificates need while it runs: read again when their files
 * change, tickets sealed with keys that change, and somebody told before one expires. The config
 * file is not looked at for that: what is being edited there goes live with a reload only. */
#ifndef CARETAKER_H
#define CARETAKER_H

#include "opener.h"
#include "shard.h"

struct caretaker;
struct notices;

/* On the main loop. The opener may be NULL. */
struct caretaker *caretaker_new(uv_loop_t *loop, const struct settings *settings,
                                const struct opener *opener, struct notices *notices);
/* Behind a reload, which has read the files. */
void caretaker_change_settings(struct caretaker *c, const struct settings *settings);
void caretaker_close(struct caretaker *c); /* frees it, too, when its handle has closed */

#endif
