// SPDX-License-Identifier: BSD-2-Clause
/* config_tls.h - The sections "tls" and "certificate" of the config file. */
#ifndef CONFIG_TLS_H
#define CONFIG_TLS_H

#include "config.h"

#include <confuse.h>

/* What may stand in them; constant. */
cfg_opt_t *config_tls_options(void);
cfg_opt_t *config_certificate_options(void);

MUST_CHECK bool config_tls_read(struct config *c, cfg_t *cfg, struct err *err);
void config_tls_print(const struct config *c, struct buf *out);

#endif
