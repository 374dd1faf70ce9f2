// SPDX-License-Identifier: BSD-2-Clause
/* gate.h - The control socket: state_dir/control.sock, for the owner and those whom the settings
 * name. */
#ifndef GATE_H
#define GATE_H

#include "config.h"
#include "err.h"
#include "store.h"

#include <uv.h>

struct gate;
struct control_relay;

/* On the main loop; what is in `relay` is borrowed. `changed` is called after every change, as keys
 * may be among it. */
MUST_CHECK bool gate_open(uv_loop_t *loop, const struct config *config, struct store *store,
                          const struct control_relay *relay,
                          void (*changed)(void *context, const char *domain), void *context,
                          struct gate **gate_r, struct err *err);
/* Other accounts may come in from now on; who is connected has the rights of the new settings.
 * ERR_SYSTEM when the socket's permissions could not be changed: then the rights have. */
MUST_CHECK bool gate_change_config(struct gate *g, const struct config *config, struct err *err);
/* Close it; what is under way still ends. Freed when the loop has ended: gate_free(). */
void gate_close(struct gate *g);
void gate_free(struct gate *g);

#endif
