// SPDX-License-Identifier: BSD-2-Clause
/* config_streams.h - The sections "stream" and "limit" of the config file. */
#ifndef CONFIG_STREAMS_H
#define CONFIG_STREAMS_H

#include "config_reading.h"

/* What may stand in them; constant. */
cfg_opt_t *config_stream_options(void);
cfg_opt_t *config_limit_options(void);

/* Fill in streams and throttle. */
void config_streams_read(struct config_reading *r);
void config_streams_print(const struct config *c, struct buf *out);

#endif
