// SPDX-License-Identifier: BSD-2-Clause
/* gate.h - The control socket: state_dir/control.sock, for the owner only. */
#ifndef GATE_H
#define GATE_H

#include "config.h"
#include "err.h"
#include "store.h"

#include <uv.h>

struct gate;
struct watch;

/* On the main loop. `changed` is called after every change, as keys may be among it. */
MUST_CHECK bool gate_open(uv_loop_t *loop, const struct config *config, struct store *store,
                          struct watch *watch, void (*changed)(void *context), void *context,
                          struct gate **gate_r, struct err *err);
/* Close it; what is under way still ends. Freed when the loop has ended: gate_free(). */
void gate_close(struct gate *g);
void gate_free(struct gate *g);

#endif
