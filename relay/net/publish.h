// SPDX-License-Identifier: BSD-2-Clause
/* publish.h - Changes a zone of ours by dynamic update (RFC 2136), through nsupdate(1). */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "config.h"

#include <uv.h>

struct publish;

/* `why`: NULL when it was done, else a line for a person, borrowed. It is freed afterwards. */
typedef void publish_on_done(void *context, const char *why);

/* Make `text` the only TXT record at `name`, in the zone of config->dkim, by the helper (helper.h).
 * `done` is called once, and never from inside. */
struct publish *publish_start(uv_loop_t *loop, int helper, const struct config *config,
                              const char *name, const char *text, publish_on_done *done,
                              void *context);
/* End it early; `done` is still called. */
void publish_kill(struct publish *p);

#endif
