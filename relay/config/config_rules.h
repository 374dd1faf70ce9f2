// SPDX-License-Identifier: BSD-2-Clause
/* config_rules.h - What several settings say together. */
#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include "config_reading.h"

/* Behind config_sections_read(): work out what depends on more than one row, and tell what does not
 * go together, or can hardly be meant. */
void config_rules_apply(struct config_reading *r);

#endif
