// SPDX-License-Identifier: BSD-2-Clause
/* tls_reporter.h - Sends the TLS reports that are due (RFC 8460), and finds out which domains have
 * asked for any. On the main loop. */
#ifndef TLS_REPORTER_H
#define TLS_REPORTER_H

#include "companions.h"
#include "dns_cache.h"
#include "store.h"
#include "tlsrpt_wishes.h"

struct tls_reporter;

/* Reports on their way at a time; and the descriptors that they and its resolver take. */
enum {
    TLS_REPORTER_ERRANDS = 8,
    TLS_REPORTER_DESCRIPTORS =
        DNS_CACHE_FEW_QUERIES + DNS_CACHE_FEW_STREAMS + 2 * TLS_REPORTER_ERRANDS + 8
};

/* All is borrowed until tls_reporter_free(), `config` until the next one. */
MUST_CHECK bool tls_reporter_new(uv_loop_t *loop, const struct companions *companions,
                                 const struct config *config, struct store *store,
                                 struct tls_reporter **reporter_r, struct err *err);
/* What the shards ask; as long as the reporter is there. */
struct tlsrpt_wishes *tls_reporter_wishes(struct tls_reporter *r);
/* NULL is allowed, here and below. */
void tls_reporter_change_config(struct tls_reporter *r, const struct config *config);
/* What is under way ends, and is begun anew by the next relay. The loop must run once more. */
void tls_reporter_close(struct tls_reporter *r);
/* When the store has ended. */
void tls_reporter_free(struct tls_reporter *r);

#endif
