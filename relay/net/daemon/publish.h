// SPDX-License-Identifier: BSD-2-Clause
/* publish.h - Changes a zone by dynamic update (RFC 2136), using nsupdate(1). */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "config.h"
#include "program.h"

/* Make `text` the only TXT record at `name`, in the zone of config->dkim, by the helper (helper.h).
 * Its key is opened by the opener. */
struct program *publish_start(uv_loop_t *loop, int helper, const struct opener *opener,
                              const struct config *config, const char *name, const char *text,
                              program_on_done *done, void *context);

#endif
