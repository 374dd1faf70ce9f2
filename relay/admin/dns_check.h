// SPDX-License-Identifier: BSD-2-Clause
/* dns_check.h - What the commands about DNS share. */
#ifndef DNS_CHECK_H
#define DNS_CHECK_H

#include "dns_work.h"

/* The rows of the domain's keys; a domain without keys is none of ours, which is said. */
int cli_dns_keys(struct cli *cli, const char *domain, json_t **rows_r);
/* Make the plan with what stands in DNS. */
MUST_CHECK bool cli_dns_probe(const struct config *config, struct dns_work *w, struct err *err);
/* dns --check, --watch; returns the exit code. */
int cli_dns_check(struct cli *cli, const struct config *config, struct dns_work *w);

#endif
