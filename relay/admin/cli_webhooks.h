// SPDX-License-Identifier: BSD-2-Clause
/* cli_webhooks.h - The commands about endpoints that are told of a tenant's mail. */
#ifndef CLI_WEBHOOKS_H
#define CLI_WEBHOOKS_H

#include "cli.h"

int cli_webhook_list(struct cli *cli);
int cli_webhook_add(struct cli *cli);
int cli_webhook_remove(struct cli *cli);
int cli_webhook_enable(struct cli *cli);
int cli_webhook_disable(struct cli *cli);
int cli_webhook_rotate(struct cli *cli);
int cli_webhook_ping(struct cli *cli);
int cli_webhook_replay(struct cli *cli);
int cli_webhook_test(struct cli *cli);

#endif
