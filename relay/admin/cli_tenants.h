// SPDX-License-Identifier: BSD-2-Clause
/* cli_tenants.h - Whose a domain is. */
#ifndef CLI_TENANTS_H
#define CLI_TENANTS_H

#include "cli.h"

/* Of a sending domain in normal form; of one that is not there yet, as --tenant says. Nothing is
 * asked where the settings make no difference between tenants. */
void cli_tenant_of(struct cli *cli, const char *domain, char tenant_r[64]);

#endif
