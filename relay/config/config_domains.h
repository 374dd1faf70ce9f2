// SPDX-License-Identifier: BSD-2-Clause
/* config_domains.h - The sections "domain" and "dkim" of the config file, and the operator. */
#ifndef CONFIG_DOMAINS_H
#define CONFIG_DOMAINS_H

#include "config_reading.h"

/* What may stand in them; constant. */
cfg_opt_t *config_domain_options(void);
cfg_opt_t *config_dkim_options(void);

void config_domains_read(struct config_reading *r);
void config_domains_print(const struct config *c, struct buf *out);

#endif
