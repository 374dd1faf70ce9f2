// SPDX-License-Identifier: BSD-2-Clause
/* config_streams.h - What the settings of a stream say together. */
#ifndef CONFIG_STREAMS_H
#define CONFIG_STREAMS_H

#include "config_reading.h"

/* Behind the limits and http: one of the table of rules. */
void config_streams_finish(struct config_reading *r);

#endif
