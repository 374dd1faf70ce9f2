// SPDX-License-Identifier: BSD-2-Clause
/* config_names.h - Names of smart hosts that this machine knows and DNS may not. */
#ifndef CONFIG_NAMES_H
#define CONFIG_NAMES_H

#include "config_reading.h"

/* The relay asks DNS for a smart host's name. Note where that may not be what is meant: the name
 * is in /etc/hosts, or has no dot and is asked from the root. Behind the settings of dns. */
void config_names_check(struct config_reading *r, cfg_t *section, const char *host);

#endif
