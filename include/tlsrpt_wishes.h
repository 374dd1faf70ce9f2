// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_wishes.h - Which domains have asked for TLS reports (RFC 8460 section 3), in memory.
 *
 * Shards ask and go on; what is not known is looked up by the main loop, beside the delivery. A
 * session with a domain of which nothing is known yet is counted: what turns out to be unwanted is
 * forgotten by whoever has looked it up.
 */
#ifndef TLSRPT_WISHES_H
#define TLSRPT_WISHES_H

#include "dns.h"
#include "inbox.h"

#include <stdint.h>

struct tlsrpt_wishes;

enum tlsrpt_wish {
    TLSRPT_WISH_UNKNOWN,
    TLSRPT_WISH_NONE, /* it wants none, or there is no room to find that out */
    TLSRPT_WISH_REPORTS
};

/* A question on its way to the main loop, which frees it. */
struct tlsrpt_question {
    struct inbox_item item;
    void *context;
    char domain[DNS_NAME_MAX + 1], tenant[64];
};

/* Questions come to `inbox` with `context`, and are `asked` there. Freed with tlsrpt_wishes_free(),
 * when nobody asks any more; NULL is allowed. */
struct tlsrpt_wishes *tlsrpt_wishes_new(struct inbox *inbox, void (*asked)(struct inbox_item *item),
                                        void *context);
void tlsrpt_wishes_free(struct tlsrpt_wishes *w);

/* From any thread. `domain` in A-labels; the tenant pays for what is remembered of it. */
enum tlsrpt_wish tlsrpt_wishes_ask(struct tlsrpt_wishes *w, const char *domain, const char *tenant);
/* The answer to a question; for so long it is not asked anew. */
void tlsrpt_wishes_tell(struct tlsrpt_wishes *w, const char *domain, enum tlsrpt_wish wish,
                        int64_t for_ms);
/* What is out of date is forgotten. */
void tlsrpt_wishes_sweep(struct tlsrpt_wishes *w);

#endif
