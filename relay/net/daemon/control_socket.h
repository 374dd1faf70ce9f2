// SPDX-License-Identifier: BSD-2-Clause
/* control_socket.h - The control socket: state_dir/control.sock, for the owner and those whom the
 * settings name. */
#ifndef CONTROL_SOCKET_H
#define CONTROL_SOCKET_H

#include "config.h"
#include "err.h"
#include "store.h"

#include <uv.h>

struct control_socket;
struct control_relay;

/* On the main loop; what is in `relay` is borrowed. */
MUST_CHECK bool control_socket_open(uv_loop_t *loop, const struct config *config,
                                    struct store *store, const struct control_relay *relay,
                                    struct control_socket **control_socket_r, struct err *err);
/* Other accounts may come in from now on; who is connected has the rights of the new settings.
 * ERR_SYSTEM when the socket's permissions could not be changed: then the rights have. */
MUST_CHECK bool control_socket_change_config(struct control_socket *g, const struct config *config,
                                             struct err *err);
/* Close it; what is under way still ends. Freed when the loop has ended: control_socket_free(). */
void control_socket_close(struct control_socket *g);
void control_socket_free(struct control_socket *g);

#endif
