// SPDX-License-Identifier: BSD-2-Clause
/* config_tls.h - The sections "tls" and "certificate" of the config file. */
#ifndef CONFIG_TLS_H
#define CONFIG_TLS_H

#include "config_reading.h"

/* What may stand in them; constant. */
cfg_opt_t *config_tls_options(void);
cfg_opt_t *config_certificate_options(void);

void config_tls_read(struct config_reading *r);
void config_tls_print(const struct config *c, struct buf *out);

#endif
