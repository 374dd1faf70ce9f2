// SPDX-License-Identifier: BSD-2-Clause
/* dns_check.h - What the commands about DNS share. */
#ifndef DNS_CHECK_H
#define DNS_CHECK_H

#include "dns_work.h"

/* The rows of the domain's keys; a domain without keys is none of ours, which is said. */
int cli_dns_keys(struct cli *cli, const char *domain, json_t **rows_r);
/* dns --format mta-sts: the policy file, and for a person the steps; returns the exit code. */
int cli_dns_policy(const struct dns_work *w);
/* dns --check, --watch; returns the exit code. */
int cli_dns_check(struct cli *cli, const struct config *config, struct dns_work *w);

#endif
