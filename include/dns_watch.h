// SPDX-License-Identifier: BSD-2-Clause
/* dns_watch.h - Does DNS answer, and can its answers be believed (DNSSEC)? Asked of the root: at
 * the start, when lookups fail, and again and again until all is well.
 *
 * On the loop of the resolver. What libunbound has validated itself is secure, never what a
 * forwarder says of its own work (the AD bit). */
#ifndef DNS_WATCH_H
#define DNS_WATCH_H

#include "resolver.h"

enum dnssec_state {
    DNSSEC_UNKNOWN,   /* not asked yet, or who is asked does not tell of the root */
    DNSSEC_SILENT,    /* nobody answers: what was known before holds */
    DNSSEC_VALIDATES, /* the root's keys are what the trust anchor says */
    DNSSEC_ABSENT,    /* the settings have no anchor for the root: nothing is ever secure */
    DNSSEC_FAILS      /* the keys are forged or not valid now, or what lies between takes away the
                         signatures */
};

/* `wanted`: a lookup of somebody's has met it, not only the test. */
typedef void dns_watch_on_state(void *context, enum dnssec_state state, bool wanted);

/* `done` is told what each test finds, within 15 seconds of its turn, and what lookups have shown,
 * as they end; never from inside of this call. While nobody answers or nothing can be validated it
 * tests again every 15 seconds; else when a lookup fails, as rarely. `config` is borrowed until
 * dns_watch_change_config(), or to the resolver's end. */
void dns_watch_start(struct resolver *r, const struct config *config, dns_watch_on_state *done,
                     void *context);
void dns_watch_change_config(struct resolver *r, const struct config *config);

#endif
