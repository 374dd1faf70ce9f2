// SPDX-License-Identifier: BSD-2-Clause
/* route_label.h - What a route demands, as people read it in a destination's name. */
#ifndef ROUTE_LABEL_H
#define ROUTE_LABEL_H

#include "config.h"

/* Of mail with this need of TLS. No two routes that demand different things have the same.
 * `label_r` holds TRUST_LABEL bytes. */
void route_label(const struct config *config, const struct config_route *route, enum tls_need need,
                 char label_r[TRUST_LABEL]);

#endif
