// SPDX-License-Identifier: BSD-2-Clause
/* watch.h - What questions tell of DNS as a whole (dns_watch.h). */
#ifndef WATCH_H
#define WATCH_H

#include "dns_watch.h"

struct dns_answer;

/* A part of the resolver. Without `done`, nobody watches, and all of this does nothing. */
struct watch {
    const struct config *config; /* borrowed */
    dns_watch_on_state *done;
    void *context;
    enum dnssec_state state; /* as found last, by a test or by a lookup */
    bool tests;              /* one is under way, or waits for its time */
    int64_t tested_ms;
    /* A lookup has ended so: should the root be asked? NULL: nobody wants to know. */
    void (*answered)(struct resolver *r, const struct dns_answer *a);
};

/* What the root has said to somebody who asked it (DNS_PENDING or NULL: nothing), or what is known
 * by a test, past caches, whatever a cache says: SILENT, FAILS, or UNKNOWN for all else. */
enum dnssec_state watch_root(struct resolver *r, const struct dns_answer *a);

#endif
