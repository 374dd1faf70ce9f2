// SPDX-License-Identifier: BSD-2-Clause
/* aligner.h - Judges pairs of domains on the main loop, for all shards, with one cache of DNS.
 *
 * A shard asks for a pair and goes on with other work; the answer comes to its inbox, after at most
 * 3 seconds: then without DNS, as "unknown". The judging goes on meanwhile.
 */
#ifndef ALIGNER_H
#define ALIGNER_H

#include "alignment.h"
#include "config.h"
#include "inbox.h"

struct aligner;

/* `config` is borrowed until aligner_change_config(). */
MUST_CHECK bool aligner_new(uv_loop_t *loop, const struct config *config,
                            struct aligner **aligner_r, struct err *err);
/* Nothing is asked any more: every question has been answered. The loop must run once more. */
void aligner_close(struct aligner *a);
void aligner_free(struct aligner *a); /* after aligner_close() and the loop's end */

struct aligner_question {
    struct inbox_item item;
    char author[ADDRESS_DOMAIN_MAX + 1], return_domain[ADDRESS_DOMAIN_MAX + 1];
    struct aligner *aligner;
    struct aligner_question *next;
    /* The answer; `epoch` is the one it was made in. Comes back to `home`, where `answered` owns
     * the question again. */
    struct alignment alignment;
    unsigned epoch;
    struct inbox *home;
    void (*answered)(struct inbox_item *item);
};

/* From any thread; takes `question`. */
void aligner_ask(struct aligner *a, struct aligner_question *question);

/* From any thread: verdicts about this From domain of an older epoch are out of date. */
unsigned aligner_epoch(const struct aligner *a, const char *author);

/* On the main loop: keys of that domain may have changed; the settings have. */
void aligner_keys_changed(struct aligner *a, const char *domain);
void aligner_change_config(struct aligner *a, const struct config *config);

#endif
