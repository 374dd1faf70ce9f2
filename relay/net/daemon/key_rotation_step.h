// SPDX-License-Identifier: BSD-2-Clause
/* key_rotation_step.h - One step in the life of one domain's keys, from its beginning to its end.
 */
#ifndef KEY_ROTATION_STEP_H
#define KEY_ROTATION_STEP_H

#include "accounts.h"
#include "config.h"
#include "inbox.h"
#include "rotation.h"
#include "store.h"

struct step;

/* What all steps share. The functions are called on the loop. */
struct step_owner {
    uv_loop_t *loop;
    struct inbox *inbox;
    struct store *store;
    int helper;
    const struct opener *opener;
    const struct config *config; /* the newest */
    const struct config *first;  /* what is the same at every reload, as long as the relay runs */
    /* Keys of that domain, or it was tried. */
    void (*written)(void *context, const char *domain);
    void (*failed)(void *context, const char *domain);
    void (*ended)(void *context, struct step *t); /* it is freed then */
    void *context;
};

/* Begin with `what` for `subject`, one of these keys of its domain. It always ends, later, by
 * `ended`. */
struct step *step_start(struct step_owner *owner, const struct database_key *subject,
                        enum rotation_step what, const struct rotation_key *keys, size_t count);
const char *step_domain(const struct step *t);
/* End soon. */
void step_abandon(struct step *t);

#endif
