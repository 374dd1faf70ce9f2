// SPDX-License-Identifier: BSD-2-Clause
/* key_rotation.h - Carries the domains' DKIM keys through their lives, on the main loop. */
#ifndef KEY_ROTATION_H
#define KEY_ROTATION_H

#include "config.h"
#include "store.h"

#include <uv.h>

struct rotator;

/* `helper`, `opener`: see there. `config` is borrowed until rotator_change_config(). `changed` is
 * called after each change of keys that it has made. */
MUST_CHECK bool rotator_new(uv_loop_t *loop, int helper, const struct opener *opener,
                            const struct config *config, struct store *store,
                            void (*changed)(void *context, const char *domain), void *context,
                            struct rotator **rotator_r, struct err *err);
/* What is under way comes to its end first; the store must still be there. */
void rotator_close(struct rotator *r);
void rotator_free(struct rotator *r); /* after rotator_close() and the loop's end */

/* Keys may have changed; the settings have. */
void rotator_keys_changed(struct rotator *r);
void rotator_change_config(struct rotator *r, const struct config *config);

#endif
