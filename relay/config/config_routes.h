// SPDX-License-Identifier: BSD-2-Clause
/* config_routes.h - The sections "route" of the config file. */
#ifndef CONFIG_ROUTES_H
#define CONFIG_ROUTES_H

#include "config_reading.h"

/* What may stand in them; constant. */
cfg_opt_t *config_route_options(void);

/* Behind the settings of delivery. */
void config_routes_read(struct config_reading *r);
void config_routes_print(const struct config *c, struct buf *out);

#endif
