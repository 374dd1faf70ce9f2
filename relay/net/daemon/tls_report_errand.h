// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_errand.h - One TLS report on its way: where it is wanted, what it tells, and who has
 * taken it. */
#ifndef TLS_REPORT_ERRAND_H
#define TLS_REPORT_ERRAND_H

#include "companions.h"
#include "fetcher.h"
#include "store_call.h"
#include "suffix.h"
#include "tls_report_maker.h"
#include "tlsrpt_bounds.h"
#include "tlsrpt_reports.h"

struct errand;

/* What errands need of the reporter. */
struct errand_owner {
    uv_loop_t *loop;
    const struct companions *companions;
    const struct config *config;
    struct store_calls calls;
    struct tls_report_maker maker;
    struct dns_cache *answers;
    const struct dns *dns; /* of these */
    struct tlsrpt_bounds *bounds;
    const struct suffixes *suffixes;
    void (*ended)(void *owner, struct errand *e); /* it frees the errand */
    void *context;
};

/* The entry is copied. Nothing is asked before errand_step(). */
struct errand *errand_new(struct errand_owner *owner, const struct tlsrpt_entry *entry);
/* While DNS is what it waits for: DNS may know more. */
void errand_step(struct errand *e);
bool errand_is_about(const struct errand *e, int64_t day, const char *domain);
const char *errand_tenant(const struct errand *e);
/* It makes no further step: `ended` is called when nothing is under way. */
void errand_abandon(struct errand *e);
/* When it has ended, or when the loop has. */
void errand_free(struct errand *e);

#endif
