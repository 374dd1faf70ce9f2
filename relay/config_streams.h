// SPDX-License-Identifier: BSD-2-Clause
/* config_streams.h - The sections "stream" and "limit" of the config file. */
#ifndef CONFIG_STREAMS_H
#define CONFIG_STREAMS_H

#include "config.h"

#include <confuse.h>

/* What may stand in them; constant. */
cfg_opt_t *config_stream_options(void);
cfg_opt_t *config_limit_options(void);

/* Fill in streams and throttle. */
MUST_CHECK bool config_streams_read(struct config *c, cfg_t *cfg, struct err *err);
void config_streams_print(const struct config *c, struct buf *out);

#endif
