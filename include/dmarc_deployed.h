// SPDX-License-Identifier: BSD-2-Clause
/* dmarc_deployed.h - Evaluates DMARC as a receiver with OpenDMARC does: RFC 7489, with the Public
 * Suffix List instead of the tree walk.
 *
 * libopendmarc parses the record and chooses the policy. Alignment is determined here, because the
 * library gets it wrong for one-letter labels, public suffixes and strict mode; it is given at most
 * one signature and one SPF result that are known to be aligned.
 */
#ifndef DMARC_DEPLOYED_H
#define DMARC_DEPLOYED_H

#include "dmarc.h"
#include "suffix.h"

struct dmarc_reading {
    enum dmarc_result result;
    enum dmarc_policy policy;
    bool dkim_aligned, spf_aligned;
    char organizational_domain[DNS_NAME_MAX + 1];
    char why[200];
};

/* Pending as dmarc_check() is. `suffixes`: the list in the place of the tree walk. */
void dmarc_deployed_check(const struct dmarc_query *query, const struct dns *dns,
                          const struct suffixes *suffixes, struct dmarc_reading *reading_r);

#endif
