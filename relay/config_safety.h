// SPDX-License-Identifier: BSD-2-Clause
/* config_safety.h - Sections "alert" and "control": who is told, and who may command. */
#ifndef CONFIG_SAFETY_H
#define CONFIG_SAFETY_H

#include "config.h"

#include <confuse.h>

cfg_opt_t *config_alert_options(void);
cfg_opt_t *config_control_options(void);
MUST_CHECK bool config_safety_read(struct config *c, cfg_t *cfg, struct err *err);
void config_safety_print(const struct config *c, struct buf *out);
void config_safety_free(struct config *c);

#endif
