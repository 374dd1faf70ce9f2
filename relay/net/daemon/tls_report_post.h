// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_post.h - Where an https place of a TLS report is, as DNS says it. */
#ifndef TLS_REPORT_POST_H
#define TLS_REPORT_POST_H

#include "config.h"
#include "dns.h"
#include "fetch_order.h"

enum tls_report_post { POST_PENDING, POST_READY, POST_NOWHERE };

/* Of a host, at most: what one post may cost addresses is bounded. */
enum { TLS_REPORT_POST_ADDRESSES = 4 };

/* The host of an https place, in lower case; `host_r` holds DNS_NAME_MAX + 1 bytes. False: it has
 * none that a report could be posted to. */
MUST_CHECK bool tls_report_post_host(const char *uri, char *host_r);

/* Fill in the order for this address: to be posted to where DNS leads, which must be a public host.
 * NOWHERE: `why_r`, of 160 bytes, says why not. PENDING: DNS does not know yet. */
enum tls_report_post tls_report_post_make(const struct config *config, const struct dns *dns,
                                          const char *uri, struct fetch_order *order_r,
                                          char *why_r);

#endif
