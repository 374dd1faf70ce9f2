// SPDX-License-Identifier: BSD-2-Clause
/* dmarc_deployed.h - What a receiver running OpenDMARC would say: RFC 7489, with the Public Suffix
 * List instead of the tree walk.
 *
 * libopendmarc reads the record and chooses the policy. Which identifiers are aligned is decided
 * here, as the library is wrong about that for one-letter labels, public suffixes and strict mode;
 * it is handed at most one signature and one SPF result that are known to be aligned.
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

void dmarc_deployed_check(const struct dmarc_query *query, const struct dns *dns,
                          const struct suffixes *suffixes, struct dmarc_reading *reading_r);

#endif
