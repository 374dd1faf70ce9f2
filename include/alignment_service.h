// SPDX-License-Identifier: BSD-2-Clause
/* alignment_service.h - Judges pairs of domains on the main loop, for all shards, with one cache of
 * DNS.
 *
 * A shard asks for a pair and goes on with other work; the answer comes to its inbox, after at most
 * 3 seconds: then without DNS, as "unknown". The judging goes on meanwhile.
 */
#ifndef ALIGNMENT_SERVICE_H
#define ALIGNMENT_SERVICE_H

#include "alignment.h"
#include "config.h"
#include "inbox.h"

struct alignment_service;
struct directory;

/* `config` is borrowed until alignment_service_change_config(), `directory` for good. */
MUST_CHECK bool alignment_service_new(uv_loop_t *loop, const struct config *config,
                                      struct directory *directory,
                                      struct alignment_service **alignment_service_r,
                                      struct err *err);
/* Nothing is asked any more: every question has been answered. The loop must run once more. */
void alignment_service_close(struct alignment_service *a);
void alignment_service_free(
    struct alignment_service *a); /* after alignment_service_close() and the loop's end */

struct alignment_service_question {
    struct inbox_item item;
    char author[ADDRESS_DOMAIN_MAX + 1], return_domain[ADDRESS_DOMAIN_MAX + 1];
    char tenant[64]; /* for whom DNS is asked */
    char origin[64]; /* the same, where tenants leave from addresses of their own; else "" */
    struct alignment_service *alignment_service;
    struct alignment_service_question *next;
    /* The answer; `epoch` is the one it was made in. Comes back to `home`, where `answered` owns
     * the question again. */
    struct alignment alignment;
    unsigned epoch;
    struct inbox *home;
    void (*answered)(struct inbox_item *item);
};

/* From any thread; takes `question`. */
void alignment_service_ask(struct alignment_service *a,
                           struct alignment_service_question *question);

/* From any thread: verdicts about this From domain of an older epoch are out of date. */
unsigned alignment_service_epoch(const struct alignment_service *a, const char *author);

/* On the main loop: keys of that domain may have changed; the settings have. */
void alignment_service_keys_changed(struct alignment_service *a, const char *domain);
void alignment_service_change_config(struct alignment_service *a, const struct config *config);

#endif
