// SPDX-License-Identifier: BSD-2-Clause
/* dns_cache.h - A cache of DNS answers, kept for their TTL but at least 60 seconds and at most one
 * hour.
 *
 * An answer that is requested late in its life is refreshed before it expires. There is at most one
 * lookup at a time for a name and type. A failure is kept for 10 seconds, and never replaces an
 * answer that is still valid.
 *
 * It takes a part of limits.memory at most. Each tenant pays for what it asks, and has its share of
 * the lookups: whatever one of them asks, the others' answers stay, and their questions are asked.
 */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

#include "config.h"
#include "dns.h"

#include <uv.h>

struct dns_cache;

struct dns_queries_stub;

/* `stub`: NULL, or that little is asked, or of one server only. `changed` is called, from the loop,
 * when answers have come that somebody was told are pending. */
MUST_CHECK bool dns_cache_new(uv_loop_t *loop, const struct config *config,
                              const struct dns_queries_stub *stub, void (*changed)(void *context),
                              void *context, struct dns_cache **answers_r, struct err *err);
/* The same for who asks little: so many questions and streams at once. */
enum { DNS_CACHE_FEW_QUERIES = 8, DNS_CACHE_FEW_STREAMS = 4 };
MUST_CHECK bool dns_cache_new_few(uv_loop_t *loop, const struct config *config,
                                  void (*changed)(void *context), void *context,
                                  struct dns_cache **answers_r, struct err *err);
void dns_cache_free(struct dns_cache *a);

/* For whom is asked from now on; "" at first: nobody in particular. */
void dns_cache_ask_for(struct dns_cache *a, const char *tenant);

/* From now on what is not known is DNS_FAILED, and what is known stays so. */
void dns_cache_ask_no_more(struct dns_cache *a);

/* Asking it never waits: what is not known is fetched, and pending until then. What it answers may
 * be kept by the asker until the loop runs again. */
const struct dns *dns_cache_dns(struct dns_cache *a);

#endif
