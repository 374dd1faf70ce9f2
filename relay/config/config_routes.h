// SPDX-License-Identifier: BSD-2-Clause
/* config_routes.h - What the settings of a route say together. */
#ifndef CONFIG_ROUTES_H
#define CONFIG_ROUTES_H

#include "config_reading.h"

/* Behind the listeners: one of the table of rules. */
void config_routes_finish(struct config_reading *r);

#endif
