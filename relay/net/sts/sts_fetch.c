// SPDX-License-Identifier: BSD-2-Clause
/* sts_fetch.c - A domain's policy host: what the fetcher is told of it, and what its answer means
 * for mta_sts.h. */
#include "sts_fetch.h"

#include "reachable.h"

#include <stdio.h>
#include <string.h>

enum { HTTPS_PORT = 443, FETCH_S = 60 };

bool sts_fetch_addresses(const struct config *config, const struct ip *ips, size_t count,
                         char addresses_r[STS_FETCH_ADDRESSES], struct ip *host_r)
{
    const char *why;
    size_t len = 0;
    char text[IP_TEXT];
    addresses_r[0] = '\0';
    for (size_t i = 0; i < count && len + IP_TEXT + 4 < STS_FETCH_ADDRESSES; i++) {
        if (reachable(config, &ips[i], HTTPS_PORT, &why) != MX_REACH)
            continue;
        if (len == 0 || memcmp(&ips[i], host_r, sizeof(*host_r)) < 0)
            *host_r = ips[i];
        ip_print(&ips[i], text);
        len += (size_t)snprintf(addresses_r + len, STS_FETCH_ADDRESSES - len,
                                ips[i].v6 ? "%s[%s]" : "%s%s", len > 0 ? "," : "", text);
    }
    return len > 0;
}

enum mta_sts_why sts_fetch_no_address(size_t count, bool failed)
{
    return failed      ? MTA_STS_WHY_ADDRESS_LOOKUP_FAILED
           : count > 0 ? MTA_STS_WHY_ADDRESS_NOT_PUBLIC
                       : MTA_STS_WHY_HOST_NOT_FOUND;
}

void sts_fetch_order(const struct config *config, const char *domain, const char *addresses,
                     struct fetch_order *order_r)
{
    *order_r = (struct fetch_order){.answer_max = MTA_STS_BODY_MAX, .timeout_s = FETCH_S};
    snprintf(order_r->url, sizeof(order_r->url), "https://mta-sts.%s/.well-known/mta-sts.txt",
             domain);
    snprintf(order_r->addresses, sizeof(order_r->addresses), "%s", addresses);
    snprintf(order_r->authorities, sizeof(order_r->authorities), "%s", config->ca_file);
}

static const struct {
    enum mta_sts_end end;
    enum mta_sts_why why;
} ends[FETCH_OUTCOMES] = {
    [FETCH_ANSWERED] = {MTA_STS_ANSWERED, MTA_STS_WHY_NOTHING},
    [FETCH_NO_NAME] = {MTA_STS_UNREACHABLE, MTA_STS_WHY_HOST_NOT_FOUND},
    [FETCH_NO_ROUTE] = {MTA_STS_UNREACHABLE, MTA_STS_WHY_CONNECT_FAILED},
    [FETCH_UNTRUSTED] = {MTA_STS_DISTRUSTED, MTA_STS_WHY_CERTIFICATE},
    [FETCH_NO_TLS] = {MTA_STS_UNREACHABLE, MTA_STS_WHY_TLS_FAILED},
    [FETCH_TIMED_OUT] = {MTA_STS_UNREACHABLE, MTA_STS_WHY_TIMEOUT},
    [FETCH_TOO_LARGE] = {MTA_STS_UNREACHABLE, MTA_STS_WHY_TOO_LARGE},
    [FETCH_NOT_HTTP] = {MTA_STS_UNREACHABLE, MTA_STS_WHY_HTTP_MALFORMED},
    [FETCH_BUSY] = {MTA_STS_UNTRIED, MTA_STS_WHY_FETCHER_BUSY},
    [FETCH_GONE] = {MTA_STS_UNTRIED, MTA_STS_WHY_FETCHER_GONE},
};

struct mta_sts_response sts_fetch_response(const struct fetch_result *result)
{
    return (struct mta_sts_response){.end = ends[result->outcome].end,
                                     .status = (unsigned)result->status,
                                     .body = result->answer,
                                     .why = ends[result->outcome].why,
                                     .detail = result->why};
}
