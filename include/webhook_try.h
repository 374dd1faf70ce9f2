// SPDX-License-Identifier: BSD-2-Clause
/* webhook_try.h - For people: one event posted to an address now, by a fetcher that ends with it. A
 * relay need not run, and one that does is not disturbed. */
#ifndef WEBHOOK_TRY_H
#define WEBHOOK_TRY_H

#include "config.h"
#include "webhooks.h"

struct webhook_tried {
    bool taken;
    int status;     /* of HTTP; 0: there was no answer */
    int64_t for_ms; /* how long it took */
    char id[64];    /* the `webhook-id` */
    char why[200];  /* "" it was taken */
};

/* A webhook.ping to w->url, signed with w->secret. False: it could not be tried. */
MUST_CHECK bool webhook_try(const struct config *config, const struct webhook *w,
                            struct webhook_tried *tried_r, struct err *err);

#endif
