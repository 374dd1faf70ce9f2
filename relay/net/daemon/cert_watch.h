// SPDX-License-Identifier: BSD-2-Clause
/* cert_watch.h - What the relay's certificates need while it runs: read again when their files
 * change, tickets sealed with keys that change, and somebody told before one expires. The config
 * file is not looked at for that: what is being edited there goes live with a reload only. */
#ifndef CERT_WATCH_H
#define CERT_WATCH_H

#include "opener.h"
#include "settings.h"

#include <uv.h>

struct cert_watch;
struct incidents;

/* On the main loop. The opener may be NULL. */
struct cert_watch *cert_watch_new(uv_loop_t *loop, const struct settings *settings,
                                  const struct opener *opener, struct incidents *incidents);
/* Behind a reload, which has read the files. */
void cert_watch_change_settings(struct cert_watch *c, const struct settings *settings);
void cert_watch_close(struct cert_watch *c); /* frees it, too, when its handle has closed */

#endif
