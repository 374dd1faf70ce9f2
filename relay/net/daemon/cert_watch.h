// SPDX-License-Identifier: BSD-2-Clause
/* cert_watch.h - Reloads certificates when their files change, rotates session ticket keys, and
 * warns before a certificate expires. The config file is not read again for that: changes in it
 * take effect at a reload only. */
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
