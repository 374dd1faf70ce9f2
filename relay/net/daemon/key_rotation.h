// SPDX-License-Identifier: BSD-2-Clause
/* key_rotation.h - Carries out the rotation of the domains' DKIM keys, on the main loop. */
#ifndef KEY_ROTATION_H
#define KEY_ROTATION_H

#include "config.h"
#include "store.h"

#include <uv.h>

struct rotator;

/* `helper`, `opener`: see there. `config` is borrowed until rotator_change_config(). */
MUST_CHECK struct rotator *rotator_new(uv_loop_t *loop, int helper, const struct opener *opener,
                                       const struct config *config, struct store *store);
/* What is under way comes to its end first; the store must still be there. */
void rotator_close(struct rotator *r);
void rotator_free(struct rotator *r); /* after rotator_close() and the loop's end */

/* Those of one domain, as the directory has them now. */
void rotator_keys_changed(struct rotator *r, const char *domain);
void rotator_change_config(struct rotator *r, const struct config *config);

#endif
