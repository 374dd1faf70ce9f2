// SPDX-License-Identifier: BSD-2-Clause
/* config_domains.h - The sections "domain" and "dkim" of the config file, and the operator. */
#ifndef CONFIG_DOMAINS_H
#define CONFIG_DOMAINS_H

#include "config.h"

#include <confuse.h>

/* What may stand in them; constant. */
cfg_opt_t *config_domain_options(void);
cfg_opt_t *config_dkim_options(void);

MUST_CHECK bool config_domains_read(struct config *c, cfg_t *cfg, struct err *err);
void config_domains_print(const struct config *c, struct buf *out);

#endif
