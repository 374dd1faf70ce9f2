// SPDX-License-Identifier: BSD-2-Clause
/* sts_fetch.h - A domain's policy host, as the fetcher is told of it, and what its answer means. */
#ifndef STS_FETCH_H
#define STS_FETCH_H

#include "config.h"
#include "fetcher.h"
#include "ip.h"
#include "mta_sts.h"

enum { STS_FETCH_ADDRESSES = 1024 };
/* Those of a domain's policy host as the fetcher takes them; those that DNS may not lead to are
 * left out. The first by number, in whatever order DNS has them, is the host that fetches are
 * counted by. False: none is left. */
MUST_CHECK bool sts_fetch_addresses(const struct config *config, const struct ip *ips, size_t count,
                                    char addresses_r[STS_FETCH_ADDRESSES], struct ip *host_r);
/* Why not: `count` were found, or `failed` says that DNS gave no answer. */
enum mta_sts_why sts_fetch_no_address(size_t count, bool failed);
void sts_fetch_order(const struct config *config, const char *domain, const char *addresses,
                     struct fetch_order *order_r);
/* Borrows what the result does. */
struct mta_sts_response sts_fetch_response(const struct fetch_result *result);

#endif
