// SPDX-License-Identifier: BSD-2-Clause
/* cli_tlsrpt.h - The commands about TLS reports (RFC 8460). */
#ifndef CLI_TLSRPT_H
#define CLI_TLSRPT_H

#include "cli.h"

/* Those that others have sent. */
int cli_tlsrpt_show(struct cli *cli);
/* Those to others: all, or what is not sent yet. */
int cli_tlsrpt_list(struct cli *cli);
int cli_tlsrpt_pending(struct cli *cli);

#endif
