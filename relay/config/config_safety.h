// SPDX-License-Identifier: BSD-2-Clause
/* config_safety.h - Sections "alert" and "control": who is told, and who may command. */
#ifndef CONFIG_SAFETY_H
#define CONFIG_SAFETY_H

#include "config_reading.h"

cfg_opt_t *config_alert_options(void);
cfg_opt_t *config_control_options(void);
void config_safety_read(struct config_reading *r);
void config_safety_print(const struct config *c, struct buf *out);
void config_safety_free(struct config *c);

#endif
