// SPDX-License-Identifier: BSD-2-Clause
/* cli_returns.h - The commands about mail that comes back. */
#ifndef CLI_RETURNS_H
#define CLI_RETURNS_H

#include "cli.h"

int cli_returns_show(struct cli *cli);
/* Of which message and recipient an address of a return path is. */
int cli_returns_whose(struct cli *cli);

#endif
